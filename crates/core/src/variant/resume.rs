//! What is kept of a variant over a restart, so that only what is new is read again.
//!
//! The form is JSON of the state itself, strict in both directions: a field that is missing or not
//! known is a record that cannot be used, and every field of the state is named here or beside its
//! type, so that a new one does not compile before somebody has decided about it. A record never
//! replaces a read: it counts once everything since has been read and pushed into it. Whatever does not
//! fit is dropped, which costs a read of the history and nothing else.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::capacity::{CapacityWatch, KeptCapacity};
use super::recent::{Recent, highest_load};
use super::{FactorWatch, FloorsWatch, Variant};
use crate::estimate::EstimatorSettings;
use crate::model::evidence::NotResumed;
use crate::model::fact::Fact;
use crate::model::goal::Objective;
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::snapshot::Telemetry;
use crate::model::time::Timestamp;
use crate::model::usage::Usage;
use crate::reaction_time::Ledger;

/// The form of a record. It changes with every change of the state, and when the same state means
/// something else; records of another form are dropped. A unit test compares what the same minutes
/// leave behind.
pub const FORM: u32 = 10;

/// What a record must fit.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    pub id: &'a VariantId,
    /// What it is judged by.
    pub settings: &'a EstimatorSettings,
    /// What is remembered of its regimes.
    pub memory: Option<&'a VariantMemory>,
    /// From where on its history would be read without the record.
    pub from: Timestamp,
    pub now: Timestamp,
}

/// The version alone, of a record of any form.
#[derive(Deserialize)]
struct Head {
    form: u32,
}

/// A record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept<'a> {
    form: u32,
    variant: Cow<'a, VariantId>,
    since: Timestamp,
    judged_by: Objective,
    recent: KeptRecent<'a>,
    capacity: KeptCapacity<'a>,
    ledger: Cow<'a, Ledger>,
}

/// The newest telemetry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptRecent<'a> {
    /// Without its hours, which the history has.
    telemetry: Cow<'a, Telemetry>,
    usage: Cow<'a, Usage>,
    read_until: Timestamp,
    thin_until: Option<Timestamp>,
    hourly_peaks: Cow<'a, [(i32, f64)]>,
}

impl Variant {
    /// All that a restart need not read again, once all of the history is known; what only a process
    /// knows of itself, and what the first pass reads anyway, is not in it.
    pub fn evidence(&self, id: &VariantId) -> Option<Vec<u8>> {
        if self.wants_history() {
            return None;
        }
        // Every field has its answer here: a new one is a decision, and another form.
        let Self {
            recent:
                Recent {
                    telemetry,
                    read_until,
                    thin_until,
                    hourly_peaks,
                    usage_until: _,
                    highest_load: _,
                },
            telemetry_read: _,
            capacity,
            ledger,
            floors: FloorsWatch { .. },
            factor: FactorWatch { .. },
            instances: _,
            activities: _,
            keepers: _,
            max_capacity: _,
            last_successful_pass: _,
            judged_by,
            known_since,
            partial_since: _,
            wants_longer: _,
            unchanged: _,
            weeks_asked: _,
            weeks_came: _,
            is_resumed: _,
        } = self;
        let telemetry = telemetry.known()?;
        let judged_by = (*judged_by)?;
        if judged_by.latency.is_some() && !capacity.is_estimated() {
            // A bug of ours has cost it its estimate.
            return None;
        }
        let kept = Kept {
            form: FORM,
            variant: Cow::Borrowed(id),
            since: (*known_since)?,
            judged_by,
            recent: KeptRecent {
                telemetry: Cow::Borrowed(telemetry),
                usage: Cow::Owned(telemetry.used()?),
                read_until: (*read_until)?,
                thin_until: *thin_until,
                hourly_peaks: Cow::Owned(hourly_peaks.get()),
            },
            capacity: capacity.kept()?,
            ledger: Cow::Borrowed(ledger),
        };
        // Numbers and short texts always have a JSON form.
        serde_json::to_vec(&kept).ok()
    }

    /// What a record says of this variant, as far as it goes: what has happened since is still to be
    /// pushed into it, and then it can be [adopted](Self::adopt). `self` is what is known without it,
    /// its endpoint above all.
    ///
    /// # Errors
    /// When the record does not fit, and all of the history is to be read.
    pub fn resume(&self, record: &[u8], present: &Present<'_>) -> Result<Self, NotResumed> {
        let damaged = |_| NotResumed::Damaged;
        let head: Head = serde_json::from_slice(record).map_err(damaged)?;
        if head.form != FORM {
            return Err(NotResumed::OtherForm);
        }
        let kept: Kept<'_> = serde_json::from_slice(record).map_err(damaged)?;
        let Kept { form: _, variant, since, judged_by, recent, capacity, ledger } = kept;
        let KeptRecent { telemetry, usage, read_until, thin_until, hourly_peaks } = recent;
        if *variant != *present.id {
            return Err(NotResumed::OtherVariant);
        }
        if read_until > present.now {
            return Err(NotResumed::Ahead);
        }
        if read_until <= present.from {
            return Err(NotResumed::TooOld);
        }
        if since > present.from {
            return Err(NotResumed::TooShort);
        }
        if judged_by != present.settings.objective {
            return Err(NotResumed::OtherSettings);
        }
        let capacity = self.capacity.resume(capacity, read_until, present)?;
        let mut telemetry = telemetry.into_owned();
        telemetry.usage = (&*usage).into();
        let telemetry_read = Some(Read::new("GetMetricData", telemetry.read_at));
        Ok(Self {
            recent: Recent {
                highest_load: highest_load(&telemetry),
                telemetry: Fact::Known(telemetry),
                read_until: Some(read_until),
                thin_until,
                hourly_peaks: (&hourly_peaks.into_owned()).into(),
                usage_until: Some(read_until),
            },
            telemetry_read,
            capacity,
            ledger: ledger.into_owned(),
            judged_by: Some(judged_by),
            known_since: Some(since),
            is_resumed: true,
            ..self.blank()
        })
    }

    /// Whether what a record would say is worth keeping now: nothing was kept, more has happened than
    /// new minutes, or it was kept so long ago.
    pub fn evidence_due(&self, now: Timestamp, every: chrono::TimeDelta) -> bool {
        let is_due = || self.capacity.evidence_kept.is_none_or(|kept| now - kept >= every);
        !self.wants_history() && self.known_since.is_some() && is_due()
    }

    /// Takes note that its record was kept.
    pub const fn note_evidence_kept(&mut self, at: Timestamp) {
        self.capacity.evidence_kept = Some(at);
    }

    /// Whether it is known what the endpoint runs, which a record is compared with.
    pub const fn is_identified(&self) -> bool {
        self.capacity.is_identified()
    }
}

impl CapacityWatch {
    /// What a record says, with what this process has seen happen.
    fn resume(
        &self,
        kept: KeptCapacity<'_>,
        until: Timestamp,
        present: &Present<'_>,
    ) -> Result<Self, NotResumed> {
        let resumed = self.resumed(kept, until, present.now).ok_or(NotResumed::Deploy)?;
        let Some(estimator) = resumed.estimator() else {
            let is_judged = present.settings.objective.latency.is_some();
            return if is_judged { Err(NotResumed::Damaged) } else { Ok(resumed) };
        };
        if !estimator.is_made_by(present.settings) {
            return Err(NotResumed::OtherSettings);
        }
        let journal = present.memory.and_then(|memory| memory.journal.as_ref());
        if journal.is_some_and(|journal| estimator.is_outdated_by(&journal.value())) {
            return Err(NotResumed::OtherRegime);
        }
        Ok(resumed)
    }
}

#[cfg(test)]
mod tests;
