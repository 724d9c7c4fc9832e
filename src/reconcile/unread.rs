//! The variants of an account and region that could not be read in time: all is unknown, and they
//! are told of nevertheless.

use super::{PassInput, rules, wanted};
use crate::model::estimate::Estimate;
use crate::model::fact::{Fact, Why};
use crate::model::factor::FactorAdvice;
use crate::model::goal::Goal;
use crate::model::ids::VariantId;
use crate::model::reads::Reads;
use crate::model::scale_out::Reaction;
use crate::model::snapshot::Snapshot;
use crate::model::status::FleetStatus;
use crate::model::time::Timestamp;
use crate::variant::Turn;

/// Decides on variants of which nothing is known. Nothing is ever written on it.
pub(super) fn turns(
    ids: Vec<VariantId>,
    why: &Why,
    last: &FleetStatus,
    input: &PassInput<'_>,
    now: Timestamp,
) -> Vec<Turn> {
    let turn_of = |id: VariantId| {
        // What was estimated before is still the best estimate.
        let estimate = last.variants.get(&id).map_or_else(
            || Estimate::unobserved(why.message.clone()),
            |status| status.decision.report.estimate.clone(),
        );
        turn(id, why, &estimate, input, now)
    };
    ids.into_iter().filter_map(turn_of).collect()
}

/// Decides on one variant of which nothing is known.
pub(super) fn turn(
    id: VariantId,
    why: &Why,
    estimate: &Estimate,
    input: &PassInput<'_>,
    now: Timestamp,
) -> Option<Turn> {
    let (id, goal) = wanted(id, input.goals, input.settings)?;
    let goal = goal.unwrap_or_else(Goal::nothing);
    let snapshot = nothing_known(id, why, now);
    let rules = rules(input, &snapshot.id);
    Some(Turn::decide(snapshot, goal, estimate, &rules, now))
}

fn nothing_known(id: VariantId, why: &Why, taken_at: Timestamp) -> Snapshot {
    let why = || why.clone();
    Snapshot {
        // Nothing was read.
        reads: Reads::default(),
        id,
        reaction: Reaction::unseen(None),
        factor: FactorAdvice::default(),
        floors: crate::model::floors::Floors::default(),
        taken_at,
        caller: Fact::Unknown(why()),
        endpoint: Fact::Unknown(why()),
        endpoint_config: Fact::Unknown(why()),
        model: Fact::Unknown(why()),
        target: Fact::Unknown(why()),
        policies: Fact::Unknown(why()),
        scheduled_actions: Fact::Unknown(why()),
        activities: Fact::Unknown(why()),
        alarms: Fact::Unknown(why()),
        telemetry: Fact::Unknown(why()),
        memory: Fact::Unknown(why()),
    }
}
