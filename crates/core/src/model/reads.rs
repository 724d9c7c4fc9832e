//! Where the facts of a snapshot come from: which operation was asked, and when it answered.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fact::Why;
use super::time::Timestamp;

/// One read, whatever came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Its place in [`OPERATIONS`]: there are eleven of them for each of thousands of variants.
    operation: u8,
    /// When it answered or failed; of a listing, when its last page did.
    pub at: Timestamp,
}

impl Read {
    /// An operation that answered at this instant.
    pub fn new(operation: &str, at: Timestamp) -> Self {
        // Operations are words of this program; what another one called it is not known here.
        let known = OPERATIONS.iter().position(|known| *known == operation);
        Self { operation: known.unwrap_or_default() as u8, at }
    }

    /// AWS's operation name; `load` for what is remembered.
    pub fn operation(&self) -> &'static str {
        OPERATIONS[usize::from(self.operation)]
    }
}

impl Serialize for Read {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut members = to.serialize_struct("Read", 2)?;
        members.serialize_field("operation", self.operation())?;
        members.serialize_field("at", &self.at)?;
        members.end()
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
        Ok(Self::new(&operation, at))
    }
}

/// What is read, as [`Read::operation`] has it; first what an operation of another program is called.
const OPERATIONS: [&str; 14] = [
    "recorded",
    "replay",
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
    /// Whether telemetry is read seldom: nothing about the variant has changed for a while, and its load
    /// is far from what it can serve.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steady: bool,
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
