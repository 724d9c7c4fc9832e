//! Endpoints and their instances: start-up, scale-in, deploys, creation and deletion.

use chrono::TimeDelta;

use super::{WakeCause, World};
use crate::api::sagemaker::{DescribeEndpointConfigOutput, DescribeModelOutput, ProductionVariant};
use crate::service::Service;
use setpoint_core::model::endpoint::EndpointStatus;
use setpoint_core::model::time::Timestamp;

#[derive(Debug, Clone)]
pub(crate) struct ModelRecord {
    pub(crate) described: DescribeModelOutput,
    /// How it serves; the load's own service when absent.
    pub(crate) service: Option<Service>,
    /// Its speed relative to that service.
    pub(crate) speed: f64,
    /// Deleted: nobody can describe or use it any more, and what runs it goes on.
    pub(crate) gone: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ConfigRecord {
    pub(crate) described: DescribeEndpointConfigOutput,
    /// Deleted, as [`ModelRecord::gone`].
    pub(crate) gone: bool,
}

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(super) name: String,
    pub(super) config: String,
    pub(super) status: EndpointStatus,
    pub(super) created_at: Timestamp,
    pub(super) modified_at: Timestamp,
    pub(super) variants: Vec<Variant>,
    pub(super) deploy: Option<Deploy>,
    /// When creation or deletion ends.
    pub(super) settles_at: Option<Timestamp>,
    pub(super) tags: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct Variant {
    pub(super) name: String,
    pub(super) weight: f64,
    pub(super) desired: u32,
    /// When each instance is, or was, ready; oldest first.
    pub(super) instances: Vec<Timestamp>,
    /// When instances that are too many are gone.
    pub(super) shrinks_at: Option<Timestamp>,
    pub(super) model: Option<String>,
    pub(super) instance_type: Option<String>,
}

/// A blue/green deploy: both fleets run until it is done.
#[derive(Debug, Clone)]
pub(super) struct Deploy {
    pub(super) config: String,
    pub(super) retain: bool,
    pub(super) started_at: Timestamp,
    pub(super) done_at: Timestamp,
}

impl Variant {
    /// A variant as its config starts it, its instances ready at an instant.
    pub(super) fn new(spec: &ProductionVariant, ready_at: Timestamp) -> Self {
        let count = spec.initial_instance_count.unwrap_or(0).max(0) as u32;
        Self {
            name: spec.variant_name.clone(),
            weight: spec.initial_variant_weight.unwrap_or(1.0),
            desired: count,
            instances: vec![ready_at; count as usize],
            shrinks_at: None,
            model: spec.model_name.clone(),
            instance_type: spec.instance_type.clone(),
        }
    }

    /// Instances in service at an instant.
    pub(super) fn current(&self, at: Timestamp) -> u32 {
        self.instances.iter().filter(|ready| **ready <= at).count() as u32
    }

    fn settled(&self, now: Timestamp) -> bool {
        self.instances.len() == self.desired as usize && self.current(now) == self.desired
    }
}

impl Endpoint {
    /// Whether the auto scaler or a person may change its instances now.
    pub(super) fn scalable(&self) -> bool {
        self.status == EndpointStatus::InService
    }
}

impl World {
    /// Sets the instances wanted of a variant; they come and go in their time.
    pub(crate) fn set_desired(&mut self, endpoint: &str, variant: &str, desired: u32) {
        let now = self.now;
        let up = TimeDelta::seconds(i64::from(self.settings.startup_seconds));
        let down = TimeDelta::seconds(i64::from(self.settings.scale_in_seconds));
        let Some(e) = self.endpoints.get_mut(endpoint) else { return };
        let Some(v) = e.variants.iter_mut().find(|v| v.name == variant) else { return };
        if v.desired == desired {
            return;
        }
        v.desired = desired;
        while v.instances.len() < desired as usize {
            v.instances.push(now + up);
        }
        let mut due = v.instances.iter().copied().max().unwrap_or(now);
        if v.instances.len() > desired as usize {
            v.shrinks_at = Some(now + down);
            due = due.max(now + down);
        }
        e.status = EndpointStatus::Updating;
        e.modified_at = now;
        let shrink = v.shrinks_at;
        for at in [Some(due), shrink].into_iter().flatten() {
            self.wake(at.max(now), WakeCause::Endpoint(endpoint.to_owned()));
        }
    }

    /// Looks whether an endpoint has finished what it was doing.
    pub(super) fn settle_endpoint(&mut self, name: &str) {
        let now = self.now;
        let Some(endpoint) = self.endpoints.get_mut(name) else { return };
        let due = endpoint.settles_at.is_some_and(|at| at <= now);
        match endpoint.status {
            EndpointStatus::Deleting if due => {
                self.endpoints.remove(name);
                return;
            }
            EndpointStatus::Creating if due => {
                endpoint.status = EndpointStatus::InService;
                endpoint.modified_at = now;
                endpoint.settles_at = None;
            }
            EndpointStatus::Deleting | EndpointStatus::Creating => return,
            _ => {}
        }
        for variant in &mut endpoint.variants {
            if variant.shrinks_at.is_some_and(|at| at <= now) {
                variant.shrinks_at = None;
                variant.instances.truncate(variant.desired as usize);
            }
        }
        if endpoint.deploy.as_ref().is_some_and(|deploy| deploy.done_at <= now) {
            self.finish_deploy(name);
        }
        self.finish_update(name);
    }

    fn finish_update(&mut self, name: &str) {
        let now = self.now;
        let Some(endpoint) = self.endpoints.get_mut(name) else { return };
        let settled = endpoint.variants.iter().all(|v| v.settled(now));
        if endpoint.status == EndpointStatus::Updating && endpoint.deploy.is_none() && settled {
            endpoint.status = EndpointStatus::InService;
            endpoint.modified_at = now;
            self.finish_activities(name);
        }
    }

    /// Traffic moves to the new fleet, and the old one goes.
    fn finish_deploy(&mut self, name: &str) {
        let Some(endpoint) = self.endpoints.get_mut(name) else { return };
        let Some(deploy) = endpoint.deploy.take() else { return };
        let Some(config) = self.configs.get(&deploy.config) else { return };
        let fresh = config.described.production_variants.iter().map(|spec| {
            let mut variant = Variant::new(spec, deploy.done_at);
            if let Some(old) = endpoint.variants.iter().find(|v| v.name == spec.variant_name)
                && deploy.retain
            {
                variant.desired = old.desired;
                variant.weight = old.weight;
                variant.instances = vec![deploy.done_at; old.desired as usize];
            }
            variant
        });
        endpoint.variants = fresh.collect();
        endpoint.config = deploy.config;
        endpoint.modified_at = self.now;
    }

    /// Begins a deploy of an endpoint config that exists.
    pub(crate) fn begin_deploy(&mut self, name: &str, config: &str, retain: bool) {
        let now = self.now;
        let done_at = now + TimeDelta::seconds(i64::from(self.settings.deploy_seconds));
        let Some(endpoint) = self.endpoints.get_mut(name) else { return };
        endpoint.status = EndpointStatus::Updating;
        endpoint.modified_at = now;
        endpoint.deploy =
            Some(Deploy { config: config.to_owned(), retain, started_at: now, done_at });
        self.wake(done_at, WakeCause::Endpoint(name.to_owned()));
    }

    /// Makes an endpoint of a config that exists; in service after `seconds`.
    pub(crate) fn begin_endpoint(&mut self, name: &str, config: &str, seconds: u32) {
        let now = self.now;
        let Some(record) = self.configs.get(config) else { return };
        let ready = now + TimeDelta::seconds(i64::from(seconds));
        let variants = record.described.production_variants.iter();
        let endpoint = Endpoint {
            name: name.to_owned(),
            config: config.to_owned(),
            status: EndpointStatus::Creating,
            created_at: now,
            modified_at: now,
            variants: variants.map(|spec| Variant::new(spec, ready)).collect(),
            deploy: None,
            settles_at: Some(ready),
            tags: std::collections::BTreeMap::new(),
        };
        self.endpoints.insert(name.to_owned(), endpoint);
        if seconds == 0 {
            self.settle_endpoint(name);
        } else {
            self.wake(ready, WakeCause::Endpoint(name.to_owned()));
        }
    }

    /// Begins to delete an endpoint: its scalable targets go at once, it goes a little later.
    pub(crate) fn begin_deletion(&mut self, name: &str) {
        let gone_at = self.now + TimeDelta::seconds(i64::from(self.settings.delete_seconds));
        let Some(endpoint) = self.endpoints.get_mut(name) else { return };
        endpoint.status = EndpointStatus::Deleting;
        endpoint.modified_at = self.now;
        endpoint.settles_at = Some(gone_at);
        let resources: Vec<String> = endpoint
            .variants
            .iter()
            .map(|v| format!("endpoint/{name}/variant/{}", v.name))
            .collect();
        for resource in resources {
            self.drop_target(&resource);
        }
        self.wake(gone_at, WakeCause::Endpoint(name.to_owned()));
    }
}
