//! Whether scheduled floors would pay, and the schedule of those that would.

use crate::model::floors::{Floors, ProposedFloors};

pub(super) fn sentences(floors: &Floors) -> Vec<String> {
    let mut told: Vec<String> = floors.sentence().into_iter().collect();
    let Some(proposed) = floors.proposed() else { return told };
    told.push(format!(
        "the week before explains {:.0} % of the newest week; each floor comes {} minutes ahead of \
         its hour, for instances to start in",
        proposed.explained * 100.0,
        proposed.lead_minutes
    ));
    told.extend(schedule(proposed));
    told
}

fn schedule(proposed: &ProposedFloors) -> impl Iterator<Item = String> {
    let zone = proposed.time_zone.name();
    proposed.actions.iter().map(move |a| format!("{} ({zone}): min {}", a.schedule, a.min))
}
