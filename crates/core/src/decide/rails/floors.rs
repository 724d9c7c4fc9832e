//! The rails of kept floors (rule 13a): whose actions they are, between which bounds, and that min is
//! given back wherever the writing of a set ends.

use chrono::TimeDelta;

use crate::model::fact::Fact;
use crate::model::floors::FloorsMode;
use crate::model::kept_floors::FloorPut;
use crate::model::scaling::ScheduledAction;
use crate::model::time::Timestamp;

use super::{Before, Checked, Rail, keep};

/// No floor lasts longer than this without being renewed.
const LASTS_MAX: TimeDelta = TimeDelta::days(8);
/// More actions than any set of floors has, retired ones included.
const PUTS_MAX: usize = 50;

/// Checks the writes of one set.
pub(super) fn floors(
    before: &Before<'_>,
    puts: &[FloorPut],
    expected: &[ScheduledAction],
) -> Checked {
    let keeps = before.goal.floors.mode == FloorsMode::Keep;
    keep(keeps, Rail::Floors, "the configuration asks for no floors to be kept")?;
    let capacity = before.goal.capacity;
    let (Some(min), Some(max)) = (capacity.min, capacity.max) else {
        return keep(false, Rail::Floors, "min and max are not both configured");
    };
    let registered = matches!(*before.snapshot.target, Fact::Known(Some(_)));
    keep(registered, Rail::Floors, "the scalable target is not known to exist")?;
    let Fact::Known(actions) = &*before.snapshot.scheduled_actions else {
        return keep(false, Rail::Floors, "the scheduled actions are not known");
    };
    let same = actions.len() == expected.len() && expected.iter().all(|e| actions.contains(e));
    keep(same, Rail::Floors, "AWS shows other scheduled actions than were decided on")?;
    let few = !puts.is_empty() && puts.len() <= PUTS_MAX;
    keep(few, Rail::Floors, "there are too many actions, or none")?;
    for put in puts {
        one(put, (min, max), before.now)?;
    }
    let raises = puts.iter().any(|put| put.min > min);
    let foreign = |a: &ScheduledAction| !own(&a.name) && a.next_run(before.now).is_some();
    let alone = !raises || !actions.iter().any(foreign);
    keep(alone, Rail::Floors, "somebody else's scheduled actions move min or max")?;
    given_back(before, puts, actions)
}

fn own(name: &str) -> bool {
    name.strip_prefix("setpoint-floor-").is_some_and(|rest| !rest.is_empty())
}

fn gives_back(name: &str) -> bool {
    name == "setpoint-floor-end"
}

fn one(put: &FloorPut, (min, max): (i32, i32), now: Timestamp) -> Checked {
    keep(own(&put.name), Rail::Floors, "the name of an action is not one of setpoint's")?;
    let within = (min..=max).contains(&put.min);
    keep(within, Rail::Floors, "a floor lies outside the configured min and max")?;
    if gives_back(&put.name) {
        let once = put.schedule.starts_with("at(") && put.min == min;
        return keep(once, Rail::Floors, "the last action does not give the configured min back");
    }
    let ends = put.ends_at.is_some_and(|end| now < end && end <= now + LASTS_MAX);
    keep(ends, Rail::Floors, "a floor has no end, or one too far away")
}

/// After each of the writes, everything of setpoint's that still runs has ended by the time at which
/// min is given back. What somebody has edited so that it does not end is mended by the last of them.
fn given_back(before: &Before<'_>, puts: &[FloorPut], actions: &[ScheduledAction]) -> Checked {
    let (resource, now) = (before.snapshot.id.resource(), before.now);
    let mut all: Vec<ScheduledAction> =
        actions.iter().filter(|action| own(&action.name)).cloned().collect();
    let mut known = endless(&all, now);
    for put in puts {
        all = put.applied(&all, &resource, now);
        let left = endless(&all, now);
        let fewer = left.iter().all(|name| known.contains(name) && *name != put.name);
        keep(fewer, Rail::Floors, "min would stay raised if the writing ended in the middle")?;
        known = left;
    }
    keep(known.is_empty(), Rail::Floors, "min would stay raised")
}

/// The names of those after whose end nothing gives min back.
fn endless(all: &[ScheduledAction], now: Timestamp) -> Vec<String> {
    let last = all.iter().find(|action| gives_back(&action.name));
    let last = last.and_then(|action| action.next_run(now));
    let ends = |a: &ScheduledAction| a.ends_at.zip(last).is_some_and(|(end, last)| end < last);
    let runs = all.iter().filter(|a| !gives_back(&a.name) && a.next_run(now).is_some());
    runs.filter(|a| !ends(a)).map(|a| a.name.clone()).collect()
}
