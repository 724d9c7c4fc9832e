//! Whether what must be remembered can be read and saved: what one account and region has found of
//! it in a pass, and all of them together.

use crate::model::fact::Why;
use crate::model::status::MemoryStatus;
use crate::model::time::Timestamp;
use crate::ports::{Memories, MemoryError, Subject};

/// What the passes of one account and region find of the memory.
#[derive(Debug, Default)]
pub(super) struct MemoryHealth {
    status: MemoryStatus,
    /// What came of the saves of the pass under way, if there were any.
    saving: Option<Result<(), Why>>,
}

impl MemoryHealth {
    /// A pass begins: whether the memory can be read is seen again.
    pub(super) fn begin_pass(&mut self) {
        self.status.unread = None;
        self.saving = None;
    }

    pub(super) fn not_read(&mut self, why: &Why) {
        self.status.unread.get_or_insert_with(|| why.clone());
    }

    /// Takes note of what was loaded.
    pub(super) fn loaded(&mut self, of: &[Subject], memories: &Memories) {
        let unread = of.iter().find_map(|subject| {
            let why = memories.get(&subject.id)?.why()?;
            // A memory in AWS is not what is broken where AWS itself cannot be read.
            (subject.target.why() != Some(why)).then_some(why)
        });
        if let Some(why) = unread {
            self.not_read(why);
        }
    }

    /// Takes note of a save, by what it could not keep.
    pub(super) fn saved<'e>(&mut self, failed: impl IntoIterator<Item = &'e MemoryError>) {
        match failed.into_iter().next() {
            Some(error) if !matches!(self.saving, Some(Err(_))) => {
                self.saving = Some(Err(error.clone().into()));
            }
            Some(_) => {}
            None => {
                self.saving.get_or_insert(Ok(()));
            }
        }
    }

    /// The pass has ended. One that had nothing to save says nothing about saving.
    pub(super) fn end_pass(&mut self, now: Timestamp) -> MemoryStatus {
        match self.saving.take() {
            Some(Ok(())) => {
                self.status.unsaved = None;
                self.status.last_saved = Some(now);
            }
            Some(Err(why)) => self.status.unsaved = Some(why),
            None => {}
        }
        self.status.clone()
    }
}

/// What all accounts and regions together have found; `before` of those that say nothing now.
pub fn together(
    before: Option<&MemoryStatus>,
    all: impl IntoIterator<Item = MemoryStatus>,
) -> MemoryStatus {
    let mut together = MemoryStatus {
        last_saved: before.and_then(|status| status.last_saved),
        ..MemoryStatus::default()
    };
    for MemoryStatus { unread, unsaved, last_saved } in all {
        together.unread = together.unread.or(unread);
        together.unsaved = together.unsaved.or(unsaved);
        together.last_saved = together.last_saved.max(last_saved);
    }
    together
}
