//! The variants of an account and region that could not be read in time: all is unknown, and they
//! are shown nevertheless.

use super::{PassInput, Turns};
use crate::model::estimate::Estimate;
use crate::model::fact::Why;
use crate::model::goal::Goal;
use crate::model::ids::VariantId;
use crate::model::shared::Shared;
use crate::model::status::FleetStatus;
use crate::model::time::Timestamp;
use crate::observe::reader::wanted;
use crate::observe::unknown::nothing_known;
use crate::variant::Turn;

/// Decides on variants of which nothing is known. Nothing is ever written on it.
pub(super) fn turns(
    ids: Vec<VariantId>,
    why: &Why,
    last: &FleetStatus,
    input: &PassInput<'_>,
    now: Timestamp,
) -> Turns {
    let turn_of = |id: VariantId| {
        // What was estimated before is still the best estimate.
        let estimate = last.variants.get(&id).map_or_else(
            || Estimate::unobserved(why.message.clone()).into(),
            |status| status.decision.report.estimate.clone(),
        );
        turn(id, why, &estimate, input, now).map(Box::new)
    };
    ids.into_iter().filter_map(turn_of).collect()
}

/// Decides on one variant of which nothing is known.
pub(super) fn turn(
    id: VariantId,
    why: &Why,
    estimate: &Shared<Estimate>,
    input: &PassInput<'_>,
    now: Timestamp,
) -> Option<Turn> {
    let (id, goal) = wanted(id, input.goals, input.settings)?;
    let goal = goal.unwrap_or_else(|why| Goal::nothing(why).into());
    let snapshot = nothing_known(id, why, now);
    let rules = input.rules(&snapshot.id, now);
    Some(Turn::decide(snapshot.into(), goal, estimate, &rules, now))
}
