//! A token bucket, for whoever limits a rate. Pure: time is an argument.

use super::time::Timestamp;

/// How fast things may pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many at once.
    pub burst: f64,
    /// How many a second after that.
    pub per_second: f64,
}

/// A bucket that begins full.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    /// A full one.
    pub const fn new(rate: Rate, now: Timestamp) -> Self {
        Self { tokens: rate.burst, at: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> bool {
        let seconds = (now - self.at).num_milliseconds().max(0) as f64 / 1000.0;
        self.tokens = (self.tokens + seconds * rate.per_second).min(rate.burst);
        self.at = now;
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_after_the_other() {
        let rate = Rate { burst: 2.0, per_second: 0.1 };
        let at = |seconds: i64| Timestamp::from_timestamp(seconds, 0).unwrap();
        let mut bucket = Bucket::new(rate, at(0));
        let taken = [0, 0, 0, 9, 10, 11, 100, 100, 100].map(|s| bucket.take(rate, at(s)));
        assert_eq!(taken, [true, true, false, false, true, false, true, true, false]);
        // A clock that was set back gives nothing, and takes nothing away.
        assert!(!bucket.take(rate, at(50)) && bucket.take(rate, at(60)));
    }
}
