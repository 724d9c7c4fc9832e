//! What several choices would have done, side by side, and which of them may be called better.

use serde::Serialize;

use crate::model::reaction::ReactionTime;

use super::choice::Choice;
use super::draws::{CapacityBelief, DRAWS, Draw};
use super::fleet::{Outcome, run};
use super::traffic::Traffic;

/// A choice is called better, or within a budget, when it is in this share of the draws.
pub const SURE: f64 = 0.9;
/// Bad minutes a week closer than this are the same.
const SAME_MINUTES: f64 = 0.05;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The recorded minutes.
    pub traffic: &'a Traffic,
    /// What one instance serves, as far as it is known.
    pub capacity: CapacityBelief,
    /// How fast the variant reacts, as far as it is known.
    pub reaction: ReactionTime,
    /// Bad minutes a week that are accepted.
    pub budget: f64,
    pub seed: u64,
}

/// The mean over the draws of a figure, and its 5 and 95 % points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Range {
    /// The 5 % point.
    pub low: f64,
    pub mean: f64,
    /// The 95 % point.
    pub high: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let Some(last) = n.checked_sub(1) else { return Self::default() };
        let at = |share: f64| values[(share * last as f64).round() as usize];
        Self { low: at(0.05), mean: values.iter().sum::<f64>() / n as f64, high: at(0.95) }
    }
}

/// The figures of one choice. Those a week are scaled from the minutes with a datapoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The draws they come from.
    pub outcomes: Vec<Outcome>,
    /// Instance-hours a week.
    pub instance_hours: Range,
    /// Minutes a week that break the objective.
    pub bad_minutes: Range,
    /// Requests a week that waited longer than a minute.
    pub lost_requests: Range,
    pub scale_events: Range,
    pub peak_instances: u32,
    /// Of the capacity, the share that is left in the busiest minute; below 0 it is exceeded.
    pub buffer_at_peak: Range,
    /// The same with one instance gone; absent where there is only one.
    pub buffer_one_gone: Option<Range>,
    /// Whether the bad minutes are within the budget in 90 % of the draws.
    pub within_budget: bool,
}

/// The figures of all choices, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For each choice.
    pub figures: Vec<Figures>,
    /// The choice with the fewest instance-hours among those within the budget.
    pub cheapest: Option<usize>,
}

/// How one choice compares with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// No more bad minutes and no more instance-hours, and less of one, in 90 % of the draws.
    Better,
    /// The reverse.
    Worse,
    /// Fewer bad minutes for more instance-hours, in 90 % of the draws.
    Safer,
    /// Fewer instance-hours for more bad minutes, in 90 % of the draws.
    Cheaper,
    /// None of these in 90 % of the draws.
    Undecided,
}

/// Runs every choice with the same draws.
pub fn ask(question: &Question<'_>, choices: &[Choice]) -> Answer {
    ask_in(question, choices, DRAWS)
}

/// The same with so many draws: the first of all.
pub(super) fn ask_in(question: &Question<'_>, choices: &[Choice], draws: u32) -> Answer {
    let draws = Draw::all(&question.capacity, &question.reaction, draws, question.seed);
    let peak = question.traffic.peak();
    let figures: Vec<Figures> = choices
        .iter()
        .map(|choice| {
            let outcomes = run(question.traffic, choice, &draws);
            Figures::of(outcomes, (question.traffic, peak), &draws, question.budget)
        })
        .collect();
    let within = figures.iter().enumerate().filter(|(_, f)| f.within_budget);
    let hours = |f: &Figures| f.instance_hours.mean;
    let cheapest = within.min_by(|a, b| hours(a.1).total_cmp(&hours(b.1))).map(|(i, _)| i);
    Answer { figures, cheapest }
}

impl Figures {
    fn of(
        outcomes: Vec<Outcome>,
        (traffic, peak): (&Traffic, f64),
        draws: &[Draw],
        budget: f64,
    ) -> Self {
        let weeks = traffic.weeks();
        let a_week = |value: f64| if weeks > 0.0 { value / weeks } else { 0.0 };
        // Hours are paid for whether or not the minute has a datapoint.
        let all_weeks = traffic.len() as f64 / super::traffic::WEEK as f64;
        let hours = |o: &Outcome| {
            if all_weeks > 0.0 { o.instance_minutes / 60.0 / all_weeks } else { 0.0 }
        };
        let buffer = |gone: u32| {
            Range::of(outcomes.iter().zip(draws).map(|(o, draw)| {
                let left = f64::from(o.instances_at_peak.saturating_sub(gone));
                if left > 0.0 { 1.0 - peak / (left * draw.capacity) } else { -1.0 }
            }))
        };
        let alone = outcomes.iter().any(|o| o.instances_at_peak < 2);
        let bad = |o: &Outcome| a_week(o.bad_minutes);
        let within = outcomes.iter().filter(|o| bad(o) <= budget).count();
        Self {
            instance_hours: Range::of(outcomes.iter().map(hours)),
            bad_minutes: Range::of(outcomes.iter().map(bad)),
            lost_requests: Range::of(outcomes.iter().map(|o| a_week(o.lost_requests))),
            scale_events: Range::of(
                outcomes.iter().map(|o| a_week(f64::from(o.scale_outs + o.scale_ins))),
            ),
            peak_instances: outcomes.iter().map(|o| o.peak_instances).max().unwrap_or(0),
            buffer_at_peak: buffer(0),
            buffer_one_gone: (!alone).then(|| buffer(1)),
            within_budget: is_sure(within, outcomes.len()),
            outcomes,
        }
    }

    /// How this choice compares with another that was asked with the same draws.
    pub fn compared_with(&self, other: &Self) -> Comparison {
        let of = |holds: &dyn Fn(f64, f64) -> bool| {
            let pairs = self.outcomes.iter().zip(&other.outcomes);
            let count = pairs.filter(|(a, b)| {
                let minutes = f64::from(a.minutes.max(1)) / super::traffic::WEEK as f64;
                let bad = (a.bad_minutes - b.bad_minutes) / minutes;
                let bad = if bad.abs() <= SAME_MINUTES { 0.0 } else { bad };
                holds(bad, a.instance_minutes - b.instance_minutes)
            });
            is_sure(count.count(), self.outcomes.len())
        };
        if of(&|bad, hours| bad <= 0.0 && hours <= 0.0 && (bad < 0.0 || hours < 0.0)) {
            Comparison::Better
        } else if of(&|bad, hours| bad >= 0.0 && hours >= 0.0 && (bad > 0.0 || hours > 0.0)) {
            Comparison::Worse
        } else if of(&|bad, hours| bad < 0.0 && hours > 0.0) {
            Comparison::Safer
        } else if of(&|bad, hours| bad > 0.0 && hours < 0.0) {
            Comparison::Cheaper
        } else {
            Comparison::Undecided
        }
    }
}

fn is_sure(count: usize, of: usize) -> bool {
    of > 0 && count as f64 >= SURE * of as f64
}

#[cfg(test)]
mod tests {
    use super::super::choice::Tracking;
    use super::*;

    /// Two days with a wave and a burst every six hours.
    fn traffic() -> Traffic {
        let rate = |m: i32| {
            let wave = 4000.0 + 3000.0 * (f64::from(m) / 1440.0 * std::f64::consts::TAU).sin();
            (wave * if m % 360 < 15 { 1.5 } else { 1.0 }) as f32
        };
        Traffic::new(0, (0..2880).map(rate).collect())
    }

    fn question(traffic: &Traffic, sigma: f64) -> Question<'_> {
        Question {
            traffic,
            capacity: CapacityBelief::new(1000.0, sigma).unwrap(),
            reaction: ReactionTime::prior(None),
            budget: 10.0,
            seed: 1,
        }
    }

    fn factors(of: &[f64]) -> Vec<Choice> {
        of.iter().map(|f| Choice::tracking(Tracking::at(1000.0 * f), 1, 100)).collect()
    }

    #[test]
    fn a_lower_factor_is_safer_and_costs_more() {
        let traffic = traffic();
        let answer = ask(&question(&traffic, 0.04), &factors(&[0.4, 0.6, 0.8]));
        let [low, middle, high] = &answer.figures[..] else { panic!("three") };
        assert!(low.bad_minutes.mean < middle.bad_minutes.mean);
        assert!(middle.bad_minutes.mean < high.bad_minutes.mean);
        assert!(low.instance_hours.mean > middle.instance_hours.mean);
        assert_eq!(low.compared_with(high), Comparison::Safer);
        assert_eq!(high.compared_with(low), Comparison::Cheaper);
        assert_eq!(low.compared_with(low), Comparison::Undecided);
        assert!(low.buffer_at_peak.mean > high.buffer_at_peak.mean);
        assert_eq!(ask(&question(&traffic, 0.04), &factors(&[0.4])).figures[0], *low);
    }

    #[test]
    fn the_cheapest_is_within_the_budget_in_nine_draws_of_ten() {
        let traffic = traffic();
        let choices = factors(&[0.3, 0.5, 0.9]);
        let known = ask(&question(&traffic, 0.02), &choices);
        let cheapest = known.cheapest.map(|i| &known.figures[i]);
        assert!(cheapest.is_none_or(|f| f.bad_minutes.mean < 10.0));
        // The less is known of the capacity, the less can be called within the budget.
        let unknown = ask(&question(&traffic, 0.5), &choices);
        assert!(unknown.cheapest.unwrap_or(0) <= known.cheapest.unwrap_or(0));
        assert!(unknown.figures[1].bad_minutes.high > known.figures[1].bad_minutes.high);
    }

    #[test]
    fn a_wasteful_fixed_count_is_worse_than_one_instance_fewer() {
        let traffic = Traffic::new(0, vec![900.0; 600]);
        let choices = [Choice::fixed(3), Choice::fixed(2), Choice::fixed(1)];
        let answer = ask(&question(&traffic, 0.02), &choices);
        assert_eq!(answer.figures[0].compared_with(&answer.figures[1]), Comparison::Worse);
        assert_eq!(answer.figures[1].compared_with(&answer.figures[0]), Comparison::Better);
        assert_eq!(answer.figures[2].buffer_one_gone, None);
        assert_eq!(answer.cheapest, Some(1));
    }
}
