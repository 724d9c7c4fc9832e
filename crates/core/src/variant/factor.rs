//! The safety factor that a variant's own last weeks allow, worked out once a day by replay.

use chrono::TimeDelta;

use super::capacity_basis::CapacityBasis;
use super::weeks::Weeks;
use crate::model::estimate::Estimate;
use crate::model::factor::FactorAdvice;
use crate::model::goal::Goal;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::whatif::choice::{CUSTOMARY, INSTANCES_MAX};
use crate::whatif::factor::highest;
use crate::whatif::traffic::WEEK;
use crate::whatif::{Choice, Question, Tracking, Traffic, week};

/// How long an answer holds.
const EVERY: TimeDelta = TimeDelta::days(1);
/// The weeks that are replayed: as many as CloudWatch keeps minutes for, so that `setpoint whatif`
/// replays the same.
const WEEKS: usize = 2;
/// Less than this, in weeks, is no ground for advice: each day of the week must be in it.
const WEEKS_MIN: f64 = 0.95;
/// The seed of the draws: the same traffic has the same answer.
const SEED: u64 = 1;

/// What is remembered between two days.
#[derive(Debug, Clone, Default)]
pub(super) struct FactorWatch {
    answer: Option<Box<(Timestamp, f64, FactorAdvice)>>,
    /// Whether the last look found nothing to work out.
    is_idle: bool,
}

impl FactorWatch {
    /// Whether an answer is due, as far as can be said without what it depends on.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let is_old = |(at, ..): &(Timestamp, f64, FactorAdvice)| now - *at >= EVERY;
        !self.is_idle || self.answer.as_deref().is_some_and(is_old)
    }

    /// The factor by replay. Where an answer is due and the weeks are not there, the last one stands.
    pub(super) fn advice(
        &mut self,
        (goal, snapshot): (&Goal, &Snapshot),
        estimate: &Estimate,
        weeks: Option<&Weeks>,
        now: Timestamp,
    ) -> FactorAdvice {
        self.is_idle = true;
        let not_known = |why: &str| FactorAdvice::NotKnown { why: why.to_owned() };
        // A first deployment, or one whose capacity is not known any more, keeps what is configured.
        let Some(known) = CapacityBasis::of(estimate, None) else {
            self.answer = None;
            return not_known("capacity has not been measured from both sides");
        };
        if estimate.is_partial() {
            self.answer = None;
            return not_known("not all of the history has been read");
        }
        let budget = goal.bad_minutes_per_week;
        let stands = |(at, asked, _): &&(Timestamp, f64, FactorAdvice)| {
            now - *at < EVERY && (asked - budget).abs() < f64::EPSILON
        };
        if let Some((.., answer)) = self.answer.as_deref().filter(stands) {
            return answer.clone();
        }
        let Some(weeks) = weeks else {
            self.is_idle = false;
            return match self.answer.as_deref() {
                Some((.., answer)) => answer.clone(),
                None if goal.wants_replays() => FactorAdvice::default(),
                None => not_known("its weeks are not replayed"),
            };
        };
        let traffic = weeks.traffic(goal.floors.time_zone);
        let answer = work_out(known, &traffic, (goal, snapshot), now);
        self.answer = Some(Box::new((now, budget, answer.clone())));
        answer
    }
}

fn work_out(
    known: CapacityBasis,
    traffic: &Traffic,
    (goal, snapshot): (&Goal, &Snapshot),
    now: Timestamp,
) -> FactorAdvice {
    let traffic = traffic.part(traffic.len().saturating_sub(WEEKS * WEEK), traffic.len());
    let weeks = traffic.weeks();
    if weeks < WEEKS_MIN {
        let why = format!("{weeks:.1} weeks of traffic are known, and a whole one is needed");
        return FactorAdvice::NotKnown { why };
    }
    let base = known.base;
    let question = Question {
        traffic: &traffic,
        capacity: known.belief(),
        reaction: snapshot.reaction.time,
        budget: goal.bad_minutes_per_week,
        seed: SEED,
    };
    match highest(&question, base, &like(goal, snapshot, base)) {
        Some(allowed) => {
            FactorAdvice::Known { at: now, allowed, explained: week::explained(&traffic), weeks }
        }
        None => FactorAdvice::NotKnown { why: "there is no traffic to replay".to_owned() },
    }
}

/// The policy and the bounds in force, or what is configured.
fn like(goal: &Goal, snapshot: &Snapshot, base: f64) -> Choice {
    let tracking = snapshot.tracking().map_or(Tracking::at(base * CUSTOMARY), Tracking::from);
    let target = snapshot.target.known().and_then(Option::as_ref);
    let bound = |configured: Option<i32>, in_force: Option<i32>, otherwise: u32| {
        let bound = configured.or(in_force).and_then(|n| u32::try_from(n).ok());
        bound.unwrap_or(otherwise).max(1)
    };
    let min = bound(goal.capacity.min, target.map(|t| t.min_capacity), 1);
    let max = bound(goal.capacity.max, target.map(|t| t.max_capacity), INSTANCES_MAX);
    Choice::tracking(tracking, min, max)
}
