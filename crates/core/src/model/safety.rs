//! The second axis of a variant: whether the target value in force is safe, going by what was
//! measured. The first one, whether AWS has what the configuration states, is in the fields of the
//! report. Neither says anything of the other.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::reason::words;

words! {
    /// Why it is not known whether a target value is safe.
    Unproven {
        /// There is no latency objective to judge by.
        NoObjective = "no_objective",
        /// The metric means nothing on this kind of variant.
        UnsupportedKind = "unsupported_kind",
        /// The variant, or its endpoint, does not exist.
        EndpointMissing = "endpoint_missing",
        /// The value in force could not be read.
        CouldNotRead = "could_not_read",
        /// There is no value in force.
        NoTarget = "no_target",
        NoTelemetry = "no_telemetry",
        /// The telemetry says nothing of capacity yet.
        NoEvidence = "no_evidence",
        /// What was known of capacity is too old.
        Stale = "stale",
        /// In the first hour after a deploy the measurement has not caught up.
        NewRegime = "new_regime",
        /// Only a lower bound of capacity is proven, and the value claims more.
        LimitNotSeen = "limit_not_seen",
        /// The value is above the safe one, but within what the measurement leaves open.
        Undecided = "undecided",
    }
}

/// Whether the target value in force is safe. The order is from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Safety {
    /// It lies above the upper end of the measured capacity.
    AboveCapacity,
    ObjectiveBroken,
    /// It claims clearly more capacity than was measured.
    Over,
    /// Requests take longer since the last change of what runs.
    Slower,
    NotKnown(Unproven),
    /// It claims clearly less capacity than was measured: instances that are not needed.
    Under,
    /// The measured capacity bears it.
    Safe,
}

impl Safety {
    /// The words of all states, worst first.
    pub const WORDS: [&'static str; 7] =
        ["above_capacity", "objective_broken", "over", "slower", "not_known", "under", "safe"];

    /// The word used in labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AboveCapacity => Self::WORDS[0],
            Self::ObjectiveBroken => Self::WORDS[1],
            Self::Over => Self::WORDS[2],
            Self::Slower => Self::WORDS[3],
            Self::NotKnown(_) => Self::WORDS[4],
            Self::Under => Self::WORDS[5],
            Self::Safe => Self::WORDS[6],
        }
    }

    /// Whether it is known to be unsafe.
    pub const fn is_unsafe(self) -> bool {
        matches!(self, Self::AboveCapacity | Self::ObjectiveBroken | Self::Over)
    }

    /// Why it is not known.
    pub const fn unproven(self) -> Option<Unproven> {
        match self {
            Self::NotKnown(why) => Some(why),
            _ => None,
        }
    }

    /// The words people read before the sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AboveCapacity | Self::ObjectiveBroken | Self::Over => "unsafe",
            Self::Slower => "slower",
            Self::NotKnown(_) => "safety not known",
            Self::Under => "lower than it needs to be",
            Self::Safe => "safe",
        }
    }
}

/// [`Safety`] with the sentence that explains it. In JSON: `state`, `unsafe`, `why`, `sentence`.
#[derive(Debug, Clone, PartialEq)]
pub struct SafetyReport {
    pub state: Safety,
    /// Why, as a sentence ("660 where 202 is safe; at least 15 of the last 30 minutes broke p99 250 ms (72 % of all)").
    pub sentence: String,
}

impl SafetyReport {
    /// "safe: 600 where 612 is safe".
    pub fn words(&self) -> String {
        format!("{}: {}", self.state.words(), self.sentence)
    }
}

impl Serialize for SafetyReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("SafetyReport", 4)?;
        members.serialize_field("state", self.state.as_str())?;
        members.serialize_field("unsafe", &self.state.is_unsafe())?;
        members.serialize_field("why", &self.state.unproven())?;
        members.serialize_field("sentence", &self.sentence)?;
        members.end()
    }
}
