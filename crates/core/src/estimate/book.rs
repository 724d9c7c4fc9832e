//! The book of regimes: the present one, the one before (for a rollback), and which minutes
//! belong to which.

use serde::{Deserialize, Serialize};

use super::chain::Carried;
use super::fingerprint::Fingerprint;
use super::grid::{DAY, MinuteIndex, WINDOW};
use super::power::{Power, Sample};

/// A declared change begins its regime this many minutes later: until then both fleets answer.
pub(super) const DEPLOY_MINUTES: MinuteIndex = 10;
/// How much of the regime before is kept for the case of a rollback.
const PREVIOUS_KEPT: MinuteIndex = 3 * DAY;
/// Most pieces of time that are told apart; the oldest are joined.
const SPANS_MAX: usize = 12;
/// Most stretches left out that are remembered.
const EXCLUDED_MAX: usize = 12;
/// Most incidents that are remembered: one a day, and a few.
const INCIDENTS_MAX: usize = 16;
/// Two undeclared changes of opposite sign within this are none: latency wanders.
const OPPOSITE_WITHIN: MinuteIndex = 3 * DAY;
/// How long that is believed after the last sign of it.
const WANDERING_KEPT: MinuteIndex = 4 * DAY;

/// One regime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: u8,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) start: MinuteIndex,
    pub(super) declared: bool,
    /// The regime whose latencies it is compared with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) before: Option<u8>,
    /// What it starts from; the first one starts from the load test.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) carried: Option<Carried>,
    /// lg speed ratio to the regime before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) lg_ratio: Option<f64>,
    /// Whether the ratio no longer changes.
    #[serde(default)]
    pub(super) settled: bool,
    /// What a two-sided verdict said last, for noticing that it has become stale.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) known: Option<TwoSided>,
    /// Whether it was found to be slower than the one before; unknown where it was declared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    slower: Option<bool>,
    /// The capacity that was measured last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) measured: Option<f64>,
    /// What the change to it says of the power, so far.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) sample: Option<Sample>,
}

impl Record {
    /// A change to the opposite side so soon after the one that began this regime is none.
    pub(super) fn is_undone(&self, begin: MinuteIndex, slower: bool) -> bool {
        self.slower.is_some_and(|s| s != slower) && begin - self.start <= OPPOSITE_WITHIN
    }
}

/// The memory of a two-sided verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct TwoSided {
    pub(super) capacity: f64,
    /// The last minute at a load near it.
    pub(super) loaded_at: MinuteIndex,
}

/// All that is remembered of regimes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) current: Record,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) previous: Option<Record>,
    /// From which minute on which regime held, in order.
    spans: Vec<(MinuteIndex, u8)>,
    /// Stretches that were left out: deploys, updates of siblings, weights.
    #[serde(default)]
    excluded: Vec<(MinuteIndex, MinuteIndex)>,
    /// When the last declared change was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) declared_at: Option<MinuteIndex>,
    /// Days of the previous regime before this are forgotten.
    pub(super) previous_from: MinuteIndex,
    next_id: u8,
    /// Since when nobody has declared a change.
    #[serde(default = "always")]
    pub(super) declared_start: MinuteIndex,
    /// When a change was last undone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    undone_at: Option<MinuteIndex>,
    /// Until when latency is taken to wander, because undeclared changes undid each other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    wandering_until: Option<MinuteIndex>,
    /// Stretches left out as incidents of another cause.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    incidents: Vec<(MinuteIndex, MinuteIndex)>,
    /// The power by which capacity follows the ratio of medians.
    #[serde(default)]
    power: Power,
}

const fn always() -> MinuteIndex {
    MinuteIndex::MIN
}

/// How a regime begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Someone deployed it.
    Declared(Fingerprint),
    /// Found in the data.
    Found {
        /// Whether the service became slower.
        slower: bool,
        /// Whether all of the regime before is kept, should the two turn out to be one.
        keep: bool,
    },
}

impl Book {
    /// A book that begins with the telemetry.
    pub(super) fn new(fingerprint: Option<Fingerprint>) -> Self {
        let current = Record {
            id: 1,
            fingerprint,
            start: MinuteIndex::MIN,
            declared: fingerprint.is_some(),
            before: None,
            carried: None,
            lg_ratio: None,
            settled: true,
            known: None,
            slower: None,
            measured: None,
            sample: None,
        };
        Self {
            current,
            previous: None,
            spans: vec![(MinuteIndex::MIN, 1)],
            excluded: Vec::new(),
            declared_at: None,
            previous_from: MinuteIndex::MIN,
            next_id: 2,
            declared_start: MinuteIndex::MIN,
            undone_at: None,
            wandering_until: None,
            incidents: Vec::new(),
            power: Power::default(),
        }
    }

    /// The regime that held at a minute.
    pub(super) fn regime_at(&self, at: MinuteIndex) -> Option<u8> {
        self.spans.iter().rev().find(|(from, _)| *from <= at).map(|(_, id)| *id)
    }

    /// Whether minutes of that regime are still worth counting.
    pub(super) fn counts(&self, at: MinuteIndex, regime: u8) -> bool {
        regime == self.current.id
            || (self.previous.as_ref().is_some_and(|p| p.id == regime)
                && at - at.rem_euclid(DAY) >= self.previous_from)
    }

    /// The first minute sets where the first regime begins.
    pub(super) fn open(&mut self, at: MinuteIndex) {
        if self.current.start == MinuteIndex::MIN {
            self.current.start = at;
        }
    }

    /// Whether nothing is known of what ran before the present regime: it is the first, or began with
    /// the telemetry, which an endpoint sends in the minute in which it is made.
    pub(super) fn is_first(&self) -> bool {
        let with_the_data = |before: &Record| {
            before.before.is_none() && self.current.start - before.start <= DEPLOY_MINUTES + 1
        };
        self.current.before.is_none() || self.previous.as_ref().is_some_and(with_the_data)
    }

    /// A new regime.
    pub(super) fn begin(&mut self, start: MinuteIndex, change: Change, carried: Option<Carried>) {
        let (fingerprint, slower) = match change {
            Change::Declared(fingerprint) => (Some(fingerprint), None),
            Change::Found { slower, .. } => (self.current.fingerprint, Some(slower)),
        };
        let record = Record {
            id: self.next_id,
            fingerprint,
            start,
            declared: slower.is_none(),
            before: Some(self.current.id),
            carried,
            lg_ratio: None,
            settled: false,
            known: None,
            slower,
            measured: None,
            sample: None,
        };
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.learn();
        self.previous = Some(std::mem::replace(&mut self.current, record));
        self.switch(start);
        match change {
            Change::Declared(_) => self.note_declared(start),
            Change::Found { keep: true, .. } => self.previous_from = MinuteIndex::MIN,
            Change::Found { .. } => {}
        }
    }

    /// Replaces the fingerprint that an older version wrote of what runs now: in the present
    /// regime, else in the one before, to which a rollback leads.
    pub(super) fn recognise(&mut self, old: Fingerprint, now: Fingerprint) {
        let records = std::iter::once(&mut self.current).chain(&mut self.previous);
        if let Some(record) = records.into_iter().find(|r| r.fingerprint == Some(old)) {
            record.fingerprint = Some(now);
        }
    }

    /// Back to the regime before, with all that is known of it.
    pub(super) fn roll_back(&mut self, start: MinuteIndex) {
        self.learn();
        if let Some(previous) = self.previous.take() {
            self.previous = Some(std::mem::replace(&mut self.current, previous));
            self.switch(start);
            self.note_declared(start);
        }
    }

    /// The change that began the present regime was undone, and the service is again what it was.
    /// That happens once; what is undone twice in the window wanders.
    pub(super) fn undo(&mut self, start: MinuteIndex) -> bool {
        if self.undone_at.is_some_and(|at| start - at < WINDOW) {
            return false;
        }
        let Some(previous) = self.previous.take() else { return false };
        self.learn();
        self.previous = Some(std::mem::replace(&mut self.current, previous));
        self.switch(start);
        self.previous_from = MinuteIndex::MIN;
        self.undone_at = Some(start);
        true
    }

    fn note_declared(&mut self, start: MinuteIndex) {
        self.declared_start = start;
        self.wandering_until = None;
        self.undone_at = None;
    }

    /// Undeclared changes undid each other: the present regime and the one before it are one, and
    /// latency wanders. Answers with the two numbers, the vanished one first.
    pub(super) fn merge(&mut self, now: MinuteIndex) -> Option<(u8, u8)> {
        let previous = self.previous.take()?;
        let (gone, kept) = (self.current.id, previous.id);
        self.current = previous;
        for span in &mut self.spans {
            if span.1 == gone {
                span.1 = kept;
            }
        }
        self.spans.dedup_by_key(|span| span.1);
        self.previous_from = MinuteIndex::MIN;
        self.wandering_until = Some(now + WANDERING_KEPT);
        Some((gone, kept))
    }

    /// Whether the present regime began with a change that nobody declared, and that can still be taken back.
    pub(super) fn is_found(&self) -> bool {
        let before = self.previous.as_ref().map(|previous| previous.id);
        self.current.slower.is_some() && before.is_some() && before == self.current.before
    }

    /// Whether undeclared changes have undone each other lately.
    pub(super) fn wanders(&self, now: MinuteIndex) -> bool {
        self.wandering_until.is_some_and(|until| now < until)
    }

    /// The hours show it. Where they are about the limit, a variant would be taken for a steady one and for a
    /// wandering one by turns, and its target would follow each time: it is believed for a day.
    pub(super) fn is_seen_wandering(&mut self, now: MinuteIndex) {
        self.wandering_until = self.wandering_until.max(Some(now + DAY));
    }

    /// Another sign of it, while it is believed.
    pub(super) fn still_wanders(&mut self, now: MinuteIndex) {
        if self.wanders(now) {
            self.wandering_until = Some(now + WANDERING_KEPT);
        }
    }

    /// What a change teaches of the power is certain when the next one comes.
    fn learn(&mut self) {
        if let Some(sample) = self.current.sample.take() {
            self.power = self.power.with(sample);
        }
    }

    /// The power that the present regime was carried over with.
    pub(super) const fn power(&self) -> Power {
        self.power
    }

    fn switch(&mut self, start: MinuteIndex) {
        self.previous_from = start - PREVIOUS_KEPT;
        self.spans.retain(|(from, _)| *from < start);
        self.spans.push((start, self.current.id));
        while self.spans.len() > SPANS_MAX
            || self.spans.get(1).is_some_and(|(from, _)| *from < start - WINDOW)
        {
            self.spans.remove(0);
        }
    }

    /// An incident of another cause, or more of the last one.
    pub(super) fn note_incident(&mut self, (from, to): (MinuteIndex, MinuteIndex)) {
        match self.incidents.last_mut() {
            Some(last) if last.0 == from => last.1 = to,
            _ => self.incidents.push((from, to)),
        }
        self.incidents.retain(|(_, end)| *end > to - WINDOW);
        if self.incidents.len() > INCIDENTS_MAX {
            self.incidents.remove(0);
        }
    }

    /// The incident that began then was none.
    pub(super) fn no_incident(&mut self, from: MinuteIndex) {
        self.incidents.retain(|incident| incident.0 != from);
    }

    /// Whether a minute lies in an incident.
    pub(super) fn in_incident(&self, at: MinuteIndex) -> bool {
        self.incidents.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    /// Leaves out minutes from `from` to before `to`; `now` is the newest one.
    pub(super) fn exclude(&mut self, from: MinuteIndex, to: MinuteIndex, now: MinuteIndex) {
        match self.excluded.last_mut() {
            // An update is seen many times while it lasts.
            Some(last) if from <= last.1 && from >= last.0 => last.1 = last.1.max(to),
            _ => self.excluded.push((from, to)),
        }
        self.excluded.retain(|(_, to)| *to > now - WINDOW);
        if self.excluded.len() > EXCLUDED_MAX {
            self.excluded.remove(0);
        }
    }

    /// Whether a stretch touches one that is left out.
    pub(super) fn excludes(&self, from: MinuteIndex, to: MinuteIndex) -> bool {
        self.excluded.iter().any(|(begin, end)| from < *end && to > *begin)
    }

    pub(super) fn bytes(&self) -> usize {
        let carried = |r: &Record| r.carried.as_ref().map_or(0, Carried::bytes);
        carried(&self.current)
            + self.previous.as_ref().map_or(0, carried)
            + 16 * (self.spans.len() + self.excluded.len() + self.incidents.len())
    }
}
