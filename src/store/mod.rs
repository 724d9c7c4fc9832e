//! The history that stays: hours and events of every variant, for 90 days, in one file or in memory.
//!
//! The task that makes passes hands in what each came to; pages, the API and `setpoint history` ask.
//! All work on the file is done away from the async threads, one piece at a time and within a time
//! limit. Nothing that setpoint decides rests on it: without it writes go on (what they need is
//! behind the memory port), and that is said.

mod changes;
mod disk;
mod evidence;
mod pack;
mod records;
mod shelf;
mod unsaved;
mod values;

use std::io::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::model::history::History;
use crate::model::ids::VariantId;
use crate::model::record::SPENDING;
use crate::model::spending::Spending;
use crate::model::status::{FleetStatus, Saved, StoreStatus};
use crate::model::time::Timestamp;
use crate::system::files::FileWork;

pub use changes::changes;
pub use shelf::FileShelf;

use disk::{Bounds, Disk, Trouble};
use unsaved::Book;

/// After so long a pass begins to save no further part of what a start has read.
const ROUNDS_TAKE: Duration = Duration::from_secs(3);
/// How long whoever asks waits for the disk. A pass waits for it once.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The most that is kept where there is no file, in bytes.
const MEMORY_MAX: u64 = 16 << 20;
/// Places beside the file for those that could not be read.
const ASIDE: [&str; 3] = [".set-aside", ".set-aside.2", ".set-aside.3"];

/// Where the history is kept, how long, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The file; without one it is kept as long as the process lives.
    pub path: Option<PathBuf>,
    /// How long hours and events are kept.
    pub keep: TimeDelta,
    /// The most that the file may take, in bytes.
    pub bytes_max: u64,
    /// After a start, thousands of variants have 14 days to save, part by part: what a pass has not begun to save after
    /// so long waits for the next one, which has it until telemetry is read again.
    pub rounds_take: Duration,
}

impl StoreSettings {
    /// A place, how long it is kept, and the most that it may take, in bytes.
    pub const fn new(path: Option<PathBuf>, keep: TimeDelta, bytes_max: u64) -> Self {
        Self { path, keep, bytes_max, rounds_take: ROUNDS_TAKE }
    }
}

/// The history is not to be had now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(String);

/// The history of all variants. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    place: Arc<Place>,
    work: FileWork,
}

#[derive(Debug)]
struct Place {
    settings: StoreSettings,
    open: Mutex<Open>,
    status: Mutex<StoreStatus>,
    /// Whether a piece of work has outlasted its time limit, and is still at it.
    late: AtomicBool,
}

/// How often variants are looked for of which nothing is left.
const SWEPT_EVERY: chrono::TimeDelta = chrono::TimeDelta::days(1);

#[derive(Debug, Default)]
struct Open {
    disk: Option<Disk>,
    book: Book,
    /// When variants were last forgotten of which nothing is left.
    swept_at: Option<Timestamp>,
}

impl Store {
    /// A history in this place. The file is opened by the first pass that is handed in: one that
    /// makes no passes leaves it alone.
    pub fn new(settings: StoreSettings) -> Self {
        let status = StoreStatus { path: settings.path.clone(), ..StoreStatus::default() };
        let place = Place {
            settings,
            open: Mutex::default(),
            status: Mutex::new(status),
            late: AtomicBool::new(false),
        };
        Self { place: Arc::new(place), work: FileWork::new(TIME_LIMIT * 2) }
    }

    /// A history that lives as long as the process.
    pub fn in_memory() -> Self {
        let keep = TimeDelta::days(90);
        Self::new(StoreSettings::new(None, keep, MEMORY_MAX))
    }

    /// Takes in what a pass came to, and saves it. What cannot be saved waits for the next pass.
    pub async fn record(&self, fleet: Arc<FleetStatus>) -> StoreStatus {
        let record = move |place: &Place| {
            place.record(&fleet);
            Ok(())
        };
        let recorded = self.with(record).await;
        if let Err(StoreError(why)) = recorded {
            self.place.status().unsaved = Some(why);
        }
        self.status()
    }

    /// What is kept of a variant from `since` on; nothing when nothing is kept of it.
    pub async fn history(
        &self,
        id: &VariantId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<History>, StoreError> {
        let id = id.clone();
        self.with(move |place| place.asked(|disk| disk.history(&id, since, until))).await
    }

    /// The variants of which anything is kept.
    pub async fn variants(&self) -> Result<Vec<VariantId>, StoreError> {
        self.with(|place| place.asked(Disk::variants)).await
    }

    /// What CloudWatch has been asked for, as last kept here.
    pub async fn spending(&self) -> Result<Spending, StoreError> {
        let kept = self.with(|place| place.opened(|disk| disk.text(SPENDING))).await?;
        // What a later version says in another way is counted again.
        Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps what CloudWatch has been asked for.
    pub async fn keep_spending(&self, spending: &Spending) -> Result<(), StoreError> {
        let text =
            serde_json::to_string(spending).map_err(|error| StoreError(error.to_string()))?;
        self.with(move |place| place.opened(|disk| disk.keep_text(SPENDING, &text))).await
    }

    /// Whether it outlives the process.
    pub fn survives_restart(&self) -> bool {
        self.place.settings.path.is_some()
    }

    /// Lets go of the file: another process may make passes now.
    pub async fn close(&self) {
        // A disk that does not answer lets go of it when it does.
        let _ = self
            .with(|place| {
                *place.open() = Open::default();
                let path = place.settings.path.clone();
                *place.status() = StoreStatus { path, ..StoreStatus::default() };
                Ok(())
            })
            .await;
    }

    /// Whether it can be read and saved, and how large it is.
    pub fn status(&self) -> StoreStatus {
        self.place.status().clone()
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let late = || StoreError(format!("no answer within {} s", TIME_LIMIT.as_secs()));
        if self.place.late.load(Ordering::SeqCst) {
            return Err(late());
        }
        let (place, has_ended) = (Arc::clone(&self.place), Arc::<AtomicBool>::default());
        let ended = Arc::clone(&has_ended);
        let done = self.work.run(move || {
            // Work that has not begun has not ended.
            let begun = Begun { place, has_ended: ended };
            work(&begun.place).map_err(|StoreError(why)| Error::other(why))
        });
        let done = tokio::time::timeout(TIME_LIMIT, done).await;
        done.unwrap_or_else(|_elapsed| {
            self.place.late.store(true, Ordering::SeqCst);
            // It may have ended just now.
            if has_ended.load(Ordering::SeqCst) {
                self.place.late.store(false, Ordering::SeqCst);
            }
            Err(Error::other(late().0))
        })
        .map_err(|error| StoreError(error.to_string()))
    }
}

/// Work that is under way: once it has ended, be it by a panic, the next one may begin.
struct Begun {
    place: Arc<Place>,
    has_ended: Arc<AtomicBool>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.place.late.store(false, Ordering::SeqCst);
    }
}

impl Place {
    fn open(&self) -> MutexGuard<'_, Open> {
        // A panic in the middle is one of a damaged file, which is set aside.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, StoreStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, fleet: &FleetStatus) {
        let mut open = self.open();
        let opened = self.ensure_open(&mut open);
        let lost = open.book.take(fleet);
        if lost > 0 {
            tracing::warn!(lost, "the history has no room for events that cannot be saved");
        }
        let Some(at) = fleet.at else { return };
        let (began, limit) = (Instant::now(), self.settings.rounds_take);
        let mut saved = opened.and_then(|()| self.save(&mut open, at));
        while saved.is_ok() && open.book.more_from.is_some() && began.elapsed() < limit {
            open.book.take_more(fleet);
            saved = self.save(&mut open, at);
        }
        let of = match (&saved, &open.book.more_from) {
            (Err(_), _) => Saved::None,
            (Ok(()), Some(first)) => Saved::Before(first.clone()),
            (Ok(()), None) => Saved::All,
        };
        drop(open);
        self.note(saved, of, at);
    }

    /// Opens the file when it is not open; one that is no history, or broken, is set aside.
    fn ensure_open(&self, open: &mut Open) -> Result<(), Trouble> {
        if open.disk.is_some() {
            return Ok(());
        }
        let disk = match &self.settings.path {
            None => Disk::in_memory()?,
            Some(path) => match Disk::open(path) {
                Err(Trouble::Broken(why)) => {
                    self.set_aside(path, &why)?;
                    Disk::open(path)?
                }
                opened => opened?,
            },
        };
        let loaded = match (disk.load(), &self.settings.path) {
            (Err(Trouble::Broken(why)), Some(path)) => {
                drop(disk);
                self.set_aside(path, &why)?;
                open.disk = Some(Disk::open(path)?);
                return Ok(());
            }
            (loaded, _) => loaded?,
        };
        open.book.take_up(loaded);
        open.swept_at = None;
        open.disk = Some(disk);
        Ok(())
    }

    fn save(&self, open: &mut Open, now: Timestamp) -> Result<(), Trouble> {
        let Open { disk: Some(disk), book, swept_at } = &mut *open else { return Ok(()) };
        let bytes_max = match &self.settings.path {
            Some(_) => self.settings.bytes_max,
            None => self.settings.bytes_max.min(MEMORY_MAX),
        };
        let bounds = Bounds { oldest: now - self.settings.keep, bytes_max };
        if book.unsaved.is_empty() {
            return Ok(());
        }
        let is_swept = swept_at.is_some_and(|at| now - at < SWEPT_EVERY);
        let saved = disk
            .save(&book.unsaved, bounds)
            .and_then(|()| if is_swept { Ok(()) } else { disk.forget_variants(bounds.oldest) });
        match saved {
            Ok(()) => {
                book.unsaved = unsaved::Unsaved::default();
                if !is_swept {
                    *swept_at = Some(now);
                }
                Ok(())
            }
            Err(trouble) => {
                // After a failure the file is opened again.
                open.disk = None;
                if let (Trouble::Broken(why), Some(path)) = (&trouble, &self.settings.path) {
                    self.set_aside(path, why)?;
                }
                Err(trouble)
            }
        }
    }

    /// Moves a file out of the way, whatever it is; none that was moved before is overwritten.
    fn set_aside(&self, path: &Path, why: &str) -> Result<(), Trouble> {
        let free = ASIDE.iter().map(|suffix| with_suffix(path, suffix)).find(|to| !to.exists());
        let Some(to) = free else {
            let sentence = format!(
                "{why}; and there is no place to set it aside: remove {}* when you have looked",
                with_suffix(path, ASIDE[0]).display()
            );
            return Err(Trouble::Disk(sentence));
        };
        std::fs::rename(path, &to).map_err(|error| Trouble::Disk(error.to_string()))?;
        let (from, to) = (path.display(), to.display());
        let sentence = format!("{from} was set aside as {to}, and the history starts over: {why}");
        tracing::warn!("{sentence}");
        self.status().set_aside = Some(sentence);
        Ok(())
    }

    /// Asks a file that is opened for it.
    fn opened<T>(&self, ask: impl FnOnce(&Disk) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let opened = self.ensure_open(&mut self.open());
        opened.map_err(|trouble| StoreError(trouble.to_string()))?;
        self.asked(ask)
    }

    fn asked<T>(&self, ask: impl FnOnce(&Disk) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let mut open = self.open();
        let Some(disk) = &open.disk else {
            let unread = self.status().unread.clone();
            let why = unread.unwrap_or_else(|| "no pass has been made yet".to_owned());
            return Err(StoreError(why));
        };
        ask(disk).map_err(|trouble| {
            if matches!(trouble, Trouble::Broken(_)) {
                // The next pass opens it again, and finds what is wrong with it.
                open.disk = None;
            }
            StoreError(trouble.to_string())
        })
    }

    /// Takes note of how a pass was saved.
    fn note(&self, saved: Result<(), Trouble>, of: Saved, at: Timestamp) {
        let is_open = self.open().disk.is_some();
        let mut status = self.status();
        status.size_bytes = self
            .settings
            .path
            .as_ref()
            .and_then(|path| std::fs::metadata(path).ok())
            .map(|about| about.len());
        status.files_set_aside = self.settings.path.as_ref().map_or(0, |path| {
            ASIDE.iter().filter(|suffix| with_suffix(path, suffix).exists()).count()
        });
        if status.files_set_aside == 0 {
            status.set_aside = None;
        }
        status.saved = Some((at, of));
        match saved {
            Ok(()) => {
                status.last_saved = Some(at);
                status.unsaved = None;
                status.unread = None;
            }
            Err(trouble) => {
                let why = trouble.to_string();
                if status.unsaved.as_ref() != Some(&why) {
                    tracing::warn!(why, "the history of this pass is not saved");
                }
                status.unread = (!is_open).then(|| why.clone());
                status.unsaved = Some(why);
            }
        }
    }
}

/// Reads a file that no process makes passes with: what is kept of the variants that are asked for.
/// Nothing is set aside.
///
/// # Errors
/// When it is open elsewhere, is no history, or cannot be read.
pub fn read_file(
    path: &Path,
    of: impl Fn(&VariantId) -> bool,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<History>, StoreError> {
    let failed = |trouble: Trouble| StoreError(trouble.to_string());
    let disk = Disk::open(path).map_err(failed)?;
    let mut found = Vec::new();
    for id in disk.variants().map_err(failed)?.iter().filter(|id| of(id)) {
        found.extend(disk.history(id, since, until).map_err(failed)?);
    }
    Ok(found)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn late_work_that_panics_is_no_end_of_all_work() {
        let store = Store::new(StoreSettings::new(None, chrono::TimeDelta::days(1), 1 << 20));
        let late = |place: &Place| -> Result<(), StoreError> {
            // By then nobody waits for it.
            place.late.store(true, Ordering::SeqCst);
            panic!("a bug of ours")
        };
        assert!(store.with(late).await.is_err());
        assert!(store.with(|_| Ok(())).await.is_ok());
    }
}
