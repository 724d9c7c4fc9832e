//! `auto`: the safe target is the desired value, within what its verdict allows.

use chrono::TimeDelta;
use setpoint::decide::remember::remember;
use setpoint::model::decision::{FieldState, Outcome, StepOutcome};
use setpoint::model::estimate::{Capacity, Estimate, Verdict};
use setpoint::model::goal::{LatencyObjective, Mode};
use setpoint::model::minutes::Minutes;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::series::Minute;
use setpoint::model::units::LatencyStatistic;

use super::world::{World, assert_held, now, written};

/// 600 in force; one instance serves 1,000 (q25 960), at least 800.
pub(super) fn auto(verdict: Verdict) -> World {
    let mut world = World::healthy();
    world.goal.mode = Mode::Auto;
    world.goal.safe_change_grace = TimeDelta::zero();
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    world.goal.objective.latency = Some(latency);
    world.estimate = Estimate {
        verdict,
        capacity: Capacity {
            estimate: Some(1000.0),
            low: Some(900.0),
            q25: Some(960.0),
            high: Some(1100.0),
            lower_bound: Some(800.0),
        },
        ..Estimate::unobserved("")
    };
    world
}

#[test]
fn a_measured_capacity_lowers_to_factor_times_its_lower_quartile() {
    for verdict in [Verdict::Measured, Verdict::Inferred] {
        let decision = auto(verdict).decide();
        assert_eq!(written(&decision), Some(480.0));
        assert_eq!(decision.report.reason, Reason::SafeTarget);
        assert_eq!(decision.report.divergence, Some(1.25));
    }
}

#[test]
fn rule_8_within_the_dead_band_nothing_is_written() {
    let mut world = auto(Verdict::Measured);
    world.in_force(500.0);
    let decision = world.decide();
    let field = decision.report.fields.iter().find(|f| f.field == Field::TargetValue).unwrap();
    assert_eq!((field.state, field.reason), (FieldState::InSync, Reason::DeadBand));
    assert!(decision.plan.is_empty());
}

#[test]
fn rule_18_weak_verdicts_keep_what_is_in_force_but_for_the_formula() {
    for verdict in [Verdict::AtMost, Verdict::Stale, Verdict::Unobserved] {
        let mut world = auto(verdict);
        world.goal.load_test = None;
        world.in_force(900.0);
        assert!(world.decide().plan.is_empty(), "{verdict:?}: no load test, no change");
    }
    // A lower bound alone raises to what it proves, and never lowers.
    let mut world = auto(Verdict::AtLeast);
    world.goal.load_test = None;
    world.in_force(900.0);
    assert!(world.decide().plan.is_empty());
    // A valid load test lowers to its formula.
    let mut world = auto(Verdict::Unobserved);
    world.in_force(700.0);
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn rule_19_an_incident_of_another_cause_holds_every_change_of_target_value() {
    let mut world = auto(Verdict::Measured);
    world.estimate.incident_since = Some(now() - TimeDelta::minutes(10));
    assert_held(&world.decide(), Field::TargetValue, Reason::Incident);
    // `repair` does not follow the estimate, and is not held by it.
    world.goal.mode = Mode::Repair;
    world.in_force(700.0);
    assert_eq!(written(&world.decide()), Some(600.0));
}

/// A raise 400 -> 480 was written an hour ago, and one of 5 instances has gone since.
fn raised() -> World {
    let mut world = auto(Verdict::Measured);
    world.now = now() - TimeDelta::hours(1);
    world.in_force(400.0);
    world.load(1900.0, 5);
    world.telemetry().newest_datapoint = Some(world.now);
    let decision = world.decide();
    assert_eq!(written(&decision), Some(480.0));
    after(&mut world, &decision, true);
    let watch = world.memory().verification.clone().expect("a raise is watched");
    assert_eq!((watch.before, watch.after, watch.instances), (400.0, 480.0, 5));
    world.now = now();
    world.in_force(480.0);
    world.load(1880.0, 4);
    world.snapshot.taken_at = now() - TimeDelta::minutes(50);
    world.telemetry().newest_datapoint = Some(now());
    world.telemetry().recent = Minutes::default();
    let decision = world.decide();
    after(&mut world, &decision, false);
    assert!(world.memory().verification.as_ref().unwrap().begun_at.is_some());
    world
}

fn after(world: &mut World, decision: &setpoint::model::Decision, wrote: bool) {
    let step = StepOutcome::success("PutScalingPolicy", "");
    let outcome = Outcome { steps: vec![step] };
    let before = world.memory().clone();
    let outcome = wrote.then_some(&outcome);
    let (snapshot, goal) = (&world.snapshot, &world.goal);
    let memory = remember(&before, (snapshot, goal), (decision, outcome), world.now);
    *world.memory() = memory;
}

/// Loaded minutes of which every `n`th breaks the objective.
fn minutes(world: &mut World, load: f64, every: i64) {
    let recent = (0..20).map(|i| Minute {
        invocations: Some(load * 4.0),
        invocations_per_instance: Some(load),
        latency_us: Some(if i % every == 0 { 400_000.0 } else { 100_000.0 }),
        errors_5xx: Some(0.0),
        ..Minute::empty(now() - TimeDelta::minutes(40 - i))
    });
    let recent: Vec<Minute> = recent.collect();
    world.telemetry().recent = recent.into();
    world.snapshot.taken_at = now();
}

#[test]
fn rule_21_a_raise_that_breaks_the_objective_is_taken_back_once() {
    let mut world = raised();
    minutes(&mut world, 450.0, 2);
    let decision = world.decide();
    assert_eq!(written(&decision), Some(400.0), "{:#?}", decision.report.fields);
    after(&mut world, &decision, true);
    assert_eq!(world.memory().raises_held_until, Some(now() + TimeDelta::hours(24)));
    assert_eq!(world.memory().verification, None, "a lowering is not watched");
    world.in_force(400.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::Reverted);
}

#[test]
fn rule_21_minutes_at_loads_from_before_or_seldom_bad_take_nothing_back() {
    let mut world = raised();
    minutes(&mut world, 450.0, 7);
    assert!(world.decide().plan.is_empty(), "one of five is no failure");
    let mut world = raised();
    minutes(&mut world, 300.0, 2);
    assert!(world.decide().plan.is_empty(), "that load was there before the raise");
}
