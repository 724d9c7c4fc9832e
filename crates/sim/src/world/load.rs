//! The load on a variant, how it serves it, and the truth about its capacity.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::World;
use super::instances::{Instance, InstanceLoad, Odd};
use super::telemetry::{MinuteData, Telemetry};
use crate::fault::FaultKind;
use crate::random::Random;
use crate::service::{Demand, Objective, Served, Service, true_capacity_of};
use crate::traffic::{Part, Traffic};
use setpoint_core::model::time::Timestamp;

/// How much of a minute an instance that became ready counts as cold, in minutes.
const COLD_MINUTES: i64 = 3;

/// The load of a variant, as a scenario describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// How the variant serves.
    pub service: Service,
    /// What counts as serving well, for the truth.
    pub objective: Objective,
    /// Its traffic, as a sum of parts.
    #[serde(default)]
    pub traffic: Vec<Part>,
    /// A slow random walk of the work in a request.
    #[serde(default)]
    pub wander: Option<Wander>,
    /// A steady change of the work in a request: the speed is multiplied by this each day.
    #[serde(default = "one")]
    pub drift_per_day: f64,
    /// How long a new instance answers requests with errors, in seconds: its container says that it
    /// is ready before its model is loaded.
    #[serde(default)]
    pub ready_too_early_seconds: u32,
}

/// Instances of a fleet that does not exist yet.
const FLEET: f64 = 4.0;

fn one() -> f64 {
    1.0
}

/// A slow random walk of the speed, pulled back to where it began.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wander {
    /// The standard deviation of the logarithm of the speed in the long run.
    pub spread: f64,
    /// How long it takes to forget, in hours.
    pub hours: f64,
}

/// An incident of another cause: latency rises, capacity does not change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incident {
    pub(super) until: Timestamp,
    pub(super) latency_factor: f64,
}

/// The load of a variant, at work.
#[derive(Debug)]
pub struct Load {
    pub(super) spec: LoadSpec,
    traffic: Traffic,
    pub(super) random: Random,
    backlog: f64,
    /// Where they are seen one by one.
    pub(super) instances: BTreeMap<String, InstanceLoad>,
    pub(super) odd: BTreeMap<String, Odd>,
    /// Changes that no deploy declared.
    pub(super) speed: f64,
    wandered: f64,
    pub(super) incident: Option<Incident>,
    pub(super) telemetry: Telemetry,
    /// What was computed so far: of a service, by steps of its speed.
    capacities: Vec<(Service, BTreeMap<i64, f64>)>,
    /// When the speed of the variant changed, and to what, by whole minutes.
    pub(super) speeds: Vec<(Timestamp, f64, Service)>,
    pub(super) violation_minutes: u64,
    pub(super) instance_minutes: f64,
    /// The size of the instance type at the beginning.
    base_size: Option<f64>,
    /// The instances at the beginning: the truth is that of a fleet of this size.
    fleet: f64,
}

impl Load {
    pub(super) fn new(spec: LoadSpec, seed: u64, resource: &str) -> Self {
        Self {
            traffic: Traffic::new(spec.traffic.clone()),
            random: Random::named(seed, resource),
            spec,
            backlog: 0.0,
            instances: BTreeMap::new(),
            odd: BTreeMap::new(),
            speed: 1.0,
            wandered: 0.0,
            incident: None,
            telemetry: Telemetry::default(),
            capacities: Vec::new(),
            speeds: Vec::new(),
            violation_minutes: 0,
            instance_minutes: 0.0,
            base_size: None,
            fleet: FLEET,
        }
    }

    pub(super) fn set_traffic(&mut self, parts: Vec<Part>) {
        self.traffic = Traffic::new(parts.clone());
        self.spec.traffic = parts;
    }

    /// The true capacity of one instance at a speed. Kept by steps of 1 %.
    pub(super) fn capacity(&mut self, service: &Service, speed: f64) -> f64 {
        let step = libm::round(libm::log(speed.max(1e-3)) * 100.0);
        let of = self.capacities.iter().position(|(known, _)| known == service);
        let of = of.unwrap_or_else(|| {
            self.capacities.push((service.clone(), BTreeMap::new()));
            self.capacities.len() - 1
        });
        *self.capacities[of].1.entry(step as i64).or_insert_with(|| {
            let speed = libm::exp(step / 100.0);
            let at_speed = Service {
                base_ms: service.base_ms / speed,
                saturation: service.saturation * speed,
                ..service.clone()
            };
            true_capacity_of(&at_speed, &self.spec.objective, self.fleet)
        })
    }

    fn step_speed(&mut self) -> f64 {
        if (self.spec.drift_per_day - 1.0).abs() > f64::EPSILON {
            self.speed *= libm::pow(self.spec.drift_per_day, 1.0 / 1440.0);
        }
        if let Some(wander) = self.spec.wander {
            let keep = libm::exp(-1.0 / (wander.hours.max(0.1) * 60.0));
            let fresh = wander.spread * libm::sqrt(1.0 - keep * keep);
            self.wandered = self.wandered * keep + fresh * self.random.normal();
        }
        self.speed * libm::exp(self.wandered)
    }

    /// Serves the minute that starts at `at`.
    fn minute(&mut self, at: Timestamp, fleet: &Fleet) -> MinuteData {
        let speed = self.step_speed() * fleet.speed;
        let rate = self.traffic.rate(at, &mut self.random);
        let requests = self.random.poisson(rate);
        let own = self.spec.service.clone();
        let service = fleet.service.as_ref().unwrap_or(&own);
        let changed = self.speeds.last().is_none_or(|(_, last, of)| {
            libm::fabs(libm::log(last / speed)) > 0.01 || of != service
        });
        if changed {
            self.speeds.push((at, speed, service.clone()));
        }
        let served = if fleet.each.is_empty() {
            self.serve_all((at, requests, speed), service, fleet)
        } else {
            self.serve_each((at, requests, speed), service, fleet)
        };
        self.judge(&served, requests);
        self.instance_minutes += fleet.instances;
        MinuteData::of(requests, fleet.instances, &served)
    }

    /// Serves a minute by all instances together, each as good as the other.
    fn serve_all(
        &mut self,
        (at, requests, speed): (Timestamp, f64, f64),
        service: &Service,
        fleet: &Fleet,
    ) -> Served {
        let demand = Demand {
            requests,
            instances: fleet.instances,
            cold_share: if fleet.instances > 0.0 { fleet.cold / fleet.instances } else { 0.0 },
            speed,
        };
        let mut served = service.serve(&demand, &mut self.backlog, &mut self.random);
        let latency_factor = self.latency_factor(at);
        served.avg_us *= latency_factor;
        served.percentiles_us = served.percentiles_us.map(|us| us * latency_factor);
        if fleet.not_loaded > 0.0 && fleet.instances > 0.0 {
            let failing = (fleet.not_loaded / fleet.instances).min(1.0);
            served.errors = (served.errors + libm::round(requests * failing)).min(requests);
        }
        served
    }

    /// What an incident multiplies latency with in the minute that starts at `at`.
    pub(super) fn latency_factor(&mut self, at: Timestamp) -> f64 {
        self.incident = self.incident.filter(|incident| incident.until > at);
        self.incident.map_or(1.0, |incident| incident.latency_factor)
    }

    fn judge(&mut self, served: &Served, requests: f64) {
        let latency = served.latency(self.spec.objective.statistic);
        let broken = self.spec.objective.broken_by(latency, served.errors, requests);
        self.violation_minutes += u64::from(requests > 0.0 && broken);
    }
}

/// What serves a variant in one minute.
pub(super) struct Fleet {
    instances: f64,
    /// The same one by one, where the endpoint config has enhanced metrics on.
    pub(super) each: Vec<Instance>,
    pub(super) is_least_outstanding: bool,
    cold: f64,
    /// Of those, the ones whose model is not loaded yet.
    not_loaded: f64,
    service: Option<Service>,
    speed: f64,
}

/// The relative size of an instance type by its last part; 1 for one that is not known.
fn size_of(instance_type: &str) -> f64 {
    match instance_type.rsplit('.').next() {
        Some("medium") => 0.25,
        Some("large") => 0.5,
        Some(size) => {
            size.strip_suffix("xlarge").and_then(|n| n.parse::<f64>().ok()).unwrap_or(1.0)
        }
        None => 1.0,
    }
}

impl World {
    /// Puts a load on a variant, which need not exist yet.
    pub fn add_load(&mut self, resource: &str, spec: LoadSpec) {
        let mut load = Load::new(spec, self.settings.seed, resource);
        load.telemetry = Telemetry::from(self.now);
        load.base_size =
            self.variant(resource).and_then(|v| v.instance_type.as_deref()).map(size_of);
        let count = self.variant(resource).map(|v| f64::from(v.current(self.now)));
        load.fleet = count.filter(|count| *count >= 1.0).unwrap_or(FLEET);
        self.loads.insert(resource.to_owned(), load);
    }

    /// What serves a variant; none when it does not exist.
    fn fleet(&self, resource: &str, load: &Load, at: Timestamp) -> Option<Fleet> {
        let variant = self.variant(resource)?;
        // An instance that comes within the minute counts from its half.
        let half = at + TimeDelta::seconds(30);
        let warm_since = at - TimeDelta::minutes(COLD_MINUTES);
        let ready = |ready: &&Timestamp| **ready <= half;
        let cold = variant.instances.iter().filter(ready).filter(|r| **r > warm_since).count();
        let early = TimeDelta::seconds(i64::from(load.spec.ready_too_early_seconds));
        let not_loaded =
            variant.instances.iter().filter(ready).filter(|r| **r > half - early).count();
        let model = variant.model.as_ref().and_then(|name| self.models.get(name));
        let size = variant.instance_type.as_deref().map(size_of);
        let relative = size.zip(load.base_size).map_or(1.0, |(now, base)| now / base);
        let mut each = Vec::new();
        if self.enhanced(resource).is_some() {
            let instance = |(id, ready): (String, Timestamp)| Instance {
                id,
                is_cold: ready > warm_since,
                is_empty: ready > half - early,
            };
            each.extend(self.ids(resource, half)?.into_iter().map(instance));
        }
        Some(Fleet {
            each,
            is_least_outstanding: self.is_least_outstanding(resource),
            instances: f64::from(variant.current(half)),
            cold: cold as f64,
            not_loaded: not_loaded as f64,
            service: model.and_then(|m| m.service.clone()),
            speed: relative * model.map_or(1.0, |m| m.speed),
        })
    }

    /// Makes the telemetry of the minute that starts at `at`.
    pub(super) fn simulate_minute(&mut self, at: Timestamp) {
        let mut loads = std::mem::take(&mut self.loads);
        for (resource, load) in &mut loads {
            let fleet = self.fleet(resource, load, at);
            let mut data = fleet.as_ref().map(|f| load.minute(at, f)).unwrap_or_default();
            data.missing =
                fleet.is_some() && self.strike(FaultKind::MissingMinutes, resource, None);
            if data.missing {
                load.miss_newest(at);
            }
            load.telemetry.push(data);
        }
        self.loads = loads;
    }
}
