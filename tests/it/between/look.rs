//! The second look: right before each write, and what is not written after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use setpoint::config::Config;
use setpoint::decide::Freeze;
use setpoint::memory::ProcessMemory;
use setpoint::model::decision::{Action, StepResult};
use setpoint::model::reason::Reason;
use setpoint::ports::Memory;
use setpoint::sim::Fault;
use setpoint::sim::api::Operation;

use super::stage::{Bend, Stage, of};
use crate::harness;

const RESOURCE: &str = "endpoint/a/variant/AllTraffic";

/// A variant whose max has drifted: to be registered.
async fn to_register(stage: &mut Stage) -> setpoint::model::Decision {
    stage.change(json!({"edit_target": {"variant": "a/AllTraffic", "max": 6}}));
    let decision = stage.decision("a").await;
    assert!(matches!(decision.plan.actions[..], [Action::RegisterTarget { .. }]));
    decision
}

/// A variant whose target value has drifted: to be put.
async fn to_put(stage: &mut Stage) -> setpoint::model::Decision {
    stage.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 700.0}}));
    let decision = stage.decision("a").await;
    assert!(matches!(decision.plan.actions[..], [Action::PutPolicy { .. }]));
    decision
}

/// A variant whose policy is gone: to be made.
async fn to_create(stage: &mut Stage) -> setpoint::model::Decision {
    stage.pass(true).await;
    stage.change(json!({"delete_policy": {"variant": "a/AllTraffic"}}));
    stage.sim.advance(3600);
    let decision = stage.decision("a").await;
    assert!(matches!(decision.plan.actions[..], [Action::PutPolicy { expected: None, .. }]));
    decision
}

fn put(stage: &Stage, name: &str, target_value: f64) {
    let input = json!({
        "PolicyName": name, "ServiceNamespace": "sagemaker", "ResourceId": RESOURCE,
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": target_value,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}},
    });
    stage.sim.put_scaling_policy(&serde_json::from_value(input).unwrap()).unwrap();
}

#[tokio::test]
async fn a_target_that_was_edited_since_is_not_registered_over() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_register(&mut stage).await;
    stage.change(json!({"edit_target": {"variant": "a/AllTraffic", "max": 5}}));
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
}

#[tokio::test]
async fn a_target_that_is_gone_since_is_not_made_again() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_register(&mut stage).await;
    stage.change(json!({"deregister": {"variant": "a/AllTraffic"}}));
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
}

#[tokio::test]
async fn scaling_that_was_suspended_since_is_not_registered_over() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_register(&mut stage).await;
    stage.change(json!({"edit_target": {"variant": "a/AllTraffic", "suspend_scale_in": true}}));
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
}

#[tokio::test]
async fn instances_that_came_since_are_not_pulled_into_other_bounds() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_register(&mut stage).await;
    let input = json!({"EndpointName": "a", "DesiredWeightsAndCapacities":
        [{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]});
    let input = serde_json::from_value(input).unwrap();
    stage.sim.update_endpoint_weights_and_capacities(&input).unwrap();
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
}

#[tokio::test]
async fn instances_that_cannot_be_counted_again_are_not_pulled() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_register(&mut stage).await;
    let because = "a role may lose a permission";
    let kind = setpoint::sim::FaultKind::Deny;
    stage.sim.inject(Fault::new(kind, &[Operation::DescribeEndpoint], because));
    stage.expect_skipped(&decision, Reason::Unknown).await;
}

#[tokio::test]
async fn without_leadership_nothing_is_sent() {
    let mut stage = Stage::of(&["a"]);
    let register = to_register(&mut stage).await;
    stage.leads.0.store(false, Ordering::Relaxed);
    stage.expect_skipped(&register, Reason::NotLeader).await;
    let mut stage = Stage::of(&["a"]);
    let put = to_put(&mut stage).await;
    stage.leads.0.store(false, Ordering::Relaxed);
    stage.expect_skipped(&put, Reason::NotLeader).await;
}

#[tokio::test]
async fn a_policy_that_was_edited_since_is_not_put_over() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_put(&mut stage).await;
    stage.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 650.0}}));
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
    assert_eq!(stage.target_value("a"), Some(650.0));
}

#[tokio::test]
async fn a_policy_that_somebody_made_since_gets_no_second_one_beside_it() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_create(&mut stage).await;
    put(&stage, "somebody-elses", 500.0);
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
}

#[tokio::test]
async fn the_very_write_that_was_about_to_be_made_is_a_sign_of_another_setpoint() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_put(&mut stage).await;
    stage.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 600.0}}));
    stage.expect_skipped(&decision, Reason::OtherSetpoint).await;
    let mut stage = Stage::of(&["a"]);
    let decision = to_register(&mut stage).await;
    stage.change(json!({"edit_target": {"variant": "a/AllTraffic", "max": 8}}));
    stage.expect_skipped(&decision, Reason::OtherSetpoint).await;
}

#[tokio::test]
async fn after_a_step_that_failed_the_next_is_not_made() {
    let mut stage = Stage::of(&["a"]);
    stage.change(json!({"edit_target": {"variant": "a/AllTraffic", "max": 6}}));
    let decision = {
        stage.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 700.0}}));
        stage.decision("a").await
    };
    assert_eq!(decision.plan.actions.len(), 2, "{:?}", decision.plan);
    let because = "a bucket is shared";
    let kind = setpoint::sim::FaultKind::Throttle;
    stage.sim.inject(Fault::new(kind, &[Operation::RegisterScalableTarget], because));
    let outcome = stage.act(&decision).await;
    let results: Vec<_> = outcome.steps.iter().map(|s| (s.result, s.reason)).collect();
    let expected = [
        (StepResult::Error, Some(Reason::WriteFailed)),
        (StepResult::Skipped, Some(Reason::WriteFailed)),
    ];
    assert_eq!(results, expected, "{outcome:?}");
    assert_eq!(stage.target_value("a"), Some(700.0), "the policy was put all the same");
}

#[tokio::test]
async fn the_rest_of_a_pass_keeps_off_a_throttled_bucket() {
    let mut stage = Stage::of(&["a", "b", "c"]);
    stage.pass(true).await;
    for name in ["a", "b", "c"] {
        let variant = format!("{name}/AllTraffic");
        stage.change(json!({"edit_policy": {"variant": variant, "target_value": 700.0}}));
    }
    let because = "a bucket is shared";
    let mut fault =
        Fault::new(setpoint::sim::FaultKind::Throttle, &[Operation::PutScalingPolicy], because);
    fault.max_hits = 1;
    stage.sim.inject(fault);
    let sent = || stage.sim.with_world(|world| world.calls(Operation::PutScalingPolicy));
    let before = sent();
    let fleet = stage.pass(true).await;
    let sent = stage.sim.with_world(|world| world.calls(Operation::PutScalingPolicy)) - before;
    assert_eq!(sent, 1, "the bucket was tried again in the same pass");
    for name in ["b", "c"] {
        let steps = &of(&fleet, name).outcome.as_ref().unwrap().steps;
        assert_eq!(steps[0].reason, Some(Reason::CallBudget), "{steps:?}");
    }
}

#[tokio::test]
async fn a_deploy_that_began_since_the_look_holds_the_write() {
    let mut stage = Stage::of(&["a"]);
    stage.pass(true).await;
    stage.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 700.0}}));
    // Described with the first pass and not due: the look before the write is the next one.
    stage.bend("a", Bend::Deploy);
    let fleet = stage.pass(true).await;
    let report = &of(&fleet, "a").decision.report;
    assert_eq!(report.reason, Reason::EndpointUpdating, "{report:?}");
    assert_eq!(stage.target_value("a"), Some(700.0));
}

#[tokio::test]
async fn a_config_that_came_into_force_since_the_look_puts_the_load_test_in_doubt() {
    let mut stage = Stage::of(&["a", "b"]);
    stage.pass(true).await;
    let config = super::stage::CONFIG.replace("max_rps: 20", "max_rps: 20, instance_type: TYPE");
    let fleet = stage.pass(false).await;
    let snapshot = &of(&fleet, "a").snapshot;
    let known = snapshot.endpoint_config.known().and_then(Option::as_ref).unwrap();
    let instance_type = known.variants[0].instance_type.clone().unwrap();
    let config = config.replace("TYPE", &instance_type);
    let config = setpoint::config::Config::from_yaml(&config).unwrap();
    for name in ["a", "b"] {
        let variant = format!("{name}/AllTraffic");
        stage.change(json!({"edit_policy": {"variant": variant, "target_value": 700.0}}));
    }
    // Described with the first pass and not due: the look before the write is the next one.
    stage.bend("a", Bend::Config("another"));
    let fleet = stage.pass_for(&config, true).await;
    assert_eq!(stage.target_value("a"), Some(700.0), "{:?}", of(&fleet, "a").decision.report);
    assert_eq!(stage.target_value("b"), Some(600.0), "{:?}", of(&fleet, "b").decision.report);
    let why = of(&fleet, "a").snapshot.endpoint_config.why().unwrap();
    assert_eq!(why.message, "another endpoint config came into force");
}

#[tokio::test]
async fn a_write_that_breaches_a_rail_is_not_sent() {
    let mut stage = Stage::of(&["a"]);
    stage.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 700.0}}));
    let mut decision = stage.decision("a").await;
    let Some(Action::PutPolicy { configuration, .. }) = decision.plan.actions.first_mut() else {
        panic!("{:?}", decision.plan);
    };
    // A bug of ours: it would change what nobody manages.
    configuration.scale_in_cooldown = Some(1);
    stage.expect_skipped(&decision, Reason::Rails).await;
}

/// A batch of writes takes a while, with their read-backs.
#[tokio::test]
async fn a_deploy_that_began_right_before_a_write_holds_it() {
    let mut stage = Stage::of(&["a"]);
    let decision = to_put(&mut stage).await;
    stage.bend("a", Bend::Deploy);
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
    let mut stage = Stage::of(&["a"]);
    let decision = to_register(&mut stage).await;
    stage.bend("a", Bend::Deploy);
    stage.expect_skipped(&decision, Reason::WorldChanged).await;
}

/// The window may open between any two looks of a pass.
#[tokio::test]
async fn a_freeze_that_opens_during_a_pass_holds_what_has_not_been_sent() {
    let mut looks = 0;
    loop {
        let mut stage = Stage::of(&["a"]);
        stage.change(json!({"edit_target": {"variant": "a/AllTraffic", "max": 6}}));
        let (writes, asked) = (stage.writes(), AtomicUsize::new(0));
        let freeze = |now| {
            let is_open = asked.fetch_add(1, Ordering::SeqCst) >= looks;
            let until = now + chrono::TimeDelta::hours(1);
            is_open.then_some(Freeze { until, allow_lowering: true })
        };
        let config = Config::from_yaml(super::stage::CONFIG).unwrap();
        let pass = harness::Pass { freeze: Some(&freeze), ..harness::pass(&config) };
        let fleet = pass.of(&mut stage.fleet).await;
        let status = of(&fleet, "a");
        if asked.load(Ordering::SeqCst) <= looks {
            assert_eq!(stage.writes(), writes + 1, "the window has not opened");
            break;
        }
        assert_eq!(stage.writes(), writes, "after {looks} looks: {:?}", status.outcome);
        let step = status.outcome.as_ref().map(|outcome| outcome.steps[0].reason);
        let reason = step.unwrap_or(Some(status.decision.report.reason));
        assert_eq!(reason, Some(Reason::Frozen), "after {looks} looks");
        looks += 1;
    }
    assert!(looks >= 3, "a decision, a second one and the write: {looks}");
}

/// Another process leads by then, and what it has kept is newer.
#[tokio::test]
async fn without_leadership_nothing_is_remembered() {
    let memory = Arc::new(ProcessMemory::default());
    let mut stage = Stage::with(&["a"], |aws| aws, Arc::clone(&memory) as _);
    stage.leads.0.store(false, Ordering::Relaxed);
    stage.pass(true).await;
    assert_eq!(memory.remembered().await.unwrap().len(), 0);
    stage.leads.0.store(true, Ordering::Relaxed);
    stage.pass(true).await;
    assert_eq!(memory.remembered().await.unwrap().len(), 1);
}
