//! What has been seen and is not on the disk yet.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::changes::changes;
use super::pack::index;
use crate::model::history::{Event, Hour, LastSeen};
use crate::model::ids::VariantId;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::time::{Timestamp, floor_to};

/// While the disk takes nothing, the newest of these are kept.
const EVENTS_MAX: usize = 20_000;
/// That nothing has changed of a variant is written down so often.
const FACE_EVERY: TimeDelta = TimeDelta::minutes(10);
/// Hours that may wait for the disk: a disk that takes nothing must not cost all memory.
const HOURS_MAX: usize = 100_000;
/// After a start each variant has 14 days to save; so many go to the disk at once.
const HOURS_AT_ONCE: usize = 20_000;

/// Rows that wait to be saved.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    pub(super) hours: BTreeMap<(VariantId, u32), Hour>,
    pub(super) events: Vec<(VariantId, Event)>,
    pub(super) faces: BTreeMap<VariantId, LastSeen>,
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
    faces: BTreeMap<VariantId, LastSeen>,
    /// The same as it was last put into `unsaved`.
    written: BTreeMap<VariantId, LastSeen>,
    /// The newest hours of each variant.
    hours: BTreeMap<VariantId, Vec<Hour>>,
    pub(super) unsaved: Unsaved,
    /// Whether a variant has hours for which there was no room.
    pub(super) has_more: bool,
}

impl Book {
    /// Takes up what a file knows. What this process has seen since it began goes before it.
    pub(super) fn take_up(&mut self, loaded: BTreeMap<VariantId, (LastSeen, Vec<Hour>)>) {
        for (id, (face, hours)) in loaded {
            if !self.faces.contains_key(&id) {
                self.faces.insert(id.clone(), face);
                self.hours.insert(id, hours);
            }
        }
    }

    /// Takes in a pass; how many events had to be dropped unsaved.
    pub(super) fn take(&mut self, fleet: &FleetStatus) -> usize {
        let Some(at) = fleet.at else { return 0 };
        // One that is gone is known again by what the file has of it.
        self.hours.retain(|id, _| fleet.variants.contains_key(id));
        self.written.retain(|id, _| fleet.variants.contains_key(id));
        self.has_more = false;
        for (id, status) in &fleet.variants {
            self.take_variant(id, status);
        }
        self.unsaved.bound(at)
    }

    /// Takes in what a pass has of minutes for which there was no room before. The next read of telemetry
    /// takes their place.
    pub(super) fn take_more(&mut self, fleet: &FleetStatus) {
        self.has_more = false;
        for (id, status) in &fleet.variants {
            let Some(until) = self.faces.get(id).map(|face| face.minutes_until) else { continue };
            let taken = self.take_minutes(id, status, until);
            if taken != until
                && let Some(face) = self.faces.get_mut(id)
            {
                face.minutes_until = taken;
                let face = face.clone();
                self.write_face(id, face);
            }
        }
    }

    /// Puts what was last seen of a variant with what waits for the disk.
    fn write_face(&mut self, id: &VariantId, face: LastSeen) {
        self.unsaved.faces.insert(id.clone(), face.clone());
        self.written.insert(id.clone(), face);
    }

    fn take_variant(&mut self, id: &VariantId, status: &VariantStatus) {
        let (events, mut face) = changes(self.faces.get(id), status);
        self.unsaved.events.extend(events.into_iter().map(|event| (id.clone(), event)));
        face.minutes_until = self.take_minutes(id, status, face.minutes_until);
        self.take_present(id, status);
        let written = self.written.get(id);
        let is_news = written.is_none_or(|written| {
            face.at - written.at >= FACE_EVERY
                || *written != LastSeen { at: written.at, ..face.clone() }
        });
        if is_news {
            self.write_face(id, face.clone());
        }
        self.faces.insert(id.clone(), face);
        let own = self.hours.entry(id.clone()).or_default();
        let excess = own.len().saturating_sub(4);
        own.drain(..excess);
    }

    /// The minutes that are new, and up to where they go.
    fn take_minutes(
        &mut self,
        id: &VariantId,
        status: &VariantStatus,
        until: Option<Timestamp>,
    ) -> Option<Timestamp> {
        // Time is saved in order: what lies before the part that has been read comes with the whole.
        let partial = status.decision.report.estimate.is_partial();
        let telemetry = status.snapshot.telemetry.known().filter(|_| !partial);
        let Some(telemetry) = telemetry else { return until };
        let mut until = until;
        for hour in telemetry.hours.iter() {
            if until.is_some_and(|until| hour.at() < until) {
                continue;
            }
            if self.unsaved.hours.len() >= HOURS_AT_ONCE {
                self.has_more = true;
                return until;
            }
            until = Some(hour.until());
            self.change(id, hour.at(), |own| hour.fill(own));
        }
        for minute in &telemetry.recent {
            if until.is_some_and(|until| minute.at < until) {
                continue;
            }
            let seconds = i64::from(minute.period_seconds.max(60));
            until = Some(minute.at + TimeDelta::seconds(seconds));
            if !minute.is_empty() {
                let objective = &status.goal.objective;
                self.change(id, minute.at, |hour| hour.take(&minute, objective));
            }
        }
        until
    }

    /// What holds at the end of the hour so far.
    fn take_present(&mut self, id: &VariantId, status: &VariantStatus) {
        let (snapshot, report) = (&status.snapshot, &status.decision.report);
        let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
        let instances = endpoint
            .and_then(|endpoint| endpoint.variant(&id.variant))
            .and_then(|variant| variant.current_instances);
        let target = snapshot.target.known().and_then(Option::as_ref);
        let capacity = &report.estimate.capacity;
        self.change(id, status.decision.at, |hour| {
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
    fn change(&mut self, id: &VariantId, at: Timestamp, change: impl FnOnce(&mut Hour)) {
        let start = floor_to(at, 3600);
        let own = self.hours.entry(id.clone()).or_default();
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
            self.unsaved.hours.insert((id.clone(), index(start)), *hour);
        }
    }
}
