//! Where what must be remembered is kept: a file, tags in AWS, or this process alone.

mod changes;
pub mod codec;
mod file;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::model::shared::Shared;
use crate::ports::{Keep, Leadership, Memories, Memory, MemoryError, Subject, memories_of};

pub use file::FileMemory;
pub use tags::TagMemory;

/// Remembers as long as the process lives.
#[derive(Debug, Default)]
pub struct ProcessMemory {
    all: Mutex<BTreeMap<VariantId, Shared<VariantMemory>>>,
    pauses: Mutex<Pauses>,
}

#[async_trait]
impl Memory for ProcessMemory {
    async fn load(&self, of: &[Subject], _fresh: bool) -> Memories {
        memories_of(of, Ok(self.all.lock().await.clone()))
    }

    async fn save(
        &self,
        all: &[Keep],
        _leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        let mut known = self.all.lock().await;
        known.extend(all.iter().map(|keep| (keep.subject.id.clone(), keep.memory.clone())));
        BTreeMap::new()
    }

    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError> {
        Ok(self.all.lock().await.keys().cloned().collect())
    }

    async fn pauses(&self) -> Result<Pauses, MemoryError> {
        Ok(self.pauses.lock().await.clone())
    }

    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError> {
        pauses.clone_into(&mut *self.pauses.lock().await);
        Ok(())
    }

    fn survives_restart(&self) -> bool {
        false
    }
}
