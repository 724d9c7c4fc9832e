//! What of the capacity of a variant is kept over a restart.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::super::resting::Held;
use super::super::running::Running;
use super::{CapacityWatch, Change};
use crate::estimate::Estimator;
use crate::model::time::Timestamp;

/// What of it is kept over a restart.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct KeptCapacity<'a> {
    estimator: Option<Cow<'a, Estimator>>,
    changes: Cow<'a, VecDeque<Change>>,
    running: Option<Running>,
    updating_since: Option<Timestamp>,
}

impl CapacityWatch {
    /// What of it is kept over a restart; nothing where it cannot be had back.
    pub(in super::super) fn kept(&self) -> Option<KeptCapacity<'_>> {
        // Every field has its answer here: a new one is a decision, and another form.
        let Self {
            estimator,
            changes,
            noted: _,
            noted_in_all: _,
            is_lost: _,
            running,
            routing: _,
            made: _,
            updating_since,
            answer: _,
            keeps_fit: _,
            by_siblings: _,
            journal_kept: _,
            evidence_kept: _,
        } = self;
        let estimator = match estimator {
            Some(held) => Some(held.awake()?),
            None => None,
        };
        Some(KeptCapacity {
            estimator,
            changes: Cow::Borrowed(changes),
            running: *running,
            updating_since: *updating_since,
        })
    }

    /// The same service with what was kept of it up to `until`; nothing when it runs something else by
    /// now, or that is not known.
    pub(in super::super) fn resumed(
        &self,
        kept: KeptCapacity<'_>,
        until: Timestamp,
        now: Timestamp,
    ) -> Option<Self> {
        let KeptCapacity { estimator, changes, running, updating_since } = kept;
        let before = running?.fingerprint;
        if !before.is_same(self.running?.fingerprint) {
            return None;
        }
        let mut changes = changes.into_owned();
        if let Some(since) = updating_since {
            // It ended while nobody looked.
            changes.push_back(Change::update(since, now));
        }
        // What runs has run before: to this process it looked new.
        let is_news = |change: &&Change| match change {
            Change::Deploy { running, .. } => !running.fingerprint.is_same(before),
            Change::Update { .. } => true,
        };
        changes.extend(self.noted.iter().filter(is_news));
        let estimator = estimator.map(|kept| Held::Awake(Box::new(kept.into_owned())));
        Some(Self { estimator, changes, evidence_kept: Some(until), ..self.blank() })
    }
}
