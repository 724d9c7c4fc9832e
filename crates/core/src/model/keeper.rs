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
/// So many processes are told apart.
const SIGNS_MAX: usize = 4;
/// A sign that no other follows is forgotten after this time.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(24);

/// The process that kept a memory last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryWriter {
    /// Names the process and its term of leadership; random.
    pub id: String,
    pub at: Timestamp,
}

/// The signs that more than one setpoint writes a variant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherSetpoint {
    /// Each process that another one has met, the newest last. Both note the other where they have
    /// a memory in common.
    pub signs: Vec<Sign>,
}

/// A process as another one has met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// Who it is, where its memory has shown it; absent where only its writes have.
    pub id: Option<String>,
    /// The first sign.
    pub first: Timestamp,
    /// The newest.
    pub last: Timestamp,
}

impl Sign {
    fn is_certain(&self) -> bool {
        self.last - self.first >= CERTAIN_AFTER
    }
}

impl OtherSetpoint {
    /// Takes a sign into account.
    pub fn seen(before: Option<&Self>, id: Option<&str>, at: Timestamp) -> Self {
        let mut signs = before.map_or_else(Vec::new, |before| before.signs.clone());
        let known = signs.iter().position(|sign| sign.id.as_deref() == id);
        let first = known.map_or(at, |known| signs.remove(known).first);
        signs.push(Sign { id: id.map(str::to_owned), first, last: at });
        if signs.len() > SIGNS_MAX {
            // What is certain stays until a person has looked, whatever comes after it.
            let oldest = signs.iter().position(|sign| !sign.is_certain());
            signs.remove(oldest.unwrap_or_default());
        }
        Self { signs }
    }

    /// The process that is still at it, and not the predecessor of another on its way out.
    pub fn certain(&self) -> Option<&Sign> {
        self.signs.iter().find(|sign| sign.is_certain())
    }

    /// Until when single signs hold writes: only where the memory has shown the process, for the
    /// value of an overwrite may be chance.
    pub fn waits_until(&self) -> Option<Timestamp> {
        let met = self.signs.iter().filter(|sign| sign.id.is_some());
        met.map(|sign| sign.last + WAIT_AFTER_ONE).max()
    }

    /// Whether nothing has come of it.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        let old = |sign: &Sign| now - sign.last >= FORGOTTEN_AFTER;
        self.certain().is_none() && self.signs.iter().all(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn signs(all: &[(Option<&str>, i64)]) -> OtherSetpoint {
        all.iter().fold(OtherSetpoint::default(), |before, (id, minute)| {
            OtherSetpoint::seen(Some(&before), *id, at(*minute))
        })
    }

    #[test]
    fn two_signs_of_one_process_are_certain_and_an_overlap_of_two_is_not() {
        // A rolling update: the old process is met twice within its grace, the new one by it.
        let overlap = signs(&[(Some("old"), 0), (Some("new"), 1), (Some("old"), 2)]);
        assert_eq!(overlap.certain(), None);
        assert_eq!(overlap.waits_until(), Some(at(12)));
        // Another rolling update a day later is no more of a sign.
        let again = OtherSetpoint::seen(Some(&overlap), Some("newer"), at(1500));
        assert_eq!(again.certain(), None);
        let there = OtherSetpoint::seen(Some(&overlap), Some("new"), at(6));
        assert_eq!(there.certain().unwrap().id.as_deref(), Some("new"));
        assert!(!there.is_forgotten(at(10_000)), "a person has to look");
        assert!(overlap.is_forgotten(at(2 + 24 * 60)));
    }

    #[test]
    fn what_is_certain_outlasts_any_number_of_other_processes() {
        let mut all = signs(&[(Some("there"), 0), (Some("there"), 9)]);
        for (minute, id) in (10..).zip(["a", "b", "c", "d", "e"]) {
            all = OtherSetpoint::seen(Some(&all), Some(id), at(minute));
        }
        assert_eq!(all.certain().unwrap().id.as_deref(), Some("there"));
        assert_eq!(all.signs.len(), 4);
        assert_eq!(all.signs.last().unwrap().id.as_deref(), Some("e"));
    }

    #[test]
    fn the_value_of_a_single_overwrite_holds_nothing() {
        assert_eq!(signs(&[(None, 0)]).waits_until(), None);
        assert!(signs(&[(None, 0), (None, 9)]).certain().is_some());
    }
}
