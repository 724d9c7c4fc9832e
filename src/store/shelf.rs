//! A file for what rests of thousands of variants: it has no name, is read and written by this process
//! alone, and is gone with it.
//!
//! With two weeks of history an estimator at rest takes some 9 KiB, ten thousand of them most of what
//! the process would hold. Each is looked at every few minutes; in between the system's page cache has
//! it, as far as there is room.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::compact::{MemoryShelf, Rested, Shelf};
use crate::system::files::Digest;

/// So much stays in memory: a fleet of some hundred and fifty variants with two weeks of history needs no file.
const IN_MEMORY: usize = 2 << 20;
/// The most that the file takes: the estimators of 10,000 variants in [places](place_bytes) of 12 to 16 KiB, pictures and usage
/// in places of up to 4 each, minutes in one of 1 or 2, and some 60 MiB for hours that wait. With the history's
/// file, which grows by doubling to 648 MiB, it fits the chart's volume of 1 GiB: an emptyDir over its limit is evicted.
const FILE_MAX: u64 = 320 << 20;
/// What the system reads and writes at least. A smaller place would cost as much as one alone, so several share one.
const PAGE: u64 = 4 << 10;
/// The smallest place in the file: most pictures fit.
const PLACE_MIN: u64 = 512;

/// Memory up to [`IN_MEMORY`], and then a file.
#[derive(Debug)]
pub struct FileShelf {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    in_memory_max: usize,
    in_memory: AtomicUsize,
    room: Mutex<Room>,
    /// Which failures have been said: there may be thousands of each.
    said: Mutex<BTreeSet<&'static str>>,
    /// Whether the disk has lost anything: it gets no more, for each loss is a history that is read, and paid for, again.
    is_lossy: AtomicBool,
}

/// The places of the file. The first free one of a size is taken: what is put away in the order in which it will be looked
/// at lies in that order, and the system reads ahead.
#[derive(Debug, Default)]
struct Room {
    end: u64,
    /// Free ones that share a page with others, by their size.
    parts: BTreeMap<u64, BTreeSet<u64>>,
    /// Free pages in a row: where they begin, and how many bytes they are.
    runs: BTreeMap<u64, u64>,
    /// The same, by their size. No two touch each other, and none touches the end.
    by_size: BTreeSet<(u64, u64)>,
}

impl FileShelf {
    /// A shelf with so many bytes of memory, and beyond them a new file in this folder.
    ///
    /// # Errors
    /// When none can be made there.
    pub fn new(folder: &Path, in_memory_max: usize) -> std::io::Result<Self> {
        let shared = Shared {
            file: tempfile::tempfile_in(folder)?,
            in_memory_max,
            in_memory: AtomicUsize::new(0),
            room: Mutex::default(),
            said: Mutex::default(),
            is_lossy: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A shelf in the folder of the history's file; memory alone where there is no such file, or none can
    /// be made beside it.
    pub fn beside(path: Option<&Path>) -> Arc<dyn Shelf> {
        let Some(path) = path else { return Arc::new(MemoryShelf) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        match Self::new(folder.unwrap_or_else(|| Path::new(".")), IN_MEMORY) {
            Ok(shelf) => Arc::new(shelf),
            Err(error) => {
                let place = path.display();
                tracing::warn!(%error, "estimators stay in memory: no file can be made next to {place}");
                Arc::new(MemoryShelf)
            }
        }
    }
}

impl Shelf for FileShelf {
    fn put(&self, bytes: Box<[u8]>) -> Arc<dyn Rested> {
        let shared = &self.shared;
        let before = shared.in_memory.fetch_add(bytes.len(), Ordering::Relaxed);
        if before + bytes.len() > shared.in_memory_max
            && !shared.is_lossy.load(Ordering::Relaxed)
            && let Some(away) = Away::put(shared, &bytes)
        {
            shared.in_memory.fetch_sub(bytes.len(), Ordering::Relaxed);
            return Arc::new(away);
        }
        Arc::new(Here { bytes, shared: Arc::clone(shared) })
    }
}

/// The size of the place of so many bytes: whole pages, or a part of one that is a power of two.
fn place_bytes(bytes: usize) -> u64 {
    let bytes = bytes as u64;
    if bytes > PAGE {
        bytes.next_multiple_of(PAGE)
    } else {
        bytes.next_power_of_two().max(PLACE_MIN)
    }
}

impl Shared {
    fn room<T>(&self, change: impl FnOnce(&mut Room) -> T) -> T {
        change(&mut self.room.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn say(&self, error: &std::io::Error, what: &'static str) {
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(what) {
            tracing::warn!(%error, "{what}; said once");
        }
    }
}

impl Room {
    fn take(&mut self, size: u64) -> Option<u64> {
        if size >= PAGE {
            return self.take_pages(size);
        }
        if let Some(at) = self.parts.get_mut(&size).and_then(BTreeSet::pop_first) {
            return Some(at);
        }
        let page = self.take_pages(PAGE)?;
        let others = (page + size..page + PAGE).step_by(size as usize);
        self.parts.entry(size).or_default().extend(others);
        Some(page)
    }

    /// Of the free rows of pages, the shortest that is long enough (best fit): what is put away grows by a little now and
    /// then, and takes the places that others have left.
    fn take_pages(&mut self, size: u64) -> Option<u64> {
        let fits = self.by_size.range((size, 0)..).next().copied();
        let Some((length, at)) = fits else {
            let at = self.end;
            return (at + size <= FILE_MAX).then(|| {
                self.end += size;
                at
            });
        };
        self.remove(at, length);
        if length > size {
            self.add(at + size, length - size);
        }
        Some(at)
    }

    fn give_back(&mut self, at: u64, size: u64) {
        if size < PAGE {
            self.parts.entry(size).or_default().insert(at);
            return;
        }
        let (mut from, mut until) = (at, at + size);
        if let Some((&before, &length)) = self.runs.range(..at).next_back()
            && before + length == at
        {
            self.remove(before, length);
            from = before;
        }
        if let Some(&length) = self.runs.get(&until) {
            self.remove(until, length);
            until += length;
        }
        if until == self.end {
            self.end = from;
        } else {
            self.add(from, until - from);
        }
    }

    fn add(&mut self, at: u64, length: u64) {
        self.runs.insert(at, length);
        self.by_size.insert((length, at));
    }

    fn remove(&mut self, at: u64, length: u64) {
        self.runs.remove(&at);
        self.by_size.remove(&(length, at));
    }
}

/// Bytes in memory.
#[derive(Debug)]
struct Here {
    bytes: Box<[u8]>,
    shared: Arc<Shared>,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.shared.in_memory.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Rested for Here {
    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(&self.bytes))
    }

    fn in_memory(&self) -> usize {
        self.bytes.len()
    }
}

/// Bytes in the file.
#[derive(Debug)]
struct Away {
    shared: Arc<Shared>,
    at: u64,
    len: usize,
    /// What a disk gives back is looked at.
    digest: Digest,
}

impl Away {
    fn put(shared: &Arc<Shared>, bytes: &[u8]) -> Option<Self> {
        let Some(at) = shared.room(|room| room.take(place_bytes(bytes.len()))) else {
            let full = std::io::ErrorKind::StorageFull.into();
            shared.say(&full, "an estimator stays in memory: its file has all that it may take");
            return None;
        };
        // From here on its place is free again with it.
        let away =
            Self { shared: Arc::clone(shared), at, len: bytes.len(), digest: Digest::of(bytes) };
        match shared.file.write_all_at(bytes, at) {
            Ok(()) => Some(away),
            Err(error) => {
                shared.say(&error, "an estimator stays in memory: the disk does not take it");
                None
            }
        }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.shared.room(|room| room.give_back(self.at, place_bytes(self.len)));
    }
}

impl Rested for Away {
    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        let mut bytes = vec![0; self.len];
        let read = self.shared.file.read_exact_at(&mut bytes, self.at).and_then(|()| {
            let is_same = Digest::of(&bytes) == self.digest;
            let other = || std::io::Error::other("other bytes came back than were written");
            is_same.then_some(()).ok_or_else(other)
        });
        if let Err(error) = read {
            self.shared.is_lossy.store(true, Ordering::Relaxed);
            self.shared.say(&error, "an estimator is lost, and its history is read again");
            return None;
        }
        Some(Cow::Owned(bytes))
    }

    fn in_memory(&self) -> usize {
        size_of::<Self>()
    }

    fn is_away(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(n: usize) -> Box<[u8]> {
        let len = 3000 + n * 37 % 9000;
        (0..len).map(|at| (at * 7 + n) as u8).collect()
    }

    fn is(rested: &Arc<dyn Rested>, n: usize) -> bool {
        rested.bytes().is_some_and(|bytes| *bytes == *of(n))
    }

    #[test]
    fn what_is_put_away_comes_back_and_its_place_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = FileShelf::new(folder.path(), IN_MEMORY).unwrap();
        let mut all: Vec<(usize, Arc<dyn Rested>)> =
            (0..3000).map(|n| (n, shelf.put(of(n)))).collect();
        let end = || shelf.shared.room(|room| room.end);
        let first = end();
        assert!(shelf.shared.in_memory.load(Ordering::Relaxed) <= IN_MEMORY);
        assert!(first > 12 << 20, "{first}");
        // Each is replaced again and again, as passes do, by one that is a little longer or shorter.
        for round in 1..6 {
            for (n, rested) in &mut all {
                assert!(is(rested, *n));
                *n += 3000 * round;
                *rested = shelf.put(of(*n));
            }
        }
        assert!(all.iter().all(|(n, rested)| is(rested, *n)));
        let held: usize = all.iter().map(|(_, rested)| rested.in_memory()).sum();
        assert!(held <= IN_MEMORY + 3000 * size_of::<Away>(), "{held}");
        assert!(end() < 2 * first, "{first} -> {}", end());
        all.clear();
        assert_eq!(shelf.shared.in_memory.load(Ordering::Relaxed), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
    }

    /// Published pictures are let go only after all of the next ones have been put away.
    #[test]
    fn what_is_put_away_in_order_lies_in_order_however_often() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = FileShelf::new(folder.path(), 0).unwrap();
        let put = || -> Vec<Away> {
            let one = |n: usize| Away::put(&shelf.shared, &[n as u8; 300]).unwrap();
            (0..50).map(one).collect()
        };
        let mut published = put();
        for _ in 0..5 {
            let next = put();
            drop(std::mem::replace(&mut published, next));
            assert!(published.is_sorted_by_key(|away| away.at));
        }
    }

    #[test]
    fn small_places_share_a_page_and_large_ones_begin_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = FileShelf::new(folder.path(), 0).unwrap();
        let sizes = [400, 5000, 513, 400, 2049, 9000, 400];
        let put = |(n, size): (usize, usize)| {
            let bytes = vec![n as u8; size];
            let away = Away::put(&shelf.shared, &bytes).unwrap();
            (away, bytes)
        };
        let all: Vec<(Away, Vec<u8>)> =
            sizes.into_iter().cycle().take(70).enumerate().map(put).collect();
        let mut taken = BTreeSet::new();
        for (away, bytes) in &all {
            assert_eq!(away.bytes().as_deref(), Some(&**bytes));
            let size = place_bytes(bytes.len());
            assert_eq!(away.at % size.min(PAGE), 0);
            // No two share a byte.
            assert!(
                (away.at..away.at + size).step_by(PLACE_MIN as usize).all(|at| taken.insert(at))
            );
        }
        // Thirty of 512 bytes, ten each of 1, 4, 8 and 12 KiB.
        let pages = 30_u64.div_ceil(8) + 10_u64.div_ceil(4) + 10 * (1 + 2 + 3);
        assert_eq!(shelf.shared.room(|room| room.end), pages * PAGE);
    }

    /// Estimators grow while their history is read, each from a place into a larger one.
    #[test]
    fn places_that_were_outgrown_are_used_again_for_larger_ones() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = FileShelf::new(folder.path(), 0).unwrap();
        let put =
            |pages: u64| Away::put(&shelf.shared, &vec![7; (pages * PAGE) as usize - 9]).unwrap();
        let mut all: Vec<Away> = (0..300).map(|_| put(1)).collect();
        for pages in 2..=5 {
            for one in &mut all {
                *one = put(pages);
            }
        }
        let (end, need) = (shelf.shared.room(|room| room.end), 300 * 5 * PAGE);
        assert!(end <= need * 5 / 4, "{} KiB for {} KiB", end >> 10, need >> 10);
        drop(all);
        let room = shelf.shared.room.lock().unwrap();
        assert_eq!((room.end, room.runs.len(), room.by_size.len()), (0, 0, 0), "all of it is free");
    }

    #[test]
    fn what_the_disk_has_changed_or_lost_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = FileShelf::new(folder.path(), 0).unwrap();
        let (one, two) = (shelf.put(of(1)), shelf.put(of(2)));
        assert!(is(&one, 1) && is(&two, 2));
        shelf.shared.file.write_all_at(b"?", 17).unwrap();
        assert!(one.bytes().is_none() && is(&two, 2));
        let next = shelf.put(of(3));
        assert!(is(&next, 3) && !next.is_away(), "what comes next stays in memory");
        shelf.shared.file.set_len(PAGE + 5).unwrap();
        assert!(two.bytes().is_none());
    }

    #[test]
    fn beyond_the_room_of_the_file_there_is_memory() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = FileShelf::new(folder.path(), 0).unwrap();
        shelf.shared.room(|room| room.end = FILE_MAX);
        let rested = shelf.put(of(3));
        assert!(is(&rested, 3));
        assert_eq!(rested.in_memory(), of(3).len());
        // What is said of that leaves room for what is worse.
        assert_eq!(shelf.shared.said.lock().unwrap().len(), 1);
        shelf.shared.say(&std::io::Error::other("short"), "an estimator is lost");
        assert_eq!(shelf.shared.said.lock().unwrap().len(), 2);
        let none = FileShelf::beside(Some(Path::new("/nowhere/at/all/history.redb")));
        assert!(is(&none.put(of(4)), 4));
    }
}
