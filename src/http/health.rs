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
    #[must_use]
    pub const fn answer(self) -> (bool, &'static str) {
        match self {
            Self::Starting => (false, "the first pass has not ended yet"),
            Self::Ready => (true, "ready"),
            Self::Follower => (true, "ready as a follower"),
            Self::ShuttingDown => (false, "shutting down"),
        }
    }
}

/// The pulse of the loop that makes passes. The loop beats; the probes look.
#[derive(Debug)]
pub struct Health {
    began: Instant,
    /// Milliseconds after `began`.
    last_beat: AtomicU64,
    max_silence: Duration,
    readiness: AtomicU8,
}

impl Health {
    /// Starting, and alive until the loop has been silent for longer than `max_silence`.
    #[must_use]
    pub fn new(began: Instant, max_silence: Duration) -> Self {
        let readiness = AtomicU8::new(Readiness::Starting as u8);
        Self { began, last_beat: AtomicU64::new(0), max_silence, readiness }
    }

    /// The loop is alive at this instant.
    pub fn beat(&self, at: Instant) {
        let millis = u64::try_from(self.age(at).as_millis()).unwrap_or(u64::MAX);
        self.last_beat.fetch_max(millis, Ordering::Relaxed);
    }

    /// Takes note of a change.
    pub fn set_readiness(&self, readiness: Readiness) {
        self.readiness.store(readiness as u8, Ordering::Relaxed);
    }

    /// Whether the process can do its work.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let stored = self.readiness.load(Ordering::Relaxed);
        Readiness::ALL.into_iter().find(|r| *r as u8 == stored).unwrap_or(Readiness::Starting)
    }

    /// How long the loop has been silent, when that is too long.
    #[must_use]
    pub fn silent_too_long(&self, at: Instant) -> Option<Duration> {
        let last = Duration::from_millis(self.last_beat.load(Ordering::Relaxed));
        let silence = self.age(at).saturating_sub(last);
        (silence > self.max_silence).then_some(silence)
    }

    fn age(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }
}
