//! What is kept over a restart: the state of each variant whose history is known, and the answers of
//! AWS that do not change. A process that begins takes up what still fits and reads what is new.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::reader::Reader;
use crate::model::evidence::{EvidenceStatus, NotResumed};
use crate::model::fact::Why;
use crate::model::ids::{Scope, VariantId};
use crate::model::time::Timestamp;
use crate::ports::Evidence;

/// How often a variant's state is kept: what is lost with the process is read again at the price of a
/// single pass, whether it is minutes or hours.
const EVERY: TimeDelta = TimeDelta::hours(6);
/// Younger states are not kept again when the process ends.
const EVERY_AT_THE_END: TimeDelta = TimeDelta::minutes(10);
/// How long one pass may write. After a start the states of thousands are due at once.
const A_PASS: Duration = Duration::from_secs(2);
/// States that are handed to the disk at once, some 60 KiB each before they are packed.
const AT_ONCE: usize = 32;
/// How often what AWS has described is kept, at most: it is kept as a whole.
const DESCRIBED_EVERY: TimeDelta = TimeDelta::minutes(15);
/// A disk that checks a large file while it is opened answers later.
const ATTEMPTS: u32 = 6;
/// How long the next attempt waits.
const AGAIN: Duration = Duration::from_secs(10);

/// Where it is kept, and how that goes; shared by all accounts and regions of the process.
pub struct Keeping {
    place: Arc<dyn Evidence>,
    status: Mutex<EvidenceStatus>,
}

impl Keeping {
    pub fn new(place: Arc<dyn Evidence>) -> Self {
        Self { place, status: Mutex::default() }
    }

    /// How it goes.
    pub fn status(&self) -> EvidenceStatus {
        self.with(|status| status.clone())
    }

    fn with<T>(&self, change: impl FnOnce(&mut EvidenceStatus) -> T) -> T {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A variant goes on where an earlier process has ended.
    pub(super) fn note_resumed(&self) {
        self.with(|status| status.resumed += 1);
    }

    /// A record does not fit.
    pub(super) fn note_dropped(&self, id: &VariantId, why: NotResumed) {
        tracing::debug!(variant = %id, reason = why.as_str(), "kept evidence is not used");
        self.with(|status| *status.dropped.entry(why.as_str()).or_default() += 1);
    }

    /// The records of these variants; none where the place does not answer.
    pub(super) async fn records(&self, of: Vec<VariantId>) -> Vec<Option<Vec<u8>>> {
        let none = vec![None; of.len()];
        for attempt in 1..=ATTEMPTS {
            match self.place.records(of.clone()).await {
                Ok(records) if records.len() == of.len() => return records,
                Ok(_) => return none,
                Err(why) if attempt == ATTEMPTS => self.note_trouble(&why),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        none
    }

    fn note_trouble(&self, why: &Why) {
        let is_news = self.with(|status| {
            let before = status.trouble.replace(why.message.clone());
            before.as_ref() != Some(&why.message)
        });
        if is_news {
            tracing::warn!(why = why.message, "evidence cannot be kept over a restart");
        }
    }

    fn note_kept(&self, records: usize, now: Timestamp) {
        self.with(|status| {
            status.kept += records as u64;
            status.last_kept = Some(now);
            status.trouble = None;
        });
    }
}

/// What one account and region still knows of its keeping.
#[derive(Debug, Default)]
pub(super) struct Described {
    taken_up: bool,
    kept_at: Option<Timestamp>,
    kept: u64,
}

impl Reader {
    /// Once: takes up what an earlier process learned of endpoint configs and models.
    pub(super) async fn take_up_described(&mut self) {
        let Some(keeping) = &self.keeping else { return };
        if std::mem::replace(&mut self.described.taken_up, true) {
            return;
        }
        // What cannot be had is read from AWS.
        match keeping.place.described(&self.aws.scope).await {
            Ok(Some(bytes)) => self.cache.take_up(&bytes),
            // They are kept by the first pass, before any record.
            Ok(None) => self.history.has_no_past(),
            Err(why) => keeping.note_trouble(&why),
        }
    }

    /// Keeps what is due. `at_the_end` is for a process that is about to end.
    pub async fn keep_evidence(&mut self, at_the_end: bool, most: Duration) {
        let Some(keeping) = self.keeping.clone() else { return };
        let until = Instant::now() + if at_the_end { most } else { A_PASS };
        let now = self.clock.now();
        let every = if at_the_end { EVERY_AT_THE_END } else { EVERY };
        self.keep_described(&keeping, at_the_end, now).await;
        let due = self.variants.iter().filter(|(_, variant)| variant.evidence_due(now, every));
        let due: Vec<VariantId> = due.map(|(id, _)| id.clone()).collect();
        for ids in due.chunks(AT_ONCE) {
            let record = |id: &VariantId| Some((id.clone(), self.variants.get(id)?.evidence(id)?));
            let records: Vec<_> = ids.iter().filter_map(record).collect();
            // What a disk has lost is no evidence, and is read again.
            let kept: Vec<VariantId> = records.iter().map(|(id, _)| id.clone()).collect();
            if let Err(why) = keeping.place.keep_records(records, now).await {
                keeping.note_trouble(&why);
                return;
            }
            for id in &kept {
                if let Some(variant) = self.variants.get_mut(id) {
                    variant.note_evidence_kept(now);
                }
            }
            keeping.note_kept(kept.len(), now);
            if Instant::now() >= until {
                return;
            }
        }
    }

    /// All of what is known as one: it is small, and changes with deploys.
    async fn keep_described(&mut self, keeping: &Keeping, at_the_end: bool, now: Timestamp) {
        let Described { kept_at, kept, .. } = self.described;
        let reads = self.cache.reads();
        let waits = !at_the_end && kept_at.is_some_and(|at| now - at < DESCRIBED_EVERY);
        if reads == kept || waits {
            return;
        }
        let scope: Scope = self.aws.scope.clone();
        match keeping.place.keep_described(&scope, self.cache.kept()).await {
            Ok(()) => {
                self.described.kept = reads;
                self.described.kept_at = Some(now);
            }
            Err(why) => keeping.note_trouble(&why),
        }
    }
}
