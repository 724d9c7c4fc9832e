//! Files, so that none of them can stop the process: opened without waiting, read up to a limit,
//! replaced as a whole, and worked on away from the threads that everything else runs on.

use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{BufWriter, Error, Read, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::sync::Mutex;

/// What a file that is not whole yet is called, after a dot and the name of the file it is to be.
const UNFINISHED: &str = ".unfinished";
/// What is gathered before it is written.
const BUFFER_BYTES: usize = 256 << 10;
/// An unfinished file that is so much older than a new one belongs to a process that has died.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// When it cannot be opened or read, is larger, or is no regular file: a pipe may have no end, and
/// opening one waits for whoever writes to it.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(max.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > max { Err(too_long(max)) } else { Ok(content) }
}

fn open(path: &Path) -> Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if about.is_file() {
        return Ok(file);
    }
    let what = if about.is_dir() { "a directory" } else { "a pipe or a device" };
    Err(Error::other(format!("it is {what} (allowed: a regular file)")))
}

fn too_long(max: u64) -> Error {
    Error::other(format!("it is longer than {max} bytes"))
}

/// Puts `content` in place of a file, or where none is: whole, flushed to the disk with its name,
/// and readable by its owner only. A crash leaves the old file or the new one.
///
/// # Errors
/// When it cannot be written; the old file is as it was.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    replace_with(path, |file| file.write_all(content))
}

/// The same with content that is written piece by piece, so that it need not be in memory as a whole.
///
/// # Errors
/// When it cannot be written, or `write` fails; the old file is as it was.
pub fn replace_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    // What a link leads to is replaced, not the link.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (folder, name) = folder_and_name(&path)?;
    let file = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(UNFINISHED)
        .tempfile_in(&folder)?;
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
    write(&mut file)?;
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    // The new name is on the disk only when the directory is.
    File::open(&folder)?.sync_all()
}

/// What a file holds, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    bytes: u64,
    hash: u64,
}

impl Digest {
    /// Of this content.
    pub fn of(content: &[u8]) -> Self {
        let mut digesting = Digesting::new(std::io::sink());
        digesting.take_in(content);
        digesting.digest()
    }
}

/// What a file of at most `max` bytes holds, in short, without all of it in memory.
///
/// # Errors
/// As of [`read`].
pub fn digest(path: &Path, max: u64) -> Result<Digest> {
    let mut digesting = Digesting::new(std::io::sink());
    std::io::copy(&mut open(path)?.take(max.saturating_add(1)), &mut digesting)?;
    let digest = digesting.digest();
    if digest.bytes > max { Err(too_long(max)) } else { Ok(digest) }
}

/// Passes on what is written, and knows its digest.
pub struct Digesting<W> {
    to: W,
    bytes: u64,
    hasher: DefaultHasher,
}

impl<W: Write> Digesting<W> {
    pub fn new(to: W) -> Self {
        Self { to, bytes: 0, hasher: DefaultHasher::new() }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Of all that was written so far.
    pub fn digest(&self) -> Digest {
        Digest { bytes: self.bytes, hash: self.hasher.finish() }
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.to.write(bytes)?;
        self.take_in(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.to.flush()
    }
}

/// Removes what processes that died while they replaced this file have left beside it.
pub fn remove_left_behind(path: &Path) {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Ok((folder, name)) = folder_and_name(&path) else { return };
    // The file system's own clock: it is what the others were dated by.
    let now = tempfile::tempfile_in(&folder).and_then(|file| file.metadata()?.modified());
    let (Ok(now), Ok(entries)) = (now, std::fs::read_dir(&folder)) else { return };
    let prefix = format!(".{name}.");
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else { continue };
        let ours = file_name.starts_with(&prefix) && file_name.ends_with(UNFINISHED);
        let age = || now.duration_since(entry.metadata().ok()?.modified().ok()?).ok();
        if ours && age().is_some_and(|age| age > LEFT_BEHIND) {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn folder_and_name(path: &Path) -> Result<(PathBuf, String)> {
    let name = path.file_name().ok_or_else(|| Error::other("it names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    Ok((folder, name.to_string_lossy().into_owned()))
}

/// Works on files on a thread of its own, one piece of work at a time. A disk that does not answer
/// costs that one thread, and whoever waits the time limit.
#[derive(Debug, Clone)]
pub struct FileWork {
    busy: Arc<Mutex<()>>,
    limit: Duration,
}

impl FileWork {
    /// Waits for a piece of work, and for its turn, no longer than `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { busy: Arc::default(), limit }
    }

    /// Does a piece of work. It may still be done after the time limit.
    ///
    /// # Errors
    /// When it takes longer than the limit, or the work itself fails.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = async {
            let turn = Arc::clone(&self.busy).lock_owned().await;
            let work = move || {
                // Held by the work, not by whoever waits: the next one must not overtake it.
                let _turn = turn;
                work()
            };
            tokio::task::spawn_blocking(work).await.map_err(Error::other)?
        };
        let late = || Error::other(format!("no answer within {} s", self.limit.as_secs()));
        tokio::time::timeout(self.limit, done).await.unwrap_or_else(|_elapsed| Err(late()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_for_its_owner_only_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.json");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["memory.json"]);
        assert!(read(&path, 2).unwrap_err().to_string().contains("longer than 2 bytes"));
        // A link stays one.
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"newer").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&path, 9).unwrap(), b"newer");
    }

    #[test]
    fn what_a_dead_process_left_is_removed_and_what_a_living_one_works_on_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.json");
        let old = folder.path().join(".memory.json.x1.unfinished");
        for name in [".memory.json.x2.unfinished", ".other.json.x3.unfinished", "memory.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let long_ago = File::create(&old).unwrap();
        let at = long_ago.metadata().unwrap().modified().unwrap();
        long_ago.set_modified(at - 2 * LEFT_BEHIND).unwrap();
        remove_left_behind(&path);
        assert_eq!(
            names(folder.path()),
            [".memory.json.x2.unfinished", ".other.json.x3.unfinished", "memory.json"]
        );
    }

    #[test]
    fn a_pipe_and_a_directory_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(read(&pipe, 9).unwrap_err().to_string().contains("a pipe"));
        assert!(read(folder.path(), 9).unwrap_err().to_string().contains("a directory"));
        assert!(read(Path::new("/dev/zero"), 9).unwrap_err().to_string().contains("a device"));
    }

    #[tokio::test]
    async fn work_that_hangs_costs_its_time_limit_and_one_thread() {
        let work = FileWork::new(Duration::from_millis(50));
        let (go_on, hangs) = std::sync::mpsc::channel::<()>();
        let hanging = work.run(move || hangs.recv().map_err(Error::other));
        assert!(hanging.await.unwrap_err().to_string().contains("no answer within"));
        // The next one waits for it, and does not overtake it.
        assert!(work.run(|| Ok(1)).await.is_err());
        go_on.send(()).unwrap();
        assert_eq!(
            FileWork { limit: Duration::from_secs(20), ..work }.run(|| Ok(2)).await.unwrap(),
            2
        );
    }
}
