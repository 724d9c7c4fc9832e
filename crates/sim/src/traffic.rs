//! Traffic: how many requests a variant is expected to get in a minute, as a sum of parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::random::Random;
use setpoint_core::model::time::Timestamp;

/// One part of the traffic of a variant. Rates are requests per minute of the whole variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// The same all day.
    Steady { rate: f64 },
    /// A day's wave between `low` and `high`, highest at `peak_hour` (UTC, 0 to 24).
    Diurnal {
        /// The rate in the valley.
        low: f64,
        /// The rate at the peak.
        high: f64,
        peak_hour: f64,
    },
    /// Some bursts a day, at random, each of the same height and length.
    Bursts {
        /// How many a day, on average.
        per_day: f64,
        /// What each adds.
        rate: f64,
        /// How long each lasts, in minutes.
        minutes: u32,
    },
    /// One crowd: a steep rise at a time, then a decay.
    FlashCrowd {
        at: Timestamp,
        /// What it adds at its height.
        rate: f64,
        /// How fast it fades, in minutes (to a third).
        fade_minutes: f64,
    },
    Step {
        at: Timestamp,
        /// What it adds from then on.
        rate: f64,
    },
    /// A recording: a CSV with a header and the requests of one minute a row in the column
    /// `requests` (or the last column). Starts over at its end.
    Replay {
        /// Where it is, relative to the scenario.
        path: PathBuf,
        /// What each value is multiplied with.
        #[serde(default = "one")]
        scale: f64,
        /// The recording, once loaded.
        #[serde(skip)]
        minutes: Arc<[f64]>,
    },
}

fn one() -> f64 {
    1.0
}

/// A recording that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("traffic recording {path}: {message}")]
pub struct RecordingError {
    path: String,
    message: String,
}

/// The traffic of one variant: its parts and what they remember.
#[derive(Debug, Clone)]
pub struct Traffic {
    parts: Vec<Part>,
    burst_minutes_left: Vec<u32>,
}

impl Traffic {
    /// Puts parts together.
    pub fn new(parts: Vec<Part>) -> Self {
        let burst_minutes_left = vec![0; parts.len()];
        Self { parts, burst_minutes_left }
    }

    /// The requests expected in the minute that starts `at`.
    pub fn rate(&mut self, at: Timestamp, random: &mut Random) -> f64 {
        let mut sum = 0.0;
        for (part, left) in self.parts.iter().zip(&mut self.burst_minutes_left) {
            sum += part.rate(at, left, random);
        }
        sum.max(0.0)
    }
}

impl Part {
    fn rate(&self, at: Timestamp, burst_left: &mut u32, random: &mut Random) -> f64 {
        let since = |t: &Timestamp| (at - *t).num_seconds() as f64 / 60.0;
        match self {
            Self::Steady { rate } => *rate,
            Self::Diurnal { low, high, peak_hour } => {
                let hour = at.timestamp().rem_euclid(86_400) as f64 / 3600.0;
                let wave = libm::cos((hour - peak_hour) / 24.0 * std::f64::consts::TAU);
                low + (high - low) * (0.5 + 0.5 * wave)
            }
            Self::Bursts { per_day, rate, minutes } => {
                // Drawn every minute, so that a burst changes no later draw.
                let begins = random.uniform() < per_day / 1440.0;
                if *burst_left == 0 && begins {
                    *burst_left = *minutes;
                }
                let on = *burst_left > 0;
                *burst_left = burst_left.saturating_sub(1);
                if on { *rate } else { 0.0 }
            }
            Self::FlashCrowd { at: begin, rate, fade_minutes } => match since(begin) {
                minutes if minutes < 0.0 => 0.0,
                minutes if minutes < 2.0 => rate * (minutes + 1.0) / 3.0,
                minutes => rate * libm::exp(-(minutes - 2.0) / fade_minutes.max(0.1)),
            },
            Self::Step { at: begin, rate } => {
                if since(begin) >= 0.0 {
                    *rate
                } else {
                    0.0
                }
            }
            Self::Replay { scale, minutes, .. } => {
                if minutes.is_empty() {
                    return 0.0;
                }
                let row =
                    at.timestamp().div_euclid(60).rem_euclid(minutes.len().cast_signed() as i64);
                minutes[row as usize] * scale
            }
        }
    }

    /// Reads the recording of a [`Part::Replay`]; does nothing for the others.
    ///
    /// # Errors
    /// When the file cannot be read, is empty or holds something else than numbers of at least 0.
    pub fn load(&mut self, base: &Path) -> Result<(), RecordingError> {
        let Self::Replay { path, minutes, .. } = self else { return Ok(()) };
        let full = base.join(&*path);
        let error = |message: String| RecordingError { path: full.display().to_string(), message };
        let mut reader = csv::Reader::from_path(&full).map_err(|e| error(e.to_string()))?;
        let headers = reader.headers().map_err(|e| error(e.to_string()))?;
        let column = headers
            .iter()
            .position(|h| h.trim() == "requests")
            .unwrap_or(headers.len().saturating_sub(1));
        let mut values = Vec::new();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(|e| error(e.to_string()))?;
            let text = record.get(column).unwrap_or_default().trim();
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() && value >= 0.0 => values.push(value),
                _ => {
                    let line = row + 2;
                    return Err(error(format!(
                        "line {line}: found {text:?} (allowed: a number of at least 0)"
                    )));
                }
            }
        }
        if values.is_empty() {
            return Err(error("no rows".to_owned()));
        }
        *minutes = values.into();
        Ok(())
    }
}
