//! A client-side rate that finds what AWS lets through, where AWS publishes no figure or shares it
//! among everybody in the account: it grows while it is used up and nothing is throttled, is halved
//! when AWS throttles much of it, and comes back to where it was when AWS has stopped.

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
/// How much it grows in a step below the rate that held before AWS throttled: from the lowest to
/// fifty times as much in 50 s.
const RECOVERY: f64 = 1.5;
/// It is halved when so many of the last 64 answers were throttled, and before that it only stops
/// growing. AWS throttles a call now and then whatever the rate, and those are tried again: of one
/// call in ten, a slower rate would only keep the others waiting. A rate that is too high by a third
/// has a quarter of its calls throttled, which one in ten comes to once in thousands of calls.
const MANY_OF_64: u32 = 16;
/// Calls that were under way when it was halved are throttled as well: they say nothing new.
const UNDER_WAY: Duration = Duration::from_secs(2);
/// The lowest share of the first rate that it falls to.
const LOWEST: f64 = 0.1;
/// It does not fall below one unit a second either, unless the first rate does: slower, a fleet is
/// not read at all.
const LOWEST_UNITS: f64 = 1.0;

/// Where a rate begins, and how far it may grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growing {
    /// Units a second at first.
    pub from: f64,
    /// Units a second at most.
    pub to: f64,
}

impl Growing {
    /// A rate that never grows beyond its first; throttled, it is halved all the same.
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
    /// Whether AWS has throttled since then.
    refused: bool,
    /// Whether it ever has.
    ever_refused: bool,
    /// The newest 64 answers since the rate was halved, the newest last; set where AWS throttled.
    answers: u64,
    halved_at: Option<Instant>,
    /// The newest rate that was used up for a step without being halved, since it last was.
    held: Option<f64>,
    /// That rate as of when it was halved: where it comes back to quickly.
    good: f64,
}

impl Adaptive {
    pub(super) fn new(limits: Growing, burst: f64, max_wait: Duration) -> Self {
        let sane = |rate: f64| if rate.is_finite() { rate.max(0.001) } else { 0.001 };
        let from = sane(limits.from);
        let limits = Growing { from, to: sane(limits.to).max(from) };
        let state = State {
            rate: from,
            next: None,
            counted_since: None,
            units: 0.0,
            refused: false,
            ever_refused: false,
            answers: 0,
            halved_at: None,
            held: None,
            good: from,
        };
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
        state.answers <<= 1;
        let Some(since) = state.counted_since.filter(|since| now - *since >= STEP) else { return };
        let elapsed = now - since;
        let used_up = state.units / (state.rate * elapsed.as_secs_f64()) >= USED_UP;
        if used_up {
            state.held = Some(state.rate);
        }
        // A process that starts begins with the first rate: it is taken for good as well.
        let good = state.good.max(self.limits.from);
        if state.rate < good {
            // By the time, for what is known to be good need not be proved by using it up.
            let steps = elapsed.as_secs_f64() / STEP.as_secs_f64();
            let faster = (state.rate * RECOVERY.powf(steps)).min(good);
            state.follow(faster, now);
        } else if used_up && !state.refused {
            let growth = if state.ever_refused { GROWTH } else { FIRST_GROWTH };
            let faster = (state.rate * growth).min(self.limits.to);
            state.follow(faster, now);
        }
        state.count_from(now);
    }

    /// AWS has throttled a call.
    pub(super) fn throttled(&self, now: Instant) {
        let mut state = self.state();
        if state.halved_at.is_some_and(|at| now - at < UNDER_WAY) {
            return;
        }
        state.refused = true;
        state.ever_refused = true;
        state.answers = state.answers << 1 | 1;
        if state.answers.count_ones() < MANY_OF_64 {
            return;
        }
        state.halved_at = Some(now);
        state.answers = 0;
        if let Some(held) = state.held.take() {
            state.good = held;
        }
        state.count_from(now);
        let slower = (state.rate / 2.0).max(self.lowest());
        state.follow(slower, now);
    }

    fn lowest(&self) -> f64 {
        let from = self.limits.from;
        (from * LOWEST).max(LOWEST_UNITS).min(from)
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
        self.refused = false;
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
        loop {
            now += bucket.reserve(1.0, now).unwrap();
            if now >= at + seconds * SECOND {
                break passed;
            }
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

    /// So many answers, all of them throttled.
    fn refuse(bucket: &Adaptive, answers: u32, now: Instant) {
        for _ in 0..answers {
            bucket.throttled(now);
        }
    }

    /// As [`use_up`], while AWS refuses so many percent of the calls at random. Answers with the
    /// calls made in each second.
    fn at_random(percent: u64, bucket: &Adaptive, at: Instant, seconds: u32) -> f64 {
        let (mut now, mut calls, mut seed) = (at, 0, 1_u64);
        loop {
            now += bucket.reserve(1.0, now).unwrap();
            if now >= at + seconds * SECOND {
                break f64::from(calls) / f64::from(seconds);
            }
            calls += 1;
            // Knuth's MMIX generator: the same numbers every time.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if (seed >> 33) % 100 < percent { bucket.throttled(now) } else { bucket.passed(now) }
        }
    }

    #[test]
    fn many_throttled_answers_at_once_are_one_sign() {
        let bucket = Adaptive::new(Growing { from: 16.0, to: 16.0 }, 0.0, SECOND);
        let now = Instant::now();
        refuse(&bucket, MANY_OF_64 - 1, now);
        assert_eq!(bucket.rate(), 16.0, "a few are none");
        refuse(&bucket, 20, now);
        assert_eq!(bucket.rate(), 8.0);
    }

    #[test]
    fn however_much_is_throttled_a_fleet_is_read() {
        for (from, lowest) in [(10.0, 1.0), (4.0, 1.0), (40.0, 4.0), (0.5, 0.5)] {
            let bucket = Adaptive::new(Growing::fixed(from), 0.0, SECOND);
            let now = Instant::now();
            for second in 0..300 {
                refuse(&bucket, 5, now + second * SECOND);
            }
            assert_eq!(bucket.rate(), lowest, "{from}");
        }
    }

    /// They are tried again, and the others go on as before.
    #[test]
    fn a_tenth_of_the_calls_throttled_slows_nothing_down() {
        let start = Instant::now();
        for (percent, calls) in [(10, 9.5..10.1), (50, 1.0..5.0), (100, 1.0..2.0)] {
            let bucket = Adaptive::new(Growing::fixed(10.0), 0.0, SECOND);
            let found = at_random(percent, &bucket, start, 600);
            assert!(calls.contains(&found), "{percent} %: {found} a second");
        }
    }

    #[test]
    fn it_is_back_at_what_held_before_within_a_minute() {
        let bucket = Adaptive::new(Growing { from: 10.0, to: 50.0 }, 0.0, 20 * SECOND);
        let start = Instant::now();
        use_up(&bucket, start, 60, u32::MAX);
        assert_eq!(bucket.rate(), 50.0);
        // AWS answers nothing else for two minutes.
        let until = start + 180 * SECOND;
        for second in 60..180 {
            refuse(&bucket, 5, start + second * SECOND);
        }
        assert_eq!(bucket.rate(), 1.0);
        use_up(&bucket, until, 55, u32::MAX);
        assert_eq!(bucket.rate(), 50.0);
    }

    /// Passes of a few calls each never use it up, and need not wait for more than one of them.
    #[test]
    fn it_comes_back_without_being_used_up() {
        let bucket = Adaptive::new(Growing::fixed(10.0), 0.0, SECOND);
        let start = Instant::now();
        bucket.reserve(1.0, start).unwrap();
        for second in 0..60 {
            refuse(&bucket, 5, start + second * SECOND);
        }
        assert_eq!(bucket.rate(), 1.0);
        bucket.passed(start + 120 * SECOND);
        assert_eq!(bucket.rate(), 10.0);
    }

    #[test]
    fn those_who_wait_wait_longer_once_it_is_halved() {
        let bucket = Adaptive::new(Growing::fixed(2.0), 0.0, 60 * SECOND);
        let now = Instant::now();
        assert_eq!(bucket.reserve(10.0, now), Ok(Duration::ZERO));
        refuse(&bucket, MANY_OF_64, now);
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
