//! Whether scheduled floors would pay, and the schedule of those that would.

use crate::model::floors::ProposedFloors;
use crate::model::snapshot::Snapshot;

pub(super) fn sentences(snapshot: &Snapshot) -> Vec<String> {
    let mut lines: Vec<String> = kept(snapshot).into_iter().collect();
    lines.extend(snapshot.floors.sentence());
    let Some(proposed) = snapshot.floors.proposed() else { return lines };
    lines.push(format!(
        "the week before explains {:.0} % of the newest week; each floor comes {} minutes ahead of \
         its hour, for instances to start in",
        proposed.explained * 100.0,
        proposed.lead_minutes
    ));
    lines.extend(schedule(proposed));
    lines
}

/// What is kept in AWS, as scheduled actions of setpoint's own.
fn kept(snapshot: &Snapshot) -> Option<String> {
    let kept = snapshot.kept_floors().filter(|kept| !kept.floors.is_empty())?;
    let refused = snapshot.memory.known().map_or(0, |memory| memory.floors.refused);
    let against = match refused {
        0 => String::new(),
        1 => "; the last daily answer was against them".to_owned(),
        n => format!("; the last {n} daily answers were against them"),
    };
    let back = kept.end.and_then(|end| end.min_capacity);
    let back = back.map_or_else(
        || "nothing gives min back after that".to_owned(),
        |min| format!("then min is set to {min}"),
    );
    let words = kept.words();
    Some(format!("setpoint keeps floors in AWS: {words} unless they are renewed, {back}{against}"))
}

fn schedule(proposed: &ProposedFloors) -> impl Iterator<Item = String> {
    let zone = proposed.time_zone.name();
    proposed.actions.iter().map(move |a| format!("{} ({zone}): min {}", a.schedule, a.min))
}
