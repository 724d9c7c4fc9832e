//! The safety factor that a budget of bad minutes allows, by replay of the variant's own minutes.

use serde::Serialize;

use super::answer::{Question, SURE};
use super::choice::{Choice, Tracking};
use super::draws::Draw;
use super::fleet::run;

/// The range of the factor.
pub const FACTOR_MIN: f64 = 0.3;
/// The top of it.
pub const FACTOR_MAX: f64 = 0.9;
/// Factors are tried in steps of a hundredth.
const STEP: f64 = 0.01;
/// Draws: enough to tell nine of ten, at a quarter of the cost of a comparison.
const DRAWS: u32 = 10;

/// The factor that the replay allows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Allowed {
    /// The highest factor that keeps the budget, within its range.
    pub factor: f64,
    /// The bad minutes a week that it would have had, on average over the draws.
    pub bad_minutes: f64,
    /// Whether the budget is kept; if not, the factor is the lowest there is.
    pub within_budget: bool,
}

/// The highest factor whose bad minutes stay within the budget in 90 % of the draws: at most
/// 1 - 1/N for the N instances that usually run, so that losing one breaks nothing, and within
/// [0.3, 0.9]. `base` is what the factor is applied to, in invocations per minute per instance.
/// Absent without traffic.
#[must_use]
pub fn highest(question: &Question<'_>, base: f64, usual_instances: u32) -> Option<Allowed> {
    let weeks = question.traffic.weeks();
    if weeks <= 0.0 || !base.is_finite() || base <= 0.0 {
        return None;
    }
    let draws = Draw::all(question.capacity, &question.reaction, DRAWS, question.seed);
    let at = |steps: u32| {
        let factor = f64::from(steps) * STEP;
        let choice = Choice::tracking(Tracking::at(base * factor), 1, super::choice::INSTANCES_MAX);
        let bad: Vec<f64> =
            run(question.traffic, &choice, &draws).iter().map(|o| o.bad_minutes / weeks).collect();
        let within = bad.iter().filter(|b| **b <= question.budget).count();
        let within_budget = within as f64 >= SURE * f64::from(DRAWS);
        Allowed { factor, bad_minutes: bad.iter().sum::<f64>() / bad.len() as f64, within_budget }
    };
    let steps = |factor: f64| (factor / STEP + 1e-9) as u32;
    let spare = 1.0 - 1.0 / f64::from(usual_instances.max(1));
    let lowest = steps(FACTOR_MIN + STEP / 2.0);
    let top = steps(FACTOR_MAX.min(spare)).max(lowest);
    // More factor is more bad minutes, but for chance: a bisection finds where the budget ends.
    let highest = at(top);
    if highest.within_budget {
        return Some(highest);
    }
    let mut best = at(lowest);
    let (mut good, mut bad) = (lowest, top);
    while best.within_budget && bad - good > 1 {
        let middle = at(u32::midpoint(good, bad));
        if middle.within_budget {
            good = u32::midpoint(good, bad);
            best = middle;
        } else {
            bad = u32::midpoint(good, bad);
        }
    }
    Some(best)
}

#[cfg(test)]
mod tests {
    use super::super::draws::CapacityBelief;
    use super::super::traffic::{Traffic, WEEK};
    use super::*;
    use crate::model::reaction::ReactionTime;

    /// A week around 20,000 a minute, with bursts of a height every three hours.
    fn allowed(burst: f32, start_up: f64, usual: u32) -> Allowed {
        let rate = |i: usize| 20_000.0 * if i % 180 < 20 { burst } else { 1.0 };
        let traffic = Traffic::new(0, (0..WEEK).map(rate).collect());
        let question = Question {
            traffic: &traffic,
            capacity: CapacityBelief::new(1000.0, 0.03).unwrap(),
            reaction: ReactionTime::prior(None).with_start_up(start_up),
            budget: 10.0,
            seed: 3,
        };
        highest(&question, 1000.0, usual).unwrap()
    }

    #[test]
    fn bursts_and_small_fleets_call_for_a_lower_factor() {
        let calm = allowed(1.0, 4.0, 50);
        // Near capacity some minutes are bad at any steady load.
        assert!(calm.within_budget && calm.factor > 0.7, "{calm:?}");
        let bursty = allowed(1.5, 4.0, 50);
        assert!(bursty.within_budget && (0.5..0.66).contains(&bursty.factor), "{bursty:?}");
        assert_eq!(allowed(1.0, 4.0, 4).factor, 0.75);
        assert_eq!(allowed(1.0, 4.0, 1).factor, 0.3);
        let hopeless = allowed(8.0, 4.0, 50);
        assert!(!hopeless.within_budget, "{hopeless:?}");
        assert_eq!(hopeless.factor, 0.3);
    }

    #[test]
    fn a_slower_start_never_allows_a_higher_factor() {
        // A ramp that doubles the load within ten minutes every three hours.
        let factors = [3.0, 10.0, 25.0].map(|start_up| {
            let rate = |i: usize| 10_000.0 * (1.0 + ((i % 180) as f32 / 10.0).min(1.0));
            let traffic = Traffic::new(0, (0..WEEK).map(rate).collect());
            let question = Question {
                traffic: &traffic,
                capacity: CapacityBelief::new(1000.0, 0.03).unwrap(),
                reaction: ReactionTime::prior(None).with_start_up(start_up),
                budget: 200.0,
                seed: 3,
            };
            highest(&question, 1000.0, 50).unwrap().factor
        });
        assert!(factors[0] >= factors[1] && factors[1] >= factors[2], "{factors:?}");
    }
}
