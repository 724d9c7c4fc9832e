//! Where what must be remembered is kept: a file, tags in AWS, or this process alone.

mod changes;
pub mod codec;
mod tags;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::ports::{
    Keep, Leadership, Memories, Memory, MemoryError, Subject, memories_of, none_kept,
};

pub use tags::TagMemory;

/// The version of the file's form; a file of a later one is not understood, and not overwritten.
const VERSION: u32 = 1;

/// A file of JSON, replaced as a whole: a crash leaves the old one or the new one.
#[derive(Debug)]
pub struct FileMemory {
    path: PathBuf,
    // One writer at a time within the process; between processes leadership sees to it.
    writing: Mutex<()>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// Of more than one variant.
    #[serde(default, skip_serializing_if = "Pauses::is_empty")]
    pauses: Pauses,
    variants: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    id: VariantId,
    memory: VariantMemory,
}

impl Document {
    fn all(self) -> BTreeMap<VariantId, VariantMemory> {
        self.variants.into_iter().map(|entry| (entry.id, entry.memory)).collect()
    }
}

impl FileMemory {
    /// Remembers in this file. It need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), writing: Mutex::new(()) }
    }

    fn error(&self, message: impl std::fmt::Display) -> MemoryError {
        MemoryError { location: self.path.display().to_string(), message: message.to_string() }
    }

    fn read(&self) -> Result<Document, MemoryError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let (version, pauses, variants) = (VERSION, Pauses::default(), Vec::new());
                return Ok(Document { version, pauses, variants });
            }
            Err(error) => return Err(self.error(error)),
        };
        let document: Document = serde_json::from_slice(&text).map_err(|e| self.error(e))?;
        if document.version != VERSION {
            let found = document.version;
            return Err(self.error(format!("version {found}, and only {VERSION} is understood")));
        }
        Ok(document)
    }

    fn write(&self, document: &Document) -> Result<(), MemoryError> {
        let text = serde_json::to_vec_pretty(document).map_err(|e| self.error(e))?;
        replace(&self.path, &text).map_err(|e| self.error(e))
    }
}

/// Writes beside the file, flushes to the disk, and renames over it.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("tmp");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[async_trait]
impl Memory for FileMemory {
    async fn load(&self, of: &[Subject], _fresh: bool) -> Memories {
        memories_of(of, self.read().map(Document::all))
    }

    async fn save(
        &self,
        all: &[Keep],
        _leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        let _writing = self.writing.lock().await;
        // Read anew: a pause may have been put in from outside.
        let saved = self.read().and_then(|document| {
            let pauses = document.pauses.clone();
            let mut known = document.all();
            known.extend(all.iter().map(|keep| (keep.subject.id.clone(), keep.memory.clone())));
            let variants = known.into_iter().map(|(id, memory)| Entry { id, memory }).collect();
            self.write(&Document { version: VERSION, pauses, variants })
        });
        none_kept(all, saved)
    }

    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError> {
        Ok(self.read()?.variants.into_iter().map(|entry| entry.id).collect())
    }

    async fn pauses(&self) -> Result<Pauses, MemoryError> {
        Ok(self.read()?.pauses)
    }

    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError> {
        let _writing = self.writing.lock().await;
        self.write(&Document { pauses: pauses.clone(), ..self.read()? })
    }

    fn survives_restart(&self) -> bool {
        true
    }
}

/// Remembers as long as the process lives.
#[derive(Debug, Default)]
pub struct ProcessMemory {
    all: Mutex<BTreeMap<VariantId, VariantMemory>>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::Fact;

    /// Whoever asks may write.
    struct Yes;

    impl Leadership for Yes {
        fn may_write(&self) -> bool {
            true
        }
    }

    fn subject(endpoint: &str) -> Subject {
        Subject { id: id(endpoint), target: Fact::not_read_yet(), untouchable: None }
    }

    fn keep(endpoint: &str, memory: &VariantMemory) -> Keep {
        Keep { subject: subject(endpoint), memory: memory.clone(), urgent: false }
    }

    fn id(endpoint: &str) -> VariantId {
        VariantId {
            account_id: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            endpoint: endpoint.parse().unwrap(),
            variant: "AllTraffic".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_file_keeps_what_another_save_put_there() {
        let folder = std::env::temp_dir().join(format!("setpoint-memory-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let memory = FileMemory::new(folder.join("memory.json"));
        let of = [subject("a"), subject("b")];
        let nothing = memory.load(&of, false).await;
        assert_eq!(nothing[&id("a")], Fact::Known(VariantMemory::default()));
        let adopted = VariantMemory { adopted: true, ..VariantMemory::default() };
        assert!(memory.save(&[keep("a", &adopted)], &Yes).await.is_empty());
        assert!(memory.save(&[keep("b", &adopted)], &Yes).await.is_empty());
        let all = memory.load(&of, false).await;
        assert_eq!([&all[&id("a")], &all[&id("b")]], [&Fact::Known(adopted.clone()); 2]);

        // What is not understood is an error, and stays as it is.
        std::fs::write(folder.join("memory.json"), b"{\"version\":9,\"variants\":[]}").unwrap();
        let failed = memory.save(&[keep("a", &adopted)], &Yes).await;
        assert!(failed[&id("a")].message.contains("version 9"), "{failed:?}");
        assert!(memory.load(&of, false).await[&id("b")].why().is_some());
        assert!(std::fs::read_to_string(folder.join("memory.json")).unwrap().contains('9'));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
