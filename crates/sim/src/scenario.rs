//! Scenarios: a world and what happens to it, as a YAML file or made in code.

mod start;

use std::path::Path;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::api::{Sim, sagemaker as sm, scaling as aas};
use super::fault::Fault;
use super::traffic::Part;
use super::world::{LoadSpec, World};
use setpoint_core::model::ids::{AccountId, Region};
use setpoint_core::model::scaling::{CONVENTIONAL_POLICY_NAME, INVOCATIONS_PER_INSTANCE};
use setpoint_core::model::time::Timestamp;

pub use self::start::Start;

/// The world of `setpoint demo`.
const DEMO: &str = include_str!("demo.yaml");

/// A world and what happens to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The account, the region and how AWS behaves there.
    #[serde(default)]
    pub world: Settings,
    /// Days of history before the scenario begins.
    #[serde(default)]
    pub history_days: u32,
    /// The endpoints that exist from the start.
    #[serde(default)]
    pub endpoints: Vec<EndpointSpec>,
    /// What happens after the history.
    #[serde(default)]
    pub events: Vec<ScriptEvent>,
}

/// The account, the region and how AWS behaves there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The seed of all randomness.
    pub seed: u64,
    /// When the scenario begins, after its history; if absent, when it is served.
    pub start: Option<Start>,
    /// The hour (0 to 24) that it is in traffic's day when the scenario begins; UTC's if absent.
    pub hour_at_start: Option<f64>,
    pub account_id: AccountId,
    pub region: Region,
    /// How long an instance takes to start.
    pub startup_seconds: u32,
    /// How long a scale-in takes.
    pub scale_in_seconds: u32,
    /// How long a blue/green deploy takes.
    pub deploy_seconds: u32,
    /// How long an endpoint takes to be made.
    pub create_seconds: u32,
    /// How long an endpoint takes to go.
    pub delete_seconds: u32,
    /// How long a minute takes to show whole in CloudWatch.
    pub metric_delay_seconds: u32,
    /// Whether an endpoint without traffic publishes zeros, or nothing.
    pub zero_emission: bool,
    /// Whether putting a policy again mends its alarms, which AWS does not document.
    pub put_mends_alarms: bool,
    /// Instances that the account may run, over all endpoints; any number when absent.
    pub instance_quota: Option<u32>,
    /// Throttling; none by default.
    pub throttle: Throttle,
    /// How the account is reached by a role; by default any keys do.
    pub role: Option<RoleTrust>,
}

impl Default for Settings {
    #[expect(clippy::expect_used, reason = "the literals are valid, and a test makes them")]
    fn default() -> Self {
        Self {
            seed: 1,
            start: None,
            hour_at_start: None,
            account_id: AccountId::new("123456789012").expect("12 digits"),
            region: Region::new("us-east-1").expect("a region"),
            startup_seconds: 240,
            scale_in_seconds: 60,
            deploy_seconds: 600,
            create_seconds: 300,
            delete_seconds: 60,
            metric_delay_seconds: 120,
            zero_emission: false,
            put_mends_alarms: true,
            instance_quota: None,
            throttle: Throttle::default(),
            role: None,
        }
    }
}

/// An account whose operations are served to sessions of a role only, as a hub finds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleTrust {
    /// The external id that `AssumeRole` must give; any or none when absent.
    pub external_id: Option<String>,
    /// How long a session lasts, whatever was asked for: AWS's shortest is 900.
    pub session_seconds: Option<u32>,
}

/// Token buckets of the services, in calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Application Auto Scaling: one bucket for all operations.
    pub application_autoscaling: Option<RateLimit>,
    pub cloudwatch: Option<RateLimit>,
    pub sagemaker: Option<RateLimit>,
    pub sts: Option<RateLimit>,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Tokens that come back each (virtual) second.
    pub per_second: f64,
    /// Tokens at most.
    pub burst: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    pub name: String,
    /// Its tags; none by default.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub tags: std::collections::BTreeMap<String, String>,
    pub variants: Vec<VariantSpec>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantSpec {
    #[serde(default = "all_traffic")]
    pub name: String,
    #[serde(default = "default_instance_type")]
    pub instance_type: String,
    #[serde(default = "default_instances")]
    pub instances: u32,
    /// Its scalable target; not registered if absent.
    #[serde(default)]
    pub target: Option<TargetSpec>,
    /// What serves and what comes; no telemetry if absent.
    #[serde(default)]
    pub load: Option<LoadSpec>,
}

fn all_traffic() -> String {
    "AllTraffic".to_owned()
}

fn default_instance_type() -> String {
    "ml.c5.xlarge".to_owned()
}

fn default_instances() -> u32 {
    2
}

impl VariantSpec {
    pub(super) fn production_variant(&self, model: &str) -> sm::ProductionVariant {
        sm::ProductionVariant {
            variant_name: self.name.clone(),
            model_name: Some(model.to_owned()),
            initial_instance_count: Some(self.instances.cast_signed()),
            instance_type: Some(self.instance_type.clone()),
            initial_variant_weight: Some(1.0),
            ..Default::default()
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// Fewest instances.
    pub min: i32,
    pub max: i32,
    /// Whether it was registered before scalable targets had ARNs: it has none, and no tags.
    #[serde(default)]
    pub without_arn: bool,
    #[serde(default)]
    pub policy: Option<PolicySpec>,
}

/// A policy that tracks invocations per instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    #[serde(default = "policy_name")]
    pub name: String,
    /// Invocations per minute per instance.
    pub target_value: f64,
    /// Seconds.
    #[serde(default)]
    pub scale_out_cooldown: Option<i32>,
    /// Seconds.
    #[serde(default)]
    pub scale_in_cooldown: Option<i32>,
    /// Whether it never removes instances.
    #[serde(default)]
    pub disable_scale_in: Option<bool>,
}

fn policy_name() -> String {
    CONVENTIONAL_POLICY_NAME.to_owned()
}

impl PolicySpec {
    pub(super) fn tracking(&self) -> aas::TargetTrackingConfiguration {
        aas::TargetTrackingConfiguration {
            target_value: self.target_value,
            predefined_metric_specification: Some(aas::PredefinedMetricSpecification {
                predefined_metric_type: INVOCATIONS_PER_INSTANCE.to_owned(),
                resource_label: None,
            }),
            customized_metric_specification: None,
            scale_out_cooldown: self.scale_out_cooldown,
            scale_in_cooldown: self.scale_in_cooldown,
            disable_scale_in: self.disable_scale_in,
        }
    }
}

/// A change so many minutes after the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptEvent {
    /// Minutes since the scenario began.
    pub minute: f64,
    /// What happens.
    pub change: Change,
}

/// A change at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub at: Timestamp,
    /// What.
    pub change: Change,
}

/// What people, pipelines and bad luck do. A `variant` is `ENDPOINT/VARIANT`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A person edits the policy.
    EditPolicy {
        /// Whose.
        variant: String,
        #[serde(default)]
        target_value: Option<f64>,
        /// The new cooldown, in seconds.
        #[serde(default)]
        scale_in_cooldown: Option<i32>,
        /// Whether scale-in is off.
        #[serde(default)]
        disable_scale_in: Option<bool>,
    },
    /// A person deletes the policy.
    DeletePolicy {
        /// Whose.
        variant: String,
    },
    /// A person edits the scalable target.
    EditTarget {
        /// Whose.
        variant: String,
        #[serde(default)]
        min: Option<i32>,
        #[serde(default)]
        max: Option<i32>,
        /// Suspends or resumes scale-in.
        #[serde(default)]
        suspend_scale_in: Option<bool>,
        /// Suspends or resumes scale-out.
        #[serde(default)]
        suspend_scale_out: Option<bool>,
    },
    /// A person deregisters the scalable target.
    Deregister {
        /// Whose.
        variant: String,
    },
    /// A pipeline deploys a new model.
    Deploy {
        /// Where.
        endpoint: String,
        /// How fast the new model is, relative to the old one.
        capacity_factor: f64,
        /// Another instance type (refused for a registered variant, as by AWS).
        #[serde(default)]
        instance_type: Option<String>,
        /// `RetainAllVariantProperties`.
        #[serde(default)]
        retain: bool,
    },
    /// A pipeline deletes the endpoint and makes it again.
    Recreate {
        /// Which.
        endpoint: String,
    },
    /// The traffic becomes another.
    Traffic {
        /// Whose.
        variant: String,
        /// The new traffic.
        parts: Vec<Part>,
    },
    /// Requests become heavier or lighter, undeclared.
    CapacityStep {
        /// Whose.
        variant: String,
        /// What speed and capacity are multiplied with.
        factor: f64,
    },
    /// Latency rises for a while for another cause than load.
    Incident {
        /// Whose.
        variant: String,
        latency_factor: f64,
        /// For how long.
        minutes: u32,
    },
    /// Something goes wrong.
    Fault(Fault),
}

/// A scenario that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scenario {origin}: {message}")]
pub struct ScenarioError {
    origin: String,
    message: String,
}

impl Scenario {
    /// Reads a scenario from YAML; `origin` names it in errors.
    ///
    /// # Errors
    /// When it is no YAML, holds an unknown key, lacks one, or a value is of the wrong kind.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ScenarioError> {
        let error = |message: String| ScenarioError { origin: origin.to_owned(), message };
        // Bounded in depth and in what aliases stand for, by the parser's defaults.
        let options = serde_saphyr::options! { with_snippet: false };
        let value: serde_json::Value =
            serde_saphyr::from_str_with_options(text, options).map_err(|e| error(e.to_string()))?;
        let scenario: Self = serde_json::from_value(value).map_err(|e| error(e.to_string()))?;
        if let Some(hour) = scenario.world.hour_at_start.filter(|h| !(0.0..=24.0).contains(h)) {
            return Err(error(format!("hour_at_start: found {hour} (allowed: 0 to 24)")));
        }
        for event in &scenario.events {
            if !(event.minute.is_finite() && event.minute >= 0.0) {
                let found = event.minute;
                return Err(error(format!("events: minute: found {found} (allowed: at least 0)")));
            }
            if let Change::Fault(fault) = &event.change {
                fault.check().map_err(|e| error(e.to_string()))?;
            }
        }
        Ok(scenario)
    }

    /// Reads a scenario file and the recordings it replays.
    ///
    /// # Errors
    /// As [`Scenario::parse`], and when a file cannot be read.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let origin = path.display().to_string();
        let error = |message: String| ScenarioError { origin: origin.clone(), message };
        let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        let mut scenario = Self::parse(&text, &origin)?;
        let base = path.parent().unwrap_or_else(|| Path::new("."));
        let loads = scenario.endpoints.iter_mut().flat_map(|e| &mut e.variants);
        let parts = loads.filter_map(|v| v.load.as_mut()).flat_map(|load| &mut load.traffic);
        let events = scenario.events.iter_mut().flat_map(|event| match &mut event.change {
            Change::Traffic { parts, .. } => parts.iter_mut(),
            _ => [].iter_mut(),
        });
        for part in parts.chain(events) {
            part.load(base).map_err(|e| error(e.to_string()))?;
        }
        Ok(scenario)
    }

    /// The world of `setpoint demo`.
    ///
    /// # Errors
    /// Never, unless the embedded file is broken; a test reads it.
    pub fn demo() -> Result<Self, ScenarioError> {
        Self::parse(DEMO, "demo.yaml")
    }

    /// A fleet of `n` variants without telemetry, each on an endpoint of its own with a scalable
    /// target and a policy: for call arithmetic.
    pub fn fleet(n: usize) -> Self {
        let endpoint = |i: usize| EndpointSpec {
            tags: std::collections::BTreeMap::new(),
            name: format!("endpoint-{i:05}"),
            variants: vec![VariantSpec {
                name: all_traffic(),
                instance_type: default_instance_type(),
                instances: 2,
                target: Some(TargetSpec {
                    min: 1,
                    max: 20,
                    without_arn: false,
                    policy: Some(PolicySpec {
                        name: policy_name(),
                        target_value: 600.0,
                        scale_out_cooldown: None,
                        scale_in_cooldown: None,
                        disable_scale_in: None,
                    }),
                }),
                load: None,
            }],
        };
        Self {
            world: Settings::default(),
            history_days: 0,
            endpoints: (0..n).map(endpoint).collect(),
            events: Vec::new(),
        }
    }

    /// Builds the world and generates its history: it stands at `world.start`.
    ///
    /// # Errors
    /// When AWS would refuse an endpoint or policy of the scenario, or it begins now and
    /// [`Scenario::begin_at`] has not said when that is.
    pub fn build(&self) -> Result<Sim, ScenarioError> {
        let begin = self.begins()?;
        let mut shifted = self.clone();
        shifted.shift_hours(begin);
        let created = begin - TimeDelta::days(i64::from(self.history_days));
        let mut world = World::new(self.world.clone(), created);
        for endpoint in &shifted.endpoints {
            world.add_endpoint(endpoint).map_err(|e| ScenarioError {
                origin: format!("endpoint {}", endpoint.name),
                message: e.to_string(),
            })?;
        }
        for event in &shifted.events {
            let after = TimeDelta::milliseconds((event.minute * 60_000.0) as i64);
            world.plan(Event { at: begin + after, change: event.change.clone() });
        }
        world.run_until(begin);
        Ok(Sim::new(world))
    }
}
