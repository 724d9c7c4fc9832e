//! What can go wrong, on purpose: seeded, bounded, each with the reason why it must be survived.

use serde::{Deserialize, Serialize};

use super::api::Operation;
use setpoint_core::model::time::Timestamp;

/// Most calls one fault may hit.
pub const MAX_HITS: u32 = 100_000;
/// Longest time one fault may last, in virtual seconds.
pub const MAX_SECONDS: u32 = 7 * 86_400;

/// One fault. As JSON (`POST /_sim/fault`) and YAML:
/// `{kind: throttle, operations: [PutScalingPolicy], for_seconds: 300, max_hits: 20, because: ...}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// AWS's names of the operations it hits; all that the kind can hit when empty.
    #[serde(default)]
    pub operations: Vec<String>,
    /// For faults of the telemetry: `endpoint/E/variant/V` of the only variant it hits.
    #[serde(default)]
    pub resource: Option<String>,
    /// For `dropped_metric`: AWS's name of the metric.
    #[serde(default)]
    pub metric: Option<String>,
    /// The chance that a call is hit, in (0, 1].
    #[serde(default = "one")]
    pub probability: f64,
    /// How many calls it may hit (1 to 100,000); telemetry faults count minutes.
    #[serde(default = "default_hits")]
    pub max_hits: u32,
    /// How long it lasts, in virtual seconds (1 to 604,800).
    #[serde(default = "default_seconds")]
    pub for_seconds: u32,
    /// For `stale_reads`: how long after a write reads are stale, in virtual seconds.
    #[serde(default = "default_lag")]
    pub lag_seconds: u32,
    /// "the controller must survive this because ...".
    pub because: String,
}

fn one() -> f64 {
    1.0
}

fn default_hits() -> u32 {
    100
}

fn default_seconds() -> u32 {
    600
}

fn default_lag() -> u32 {
    5
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// `ThrottlingException` "Rate exceeded".
    Throttle,
    /// A missing permission: `AccessDeniedException`, on writes of Application Auto Scaling the
    /// `ValidationException` of its dry run.
    Deny,
    /// HTTP 500 (HTTP 400 `InternalServiceException` for Application Auto Scaling).
    Transient,
    /// No answer ever, and no effect.
    NoAnswer,
    /// No answer ever, though the operation took effect.
    AnswerLost,
    /// An answer that cannot be parsed.
    Garbage,
    /// `ConcurrentUpdateException`.
    Conflict,
    /// `LimitExceededException`.
    Quota,
    /// `FailedResourceAccessException`: Application Auto Scaling cannot read the alarms.
    AlarmsUnreadable,
    /// `GetMetricData` answers half and never completes the rest.
    PartialData,
    /// Reads show Application Auto Scaling as it was before the last write.
    StaleReads,
    /// Minutes without any datapoint.
    MissingMinutes,
    /// A metric without datapoints.
    DroppedMetric,
}

impl FaultKind {
    /// Whether it hits calls at the gate (and not single answers or telemetry).
    pub(crate) const fn at_gate(self) -> bool {
        !matches!(
            self,
            Self::PartialData | Self::StaleReads | Self::MissingMinutes | Self::DroppedMetric
        )
    }
}

/// A fault that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("fault {key}: found {found} (allowed: {allowed})")]
pub struct FaultError {
    key: &'static str,
    found: String,
    allowed: &'static str,
}

impl Fault {
    /// A fault of this kind that hits these operations, with the default bounds.
    pub fn new(kind: FaultKind, operations: &[Operation], because: impl Into<String>) -> Self {
        Self {
            kind,
            operations: operations.iter().map(|o| o.as_str().to_owned()).collect(),
            resource: None,
            metric: None,
            probability: 1.0,
            max_hits: default_hits(),
            for_seconds: default_seconds(),
            lag_seconds: default_lag(),
            because: because.into(),
        }
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// When a bound is outside its range, an operation does not exist, or no reason is given.
    pub fn check(&self) -> Result<(), FaultError> {
        let error = |key, found: String, allowed| Err(FaultError { key, found, allowed });
        if !(self.probability > 0.0 && self.probability <= 1.0) {
            return error("probability", self.probability.to_string(), "above 0, at most 1");
        }
        if !(1..=MAX_HITS).contains(&self.max_hits) {
            return error("max_hits", self.max_hits.to_string(), "1 to 100000");
        }
        if !(1..=MAX_SECONDS).contains(&self.for_seconds) {
            return error("for_seconds", self.for_seconds.to_string(), "1 to 604800");
        }
        if self.because.trim().is_empty() {
            return error("because", "nothing".to_owned(), "a sentence");
        }
        let known = |name: &str| Operation::ALL.iter().any(|o| o.as_str() == name);
        if let Some(unknown) = self.operations.iter().find(|name| !known(name)) {
            return error("operations", unknown.clone(), "names of AWS operations served here");
        }
        Ok(())
    }

    fn hits(&self, operation: Operation) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|o| o == operation.as_str())
    }
}

/// A fault at work, and what it has done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActiveFault {
    pub(crate) fault: Fault,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) hits: u32,
}

impl ActiveFault {
    /// Starts a fault, its bounds clamped to what [`Fault::check`] allows.
    pub(crate) fn start(mut fault: Fault, now: Timestamp) -> Self {
        fault.max_hits = fault.max_hits.clamp(1, MAX_HITS);
        fault.for_seconds = fault.for_seconds.clamp(1, MAX_SECONDS);
        let until = now + chrono::TimeDelta::seconds(i64::from(fault.for_seconds));
        Self { fault, since: now, until, hits: 0 }
    }

    /// Whether it may still hit.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        now >= self.since && now < self.until && self.hits < self.fault.max_hits
    }

    /// Whether it may hit a call of this operation.
    pub(crate) fn applies(&self, operation: Operation, now: Timestamp) -> bool {
        self.is_live(now) && self.fault.hits(operation)
    }
}
