//! The newest scaling activities, which are not read in every pass (rule 24).

use chrono::TimeDelta;

use crate::model::fact::Fact;
use crate::model::ids::VariantId;
use crate::model::reads::Read;
use crate::model::scaling::Activity;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;

/// Activities are read at least this often of every variant.
const READ_EVERY: TimeDelta = TimeDelta::hours(1);

/// What is known of a variant's scaling activities.
#[derive(Debug, Clone)]
pub struct Activities {
    /// The newest of them.
    pub known: Fact<Shared<Vec<Activity>>>,
    /// The read behind them.
    pub read: Option<Read>,
    /// When the last read began; before the first, a time within the last hour.
    read_at: Option<Timestamp>,
    /// Whether something changed since.
    changed: bool,
}

impl Default for Activities {
    fn default() -> Self {
        Self { known: Fact::not_read_yet(), read: None, read_at: None, changed: false }
    }
}

impl Activities {
    /// Something about the variant changed, so that they are read in this pass.
    pub const fn note_change(&mut self) {
        self.changed = true;
    }

    /// Whether they are to be read: something changed, or an hour has passed. First reads are spread
    /// over an hour, so that a start is no storm of calls.
    pub fn is_due(&mut self, id: &VariantId, now: Timestamp) -> bool {
        let read_at = *self.read_at.get_or_insert_with(|| now - spread(id));
        self.changed || now - read_at >= READ_EVERY
    }

    /// Which of those that are due come first: what changed, then what has waited longest.
    pub const fn turn(&self) -> (bool, Option<Timestamp>) {
        (!self.changed, self.read_at)
    }

    /// They were read in the pass that began at `now`, or could not be. Raises wait for them, so that what may succeed a
    /// moment later is tried again in the next pass.
    pub fn note(&mut self, found: Fact<Shared<Vec<Activity>>>, read: Option<Read>, now: Timestamp) {
        let changed = found.why().is_some_and(|why| why.kind.may_pass());
        *self = Self { known: found, read, read_at: Some(now), changed };
    }
}

/// A delay within the hour, the same for the same variant.
fn spread(id: &VariantId) -> TimeDelta {
    let hash = id.to_string().bytes().fold(7_u32, |h, b| h.wrapping_mul(31) ^ u32::from(b));
    TimeDelta::seconds(i64::from(hash % 3600))
}
