//! A small fleet behind a server that speaks AWS's protocols, and a reconciler on the real SDK
//! clients. People's edits go over the wire too, past the recorder.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::decision::FieldState;
use setpoint::model::goal::Mode;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::ports::{Clock, Service};
use setpoint::reconcile::{CostMeter, Fleet};
use setpoint::sim::server::{Pace, Server};
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::{Alone, WallClock};

use crate::contract::moto::{self, call_json, connect};
use crate::contract::recorder::WireRecorder;
use crate::harness;

/// The endpoint that somebody meddles with.
pub(super) const VICTIM: &str = "victim";
const BYSTANDERS: [&str; 2] = ["bystander-a", "bystander-b"];
/// The name that the console and templates give a policy.
pub(super) const POLICY: &str = "SageMakerEndpointInvocationScalingPolicy";

const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
telemetry: {history_days: 1}
reconcile: {writes_per_variant: {hour: 100, day: 1000}}
defaults:
  mode: MODE
  adopt: true
  unsuspend: true
  removed_target_grace_seconds: 0
  removed_policy_grace_seconds: 0
  objective: {latency: {statistic: p99, threshold_ms: 250}}
targets:
  - endpoint: '*'
    variant: '*'
    load_test: {max_rps: 20}
    capacity: {min: 2, max: 8}
    cooldown: {scale_out_seconds: 60, scale_in_seconds: 300}
    disable_scale_in: false
";

/// What serves the wire.
enum Behind {
    Embedded { sim: Sim, _server: Server },
    Moto,
}

pub(super) struct Stage {
    behind: Behind,
    url: String,
    pub(super) recorder: WireRecorder,
    passes: Fleet,
    fleet: FleetStatus,
    runtime: Option<tokio::runtime::Runtime>,
}

/// Three variants with a steady load of 900 requests a minute on two instances each.
fn world() -> Sim {
    let endpoints: Vec<Value> = [VICTIM, BYSTANDERS[0], BYSTANDERS[1]]
        .iter()
        .map(|name| {
            json!({"name": name, "variants": [{
                "instances": 2,
                "target": {"min": 2, "max": 8, "policy": {
                    "target_value": 600.0, "scale_out_cooldown": 60, "scale_in_cooldown": 300}},
                "load": {
                    "service": {"family": {"worker_queue": {"workers": 4}}, "base_ms": 50.0, "saturation": 1900.0},
                    "objective": {"statistic": "p99", "threshold_ms": 250.0},
                    "traffic": [{"steady": {"rate": 900.0}}],
                },
            }]})
        })
        .collect();
    let scenario: Scenario = serde_json::from_value(json!({ "endpoints": endpoints })).unwrap();
    let sim = scenario.build().unwrap();
    sim.advance(30 * 60);
    sim
}

impl Stage {
    /// The embedded AWS, on loopback.
    pub(super) fn embedded() -> Self {
        Self::over(&world())
    }

    pub(super) fn over(sim: &Sim) -> Self {
        let runtime = runtime();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(Server::start(sim.clone(), listen, Pace::Step)).unwrap();
        let url = server.endpoint_url();
        let clock = Arc::new(SimClock::self_driven(sim.clone()));
        let behind = Behind::Embedded { sim: sim.clone(), _server: server };
        Self::new(behind, url, clock, runtime)
    }

    /// moto, with the same three variants.
    pub(super) fn moto(server: &moto::Server) -> Self {
        let url = server.url().to_owned();
        ureq::post(format!("{url}/moto-api/reset")).send_empty().unwrap();
        let stage = Self::new(Behind::Moto, url, Arc::new(WallClock), runtime());
        for name in [VICTIM, BYSTANDERS[0], BYSTANDERS[1]] {
            stage.sagemaker("CreateModel", &json!({
                "ModelName": format!("{name}-model"),
                "PrimaryContainer": {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/m:1"},
                "ExecutionRoleArn": "arn:aws:iam::123456789012:role/r",
            }));
            stage.sagemaker("CreateEndpointConfig", &json!({
                "EndpointConfigName": format!("{name}-config"),
                "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": format!("{name}-model"),
                    "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 2, "InitialVariantWeight": 1.0}],
            }));
            stage.sagemaker(
                "CreateEndpoint",
                &json!({
                "EndpointName": name, "EndpointConfigName": format!("{name}-config")}),
            );
            stage.scaling_of(
                name,
                "RegisterScalableTarget",
                &json!({"MinCapacity": 2, "MaxCapacity": 8}),
            );
            stage.scaling_of(name, "PutScalingPolicy", &policy(POLICY, &json!({})));
        }
        stage
    }

    fn new(
        behind: Behind,
        url: String,
        clock: Arc<dyn Clock>,
        runtime: tokio::runtime::Runtime,
    ) -> Self {
        let recorder = WireRecorder::before(&url);
        let aws = connect(&recorder.url());
        let memory = Arc::new(ProcessMemory::default());
        let cost = CostMeter::default();
        let passes = Fleet::new(vec![aws], clock, Arc::new(Alone), memory, cost);
        let (fleet, runtime) = (FleetStatus::default(), Some(runtime));
        Self { behind, url, recorder, passes, fleet, runtime }
    }

    /// The runtime that the stage was made with; it keeps its server alive.
    pub(super) fn runtime(&mut self) -> tokio::runtime::Runtime {
        self.runtime.take().unwrap()
    }

    /// Everything is in sync, and setpoint has seen it.
    pub(super) async fn settle(&mut self) {
        self.pass(Mode::Repair, true).await;
        for name in [VICTIM, BYSTANDERS[0], BYSTANDERS[1]] {
            let left = self.differing(name);
            assert!(left.is_empty(), "{name} does not begin in sync: {}", self.told(name));
        }
    }

    pub(super) async fn pass(&mut self, mode: Mode, telemetry: bool) {
        let telemetry = telemetry && matches!(self.behind, Behind::Embedded { .. });
        let config = Config::from_yaml(&CONFIG.replace("MODE", mode.as_str())).unwrap();
        let pass = harness::Pass { telemetry, ..harness::pass(&config) };
        self.fleet = pass.of(&mut self.passes).await;
    }

    pub(super) fn status(&self, endpoint: &str) -> &VariantStatus {
        let found = self.fleet.variants.iter().find(|(id, _)| id.endpoint.as_str() == endpoint);
        found.unwrap_or_else(|| panic!("{endpoint} is not there")).1
    }

    /// The fields that differ, with the reason of each.
    pub(super) fn differing(&self, endpoint: &str) -> Vec<Field> {
        let fields = self.status(endpoint).decision.report.fields.iter();
        fields.filter(|field| field.state.differs()).map(|field| field.field).collect()
    }

    /// What is unknown is not in sync. (moto has no alarms to compare.)
    pub(super) fn assert_compared(&self, case: &str) {
        let embedded = matches!(self.behind, Behind::Embedded { .. });
        for field in &self.status(VICTIM).decision.report.fields {
            let known = field.state != FieldState::Unknown;
            assert!(
                known || (!embedded && field.field == Field::Alarms),
                "{case}: {}",
                self.told(VICTIM)
            );
        }
    }

    /// What else holds.
    pub(super) fn conditions(&self, endpoint: &str) -> Vec<Reason> {
        self.status(endpoint).decision.report.notes.iter().map(|note| note.reason).collect()
    }

    pub(super) fn told(&self, endpoint: &str) -> String {
        setpoint::render::explain::explain(self.status(endpoint))
    }

    pub(super) fn assert_bystanders_in_sync(&self, case: &str) {
        for name in BYSTANDERS {
            assert!(self.differing(name).is_empty(), "{case}: {}", self.told(name));
        }
    }

    /// The operations other than reads that setpoint has sent since.
    pub(super) fn writes_since(&self, begun: usize) -> Vec<String> {
        let operations = self.recorder.operations().split_off(begun);
        operations
            .into_iter()
            .filter(|operation| {
                !["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb))
            })
            .collect()
    }

    /// By the world's own log of writes, which holds people's edits too.
    pub(super) fn assert_only_the_victim_was_written(&self, case: &str) {
        let Behind::Embedded { sim, .. } = &self.behind else { return };
        let log = sim.state()["writes"].as_array().cloned().unwrap_or_default();
        for write in log {
            let text = write["input"].to_string();
            assert!(!text.contains("bystander"), "{case}: {write}");
        }
    }

    pub(super) fn advance_minutes(&self, minutes: u32) {
        if let Behind::Embedded { sim, .. } = &self.behind {
            sim.run_until(sim.now() + TimeDelta::minutes(i64::from(minutes)));
        }
    }

    pub(super) fn advance_hours(&self, hours: u32) {
        self.advance_minutes(hours * 60);
    }

    /// A call of somebody else, which must succeed.
    fn call(&self, service: Service, operation: &str, input: &Value) -> Value {
        call_json(&self.url, service, operation, input)
            .unwrap_or_else(|code| panic!("{operation} {input}: {code}"))
    }

    pub(super) fn sagemaker(&self, operation: &str, input: &Value) -> Value {
        self.call(Service::SageMaker, operation, input)
    }

    /// A call of Application Auto Scaling about the victim.
    pub(super) fn scaling(&self, operation: &str, input: &Value) {
        self.scaling_of(VICTIM, operation, input);
    }

    fn scaling_of(&self, endpoint: &str, operation: &str, input: &Value) {
        let mut whole = json!({
            "ServiceNamespace": "sagemaker",
            "ResourceId": format!("endpoint/{endpoint}/variant/AllTraffic"),
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        });
        for (key, value) in input.as_object().unwrap() {
            whole[key] = value.clone();
        }
        self.call(Service::ApplicationAutoScaling, operation, &whole);
    }

    /// A call of CloudWatch about one of the victim's alarms, in the JSON protocol of boto3.
    pub(super) fn alarm(&self, operation: &str, side: &str, input: &Value) {
        let Behind::Embedded { sim, .. } = &self.behind else { panic!("moto has no alarms") };
        let alarms = sim.state()["alarms"].as_array().cloned().unwrap_or_default();
        let names = alarms.iter().filter_map(|alarm| alarm["name"].as_str());
        let of = format!("endpoint/{VICTIM}/variant/AllTraffic-Alarm{side}-");
        let name = names.into_iter().find(|name| name.contains(&of)).unwrap().to_owned();
        let mut whole = input.clone();
        if operation == "PutMetricAlarm" {
            whole["AlarmName"] = json!(name);
        } else {
            whole["AlarmNames"] = json!([name]);
        }
        let target = format!("GraniteServiceVersion20100801.{operation}");
        let answer = crate::wire::support::json_call(&self.url, &target, &whole);
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    }
}

/// A target-tracking policy as it is wanted, but for `change`.
pub(super) fn policy(name: &str, change: &Value) -> Value {
    let mut tracking = json!({
        "TargetValue": 600.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "ScaleOutCooldown": 60,
        "ScaleInCooldown": 300,
    });
    for (key, value) in change.as_object().unwrap() {
        tracking[key] = value.clone();
    }
    json!({
        "PolicyName": name,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
