//! A client-side rate that finds what AWS lets through, where AWS publishes no figure or shares it
//! among everybody in the account: it grows while it is used up and nothing is throttled, and is
//! halved when AWS throttles.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Exhausted;

/// How long a rate must have been used up without being throttled before it grows.
const STEP: Duration = Duration::from_secs(5);
/// How much it grows before AWS has throttled for the first time. Until then nothing is known, and
/// a fleet is read in a minute instead of in ten.
const FIRST_GROWTH: f64 = 2.0;
/// How much it grows afterwards: slowly, for what lies above has been refused once.
const GROWTH: f64 = 1.1;
/// Calls that were under way when AWS throttled are throttled as well: that is one sign, not many.
const ONE_SIGN: Duration = Duration::from_secs(2);
/// The lowest share of the first rate that it falls to, so that it comes back.
const LOWEST: f64 = 1.0 / 64.0;

/// Where a rate begins, and how far it may grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growing {
    /// Units a second at first.
    pub from: f64,
    /// Units a second at most.
    pub to: f64,
}

impl Growing {
    /// A rate that never grows; throttled, it is halved all the same.
    #[must_use]
    pub const fn fixed(rate: f64) -> Self {
        Self { from: rate, to: rate }
    }
}

/// A token bucket of units (calls, datapoints) with such a rate.
#[derive(Debug)]
pub(super) struct Adaptive {
    limits: Growing,
    /// Seconds of the rate that may be used at once after a pause.
    burst: f64,
    max_wait: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rate: f64,
    /// When all that was taken so far is due at even spacing.
    next: Option<Instant>,
    /// Since when the rate has been what it is, and used up.
    used_since: Option<Instant>,
    throttled_at: Option<Instant>,
}

impl Adaptive {
    pub(super) fn new(limits: Growing, burst: f64, max_wait: Duration) -> Self {
        let sane = |rate: f64| if rate.is_finite() { rate.max(0.001) } else { 0.001 };
        let from = sane(limits.from);
        let limits = Growing { from, to: sane(limits.to).max(from) };
        let state = State { rate: from, next: None, used_since: None, throttled_at: None };
        Self { limits, burst, max_wait, state: Mutex::new(state) }
    }

    /// Waits for its turn with so many units.
    ///
    /// # Errors
    /// When the turn would come later than the longest wait allowed; nothing is taken then.
    pub(super) async fn acquire(&self, units: f64) -> Result<(), Exhausted> {
        let wait = self.reserve(units, Instant::now())?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    fn reserve(&self, units: f64, now: Instant) -> Result<Duration, Exhausted> {
        let mut state = self.state();
        let due = state.next.map_or(now, |next| next.max(now));
        let burst = Duration::from_secs_f64(self.burst);
        let wait = due.saturating_duration_since(now).saturating_sub(burst);
        if wait > self.max_wait {
            return Err(Exhausted { wait, max_wait: self.max_wait });
        }
        if wait.is_zero() {
            state.used_since = None;
        } else {
            state.used_since.get_or_insert(now);
        }
        state.next = Some(due + Duration::from_secs_f64(units / state.rate));
        Ok(wait)
    }

    /// AWS has answered a call.
    pub(super) fn passed(&self, now: Instant) {
        let mut state = self.state();
        let Some(since) = state.used_since.filter(|since| now - *since >= STEP) else { return };
        let growth = if state.throttled_at.is_none() { FIRST_GROWTH } else { GROWTH };
        let faster = (state.rate * growth).min(self.limits.to);
        state.follow(faster, now);
        state.used_since = Some(since.max(now));
    }

    /// AWS has throttled a call.
    pub(super) fn throttled(&self, now: Instant) {
        let mut state = self.state();
        if state.throttled_at.is_some_and(|at| now - at < ONE_SIGN) {
            return;
        }
        state.throttled_at = Some(now);
        state.used_since = None;
        let slower = (state.rate / 2.0).max(self.limits.from * LOWEST);
        state.follow(slower, now);
    }

    #[cfg(test)]
    fn rate(&self) -> f64 {
        self.state().rate
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Another rate: what is queued is due by it.
    fn follow(&mut self, rate: f64, now: Instant) {
        if let Some(next) = self.next.filter(|next| *next > now) {
            self.next = Some(now + (next - now).mul_f64(self.rate / rate));
        }
        self.rate = rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Uses up what there is for so many seconds, from `at` on; `throttle` says at which rate AWS
    /// refuses. Answers with the calls that passed.
    fn use_up(bucket: &Adaptive, at: Instant, seconds: u32, throttle: f64) -> u32 {
        let mut passed = 0;
        for tenth in 0..seconds * 10 {
            let now = at + SECOND.mul_f64(f64::from(tenth) / 10.0);
            while bucket.reserve(1.0, now).is_ok_and(|wait| wait < SECOND / 10) {
                if bucket.rate() > throttle {
                    bucket.throttled(now);
                } else {
                    bucket.passed(now);
                    passed += 1;
                }
            }
        }
        passed
    }

    #[test]
    fn it_grows_to_its_limit_while_nothing_throttles_and_only_while_it_is_used_up() {
        let bucket = Adaptive::new(Growing { from: 10.0, to: 50.0 }, 0.0, SECOND);
        let start = Instant::now();
        for second in 0..60 {
            let now = start + SECOND * second;
            assert_eq!(bucket.reserve(1.0, now), Ok(Duration::ZERO));
            bucket.passed(now);
        }
        assert_eq!(bucket.rate(), 10.0, "one call a second proves nothing");
        let passed = use_up(&bucket, start + 60 * SECOND, 60, f64::MAX);
        assert_eq!(bucket.rate(), 50.0);
        assert!((1500..3300).contains(&passed), "{passed}");
    }

    #[test]
    fn it_stays_near_what_aws_lets_through() {
        let bucket = Adaptive::new(Growing { from: 10.0, to: 500.0 }, 0.0, SECOND);
        let start = Instant::now();
        use_up(&bucket, start, 60, 30.0);
        for minute in 1..5 {
            use_up(&bucket, start + 60 * minute * SECOND, 60, 30.0);
            assert!((15.0..33.1).contains(&bucket.rate()), "{}", bucket.rate());
        }
    }

    #[test]
    fn many_throttled_answers_at_once_are_one_sign() {
        let bucket = Adaptive::new(Growing { from: 16.0, to: 16.0 }, 0.0, SECOND);
        let now = Instant::now();
        for _ in 0..20 {
            bucket.throttled(now);
        }
        assert_eq!(bucket.rate(), 8.0);
        for second in 0..100 {
            bucket.throttled(now + 3 * SECOND * second);
        }
        assert_eq!(bucket.rate(), 0.25, "it never falls so far that it does not come back");
    }

    #[test]
    fn those_who_wait_wait_longer_once_it_is_halved() {
        let bucket = Adaptive::new(Growing::fixed(2.0), 0.0, 60 * SECOND);
        let now = Instant::now();
        assert_eq!(bucket.reserve(10.0, now), Ok(Duration::ZERO));
        bucket.throttled(now);
        assert_eq!(bucket.reserve(1.0, now), Ok(10 * SECOND));
    }

    #[test]
    fn a_senseless_rate_does_not_panic() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let bucket = Adaptive::new(Growing::fixed(rate), 0.0, SECOND);
            assert_eq!(bucket.rate(), 0.001, "{rate}");
        }
    }
}
