//! Scaling policies: put, describe, delete.

use serde_json::Value;

use super::World;
use super::alarms::Alarm;
use super::page::Paging;
use super::targets::{Target, check_filter, check_namespace, check_resource, not_registered};
use crate::api::scaling as aas;
use crate::api::{ApiError, ApiResult, Operation};
use setpoint_core::model::scaling::{DIMENSION, INVOCATIONS_PER_INSTANCE};
use setpoint_core::model::time::Timestamp;

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) tracking: Option<aas::TargetTrackingConfiguration>,
    pub(super) step: Option<Value>,
    pub(super) arn: String,
    /// `AlarmHigh` and `AlarmLow` of target tracking.
    pub(super) alarms: Vec<String>,
    pub(super) created_at: Timestamp,
}

impl Policy {
    /// The target value, when it tracks invocations per instance.
    pub(super) fn invocations_target(&self) -> Option<&aas::TargetTrackingConfiguration> {
        let tracking = self.tracking.as_ref()?;
        let predefined = tracking.predefined_metric_specification.as_ref()?;
        (predefined.predefined_metric_type == INVOCATIONS_PER_INSTANCE).then_some(tracking)
    }
}

const POLICIES: Paging = Paging {
    operation: Operation::DescribeScalingPolicies,
    default: 10,
    max: 10,
    member: "maxResults",
    bad_token: "InvalidNextTokenException",
};

/// AWS's quota of policies on one target.
const POLICIES_QUOTA: usize = 50;

fn same_metric(a: &aas::TargetTrackingConfiguration, b: &aas::TargetTrackingConfiguration) -> bool {
    a.predefined_metric_specification == b.predefined_metric_specification
        && a.customized_metric_specification == b.customized_metric_specification
}

impl World {
    pub(crate) fn put_scaling_policy(
        &mut self,
        input: &aas::PutScalingPolicyInput,
    ) -> ApiResult<aas::PutScalingPolicyOutput> {
        let resource = &input.resource_id;
        check_resource(&input.service_namespace, resource, &input.scalable_dimension)?;
        if !(1..=256).contains(&input.policy_name.len()) {
            return Err(ApiError::validation("Member policyName must have 1 to 256 characters"));
        }
        let target = self.targets.get(resource).ok_or_else(|| not_registered(resource))?;
        check_put(input, target)?;
        self.remember_for_stale_reads(resource);
        self.store_policy(input)
    }

    fn store_policy(
        &mut self,
        input: &aas::PutScalingPolicyInput,
    ) -> ApiResult<aas::PutScalingPolicyOutput> {
        let (resource, name) = (&input.resource_id, &input.policy_name);
        let uuid = self.random.uuid();
        let rest = format!("scalingPolicy:{uuid}:resource/sagemaker/{resource}:policyName/{name}");
        let new_arn = self.arn("autoscaling", &rest);
        let (high, low) = (self.random.uuid(), self.random.uuid());
        let now = self.now;
        let target = self.targets.get_mut(resource).ok_or_else(|| not_registered(resource))?;
        let existed = target.policies.contains_key(name);
        let policy = target.policies.entry(name.clone()).or_insert_with(|| Policy {
            tracking: None,
            step: None,
            arn: new_arn,
            alarms: Vec::new(),
            created_at: now,
        });
        policy.step.clone_from(&input.step_scaling_policy_configuration);
        policy.tracking.clone_from(&input.target_tracking_scaling_policy_configuration);
        // An update keeps the alarms' names. One that somebody deleted is made again.
        if policy.tracking.is_some() && policy.alarms.is_empty() {
            policy.alarms = [("High", high), ("Low", low)]
                .map(|(side, id)| format!("TargetTracking-{resource}-Alarm{side}-{id}"))
                .to_vec();
        }
        let (arn, names) = (policy.arn.clone(), policy.alarms.clone());
        let tracking = policy.tracking.clone();
        // AWS does not say whether a put mends its alarms; a world can be one in which it does not.
        let leaves_alarms = existed && !self.settings.put_mends_alarms;
        if let Some(tracking) = tracking.filter(|_| !leaves_alarms) {
            for name in &names {
                let fresh = Alarm::for_policy(name, resource, &arn, &tracking, now);
                let alarm = self.alarms.entry(name.clone()).or_insert(fresh);
                alarm.configure(&tracking, now);
            }
        }
        let alarms = self.alarm_refs(&names);
        Ok(aas::PutScalingPolicyOutput { policy_arn: arn, alarms })
    }

    pub(super) fn alarm_refs(&self, names: &[String]) -> Vec<aas::AlarmRef> {
        let reference = |name: &String| aas::AlarmRef {
            alarm_name: name.clone(),
            alarm_arn: self.arn("cloudwatch", &format!("alarm:{name}")),
        };
        names.iter().filter(|name| self.alarms.contains_key(*name)).map(reference).collect()
    }

    pub(crate) fn describe_scaling_policies(
        &mut self,
        input: &aas::DescribeScalingPoliciesInput,
    ) -> ApiResult<aas::DescribeScalingPoliciesOutput> {
        check_namespace(&input.service_namespace)?;
        check_filter(input.resource_id.as_deref(), input.scalable_dimension.as_deref())?;
        let names = input.policy_names.as_deref();
        let rows = self
            .visible_targets()
            .iter()
            .filter(|(resource, _)| input.resource_id.as_ref().is_none_or(|only| only == *resource))
            .flat_map(|(resource, t)| t.policies.iter().map(move |(name, p)| (resource, name, p)))
            .filter(|(_, name, _)| {
                names.is_none_or(|names| names.is_empty() || names.contains(name))
            });
        let (page, next_token) =
            POLICIES.page(rows, input.max_results, input.next_token.as_deref())?;
        let describe = |(resource, name, p): (&String, &String, &Policy)| aas::ScalingPolicy {
            policy_arn: p.arn.clone(),
            policy_name: name.clone(),
            service_namespace: "sagemaker".to_owned(),
            resource_id: resource.clone(),
            scalable_dimension: DIMENSION.to_owned(),
            policy_type: if p.step.is_some() { "StepScaling" } else { "TargetTrackingScaling" }
                .to_owned(),
            step_scaling_policy_configuration: p.step.clone(),
            target_tracking_scaling_policy_configuration: p.tracking.clone(),
            alarms: self.alarm_refs(&p.alarms),
            creation_time: p.created_at,
        };
        let scaling_policies = page.into_iter().map(describe).collect();
        Ok(aas::DescribeScalingPoliciesOutput { scaling_policies, next_token })
    }

    pub(crate) fn delete_scaling_policy(
        &mut self,
        input: &aas::DeleteScalingPolicyInput,
    ) -> ApiResult<aas::Empty> {
        let resource = &input.resource_id;
        check_resource(&input.service_namespace, resource, &input.scalable_dimension)?;
        self.remember_for_stale_reads(resource);
        let target = self.targets.get_mut(resource);
        let policy =
            target.and_then(|t| t.policies.remove(&input.policy_name)).ok_or_else(|| {
                let name = &input.policy_name;
                ApiError::new(
                    "ObjectNotFoundException",
                    format!("No scaling policy found for {resource}, policy name: {name}"),
                )
            })?;
        for alarm in &policy.alarms {
            self.alarms.remove(alarm);
        }
        Ok(aas::Empty {})
    }
}

/// Checks a policy as AWS does.
fn check_put(input: &aas::PutScalingPolicyInput, target: &Target) -> ApiResult<()> {
    let existing = target.policies.get(&input.policy_name);
    let tracking = input.target_tracking_scaling_policy_configuration.as_ref();
    let kind = input.policy_type.as_deref();
    match (kind, tracking, &input.step_scaling_policy_configuration) {
        (Some("TargetTrackingScaling"), Some(_), None) | (Some("StepScaling"), None, Some(_)) => {}
        (None, Some(_), None) if existing.is_some_and(|p| p.tracking.is_some()) => {}
        (None, None, Some(_)) if existing.is_some_and(|p| p.step.is_some()) => {}
        (Some("PredictiveScaling"), ..) => {
            return Err(ApiError::validation("PredictiveScaling is only supported for Amazon ECS"));
        }
        _ => {
            return Err(ApiError::validation(
                "PolicyType and the one policy configuration that goes with it are required",
            ));
        }
    }
    if existing.is_none() && target.policies.len() >= POLICIES_QUOTA {
        return Err(ApiError::new("LimitExceededException", "at most 50 policies on a target"));
    }
    let Some(tracking) = tracking else { return Ok(()) };
    if !(tracking.target_value.is_finite() && tracking.target_value > 0.0) {
        return Err(ApiError::validation("TargetValue must be a number above 0"));
    }
    let specs = usize::from(tracking.predefined_metric_specification.is_some())
        + usize::from(tracking.customized_metric_specification.is_some());
    if specs != 1 {
        return Err(ApiError::validation("Exactly one metric specification is required"));
    }
    let cooldowns = [tracking.scale_in_cooldown, tracking.scale_out_cooldown];
    if cooldowns.into_iter().flatten().any(|seconds| seconds < 0) {
        return Err(ApiError::validation("cooldowns must be at least 0"));
    }
    let clash = target.policies.iter().any(|(name, policy)| {
        *name != input.policy_name
            && policy.tracking.as_ref().is_some_and(|other| same_metric(other, tracking))
    });
    if clash {
        return Err(ApiError::validation(
            "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
        ));
    }
    Ok(())
}
