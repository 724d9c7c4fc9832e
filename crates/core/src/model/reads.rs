//! Where the facts of a snapshot come from: which operation was asked, and when it answered.

use serde::{Deserialize, Deserializer, Serialize};

use super::fact::Why;
use super::time::Timestamp;

/// One read, whatever came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Read {
    /// AWS's operation name; `load` for what is remembered.
    pub operation: &'static str,
    /// When it answered or failed; of a listing, when its last page did.
    pub at: Timestamp,
}

impl Read {
    /// An operation that answered at this instant.
    pub const fn new(operation: &'static str, at: Timestamp) -> Self {
        Self { operation, at }
    }
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Recorded {
            operation: String,
            at: Timestamp,
        }
        let Recorded { operation, at } = Recorded::deserialize(from)?;
        // Operations are words of this program; what another one called it is not known here.
        let known = OPERATIONS.into_iter().find(|known| *known == operation);
        Ok(Self { operation: known.unwrap_or("recorded"), at })
    }
}

/// What is read, as [`Read::operation`] has it.
const OPERATIONS: [&str; 12] = [
    "GetCallerIdentity",
    "ListEndpoints",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
    "DescribeModel",
    "DescribeScalableTargets",
    "DescribeScalingPolicies",
    "DescribeScheduledActions",
    "DescribeScalingActivities",
    "DescribeAlarms",
    "GetMetricData",
    "load",
];

/// The read behind each fact of a snapshot; absent while nobody has asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads {
    pub caller: Option<Read>,
    pub endpoint: Option<Read>,
    pub endpoint_config: Option<Read>,
    pub model: Option<Read>,
    pub scalable_target: Option<Read>,
    pub policies: Option<Read>,
    pub scheduled_actions: Option<Read>,
    pub activities: Option<Read>,
    pub alarms: Option<Read>,
    /// Of the telemetry: the last read that succeeded, or the failed one when none ever did.
    pub telemetry: Option<Read>,
    /// Of what is remembered.
    pub memory: Option<Read>,
}

/// A fact of a snapshot by its name, with the read behind it and why it is unknown, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactRead<'a> {
    /// The name that JSON uses.
    pub fact: &'static str,
    pub read: Option<Read>,
    pub why: Option<&'a Why>,
}
