//! What must be remembered, in a file that is replaced as a whole.
//!
//! All work on it is done away from the async threads and within a time limit. A record that cannot
//! be read is moved to a file beside it when something is next saved; the others live.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::model::record::{self, Record};
use crate::model::shared::Shared;
use crate::model::spending::Spending;
use crate::ports::{
    Keep, LEADERSHIP_LOST, Leadership, Memories, Memory, MemoryError, SetAside, Subject,
    memories_of,
};
use crate::system::files::{self, Digest, Digesting, FileWork};

use document::{Aside, Document, VERSION};

/// How long the file system may take. A pass waits for it twice.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// More than the memory of 10,000 variants, which is some 40 MB.
const BYTES_MAX: u64 = 256 << 20;

/// A file of JSON, one line for each variant: a crash leaves the old one or the new one.
#[derive(Debug)]
pub struct FileMemory {
    place: Arc<Place>,
    work: FileWork,
}

/// The file, and what is known of it.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// Where records go that could not be read.
    beside: PathBuf,
    set_aside: Mutex<SetAside>,
    tidied: AtomicBool,
    newer_reported: AtomicBool,
    /// What the file held when it was last read. To parse it in every pass would hold the memory of a large fleet twice,
    /// and its text as well.
    last: Mutex<Option<(Digest, Document)>>,
}

impl FileMemory {
    /// Remembers in this file. It need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let beside = with_suffix(&path, ".set-aside");
        let place = Arc::new(Place {
            path,
            beside,
            set_aside: Mutex::default(),
            tidied: AtomicBool::new(false),
            newer_reported: AtomicBool::new(false),
            last: Mutex::default(),
        });
        Self { place, work: FileWork::new(TIME_LIMIT) }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, MemoryError> {
        let place = Arc::clone(&self.place);
        self.work.run(move || work(&place)).await.map_err(|error| self.error(&error))
    }

    fn error(&self, error: &Error) -> MemoryError {
        MemoryError { location: self.place.path.display().to_string(), message: error.to_string() }
    }
}

impl Place {
    /// What the file holds. Nothing is written for it.
    fn read(&self) -> Result<Document> {
        let mut document = match files::digest(&self.path, BYTES_MAX) {
            Ok(digest) => self.parsed(digest)?,
            Err(error) if error.kind() == ErrorKind::NotFound => Document::default(),
            Err(error) => return Err(error),
        };
        if document.damaged.is_empty() && !self.beside.try_exists()? {
            document.end_stand_ins();
        }
        self.note_set_aside(&document);
        self.note_newer(&document);
        Ok(document)
    }

    /// The file taken apart, unless it holds what it held the last time.
    fn parsed(&self, digest: Digest) -> Result<Document> {
        if let Some((of, document)) = &*self.last()
            && *of == digest
        {
            return Ok(document.clone());
        }
        let content = files::read(&self.path, BYTES_MAX)?;
        let digest = Digest::of(&content);
        let document = Document::parse(content).map_err(Error::other)?;
        *self.last() = document.is_plain().then(|| (digest, document.clone()));
        Ok(document)
    }

    fn last(&self) -> MutexGuard<'_, Option<(Digest, Document)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a document there; what could not be read of the last one goes beside it first.
    fn write(&self, mut document: Document) -> Result<()> {
        if !self.tidied.swap(true, Ordering::Relaxed) {
            files::remove_left_behind(&self.path);
        }
        if let Some((version, whole)) = document.newer.take() {
            // The version that wrote it may come back, and knows more.
            let kept = self.kept_newer(version);
            if !kept.try_exists()? {
                files::replace(&kept, &whole)?;
            }
        }
        if !document.damaged.is_empty() {
            let before = self.read_beside();
            files::replace(&self.beside, &Aside::add(&before, &document.damaged))?;
            document.damaged.clear();
        }
        *self.last() = None;
        let mut digest = None;
        files::replace_with(&self.path, |file| {
            let mut file = Digesting::new(file);
            document.write(&mut file)?;
            digest = Some(file.digest());
            Ok(())
        })?;
        self.note_set_aside(&document);
        *self.last() = digest.map(|digest| (digest, document));
        Ok(())
    }

    /// Where a file of a later version is kept as it was found.
    fn kept_newer(&self, version: u32) -> PathBuf {
        with_suffix(&self.path, &format!(".version-{version}"))
    }

    /// Says once that the file is of a later version: what this one does not know is not carried on.
    fn note_newer(&self, document: &Document) {
        let Some((version, _)) = &document.newer else { return };
        if self.newer_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        let kept = self.kept_newer(*version);
        tracing::warn!(
            memory = %self.path.display(),
            version,
            "the memory was written by a later setpoint (version {version} of the form, and this one \
             writes version {VERSION}). setpoint reads what it knows of it; before it is next saved, \
             the whole of it is copied to {}. Put that copy back before you return to the later \
             version",
            kept.display()
        );
    }

    fn read_beside(&self) -> Vec<u8> {
        // What cannot be read there is not counted; the memory itself is what matters.
        files::read(&self.beside, BYTES_MAX).unwrap_or_default()
    }

    fn note_set_aside(&self, document: &Document) {
        let beside = Aside::parse(&self.read_beside());
        let waiting = &document.damaged;
        let found = SetAside {
            records: beside.len() + waiting.len(),
            sentence: sentence(&beside, waiting, &self.beside),
        };
        let mut known = self.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        if found.records > known.records {
            tracing::warn!(memory = %self.path.display(), records = found.records, "{}", found.sentence);
        }
        *known = found;
    }
}

fn sentence(beside: &[Aside], waiting: &[Aside], place: &Path) -> String {
    let Some(first) = beside.first().or(waiting.first()) else { return String::new() };
    let (count, place) = (beside.len() + waiting.len(), place.display());
    let (records, them) = if count == 1 { ("record", "it") } else { ("records", "them") };
    let kept = if waiting.is_empty() { "keeps" } else { "keeps, or will keep," };
    format!(
        "{count} {records} of the memory could not be read: {} ({}). {place} {kept} {them}. The \
         variants concerned start with an empty memory: no raise for 24 hours, and a pause that could \
         not be read holds. Remove that file when you have looked; that ends such a pause",
        first.of, first.why
    )
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[async_trait]
impl Memory for FileMemory {
    async fn load(&self, of: &[Subject], _fresh: bool) -> Memories {
        memories_of(of, self.with(|place| Ok(place.read()?.variants)).await)
    }

    async fn save(
        &self,
        all: &[Keep],
        leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        let mut failed = BTreeMap::new();
        if !leadership.may_write() {
            let lost = self.error(&Error::other(LEADERSHIP_LOST));
            return all.iter().map(|keep| (keep.subject.id.clone(), lost.clone())).collect();
        }
        let mut changed: Vec<(VariantId, Shared<VariantMemory>)> = Vec::with_capacity(all.len());
        for Keep { subject, memory, .. } in all {
            // The others are not to suffer for one that cannot be kept.
            match Record::of_variant(&subject.id, memory) {
                Ok(_) => changed.push((subject.id.clone(), memory.clone())),
                Err(why) => {
                    failed.insert(subject.id.clone(), self.error(&Error::other(why)));
                }
            }
        }
        let ids: Vec<VariantId> = changed.iter().map(|(id, _)| id.clone()).collect();
        // Read first: a pause may have been put in from outside.
        let saved = self.with(move |place| {
            let mut document = place.read()?;
            document.variants.extend(changed);
            place.write(document)
        });
        if let Err(error) = saved.await {
            failed.extend(ids.into_iter().map(|id| (id, error.clone())));
        }
        failed
    }

    fn set_aside(&self) -> SetAside {
        self.place.set_aside.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn remembered(&self) -> std::result::Result<BTreeSet<VariantId>, MemoryError> {
        self.with(|place| Ok(place.read()?.variants.into_keys().collect())).await
    }

    async fn pauses(&self) -> std::result::Result<Pauses, MemoryError> {
        self.with(|place| Ok(place.read()?.pauses)).await
    }

    async fn save_pauses(&self, pauses: &Pauses) -> std::result::Result<(), MemoryError> {
        Record::of(record::PAUSES, pauses).map_err(|why| self.error(&Error::other(why)))?;
        let pauses = pauses.clone();
        self.with(move |place| place.write(Document { pauses, ..place.read()? })).await
    }

    async fn spending(&self) -> std::result::Result<Spending, MemoryError> {
        self.with(|place| Ok(place.read()?.spending)).await
    }

    async fn save_spending(&self, spending: &Spending) -> std::result::Result<(), MemoryError> {
        let spending = spending.clone();
        self.with(move |place| place.write(Document { spending, ..place.read()? })).await
    }

    fn keeps_spending(&self) -> bool {
        true
    }

    fn survives_restart(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
