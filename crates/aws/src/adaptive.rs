//! A client-side rate that finds what AWS lets through, where AWS publishes no figure or shares it
//! among everybody in the account: it grows while it is used up and nothing is throttled, and is
//! halved when AWS throttles.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Exhausted;

/// How long a rate must have been used up without being throttled before it grows.
const STEP: Duration = Duration::from_secs(5);
/// The share of a rate that counts as used up.
const USED_UP: f64 = 0.8;
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
    /// Since when units are counted, and how many were taken since.
    counted_since: Option<Instant>,
    units: f64,
    throttled_at: Option<Instant>,
}

impl Adaptive {
    pub(super) fn new(limits: Growing, burst: f64, max_wait: Duration) -> Self {
        let sane = |rate: f64| if rate.is_finite() { rate.max(0.001) } else { 0.001 };
        let from = sane(limits.from);
        let limits = Growing { from, to: sane(limits.to).max(from) };
        let state =
            State { rate: from, next: None, counted_since: None, units: 0.0, throttled_at: None };
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
        state.counted_since.get_or_insert(now);
        state.units += units;
        state.next = Some(due + Duration::from_secs_f64(units / state.rate));
        Ok(wait)
    }

    /// AWS has answered a call.
    pub(super) fn passed(&self, now: Instant) {
        let mut state = self.state();
        let Some(since) = state.counted_since.filter(|since| now - *since >= STEP) else { return };
        let used = state.units / (state.rate * (now - since).as_secs_f64());
        if used >= USED_UP {
            let growth = if state.throttled_at.is_none() { FIRST_GROWTH } else { GROWTH };
            let faster = (state.rate * growth).min(self.limits.to);
            state.follow(faster, now);
        }
        state.count_from(now);
    }

    /// AWS has throttled a call.
    pub(super) fn throttled(&self, now: Instant) {
        let mut state = self.state();
        if state.throttled_at.is_some_and(|at| now - at < ONE_SIGN) {
            return;
        }
        state.throttled_at = Some(now);
        state.count_from(now);
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
    fn count_from(&mut self, now: Instant) {
        self.counted_since = Some(now);
        self.units = 0.0;
    }

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

    /// Callers that always have a call to make, for so many seconds from `at` on; AWS refuses those
    /// beyond `allowed` in any second. Answers with how many passed.
    fn use_up(bucket: &Adaptive, at: Instant, seconds: u32, allowed: u32) -> u32 {
        let (mut passed, mut now) = (0, at);
        let mut this_second = (0, 0);
        while now < at + seconds * SECOND {
            now += bucket.reserve(1.0, now).unwrap();
            let second = (now - at).as_secs();
            this_second =
                if this_second.0 == second { (second, this_second.1 + 1) } else { (second, 1) };
            if this_second.1 > allowed {
                bucket.throttled(now);
            } else {
                bucket.passed(now);
                passed += 1;
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
        let passed = use_up(&bucket, start + 60 * SECOND, 60, u32::MAX);
        assert_eq!(bucket.rate(), 50.0);
        assert!((1500..3300).contains(&passed), "{passed}");
    }

    #[test]
    fn it_stays_near_what_aws_lets_through() {
        let bucket = Adaptive::new(Growing { from: 10.0, to: 500.0 }, 0.0, SECOND);
        let start = Instant::now();
        use_up(&bucket, start, 60, 30);
        for minute in 1..5 {
            let passed = use_up(&bucket, start + 60 * minute * SECOND, 60, 30);
            assert!((15.0..33.1).contains(&bucket.rate()), "{}", bucket.rate());
            assert!((1200..=1800).contains(&passed), "{passed}");
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
