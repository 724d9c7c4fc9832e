//! The truth, and everything else that an observer of the world may want to know.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Value, json};

use super::World;
use super::load::Load;
use crate::service::Service;
use setpoint_core::model::time::Timestamp;

/// The truth about one variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// `endpoint/E/variant/V`.
    pub resource: String,
    /// The true capacity of one instance now, in invocations per minute; absent without a load.
    pub capacity: Option<f64>,
    /// Since when it was what, oldest first, at steps of more than 1 %.
    pub capacity_over_time: Vec<(Timestamp, f64)>,
    /// Minutes with traffic that broke the objective.
    pub violation_minutes: u64,
    /// Instances times hours.
    pub instance_hours: f64,
    /// Instances in service.
    pub current: u32,
    pub desired: u32,
    /// Instances on their way.
    pub pending: u32,
}

impl World {
    /// The truth about every variant that runs or has a load. The first call computes capacities,
    /// about 20 ms for each service and speed.
    pub fn truth(&mut self) -> Vec<Truth> {
        let mut resources: Vec<String> = self.loads.keys().cloned().collect();
        for endpoint in self.endpoints.values() {
            for variant in &endpoint.variants {
                let resource = format!("endpoint/{}/variant/{}", endpoint.name, variant.name);
                if !self.loads.contains_key(&resource) {
                    resources.push(resource);
                }
            }
        }
        resources.sort();
        resources.into_iter().map(|resource| self.truth_of(resource)).collect()
    }

    fn truth_of(&mut self, resource: String) -> Truth {
        let now = self.now;
        let counts = self.variant(&resource).map(|v| (v.current(now), v.desired));
        let (current, desired) = counts.unwrap_or_default();
        let load = self.loads.get_mut(&resource);
        let history = load.map(Load::capacities).unwrap_or_default();
        let load = self.loads.get(&resource);
        Truth {
            capacity: history.last().map(|(_, capacity)| *capacity),
            capacity_over_time: history,
            violation_minutes: load.map_or(0, |l| l.violation_minutes),
            instance_hours: load.map_or(0.0, Load::instance_hours),
            current,
            desired,
            pending: desired.saturating_sub(current),
            resource,
        }
    }

    /// The truth about one variant.
    pub fn truth_about(&mut self, resource: &str) -> Truth {
        self.truth_of(resource.to_owned())
    }

    /// Violation minutes and instance-hours of a variant so far; no capacity is computed for them.
    pub fn cost_of(&self, resource: &str) -> (u64, f64) {
        let load = self.loads.get(resource);
        load.map_or((0, 0.0), |load| (load.violation_minutes, load.instance_hours()))
    }

    /// The speed of a variant at an instant, as a share of what its service says; the higher, the more
    /// capacity. Absent without a load.
    pub fn speed_at(&self, resource: &str, at: Timestamp) -> Option<f64> {
        self.loads.get(resource)?.speed_at(at).map(|(_, speed, _)| *speed)
    }

    /// The true capacity of one instance of a variant at an instant, which alone is computed, in invocations
    /// per minute; absent without a load.
    pub fn capacity_at(&mut self, resource: &str, at: Timestamp) -> Option<f64> {
        let load = self.loads.get_mut(resource)?;
        let (_, speed, service) = load.speed_at(at)?.clone();
        Some(load.capacity(&service, speed))
    }

    /// Everything, as JSON.
    pub fn state(&mut self) -> Value {
        let truth = self.truth();
        let calls: serde_json::Map<String, Value> = self
            .gate
            .calls
            .iter()
            .map(|(op, calls)| {
                let key = format!("{}/{}", op.service().as_str(), op.as_str());
                (key, json!(calls))
            })
            .collect();
        let variants: Vec<Value> = truth.iter().map(|t| self.variant_state(t)).collect();
        let alarms: Vec<Value> = self
            .alarms
            .values()
            .map(|a| {
                json!({
                    "name": a.name,
                    "state": super::alarms::state_word(a.state),
                    "since": a.since,
                    "threshold": a.threshold,
                    "actions_enabled": a.actions_enabled,
                })
            })
            .collect();
        json!({
            "now": self.now,
            "truth": truth,
            "variants": variants,
            "alarms": alarms,
            "calls": calls,
            "writes": self.gate.writes,
            "faults": self.faults,
            "events_left": self.events.iter().filter(|e| e.at > self.now).count(),
        })
    }

    fn variant_state(&self, truth: &Truth) -> Value {
        let name = truth.resource.split('/').nth(1).unwrap_or_default();
        let endpoint = self.endpoints.get(name);
        let target = self.targets.get(&truth.resource);
        let policies = target.map(|t| {
            t.policies
                .iter()
                .map(|(name, policy)| (name.clone(), json!(policy.tracking)))
                .collect::<serde_json::Map<_, _>>()
        });
        json!({
            "resource": truth.resource,
            "endpoint_status": endpoint.map(|e| e.status.as_str()),
            "endpoint_config": endpoint.map(|e| e.config.as_str()),
            "min_capacity": target.map(|t| t.min),
            "max_capacity": target.map(|t| t.max),
            "target_arn": target.and_then(|t| t.arn.as_deref()),
            "tags": target.map(|t| &t.tags),
            "policies": policies,
            "activities": target.map(|t| t.activities.len()),
        })
    }

    /// How often an operation was called, refused calls included.
    pub fn calls(&self, operation: crate::api::Operation) -> u64 {
        self.gate.calls.get(&operation).map_or(0, |calls| calls.count)
    }

    /// How many writes were tried.
    pub fn writes(&self) -> usize {
        self.gate.writes.len()
    }

    /// Moves on by some minutes.
    pub fn run_minutes(&mut self, minutes: i64) {
        self.run_until(self.now + TimeDelta::minutes(minutes));
    }
}

impl Load {
    fn instance_hours(&self) -> f64 {
        self.instance_minutes / 60.0
    }

    /// The speed that held at an instant, or the first one.
    fn speed_at(&self, at: Timestamp) -> Option<&(Timestamp, f64, Service)> {
        let held = self.speeds.iter().rev().find(|(since, ..)| *since <= at);
        held.or(self.speeds.first())
    }

    /// The true capacity over time.
    fn capacities(&mut self) -> Vec<(Timestamp, f64)> {
        let speeds = self.speeds.clone();
        let at = |(at, speed, service): &(Timestamp, f64, _)| (*at, self.capacity(service, *speed));
        let mut history: Vec<(Timestamp, f64)> = speeds.iter().map(at).collect();
        history.dedup_by(|b, a| (b.1 / a.1 - 1.0).abs() < 0.005);
        history
    }
}
