//! What has been seen and is not on the disk yet.
//!
//! Thousands of variants are known at once and one at a time is looked at, so that what is known of each lies packed
//! in between.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::changes::changes;
use super::pack::{index, pack};
use crate::compact::Packed;
use crate::model::history::{Event, Hour, LastSeen};
use crate::model::ids::VariantId;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::time::{Timestamp, floor_to};

/// Of events that the disk has not taken, the newest of these are kept, and all of the newest pass: when a fleet of
/// thousands starts, or its configuration changes, each variant has some.
const EVENTS_MAX: usize = 20_000;
/// That nothing has changed of a variant is written down so often.
const FACE_EVERY: TimeDelta = TimeDelta::minutes(10);
/// Hours that may wait for the disk: a disk that takes nothing must not cost all memory.
const HOURS_MAX: usize = 100_000;
/// After a start each variant has 14 days to save; so many go to the disk at once, some 800 KiB.
const HOURS_AT_ONCE: usize = 5_000;
/// A variant that is gone is known for so long: one that comes back later begins again.
const GONE_KNOWN_FOR: TimeDelta = TimeDelta::days(14);
/// Hours of a variant that may still change: the present one, those that late minutes belong to, and those that a clock
/// which is set back comes to again. One that is not held any more would begin again as empty, over what is on the disk.
const OPEN_HOURS: usize = 4;

/// Rows that wait to be saved.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// Each [packed](pack).
    pub(super) hours: BTreeMap<(VariantId, u32), Box<[u8]>>,
    pub(super) events: Vec<(VariantId, Event)>,
    pub(super) faces: BTreeMap<VariantId, Packed<LastSeen>>,
}

impl Unsaved {
    /// Whether there is nothing to save.
    pub(super) fn is_empty(&self) -> bool {
        self.hours.is_empty() && self.events.is_empty() && self.faces.is_empty()
    }

    pub(super) fn ids(&self) -> BTreeSet<&VariantId> {
        let hours = self.hours.keys().map(|(id, _)| id);
        let events = self.events.iter().map(|(id, _)| id);
        hours.chain(events).chain(self.faces.keys()).collect()
    }

    /// Forgets the oldest of what there is no room for; how many events are lost for good.
    fn bound(&mut self, now: Timestamp) -> usize {
        let excess = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..excess);
        if self.hours.len() > HOURS_MAX {
            let oldest = index(now).saturating_sub(24);
            self.hours.retain(|(_, hour), _| *hour >= oldest);
        }
        excess
    }
}

/// What the process knows of the past, and what of it waits for the disk.
#[derive(Debug, Default)]
pub(super) struct Book {
    known: BTreeMap<VariantId, Known>,
    pub(super) unsaved: Unsaved,
    /// The first variant that has hours for which there was no room.
    pub(super) more_from: Option<VariantId>,
}

/// What is known of the past of a variant.
#[derive(Debug)]
pub(super) struct Known {
    /// When it was last seen.
    at: Timestamp,
    /// What was seen then, but for `at`, which is that of the pass since which it has been so.
    face: Packed<LastSeen>,
    /// When that was last put with what waits for the disk; never since it was gone.
    written: Option<Timestamp>,
    /// Its newest hours.
    hours: Packed<Vec<Hour>>,
}

impl Known {
    pub(super) fn new(face: &LastSeen, hours: &Vec<Hour>) -> Self {
        Self { at: face.at, face: face.into(), written: None, hours: hours.into() }
    }

    /// Whether it is gone for so long that the process need not know it any more; the disk does.
    fn is_old(&self, now: Timestamp) -> bool {
        now - self.at > GONE_KNOWN_FOR
    }

    /// What was seen last.
    fn face(&self) -> LastSeen {
        LastSeen { at: self.at, ..self.face.get() }
    }
}

/// The hours of a variant while it is looked at.
struct Hours<'a> {
    id: &'a VariantId,
    newest: Vec<Hour>,
    changed: bool,
    unsaved: &'a mut BTreeMap<(VariantId, u32), Box<[u8]>>,
}

impl Book {
    /// Takes up what a file knows. What this process has seen since it began goes before it.
    pub(super) fn take_up(&mut self, loaded: Vec<(VariantId, Known)>) {
        for (id, known) in loaded {
            self.known.entry(id).or_insert(known);
        }
    }

    /// Takes in a pass; how many events had to be dropped unsaved.
    pub(super) fn take(&mut self, fleet: &FleetStatus) -> usize {
        let Some(at) = fleet.at else { return 0 };
        // Before this pass adds its own, which the disk has not been asked to take.
        let lost = self.unsaved.bound(at);
        // One that is gone keeps its hours: it may be back within the last of them, which then goes on. Where endpoints
        // come and go with each deploy, most never come back.
        self.known.retain(|id, known| {
            if fleet.variants.contains_key(id) {
                return true;
            }
            known.written = None;
            !known.is_old(at)
        });
        self.more_from = None;
        for (id, status) in &fleet.variants {
            self.take_variant(id, status);
        }
        lost
    }

    /// Takes in what a pass has of minutes for which there was no room before. The next read of telemetry
    /// takes their place.
    pub(super) fn take_more(&mut self, fleet: &FleetStatus) {
        let Some(from) = self.more_from.take() else { return };
        for (id, status) in fleet.variants.range(from..) {
            let Some(known) = self.known.get_mut(id) else { continue };
            let mut face = known.face();
            let mut hours = Hours::of(id, Some(known), &mut self.unsaved.hours);
            let (until, has_more) = hours.take_minutes(status, face.minutes_until);
            known.hours = hours.packed().unwrap_or_else(|| known.hours.clone());
            if until != face.minutes_until {
                face.minutes_until = until;
                known.write(id, &face, &mut self.unsaved);
            }
            if has_more {
                self.more_from = Some(id.clone());
                return;
            }
        }
    }

    fn take_variant(&mut self, id: &VariantId, status: &VariantStatus) {
        let before = self.known.get(id);
        let was = before.map(Known::face);
        let (events, mut face) = changes(was.as_ref(), status);
        self.unsaved.events.extend(events.into_iter().map(|event| (id.clone(), event)));
        let mut hours = Hours::of(id, before, &mut self.unsaved.hours);
        let (until, has_more) = hours.take_minutes(status, face.minutes_until);
        hours.take_present(status);
        face.minutes_until = until;
        if has_more {
            self.more_from.get_or_insert_with(|| id.clone());
        }
        let newest = hours.packed();
        let known = self.known.entry(id.clone()).or_insert_with(|| Known::new(&face, &Vec::new()));
        known.at = face.at;
        known.hours = newest.unwrap_or_else(|| known.hours.clone());
        let is_as_before = was.is_some_and(|was| LastSeen { at: face.at, ..was } == face);
        let is_written = known.written.is_some_and(|written| face.at - written < FACE_EVERY);
        if !(is_as_before && is_written) {
            known.write(id, &face, &mut self.unsaved);
        }
    }
}

impl Known {
    /// Puts what was last seen of a variant with what waits for the disk.
    fn write(&mut self, id: &VariantId, face: &LastSeen, unsaved: &mut Unsaved) {
        self.face = face.into();
        self.written = Some(face.at);
        unsaved.faces.insert(id.clone(), self.face.clone());
    }
}

impl<'a> Hours<'a> {
    fn of(
        id: &'a VariantId,
        known: Option<&Known>,
        unsaved: &'a mut BTreeMap<(VariantId, u32), Box<[u8]>>,
    ) -> Self {
        let newest = known.map(|known| known.hours.get()).unwrap_or_default();
        Self { id, newest, changed: false, unsaved }
    }

    /// Those that may still change, if any has.
    fn packed(mut self) -> Option<Packed<Vec<Hour>>> {
        let excess = self.newest.len().saturating_sub(OPEN_HOURS);
        self.newest.drain(..excess);
        self.changed.then(|| (&self.newest).into())
    }

    /// The minutes that are new: up to where they go, and whether there are more than there is room for.
    fn take_minutes(
        &mut self,
        status: &VariantStatus,
        until: Option<Timestamp>,
    ) -> (Option<Timestamp>, bool) {
        // Time is saved in order: what lies before the part that has been read comes with the whole.
        let partial = status.decision.report.estimate.is_partial();
        let telemetry = status.snapshot.telemetry.known().filter(|_| !partial);
        let Some(telemetry) = telemetry else { return (until, false) };
        // Most passes read no telemetry.
        if telemetry.recent.last().is_some_and(|newest| until >= Some(newest.end())) {
            return (until, false);
        }
        let mut until = until;
        // The hours are of the last read alone. Of one that the recent minutes tell whole, those of a read before it
        // may wait as well, for a pass that was not recorded.
        let Some(recent) = telemetry.recent.try_to_vec() else { return (until, false) };
        let recent_from = recent.first().map(|minute| minute.at);
        let is_told = |at: Timestamp| recent_from.is_some_and(|from| from <= at);
        // What a disk has lost comes with the next read, as far as that goes back.
        let Some(hours) = telemetry.hours.try_get() else { return (until, false) };
        for hour in hours {
            if until.is_some_and(|until| hour.at() < until || is_told(hour.at())) {
                continue;
            }
            if self.unsaved.len() >= HOURS_AT_ONCE {
                return (until, true);
            }
            until = Some(hour.until());
            self.change(hour.at(), |own| hour.fill(own));
        }
        for minute in recent {
            if until.is_some_and(|until| minute.at < until) {
                continue;
            }
            let seconds = i64::from(minute.period_seconds.max(60));
            until = Some(minute.at + TimeDelta::seconds(seconds));
            if !minute.is_empty() {
                let objective = &status.goal.objective;
                self.change(minute.at, |hour| hour.take(&minute, objective));
            }
        }
        (until, false)
    }

    /// What holds at the end of the hour so far.
    fn take_present(&mut self, status: &VariantStatus) {
        let (snapshot, report) = (&status.snapshot, &status.decision.report);
        let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
        let instances = endpoint
            .and_then(|endpoint| endpoint.variant(&self.id.variant))
            .and_then(|variant| variant.current_instances);
        let target = snapshot.target.known().and_then(Option::as_ref);
        let capacity = &report.estimate.capacity;
        self.change(status.decision.at, |hour| {
            if let Some(instances) = instances {
                hour.take_instances(f64::from(instances));
            }
            if let Some(target) = target {
                hour.min_instances = Some(f64::from(target.min_capacity));
                hour.max_instances = Some(f64::from(target.max_capacity));
            }
            hour.capacity_low = capacity.low;
            hour.capacity = capacity.estimate;
            hour.capacity_high = capacity.high;
            hour.capacity_lower_bound = capacity.lower_bound;
            hour.configured_target = report.configured_target;
            hour.safe_target = report.safe_target;
            hour.formula_target = report.formula_target;
        });
    }

    /// Changes the hour of an instant; it is saved only when it is another one afterwards.
    fn change(&mut self, at: Timestamp, change: impl FnOnce(&mut Hour)) {
        let start = floor_to(at, 3600);
        let own = &mut self.newest;
        let place = match own.binary_search_by_key(&start, |hour| hour.at) {
            Ok(place) => place,
            Err(place) => {
                own.insert(place, Hour::empty(start));
                place
            }
        };
        let Some(hour) = own.get_mut(place) else { return };
        let before = *hour;
        change(hour);
        if *hour != before {
            self.changed = true;
            self.unsaved.insert((self.id.clone(), index(start)), pack(hour).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::Shown;
    use crate::model::reason::Field;

    /// What is looked at once a pass is a fifth of its JSON in between.
    #[test]
    fn what_was_last_seen_is_kept_packed_and_as_it_was() {
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let shown = |text: &str, number| Shown { text: text.to_owned(), number };
        let values = [
            (Field::TargetValue, shown("600", Some(600.0))),
            (Field::MinCapacity, shown("2", Some(2.0))),
            (Field::ScaleInCooldown, shown("the default", None)),
        ];
        let face = LastSeen {
            at,
            values: BTreeMap::from(values.clone()),
            tried: BTreeMap::from([values[0].clone()]),
            config_name: Some("scorer-2026-11-20".to_owned()),
            created_at: Some(at),
            gone: true,
            regime: Some(at),
            findings: BTreeSet::from(["above_capacity".to_owned()]),
            drift: BTreeSet::from(["target_value".to_owned()]),
            held: Some("young".to_owned()),
            paused_until: Some(at),
            safety: Some("unsafe".to_owned()),
            mode: Some("auto".to_owned()),
            formula_target: Some(600.5),
            minutes_until: Some(at),
        };
        let known = Known::new(&face, &Vec::new());
        assert_eq!(known.face(), face);
        assert!(known.face.bytes() < 300, "{}", known.face.bytes());
    }

    /// Hours that were saved before minutes came to them, and hours that a clock comes to again, are gone on with.
    #[test]
    fn an_hour_that_may_still_change_does_not_begin_again() {
        let id = VariantId::parse("123456789012/us-east-1/scorer/main", '/').unwrap();
        let at: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let face = LastSeen { at, ..LastSeen::default() };
        let (mut known, mut unsaved) = (Known::new(&face, &Vec::new()), BTreeMap::new());
        for n in 0..4 {
            let mut hours = Hours::of(&id, Some(&known), &mut unsaved);
            hours.change(at + TimeDelta::hours(n), |hour| hour.instances_high = Some(7.0));
            known.hours = hours.packed().unwrap();
        }
        let mut hours = Hours::of(&id, Some(&known), &mut unsaved);
        for n in 0..4 {
            hours.change(at + TimeDelta::hours(n), |hour| hour.minutes = 60);
        }
        drop(hours);
        for ((_, n), row) in &unsaved {
            let hour = crate::store::pack::unpack(*n, row).unwrap();
            assert_eq!((hour.minutes, hour.instances_high), (60, Some(7.0)), "{}", hour.at);
        }
    }

    /// Two weeks go to the disk, and a variant keeps the hours that may still change.
    #[test]
    fn of_two_weeks_of_hours_a_variant_keeps_a_few_hundred_bytes() {
        let mut unsaved = BTreeMap::new();
        let id = VariantId::parse("123456789012/us-east-1/scorer/main", '/').unwrap();
        let face = LastSeen::default();
        let mut known = Known::new(&face, &Vec::new());
        let mut hours = Hours::of(&id, Some(&known), &mut unsaved);
        for n in 0..14 * 24_i64 {
            hours.change(face.at + TimeDelta::hours(n), |hour| {
                (hour.minutes, hour.load_mean) = (60, Some(n as f64));
                (hour.capacity, hour.safe_target) = (Some(1000.5), Some(n as f64 + 0.25));
            });
        }
        known.hours = hours.packed().unwrap();
        assert_eq!(unsaved.len(), 14 * 24);
        assert!(unsaved.values().all(|row| row.len() < 64), "{unsaved:?}");
        assert!(known.hours.bytes() < 400, "{}", known.hours.bytes());
        let newest: Vec<Hour> = known.hours.get();
        let targets: Vec<Option<f64>> = newest.iter().map(|hour| hour.safe_target).collect();
        assert_eq!(targets, [332.25, 333.25, 334.25, 335.25].map(Some));
        // What is the same again is nothing to save.
        let mut again = Hours::of(&id, Some(&known), &mut unsaved);
        again.change(newest[3].at, |hour| hour.minutes = 60);
        assert!(again.packed().is_none());
    }
}
