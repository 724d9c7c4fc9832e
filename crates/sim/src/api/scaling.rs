//! Inputs and outputs of Application Auto Scaling, with AWS's member names and meanings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::activities::*;
use super::epoch;
use setpoint_core::model::time::Timestamp;

shapes! {
    /// An output without members.
    pub struct Empty {}

    /// Which kinds of scaling are suspended; an absent member leaves it as it is.
    pub struct SuspendedState {
        pub dynamic_scaling_in_suspended: Option<bool>,
        pub dynamic_scaling_out_suspended: Option<bool>,
        pub scheduled_scaling_suspended: Option<bool>,
    }

    pub struct RegisterScalableTargetInput {
        pub service_namespace: String,
        pub resource_id: String,
        pub scalable_dimension: String,
        /// Fewest instances; required on the first registration.
        pub min_capacity: Option<i32>,
        /// Most instances; required on the first registration.
        pub max_capacity: Option<i32>,
        /// Ignored: the service-linked role is used.
        #[serde(rename = "RoleARN")]
        pub role_arn: Option<String>,
        pub suspended_state: Option<SuspendedState>,
        /// Tags; allowed at the first registration only.
        pub tags: Option<BTreeMap<String, String>>,
    }

    pub struct RegisterScalableTargetOutput {
        /// The ARN of the scalable target; those registered long ago have none.
        #[serde(rename = "ScalableTargetARN")]
        pub scalable_target_arn: Option<String>,
    }

    pub struct DescribeScalableTargetsInput {
        pub service_namespace: String,
        /// Only of these resources, at most 50.
        pub resource_ids: Option<Vec<String>>,
        /// Only of this dimension; needs the resource too.
        pub scalable_dimension: Option<String>,
        pub max_results: Option<i32>,
        pub next_token: Option<String>,
    }

    pub struct ScalableTarget {
        pub service_namespace: String,
        pub resource_id: String,
        pub scalable_dimension: String,
        pub min_capacity: i32,
        pub max_capacity: i32,
        #[serde(rename = "RoleARN")]
        pub role_arn: String,
        #[serde(with = "epoch")]
        pub creation_time: Timestamp,
        /// What is suspended; all members are present.
        pub suspended_state: SuspendedState,
        /// Its ARN; targets registered long ago have none.
        #[serde(rename = "ScalableTargetARN")]
        pub scalable_target_arn: Option<String>,
    }

    pub struct DescribeScalableTargetsOutput {
        pub scalable_targets: Vec<ScalableTarget>,
        pub next_token: Option<String>,
    }

    pub struct DeregisterScalableTargetInput {
        pub service_namespace: String,
        pub resource_id: String,
        pub scalable_dimension: String,
    }

    /// A metric that AWS has a name for.
    pub struct PredefinedMetricSpecification {
        pub predefined_metric_type: String,
        /// Only load balancers use it.
        pub resource_label: Option<String>,
    }

    /// `TargetTrackingScalingPolicyConfiguration`. What was not put is absent when described.
    pub struct TargetTrackingConfiguration {
        /// Invocations per minute per instance.
        pub target_value: f64,
        pub predefined_metric_specification: Option<PredefinedMetricSpecification>,
        /// Any other metric, verbatim.
        pub customized_metric_specification: Option<Value>,
        /// Seconds.
        pub scale_out_cooldown: Option<i32>,
        /// Seconds.
        pub scale_in_cooldown: Option<i32>,
        pub disable_scale_in: Option<bool>,
    }

    pub struct PutScalingPolicyInput {
        pub policy_name: String,
        pub service_namespace: String,
        pub resource_id: String,
        pub scalable_dimension: String,
        /// `TargetTrackingScaling` or `StepScaling`; required for a new policy.
        pub policy_type: Option<String>,
        /// Step scaling, verbatim.
        pub step_scaling_policy_configuration: Option<Value>,
        pub target_tracking_scaling_policy_configuration: Option<TargetTrackingConfiguration>,
    }

    pub struct AlarmRef {
        pub alarm_name: String,
        #[serde(rename = "AlarmARN")]
        pub alarm_arn: String,
    }

    pub struct PutScalingPolicyOutput {
        #[serde(rename = "PolicyARN")]
        pub policy_arn: String,
        pub alarms: Vec<AlarmRef>,
    }

    pub struct DescribeScalingPoliciesInput {
        /// Only with these names, at most 50.
        pub policy_names: Option<Vec<String>>,
        pub service_namespace: String,
        pub resource_id: Option<String>,
        /// Only of this dimension; needs the resource too.
        pub scalable_dimension: Option<String>,
        pub max_results: Option<i32>,
        pub next_token: Option<String>,
    }

    pub struct ScalingPolicy {
        #[serde(rename = "PolicyARN")]
        pub policy_arn: String,
        pub policy_name: String,
        pub service_namespace: String,
        pub resource_id: String,
        pub scalable_dimension: String,
        pub policy_type: String,
        /// Step scaling, verbatim.
        pub step_scaling_policy_configuration: Option<Value>,
        pub target_tracking_scaling_policy_configuration: Option<TargetTrackingConfiguration>,
        pub alarms: Vec<AlarmRef>,
        #[serde(with = "epoch")]
        pub creation_time: Timestamp,
    }

    pub struct DescribeScalingPoliciesOutput {
        pub scaling_policies: Vec<ScalingPolicy>,
        pub next_token: Option<String>,
    }

    pub struct DeleteScalingPolicyInput {
        pub policy_name: String,
        pub service_namespace: String,
        pub resource_id: String,
        pub scalable_dimension: String,
    }

    /// What a scheduled action sets.
    pub struct ScalableTargetAction {
        pub min_capacity: Option<i32>,
        pub max_capacity: Option<i32>,
    }

    pub struct PutScheduledActionInput {
        pub service_namespace: String,
        /// `at(...)`, `rate(...)` or `cron(...)`; required for a new action.
        pub schedule: Option<String>,
        /// An IANA time zone; UTC if absent.
        pub timezone: Option<String>,
        pub scheduled_action_name: String,
        pub resource_id: String,
        pub scalable_dimension: String,
        /// From when; absent deletes it.
        #[serde(with = "epoch::option")]
        pub start_time: Option<Timestamp>,
        /// Until when; absent deletes it.
        #[serde(with = "epoch::option")]
        pub end_time: Option<Timestamp>,
        pub scalable_target_action: Option<ScalableTargetAction>,
    }

    pub struct DescribeScheduledActionsInput {
        pub scheduled_action_names: Option<Vec<String>>,
        pub service_namespace: String,
        pub resource_id: Option<String>,
        /// Only of this dimension; needs the resource too.
        pub scalable_dimension: Option<String>,
        pub max_results: Option<i32>,
        pub next_token: Option<String>,
    }

    pub struct ScheduledAction {
        pub scheduled_action_name: String,
        #[serde(rename = "ScheduledActionARN")]
        pub scheduled_action_arn: String,
        pub service_namespace: String,
        pub schedule: String,
        pub timezone: Option<String>,
        pub resource_id: String,
        pub scalable_dimension: String,
        #[serde(with = "epoch::option")]
        pub start_time: Option<Timestamp>,
        #[serde(with = "epoch::option")]
        pub end_time: Option<Timestamp>,
        pub scalable_target_action: ScalableTargetAction,
        #[serde(with = "epoch")]
        pub creation_time: Timestamp,
    }

    pub struct DescribeScheduledActionsOutput {
        pub scheduled_actions: Vec<ScheduledAction>,
        pub next_token: Option<String>,
    }

    pub struct DeleteScheduledActionInput {
        pub service_namespace: String,
        pub scheduled_action_name: String,
        pub resource_id: String,
        pub scalable_dimension: String,
    }
}
