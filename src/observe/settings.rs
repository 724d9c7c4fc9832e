//! How passes are made: the process-wide part of the configuration.

use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::model::goal::MassChangeLimit;
use crate::model::ids::{AccountId, Scope};

/// How passes are made; the process-wide part of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The account that may be written to (rule 2), while `scopes` is empty.
    pub account_id: Option<AccountId>,
    /// The accounts and regions that are configured one by one: each may be written to in its own
    /// account, and no other may.
    pub scopes: Vec<Scope>,
    /// How long a pass waits for one of several accounts and regions to be read.
    pub observe_timeout: Duration,
    /// How long a pass waits for listings, and for endpoints to be described; what is late comes with a later pass.
    /// Absent: until all of it is there.
    pub sweep_wait: Option<Duration>,
    /// How long a pass begins to read scaling activities for, at most.
    pub activities_timeout: Duration,
    /// Whether anything may be written at all (rule 10).
    pub enabled: bool,
    /// Calls and writes under way at once.
    pub concurrency: usize,
    /// Rule 9.
    pub mass_change: MassChangeLimit,
    /// Rule 10.
    pub writes_per_hour: usize,
    /// Rule 10.
    pub writes_per_day: usize,
    /// How far back the first telemetry read goes.
    pub history: TimeDelta,
    /// How long a pass waits for history that it has begun to read.
    pub history_wait: HistoryWait,
    /// With more variants than this the last day of all is read before the rest of any: what a fleet
    /// looks like is known soon, for 5 metrics more a variant.
    pub last_day_first_above: usize,
    /// How many of the newest minutes are left out, for CloudWatch is still filling them.
    pub delay: TimeDelta,
    /// Rule 8: telemetry older than this holds raises.
    pub telemetry_max_age: TimeDelta,
    /// How often steady variants are read; zero for each telemetry pass.
    pub steady_every: TimeDelta,
    /// What CloudWatch may cost in a calendar month, in US dollars.
    pub budget_dollars: Option<f64>,
    /// Whether unlisted variants are shown at all.
    pub discovery: bool,
    /// Whether unlisted variants get telemetry too.
    pub discovery_telemetry: DiscoveryTelemetry,
}

impl Settings {
    /// The account that may be written to in one account and region: where several are configured,
    /// each has its own and no other (rule 2). One that a reload has taken out of the list has none.
    pub fn allowed_account(&self, scope: &Scope) -> Option<AccountId> {
        if self.scopes.is_empty() {
            return self.account_id.clone();
        }
        self.scopes.contains(scope).then(|| scope.account_id.clone())
    }
}

/// How long a pass waits for history that it has begun to read. What comes later is unknown until a
/// later pass finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryWait {
    /// Until all of it is there.
    All,
    /// So long.
    For(Duration),
    Until(Instant),
}

impl HistoryWait {
    /// When a wait that begins now ends; absent without an end.
    pub fn end(self, now: Instant) -> Option<Instant> {
        match self {
            Self::All => None,
            Self::For(most) => now.checked_add(most),
            Self::Until(end) => Some(end),
        }
    }
}

/// How much telemetry of unlisted variants is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveryTelemetry {
    Off,
    /// Once an hour.
    Hourly,
    /// As of listed ones.
    Full,
}
