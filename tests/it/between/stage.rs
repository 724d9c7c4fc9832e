//! Variants of the embedded AWS, a plan for them, and somebody who acts before it is carried out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use setpoint::act::{Writer, act};
use setpoint::config::Config;
use setpoint::decide::Rules;
use setpoint::decide::consent::Confirmed;
use setpoint::decide::rails::Before;
use setpoint::memory::ProcessMemory;
use setpoint::model::consent::Consent;
use setpoint::model::decision::{Decision, Outcome, StepResult};
use setpoint::model::endpoint::{Endpoint, EndpointConfig, EndpointSummary, Model};
use setpoint::model::ids::EndpointName;
use setpoint::model::listing::Listing;
use setpoint::model::reason::Reason;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::model::tags::EndpointTags;
use setpoint::ports::{
    Aws, Endpoints, ErrorKind, Leadership, Memory, PortError, PortResult, Service,
};
use setpoint::reconcile::{CostMeter, Fleet, Goals, Purpose};
use setpoint::sim::{Scenario, Sim, SimClock};

use crate::harness;

/// All variants at 600 within 1 to 8 instances, adopted. What vanishes comes back at once: the time
/// that it is left alone has tests of its own.
pub(super) const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
defaults: {mode: repair, adopt: true, removed_target_grace_seconds: 0, removed_policy_grace_seconds: 0}
targets: [{endpoint: '*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 8}}]
";

/// Leads until told otherwise.
pub(super) struct Switch(pub(super) AtomicBool);

impl Leadership for Switch {
    fn may_write(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What becomes of the answers about an endpoint.
#[derive(Clone)]
pub(super) enum Bend {
    /// A deploy has begun.
    Deploy,
    /// Another config is in force, settled: a deploy that has ended.
    Config(&'static str),
    /// AWS refuses to describe it.
    Deny,
    /// It never answers.
    Hang,
    /// The process breaks on it.
    Panic,
}

/// How long SageMaker takes, and what it was asked.
#[derive(Default)]
pub(super) struct Pace {
    /// Milliseconds of a listing.
    pub(super) listing: AtomicU64,
    /// Milliseconds of each description.
    pub(super) describing: AtomicU64,
    /// How often each endpoint was described.
    pub(super) described: Mutex<BTreeMap<String, u32>>,
}

/// Waits for so many milliseconds.
pub(super) async fn pass_time(milliseconds: &AtomicU64) {
    let milliseconds = milliseconds.load(Ordering::SeqCst);
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// SageMaker, bent.
struct Bent {
    truth: Arc<dyn Endpoints>,
    bends: Arc<Mutex<BTreeMap<String, Bend>>>,
    pace: Arc<Pace>,
}

#[async_trait]
impl Endpoints for Bent {
    async fn list_endpoints(&self) -> PortResult<Listing<EndpointSummary>> {
        pass_time(&self.pace.listing).await;
        self.truth.list_endpoints().await
    }

    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>> {
        pass_time(&self.pace.describing).await;
        *self.pace.described.lock().unwrap().entry(name.as_str().to_owned()).or_default() += 1;
        let bend = self.bends.lock().unwrap().get(name.as_str()).cloned();
        let mut endpoint = self.truth.endpoint(name).await?;
        match bend {
            None => {}
            Some(Bend::Deploy) => endpoint.as_mut().unwrap().deploy_in_progress = true,
            Some(Bend::Config(other)) => {
                other.clone_into(&mut endpoint.as_mut().unwrap().config_name);
            }
            Some(Bend::Deny) => {
                return Err(PortError {
                    kind: ErrorKind::Denied,
                    service: Service::SageMaker,
                    operation: "DescribeEndpoint",
                    code: Some("AccessDeniedException".to_owned()),
                    message: "not allowed".to_owned(),
                });
            }
            Some(Bend::Hang) => std::future::pending().await,
            Some(Bend::Panic) => panic!("a bug of ours in {name}"),
        }
        Ok(endpoint)
    }

    async fn endpoint_config(&self, name: &str) -> PortResult<Option<EndpointConfig>> {
        self.truth.endpoint_config(name).await
    }

    async fn model(&self, name: &str) -> PortResult<Option<Model>> {
        self.truth.model(name).await
    }

    async fn endpoint_tags(&self) -> PortResult<EndpointTags> {
        self.truth.endpoint_tags().await
    }
}

pub(super) struct Stage {
    pub(super) sim: Sim,
    pub(super) aws: Aws,
    pub(super) bends: Arc<Mutex<BTreeMap<String, Bend>>>,
    pub(super) pace: Arc<Pace>,
    pub(super) leads: Arc<Switch>,
    pub(super) fleet: Fleet,
    /// What the last decision was taken on.
    decided: Option<VariantStatus>,
}

impl Stage {
    /// Endpoints of these names with two instances, their policies at 600.
    pub(super) fn of(names: &[&str]) -> Self {
        Self::with(names, |aws| aws, Arc::new(ProcessMemory::default()))
    }

    pub(super) fn with(
        names: &[&str],
        wrap: impl FnOnce(Aws) -> Aws,
        memory: Arc<dyn Memory>,
    ) -> Self {
        let endpoints: String =
            names.iter().map(|name| crate::daemon::process::endpoint(name, 600.0)).collect();
        let text = format!("endpoints:\n{endpoints}");
        let sim = Scenario::parse(&text, "the world").unwrap().build().unwrap();
        sim.advance(3600);
        let scope = crate::harness::scope();
        let (bends, pace) = (Arc::default(), Arc::<Pace>::default());
        let mut aws = setpoint::sim::aws(&sim, scope);
        let (truth, own) = (aws.endpoints, (Arc::clone(&bends), Arc::clone(&pace)));
        aws.endpoints = Arc::new(Bent { truth, bends: own.0, pace: own.1 });
        let aws = wrap(aws);
        let leads = Arc::new(Switch(AtomicBool::new(true)));
        let clock = Arc::new(SimClock::self_driven(sim.clone()));
        let leadership = Arc::clone(&leads) as _;
        let fleet = Fleet::new(vec![aws.clone()], clock, leadership, memory, CostMeter::default());
        Self { sim, aws, bends, pace, leads, fleet, decided: None }
    }

    pub(super) fn bend(&self, endpoint: &str, bend: Bend) {
        self.bends.lock().unwrap().insert(endpoint.to_owned(), bend);
    }

    /// What people do, as scenarios spell it.
    pub(super) fn change(&self, change: serde_json::Value) {
        let change = serde_json::from_value(change).unwrap();
        self.sim.with_world(|world| world.change(&change)).unwrap();
    }

    /// One pass; it writes unless it only plans.
    pub(super) async fn pass(&mut self, writes: bool) -> FleetStatus {
        let config = Config::from_yaml(CONFIG).unwrap();
        self.pass_for(&config, writes).await
    }

    pub(super) async fn pass_for(&mut self, goals: &dyn Goals, writes: bool) -> FleetStatus {
        let config = Config::from_yaml(CONFIG).unwrap();
        let consent = Consent::default();
        let purpose = if writes { Purpose::Reconcile(&consent) } else { Purpose::Plan };
        harness::Pass { goals, purpose, ..harness::pass(&config) }.of(&mut self.fleet).await
    }

    /// What would be written now of the only variant of an endpoint.
    pub(super) async fn decision(&mut self, endpoint: &str) -> Decision {
        let fleet = self.pass(false).await;
        let status = of(&fleet, endpoint).clone();
        let decision = status.decision.clone();
        assert!(!decision.plan.is_empty(), "{:#?}", decision.report);
        self.decided = Some(status);
        decision
    }

    /// Carries a plan out as it was decided on, whatever has happened since.
    pub(super) async fn act(&self, decision: &Decision) -> Outcome {
        let clock = SimClock::self_driven(self.sim.clone());
        let writer = Writer { aws: &self.aws, clock: &clock, leadership: &*self.leads };
        let status = self.decided.as_ref().expect("a decision");
        let rules = Rules {
            since: None,
            may_probe: false,
            account_id: Some(status.snapshot.id.account_id.clone()),
            enabled: true,
            freeze: None,
            telemetry_max_age: chrono::TimeDelta::minutes(45),
            writes_per_hour: 6,
            writes_per_day: 24,
            confirmed: Confirmed::Nothing,
        };
        let before = Before {
            snapshot: &status.snapshot,
            goal: &status.goal,
            estimate: &decision.report.estimate,
            rules: &rules,
            now: decision.at,
        };
        act(&writer, decision, &before).await
    }

    /// Carries a plan out and expects that nothing is written for this reason.
    pub(super) async fn expect_skipped(&self, decision: &Decision, reason: Reason) {
        let before = self.writes();
        let outcome = self.act(decision).await;
        let step = outcome.steps.first().expect("a step");
        assert_eq!((step.result, step.reason), (StepResult::Skipped, Some(reason)), "{step:?}");
        assert_eq!(self.writes(), before, "{step:?}");
    }

    /// How many writes the world has seen, those of people over the wire included.
    pub(super) fn writes(&self) -> usize {
        self.sim.with_world(|world| world.writes())
    }

    /// The target value in force.
    pub(super) fn target_value(&self, endpoint: &str) -> Option<f64> {
        let resource = format!("endpoint/{endpoint}/variant/AllTraffic");
        let variants = self.sim.state()["variants"].as_array().cloned().unwrap_or_default();
        let variant = variants.into_iter().find(|v| v["resource"] == resource.as_str())?;
        let policies = variant["policies"].as_object().cloned().unwrap_or_default();
        policies.values().find_map(|policy| policy["TargetValue"].as_f64())
    }
}

pub(super) fn of<'f>(fleet: &'f FleetStatus, endpoint: &str) -> &'f VariantStatus {
    let found = fleet.variants.iter().find(|(id, _)| id.endpoint.as_str() == endpoint);
    found.unwrap_or_else(|| panic!("{endpoint} is not told of")).1
}
