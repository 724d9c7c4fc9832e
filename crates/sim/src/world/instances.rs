//! Instances one by one, where the endpoint config has enhanced metrics on: who they are, what each gets,
//! how it serves, and which metrics CloudWatch lists of them.

use serde_json::Value;

use super::World;
use super::load::{Fleet, Load};
use super::page::Paging;
use super::telemetry::{MinuteData, Telemetry, minute_index};
use crate::api::cloudwatch as cw;
use crate::api::{ApiError, ApiResult, Operation};
use crate::service::pooled::{Part, quantile};
use crate::service::{Demand, Served, Service, binomial};
use setpoint_core::model::stable_hash::fnv1a;
use setpoint_core::model::time::Timestamp;

/// Seconds between published metrics that AWS takes (SageMaker API reference, `MetricsConfig`).
const FREQUENCIES: [u64; 7] = [10, 30, 60, 120, 180, 240, 300];
/// A new metric may take so many minutes to be listed, and one without datapoints is listed for two weeks
/// (CloudWatch API reference, `ListMetrics`).
const LISTED_AFTER: i64 = 15;
const LISTED_FOR: i64 = 14 * 1440;
/// What `RecentlyActive` leaves: three hours.
const RECENT: i64 = 180;
/// The metrics that are published of a variant, and of an instance with enhanced metrics.
const NAMES: [&str; 5] = [
    "Invocation4XXErrors",
    "Invocation5XXErrors",
    "Invocations",
    "InvocationsPerInstance",
    "ModelLatency",
];
const METRICS: Paging = Paging {
    operation: Operation::ListMetrics,
    default: 500,
    max: 500,
    member: "maxResults",
    bad_token: "InvalidParameterValue",
};

/// An instance of a variant in one minute.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) is_cold: bool,
    /// Whether it answers before its model is loaded.
    pub(super) is_empty: bool,
}

/// What makes an instance unlike the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Odd {
    /// Its speed, relative to the others'.
    pub(super) speed: f64,
    /// Its share of the requests, relative to the others'.
    pub(super) share: f64,
}

/// An instance at work.
#[derive(Debug, Default)]
pub(super) struct InstanceLoad {
    backlog: f64,
    pub(super) telemetry: Telemetry,
}

/// Refuses a frequency that AWS does not take.
pub(super) fn check_metrics_config(config: Option<&Value>) -> ApiResult<()> {
    let frequency = config.and_then(|c| c.get("MetricPublishFrequencyInSeconds")?.as_u64());
    match frequency {
        Some(seconds) if !FREQUENCIES.contains(&seconds) => Err(ApiError::validation(format!(
            "1 validation error detected: Value '{seconds}' at \
             'metricsConfig.metricPublishFrequencyInSeconds' failed to satisfy constraint: Member must \
             satisfy enum value set: [10, 30, 60, 120, 180, 240, 300]"
        ))),
        _ => Ok(()),
    }
}

/// The id of an instance: the same as long as it lives, and never another's.
pub(super) fn id(resource: &str, ready: Timestamp, ordinal: usize) -> String {
    let text = format!("{resource} {} {ordinal}", ready.timestamp());
    format!("i-{:016x}{:x}", fnv1a(text.bytes()), ordinal % 16)
}

impl World {
    /// Seconds between published invocation metrics of a variant whose endpoint config has enhanced
    /// metrics on; absent without.
    pub(super) fn enhanced(&self, resource: &str) -> Option<u64> {
        let endpoint = self.endpoints.get(resource.split('/').nth(1)?)?;
        let config = self.configs.get(&endpoint.config)?.described.metrics_config.as_ref()?;
        let is_on = config.get("EnableEnhancedMetrics")?.as_bool()?;
        let frequency = || config.get("MetricPublishFrequencyInSeconds")?.as_u64();
        is_on.then(|| frequency().unwrap_or(60))
    }

    /// Whether requests go to the instances with few under way, and not to any.
    pub(super) fn is_least_outstanding(&self, resource: &str) -> bool {
        let strategy = || {
            let mut parts = resource.split('/');
            let (endpoint, variant) = (parts.nth(1)?, parts.nth(1)?);
            let config = &self.configs.get(&self.endpoints.get(endpoint)?.config)?.described;
            let own = config.production_variants.iter().find(|v| v.variant_name == variant)?;
            own.routing_config.as_ref()?.get("RoutingStrategy")?.as_str()
        };
        strategy() == Some("LEAST_OUTSTANDING_REQUESTS")
    }

    /// The id of the instance of that number, the oldest first, that serves a variant now.
    pub fn instance_id(&self, resource: &str, number: usize) -> Option<String> {
        let instances = self.ids(resource, self.now)?;
        instances.into_iter().nth(number).map(|(id, _)| id)
    }

    /// The instances that are ready at an instant, with that since when they are.
    pub(super) fn ids(&self, resource: &str, at: Timestamp) -> Option<Vec<(String, Timestamp)>> {
        let all = &self.variant(resource)?.instances;
        let mut ids = Vec::with_capacity(all.len());
        let mut ordinal = 0;
        for (index, ready) in all.iter().enumerate() {
            let same = index.checked_sub(1).and_then(|before| all.get(before)) == Some(ready);
            ordinal = if same { ordinal + 1 } else { 0 };
            if *ready <= at {
                ids.push((id(resource, *ready, ordinal), *ready));
            }
        }
        Some(ids)
    }

    pub(crate) fn list_metrics(
        &mut self,
        input: &cw::ListMetricsInput,
    ) -> ApiResult<cw::ListMetricsOutput> {
        let within = match input.recently_active.as_deref() {
            None => LISTED_FOR,
            Some("PT3H") => RECENT,
            Some(other) => {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("The value {other} for parameter RecentlyActive is not supported"),
                ));
            }
        };
        let newest = self.newest_minute();
        let mut metrics = Vec::new();
        for (resource, load) in &self.loads {
            let mut parts = resource.split('/').skip(1).step_by(2);
            let (Some(endpoint), Some(variant)) = (parts.next(), parts.next()) else { continue };
            let dimensions =
                vec![dimension("EndpointName", endpoint), dimension("VariantName", variant)];
            let is_listed = |t: &Telemetry| t.is_listed(newest, within, LISTED_AFTER);
            if is_listed(&load.telemetry) {
                metrics.extend(NAMES.map(|name| metric(name, dimensions.clone())));
            }
            for (id, _) in load.instances.iter().filter(|(_, one)| is_listed(&one.telemetry)) {
                let own = || {
                    let own = [dimension("InstanceId", id)];
                    dimensions.iter().cloned().chain(own).collect::<Vec<_>>()
                };
                let of_instance = NAMES.iter().filter(|name| **name != "InvocationsPerInstance");
                metrics.extend(of_instance.map(|name| metric(name, own())));
            }
        }
        metrics.retain(|metric| matches(input, metric));
        let token = input.next_token.as_deref();
        let (metrics, next_token) = METRICS.page(metrics.into_iter(), None, token)?;
        Ok(cw::ListMetricsOutput { metrics, next_token })
    }
}

fn matches(input: &cw::ListMetricsInput, metric: &cw::Metric) -> bool {
    let has = |wanted: &cw::DimensionFilter| {
        metric.dimensions.iter().any(|own| {
            own.name == wanted.name && wanted.value.as_ref().is_none_or(|value| *value == own.value)
        })
    };
    input.namespace.as_ref().is_none_or(|namespace| *namespace == metric.namespace)
        && input.metric_name.as_ref().is_none_or(|name| *name == metric.metric_name)
        && input.dimensions.iter().all(has)
}

fn dimension(name: &str, value: &str) -> cw::Dimension {
    cw::Dimension { name: name.to_owned(), value: value.to_owned() }
}

fn metric(name: &str, dimensions: Vec<cw::Dimension>) -> cw::Metric {
    cw::Metric { namespace: "AWS/SageMaker".to_owned(), metric_name: name.to_owned(), dimensions }
}

impl Load {
    /// Serves a minute instance by instance: what CloudWatch sees of the variant is all of them together.
    pub(super) fn serve_each(
        &mut self,
        (at, requests, speed): (Timestamp, f64, f64),
        service: &Service,
        fleet: &Fleet,
    ) -> Served {
        let odd = |id: &str| self.odd.get(id).copied().unwrap_or(Odd { speed: 1.0, share: 1.0 });
        let odds: Vec<Odd> = fleet.each.iter().map(|instance| odd(&instance.id)).collect();
        let shares = self.shares(requests, fleet, &odds);
        let latency_factor = self.latency_factor(at);
        let mut minutes = Vec::with_capacity(shares.len());
        for ((instance, odd), requests) in fleet.each.iter().zip(odds).zip(shares) {
            let mut own = self
                .instances
                .remove(&instance.id)
                .unwrap_or_else(|| InstanceLoad { backlog: 0.0, telemetry: Telemetry::from(at) });
            let demand = Demand {
                requests,
                instances: 1.0,
                cold_share: f64::from(u8::from(instance.is_cold)),
                speed: speed * odd.speed,
            };
            let mut served = service.serve(&demand, &mut own.backlog, &mut self.random);
            served.avg_us *= latency_factor;
            served.percentiles_us = served.percentiles_us.map(|us| us * latency_factor);
            if instance.is_empty {
                served.errors = requests;
            }
            let minute = MinuteData::of(requests, 1.0, &served);
            own.telemetry.push(minute);
            minutes.push(minute);
            self.instances.insert(instance.id.clone(), own);
        }
        together(&minutes)
    }

    /// How many requests each instance gets.
    fn shares(&mut self, requests: f64, fleet: &Fleet, odds: &[Odd]) -> Vec<f64> {
        // With as many requests under way everywhere, a faster instance answers more of them.
        let weight =
            |odd: &Odd| odd.share * if fleet.is_least_outstanding { odd.speed } else { 1.0 };
        let weights: Vec<f64> = odds.iter().map(weight).collect();
        let mut rest: f64 = weights.iter().sum();
        let mut left = requests;
        let mut shares = Vec::with_capacity(weights.len());
        for weight in weights {
            let part = if rest > 0.0 { (weight / rest).min(1.0) } else { 0.0 };
            let own = if fleet.is_least_outstanding || part >= 1.0 {
                libm::round(left * part)
            } else {
                binomial(left, part, &mut self.random)
            };
            shares.push(own.clamp(0.0, left));
            left -= own.clamp(0.0, left);
            rest -= weight;
        }
        shares
    }

    /// Nothing was published of the newest minute, whatever happened.
    pub(super) fn miss_newest(&mut self, at: Timestamp) {
        for instance in self.instances.values_mut() {
            instance.telemetry.miss(minute_index(at));
        }
    }
}

/// What all instances served together.
fn together(minutes: &[MinuteData]) -> Served {
    let requests: f64 = minutes.iter().map(|m| f64::from(m.requests)).sum();
    if requests <= 0.0 {
        return Served::default();
    }
    let busy: Vec<&MinuteData> = minutes.iter().filter(|m| m.requests > 0.0).collect();
    let sum = |f: fn(&MinuteData) -> f64| busy.iter().map(|m| f(m)).sum::<f64>();
    let parts: Vec<Part> = busy.iter().map(|minute| minute.part()).collect();
    Served {
        avg_us: sum(|m| f64::from(m.avg_us) * f64::from(m.requests)) / requests,
        percentiles_us: [0.5, 0.9, 0.95, 0.99].map(|q| quantile(&parts, q)),
        errors: sum(|m| f64::from(m.errors)),
    }
}
