//! Whether scheduled floors would pay for a variant, worked out once a day from the requests of its
//! last weeks by replay.

use chrono::TimeDelta;

use super::capacity_basis::CapacityBasis;
use super::weeks::Weeks;
use crate::model::estimate::Estimate;
use crate::model::floors::{
    FloorAction, Floors, FloorsGoal, FloorsMode, ProposedFloors, WeekFigures,
};
use crate::model::goal::Goal;
use crate::model::scaling::{DEFAULT_COOLDOWN_SECONDS, TargetTracking};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::model::units::same_value;
use crate::whatif::choice::CUSTOMARY;
use crate::whatif::floors::{Proposal, Refusal, actions, propose};
use crate::whatif::{Choice, Question, Tracking};

/// How long an answer holds.
const EVERY: TimeDelta = TimeDelta::days(1);
/// Factors that floors may go with where they do not pay with the value in force.
const FACTORS: [f64; 3] = [0.6, 0.7, 0.8];
/// The highest factor that floors go with.
const FACTOR_MAX: f64 = 0.85;
/// The seed of the draws: the same traffic has the same answer.
const SEED: u64 = 1;

/// What is remembered between two days.
#[derive(Debug, Clone, Default)]
pub(super) struct FloorsWatch {
    answer: Option<Box<(Asked, Floors)>>,
    /// Whether the last look found nothing to work out.
    is_idle: bool,
}

/// What an answer depends on beside the traffic and what is known of capacity, which move slowly.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Asked {
    at: Timestamp,
    goal: FloorsGoal,
    bounds: (u32, u32),
    in_force: Option<f64>,
}

impl Asked {
    /// Whether the answer to this still holds when that is asked.
    fn answers(&self, other: &Self) -> bool {
        other.at - self.at < EVERY && Self { at: other.at, ..*self } == *other
    }
}

impl FloorsWatch {
    /// Whether an answer is due, as far as can be said without what it depends on.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let is_old = |(asked, _): &(Asked, Floors)| now - asked.at >= EVERY;
        !self.is_idle || self.answer.as_deref().is_some_and(is_old)
    }

    /// What there is to say of floors. Where an answer is due and the weeks are not there, the last one
    /// stands.
    pub(super) fn floors(
        &mut self,
        (goal, snapshot): (&Goal, &Snapshot),
        estimate: &Estimate,
        weeks: Option<&Weeks>,
        now: Timestamp,
    ) -> Floors {
        if goal.floors.mode == FloorsMode::Off {
            *self = Self::default();
            return Floors::Off;
        }
        self.is_idle = true;
        let found = ask(goal, snapshot, estimate, now);
        let (asked, question) = match found {
            Ok(found) => found,
            Err(why) => {
                self.answer = None;
                return Floors::NotKnown { why };
            }
        };
        if let Some((before, answer)) = self.answer.as_deref()
            && before.answers(&asked)
        {
            return answer.clone();
        }
        let Some(weeks) = weeks else {
            self.is_idle = false;
            let why = || "whether floors would pay has not been worked out yet".to_owned();
            let last = self.answer.as_deref().map(|(_, answer)| answer.clone());
            return last.unwrap_or_else(|| Floors::NotKnown { why: why() });
        };
        let answer = work_out(&asked, &question, snapshot, weeks);
        self.answer = Some(Box::new((asked, answer.clone())));
        answer
    }
}

/// What would be asked now, or why nothing can be.
fn ask(
    goal: &Goal,
    snapshot: &Snapshot,
    estimate: &Estimate,
    now: Timestamp,
) -> Result<(Asked, CapacityBasis), String> {
    let because = |why: &str| format!("whether floors would pay is not known: {why}");
    if !goal.managed {
        return Err(because("the configuration does not list the variant"));
    }
    if goal.objective.latency.is_none() {
        return Err(because("there is no latency objective"));
    }
    if estimate.history_complete_ratio.is_some_and(|ratio| ratio < 1.0) {
        return Err(because("not all of the history has been read"));
    }
    let target = snapshot.target.known().and_then(Option::as_ref);
    let min = goal.capacity.min.or_else(|| target.map(|target| target.min_capacity));
    let max = goal.capacity.max.or_else(|| target.map(|target| target.max_capacity));
    let (Some(min), Some(max)) = (min, max) else {
        return Err(because("there is no scalable target, and no min and max are configured"));
    };
    let bounds = (u32::try_from(min).unwrap_or(0), u32::try_from(max).unwrap_or(0));
    let known = known(goal, estimate).ok_or_else(|| because("capacity is not known"))?;
    let in_force = snapshot.tracking().map(|tracking| tracking.target_value);
    Ok((Asked { at: now, goal: goal.floors, bounds, in_force }, known))
}

fn work_out(asked: &Asked, known: &CapacityBasis, snapshot: &Snapshot, weeks: &Weeks) -> Floors {
    let traffic = weeks.traffic(asked.goal.time_zone);
    let question = Question {
        traffic: &traffic,
        capacity: known.clone().belief(),
        reaction: snapshot.reaction.time,
        budget: f64::INFINITY,
        seed: SEED,
    };
    let (min, max) = asked.bounds;
    let of = |target_value: f64| {
        let tracking = Tracking { target_value, ..cooldowns(snapshot.tracking()) };
        Choice::tracking(tracking, min, max)
    };
    // Without floors, the customary factor is what they are judged against.
    let reference = of(known.base * CUSTOMARY);
    // What is in force comes first: floors alone are less of a change.
    let with = |values: &[f64]| {
        let candidates: Vec<Choice> = values.iter().map(|value| of(*value)).collect();
        let found = propose(&question, &reference, &candidates, known.base);
        found.map(|proposal| (values[proposal.candidate], proposal))
    };
    // Above that, a value is too near capacity for floors to make up for it.
    let highest = known.base * FACTOR_MAX;
    let first = asked.in_force.filter(|value| *value <= highest).map(|value| with(&[value]));
    let found = match first {
        Some(Err(Refusal::DoesNotPay)) | None => with(&FACTORS.map(|f| f * known.base)),
        Some(found) => found,
    };
    match found {
        Ok((target_value, proposal)) => {
            Floors::Proposed(Box::new(proposed(asked, known, target_value, &proposal)))
        }
        Err(refusal) => Floors::None {
            at: asked.at,
            reason: refusal.as_str(),
            why: format!("no scheduled floors are proposed: {refusal}"),
        },
    }
}

fn proposed(
    asked: &Asked,
    known: &CapacityBasis,
    target_value: f64,
    proposal: &Proposal,
) -> ProposedFloors {
    let (min, max) = asked.bounds;
    let all = actions(&proposal.floors, min, max);
    let figures = |(bad_minutes, instance_hours)| WeekFigures { bad_minutes, instance_hours };
    ProposedFloors {
        at: asked.at,
        time_zone: asked.goal.time_zone,
        highest: all.iter().map(|action| as_capacity(action.min)).max().unwrap_or_default(),
        actions: all
            .iter()
            .map(|action| FloorAction {
                name: action.name(),
                schedule: action.schedule(),
                min: as_capacity(action.min),
            })
            .collect(),
        target_value,
        target_in_force: asked.in_force.is_some_and(|value| same_value(value, target_value)),
        factor: target_value / known.base,
        lead_minutes: proposal.floors.lead_minutes(),
        explained: proposal.explained,
        without: figures(proposal.without),
        with: figures(proposal.with),
    }
}

fn as_capacity(instances: u32) -> i32 {
    i32::try_from(instances).unwrap_or(i32::MAX)
}

/// What is believed of capacity: what was measured, else a load test.
fn known(goal: &Goal, estimate: &Estimate) -> Option<CapacityBasis> {
    let tested = goal.load_test.as_ref().map(|test| test.max_rps.per_minute());
    CapacityBasis::of(estimate, tested)
}

/// The cooldowns in force, else AWS's defaults; of the target value nothing is taken.
fn cooldowns(tracking: Option<&TargetTracking>) -> Tracking {
    let seconds = |of: fn(&TargetTracking) -> i32| {
        tracking.map_or(DEFAULT_COOLDOWN_SECONDS, of).unsigned_abs()
    };
    Tracking {
        scale_out_cooldown: seconds(TargetTracking::scale_out_cooldown_seconds),
        scale_in_cooldown: seconds(TargetTracking::scale_in_cooldown_seconds),
        disable_scale_in: tracking.is_some_and(TargetTracking::scale_in_disabled),
        ..Tracking::at(1.0)
    }
}
