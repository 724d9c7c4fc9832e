//! Inputs and outputs of Application Auto Scaling, with AWS's member names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::activities::*;
use super::epoch;
use setpoint_core::model::time::Timestamp;

/// An output without members.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Empty {}

/// Which kinds of scaling are suspended; an absent member leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SuspendedState {
    /// Scale-in by policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_scaling_in_suspended: Option<bool>,
    /// Scale-out by policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_scaling_out_suspended: Option<bool>,
    /// Scheduled actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_scaling_suspended: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterScalableTargetInput {
    /// `sagemaker`.
    pub service_namespace: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
    /// Fewest instances; required on the first registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<i32>,
    /// Most instances; required on the first registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_capacity: Option<i32>,
    /// Ignored: the service-linked role is used.
    #[serde(rename = "RoleARN", skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_state: Option<SuspendedState>,
    /// Tags; allowed at the first registration only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterScalableTargetOutput {
    /// The ARN of the scalable target; those registered long ago have none.
    #[serde(rename = "ScalableTargetARN", skip_serializing_if = "Option::is_none")]
    pub scalable_target_arn: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalableTargetsInput {
    /// `sagemaker`.
    pub service_namespace: String,
    /// Only of these resources, at most 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_ids: Option<Vec<String>>,
    /// Only of this dimension; needs the resource too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalable_dimension: Option<String>,
    /// The page size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i32>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScalableTarget {
    /// `sagemaker`.
    pub service_namespace: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
    /// Fewest instances.
    pub min_capacity: i32,
    /// Most instances.
    pub max_capacity: i32,
    /// The ARN of the service-linked role.
    #[serde(rename = "RoleARN")]
    pub role_arn: String,
    /// When it was registered.
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
    /// What is suspended; all members are present.
    pub suspended_state: SuspendedState,
    /// Its ARN; targets registered long ago have none.
    #[serde(rename = "ScalableTargetARN", skip_serializing_if = "Option::is_none")]
    pub scalable_target_arn: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalableTargetsOutput {
    /// One page.
    pub scalable_targets: Vec<ScalableTarget>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeregisterScalableTargetInput {
    /// `sagemaker`.
    pub service_namespace: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
}

/// A metric that AWS has a name for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PredefinedMetricSpecification {
    /// AWS's name.
    pub predefined_metric_type: String,
    /// Only load balancers use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_label: Option<String>,
}

/// `TargetTrackingScalingPolicyConfiguration`. What was not put is absent when described.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TargetTrackingConfiguration {
    /// Invocations per minute per instance.
    pub target_value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predefined_metric_specification: Option<PredefinedMetricSpecification>,
    /// Any other metric, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customized_metric_specification: Option<Value>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_out_cooldown: Option<i32>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_in_cooldown: Option<i32>,
    /// Whether the policy never removes instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_scale_in: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutScalingPolicyInput {
    /// The policy's identity.
    pub policy_name: String,
    /// `sagemaker`.
    pub service_namespace: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
    /// `TargetTrackingScaling` or `StepScaling`; required for a new policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<String>,
    /// Step scaling, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_scaling_policy_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_tracking_scaling_policy_configuration: Option<TargetTrackingConfiguration>,
}

/// An alarm of a policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AlarmRef {
    pub alarm_name: String,
    #[serde(rename = "AlarmARN")]
    pub alarm_arn: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutScalingPolicyOutput {
    #[serde(rename = "PolicyARN")]
    pub policy_arn: String,
    /// The two alarms of target tracking.
    pub alarms: Vec<AlarmRef>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalingPoliciesInput {
    /// Only with these names, at most 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_names: Option<Vec<String>>,
    /// `sagemaker`.
    pub service_namespace: String,
    /// Only of this resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Only of this dimension; needs the resource too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalable_dimension: Option<String>,
    /// The page size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i32>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScalingPolicy {
    #[serde(rename = "PolicyARN")]
    pub policy_arn: String,
    pub policy_name: String,
    /// `sagemaker`.
    pub service_namespace: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
    pub policy_type: String,
    /// Step scaling, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_scaling_policy_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_tracking_scaling_policy_configuration: Option<TargetTrackingConfiguration>,
    pub alarms: Vec<AlarmRef>,
    /// When it was first put.
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalingPoliciesOutput {
    /// One page.
    pub scaling_policies: Vec<ScalingPolicy>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteScalingPolicyInput {
    pub policy_name: String,
    /// `sagemaker`.
    pub service_namespace: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
}

/// What a scheduled action sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScalableTargetAction {
    /// The new min.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<i32>,
    /// The new max.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_capacity: Option<i32>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutScheduledActionInput {
    /// `sagemaker`.
    pub service_namespace: String,
    /// `at(...)`, `rate(...)` or `cron(...)`; required for a new action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// An IANA time zone; UTC if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Its identity.
    pub scheduled_action_name: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
    /// From when; absent deletes it.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// Until when; absent deletes it.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// What it sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalable_target_action: Option<ScalableTargetAction>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScheduledActionsInput {
    /// Only with these names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_action_names: Option<Vec<String>>,
    /// `sagemaker`.
    pub service_namespace: String,
    /// Only of this resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Only of this dimension; needs the resource too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalable_dimension: Option<String>,
    /// The page size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i32>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScheduledAction {
    pub scheduled_action_name: String,
    #[serde(rename = "ScheduledActionARN")]
    pub scheduled_action_arn: String,
    /// `sagemaker`.
    pub service_namespace: String,
    /// When it runs.
    pub schedule: String,
    /// The time zone of the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
    /// From when.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// Until when.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// What it sets.
    pub scalable_target_action: ScalableTargetAction,
    /// When it was first put.
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScheduledActionsOutput {
    /// One page.
    pub scheduled_actions: Vec<ScheduledAction>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteScheduledActionInput {
    /// `sagemaker`.
    pub service_namespace: String,
    pub scheduled_action_name: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
}
