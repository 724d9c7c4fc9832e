//! The book of regimes: the present one, the one before (for a rollback), and which minutes
//! belong to which.

use serde::{Deserialize, Serialize};

use super::chain::Carried;
use super::fingerprint::Fingerprint;
use super::grid::{DAY, MinuteIndex, WINDOW};

/// A declared change begins its regime this many minutes later: until then both fleets answer.
pub(super) const DEPLOY_MINUTES: MinuteIndex = 10;
/// How much of the regime before is kept for the case of a rollback.
const PREVIOUS_KEPT: MinuteIndex = 3 * DAY;
/// Most pieces of time that are told apart; the oldest are joined.
const SPANS_MAX: usize = 12;
/// Most stretches left out that are remembered.
const EXCLUDED_MAX: usize = 12;

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
    pub(super) known: Option<Known>,
}

/// The memory of a two-sided verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
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
    previous_from: MinuteIndex,
    next_id: u8,
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
        };
        Self {
            current,
            previous: None,
            spans: vec![(MinuteIndex::MIN, 1)],
            excluded: Vec::new(),
            declared_at: None,
            previous_from: MinuteIndex::MIN,
            next_id: 2,
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

    /// A new regime.
    pub(super) fn begin(
        &mut self,
        start: MinuteIndex,
        fingerprint: Option<Fingerprint>,
        declared: bool,
        carried: Option<Carried>,
    ) {
        let record = Record {
            id: self.next_id,
            fingerprint,
            start,
            declared,
            before: Some(self.current.id),
            carried,
            lg_ratio: None,
            settled: false,
            known: None,
        };
        self.next_id = self.next_id.wrapping_add(1).max(1);
        self.previous = Some(std::mem::replace(&mut self.current, record));
        self.switch(start);
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
        if let Some(previous) = self.previous.take() {
            self.previous = Some(std::mem::replace(&mut self.current, previous));
            self.switch(start);
        }
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

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let carried = |r: &Record| r.carried.as_ref().map_or(0, Carried::bytes);
        carried(&self.current)
            + self.previous.as_ref().map_or(0, carried)
            + 16 * (self.spans.len() + self.excluded.len())
    }
}
