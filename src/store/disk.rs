//! The file: tables of `redb`, and what may be wrong with it. Everything in here blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, WriteTransaction,
};

use super::pack::{index, start, unpack};
use super::unsaved::{Known, Unsaved};
use crate::model::history::{Event, History, Hour, LastSeen};
use crate::model::ids::VariantId;
use crate::model::time::Timestamp;

/// The version of the tables. A file of a later one is not touched.
const VERSION: u64 = 1;
/// The pages kept in memory, in bytes: a pass touches the newest hour of all variants.
const CACHE_BYTES: usize = 4 << 20;
/// What a row takes of the file, in bytes, its share of the tree included: 88 and 414 were measured
/// (90 days of 100 variants in hourly commits; `docs/decisions/history-store.md`), and as much
/// again is left for pages that a commit frees only after it: the file grows in steps.
const HOUR_BYTES: u64 = 176;
const EVENT_BYTES: u64 = 828;
/// The most events given at once, the newest.
const EVENTS_MAX: usize = 10_000;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Each variant's number.
pub(super) const VARIANTS: TableDefinition<'_, &str, u32> = TableDefinition::new("variants");
/// By hour first: a pass writes one hour of all variants, and the oldest go together.
const HOURS: TableDefinition<'_, (u32, u32), &[u8]> = TableDefinition::new("hours");
/// By microsecond and a number within it.
const EVENTS: TableDefinition<'_, (u64, u32), (u32, &[u8])> = TableDefinition::new("events");
const EVENTS_OF: TableDefinition<'_, (u32, u64, u32), ()> = TableDefinition::new("events_of");
const FACES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("faces");
/// Whatever else is kept of the whole.
const TEXTS: TableDefinition<'_, &str, &str> = TableDefinition::new("texts");

/// Why the file is of no use now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// Another process has it open.
    #[error("another process has it open (allowed: one process; give each its own store.path)")]
    InUse,
    /// It is no history, or is damaged: it is to be set aside.
    #[error("it is not a history of setpoint, or is damaged: {0}")]
    Broken(String),
    /// The disk or the system refuses.
    #[error("{0}")]
    Disk(String),
}

impl Trouble {
    pub(super) fn of(error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::InUse,
            redb::Error::Io(error) if is_damage(error.kind()) => Self::Broken(error.to_string()),
            redb::Error::Io(error) => Self::Disk(error.to_string()),
            error @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed) => {
                Self::Disk(error.to_string())
            }
            error => Self::Broken(error.to_string()),
        }
    }
}

const fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}

pub(super) type Result<T> = std::result::Result<T, Trouble>;

/// A panic of the database is one of a damaged file.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Trouble::Broken("the database failed on it".to_owned())))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Hours and events before this go.
    pub(super) oldest: Timestamp,
    /// The most that the file may take, in bytes.
    pub(super) bytes_max: u64,
}

/// An open history.
#[derive(Debug)]
pub(super) struct Disk {
    database: Database,
}

impl Disk {
    /// Opens the file, or makes it, readable by its owner only. Every page of it is checked.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| Trouble::Disk(error.to_string()))?;
        let about = file.metadata().map_err(|error| Trouble::Disk(error.to_string()))?;
        if !about.is_file() {
            return Err(Trouble::Disk("it is not a regular file".to_owned()));
        }
        guarded(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
            let backend = redb::backends::FileBackend::new(file).map_err(Trouble::of)?;
            let database = builder.create_with_backend(backend).map_err(Trouble::of)?;
            Self::begin(database)
        })
    }

    /// A history that lives as long as the process.
    pub(super) fn in_memory() -> Result<Self> {
        guarded(|| {
            let backend = redb::backends::InMemoryBackend::new();
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE_BYTES);
            Self::begin(builder.create_with_backend(backend).map_err(Trouble::of)?)
        })
    }

    fn begin(database: Database) -> Result<Self> {
        let disk = Self { database };
        let write = disk.write()?;
        {
            let mut meta = write.open_table(META).map_err(Trouble::of)?;
            let found = meta.get("version").map_err(Trouble::of)?.map(|version| version.value());
            match found {
                Some(version) if version > VERSION => {
                    return Err(Trouble::Broken(format!(
                        "a later setpoint has written it (version {version}, known: {VERSION})"
                    )));
                }
                Some(_) => {}
                None => {
                    meta.insert("version", VERSION).map_err(Trouble::of)?;
                }
            }
            // So that each is there to be read.
            write.open_table(VARIANTS).map_err(Trouble::of)?;
            write.open_table(HOURS).map_err(Trouble::of)?;
            write.open_table(EVENTS).map_err(Trouble::of)?;
            write.open_table(EVENTS_OF).map_err(Trouble::of)?;
            write.open_table(FACES).map_err(Trouble::of)?;
            super::records::make(&write)?;
            write.open_table(TEXTS).map_err(Trouble::of)?;
        }
        write.commit().map_err(Trouble::of)?;
        Ok(disk)
    }

    pub(super) fn write(&self) -> Result<WriteTransaction> {
        self.database.begin_write().map_err(Trouble::of)
    }

    pub(super) fn read(&self) -> Result<ReadTransaction> {
        self.database.begin_read().map_err(Trouble::of)
    }

    /// What was last seen of every variant, and its newest hours.
    pub(super) fn load(&self) -> Result<Vec<(VariantId, Known)>> {
        guarded(|| {
            let read = self.read()?;
            let variants = read.open_table(VARIANTS).map_err(Trouble::of)?;
            let faces = read.open_table(FACES).map_err(Trouble::of)?;
            let hours = read.open_table(HOURS).map_err(Trouble::of)?;
            let mut loaded = Vec::new();
            for row in variants.iter().map_err(Trouble::of)? {
                let (name, number) = row.map_err(Trouble::of)?;
                let Some(id) = VariantId::parse(name.value(), '/') else { continue };
                let number = number.value();
                let Some(face) = faces.get(number).map_err(Trouble::of)? else { continue };
                // One of a later form is begun again.
                let Ok(face) = serde_json::from_slice::<LastSeen>(face.value()) else { continue };
                let newest = index(face.minutes_until.unwrap_or(face.at).max(face.at));
                let mut own = Vec::new();
                for hour in newest.saturating_sub(2)..=newest {
                    if let Some(bytes) = hours.get((hour, number)).map_err(Trouble::of)? {
                        own.extend(unpack(hour, bytes.value()));
                    }
                }
                loaded.push((id, Known::new(&face, &own)));
            }
            Ok(loaded)
        })
    }

    /// Saves all of it, or nothing. What is older than the bounds allow goes.
    pub(super) fn save(&self, unsaved: &Unsaved, bounds: Bounds) -> Result<()> {
        guarded(|| {
            let write = self.write()?;
            let numbers = numbers(&write, unsaved.ids().into_iter())?;
            let number = |id: &VariantId| numbers.get(id).copied().unwrap_or_default();
            {
                let mut hours = write.open_table(HOURS).map_err(Trouble::of)?;
                for ((id, hour), row) in &unsaved.hours {
                    let key = (*hour, number(id));
                    hours.insert(key, &**row).map_err(Trouble::of)?;
                }
                let mut faces = write.open_table(FACES).map_err(Trouble::of)?;
                for (id, face) in &unsaved.faces {
                    let Ok(face) = serde_json::to_vec(&face.get()) else { continue };
                    faces.insert(number(id), &*face).map_err(Trouble::of)?;
                }
            }
            add_events(&write, unsaved, number)?;
            forget(&write, bounds)?;
            write.commit().map_err(Trouble::of)
        })
    }

    /// Forgets variants that were last seen before, with all else that there was of them. Numbers are not given twice.
    pub(super) fn forget_variants(&self, before: Timestamp) -> Result<()> {
        guarded(|| {
            let write = self.write()?;
            {
                let mut variants = write.open_table(VARIANTS).map_err(Trouble::of)?;
                let mut faces = write.open_table(FACES).map_err(Trouble::of)?;
                let mut old = BTreeSet::new();
                for row in faces.iter().map_err(Trouble::of)? {
                    let (number, face) = row.map_err(Trouble::of)?;
                    // One of a later form is not known to be old.
                    let face = serde_json::from_slice::<LastSeen>(face.value());
                    if face.is_ok_and(|face| face.at < before) {
                        old.insert(number.value());
                    }
                }
                if old.is_empty() {
                    return Ok(());
                }
                faces.retain(|number, _| !old.contains(&number)).map_err(Trouble::of)?;
                variants.retain(|_, number| !old.contains(&number)).map_err(Trouble::of)?;
                super::records::forget(&write, &old)?;
            }
            write.commit().map_err(Trouble::of)
        })
    }

    /// The variants of which anything is kept.
    pub(super) fn variants(&self) -> Result<Vec<VariantId>> {
        guarded(|| {
            let read = self.read()?;
            let variants = read.open_table(VARIANTS).map_err(Trouble::of)?;
            let mut ids = Vec::new();
            for row in variants.iter().map_err(Trouble::of)? {
                ids.extend(VariantId::parse(row.map_err(Trouble::of)?.0.value(), '/'));
            }
            Ok(ids)
        })
    }

    /// What is kept of a variant from `since` to `until`; nothing when it is not known.
    pub(super) fn history(
        &self,
        id: &VariantId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<History>> {
        guarded(|| {
            let read = self.read()?;
            let variants = read.open_table(VARIANTS).map_err(Trouble::of)?;
            let Some(number) = variants.get(id.to_string().as_str()).map_err(Trouble::of)? else {
                return Ok(None);
            };
            let number = number.value();
            let hours = hours_of(&read, number, since, until)?;
            let (events, events_left_out) = events_of(&read, number, since)?;
            let kept_since = kept_since(&read, number)?;
            let variant = id.clone();
            Ok(Some(History { variant, since, kept_since, hours, events, events_left_out }))
        })
    }

    /// A text that is kept of the whole.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        guarded(|| {
            let read = self.read()?;
            let texts = read.open_table(TEXTS).map_err(Trouble::of)?;
            let found = texts.get(name).map_err(Trouble::of)?;
            Ok(found.map(|found| found.value().to_owned()))
        })
    }

    /// Keeps a text in place of the one of this name.
    pub(super) fn keep_text(&self, name: &str, text: &str) -> Result<()> {
        guarded(|| {
            let write = self.write()?;
            write
                .open_table(TEXTS)
                .map_err(Trouble::of)?
                .insert(name, text)
                .map_err(Trouble::of)?;
            write.commit().map_err(Trouble::of)
        })
    }
}

/// The numbers of the variants that are about to be saved; new ones get the next.
pub(super) fn numbers<'a>(
    write: &WriteTransaction,
    of: impl Iterator<Item = &'a VariantId>,
) -> Result<BTreeMap<VariantId, u32>> {
    let mut meta = write.open_table(META).map_err(Trouble::of)?;
    let mut variants = write.open_table(VARIANTS).map_err(Trouble::of)?;
    let mut next = meta.get("next_variant").map_err(Trouble::of)?.map_or(0, |next| next.value());
    let mut numbers = BTreeMap::new();
    for id in of {
        let name = id.to_string();
        let known = variants.get(name.as_str()).map_err(Trouble::of)?.map(|n| n.value());
        let number = if let Some(number) = known {
            number
        } else {
            let number = next as u32;
            next += 1;
            variants.insert(name.as_str(), number).map_err(Trouble::of)?;
            number
        };
        numbers.insert(id.clone(), number);
    }
    meta.insert("next_variant", next).map_err(Trouble::of)?;
    Ok(numbers)
}

fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.timestamp_micros()).unwrap_or(0)
}

fn add_events(
    write: &WriteTransaction,
    unsaved: &Unsaved,
    number: impl Fn(&VariantId) -> u32,
) -> Result<()> {
    let mut events = write.open_table(EVENTS).map_err(Trouble::of)?;
    let mut of = write.open_table(EVENTS_OF).map_err(Trouble::of)?;
    for (id, event) in &unsaved.events {
        let at = micros(event.at);
        // Many variants have events of the same instant.
        let last = events.range((at, 0)..=(at, u32::MAX)).map_err(Trouble::of)?.next_back();
        let last = last.transpose().map_err(Trouble::of)?.map(|(key, _)| key.value().1);
        let within = last.map_or(0, |last| last.saturating_add(1));
        let json = serde_json::to_vec(event).unwrap_or_default();
        events.insert((at, within), (number(id), json.as_slice())).map_err(Trouble::of)?;
        of.insert((number(id), at, within), ()).map_err(Trouble::of)?;
    }
    Ok(())
}

/// Takes away what is too old, and the oldest days while there are more rows than there is room for.
fn forget(write: &WriteTransaction, bounds: Bounds) -> Result<()> {
    let mut hours = write.open_table(HOURS).map_err(Trouble::of)?;
    let mut events = write.open_table(EVENTS).map_err(Trouble::of)?;
    let mut of = write.open_table(EVENTS_OF).map_err(Trouble::of)?;
    let mut cut = bounds.oldest;
    let bytes_max = bounds.bytes_max.saturating_sub(super::records::bytes(write)?);
    loop {
        hours.retain_in(..(index(cut), 0), |_, _| false).map_err(Trouble::of)?;
        let mut gone = Vec::new();
        for row in events.range(..(micros(cut), 0)).map_err(Trouble::of)? {
            let (key, value) = row.map_err(Trouble::of)?;
            let ((at, within), variant) = (key.value(), value.value().0);
            gone.push((variant, at, within));
        }
        for (variant, at, within) in gone {
            events.remove((at, within)).map_err(Trouble::of)?;
            of.remove((variant, at, within)).map_err(Trouble::of)?;
        }
        let (hour_rows, event_rows) =
            (hours.len().map_err(Trouble::of)?, events.len().map_err(Trouble::of)?);
        let bytes = hour_rows * HOUR_BYTES + event_rows * EVENT_BYTES;
        if bytes <= bytes_max || hour_rows + event_rows == 0 {
            return Ok(());
        }
        let oldest_hour = hours.first().map_err(Trouble::of)?.map(|(key, _)| start(key.value().0));
        let oldest_event = events.first().map_err(Trouble::of)?.and_then(|(key, _)| {
            chrono::DateTime::from_timestamp_micros(key.value().0.cast_signed())
        });
        let oldest = oldest_hour.into_iter().chain(oldest_event).min();
        cut = oldest.unwrap_or(cut).max(cut) + chrono::TimeDelta::hours(12);
    }
}

fn hours_of(
    read: &ReadTransaction,
    number: u32,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<Hour>> {
    let table = read.open_table(HOURS).map_err(Trouble::of)?;
    let first = table.first().map_err(Trouble::of)?.map(|(key, _)| key.value().0);
    let mut hours = Vec::new();
    let Some(first) = first else { return Ok(hours) };
    for hour in index(since).max(first)..=index(until) {
        if let Some(bytes) = table.get((hour, number)).map_err(Trouble::of)? {
            hours.extend(unpack(hour, bytes.value()));
        }
    }
    Ok(hours)
}

/// The newest events, oldest first, and how many there were before them.
fn events_of(read: &ReadTransaction, number: u32, since: Timestamp) -> Result<(Vec<Event>, usize)> {
    let of = read.open_table(EVENTS_OF).map_err(Trouble::of)?;
    let table = read.open_table(EVENTS).map_err(Trouble::of)?;
    let range = (number, micros(since), 0)..=(number, u64::MAX, u32::MAX);
    let (mut events, mut left_out) = (Vec::new(), 0);
    for row in of.range(range).map_err(Trouble::of)?.rev() {
        if events.len() == EVENTS_MAX {
            left_out += 1;
            continue;
        }
        let (_, at, within) = row.map_err(Trouble::of)?.0.value();
        let Some(found) = table.get((at, within)).map_err(Trouble::of)? else { continue };
        // Words of a later version are passed over.
        events.extend(serde_json::from_slice::<Event>(found.value().1));
    }
    events.reverse();
    Ok((events, left_out))
}

/// Since when anything is kept of a variant: its first event, or its first hour of the last days.
fn kept_since(read: &ReadTransaction, number: u32) -> Result<Option<Timestamp>> {
    let of = read.open_table(EVENTS_OF).map_err(Trouble::of)?;
    let mut events =
        of.range((number, 0, 0)..=(number, u64::MAX, u32::MAX)).map_err(Trouble::of)?;
    let event = events.next().transpose().map_err(Trouble::of)?.map(|(key, _)| key.value().1);
    let event = event.and_then(|at| chrono::DateTime::from_timestamp_micros(at.cast_signed()));
    let hours = read.open_table(HOURS).map_err(Trouble::of)?;
    let ends = (
        hours.first().map_err(Trouble::of)?.map(|(key, _)| key.value().0),
        hours.last().map_err(Trouble::of)?.map(|(key, _)| key.value().0),
    );
    let (Some(first), Some(last)) = ends else { return Ok(event) };
    for hour in first..=last {
        if hours.get((hour, number)).map_err(Trouble::of)?.is_some() {
            return Ok(Some(event.map_or(start(hour), |event| event.min(start(hour)))));
        }
    }
    Ok(event)
}
