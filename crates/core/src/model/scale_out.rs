//! Scale-outs as they were seen, and what they come to.

use serde::{Deserialize, Serialize};

use super::reaction::{ReactionTime, Spread};
use super::time::Timestamp;

/// One scale-out, as far as it was seen. What was not seen is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScaleOut {
    /// AWS's id of the activity.
    pub id: String,
    /// The instance type of the variant at that time.
    pub instance_type: Option<String>,
    /// The instance count that was asked for.
    pub wanted: u32,
    /// Whether the alarm of target tracking triggered it; a scheduled action or a person did otherwise.
    pub by_alarm: bool,
    /// Whether it is a later step on a rise of the load that another one answered first.
    pub follows: bool,
    /// The start of the first minute above the target.
    pub crossed_at: Option<Timestamp>,
    /// When the alarm went off, by CloudWatch.
    pub alarm_at: Option<Timestamp>,
    /// When the activity began, by AWS.
    pub started_at: Timestamp,
    /// When all instances were in service: the activity's end, by AWS.
    pub in_service_at: Option<Timestamp>,
    /// The start of the first minute in which more instances served than before.
    pub joined_at: Option<Timestamp>,
    /// Whether a minute broke the objective between the crossing and the end.
    pub was_broken: bool,
    /// When minutes were good again.
    pub back_at: Option<Timestamp>,
    /// Minutes within a quarter of an hour after joining that broke the objective at a load below the
    /// target.
    pub cold_minutes: Option<u32>,
    /// Minutes in the same time with too many 5XX answers.
    pub error_minutes: Option<u32>,
    /// The 5XX answers of those minutes.
    pub errors: f64,
    /// Whether these errors began with the joining and ended by themselves.
    pub ready_too_early: bool,
}

/// A scale-out that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// AWS's id of the activity.
    pub id: String,
    pub at: Timestamp,
    pub kind: FailureKind,
}

/// Why AWS did not bring instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The account's quota is used up.
    Quota,
    /// AWS has none of the type.
    Capacity,
    /// Anything else.
    Other,
}

/// How long the parts took that were seen, in minutes; absent where none was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// From the load crossing the target to the alarm; where no pass saw the alarm, to the activity.
    pub alarm: Option<Spread>,
    /// From the alarm to the beginning of the activity.
    pub activity: Option<Spread>,
    /// From the beginning of the activity to instances in service.
    pub start_up: Option<Spread>,
    /// From instances in service to latency back in the objective.
    pub recovery: Option<Spread>,
    /// From the load crossing the target to instances in service.
    pub whole: Option<Spread>,
    /// Minutes after joining that broke the objective at a load below the target.
    pub cold: Option<Spread>,
}

impl Parts {
    /// Each part with its word.
    pub const fn each(&self) -> [(&'static str, Option<Spread>); 6] {
        [
            ("alarm", self.alarm),
            ("activity", self.activity),
            ("start_up", self.start_up),
            ("recovery", self.recovery),
            ("whole", self.whole),
            ("cold", self.cold),
        ]
    }
}

/// How a variant reacts to load, by its scale-outs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reaction {
    /// The instance type that it speaks of.
    pub instance_type: Option<String>,
    /// Scale-outs that were seen, of the newest 20.
    pub scale_outs: u32,
    /// What to reckon with: measured from five observations on, before that the prior.
    pub time: ReactionTime,
    /// What was seen, however little.
    pub seen: Parts,
    /// Scale-outs whose minutes of joining were all looked at.
    pub joins_watched: u32,
    /// Of those, the ones with errors that began with the joining and ended by themselves.
    pub joins_with_errors: u32,
    /// Whether instances are called ready before they can serve: two of the last five.
    pub ready_too_early: bool,
    /// 5XX answers in bad minutes while instances joined.
    pub errors_while_joining: f64,
    /// Failures for the account's quota, of the newest 20 failures.
    pub failures_quota: u32,
    /// Failures because AWS had no instances.
    pub failures_capacity: u32,
    pub failures_other: u32,
    /// The newest scale-out.
    pub last: Option<ScaleOut>,
}

impl Reaction {
    /// What is known before anything was seen.
    pub fn unseen(instance_type: Option<&str>) -> Self {
        Self {
            instance_type: instance_type.map(str::to_owned),
            scale_outs: 0,
            time: ReactionTime::prior(instance_type),
            seen: Parts::default(),
            joins_watched: 0,
            joins_with_errors: 0,
            ready_too_early: false,
            errors_while_joining: 0.0,
            failures_quota: 0,
            failures_capacity: 0,
            failures_other: 0,
            last: None,
        }
    }
}
