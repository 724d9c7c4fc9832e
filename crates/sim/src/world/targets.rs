//! Scalable targets: register, describe, deregister.

use std::collections::BTreeMap;

use super::World;
use super::activities::Activity;
use super::page::Paging;
use super::policies::Policy;
use super::schedule::Action;
use crate::api::scaling as aas;
use crate::api::{ApiError, ApiResult, Operation};
use setpoint_core::model::scaling::DIMENSION;
use setpoint_core::model::time::Timestamp;

/// A scalable target with all that hangs on it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) min: i32,
    pub(crate) max: i32,
    pub(super) scale_in_suspended: bool,
    pub(super) scale_out_suspended: bool,
    pub(super) scheduled_suspended: bool,
    pub(super) created_at: Timestamp,
    /// Targets registered long ago have none.
    pub(super) arn: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// By name.
    pub(crate) policies: BTreeMap<String, Policy>,
    /// By name.
    pub(super) actions: BTreeMap<String, Action>,
    /// Oldest first.
    pub(super) activities: Vec<Activity>,
    pub(super) last_scale_out: Option<Timestamp>,
    pub(super) last_scale_in: Option<Timestamp>,
}

const TARGETS: Paging = Paging {
    operation: Operation::DescribeScalableTargets,
    default: 50,
    max: 50,
    member: "maxResults",
    bad_token: "InvalidNextTokenException",
};

/// AWS's default quota of SageMaker scalable targets in a region is 500; a world can hold more.
const TARGETS_QUOTA: usize = 20_000;

/// Refuses another service than SageMaker.
pub(super) fn check_namespace(namespace: &str) -> ApiResult<()> {
    if namespace == "sagemaker" {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{namespace}' at 'serviceNamespace' failed to satisfy \
         constraint: this world has sagemaker only"
    )))
}

/// Refuses another dimension than the instance count of a variant.
pub(super) fn check_resource(namespace: &str, resource: &str, dimension: &str) -> ApiResult<()> {
    check_namespace(namespace)?;
    if dimension != DIMENSION {
        return Err(ApiError::validation(format!(
            "Unsupported service namespace, resource type or scalable dimension: {dimension:?}"
        )));
    }
    match resource.parse::<setpoint_core::model::ids::ResourceId>() {
        Ok(_) => Ok(()),
        Err(error) => Err(ApiError::validation(error.to_string())),
    }
}

/// Refuses a dimension without a resource.
pub(super) fn check_filter(resource: Option<&str>, dimension: Option<&str>) -> ApiResult<()> {
    match (resource, dimension) {
        (None, Some(_)) => Err(ApiError::validation(
            "If you specify a scalable dimension, you must also specify a resource ID",
        )),
        (_, Some(other)) if other != DIMENSION => {
            Err(ApiError::validation(format!("Unsupported scalable dimension: {other:?}")))
        }
        _ => Ok(()),
    }
}

/// `ObjectNotFoundException` for a scalable target.
pub(super) fn not_registered(resource: &str) -> ApiError {
    ApiError::new(
        "ObjectNotFoundException",
        format!(
            "No scalable target found for service namespace: sagemaker, resource ID: {resource}, \
             scalable dimension: {DIMENSION}"
        ),
    )
}

impl World {
    /// What reads show: the present, or, while reads are stale, the past.
    pub(super) fn visible_targets(&self) -> &BTreeMap<String, Target> {
        match &self.stale {
            Some((until, past)) if self.now < *until => past,
            _ => &self.targets,
        }
    }

    /// Before a write: under a `stale_reads` fault reads will go on showing what is now.
    pub(super) fn remember_for_stale_reads(&mut self, resource: &str) {
        use crate::fault::FaultKind::StaleReads;
        if self.stale.as_ref().is_some_and(|(until, _)| self.now < *until) {
            return;
        }
        let now = self.now;
        let lag = self.faults.iter().find(|f| f.fault.kind == StaleReads && f.is_live(now));
        let Some(lag) = lag.map(|f| f.fault.lag_seconds) else { return };
        if self.strike(StaleReads, resource, None) {
            let until = now + chrono::TimeDelta::seconds(i64::from(lag));
            self.stale = Some((until, self.targets.clone()));
        }
    }

    pub(crate) fn register_scalable_target(
        &mut self,
        input: &aas::RegisterScalableTargetInput,
    ) -> ApiResult<aas::RegisterScalableTargetOutput> {
        let resource = &input.resource_id;
        check_resource(&input.service_namespace, resource, &input.scalable_dimension)?;
        self.check_scalable(resource)?;
        let existing = self.targets.get(resource);
        let (Some(min), Some(max)) = (
            input.min_capacity.or(existing.map(|t| t.min)),
            input.max_capacity.or(existing.map(|t| t.max)),
        ) else {
            return Err(ApiError::validation(
                "Member MinCapacity and MaxCapacity must not be null on the first registration",
            ));
        };
        if min < 0 || max < min {
            return Err(ApiError::validation(format!(
                "Maximum capacity ({max}) cannot be less than minimum capacity ({min}), and both \
                 must be at least 0"
            )));
        }
        if existing.is_some() && input.tags.is_some() {
            return Err(ApiError::validation(
                "Tags can only be specified when a scalable target is registered; use TagResource",
            ));
        }
        super::tags::check(&BTreeMap::new(), input.tags.as_ref().unwrap_or(&BTreeMap::new()))?;
        if existing.is_none() && self.targets.len() >= TARGETS_QUOTA {
            return Err(ApiError::new("LimitExceededException", "too many scalable targets"));
        }
        self.remember_for_stale_reads(resource);
        let arn = self.register(resource, min, max, input);
        self.clamp(resource, "Scalable target was registered");
        Ok(aas::RegisterScalableTargetOutput { scalable_target_arn: arn })
    }

    /// AWS asks SageMaker whether the variant exists and can scale.
    fn check_scalable(&self, resource: &str) -> ApiResult<()> {
        let Some(variant) = self.variant(resource) else {
            return Err(ApiError::validation(format!(
                "Could not find endpoint or variant of {resource}."
            )));
        };
        match &variant.instance_type {
            Some(kind) if kind.starts_with("ml.t") => Err(ApiError::validation(format!(
                "Autoscaling is not supported for the burstable instance type {kind}"
            ))),
            _ => Ok(()),
        }
    }

    fn register(
        &mut self,
        resource: &str,
        min: i32,
        max: i32,
        input: &aas::RegisterScalableTargetInput,
    ) -> Option<String> {
        let id = self.random.uuid().replace('-', "");
        let arn = self.arn("application-autoscaling", &format!("scalable-target/{}", &id[..28]));
        let now = self.now;
        let target = self.targets.entry(resource.to_owned()).or_insert_with(|| Target {
            min,
            max,
            scale_in_suspended: false,
            scale_out_suspended: false,
            scheduled_suspended: false,
            created_at: now,
            arn: Some(arn),
            tags: input.tags.clone().unwrap_or_default(),
            policies: BTreeMap::new(),
            actions: BTreeMap::new(),
            activities: Vec::new(),
            last_scale_out: None,
            last_scale_in: None,
        });
        target.min = min;
        target.max = max;
        if let Some(suspended) = &input.suspended_state {
            let set = |slot: &mut bool, wanted: Option<bool>| *slot = wanted.unwrap_or(*slot);
            set(&mut target.scale_in_suspended, suspended.dynamic_scaling_in_suspended);
            set(&mut target.scale_out_suspended, suspended.dynamic_scaling_out_suspended);
            set(&mut target.scheduled_suspended, suspended.scheduled_scaling_suspended);
        }
        target.arn.clone()
    }

    /// Pulls the present count into min and max, as AWS does on every registration.
    pub(super) fn clamp(&mut self, resource: &str, cause: &str) {
        let Some(target) = self.targets.get(resource) else { return };
        let (min, max) = (target.min.max(0) as u32, target.max.max(0) as u32);
        let Some(desired) = self.variant(resource).map(|v| v.desired) else { return };
        let wanted = desired.clamp(min, max);
        if wanted != desired {
            self.scale(resource, wanted, cause);
        }
    }

    pub(crate) fn describe_scalable_targets(
        &mut self,
        input: &aas::DescribeScalableTargetsInput,
    ) -> ApiResult<aas::DescribeScalableTargetsOutput> {
        check_namespace(&input.service_namespace)?;
        let ids = input.resource_ids.as_deref();
        check_filter(
            ids.and_then(<[_]>::first).map(String::as_str),
            input.scalable_dimension.as_deref(),
        )?;
        if ids.is_some_and(|ids| ids.len() > 50) {
            return Err(ApiError::validation("Member resourceIds must have at most 50 items"));
        }
        let role = self.arn_of_service_role();
        let rows = self
            .visible_targets()
            .iter()
            .filter(|(resource, _)| ids.is_none_or(|ids| ids.is_empty() || ids.contains(resource)));
        let (page, next_token) =
            TARGETS.page(rows, input.max_results, input.next_token.as_deref())?;
        let describe = |(resource, t): (&String, &Target)| aas::ScalableTarget {
            service_namespace: "sagemaker".to_owned(),
            resource_id: resource.clone(),
            scalable_dimension: DIMENSION.to_owned(),
            min_capacity: t.min,
            max_capacity: t.max,
            role_arn: role.clone(),
            creation_time: t.created_at,
            suspended_state: aas::SuspendedState {
                dynamic_scaling_in_suspended: Some(t.scale_in_suspended),
                dynamic_scaling_out_suspended: Some(t.scale_out_suspended),
                scheduled_scaling_suspended: Some(t.scheduled_suspended),
            },
            scalable_target_arn: t.arn.clone(),
        };
        let scalable_targets = page.into_iter().map(describe).collect();
        Ok(aas::DescribeScalableTargetsOutput { scalable_targets, next_token })
    }

    fn arn_of_service_role(&self) -> String {
        let account = &self.settings.account_id;
        format!(
            "arn:aws:iam::{account}:role/aws-service-role/sagemaker.application-autoscaling.\
             amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        )
    }

    pub(crate) fn deregister_scalable_target(
        &mut self,
        input: &aas::DeregisterScalableTargetInput,
    ) -> ApiResult<aas::Empty> {
        let resource = &input.resource_id;
        check_resource(&input.service_namespace, resource, &input.scalable_dimension)?;
        self.remember_for_stale_reads(resource);
        if self.drop_target(resource) { Ok(aas::Empty {}) } else { Err(not_registered(resource)) }
    }

    /// Drops a scalable target with its policies, alarms and scheduled actions.
    pub(crate) fn drop_target(&mut self, resource: &str) -> bool {
        let Some(target) = self.targets.remove(resource) else { return false };
        for policy in target.policies.values() {
            for alarm in &policy.alarms {
                self.alarms.remove(alarm);
            }
        }
        true
    }
}
