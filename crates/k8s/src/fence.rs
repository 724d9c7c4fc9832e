//! The fence: whether a write may start now, by a clock that also counts the time in which the
//! process was stopped or the machine asleep.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use setpoint_core::ports::Leadership;

/// Time since the machine started, suspended time included. Never goes backwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(pub Duration);

impl BootTime {
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long it is until `later`; nothing when that is past.
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

/// `CLOCK_BOOTTIME` of this machine. `CLOCK_MONOTONIC`, which [`std::time::Instant`] reads, stands
/// still while the machine sleeps: a leader that wakes would believe in a lease long lost.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl BootClock {
    pub fn now(self) -> BootTime {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        BootTime(Duration::new(seconds, nanos))
    }
}

/// One term of leadership. It is extended by renewals and ends once: a process that leads again
/// gets another one, so that a pass begun in this term never writes in the next.
#[derive(Debug, Default)]
pub struct Fence {
    /// Nanoseconds since the machine started until which writes may start; 0 once the term is over.
    until: AtomicU64,
}

impl Fence {
    /// A term in which writes may start before `until`.
    pub fn new(until: BootTime) -> Self {
        Self { until: AtomicU64::new(nanos(until)) }
    }

    /// Writes may start before `until`, which is later than before. A term that is over stays so.
    pub fn extend(&self, until: BootTime) {
        let later = |now: u64| (now > 0).then(|| now.max(nanos(until)));
        // An error says that the term is over, which is the answer already.
        let _ = self.until.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    pub fn end(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Whether a write may start at this instant.
    pub fn open(&self, now: BootTime) -> bool {
        nanos(now) < self.until.load(Ordering::SeqCst)
    }
}

impl Leadership for Fence {
    fn may_write(&self) -> bool {
        self.open(BootClock.now())
    }
}

/// 584 years fit.
fn nanos(time: BootTime) -> u64 {
    u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    #[test]
    fn a_term_is_open_until_its_end_and_never_again() {
        let fence = Fence::new(at(10));
        assert!(fence.open(at(9)) && !fence.open(at(10)));
        fence.extend(at(20));
        assert!(fence.open(at(19)));
        fence.extend(at(15));
        assert!(fence.open(at(19)), "a late answer to an early renewal takes nothing away");
        fence.end();
        fence.extend(at(99));
        assert!(!fence.open(at(19)));
    }

    #[test]
    fn the_clock_goes_forward_and_counts_from_the_start_of_the_machine() {
        let (first, then) = (BootClock.now(), BootClock.now());
        assert!(BootTime::default() < first && first <= then);
        assert!(Fence::new(then.after(Duration::from_hours(1))).may_write());
        assert!(!Fence::new(then).may_write());
    }
}
