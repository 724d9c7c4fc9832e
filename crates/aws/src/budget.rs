//! The client-side rate limit of a region (rule 24): AWS's buckets are shared with everybody else
//! in the account, so `setpoint` takes a small, known part of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A token bucket. Those who ask wait in order, up to a bound.
#[derive(Debug)]
pub struct Budget {
    interval: Duration,
    /// How far ahead of the even spacing a burst may run.
    tolerance: Duration,
    max_wait: Duration,
    /// When the next call would be due at even spacing.
    next: Mutex<Option<Instant>>,
}

/// The wait for a call would be longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "call budget of the region: the next call would have to wait {:.1} s (allowed: {:.1} s)",
    .wait.as_secs_f64(), .max_wait.as_secs_f64()
)]
pub struct Exhausted {
    /// How long the call would have had to wait.
    pub wait: Duration,
    /// The longest wait allowed.
    pub max_wait: Duration,
}

impl Budget {
    /// A bucket of `calls_per_second` that lets `burst` calls (at least one) go at once and makes
    /// nobody wait longer than `max_wait`. A rate that is not a number above 0 counts as one call
    /// in a thousand seconds.
    pub fn new(calls_per_second: f64, burst: u32, max_wait: Duration) -> Self {
        let rate = if calls_per_second.is_finite() { calls_per_second.max(0.001) } else { 0.001 };
        let interval = Duration::from_secs_f64(1.0 / rate);
        Self {
            interval,
            tolerance: interval * burst.saturating_sub(1),
            max_wait,
            next: Mutex::new(None),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When the turn would come later than the longest wait allowed; nothing is taken then.
    pub async fn acquire(&self) -> Result<(), Exhausted> {
        let wait = self.reserve(Instant::now())?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Takes a turn without waiting for it; those who come later wait for both. For writes, which
    /// have a bucket of their own and must not queue behind reads.
    pub fn charge(&self) {
        self.take(Instant::now());
    }

    /// Takes the next turn and says how long it is until then.
    fn reserve(&self, now: Instant) -> Result<Duration, Exhausted> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(now, |next| next.max(now));
        let wait = due.saturating_duration_since(now).saturating_sub(self.tolerance);
        if wait > self.max_wait {
            return Err(Exhausted { wait, max_wait: self.max_wait });
        }
        *next = Some(due + self.interval);
        Ok(wait)
    }

    fn take(&self, now: Instant) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(now, |next| next.max(now));
        *next = Some(due + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_goes_at_once_and_the_rest_is_spaced() {
        let budget = Budget::new(2.0, 2, 10 * SECOND);
        let now = Instant::now();
        let waits: Vec<_> =
            (0..5).map(|_| budget.reserve(now).map(|w| w.as_millis()).ok()).collect();
        assert_eq!(waits, [Some(0), Some(0), Some(500), Some(1000), Some(1500)]);
    }

    #[test]
    fn idle_time_does_not_pile_up_more_than_the_burst() {
        let budget = Budget::new(1.0, 1, 10 * SECOND);
        let start = Instant::now();
        assert_eq!(budget.reserve(start), Ok(Duration::ZERO));
        let later = start + 3600 * SECOND;
        assert_eq!(budget.reserve(later), Ok(Duration::ZERO));
        assert_eq!(budget.reserve(later), Ok(SECOND));
    }

    #[test]
    fn a_wait_beyond_the_bound_is_refused_and_takes_nothing() {
        let budget = Budget::new(1.0, 1, SECOND);
        let now = Instant::now();
        assert_eq!(budget.reserve(now), Ok(Duration::ZERO));
        assert_eq!(budget.reserve(now), Ok(SECOND));
        let refused = budget.reserve(now).unwrap_err();
        assert_eq!(refused.wait, 2 * SECOND);
        assert!(refused.to_string().starts_with("call budget of the region"), "{refused}");
        assert_eq!(budget.reserve(now + SECOND), Ok(SECOND), "the refused call took no turn");
    }

    #[test]
    fn a_charge_delays_those_who_come_later() {
        let budget = Budget::new(1.0, 1, 10 * SECOND);
        let now = Instant::now();
        budget.take(now);
        budget.take(now);
        assert_eq!(budget.reserve(now), Ok(2 * SECOND));
    }

    #[test]
    fn a_senseless_rate_does_not_panic() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Budget::new(rate, 0, SECOND).interval, 1000 * SECOND, "{rate}");
        }
    }
}
