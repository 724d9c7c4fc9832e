//! Floors that setpoint keeps in AWS: a set of scheduled actions that end by themselves, and one more
//! that then gives min back.
//!
//! AWS leaves min where the last scheduled action has put it: an end date alone would leave it raised
//! for good. So each set has an action of its own, after the end of all others, that sets min to the
//! configured one. The set is renewed well before it ends; when setpoint is gone, it is not, and min
//! comes back by itself.
//!
//! The names are places in the set, so that writing a set again, in part or whole, replaces what is
//! there. Nothing has to be deleted, which setpoint cannot.

use chrono::{NaiveTime, TimeDelta};
use serde::{Deserialize, Serialize};

use super::floors::FloorAction;
use super::scaling::ScheduledAction;
use super::stable_hash::fnv1a;
use super::time::Timestamp;

/// What the names of setpoint's scheduled actions begin with. It touches no other.
pub const PREFIX: &str = "setpoint-floor-";
/// The name of the action that gives min back when the others have ended.
pub const END: &str = "setpoint-floor-end";
/// A set that is written lasts until the midnight, UTC, after so many days.
const LASTS: TimeDelta = TimeDelta::days(7);
/// A set is renewed when less than this is left: an outage of setpoint of some days ends no floor.
const RENEWED_BEFORE: TimeDelta = TimeDelta::days(4);
/// Renewals of a fleet are spread over so many minutes.
const RENEWED_OVER_MINUTES: u64 = 1440;
/// What is taken out of use ends after this: AWS takes no end in the past, and clocks differ.
const RETIRES_IN: TimeDelta = TimeDelta::minutes(10);
/// Min is given back so long after the end of all others.
const GIVEN_BACK_AFTER: TimeDelta = TimeDelta::minutes(10);
/// What ends within this is on its way out, and belongs to the set no more.
const ENDING: TimeDelta = TimeDelta::hours(1);

/// One scheduled action to be put: `PutScheduledAction` with all that setpoint ever states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorPut {
    pub name: String,
    /// The schedule as AWS takes it.
    pub schedule: String,
    /// The time zone of the schedule, an IANA name.
    pub time_zone: String,
    /// The min capacity that it sets. It sets no max.
    pub min: i32,
    /// When it ends; absent of the one that runs once.
    pub ends_at: Option<Timestamp>,
}

impl FloorPut {
    /// Whether AWS has this very action.
    pub fn is_shown_by(&self, action: &ScheduledAction) -> bool {
        self.name == action.name && *self == Self::of(action) && action.starts_with_nothing_else()
    }

    fn of(action: &ScheduledAction) -> Self {
        Self {
            name: action.name.clone(),
            schedule: action.schedule.clone(),
            time_zone: action.timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
            min: action.min_capacity.unwrap_or(i32::MIN),
            ends_at: action.ends_at,
        }
    }

    /// The scheduled action that AWS has after this was put over `before`.
    pub fn applied(
        &self,
        before: &[ScheduledAction],
        resource: &super::ids::ResourceId,
        now: Timestamp,
    ) -> Vec<ScheduledAction> {
        let mut all = before.to_vec();
        let made = all.iter().find(|a| a.name == self.name).and_then(|a| a.created_at);
        all.retain(|action| action.name != self.name);
        all.push(ScheduledAction {
            resource: resource.clone(),
            name: self.name.clone(),
            schedule: self.schedule.clone(),
            timezone: Some(self.time_zone.clone()),
            min_capacity: Some(self.min),
            max_capacity: None,
            starts_at: None,
            ends_at: self.ends_at,
            created_at: made.or(Some(now)),
        });
        all
    }
}

impl ScheduledAction {
    /// Whether it is one of setpoint's, by its name.
    pub fn is_setpoints(&self) -> bool {
        self.name.starts_with(PREFIX)
    }

    fn starts_with_nothing_else(&self) -> bool {
        self.max_capacity.is_none() && self.starts_at.is_none()
    }
}

/// What AWS has of setpoint's scheduled actions.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptFloors<'a> {
    /// The floors that go on, the lowest first.
    pub floors: Vec<&'a ScheduledAction>,
    /// The one that gives min back.
    pub end: Option<&'a ScheduledAction>,
    /// All of setpoint's that can still run, but for the one that gives min back.
    pub running: Vec<&'a ScheduledAction>,
    /// When min is given back, where no floor goes on and it is not soon: what is left of a set that
    /// was written or taken away in part.
    pub lingers_until: Option<Timestamp>,
}

impl<'a> KeptFloors<'a> {
    /// What there is among the scheduled actions of a variant.
    pub fn of(actions: &'a [ScheduledAction], now: Timestamp) -> Self {
        let own = actions.iter().filter(|action| action.is_setpoints());
        let mut running: Vec<_> =
            own.clone().filter(|a| a.name != END && a.next_run(now).is_some()).collect();
        running.sort_by_key(|a| (a.min_capacity, a.name.clone()));
        let goes_on = |a: &&ScheduledAction| a.ends_at.is_none_or(|end| end - now > ENDING);
        let floors: Vec<_> = running.iter().copied().filter(goes_on).collect();
        let end = own.into_iter().find(|action| action.name == END);
        let back = end.and_then(|end| end.next_run(now)).filter(|at| *at - now > ENDING);
        Self { lingers_until: back.filter(|_| floors.is_empty()), floors, end, running }
    }

    /// Whether any of setpoint's actions may still move min.
    pub fn may_move_min(&self, now: Timestamp) -> bool {
        !self.running.is_empty() || self.end.is_some_and(|end| end.next_run(now).is_some())
    }

    /// When the last of the floors ends; absent where there is none, or one has no end.
    pub fn until(&self) -> Option<Timestamp> {
        let ends: Option<Vec<Timestamp>> = self.floors.iter().map(|floor| floor.ends_at).collect();
        ends?.into_iter().max()
    }

    /// A number by which the set is recognised again: another one has another number. Absent where
    /// there are no floors.
    pub fn number(&self) -> Option<f64> {
        if self.floors.is_empty() {
            return None;
        }
        let all = self.floors.iter().chain(&self.end);
        let text: Vec<String> = all
            .map(|a| format!("{:?} {:?}", FloorPut::of(a), (a.max_capacity, a.starts_at)))
            .collect();
        // 53 bits of the hash are exact in a double.
        Some((fnv1a(text.join("\n").into_bytes()) >> 11) as f64)
    }

    /// The set in words: "3 scheduled actions, min 2 to 7, until 2026-12-01"; "none".
    pub fn words(&self) -> String {
        if let Some(at) = self.lingers_until {
            return format!("none, min is given back on {}", at.format("%F"));
        }
        let mins: Vec<i32> = self.floors.iter().filter_map(|floor| floor.min_capacity).collect();
        words(&mins, self.until())
    }

    /// Whether all of it lies between the bounds, and what gives min back sets it to `min`.
    pub fn is_within(&self, min: i32, max: i32) -> bool {
        let within =
            |a: &&ScheduledAction| a.min_capacity.is_some_and(|n| (min..=max).contains(&n));
        self.floors.iter().all(within) && self.end.is_some_and(|end| end.min_capacity == Some(min))
    }

    /// Whether it is the same set as these actions, whenever it ends.
    pub fn is_of(&self, puts: &[FloorPut]) -> bool {
        let floors: Vec<&FloorPut> = puts.iter().filter(|put| put.name != END).collect();
        floors.len() == self.floors.len()
            && self.floors.iter().all(|floor| {
                let now = FloorPut { ends_at: None, ..FloorPut::of(floor) };
                floors.iter().any(|put| FloorPut { ends_at: None, ..(*put).clone() } == now)
            })
    }

    /// From when a set that ends then is renewed. Each variant has a minute of its own.
    pub fn renewed_from(until: Timestamp, variant: &str) -> Timestamp {
        let own = fnv1a(variant.bytes()) % RENEWED_OVER_MINUTES;
        until - RENEWED_BEFORE - TimeDelta::minutes(i64::try_from(own).unwrap_or(0))
    }

    /// The writes that make these floors the set in force, in the order in which a kill between any
    /// two of them leaves min raised no longer than a set lasts: what gives min back first, then
    /// what is no longer wanted, the highest first, then the floors, the lowest first.
    pub fn to(&self, wanted: &[FloorPut], now: Timestamp) -> Vec<FloorPut> {
        let wanted_names = |name: &str| wanted.iter().any(|put| put.name == name);
        let (end, floors): (Vec<_>, Vec<_>) = wanted.iter().partition(|put| put.name == END);
        let retired = self.running.iter().rev().filter(|a| !wanted_names(&a.name));
        let retired = retired.filter(|a| ends_after(a, now + RETIRES_IN));
        let min = end.first().map_or(0, |end| end.min);
        let retired = retired.map(|floor| retire(floor, min, now));
        let changes = |put: &&FloorPut| !self.shows(put);
        let first = end.into_iter().filter(changes).cloned();
        first.chain(retired).chain(floors.into_iter().filter(changes).cloned()).collect()
    }

    /// The writes that end all floors and give `min` back: the highest floor first, what gives it
    /// back last, for until then the floors' own end does.
    pub fn to_nothing(&self, min: i32, now: Timestamp) -> Vec<FloorPut> {
        let floors = self.running.iter().rev().filter(|a| ends_after(a, now + RETIRES_IN));
        let mut puts: Vec<FloorPut> = floors.map(|floor| retire(floor, min, now)).collect();
        puts.push(give_back(min, whole_minute(now + RETIRES_IN) + GIVEN_BACK_AFTER));
        puts
    }

    fn shows(&self, put: &FloorPut) -> bool {
        self.running.iter().chain(&self.end).any(|action| put.is_shown_by(action))
    }
}

/// The set of these floors from `now` on, the lowest first; `min` is given back at its end.
pub fn set_of(floors: &[FloorAction], time_zone: &str, min: i32, now: Timestamp) -> Vec<FloorPut> {
    let midnight = (now + LASTS).date_naive().and_time(NaiveTime::MIN).and_utc();
    let until = midnight + TimeDelta::days(1);
    let mut sorted: Vec<&FloorAction> = floors.iter().collect();
    sorted.sort_by_key(|floor| (floor.min, floor.name.clone()));
    let floors = sorted.iter().enumerate().map(|(at, floor)| FloorPut {
        name: format!("{PREFIX}{:02}", at + 1),
        schedule: floor.schedule.clone(),
        time_zone: time_zone.to_owned(),
        min: floor.min,
        ends_at: Some(until),
    });
    std::iter::once(give_back(min, until + GIVEN_BACK_AFTER)).chain(floors).collect()
}

/// Names what puts lead to: the names, schedules and mins of floors that go on, whenever the set is renewed or what is
/// no longer wanted ends.
pub fn signature(puts: &[FloorPut]) -> String {
    let last = puts.iter().filter_map(|put| put.ends_at).max();
    let goes_on = puts.iter().filter(|put| put.ends_at.is_some() && put.ends_at == last);
    let all: Vec<String> = goes_on
        .map(|put| format!("{} {} {} {}", put.name, put.schedule, put.time_zone, put.min))
        .collect();
    format!("{:016x}", fnv1a(all.join("\n").into_bytes()))
}

/// A set in words, such as "3 scheduled actions, min 2 to 7, until 2026-12-01".
pub fn words(mins: &[i32], until: Option<Timestamp>) -> String {
    let (Some(low), Some(high)) = (mins.iter().min(), mins.iter().max()) else {
        return "none".to_owned();
    };
    let s = if mins.len() == 1 { "" } else { "s" };
    let until =
        until.map_or_else(|| "without an end".to_owned(), |t| format!("until {}", t.format("%F")));
    format!("{} scheduled action{s}, min {low} to {high}, {until}", mins.len())
}

fn give_back(min: i32, at: Timestamp) -> FloorPut {
    FloorPut {
        name: END.to_owned(),
        schedule: format!("at({})", at.format("%FT%T")),
        time_zone: "UTC".to_owned(),
        min,
        ends_at: None,
    }
}

/// Should it run once more before it ends, it raises nothing.
fn retire(action: &ScheduledAction, min: i32, now: Timestamp) -> FloorPut {
    FloorPut { min, ends_at: Some(whole_minute(now + RETIRES_IN)), ..FloorPut::of(action) }
}

fn ends_after(action: &ScheduledAction, at: Timestamp) -> bool {
    action.ends_at.is_none_or(|end| end > at)
}

fn whole_minute(at: Timestamp) -> Timestamp {
    at - TimeDelta::seconds(at.timestamp().rem_euclid(60))
        - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos()))
}

/// What is remembered of kept floors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FloorsMemory {
    /// What setpoint's scheduled actions may have set min to, until it is given back: none of these
    /// is somebody else's doing.
    pub mins: Vec<i32>,
    /// How many daily answers in a row have been against the floors that are kept.
    pub refused: u32,
    /// When the last of those was given.
    pub refused_at: Option<Timestamp>,
}

impl FloorsMemory {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether setpoint's scheduled actions may have set min to this.
    pub fn explains(&self, min: f64) -> bool {
        self.mins.iter().any(|own| super::units::same_value(f64::from(*own), min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn floor(schedule: &str, min: i32) -> FloorAction {
        FloorAction { name: format!("floor-{min}"), schedule: schedule.to_owned(), min }
    }

    fn week(high: i32) -> Vec<FloorAction> {
        vec![floor("cron(52 7 ? * MON-FRI *)", high), floor("cron(0 20 ? * MON-FRI *)", 2)]
    }

    fn in_aws(
        puts: &[FloorPut],
        before: &[ScheduledAction],
        now: Timestamp,
    ) -> Vec<ScheduledAction> {
        let resource = "endpoint/e/variant/v".parse().unwrap();
        puts.iter().fold(before.to_vec(), |all, put| put.applied(&all, &resource, now))
    }

    /// Whether what gives min back runs after everything else has ended, or nothing else runs.
    fn gives_back(actions: &[ScheduledAction], now: Timestamp) -> bool {
        let kept = KeptFloors::of(actions, now);
        let back = kept.end.and_then(|end| end.next_run(now));
        kept.running.iter().all(|a| a.ends_at.zip(back).is_some_and(|(end, back)| end < back))
    }

    #[test]
    fn wherever_a_write_of_a_set_ends_min_is_given_back() {
        let monday = at("2026-11-23T12:00:30Z");
        let first = in_aws(&set_of(&week(7), "UTC", 2, monday), &[], monday);
        let mut five = week(9);
        five.extend([floor("cron(0 12 ? * SAT *)", 5), floor("cron(0 13 ? * SAT *)", 4)]);
        let later = at("2026-11-26T12:00:30Z");
        let longer = in_aws(&set_of(&five, "UTC", 2, later), &first, later);
        for (before, wanted, now) in [
            (&[][..], Some(week(7)), monday),
            (&first[..], Some(week(9)), later),
            (&first[..], Some(five.clone()), later),
            (&longer[..], Some(week(3)), later),
            (&first[..], None, later),
            (&longer[..], None, later),
        ] {
            let kept = KeptFloors::of(before, now);
            let puts = match &wanted {
                Some(floors) => kept.to(&set_of(floors, "Europe/Berlin", 2, now), now),
                None => kept.to_nothing(2, now),
            };
            for n in 1..=puts.len() {
                assert!(gives_back(&in_aws(&puts[..n], before, now), now), "{n} of {puts:#?}");
            }
            let after = in_aws(&puts, before, now);
            let after = KeptFloors::of(&after, now);
            assert_eq!(after.floors.len(), wanted.map_or(0, |floors| floors.len()), "{after:#?}");
        }
    }

    #[test]
    fn what_is_left_of_a_set_that_was_taken_away_in_part_lingers() {
        let now = at("2026-11-23T12:00:00Z");
        let all = in_aws(&set_of(&week(7), "UTC", 2, now), &[], now);
        let puts = KeptFloors::of(&all, now).to_nothing(2, now);
        let part = in_aws(&puts[..2], &all, now);
        let kept = KeptFloors::of(&part, now);
        assert_eq!(kept.words(), "none, min is given back on 2026-12-01");
        let rest = kept.to_nothing(2, now + TimeDelta::minutes(1));
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert_eq!(KeptFloors::of(&in_aws(&rest, &part, now), now).lingers_until, None);
    }

    #[test]
    fn a_set_that_is_there_is_not_written_again_and_one_that_is_there_in_part_is_completed() {
        let now = at("2026-11-23T12:00:00Z");
        let set = set_of(&week(7), "UTC", 2, now);
        assert_eq!(set.len(), 3);
        assert_eq!(set[0].schedule, "at(2026-12-01T00:10:00)");
        let all = in_aws(&set, &[], now);
        let later = now + TimeDelta::hours(3);
        let again = set_of(&week(7), "UTC", 2, later);
        assert_eq!(KeptFloors::of(&all, later).to(&again, later), []);
        let part = in_aws(&set[..2], &[], now);
        assert_eq!(KeptFloors::of(&part, later).to(&again, later), set[2..]);
        assert_ne!(KeptFloors::of(&part, now).number(), KeptFloors::of(&all, now).number());
        assert!(
            KeptFloors::of(&all, now).is_of(&again) && !KeptFloors::of(&part, now).is_of(&again)
        );
    }

    #[test]
    fn the_number_of_a_set_changes_with_what_it_does_and_not_with_time() {
        let now = at("2026-11-23T12:00:00Z");
        let all = in_aws(&set_of(&week(7), "UTC", 2, now), &[], now);
        let number = |all: &[ScheduledAction], now| KeptFloors::of(all, now).number();
        assert_eq!(number(&all, now), number(&all, now + TimeDelta::days(6)));
        assert_eq!(number(&all, now + TimeDelta::days(9)), None);
        let mut edited = all.clone();
        edited[1].min_capacity = Some(3);
        assert_ne!(number(&edited, now), number(&all, now));
        let mut another = all.clone();
        another.push(ScheduledAction { name: "morning".to_owned(), ..all[1].clone() });
        assert_eq!(number(&another, now), number(&all, now), "another's action is not setpoint's");
        assert_eq!(
            KeptFloors::of(&all, now).words(),
            "2 scheduled actions, min 2 to 7, until 2026-12-01"
        );
    }

    #[test]
    fn renewals_are_spread_and_leave_days_for_an_outage() {
        let until = at("2026-12-01T00:00:00Z");
        let from = |n: u32| KeptFloors::renewed_from(until, &format!("variant-{n}"));
        let all: std::collections::BTreeSet<Timestamp> = (0..200).map(from).collect();
        assert!(all.len() > 150, "{}", all.len());
        assert!(all.iter().all(|at| (4..=5).contains(&(until - *at).num_days())));
    }
}
