//! Times as AWS JSON has them: seconds since the epoch, with milliseconds as a fraction.

use chrono::DateTime;
use serde::{Deserialize, Deserializer, Serializer};

use setpoint_core::model::time::Timestamp;

/// Writes a time.
pub(crate) fn serialize<S: Serializer>(at: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(at.timestamp_millis() as f64 / 1000.0)
}

/// Reads a time: epoch seconds, or RFC 3339 as the Query and JSON protocols of CloudWatch allow.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Seconds(f64),
        Text(String),
    }
    let bad = || serde::de::Error::custom("not a timestamp (allowed: epoch seconds, RFC 3339)");
    match Form::deserialize(d)? {
        Form::Seconds(s) => {
            DateTime::from_timestamp_millis((s * 1000.0).round() as i64).ok_or_else(bad)
        }
        Form::Text(text) => DateTime::parse_from_rfc3339(&text).map(Into::into).map_err(|_| bad()),
    }
}

/// Times that may be absent.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    /// Writes a time, or nothing.
    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, s),
            None => s.serialize_none(),
        }
    }

    /// Reads a time, or nothing.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        #[derive(Deserialize)]
        struct Wrap(#[serde(with = "super")] Timestamp);
        Ok(Option::<Wrap>::deserialize(d)?.map(|w| w.0))
    }
}

pub(crate) mod list {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    /// Writes times.
    pub(crate) fn serialize<S: Serializer>(list: &[Timestamp], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(list.iter().map(|at| at.timestamp_millis() as f64 / 1000.0))
    }

    /// Reads times.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Timestamp>, D::Error> {
        #[derive(Deserialize)]
        struct Wrap(#[serde(with = "super")] Timestamp);
        Ok(Vec::<Wrap>::deserialize(d)?.into_iter().map(|w| w.0).collect())
    }
}
