//! Rule 8: how far in one step.

use chrono::TimeDelta;
use setpoint::decide::rails::Rail;
use setpoint::model::decision::Action;
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::goal::TargetValueLimits;
use setpoint::model::memory::TargetWrite;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::units::InvocationsPerMinute;

use super::world::{World, assert_held, now, why, written};

/// A world in which 600 is to be put back after somebody lowered it, the grace being over.
fn raised_from(value: f64) -> World {
    let mut world = World::healthy();
    world.goal.safe_change_grace = TimeDelta::zero();
    world.in_force(value);
    world
}

#[test]
fn a_raise_needs_fresh_telemetry() {
    let mut world = raised_from(500.0);
    world.telemetry().newest_datapoint = Some(now() - TimeDelta::minutes(46));
    assert_held(&world.decide(), Field::TargetValue, Reason::Stale);
    world.telemetry().newest_datapoint = Some(now() - TimeDelta::minutes(45));
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn putting_back_what_was_held_before_is_not_new_ground() {
    let mut world = raised_from(300.0);
    world.load(200.0, 1);
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn new_ground_is_10_percent_a_day() {
    let mut world = raised_from(300.0);
    world.load(200.0, 1);
    world.memory().highest_applied = Some(300.0);
    let written_value = written(&world.decide()).unwrap();
    assert!((written_value - 330.0).abs() < 1e-6, "{written_value}");

    // The day's 10 % are used up.
    world.in_force(330.0);
    world.memory().highest_applied = Some(330.0);
    let raise = |ago: i64| TargetWrite {
        at: now() - TimeDelta::hours(ago),
        before: Some(300.0),
        after: 330.0,
    };
    world.memory().raises = vec![raise(23)];
    world.memory().last_write = Some(raise(23));
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::NewGround);
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::hours(1)));
    world.memory().raises = vec![raise(24)];
    let written_value = written(&world.decide()).unwrap();
    assert!((written_value - 363.0).abs() < 1e-6, "{written_value}");
}

#[test]
fn a_memory_that_is_missing_or_young_is_slower_never_bolder() {
    let mut world = raised_from(300.0);
    world.load(200.0, 1);
    world.snapshot.memory = Fact::Unknown(why());
    assert_held(&world.decide(), Field::TargetValue, Reason::Unknown);

    let mut world = raised_from(300.0);
    world.load(200.0, 1);
    world.memory().highest_applied = None;
    world.memory().since = Some(now() - TimeDelta::hours(23));
    assert_held(&world.decide(), Field::TargetValue, Reason::NewGround);
    world.memory().since = Some(now() - TimeDelta::hours(24));
    let written_value = written(&world.decide()).unwrap();
    assert!((written_value - 330.0).abs() < 1e-6, "{written_value}");
}

#[test]
fn a_raise_removes_at_most_20_percent_of_the_instances_at_the_present_load() {
    // 20 instances at 300 each: 600 would leave 10 of them; 16 must stay.
    let mut world = raised_from(300.0);
    world.load(6000.0, 20);
    let decision = world.decide();
    let value = written(&decision).unwrap();
    assert!((6000.0 / value).ceil() >= 16.0, "{value}");
    assert!(value > 390.0, "as far as the rule allows: {value}");
    let field = decision.report.fields.iter().find(|f| f.field == Field::TargetValue).unwrap();
    assert_eq!(field.reason, Reason::ScaleInStep);
    // The next waits until they have gone.
    world.in_force(value);
    world.memory().last_write =
        Some(TargetWrite { at: now() - TimeDelta::minutes(30), before: Some(300.0), after: value });
    assert_held(&world.decide(), Field::TargetValue, Reason::ScaleInStep);
    world.load(6000.0, 16);
    assert!(written(&world.decide()).unwrap() > value);
}

#[test]
fn a_small_fleet_may_lose_one_instance_at_a_time() {
    let mut world = raised_from(300.0);
    world.load(900.0, 3);
    let value = written(&world.decide()).unwrap();
    assert_eq!((900.0 / value).ceil() as u32, 2, "{value}");
}

#[test]
fn after_a_reversal_raises_wait() {
    let mut world = raised_from(500.0);
    let until = now() + TimeDelta::hours(3);
    world.memory().raises_held_until = Some(until);
    assert_held(&world.decide(), Field::TargetValue, Reason::Reverted);
    world.now = until;
    world.telemetry().newest_datapoint = Some(until);
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn the_owners_floor_and_ceiling_bound_what_is_wanted() {
    let value = |v: f64| Some(InvocationsPerMinute::new(v).unwrap());
    let mut world = World::drifted();
    world.goal.target_value = TargetValueLimits { floor: value(650.0), ceiling: None };
    assert_eq!(written(&world.decide()), Some(650.0));
    world.goal.target_value = TargetValueLimits { floor: None, ceiling: value(550.0) };
    let decision = world.decide();
    assert_eq!(written(&decision), Some(550.0));
    assert!(decision.report.notes.iter().any(|n| n.reason == Reason::OwnerLimit));
}

#[test]
fn the_plan_says_what_a_change_does_to_the_fleet() {
    let forecast = World::drifted().decide().report.instances.unwrap();
    // 2,000 now, 5,000 at the peak, 700 -> 600.
    assert_eq!(forecast.now, Some(4));
    assert_eq!(forecast.at_present_load, Some(4));
    assert_eq!(forecast.at_peak_before, Some(8));
    assert_eq!(forecast.at_peak_after, Some(9));
}

/// `RegisterScalableTarget` comes before `PutScalingPolicy`, and a scheduled action when it likes.
#[test]
fn a_min_that_may_fall_meanwhile_keeps_no_instance() {
    // 20 instances at 300 each, all of them kept by min: a raise moves none of them while min stays.
    let mut world = raised_from(300.0);
    world.load(6000.0, 20);
    world.target().min_capacity = 20;
    world.target().max_capacity = 40;
    world.goal.capacity.min = None;
    world.goal.capacity.max = None;
    assert_eq!(written(&world.decide()), Some(600.0));
    // The same plan gives min back.
    world.goal.capacity.min = Some(2);
    let decision = world.decide();
    let value = written(&decision).unwrap();
    assert!((6000.0 / value).ceil() >= 16.0, "{value}");
    let put = decision.plan.actions.last().unwrap();
    assert_eq!(world.breached(put), None);
    // The rail knows it too.
    let mut further = put.clone();
    let Action::PutPolicy { configuration, .. } = &mut further else { panic!("{further:?}") };
    configuration.target_value = 600.0;
    assert_eq!(world.breached(&further), Some(Rail::Step));
    world.goal.capacity.min = None;
    assert_eq!(world.breached(&further), None);
    // A scheduled action does.
    let Fact::Known(actions) = &mut *world.snapshot.scheduled_actions else { unreachable!() };
    actions.push(setpoint::model::scaling::ScheduledAction {
        name: "night".to_owned(),
        resource: world.snapshot.id.resource(),
        schedule: "cron(0 20 * * ? *)".to_owned(),
        timezone: None,
        min_capacity: Some(2),
        max_capacity: None,
        starts_at: None,
        ends_at: None,
        created_at: None,
    });
    assert_eq!(world.breached(&further), Some(Rail::Step));
    let value = written(&world.decide()).unwrap();
    assert!((6000.0 / value).ceil() >= 16.0, "{value}");
}

#[test]
fn datapoints_of_the_future_are_not_fresh() {
    let mut world = raised_from(500.0);
    world.telemetry().newest_datapoint = Some(now() + TimeDelta::minutes(5));
    assert_eq!(written(&world.decide()), Some(600.0), "clocks differ a little");
    world.telemetry().newest_datapoint = Some(now() + TimeDelta::hours(3));
    assert_held(&world.decide(), Field::TargetValue, Reason::Stale);
}

/// They are read right before each write: what could not be read then may be an activity in progress.
#[test]
fn rule_11_activities_that_could_not_be_read_hold_raises_and_bounds() {
    let mut world = World::healthy();
    world.goal.safe_change_grace = TimeDelta::zero();
    world.in_force(500.0);
    world.snapshot.activities =
        Fact::Unknown(Why::new(WhyKind::NotReadYet, "not asked in this pass"));
    assert_eq!(written(&world.decide()), Some(600.0), "most passes do not ask");
    world.snapshot.activities = Fact::Unknown(why());
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::PendingCapacity);
    assert!(decision.report.sentence.contains("is not known"), "{}", decision.report.sentence);
    world.in_force(700.0);
    assert_eq!(written(&world.decide()), Some(600.0), "lowering does not wait");
    // What AWS does not answer at all is no reason to leave bounds as they are.
    world.in_force(600.0);
    world.target().max_capacity = 5;
    let kind =
        |world: &mut World, kind| world.snapshot.activities = Fact::Unknown(Why::new(kind, "no"));
    kind(&mut world, WhyKind::Garbage);
    assert_eq!(world.decide().plan.actions.len(), 1);
    kind(&mut world, WhyKind::Throttled);
    assert_held(&world.decide(), Field::MaxCapacity, Reason::PendingCapacity);
}
