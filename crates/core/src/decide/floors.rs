//! Rule 13a: the scheduled floors that setpoint keeps, where `floors: keep` asks for it. What should be
//! there follows from the daily answer whether floors would pay; what is there is read off AWS.

use chrono::TimeDelta;

use crate::model::decision::Action;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::floors::{Floors, FloorsMode};
use crate::model::kept_floors::{FloorPut, FloorsMemory, KeptFloors, set_of, words};
use crate::model::memory::VariantMemory;
use crate::model::reason::{Field, Reason};
use crate::model::scaling::ScheduledAction;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::model::units::same_value;

use super::case::Case;
use super::checks::Hold;
use super::compare::{Comparison, Difference, Relation, differs, equal, unknown};
use super::scheduled;

/// Daily answers in a row against the floors that are kept, after which they are taken away.
const REFUSED_MAX: u32 = 2;
/// Answers nearer to each other than this are of one day: a reload asks again.
const ANOTHER_DAY: TimeDelta = TimeDelta::hours(20);
/// What setpoint's actions may have set min to: more than two sets of floors.
const MINS_MAX: usize = 64;

/// What should be there.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    /// What is there may stay as it is; there may be nothing.
    AsItIs,
    /// What is there is not what setpoint wrote, and what should be is not known.
    NotKnown(String),
    /// These actions.
    Set(Vec<FloorPut>),
    /// Min and max, without which no floor is kept, are not both configured.
    Unbounded,
    /// None any more, and why.
    Nothing { min: i32, why: String },
}

/// What AWS has of setpoint's floors.
fn kept<'a>(case: &Case<'a>, actions: &'a [ScheduledAction]) -> KeptFloors<'a> {
    KeptFloors::of(actions, case.now)
}

fn wanted(case: &Case<'_>, kept: &KeptFloors<'_>) -> Wanted {
    let (there, floors) = (!kept.floors.is_empty(), &case.snapshot.floors);
    let left = there || kept.lingers_until.is_some();
    let bounds = case.goal.capacity.min.zip(case.goal.capacity.max);
    let proposed = floors.proposed().filter(|proposed| proposed.target_in_force);
    let Some((min, max)) = bounds else {
        return if proposed.is_some() || there { Wanted::Unbounded } else { Wanted::AsItIs };
    };
    let Some(proposed) = proposed else {
        return match floors.against() {
            Some((_, why)) if left && case.memory.floors.refused >= REFUSED_MAX => {
                Wanted::Nothing { min, why }
            }
            None if there && !is_own_work(&case.memory, kept) => {
                let why =
                    floors.sentence().unwrap_or_else(|| "floors are not looked for".to_owned());
                Wanted::NotKnown(why)
            }
            _ => Wanted::AsItIs,
        };
    };
    let zone = proposed.time_zone.name();
    let in_zone = |floor: &&ScheduledAction| floor.timezone.as_deref().unwrap_or("UTC") == zone;
    let stays = is_own_work(&case.memory, kept)
        && kept.is_within(min, max)
        && kept.floors.iter().all(in_zone)
        && !is_due(case, kept);
    if stays {
        return Wanted::AsItIs;
    }
    let set = set_of(&proposed.actions, zone, min, case.now);
    // One that AWS has shown late, or of which a lost memory knew, is there all the same.
    if kept.to(&set, case.now).is_empty() { Wanted::AsItIs } else { Wanted::Set(set) }
}

/// Whether it is time to renew the floors.
fn is_due(case: &Case<'_>, kept: &KeptFloors<'_>) -> bool {
    let variant = case.snapshot.id.to_string();
    kept.until().is_none_or(|until| case.now >= KeptFloors::renewed_from(until, &variant))
}

/// Whether what is there is what setpoint last wrote: not a part of it, and nobody's edit.
fn is_own_work(memory: &VariantMemory, kept: &KeptFloors<'_>) -> bool {
    let written = memory.written.get(&Field::Floors);
    kept.number().zip(written).is_some_and(|(number, written)| same_value(number, *written))
}

/// Compares the floors in AWS with those that should be there. Nothing where nobody wants any kept:
/// those that are left end by themselves.
pub(super) fn compare(case: &Case<'_>) -> Option<Comparison> {
    if case.goal.floors.mode != FloorsMode::Keep || !case.goal.managed {
        return None;
    }
    case.target()?;
    let actions = match &*case.snapshot.scheduled_actions {
        Fact::Unknown(why) => return Some(unknown(Field::Floors, why)),
        Fact::Known(actions) => actions,
    };
    let kept = kept(case, actions);
    let to = |desired: String| {
        let actual = Some(kept.words());
        let comparison = differs(Field::Floors, actual, Some(desired), Difference::PLAIN);
        Comparison { number: kept.number(), ..comparison }
    };
    match wanted(case, &kept) {
        Wanted::AsItIs => (!kept.floors.is_empty())
            .then(|| Comparison { number: kept.number(), ..equal(Field::Floors, kept.words()) }),
        Wanted::NotKnown(why) => Some(Comparison {
            actual: Some(kept.words()),
            relation: Relation::Unknown(Why::new(WhyKind::NotReadYet, why)),
            ..to(String::new())
        }),
        Wanted::Set(puts) => Some(to(words_of(&puts))),
        Wanted::Unbounded => Some(to("floors between capacity.min and capacity.max".to_owned())),
        Wanted::Nothing { .. } => Some(to("none".to_owned())),
    }
}

fn words_of(puts: &[FloorPut]) -> String {
    let floors = puts.iter().filter(|put| put.ends_at.is_some());
    let (mins, ends): (Vec<i32>, Vec<_>) = floors.map(|put| (put.min, put.ends_at)).unzip();
    words(&mins, ends.into_iter().flatten().max())
}

/// Why floors are not written now, beyond what holds every write.
pub(super) fn hold(case: &Case<'_>) -> Option<Hold> {
    let actions = case.snapshot.scheduled_actions.known()?;
    let kept = kept(case, actions);
    let puts = match wanted(case, &kept) {
        Wanted::Set(puts) => puts,
        Wanted::Unbounded => {
            let sentence = "floors are kept between capacity.min and capacity.max, which are not both configured";
            return Some(Hold::new(Reason::NoValue, sentence));
        }
        _ => return None,
    };
    let others: Vec<&str> = scheduled::holding_either(actions, case.now)
        .filter(|action| !action.is_setpoints())
        .map(|action| action.name.as_str())
        .collect();
    if !others.is_empty() {
        let sentence = format!(
            "scheduled actions not made by setpoint change min or max ({}), so it keeps no floors",
            others.join(", ")
        );
        return Some(Hold::new(Reason::ScheduledCapacity, sentence));
    }
    let highest = puts.iter().map(|put| put.min).max()?;
    let max = case.target()?.max_capacity;
    if highest > max {
        let sentence =
            format!("floors of up to {highest} do not go with the max of {max} in force");
        return Some(Hold::new(Reason::BoundsConflict, sentence));
    }
    let stale = case.fresh_telemetry().err()?;
    Some(Hold::new(Reason::Stale, stale))
}

/// Why floors are written or taken away, where the values alone do not say it.
pub(super) fn because(case: &Case<'_>) -> Option<String> {
    let actions = case.snapshot.scheduled_actions.known()?;
    let kept = kept(case, actions);
    match wanted(case, &kept) {
        Wanted::Nothing { why, .. } => {
            Some(format!("{REFUSED_MAX} daily checks in a row found no case for them: {why}"))
        }
        Wanted::Set(puts) if is_own_work(&case.memory, &kept) && kept.is_of(&puts) => {
            Some("renewed".to_owned())
        }
        _ => None,
    }
}

/// The writes.
pub(super) fn action(case: &Case<'_>) -> Option<Action> {
    let actions = case.snapshot.scheduled_actions.known()?;
    let kept = kept(case, actions);
    let (puts, renews) = match wanted(case, &kept) {
        Wanted::Set(set) => {
            let renews = is_own_work(&case.memory, &kept) && kept.is_of(&set);
            (kept.to(&set, case.now), renews)
        }
        Wanted::Nothing { min, .. } => (kept.to_nothing(min, case.now), false),
        _ => return None,
    };
    let resource = case.snapshot.id.resource();
    let after =
        puts.iter().fold(actions.clone(), |all, put| put.applied(&all, &resource, case.now));
    let number = KeptFloors::of(&after, case.now).number();
    Some(Action::PutFloors { puts, expected: actions.clone(), number, renews })
}

/// Whether min is where one of setpoint's own scheduled actions has put it: AWS does not say which
/// action that was, and a set that was replaced today explains yesterday's min no more.
pub(super) fn explains_min(case: &Case<'_>, min: Option<f64>) -> Option<String> {
    let actions = case.snapshot.scheduled_actions.known()?;
    let own = case.memory.floors.explains(min?) && kept(case, actions).may_move_min(case.now);
    own.then(|| {
        let own = actions.iter().filter(|action| action.is_setpoints());
        format!("set by a floor that setpoint keeps; {}", scheduled::next(own, case.now))
    })
}

/// Takes note of what the daily answer says of the floors that are kept, and forgets what they have
/// set min to once that has been given back.
pub(super) fn note(
    memory: &mut VariantMemory,
    snapshot: &Snapshot,
    min: Option<i32>,
    now: Timestamp,
) {
    if memory.floors.is_empty() && !memory.written.contains_key(&Field::Floors) {
        return;
    }
    let Some(actions) = snapshot.scheduled_actions.known() else { return };
    let kept = KeptFloors::of(actions, now);
    let floors = &mut memory.floors;
    match snapshot.floors.against() {
        Some((at, _)) if floors.refused_at.is_none_or(|before| at - before >= ANOTHER_DAY) => {
            floors.refused = floors.refused.saturating_add(1);
            floors.refused_at = Some(at);
        }
        None if matches!(*snapshot.floors, Floors::Proposed(_)) => {
            (floors.refused, floors.refused_at) = (0, None);
        }
        _ => {}
    }
    let given_back = match snapshot.target.known() {
        Some(Some(target)) => min.is_none_or(|min| target.min_capacity == min),
        Some(None) => true,
        None => false,
    };
    if !kept.may_move_min(now) && given_back {
        memory.floors = FloorsMemory::default();
        memory.written.remove(&Field::Floors);
    }
}

/// Takes note of a write of floors that AWS may have carried out, in whole or in part.
pub(super) fn note_write(memory: &mut VariantMemory, action: &Action) {
    let Action::PutFloors { puts, number, .. } = action else { return };
    let mins = &mut memory.floors.mins;
    mins.extend(puts.iter().map(|put| put.min));
    mins.sort_unstable();
    mins.dedup();
    mins.truncate(MINS_MAX);
    if number.is_none() {
        memory.written.remove(&Field::Floors);
    }
}
