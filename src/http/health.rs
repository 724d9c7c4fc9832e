//! What the probes answer.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whether the process can do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Readiness {
    /// The first pass has not ended.
    Starting,
    /// The first pass has ended.
    Ready,
    /// Another process leads; ready to take over.
    Follower,
    /// On the way out.
    ShuttingDown,
}

impl Readiness {
    const ALL: [Self; 4] = [Self::Starting, Self::Ready, Self::Follower, Self::ShuttingDown];

    /// Whether traffic may come, and the sentence that says why.
    pub const fn answer(self) -> (bool, &'static str) {
        match self {
            Self::Starting => (false, "the first pass has not ended yet"),
            Self::Ready => (true, "ready"),
            Self::Follower => (true, "ready as a follower"),
            Self::ShuttingDown => (false, "shutting down"),
        }
    }
}

/// The pulse of what makes passes: it beats at the end of each, and a long one is alive as long as its calls
/// are answered. The probes look.
#[derive(Debug)]
pub struct Health {
    began: Instant,
    /// Milliseconds after `began`.
    last_beat: AtomicU64,
    /// The same: when the next beat is overdue.
    alive_until: AtomicU64,
    max_silence: Duration,
    readiness: AtomicU8,
}

impl Health {
    /// Starting, and alive until the next pass has been overdue for longer than `max_silence`.
    pub fn new(began: Instant, max_silence: Duration) -> Self {
        let readiness = AtomicU8::new(Readiness::Starting as u8);
        let (last_beat, alive_until) = (AtomicU64::new(0), AtomicU64::new(millis(max_silence)));
        Self { began, last_beat, alive_until, max_silence, readiness }
    }

    /// A pass ended at this instant, or there is none to make, and the next one begins within
    /// `next`. A loop that turns without passes is no life.
    pub fn beat(&self, at: Instant, next: Duration) {
        let now = millis(self.age(at));
        // A late word of an earlier beat takes nothing back.
        if self.last_beat.fetch_max(now, Ordering::Relaxed) <= now {
            let until = now.saturating_add(millis(next)).saturating_add(millis(self.max_silence));
            self.alive_until.store(until, Ordering::Relaxed);
        }
    }

    /// Calls of a pass are answered: it is long, and not stuck.
    pub fn goes_on(&self, at: Instant) {
        let until = millis(self.age(at)).saturating_add(millis(self.max_silence));
        self.alive_until.fetch_max(until, Ordering::Relaxed);
    }

    /// Takes note of a change.
    pub fn set_readiness(&self, readiness: Readiness) {
        self.readiness.store(readiness as u8, Ordering::Relaxed);
    }

    /// Whether the process can do its work.
    pub fn readiness(&self) -> Readiness {
        let stored = self.readiness.load(Ordering::Relaxed);
        Readiness::ALL.into_iter().find(|r| *r as u8 == stored).unwrap_or(Readiness::Starting)
    }

    /// How long no pass has ended, when that is too long.
    pub fn silent_too_long(&self, at: Instant) -> Option<Duration> {
        let last = Duration::from_millis(self.last_beat.load(Ordering::Relaxed));
        let overdue = millis(self.age(at)) > self.alive_until.load(Ordering::Relaxed);
        overdue.then(|| self.age(at).saturating_sub(last))
    }

    /// How long ago the last pass ended.
    pub fn since_last_beat(&self, at: Instant) -> Duration {
        self.age(at).saturating_sub(Duration::from_millis(self.last_beat.load(Ordering::Relaxed)))
    }

    fn age(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
