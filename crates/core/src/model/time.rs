//! Instants. All of `setpoint` thinks in UTC and in whole minutes, as CloudWatch does.

use chrono::{DateTime, TimeDelta, Utc};

/// An instant in UTC.
pub type Timestamp = DateTime<Utc>;

/// The start of the minute that `at` lies in.
pub fn floor_to_minute(at: Timestamp) -> Timestamp {
    floor_to(at, 60)
}

/// The last multiple of `period_seconds` since the epoch that is not after `at`.
pub fn floor_to(at: Timestamp, period_seconds: i64) -> Timestamp {
    let seconds = at.timestamp().div_euclid(period_seconds) * period_seconds;
    DateTime::from_timestamp(seconds, 0).unwrap_or(at)
}

/// `n` minutes as a duration.
pub const fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

/// Spans of time in whole seconds, for JSON.
pub(super) mod seconds {
    use chrono::TimeDelta;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::model) fn serialize<S: Serializer>(
        span: &TimeDelta,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_i64(span.num_seconds())
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<TimeDelta, D::Error> {
        let seconds = i64::deserialize(from)?;
        TimeDelta::try_seconds(seconds).ok_or_else(|| D::Error::custom("too long"))
    }
}
