//! Probes: raises of a target value that are experiments, for the load of each instance to show what it
//! can serve.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;
use super::units::{for_reading, human};

/// The time in which bad minutes of probes add up.
pub const BUDGETED: TimeDelta = TimeDelta::days(7);

/// What a probe may cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbeGoal {
    /// Minutes that may break the objective in probes, in any 7 days. From so many on none begins.
    pub bad_minutes_per_week: f64,
}

/// What is remembered of the probes of a variant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probes {
    pub under_way: Option<Probe>,
    /// Minutes of the last 7 days that broke the objective in a probe, or in the quarter of an hour
    /// after one.
    pub bad_minutes: Vec<Timestamp>,
    /// Minutes up to here have been looked at.
    pub counted_until: Option<Timestamp>,
    pub last: Option<EndedProbe>,
}

impl Probes {
    /// Bad minutes of probes that count towards the budget.
    pub fn spent(&self, now: Timestamp) -> usize {
        self.bad_minutes.iter().filter(|at| **at > now - BUDGETED).count()
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A probe that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    pub began_at: Timestamp,
    /// The value to put back.
    pub before: f64,
    /// The value in force during it.
    pub to: f64,
    /// Invocations a minute of all instances when it began.
    pub invocations: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EndedProbe {
    /// When the value was put back, or was seen to be another one.
    pub at: Timestamp,
    /// The value during it.
    pub to: f64,
    pub why: ProbeEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeEnd {
    /// Its time was over, and no minute broke the objective.
    Proven,
    /// A minute broke the objective.
    BadMinute,
    /// The capacity is known now, or no longer at all.
    Verdict,
    LoadRose,
    /// There is no fresh telemetry.
    Blind,
    Incident,
    /// A deploy, or a change of what runs.
    Deploy,
    /// Another process, or the same one in another term of leadership.
    Restart,
    /// Somebody set another value.
    ForeignWrite,
    /// The configuration no longer asks for probes in this mode.
    NotWanted,
}

impl ProbeEnd {
    /// Why, after "the probe ended:".
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Proven => "no minute of it broke the objective",
            Self::BadMinute => "a minute broke the objective",
            Self::Verdict => "the verdict on the capacity is another one now",
            Self::LoadRose => "the load rose",
            Self::Blind => "there is no fresh telemetry",
            Self::Incident => "an incident is open",
            Self::Deploy => "what runs is changing",
            Self::Restart => "the process that began it no longer leads",
            Self::ForeignWrite => "somebody set another value",
            Self::NotWanted => "the configuration no longer asks for probes",
        }
    }
}

impl Probe {
    /// What is in force and why, in a sentence.
    pub fn sentence(&self, latest: Timestamp, ended: Option<ProbeEnd>) -> String {
        let (to, before) = (human(for_reading(self.to)), human(for_reading(self.before)));
        let since = self.began_at.format("%FT%TZ");
        match ended {
            None => format!(
                "a probe raised {before} to {to} at {since}; setpoint restores {before} at the first minute that \
                 breaks the objective, or at {} at the latest",
                latest.format("%FT%TZ")
            ),
            Some(why) => format!(
                "a probe raised {before} to {to} at {since}; it ended because {}, and setpoint must restore {before}",
                why.sentence()
            ),
        }
    }
}
