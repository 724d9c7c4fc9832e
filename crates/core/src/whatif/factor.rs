//! The safety factor that a budget of bad minutes allows, by replay of the variant's own minutes.

use crate::model::factor::{Allowed, Limit};

use super::answer::{Question, SURE};
use super::choice::{CUSTOMARY, Choice, Scaling, Tracking};
use super::draws::{DRAWS, Draw};
use super::fleet::{mean_within, needed};
use super::floors::EXPLAINED_MIN;
use super::traffic::Traffic;
use super::week::explained;

pub const FACTOR_MIN: f64 = 0.3;
/// The top of it.
pub const FACTOR_MAX: f64 = 0.9;
/// Factors are tried in steps of a hundredth.
const STEP: f64 = 0.01;

/// The highest factor whose bad minutes stay within the budget in 90 % of the draws: at most
/// 1 - 1/N for the N instances that usually run, so that losing one breaks nothing, and within
/// [0.3, 0.9]. Where the week does not repeat, or less than two weeks are known, the budget lowers it to the
/// customary 0.5 and not further: the last weeks do not show what more instances would prevent in the next.
/// `base` is what the factor is applied to, in invocations per minute per instance; bounds,
/// cooldowns and floors are those of `like`. Absent without traffic.
pub fn highest(question: &Question<'_>, base: f64, like: &Choice) -> Option<Allowed> {
    let weeks = question.traffic.weeks();
    if weeks <= 0.0 || !base.is_finite() || base <= 0.0 {
        return None;
    }
    let draws = Draw::all(&question.capacity, &question.reaction, DRAWS, question.seed);
    let policy = like.policy(base);
    let usual_instances = usual(question.traffic, like, policy.target_value);
    let budget = question.budget;
    let factor = |steps: u32| f64::from(steps) * STEP;
    let choice = |steps: u32| {
        let target_value = base * factor(steps);
        let scaling = Scaling::Tracking(Tracking { target_value, ..policy });
        Choice { scaling, ..like.clone() }
    };
    let mean = |steps: u32, share: f64| {
        mean_within(question.traffic, &choice(steps), &draws, (budget, share))
    };
    let allowed = |steps: u32, limit: Limit, bad_minutes: f64, within_budget: bool| {
        let factor = factor(steps);
        Allowed { factor, bad_minutes, budget, within_budget, limit, usual_instances }
    };
    let steps = |factor: f64| (factor / STEP + 1e-9) as u32;
    let spare = 1.0 - 1.0 / f64::from(usual_instances.max(1));
    let top = steps(FACTOR_MAX.min(spare)).max(steps(FACTOR_MIN));
    let repeats = explained(question.traffic).is_some_and(|share| share >= EXPLAINED_MIN);
    let (lowest, limit) = if repeats {
        (steps(FACTOR_MIN), Limit::Lowest)
    } else {
        (steps(CUSTOMARY).min(top), Limit::DoesNotRepeat)
    };
    // More factor is more bad minutes, but for chance: a bisection finds where the budget ends.
    if let Some(mean) = mean(top, SURE) {
        let limit = if spare < FACTOR_MAX { Limit::OneGone } else { Limit::Highest };
        return Some(allowed(top, limit, mean, true));
    }
    let Some(mut best) = mean(lowest, SURE) else {
        // Of all draws, whatever they keep to.
        return mean(lowest, 0.0).map(|mean| allowed(lowest, limit, mean, false));
    };
    let (mut good, mut bad) = (lowest, top);
    while bad - good > 1 {
        let middle = u32::midpoint(good, bad);
        match mean(middle, SURE) {
            Some(mean) => (good, best) = (middle, mean),
            None => bad = middle,
        }
    }
    Some(allowed(good, Limit::Budget, best, true))
}

/// The instances that usually run under a choice: the median over the minutes.
fn usual(traffic: &Traffic, like: &Choice, target: f64) -> u32 {
    let mut requests: Vec<f32> =
        traffic.requests().iter().copied().filter(|r| !r.is_nan()).collect();
    let middle = requests.len() / 2;
    if requests.is_empty() {
        return 1;
    }
    let (_, median, _) = requests.select_nth_unstable_by(middle, f32::total_cmp);
    let (min, max) = (like.min.max(1), like.max.max(1));
    needed(f64::from(*median), target).max(min).min(max)
}

#[cfg(test)]
mod tests {
    use super::super::draws::CapacityBelief;
    use super::super::traffic::WEEK;
    use super::*;
    use crate::model::reaction::ReactionTime;

    /// A policy under which so many instances usually serve so many requests a minute.
    fn like(requests: f64, usual: u32) -> Choice {
        Choice::tracking(Tracking::at(requests / f64::from(usual)), 1, 10_000)
    }

    /// A week around 20,000 a minute, with bursts of a height every three hours.
    fn allowed(burst: f32, start_up: f64, usual: u32) -> Allowed {
        let rate = |i: usize| 20_000.0 * if i % 180 < 20 { burst } else { 1.0 };
        let traffic = Traffic::new(0, (0..2 * WEEK).map(rate).collect());
        let question = Question {
            traffic: &traffic,
            capacity: CapacityBelief::new(1000.0, 0.03).unwrap(),
            reaction: ReactionTime::prior(None).with_start_up(start_up),
            budget: 10.0,
            seed: 3,
        };
        highest(&question, 1000.0, &like(20_000.0, usual)).unwrap()
    }

    #[test]
    fn bursts_and_small_fleets_call_for_a_lower_factor() {
        let calm = allowed(1.0, 4.0, 50);
        // Near capacity some minutes are bad at any steady load.
        assert!(calm.within_budget && calm.factor > 0.7, "{calm:?}");
        assert_eq!(calm.limit, Limit::Budget);
        let bursty = allowed(1.5, 4.0, 50);
        assert!(bursty.within_budget && (0.5..0.66).contains(&bursty.factor), "{bursty:?}");
        let few = allowed(1.0, 4.0, 4);
        assert_eq!((few.factor, few.limit), (0.75, Limit::OneGone));
        assert_eq!(allowed(1.0, 4.0, 1).factor, 0.3);
        let hopeless = allowed(8.0, 4.0, 50);
        assert!(!hopeless.within_budget, "{hopeless:?}");
        assert_eq!((hopeless.factor, hopeless.limit), (0.3, Limit::Lowest));
    }

    #[test]
    fn a_week_that_does_not_repeat_is_no_reason_to_go_below_the_customary_factor() {
        // Bursts at other hours in each week, more than any factor copes with.
        let rate = |i: usize| {
            let begin = 1440 * (i / 1440 % 7) + (i / WEEK) * 700 + 100;
            20_000.0 * if (begin..begin + 300).contains(&(i % WEEK)) { 4.0 } else { 1.0 }
        };
        let traffic = Traffic::new(0, (0..2 * WEEK).map(rate).collect());
        let question = Question {
            traffic: &traffic,
            capacity: CapacityBelief::new(1000.0, 0.03).unwrap(),
            reaction: ReactionTime::prior(None),
            budget: 10.0,
            seed: 3,
        };
        let found = highest(&question, 1000.0, &like(20_000.0, 50)).unwrap();
        assert_eq!((found.factor, found.limit), (0.5, Limit::DoesNotRepeat), "{found:?}");
        assert!(!found.within_budget && found.sentence().contains("does not repeat"));
        // The instances that usually run still count.
        assert_eq!(highest(&question, 1000.0, &like(20_000.0, 1)).unwrap().factor, 0.3);
    }

    #[test]
    fn a_slower_start_never_allows_a_higher_factor() {
        // A ramp that doubles the load within ten minutes every three hours.
        let factors = [3.0, 10.0, 25.0].map(|start_up| {
            let rate = |i: usize| 10_000.0 * (1.0 + ((i % 180) as f32 / 10.0).min(1.0));
            let traffic = Traffic::new(0, (0..2 * WEEK).map(rate).collect());
            let question = Question {
                traffic: &traffic,
                capacity: CapacityBelief::new(1000.0, 0.03).unwrap(),
                reaction: ReactionTime::prior(None).with_start_up(start_up),
                budget: 200.0,
                seed: 3,
            };
            highest(&question, 1000.0, &like(20_000.0, 50)).unwrap().factor
        });
        assert!(factors[0] >= factors[1] && factors[1] >= factors[2], "{factors:?}");
    }
}
