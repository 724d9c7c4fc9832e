//! Whether setpoint can do its work here: each thing it depends on, as it was found, and what to do
//! about it. Pure: `cli::doctor` finds out, in here it is judged.

mod aws;
mod daemon;
mod money;
mod report;
mod surroundings;
mod telemetry;

use serde::Serialize;

pub use aws::{Outcome, Outcomes, caller, endpoints, permissions, writes};
pub use daemon::{DaemonFound, ScrapeFound, daemon, prometheus};
pub use money::{Reads, amount, budget, schedules};
pub use report::Diagnosis;
pub use surroundings::{MemoryFound, StoreFound, clock, memory, proxy, store, trust};
pub use telemetry::{Metrics, metrics};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It keeps setpoint from its work.
    Fail,
    /// Something will go wrong, or cannot be seen from here and often does.
    Warn,
    /// As it should be.
    Ok,
    /// Nothing to judge.
    Note,
}

impl Health {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Ok => "ok",
            Self::Note => "note",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in a word of a closed set ([`CHECKS`]).
    pub check: &'static str,
    /// How it came out.
    pub health: Health,
    pub found: String,
    /// What to do; absent where nothing need be done.
    pub advice: Option<String>,
}

/// The words of all checks.
pub const CHECKS: [&str; 16] = [
    "configuration",
    "proxy",
    "tls",
    "credentials",
    "clock",
    "endpoints",
    "permission",
    "write_permissions",
    "metrics",
    "publish_frequency",
    "schedule",
    "budget",
    "memory",
    "store",
    "daemon",
    "prometheus",
];

impl Check {
    /// As it should be.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, health: Health::Ok, found: found.into(), advice: None }
    }

    /// Nothing to judge.
    pub fn note(check: &'static str, found: impl Into<String>) -> Self {
        Self { health: Health::Note, ..Self::ok(check, found) }
    }

    /// Something will go wrong.
    pub fn warn(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { health: Health::Warn, advice: Some(advice.into()), ..Self::ok(check, found) }
    }

    /// It keeps setpoint from its work.
    pub fn fail(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { health: Health::Fail, advice: Some(advice.into()), ..Self::ok(check, found) }
    }
}
