//! What Application Auto Scaling and its alarms hold about a variant.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarms;
use super::ids::ResourceId;
use super::time::Timestamp;
use super::units::same_value;

/// The only scalable dimension that `setpoint` manages.
pub const DIMENSION: &str = "sagemaker:variant:DesiredInstanceCount";
/// The predefined metric that a managed policy tracks.
pub const INVOCATIONS_PER_INSTANCE: &str = "SageMakerVariantInvocationsPerInstance";
/// The name that the SageMaker console and common templates give a policy.
pub const CONVENTIONAL_POLICY_NAME: &str = "SageMakerEndpointInvocationScalingPolicy";
/// AWS's default of both cooldowns, in seconds, for SageMaker variants
/// (Application Auto Scaling user guide, "Target tracking scaling policies").
pub const DEFAULT_COOLDOWN_SECONDS: i32 = 300;

/// Application Auto Scaling's record of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalableTarget {
    #[serde(skip, default = "ResourceId::unnamed")]
    pub resource: ResourceId,
    /// Fewest instances.
    pub min_capacity: i32,
    pub max_capacity: i32,
    /// Which kinds of scaling are suspended.
    pub suspended: SuspendedState,
    /// The ARN, which targets registered long ago lack. Needed to tag.
    pub arn: Option<String>,
    pub created_at: Option<Timestamp>,
}

/// Which directions of scaling somebody has frozen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendedState {
    /// Scale-in by policies is suspended.
    pub scale_in: bool,
    /// Scale-out by policies is suspended.
    pub scale_out: bool,
    /// Scheduled actions are suspended.
    pub scheduled: bool,
}

impl SuspendedState {
    /// The suspended directions in words: "scale-in, scale-out".
    pub fn words(self) -> String {
        let directions = [
            (self.scale_in, "scale-in"),
            (self.scale_out, "scale-out"),
            (self.scheduled, "scheduled scaling"),
        ];
        let suspended: Vec<&str> =
            directions.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        suspended.join(", ")
    }

    /// The suspended directions as a number, to recognise them again.
    pub fn bits(self) -> u8 {
        u8::from(self.scale_in) | u8::from(self.scale_out) << 1 | u8::from(self.scheduled) << 2
    }
    /// Whether any direction is suspended.
    pub const fn any(self) -> bool {
        self.scale_in || self.scale_out || self.scheduled
    }
}

/// A scaling policy on a scalable target, of any type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalingPolicy {
    #[serde(skip, default = "ResourceId::unnamed")]
    pub resource: ResourceId,
    /// The name, which AWS cannot change.
    pub name: String,
    pub arn: Option<String>,
    /// What it does.
    pub kind: PolicyKind,
    /// The names of the CloudWatch alarms that AWS keeps for it; absent when AWS does not say.
    pub alarm_names: Option<Vec<Arc<str>>>,
    pub created_at: Option<Timestamp>,
}

impl ScalingPolicy {
    /// The one of several that tracks invocations per instance, found by its metric and not by its
    /// name: AWS allows one at most.
    pub fn of_invocations(policies: &[Self]) -> Option<&Self> {
        policies.iter().find(|policy| policy.invocations_tracking().is_some())
    }

    /// The target-tracking configuration, whatever metric it tracks.
    pub const fn tracking(&self) -> Option<&TargetTracking> {
        match &self.kind {
            PolicyKind::TargetTracking(tracking) => Some(tracking),
            _ => None,
        }
    }

    /// What it does, in a few words: "step scaling", "target tracking of METRIC".
    pub fn describe(&self) -> String {
        match &self.kind {
            PolicyKind::TargetTracking(tracking) => {
                format!("target tracking of {}", tracking.metric.summary())
            }
            PolicyKind::Step => "step scaling".to_owned(),
            PolicyKind::Other(word) => word.clone(),
        }
    }

    /// The target-tracking configuration, when the policy tracks invocations per instance by the
    /// predefined metric: the policies that `setpoint` manages.
    pub fn invocations_tracking(&self) -> Option<&TargetTracking> {
        match &self.kind {
            PolicyKind::TargetTracking(tracking) if tracking.metric.is_invocations() => {
                Some(tracking)
            }
            _ => None,
        }
    }
}

/// The type of a scaling policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    TargetTracking(TargetTracking),
    Step,
    /// A type that this version does not know; the word AWS used.
    Other(String),
}

/// A target-tracking configuration, whole: `PutScalingPolicy` replaces all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetTracking {
    /// Invocations per minute per instance, when the metric is invocations per instance.
    pub target_value: f64,
    /// What is tracked.
    pub metric: MetricSpec,
    /// Seconds after a scale-out; absent equals [`DEFAULT_COOLDOWN_SECONDS`].
    pub scale_out_cooldown: Option<i32>,
    /// Seconds after a scale-in; absent equals [`DEFAULT_COOLDOWN_SECONDS`].
    pub scale_in_cooldown: Option<i32>,
    /// Whether the policy may remove instances; absent equals false.
    pub disable_scale_in: Option<bool>,
}

impl TargetTracking {
    /// The cooldown in force after a scale-out, in seconds.
    pub fn scale_out_cooldown_seconds(&self) -> i32 {
        self.scale_out_cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS)
    }

    /// The cooldown in force after a scale-in, in seconds.
    pub fn scale_in_cooldown_seconds(&self) -> i32 {
        self.scale_in_cooldown.unwrap_or(DEFAULT_COOLDOWN_SECONDS)
    }

    pub fn scale_in_disabled(&self) -> bool {
        self.disable_scale_in.unwrap_or(false)
    }

    /// Whether AWS would behave the same under both: absent equals the default, and numbers are
    /// equal within [`super::units::TARGET_VALUE_TOLERANCE`].
    pub fn equivalent(&self, other: &Self) -> bool {
        same_value(self.target_value, other.target_value)
            && self.metric == other.metric
            && self.scale_out_cooldown_seconds() == other.scale_out_cooldown_seconds()
            && self.scale_in_cooldown_seconds() == other.scale_in_cooldown_seconds()
            && self.scale_in_disabled() == other.scale_in_disabled()
    }
}

/// What a target-tracking policy tracks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricSpec {
    /// One of AWS's predefined metrics, by AWS's name.
    Predefined {
        /// `SageMakerVariantInvocationsPerInstance` and its like.
        metric_type: String,
        /// Only load balancers use it; carried over untouched.
        resource_label: Option<String>,
    },
    /// A customised metric; a readable summary, for such a policy is never written.
    Customized(String),
    /// Neither, or something this version does not know.
    Unknown,
}

impl MetricSpec {
    /// The specification that a managed policy has.
    pub fn invocations() -> Self {
        Self::Predefined { metric_type: INVOCATIONS_PER_INSTANCE.to_owned(), resource_label: None }
    }

    /// Whether it is the predefined invocations-per-instance metric.
    pub fn is_invocations(&self) -> bool {
        matches!(self, Self::Predefined { metric_type, .. } if metric_type == INVOCATIONS_PER_INSTANCE)
    }

    /// The metric in a few words.
    pub fn summary(&self) -> String {
        match self {
            Self::Predefined { metric_type, .. } => metric_type.clone(),
            Self::Customized(summary) => format!("customized {summary}"),
            Self::Unknown => "an unknown metric specification".to_owned(),
        }
    }
}

/// A scheduled action: it rewrites min and max at its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduledAction {
    #[serde(skip, default = "ResourceId::unnamed")]
    pub resource: ResourceId,
    pub name: String,
    /// `at(...)`, `rate(...)` or `cron(...)`, as AWS gives it.
    pub schedule: String,
    /// The time zone of the schedule; UTC when absent.
    pub timezone: Option<String>,
    pub min_capacity: Option<i32>,
    pub max_capacity: Option<i32>,
    pub starts_at: Option<Timestamp>,
    /// Until when it is active.
    pub ends_at: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
}

/// One scaling activity of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    pub id: String,
    /// Its state.
    pub status: ActivityStatus,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// What it did, such as "Setting desired instance count to 4."
    pub description: String,
    /// What caused it, such as "monitor alarm ... in state ALARM triggered policy ...".
    pub cause: String,
    /// AWS's message on its status.
    pub message: Option<String>,
    /// Why AWS did not scale, first reason first.
    pub not_scaled_reasons: Vec<NotScaledReason>,
}

impl Activity {
    /// The number of instances that it set, if it did.
    pub fn sets_count(&self) -> Option<u32> {
        if self.status == ActivityStatus::Failed || !self.not_scaled_reasons.is_empty() {
            return None;
        }
        let count = self.description.strip_prefix("Setting desired instance count to ")?;
        count.trim_end_matches('.').parse().ok()
    }

    /// When it was and what came of it, AWS's reasons for not scaling as sentences.
    pub fn sentence(&self) -> String {
        let at = self.started_at.format("%FT%TZ");
        if !self.not_scaled_reasons.is_empty() {
            let reasons: Vec<String> =
                self.not_scaled_reasons.iter().map(NotScaledReason::sentence).collect();
            return format!("{at}: not scaled: {}", reasons.join("; "));
        }
        let what = self.message.as_deref().unwrap_or(&self.description);
        format!("{at}: {what}")
    }
}

/// The state of a scaling activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityStatus {
    /// Not begun.
    Pending,
    /// Under way.
    InProgress,
    /// Done.
    Successful,
    /// Replaced by a newer one.
    Overridden,
    /// Given up by AWS.
    Unfulfilled,
    Failed,
    /// A word of a newer API.
    Other(String),
}

impl ActivityStatus {
    /// Whether instances may still change because of it.
    pub const fn in_progress(&self) -> bool {
        matches!(self, Self::Pending | Self::InProgress)
    }
}

impl NotScaledReason {
    /// AWS's code as a sentence (Application Auto Scaling user guide, "Scaling activities").
    pub fn sentence(&self) -> String {
        let count = |n: Option<i32>, word: &str| n.map(|n| format!(" ({word} {n})"));
        let current = count(self.current_capacity, "now").unwrap_or_default();
        match self.code.as_str() {
            "AutoScalingAnticipatedFlapping" => format!(
                "AWS skipped scale-in{current} because the load would have triggered scale-out at once"
            ),
            "TargetServicePutResourceAsUnscalable" => {
                "SageMaker says that the variant cannot be scaled at the moment".to_owned()
            }
            "AlreadyAtMaxCapacity" => format!(
                "scale-out was due, but the variant is already at max{}",
                count(self.max_capacity, "max").unwrap_or(current)
            ),
            "AlreadyAtMinCapacity" => format!(
                "scale-in was due, but the variant is already at min{}",
                count(self.min_capacity, "min").unwrap_or(current)
            ),
            "AlreadyAtDesiredCapacity" => {
                format!("the variant already has the desired instances{current}")
            }
            other => format!("AWS says {other}{current}"),
        }
    }
}

/// Why AWS decided not to scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotScaledReason {
    /// AWS's code, such as `AlreadyAtMaxCapacity`.
    pub code: String,
    pub max_capacity: Option<i32>,
    pub min_capacity: Option<i32>,
    /// The count at that time.
    pub current_capacity: Option<i32>,
}

/// What the names of all target-tracking alarms of SageMaker variants begin with.
pub const ALARM_PREFIX: &str = "TargetTracking-endpoint/";

/// What the names of a variant's target-tracking alarms begin with.
pub fn alarm_prefix(resource: &ResourceId) -> String {
    format!("TargetTracking-{resource}-Alarm")
}

/// A CloudWatch alarm that AWS keeps for a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// `TargetTracking-endpoint/E/variant/V-AlarmHigh-UUID`.
    pub name: Arc<str>,
    pub state: AlarmState,
    pub actions_enabled: bool,
    /// The value it compares with.
    pub threshold: Option<f64>,
    /// Since when it is in its state.
    pub state_since: Option<Timestamp>,
}

impl Alarm {
    /// Which of the two alarms of a target-tracking policy it is.
    pub fn side(&self) -> Option<AlarmSide> {
        alarms::target_tracking_alarm(&self.name).map(|(_, side)| side)
    }

    /// The variant whose policy it belongs to, by its name.
    pub fn resource(&self) -> Option<ResourceId> {
        alarms::target_tracking_alarm(&self.name).map(|(resource, _)| resource)
    }
}

/// The two alarms of a target-tracking policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmSide {
    /// Above the target for 3 of 3 minutes: scale out.
    High,
    /// Below 90 % of the target for 15 of 15 minutes: scale in.
    Low,
}

impl AlarmSide {
    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
        }
    }

    /// The word in AWS's names.
    pub const fn aws_name(self) -> &'static str {
        match self {
            Self::High => "AlarmHigh",
            Self::Low => "AlarmLow",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Within bounds.
    Ok,
    /// Breaching.
    Alarm,
    /// No data to judge by.
    InsufficientData,
    /// A word of a newer API.
    Unknown,
}

impl AlarmState {
    pub const ALL: [Self; 4] = [Self::Ok, Self::Alarm, Self::InsufficientData, Self::Unknown];

    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Alarm => "alarm",
            Self::InsufficientData => "insufficient_data",
            Self::Unknown => "unknown",
        }
    }
}
