//! Who keeps what is remembered, and the signs of another process that writes the same variant
//! without a common Lease (rule 26).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Two signs so far apart are no overlap of an old process and its successor.
const CERTAIN_AFTER: TimeDelta = TimeDelta::minutes(5);
/// After one sign of another process nothing is written for so long: it may be in the middle of
/// what was just decided here.
const WAIT_AFTER_ONE: TimeDelta = TimeDelta::minutes(10);
/// A sign that no other follows is forgotten after this time.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(24);

/// The process that kept a memory last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// Names the process and its term of leadership; random.
    pub id: String,
    /// When it kept it.
    pub at: Timestamp,
}

/// The signs of another setpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherSetpoint {
    /// Who it is, where its memory has shown it.
    pub id: Option<String>,
    /// The first sign.
    pub first: Timestamp,
    /// The newest.
    pub last: Timestamp,
}

impl OtherSetpoint {
    /// Takes a sign into account; of another process than the one before, it is a first one.
    #[must_use]
    pub fn seen(before: Option<&Self>, id: Option<&str>, at: Timestamp) -> Self {
        let id = id.map(str::to_owned);
        let same = before.filter(|b| b.is_certain() || b.id.is_none() || id.is_none() || b.id == id);
        let Some(before) = same else { return Self { id, first: at, last: at } };
        Self { id: before.id.clone().or(id), first: before.first, last: before.last.max(at) }
    }

    /// Whether it is still at it, and not the predecessor of this process on its way out.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.last - self.first >= CERTAIN_AFTER
    }

    /// Until when a single sign holds writes: only where the memory has shown the process, for the
    /// value of an overwrite may be chance.
    #[must_use]
    pub fn waits_until(&self) -> Option<Timestamp> {
        self.id.as_ref().map(|_| self.last + WAIT_AFTER_ONE)
    }

    /// Whether nothing has come of it.
    #[must_use]
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        !self.is_certain() && now - self.last >= FORGOTTEN_AFTER
    }
}
