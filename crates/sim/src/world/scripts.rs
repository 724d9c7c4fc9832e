//! Script events: what people, pipelines and bad luck do to the world.

use chrono::TimeDelta;

use super::instances::Odd;
use super::load::Incident;
use super::{WakeCause, World};
use crate::api::{ApiResult, sagemaker as sm, scaling as aas};
use crate::scenario::{Change, EndpointSpec, VariantSpec};
use setpoint_core::model::scaling::DIMENSION;

/// How long a pipeline waits before it tries a refused deploy again.
const RETRY_SECONDS: i64 = 30;

impl World {
    /// Makes an endpoint with its models, config, loads, scalable targets and policies, all of it
    /// in service at once.
    ///
    /// # Errors
    /// When AWS would refuse any of it.
    pub fn add_endpoint(&mut self, spec: &EndpointSpec) -> ApiResult<()> {
        let config = format!("{}-config-1", spec.name);
        let mut variants = Vec::new();
        for variant in &spec.variants {
            let model = format!("{}-{}-model-1", spec.name, variant.name);
            self.make_model(&model)?;
            variants.push(variant.production_variant(&model));
        }
        self.create_endpoint_config(&sm::CreateEndpointConfigInput {
            endpoint_config_name: config.clone(),
            production_variants: variants,
            metrics_config: spec.metrics_config(),
            ..Default::default()
        })?;
        setpoint_core::model::ids::EndpointName::new(spec.name.clone())
            .map_err(|e| crate::api::ApiError::validation(e.to_string()))?;
        super::tags::check(&std::collections::BTreeMap::new(), &spec.tags)?;
        self.begin_endpoint(&spec.name, &config, 0);
        if let Some(endpoint) = self.endpoints.get_mut(&spec.name) {
            endpoint.tags.clone_from(&spec.tags);
        }
        for variant in &spec.variants {
            let resource = format!("endpoint/{}/variant/{}", spec.name, variant.name);
            if let Some(load) = &variant.load {
                self.add_load(&resource, load.clone());
            }
            self.set_up_scaling(&resource, variant)?;
        }
        Ok(())
    }

    fn make_model(&mut self, name: &str) -> ApiResult<()> {
        self.create_model(&sm::CreateModelInput {
            model_name: name.to_owned(),
            primary_container: Some(sm::ContainerDefinition {
                image: Some(format!(
                    "{}.dkr.ecr.{}.amazonaws.com/models:{name}",
                    self.settings.account_id, self.settings.region
                )),
                mode: Some("SingleModel".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        })?;
        Ok(())
    }

    fn set_up_scaling(&mut self, resource: &str, variant: &VariantSpec) -> ApiResult<()> {
        let Some(target) = &variant.target else { return Ok(()) };
        self.register_scalable_target(&aas::RegisterScalableTargetInput {
            service_namespace: "sagemaker".to_owned(),
            resource_id: resource.to_owned(),
            scalable_dimension: DIMENSION.to_owned(),
            min_capacity: Some(target.min),
            max_capacity: Some(target.max),
            ..Default::default()
        })?;
        if let Some(registered) = self.targets.get_mut(resource).filter(|_| target.without_arn) {
            registered.arn = None;
        }
        let Some(policy) = &target.policy else { return Ok(()) };
        self.put_tracking(resource, &policy.name, &policy.tracking())?;
        Ok(())
    }

    fn put_tracking(
        &mut self,
        resource: &str,
        name: &str,
        tracking: &aas::TargetTrackingConfiguration,
    ) -> ApiResult<()> {
        self.put_scaling_policy(&aas::PutScalingPolicyInput {
            policy_name: name.to_owned(),
            service_namespace: "sagemaker".to_owned(),
            resource_id: resource.to_owned(),
            scalable_dimension: DIMENSION.to_owned(),
            policy_type: Some("TargetTrackingScaling".to_owned()),
            target_tracking_scaling_policy_configuration: Some(tracking.clone()),
            ..Default::default()
        })?;
        Ok(())
    }

    /// Does what an event says. While the endpoint is being updated it tries again, as a pipeline
    /// would, for an hour; anything else that AWS refuses changes nothing.
    pub(super) fn run_event(&mut self, index: usize) {
        let Some(event) = self.events.get(index).cloned() else { return };
        let Err(error) = self.change(&event.change) else { return };
        let again = self.now + TimeDelta::seconds(RETRY_SECONDS);
        if error.message.contains("in-progress") && again <= event.at + TimeDelta::hours(1) {
            self.wake(again, WakeCause::Event(index));
        } else {
            tracing::warn!(event = ?event.change, %error, "the script event was refused");
        }
    }

    /// Makes a change at once, past the gate.
    ///
    /// # Errors
    /// When AWS would refuse it.
    pub fn change(&mut self, change: &Change) -> ApiResult<()> {
        self.make(change)?;
        self.note_change(change);
        Ok(())
    }

    fn make(&mut self, change: &Change) -> ApiResult<()> {
        match change {
            Change::EditPolicy { variant, target_value, scale_in_cooldown, disable_scale_in } => {
                let resource = resource_of(variant);
                let Some((name, mut tracking)) = self.invocations_policy(&resource) else {
                    return Err(super::targets::not_registered(&resource));
                };
                tracking.target_value = target_value.unwrap_or(tracking.target_value);
                tracking.scale_in_cooldown = scale_in_cooldown.or(tracking.scale_in_cooldown);
                tracking.disable_scale_in = disable_scale_in.or(tracking.disable_scale_in);
                self.put_tracking(&resource, &name, &tracking)
            }
            Change::DeletePolicy { variant } => {
                let resource = resource_of(variant);
                let Some((name, _)) = self.invocations_policy(&resource) else { return Ok(()) };
                self.delete_scaling_policy(&aas::DeleteScalingPolicyInput {
                    policy_name: name,
                    service_namespace: "sagemaker".to_owned(),
                    resource_id: resource,
                    scalable_dimension: DIMENSION.to_owned(),
                })?;
                Ok(())
            }
            Change::EditTarget { variant, min, max, suspend_scale_in, suspend_scale_out } => {
                self.register_scalable_target(&aas::RegisterScalableTargetInput {
                    service_namespace: "sagemaker".to_owned(),
                    resource_id: resource_of(variant),
                    scalable_dimension: DIMENSION.to_owned(),
                    min_capacity: *min,
                    max_capacity: *max,
                    suspended_state: Some(aas::SuspendedState {
                        dynamic_scaling_in_suspended: *suspend_scale_in,
                        dynamic_scaling_out_suspended: *suspend_scale_out,
                        scheduled_scaling_suspended: None,
                    }),
                    ..Default::default()
                })?;
                Ok(())
            }
            Change::Deregister { variant } => {
                self.drop_target(&resource_of(variant));
                Ok(())
            }
            Change::Deploy { endpoint, capacity_factor, instance_type, retain } => {
                self.deploy(endpoint, *capacity_factor, instance_type.as_deref(), *retain)
            }
            Change::Recreate { endpoint } => {
                self.recreate(endpoint);
                Ok(())
            }
            Change::Fault(fault) => {
                self.inject(fault.clone());
                Ok(())
            }
            other => {
                self.change_load(other);
                Ok(())
            }
        }
    }

    fn change_load(&mut self, change: &Change) {
        let now = self.now;
        if let Change::Instance { variant, number, speed, share } = change {
            let resource = resource_of(variant);
            let id = self.instance_id(&resource, *number);
            if let Some((load, id)) = self.loads.get_mut(&resource).zip(id) {
                load.odd.insert(id, Odd { speed: *speed, share: *share });
            }
            return;
        }
        let (Change::Traffic { variant, .. }
        | Change::CapacityStep { variant, .. }
        | Change::Incident { variant, .. }) = change
        else {
            return;
        };
        let Some(load) = self.loads.get_mut(&resource_of(variant)) else { return };
        match change {
            Change::Traffic { parts, .. } => load.set_traffic(parts.clone()),
            Change::CapacityStep { factor, .. } => load.speed *= factor,
            Change::Incident { latency_factor, minutes, .. } => {
                let until = now + TimeDelta::minutes(i64::from(*minutes));
                load.incident = Some(Incident { until, latency_factor: *latency_factor });
            }
            _ => {}
        }
    }

    /// The policy that tracks invocations per instance, if the variant has one.
    fn invocations_policy(
        &self,
        resource: &str,
    ) -> Option<(String, aas::TargetTrackingConfiguration)> {
        let policies = &self.targets.get(resource)?.policies;
        policies.iter().find_map(|(name, p)| Some((name.clone(), p.invocations_target()?.clone())))
    }

    /// Deploys a new endpoint config with a new model, so many times as fast as the present one.
    fn deploy(
        &mut self,
        endpoint: &str,
        factor: f64,
        instance_type: Option<&str>,
        retain: bool,
    ) -> ApiResult<()> {
        let name = endpoint.to_owned();
        self.changeable(&name)?;
        let described =
            self.describe_endpoint(&sm::DescribeEndpointInput { endpoint_name: name.clone() })?;
        let config = described.endpoint_config_name;
        let present = self.describe_endpoint_config(&sm::DescribeEndpointConfigInput {
            endpoint_config_name: config,
        })?;
        let mut next = present.production_variants;
        let version =
            1 + self.configs.keys().filter(|k| k.starts_with(&format!("{name}-config-"))).count();
        for variant in &mut next {
            let model = format!("{name}-{}-model-{version}", variant.variant_name);
            self.make_model(&model)?;
            let old = variant.model_name.as_ref().and_then(|old| self.models.get(old)).cloned();
            if let (Some(new), Some(old)) = (self.models.get_mut(&model), old) {
                new.speed = old.speed * factor;
                new.service = old.service;
            }
            variant.model_name = Some(model);
            if let Some(kind) = instance_type {
                variant.instance_type = Some(kind.to_owned());
            }
        }
        let config = format!("{name}-config-{version}");
        self.create_endpoint_config(&sm::CreateEndpointConfigInput {
            endpoint_config_name: config.clone(),
            production_variants: next,
            metrics_config: present.metrics_config,
            ..Default::default()
        })?;
        self.update_endpoint(&sm::UpdateEndpointInput {
            endpoint_name: name,
            endpoint_config_name: config,
            retain_all_variant_properties: Some(retain),
            exclude_retained_variant_properties: None,
        })?;
        Ok(())
    }

    /// Deletes an endpoint and makes it again under its name: its policies are gone.
    fn recreate(&mut self, name: &str) {
        let Some(config) = self.endpoints.get(name).map(|e| e.config.clone()) else { return };
        self.begin_deletion(name);
        self.endpoints.remove(name);
        self.begin_endpoint(name, &config, self.settings.create_seconds);
    }
}

/// `E/V` as a resource id.
pub(super) fn resource_of(variant: &str) -> String {
    match variant.split_once('/') {
        Some((endpoint, variant)) => format!("endpoint/{endpoint}/variant/{variant}"),
        None => format!("endpoint/{variant}/variant/AllTraffic"),
    }
}
