//! Rule 11a: in the first hour of a regime `auto` does not follow the estimate, and repairs drift.

use chrono::TimeDelta;
use setpoint::decide::new_regime::{AFTER_DEPLOY, ends_at};
use setpoint::estimate::{Context, Estimator, EstimatorSettings, Fingerprint, Scratch};
use setpoint::model::estimate::{Capacity, Estimate, Regime, Verdict};
use setpoint::model::goal::Mode;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::series::Minute;

use super::world::{World, assert_held, now, written};

/// `auto`, 600 held; the estimate of a regime that began so long ago says 480.
fn auto(minutes: i64, declared: bool) -> World {
    let mut world = World::healthy();
    world.goal.mode = Mode::Auto;
    world.goal.load_test = None;
    world.hold(600.0);
    let happened_at = now() - TimeDelta::minutes(minutes);
    // The minutes right after a deploy are of no regime.
    let started_at = if declared { happened_at + AFTER_DEPLOY } else { happened_at };
    let capacity = Capacity { q25: Some(960.0), ..Capacity::default() };
    world.estimate = Estimate {
        verdict: Verdict::Inferred,
        capacity,
        regime: Some(Regime { started_at, declared, first: false, speed_ratio: None }),
        ..Estimate::unobserved("")
    };
    world
}

#[test]
fn after_a_deploy_the_estimate_is_followed_by_the_first_pass_after_an_hour() {
    let decision = auto(59, true).decide();
    assert_held(&decision, Field::TargetValue, Reason::NewRegime);
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::minutes(1)));
    assert_eq!(written(&auto(60, true).decide()), Some(480.0));
    // `repair` follows no estimate.
    let mut world = auto(5, true);
    world.goal.mode = Mode::Repair;
    let fields = &world.decide().report.fields;
    assert!(fields.iter().all(|f| !f.state.differs()), "{fields:?}");
}

#[test]
fn an_undeclared_change_counts_from_its_discovery() {
    // It happened four hours ago, and this pass is the first to hear of it.
    let mut world = auto(240, false);
    assert_held(&world.pass(), Field::TargetValue, Reason::NewRegime);
    world.wait(59);
    assert_held(&world.pass(), Field::TargetValue, Reason::NewRegime);
    world.wait(1);
    assert_eq!(written(&world.decide()), Some(480.0));
    // The next one begins its own hour.
    world.estimate.regime.as_mut().unwrap().started_at += TimeDelta::hours(2);
    assert_held(&world.decide(), Field::TargetValue, Reason::NewRegime);
    // An estimate without a regime forgets nothing.
    let regime = world.estimate.regime.take();
    world.goal.mode = Mode::Repair;
    assert!(world.pass().plan.is_empty());
    world.goal.mode = Mode::Auto;
    world.estimate.regime = regime;
    world.estimate.regime.as_mut().unwrap().started_at -= TimeDelta::hours(2);
    assert_eq!(written(&world.decide()), Some(480.0));
}

#[test]
fn drift_is_repaired_to_what_was_held() {
    let mut world = auto(5, true);
    world.in_force(5000.0);
    let decision = world.decide();
    assert_eq!(written(&decision), Some(600.0));
    assert_eq!(decision.report.reason, Reason::Drift);
    let mut world = auto(5, true);
    world.without_policy(6);
    assert_eq!(written(&world.decide()), Some(600.0));
    // What was held is not remembered: there is nothing to put back, and the estimate waits.
    world.memory().last_applied = None;
    assert_held(&world.decide(), Field::Policy, Reason::NewRegime);
    let mut world = auto(5, true);
    world.memory().last_applied = None;
    world.in_force(5000.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::NewRegime);
}

#[test]
fn a_missing_policy_gets_the_formula_where_nothing_was_held() {
    let mut world = auto(5, true);
    world.goal.load_test = super::world::goal().load_test;
    world.memory().last_applied = None;
    world.without_policy(6);
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn the_hour_counts_from_the_deploy_as_the_estimator_is_told_of_it() {
    let settings = EstimatorSettings::new(super::watching::objective());
    let (mut estimator, mut scratch) = (Estimator::new(&settings), Scratch::new());
    let context = Context { configured_target: Some(600.0), safety_factor: 0.5 };
    for i in 0..3000 {
        let minute = Minute {
            invocations: Some(2000.0),
            invocations_per_instance: Some(500.0),
            latency_us: Some(100_000.0),
            latency_p50_us: Some(50_000.0),
            errors_5xx: Some(0.0),
            ..Minute::empty(now() - TimeDelta::minutes(3000 - i))
        };
        if i == 2970 {
            estimator.declare(minute.at, Fingerprint::of("v2"), &mut scratch);
        }
        estimator.push(&minute, &context, &mut scratch);
    }
    let estimate = estimator.evaluate(&mut scratch, now(), &context);
    let until = now() + TimeDelta::minutes(30);
    assert_eq!(ends_at(estimate.regime.as_ref(), None, now()), Some(until));
    assert_eq!(ends_at(estimate.regime.as_ref(), None, until), None);
}
