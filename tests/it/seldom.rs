//! Steady variants are read seldom, and a budget that runs short costs what matters least first.

use std::sync::Arc;

use serde_json::json;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::ids::Scope;
use setpoint::model::spending::Spending;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::model::time::Timestamp;
use setpoint::ports::Memory;
use setpoint::reconcile::Fleet;
use setpoint::sim::Sim;
use setpoint::sim::api::scaling as aas;

use crate::harness::{self, aws, of};

/// Metrics that one read of a variant requests: four, and the objective's percentile.
const METRICS: u64 = 5;

struct Passes {
    sim: Sim,
    fleet: Fleet,
    config: Config,
}

impl Passes {
    fn over(sim: &Sim, telemetry: &str) -> Self {
        let memory: Arc<dyn Memory> = Arc::new(ProcessMemory::default());
        let config = format!(
            "aws: {{region: us-east-1, account_id: '123456789012'}}\n\
             telemetry: {{history_days: 2, {telemetry}}}\n\
             discovery: {{telemetry: full}}\n\
             defaults: {{safety_factor: 0.5, floors: off, \
             objective: {{latency: {{statistic: p90, threshold_ms: 250}}}}}}\n\
             targets: [{{endpoint: scorer, variant: '*', load_test: {{max_rps: 30}}}}]\n"
        );
        let config = Config::from_yaml(&config).unwrap();
        Self { sim: sim.clone(), fleet: harness::fleet(sim, aws(sim), &memory), config }
    }

    async fn pass(&mut self) -> FleetStatus {
        harness::Pass { telemetry: true, ..harness::pass(&self.config) }.of(&mut self.fleet).await
    }

    /// A pass, and how many metrics it has requested.
    async fn counted(&mut self) -> (FleetStatus, u64) {
        let before = self.fleet.cost().metrics_requested();
        let status = self.pass().await;
        (status, self.fleet.cost().metrics_requested() - before)
    }
}

fn read_at(status: &VariantStatus) -> Timestamp {
    status.snapshot.telemetry.known().expect("telemetry").read_at
}

#[tokio::test]
async fn a_steady_variant_is_read_half_as_often_and_no_minute_is_lost() {
    let sim = harness::loaded(2, [("scorer", (400.0, 2200.0))]);
    let mut seldom = Passes::over(&sim, "steady_every_minutes: 30");
    let mut always = Passes::over(&sim, "steady_every_minutes: 0");
    let (mut near, mut far, mut compared) = (Vec::new(), Vec::new(), 0);
    for pass in 0..4 * 30 {
        sim.advance(15 * 60);
        let (status, metrics) = seldom.counted().await;
        let reference = always.pass().await;
        let (own, reference) = (of(&status, "scorer"), of(&reference, "scorer"));
        let (estimate, reference) =
            (&own.decision.report.estimate, &reference.decision.report.estimate);
        if own.snapshot.taken_at == read_at(own) {
            // Both have read everything now.
            assert_eq!(estimate.minutes, reference.minutes, "after pass {pass}");
            assert_eq!(estimate.capacity, reference.capacity, "after pass {pass}");
            compared += 1;
        }
        if pass == 0 {
            continue;
        }
        if own.snapshot.reads.steady { &mut far } else { &mut near }.push(metrics);
    }
    assert!(near.iter().all(|metrics| *metrics == METRICS), "{near:?}");
    assert!(near.len() > 20 && far.len() > 20, "{} {}", near.len(), far.len());
    // Every second pass.
    let read = far.iter().filter(|metrics| **metrics > 0).count();
    assert!((far.len() / 2 - 2..=far.len() / 2 + 3).contains(&read), "{read} of {}", far.len());
    assert!(compared > 80, "{compared}");
}

#[tokio::test]
async fn what_changes_is_looked_at_closely_again() {
    let sim = harness::loaded(2, [("scorer", (400.0, 800.0))]);
    let mut passes = Passes::over(&sim, "steady_every_minutes: 30");
    for _ in 0..4 * 5 {
        sim.advance(15 * 60);
        passes.pass().await;
    }
    let (first, second) = (passes_in(&mut passes).await, passes_in(&mut passes).await);
    assert_eq!(first + second, METRICS, "one of two");
    // Somebody edits the policy.
    let input = json!({
        "PolicyName": "by-hand", "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/scorer/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 600.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}});
    let mut input: aas::PutScalingPolicyInput = serde_json::from_value(input).unwrap();
    let resource = serde_json::from_value(json!({"ServiceNamespace": "sagemaker"})).unwrap();
    let policies = sim.describe_scaling_policies(&resource).unwrap();
    input.policy_name.clone_from(&policies.scaling_policies[0].policy_name);
    sim.put_scaling_policy(&input).unwrap();
    passes_in(&mut passes).await;
    for _ in 0..4 {
        assert_eq!(passes_in(&mut passes).await, METRICS);
    }
}

/// A quarter of an hour, a pass, and the metrics it has requested.
async fn passes_in(passes: &mut Passes) -> u64 {
    passes.sim.advance(15 * 60);
    passes.counted().await.1
}

#[tokio::test]
async fn a_budget_that_runs_short_takes_from_what_matters_least() {
    // On the 23rd a quarter of the month is left.
    let sim = harness::loaded(2, [("scorer", (400.0, 800.0)), ("unlisted", (400.0, 800.0))]);
    let mut passes = Passes::over(&sim, "steady_every_minutes: 30, budget_dollars_per_month: 1");
    for _ in 0..4 * 5 {
        sim.advance(15 * 60);
        passes.pass().await;
    }
    assert_eq!(passes_in(&mut passes).await + passes_in(&mut passes).await, 3 * METRICS);
    let spent = |share: f64| Spending {
        month: sim.now().format("%Y-%m").to_string(),
        metrics: [(key(&harness::scope()), (100_000.0 * share) as u64)].into(),
    };
    passes.fleet.cost().remember(&spent(0.80), sim.now());
    let two = passes_in(&mut passes).await + passes_in(&mut passes).await;
    assert_eq!(two, METRICS, "the unlisted one is left out");
    passes.fleet.cost().remember(&spent(0.90), sim.now());
    let mut hour = Vec::new();
    for _ in 0..8 {
        hour.push(passes_in(&mut passes).await);
    }
    assert_eq!(hour.iter().sum::<u64>(), 2 * METRICS, "once an hour: {hour:?}");
    passes.fleet.cost().remember(&spent(1.0), sim.now());
    let (status, metrics) = passes.counted().await;
    assert_eq!(metrics, 0);
    assert!(of(&status, "scorer").snapshot.telemetry.known().is_some(), "what is known stays");
}

fn key(scope: &Scope) -> String {
    format!("{}/{}", scope.account_id.as_str(), scope.region.as_str())
}
