//! What holds for every variant: the process-wide part of the configuration that a decision depends
//! on, and what a person has just confirmed.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::consent::Shown;
use super::ids::AccountId;
use super::time::{Timestamp, seconds};

/// What holds for every variant. It is kept with each decision, so that the decision can be made
/// again from its record alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The account that may be written to (rule 2).
    pub account_id: Option<AccountId>,
    /// `reconcile.enabled` (rule 10).
    pub enabled: bool,
    /// The freeze window that is open now (rule 10).
    pub freeze: Option<Freeze>,
    /// Telemetry older than this is stale: raises wait (rule 8).
    #[serde(rename = "telemetry_max_age_seconds", with = "seconds")]
    pub telemetry_max_age: TimeDelta,
    /// Most writes of one variant in an hour (rule 10).
    pub writes_per_hour: usize,
    /// Most writes of one variant in a day (rule 10).
    pub writes_per_day: usize,
    /// Since when this process decides and writes; absent for a command that looks once. What an earlier
    /// one was in the middle of is taken back (rule 29).
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Whether a probe of this variant may begin: none of its family or endpoint is under way.
    #[serde(default)]
    pub may_probe: bool,
    /// What a person has been shown of this variant's changes, and has confirmed.
    pub confirmed: Confirmed,
}

/// An open freeze window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub until: Timestamp,
    /// Whether lowering a target value is allowed inside it.
    pub allow_lowering: bool,
}

/// What a person has confirmed of one variant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// Nothing: the rules alone decide.
    #[default]
    Nothing,
    /// Everything, to show a person what a yes would lead to. Nothing is ever written on it.
    Asking,
    /// The changes that were shown; nothing else of the variant is written.
    Only(Shown),
}

impl Confirmed {
    /// Whether a person has confirmed any change, or is about to be asked.
    pub fn any(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Asking => true,
            Self::Only(shown) => *shown != Shown::default(),
        }
    }
}
