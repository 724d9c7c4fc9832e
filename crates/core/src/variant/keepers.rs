//! Whether another process keeps the same memory while this one does (rule 26).

use crate::model::keeper::{MemoryWriter, OtherSetpoint};
use crate::model::memory::VariantMemory;
use crate::model::shared::Shared;

/// Who kept what is remembered of a variant, as last seen.
#[derive(Debug, Clone, Default)]
pub struct MemoryWriterWatch {
    last: Option<Shared<MemoryWriter>>,
    has_looked: bool,
}

impl MemoryWriterWatch {
    /// Looks at who kept a memory that was just read, and notes in it when that was another process
    /// than `identity`; whether it was. What is found at first is the predecessor's, and what comes
    /// later is somebody else's.
    pub fn note_read(&mut self, memory: &mut Shared<VariantMemory>, identity: &str) -> bool {
        let before = std::mem::replace(&mut self.last, memory.keeper.clone());
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let Some(found) = memory.keeper.as_ref().filter(|_| !is_first) else { return false };
        // What is older than what was known before is an answer that is late.
        if before.as_ref().is_some_and(|before| found.at <= before.at) {
            self.last = before;
            return false;
        }
        if *found.id == *identity {
            return false;
        }
        let other = memory.other_setpoint.as_deref();
        memory.other_setpoint = Some(OtherSetpoint::seen(other, Some(&found.id), found.at).into());
        true
    }

    /// This process kept a memory: seeing it again is no sign of anybody.
    pub fn note_kept(&mut self, memory: &VariantMemory) {
        *self = Self { last: memory.keeper.clone(), has_looked: true };
    }
}
