//! Rule 19a: an estimate made while one instance is slow moves no target value, and nothing else waits.

use std::sync::Arc;

use chrono::TimeDelta;
use setpoint::model::estimate::{Capacity, Estimate, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::goal::{Mode, TargetValueLimits};
use setpoint::model::per_instance::{InstanceId, Instances, SlowInstance};
use setpoint::model::reason::{Field, Reason};

use super::world::{World, assert_held, now, why, written};

/// The safe target is 540 by what was measured, and 600 is in force.
fn auto(capacity: f64) -> World {
    let mut world = World::healthy();
    world.goal.mode = Mode::Auto;
    world.goal.target_value = TargetValueLimits { floor: None, ceiling: None };
    world.goal.safe_change_grace = TimeDelta::zero();
    let capacity = Capacity {
        estimate: Some(capacity),
        low: Some(capacity * 0.9),
        q25: Some(capacity * 0.96),
        high: Some(capacity * 1.1),
        lower_bound: Some(capacity * 0.88),
    };
    world.estimate =
        Estimate { verdict: Verdict::Measured, capacity, ..Estimate::unobserved("measured") };
    world
}

fn instances(slow_since: Option<TimeDelta>) -> Instances {
    let slow = |ago| SlowInstance {
        id: InstanceId::new("i-1").unwrap(),
        factor: 1.9,
        compared: 58,
        latency_p50_ms: 95.0,
        siblings_p50_ms: 50.0,
        since: now() - ago,
    };
    Instances {
        read_at: now() - TimeDelta::minutes(10),
        from: now() - TimeDelta::minutes(70),
        to: now() - TimeDelta::minutes(10),
        period_seconds: 60,
        instances: Vec::new(),
        not_read: 0,
        uneven_routing: Some(1.05),
        uneven_by_chance: Some(1.05),
        busiest: None,
        slow: slow_since.map(slow).into_iter().collect(),
        not_compared: None,
        hot_ratio: Some(0.05),
    }
}

fn with(mut world: World, seen: Instances) -> World {
    world.snapshot.instances = Some(Arc::new(Fact::Known(seen)));
    world
}

#[test]
fn a_lowering_waits_for_a_day_and_a_raise_as_long_as_it_is_slow() {
    let lowers = |since| with(auto(1000.0), instances(since));
    let hour = TimeDelta::hours(1);
    assert!(written(&lowers(None).decide()).is_some_and(|value| value < 600.0));
    let held = lowers(Some(hour)).decide();
    assert_held(&held, Field::TargetValue, Reason::SlowInstance);
    assert!(
        held.report.sentence.contains("while instance i-1 was slow"),
        "{}",
        held.report.sentence
    );
    assert_eq!(held.wake_at, Some(now() + TimeDelta::hours(23)));
    // A day is enough: it is what the fleet serves.
    let after = lowers(Some(TimeDelta::hours(24))).decide();
    assert!(written(&after).is_some_and(|value| value < 600.0));

    let raises = |since| with(auto(1500.0), instances(since));
    assert!(written(&raises(None).decide()).is_some_and(|value| value > 600.0));
    for since in [hour, TimeDelta::hours(48)] {
        assert_held(&raises(Some(since)).decide(), Field::TargetValue, Reason::SlowInstance);
    }
}

#[test]
fn what_does_not_follow_the_estimate_does_not_wait() {
    // Repair of a foreign edit, by the formula.
    let mut world = with(auto(1000.0), instances(Some(TimeDelta::hours(1))));
    world.goal.mode = Mode::Repair;
    world.in_force(700.0);
    assert_eq!(written(&world.decide()), Some(600.0));
    // What is not known says nothing.
    let mut world = auto(1000.0);
    world.snapshot.instances = Some(Arc::new(Fact::Unknown(why())));
    assert!(written(&world.decide()).is_some());
}

#[test]
fn conditions_say_what_the_instances_showed() {
    let told = |world: &World, reason| {
        let notes = world.decide().report.notes.clone();
        notes.into_iter().find(|note| note.reason == reason).map(|note| note.sentence.into_owned())
    };
    let world = with(auto(1200.0), instances(Some(TimeDelta::hours(1))));
    let sentence = told(&world, Reason::SlowInstance).unwrap();
    assert!(
        sentence.contains("i-1 is slow: 1.9 times") && sentence.contains("not the model"),
        "{sentence}"
    );
    assert_eq!(told(&world, Reason::UnevenRouting), None);
    assert_eq!(told(&world, Reason::HotInstance), None);

    let mut seen = instances(None);
    (seen.uneven_routing, seen.hot_ratio) = (Some(1.6), Some(0.25));
    let world = with(auto(1200.0), seen.clone());
    assert!(told(&world, Reason::UnevenRouting).unwrap().contains("1.60 times"));
    let hot = told(&world, Reason::HotInstance).unwrap();
    assert!(hot.contains("25 % of the minutes") && hot.contains("not too high"), "{hot}");
}
