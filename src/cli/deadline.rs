//! The end of every command that asks AWS or a daemon: it comes within `--timeout`, whatever does
//! not answer, and on a terminal one sees what is being waited for.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{CliError, compose, out};
use crate::aws;
use crate::observe::progress;
use crate::ports::{CallObserver, CallRecord};

/// What a command does by default, in seconds.
pub(super) const DEFAULT_SECONDS: u64 = 60;
/// The phases of a pass whose calls wait for one another: none of them may use up all of the time,
/// so that a pass over an AWS that does not answer ends by itself and says what it does not know.
const PHASES: u32 = 4;
/// Attempts at an address that refuses connections: a restart of what listens there may be under way,
/// and a person waits.
const REFUSED_ATTEMPTS: u32 = 2;
/// Nothing is shown for what is done at once.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// The flag of commands that ask AWS.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Timeout {
    /// How long to wait for AWS, in seconds; a large fleet needs about 1 s per 20 variants
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_SECONDS,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl Timeout {
    /// Of so many seconds.
    pub(super) const fn of(seconds: u64) -> Self {
        Self { timeout: seconds }
    }

    pub(super) const fn limit(self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// Until when what can come later is waited for: what is known by then is shown.
    pub(super) fn most_of_it(self) -> Instant {
        Instant::now() + self.limit() / 4 * 3
    }

    /// No call to AWS may use up the limit.
    pub(super) fn bound(self, settings: &mut aws::Settings) {
        let most = self.limit() / PHASES;
        let timeouts = &mut settings.timeouts;
        timeouts.read_total = timeouts.read_total.min(most);
        timeouts.read_attempt = timeouts.read_attempt.min(most);
        settings.retries.refused_attempts = REFUSED_ATTEMPTS;
    }
}

/// A runtime whose work ends by a limit.
pub(super) struct Bounded {
    runtime: compose::Runtime,
    limit: Duration,
    calls: Arc<Calls>,
    reads: Arc<OnceLock<Reads>>,
}

/// What takes long where there are many variants, and since when.
#[derive(Debug)]
struct Reads {
    progress: Arc<progress::Progress>,
    /// The step that was last seen under way, and since when.
    since: Mutex<(&'static str, Instant)>,
}

impl Reads {
    /// How many of how many, and how long the rest will take; empty when nothing is under way.
    fn summary(&self) -> String {
        let progress::Progress { described, history, days, .. } = &*self.progress;
        let steps = [
            ("endpoints described", described),
            ("variants' metrics", history),
            ("days of metrics", days),
        ];
        let under_way = steps.into_iter().find(|(_, step)| step.is_under_way());
        let Some((what, step)) = under_way else { return String::new() };
        let (done, of) = (step.count(), step.of());
        let mut text = format!("; {done} of {of} {what}");
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.0 != what {
            *since = (what, Instant::now());
        } else if done > 0 {
            let left = since.1.elapsed().mul_f64((of.saturating_sub(done)) as f64 / done as f64);
            let _ = write!(text, ", about {} s left", left.as_secs().max(1));
        }
        text
    }
}

impl Bounded {
    /// A runtime for work of at most `limit` at a time.
    pub(super) fn new(timeout: Timeout) -> Result<Self, CliError> {
        let runtime = compose::runtime()?;
        Ok(Self { runtime, limit: timeout.limit(), calls: Arc::default(), reads: Arc::default() })
    }

    /// Whoever calls AWS says so here, so that what is waited for can be shown.
    pub(super) fn observer(&self) -> Arc<dyn CallObserver> {
        Arc::<Calls>::clone(&self.calls)
    }

    /// Shows how far these reads have got as well.
    pub(super) fn follow(&self, progress: Arc<progress::Progress>) {
        // The first ones are those that take long.
        let _ = self.reads.set(Reads { progress, since: Mutex::new(("", Instant::now())) });
    }

    /// Does some work within the limit.
    ///
    /// # Errors
    /// When it has not come to its end by then.
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        self.run_until(work, None)
    }

    /// Does some work that writes: with a quarter of the limit left `stop` is set, after which no
    /// further write may begin, so that the one under way can be read back.
    ///
    /// # Errors
    /// As [`Self::run`]; what was sent may have arrived.
    pub(super) fn run_writing<T>(
        &self,
        work: impl Future<Output = T>,
        stop: &AtomicBool,
    ) -> Result<T, CliError> {
        self.run_until(work, Some(stop))
    }

    fn run_until<T>(
        &self,
        work: impl Future<Output = T>,
        stop: Option<&AtomicBool>,
    ) -> Result<T, CliError> {
        let (calls, reads) = (Arc::clone(&self.calls), Arc::clone(&self.reads));
        let _progress = Progress::begin(move || {
            let reads = reads.get().map(Reads::summary).unwrap_or_default();
            format!("reading AWS: {}{reads}", calls.summary())
        });
        let limit = self.limit;
        let ended = self.runtime.block_on(async {
            tokio::pin!(work);
            let Some(stop) = stop else { return tokio::time::timeout(limit, work).await };
            if let Ok(done) = tokio::time::timeout(limit / 4 * 3, &mut work).await {
                return Ok(done);
            }
            stop.store(true, Ordering::Relaxed);
            tokio::time::timeout(limit / 4, work).await
        });
        ended.map_err(|_| {
            let sent = if stop.is_some() {
                "; what was sent may have arrived (look with setpoint plan)"
            } else {
                ""
            };
            CliError::failed(format!(
                "not done within {} s: {}{sent} (--timeout waits longer)",
                limit.as_secs(),
                self.calls.summary()
            ))
        })
    }
}

/// What has become of calls to AWS.
#[derive(Debug, Default)]
struct Calls {
    answered: AtomicU64,
    failed: AtomicU64,
    last: Mutex<Option<String>>,
}

impl Calls {
    fn summary(&self) -> String {
        let failed = self.failed.load(Ordering::Relaxed);
        let answered = self.answered.load(Ordering::Relaxed);
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref().map(|last| format!(", the last: {last}")).unwrap_or_default();
        format!("{answered} calls answered, {failed} failed{last}")
    }
}

impl CallObserver for Calls {
    fn called(&self, call: &CallRecord) {
        if call.error.is_none() {
            self.answered.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        let what = if call.status_code == 0 {
            format!("no answer after {} s", call.duration.as_secs())
        } else if call.error_code.is_empty() {
            format!("HTTP {}", call.status_code)
        } else {
            call.error_code.clone()
        };
        let last = format!("{} {}: {what}", call.service.as_str(), call.operation);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}

/// A line on the terminal that is written over each second, while this lives. Nothing where stderr
/// is not a terminal.
pub(super) struct Progress {
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Progress {
    pub(super) fn begin(text: impl Fn() -> String + Send + 'static) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { end: None, thread: None };
        }
        let (end, ended) = channel::<()>();
        let began = Instant::now();
        let thread = thread::spawn(move || {
            let mut shown = false;
            while ended.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let spent = began.elapsed();
                if spent >= TOLD_AFTER {
                    shown = true;
                    out::rewrite(&format!("{} ({} s)", text(), spent.as_secs()));
                }
            }
            if shown {
                out::rewrite("");
            }
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Does some blocking work in a thread of its own and waits no longer than `limit` for it, whatever
/// it hangs in: a name being looked up, or a token file that is a pipe.
///
/// # Errors
/// Those of the work, and `late` when it has not come to its end.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
    late: impl FnOnce() -> CliError,
) -> Result<T, CliError> {
    let (done, result) = channel();
    thread::spawn(move || {
        // Nobody may be listening any more.
        let _ = done.send(work());
    });
    result.recv_timeout(limit).unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_hangs_ends_by_its_limit() {
        let bounded = Bounded::new(Timeout { timeout: 1 }).unwrap();
        let began = Instant::now();
        let error = bounded.run(std::future::pending::<()>()).unwrap_err().to_string();
        assert!(error.contains("not done within 1 s: 0 calls answered"), "{error}");
        let stop = AtomicBool::new(false);
        let error = bounded.run_writing(std::future::pending::<()>(), &stop).unwrap_err();
        assert!(stop.load(Ordering::Relaxed) && error.to_string().contains("may have arrived"));
        // Even when a thread of the runtime hangs.
        let sleep = || thread::sleep(Duration::from_secs(30));
        bounded.runtime.block_on(async { drop(tokio::task::spawn_blocking(sleep)) });
        drop(bounded);
        let late = || CliError::failed("late");
        let asleep = move || {
            sleep();
            Ok(())
        };
        let hung = within(Duration::from_millis(100), asleep, late);
        assert_eq!(hung.unwrap_err().to_string(), "late");
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn no_call_of_a_command_may_use_up_its_time() {
        let region = crate::model::ids::Region::new("us-east-1").unwrap();
        let default = aws::Settings::new(region);
        let mut short = default.clone();
        Timeout { timeout: 20 }.bound(&mut short);
        assert_eq!(short.timeouts.read_total, Duration::from_secs(5));
        assert_eq!(short.timeouts.read_attempt, Duration::from_secs(5));
        assert_eq!(short.timeouts.write_attempt, default.timeouts.write_attempt);
        let mut long = default.clone();
        Timeout { timeout: 3600 }.bound(&mut long);
        assert_eq!(long.timeouts, default.timeouts);
        assert_eq!(
            long.retries.refused_attempts, 2,
            "a refusal is an answer, however long one waits"
        );
    }
}
