//! Instants. All of `setpoint` thinks in UTC and in whole minutes, as CloudWatch does.

use chrono::{DateTime, TimeDelta, Utc};

/// An instant in UTC.
pub type Timestamp = DateTime<Utc>;

/// The start of the minute that `at` lies in.
#[must_use]
pub fn floor_to_minute(at: Timestamp) -> Timestamp {
    floor_to(at, 60)
}

/// The last multiple of `period_seconds` since the epoch that is not after `at`.
#[must_use]
pub fn floor_to(at: Timestamp, period_seconds: i64) -> Timestamp {
    let seconds = at.timestamp().div_euclid(period_seconds) * period_seconds;
    DateTime::from_timestamp(seconds, 0).unwrap_or(at)
}

/// `n` minutes as a duration.
#[must_use]
pub const fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}
