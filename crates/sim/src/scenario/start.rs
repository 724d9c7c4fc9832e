//! When a scenario begins: at a time that its file states, or when the world is served.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeZone as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Change, Scenario, ScenarioError};
use crate::traffic::Part;
use setpoint_core::model::time::Timestamp;

/// What stands in a file in the place of a time.
const NOW: &str = "now";

/// When the scenario begins, after its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// When it is served or shown.
    Now,
    /// At this time.
    At(Timestamp),
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl std::str::FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NOW {
            return Ok(Self::Now);
        }
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| {
            format!("start: found {text:?} (allowed: now, or a time such as 2026-11-23T12:00:00Z)")
        })?;
        Ok(Self::At(at.with_timezone(&Utc)))
    }
}

impl Serialize for Start {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Now => serializer.serialize_str(NOW),
            Self::At(at) => {
                serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
        }
    }
}

impl Scenario {
    /// Settles when it begins: at this time where it says `now` or nothing.
    pub fn begin_at(&mut self, now: Timestamp) {
        if !matches!(self.world.start, Some(Start::At(_))) {
            // Whole seconds, as AWS shows its times.
            self.world.start = Some(Start::At(now.trunc_subsecs(0)));
        }
    }

    pub(super) fn begins(&self) -> Result<Timestamp, ScenarioError> {
        match self.world.start {
            Some(Start::At(at)) => Ok(at),
            None => Ok(default_start()),
            Some(Start::Now) => Err(ScenarioError {
                origin: "world.start".to_owned(),
                message: "is now, and no one has said when that is".to_owned(),
            }),
        }
    }

    /// Moves the hours of the day so that it is `hour_at_start` when the scenario begins.
    pub(super) fn shift_hours(&mut self, begins: Timestamp) {
        let Some(hour) = self.world.hour_at_start else { return };
        let shift = begins.timestamp().rem_euclid(86_400) as f64 / 3600.0 - hour;
        let loads = self.endpoints.iter_mut().flat_map(|e| &mut e.variants);
        let parts = loads.filter_map(|v| v.load.as_mut()).flat_map(|load| &mut load.traffic);
        let changed = self.events.iter_mut().flat_map(|event| match &mut event.change {
            Change::Traffic { parts, .. } => parts.iter_mut(),
            _ => [].iter_mut(),
        });
        for part in parts.chain(changed) {
            if let Part::Diurnal { peak_hour, .. } = part {
                *peak_hour += shift;
            }
        }
    }
}

/// When a scenario begins that does not say it and that nobody serves: always the same time, so that
/// what happens in it is.
#[expect(clippy::expect_used, reason = "the literals are valid, and a test makes them")]
fn default_start() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).single().expect("a date")
}
