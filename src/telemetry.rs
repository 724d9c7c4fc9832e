//! Structured logs by `tracing-subscriber`: text or JSON, filtered by level, on stderr.
//!
//! A thread of their own writes them, out of a queue with an end. A reader that stalls, goes away
//! or has no room costs lines, which are counted, and nothing else.

mod one_line;

use std::io::{IsTerminal, Result as IoResult, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::settings::{LogFormat, LogSettings, parse_level};

/// Lines that wait to be written. A pass over a thousand variants may write one of each at once; at
/// half a kilobyte a line that is 2 MB while the reader stalls, and some 16 MB at level trace.
const QUEUE_LINES: usize = 4096;

/// Why logs could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// The level is neither a level nor a list of directives.
    #[error("log.level {level:?}: {why}")]
    Level {
        /// What was configured.
        level: String,
        /// What is wrong with it.
        why: String,
    },
    /// The process already has a subscriber.
    #[error("logs are already set up")]
    AlreadySet,
}

/// The logs of the process. When dropped, what waits is written, for a second at most.
#[must_use = "without it nothing that waits is written when the process ends"]
pub struct Logs {
    guard: Option<WorkerGuard>,
    dropped: Dropped,
}

impl Logs {
    pub fn dropped(&self) -> Dropped {
        self.dropped.clone()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let guard = self.guard.take();
        // On a thread of its own: what the guard says of a stalled queue it prints, and panics when
        // it cannot.
        let ending = std::thread::Builder::new().spawn(move || drop(guard));
        let _ = ending.map(std::thread::JoinHandle::join);
    }
}

/// Counts the lines that were dropped. Cheap to clone.
#[derive(Clone)]
pub struct Dropped {
    queue: ErrorCounter,
    unwritten: Arc<AtomicU64>,
}

impl Dropped {
    /// Those for which the queue had no room, and those that could not be written.
    pub fn lines(&self) -> u64 {
        self.queue.dropped_lines() as u64 + self.unwritten.load(Ordering::Relaxed)
    }
}

/// Sends the process's logs to stderr, so that stdout stays free for what a command prints. To be
/// called once, by the composition root.
///
/// # Errors
/// When the level cannot be read, or logs are already set up.
pub fn init(settings: &LogSettings) -> Result<Logs, TelemetryError> {
    let filter = parse_level(&settings.level)
        .map_err(|why| TelemetryError::Level { level: settings.level.clone(), why })?;
    let unwritten = Arc::new(AtomicU64::default());
    let lines = Lines { to: std::io::stderr(), unwritten: Arc::clone(&unwritten) };
    let (writer, guard) = queue(lines);
    let dropped = Dropped { queue: writer.error_counter(), unwritten };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let result = match settings.format {
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal();
            logs.fmt_fields(one_line::one_line()).with_ansi(ansi).finish().try_init()
        }
        // Flat events: a decision's fields are keys of the line itself, where log queries look.
        LogFormat::Json => logs.json().flatten_event(true).finish().try_init(),
    };
    result.map_err(|_| TelemetryError::AlreadySet)?;
    Ok(Logs { guard: Some(guard), dropped })
}

fn queue<W: Write + Send + 'static>(
    lines: Lines<W>,
) -> (tracing_appender::non_blocking::NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE_LINES)
        .thread_name("log")
        .finish(lines)
}

/// Writes lines, and counts those that it cannot write: the log must not end for them.
struct Lines<W> {
    to: W,
    unwritten: Arc<AtomicU64>,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> IoResult<usize> {
        if self.to.write_all(line).is_err() {
            self.unwritten.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        // A line that is lost here has been counted, or is a disk's to lose.
        let _ = self.to.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Takes a line only when it is told to.
    struct Stalled(Receiver<()>);

    impl Write for Stalled {
        fn write(&mut self, line: &[u8]) -> IoResult<usize> {
            self.0.recv().map_err(std::io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> IoResult<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_costs_lines_and_no_time() {
        let unwritten = Arc::new(AtomicU64::default());
        let (go_on, stalls) = channel();
        let lines = Lines { to: Stalled(stalls), unwritten: Arc::clone(&unwritten) };
        let (mut writer, guard) = queue(lines);
        let dropped = Dropped { queue: writer.error_counter(), unwritten };
        let more = 100;
        for _ in 0..QUEUE_LINES + more {
            writer.write_all(b"a line\n").unwrap();
        }
        // One may be with the writer already.
        let expected = more as u64 - 1..=more as u64;
        assert!(expected.contains(&dropped.lines()), "{}", dropped.lines());
        // When the reader has gone, what waits is lost too, and counted.
        drop(go_on);
        drop(Logs { guard: Some(guard), dropped: dropped.clone() });
        assert_eq!(dropped.lines(), (QUEUE_LINES + more) as u64);
    }
}
