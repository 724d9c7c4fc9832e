//! How long a variant takes to react: from the load crossing the target to instances that serve.
//!
//! The delay of a scale-out is the sum of three parts: the alarm (three minutes of three, and the
//! time that a minute needs to show in `CloudWatch`), the start of the scaling activity, and the
//! start-up of an instance. Each part has a median and a 95 % point, in minutes. Until there are
//! [`OBSERVATIONS_MIN`] observations a part is the prior of its instance type.

use serde::{Deserialize, Serialize};

/// Fewest observations of a part from which it counts as measured.
pub const OBSERVATIONS_MIN: u32 = 5;
/// The longest part that is believed, in minutes: AWS gives an instance an hour to start.
const MINUTES_MAX: f64 = 60.0;
/// The alarm: three minutes above the target, and two until a minute shows whole in `CloudWatch`
/// (users report two to three; AWS publishes no figure).
const ALARM: Spread = Spread { p50: 5.0, p95: 6.0 };
/// From the alarm to the beginning of the activity: target tracking acts within a minute.
const ACTIVITY: Spread = Spread { p50: 0.5, p95: 1.0 };
/// Start-up of instances without an accelerator: machine, image and model of hundreds of MB.
const START_UP_CPU: Spread = Spread { p50: 4.0, p95: 7.0 };
/// Start-up of instances with an accelerator: images and models of many GB.
const START_UP_ACCELERATED: Spread = Spread { p50: 8.0, p95: 15.0 };

/// The median and the 95 % point of a duration, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median, in minutes.
    pub p50: f64,
    /// The 95 % point, in minutes; never below the median.
    pub p95: f64,
}

impl Spread {
    /// A spread of these two points, kept in order and within 0 to 60 minutes. What is not a
    /// number counts as 0.
    pub fn new(p50: f64, p95: f64) -> Self {
        let believed = |v: f64| if v.is_nan() { 0.0 } else { v.clamp(0.0, MINUTES_MAX) };
        let p50 = believed(p50);
        Self { p50, p95: believed(p95).max(p50) }
    }

    /// A duration that does not vary.
    pub fn exactly(minutes: f64) -> Self {
        Self::new(minutes, minutes)
    }

    /// The duration at a standard normal deviate, in minutes: the logarithm is normal, the median
    /// is at 0 and the 95 % point at 1.645.
    pub fn at(self, z: f64) -> f64 {
        if self.p50 <= 0.0 {
            return if z > 0.0 { self.p95 * (z / 1.645).min(1.0) } else { 0.0 };
        }
        let sigma = (self.p95 / self.p50).ln() / 1.645;
        (self.p50 * (sigma * z).exp()).min(MINUTES_MAX)
    }
}

/// Where a part's figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum Source {
    /// So many observations of this variant.
    Measured {
        observations: u32,
    },
    /// A person stated it.
    Stated,
    InstanceType,
}

/// One part of the delay, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// How long it takes.
    #[serde(flatten)]
    pub minutes: Spread,
    /// Where that comes from.
    #[serde(flatten)]
    pub source: Source,
}

impl Part {
    /// A part that was measured, where there are enough observations to say so.
    pub const fn measured(minutes: Spread, observations: u32) -> Option<Self> {
        if observations < OBSERVATIONS_MIN {
            return None;
        }
        Some(Self { minutes, source: Source::Measured { observations } })
    }

    /// A part that a person stated, in minutes.
    pub fn stated(minutes: f64) -> Self {
        Self { minutes: Spread::exactly(minutes), source: Source::Stated }
    }

    const fn prior(minutes: Spread) -> Self {
        Self { minutes, source: Source::InstanceType }
    }
}

/// The delay of a scale-out, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReactionTime {
    /// From the load crossing the target to the alarm.
    pub alarm: Part,
    /// From the alarm to the beginning of the scaling activity.
    pub activity: Part,
    /// From the beginning of the activity to instances that serve.
    pub start_up: Part,
}

impl ReactionTime {
    /// What is assumed before anything was measured. The instance type may be unknown.
    pub fn prior(instance_type: Option<&str>) -> Self {
        let accelerated = instance_type.is_some_and(is_accelerated);
        let start_up = if accelerated { START_UP_ACCELERATED } else { START_UP_CPU };
        Self {
            alarm: Part::prior(ALARM),
            activity: Part::prior(ACTIVITY),
            start_up: Part::prior(start_up),
        }
    }

    /// The same, with another start-up time, in minutes.
    #[must_use]
    pub fn with_start_up(self, minutes: f64) -> Self {
        Self { start_up: Part::stated(minutes), ..self }
    }

    /// The three parts, in order of time.
    pub const fn parts(&self) -> [(&'static str, Part); 3] {
        [("alarm", self.alarm), ("activity", self.activity), ("start_up", self.start_up)]
    }

    /// The sum of the medians, in minutes.
    pub fn p50(&self) -> f64 {
        self.parts().iter().map(|(_, part)| part.minutes.p50).sum()
    }

    /// The sum of the 95 % points, in minutes: the parts are rarely all slow at once, so that it
    /// errs on the slow side.
    pub fn p95(&self) -> f64 {
        self.parts().iter().map(|(_, part)| part.minutes.p95).sum()
    }
}

/// Whether instances of a type carry a GPU or another accelerator: `ml.g5.xlarge`, `ml.p4d…`,
/// `ml.inf2…`, `ml.trn1…`.
fn is_accelerated(instance_type: &str) -> bool {
    let family = instance_type.strip_prefix("ml.").unwrap_or(instance_type);
    let letters: String = family.chars().take_while(char::is_ascii_alphabetic).collect();
    matches!(letters.as_str(), "g" | "gr" | "p" | "inf" | "trn" | "dl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accelerators_take_longer_to_start() {
        for slow in ["ml.g5.2xlarge", "ml.p4d.24xlarge", "ml.inf2.xlarge", "ml.trn1.2xlarge"] {
            assert_eq!(ReactionTime::prior(Some(slow)).start_up.minutes.p50, 8.0, "{slow}");
        }
        for quick in [Some("ml.m5.large"), Some("ml.c7g.xlarge"), Some("ml.r5.large"), None] {
            let prior = ReactionTime::prior(quick);
            assert_eq!((prior.p50(), prior.p95()), (9.5, 14.0), "{quick:?}");
        }
    }

    #[test]
    fn a_spread_passes_through_its_two_points() {
        let spread = Spread::new(4.0, 7.0);
        assert!((spread.at(0.0) - 4.0).abs() < 1e-9);
        assert!((spread.at(1.645) - 7.0).abs() < 1e-9);
        assert_eq!(Spread::new(5.0, 2.0), Spread { p50: 5.0, p95: 5.0 });
        assert_eq!(Spread::new(f64::NAN, 1e9), Spread { p50: 0.0, p95: 60.0 });
        assert_eq!(Spread::exactly(3.0).at(2.0), 3.0);
    }

    #[test]
    fn four_observations_are_no_measurement() {
        assert_eq!(Part::measured(Spread::exactly(3.0), 4), None);
        assert!(Part::measured(Spread::exactly(3.0), 5).is_some());
    }
}
