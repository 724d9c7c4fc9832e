//! Each rail catches a write that no guard would have let through, and none catches what the guards
//! let through.

use chrono::TimeDelta;
use proptest::prelude::*;
use setpoint::decide::Freeze;
use setpoint::decide::consent::Confirmed;
use setpoint::decide::rails::Rail;
use setpoint::model::decision::{Action, FieldState};
use setpoint::model::endpoint::EndpointStatus;
use setpoint::model::estimate::{Estimate, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::goal::{Mode, Pause};
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scaling::MetricSpec;
use setpoint::model::units::InvocationsPerMinute;

use super::world::{World, why};

/// The write of a dangerous edit that is put back: 700 to 600.
fn put() -> Action {
    let mut actions = World::drifted().decide().plan.actions;
    assert_eq!(actions.len(), 1, "{actions:?}");
    actions.remove(0)
}

/// The write of a max that somebody lowered.
fn register() -> (World, Action) {
    let mut world = World::healthy();
    world.target().max_capacity = 10;
    world.goal.safe_change_grace = TimeDelta::zero();
    let mut actions = world.decide().plan.actions;
    assert_eq!(actions.len(), 1, "{actions:?}");
    let action = actions.remove(0);
    (world, action)
}

/// A write of a drifted world, after `bend` has changed the world under it.
fn in_world(bend: impl FnOnce(&mut World)) -> Option<Rail> {
    let mut world = World::drifted();
    bend(&mut world);
    world.breached(&put())
}

/// A write of a drifted world with another configuration than was decided.
fn bent(
    bend: impl FnOnce(&mut setpoint::model::scaling::TargetTracking, &mut Vec<Field>),
) -> Option<Rail> {
    let mut action = put();
    let Action::PutPolicy { configuration, fields, .. } = &mut action else { unreachable!() };
    bend(configuration, fields);
    World::drifted().breached(&action)
}

#[test]
fn what_is_decided_keeps_to_the_rails() {
    assert_eq!(in_world(|_| {}), None);
    let (world, action) = register();
    assert_eq!(world.breached(&action), None);
}

#[test]
fn who_and_what_it_is() {
    assert_eq!(in_world(|w| w.goal.mode = Mode::Observe), Some(Rail::Mode));
    assert_eq!(in_world(|w| w.goal.managed = false), Some(Rail::Mode));
    assert_eq!(in_world(|w| w.rules.account_id = None), Some(Rail::Account));
    let other = || "210987654321".parse().unwrap();
    assert_eq!(in_world(|w| w.rules.account_id = Some(other())), Some(Rail::Account));
    assert_eq!(in_world(|w| w.snapshot.caller = Fact::Known(other())), Some(Rail::Account));
    assert_eq!(in_world(|w| w.snapshot.caller = Fact::Unknown(why())), Some(Rail::Account));
    assert_eq!(in_world(|w| w.endpoint().asynchronous = true), Some(Rail::Kind));
    assert_eq!(in_world(|w| w.endpoint().variants[0].serverless = true), Some(Rail::Kind));
    assert_eq!(
        in_world(|w| w.endpoint().shadow_variants = vec!["AllTraffic".parse().unwrap()]),
        Some(Rail::Kind)
    );
    let typed = |instance_type: &'static str| {
        in_world(|w| {
            let Fact::Known(Some(config)) = &mut *w.snapshot.endpoint_config else {
                unreachable!()
            };
            config.variants[0].instance_type = Some(instance_type.to_owned());
        })
    };
    assert_eq!(typed("ml.t3.large"), Some(Rail::Kind));
    assert_eq!(typed("ml.trn1.2xlarge"), None);
}

#[test]
fn an_unknown_kind_is_only_made_safer() {
    assert_eq!(in_world(|w| w.snapshot.model = Fact::Unknown(why()).into()), None);
    let (mut world, action) = register();
    world.snapshot.model = Fact::Unknown(why()).into();
    assert_eq!(world.breached(&action), Some(Rail::Kind));
}

#[test]
fn what_people_have_asked_for() {
    assert_eq!(in_world(|w| w.rules.enabled = false), Some(Rail::Stopped));
    assert_eq!(in_world(|w| w.snapshot.memory = Fact::Unknown(why())), Some(Rail::Stopped));
    let pause = |minutes: i64| {
        move |w: &mut World| {
            let until = w.now + TimeDelta::minutes(minutes);
            w.memory().pause = Some(Pause { until, reason: "test".to_owned() });
        }
    };
    assert_eq!(in_world(pause(1)), Some(Rail::Stopped));
    assert_eq!(in_world(pause(0)), None, "it is over");
    let freeze = |allow_lowering: bool| {
        move |w: &mut World| {
            w.rules.freeze = Some(Freeze { until: w.now + TimeDelta::hours(1), allow_lowering });
        }
    };
    assert_eq!(in_world(freeze(false)), Some(Rail::Stopped));
    assert_eq!(in_world(freeze(true)), None);
}

#[test]
fn the_state_of_the_world() {
    assert_eq!(in_world(|w| w.snapshot.endpoint = Fact::Known(None).into()), Some(Rail::Endpoint));
    assert_eq!(
        in_world(|w| w.snapshot.endpoint = Fact::Unknown(why()).into()),
        Some(Rail::Endpoint)
    );
    assert_eq!(in_world(|w| w.endpoint().deploy_in_progress = true), Some(Rail::Endpoint));
    assert_eq!(in_world(|w| w.endpoint().status = EndpointStatus::Failed), Some(Rail::Endpoint));
    assert_eq!(in_world(|w| w.endpoint().status = EndpointStatus::Updating), None);
    assert_eq!(in_world(|w| w.target().suspended.scale_out = true), Some(Rail::Suspended));
    assert_eq!(
        in_world(|w| w.snapshot.target = Fact::Unknown(why()).into()),
        Some(Rail::Suspended)
    );
}

#[test]
fn the_value_and_its_limits() {
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(bent(|to, _| to.target_value = value), Some(Rail::Value), "{value}");
    }
    let limit = |value| Some(InvocationsPerMinute::new(value).unwrap());
    assert_eq!(in_world(|w| w.goal.target_value.floor = limit(650.0)), Some(Rail::OwnerLimit));
    assert_eq!(in_world(|w| w.goal.target_value.ceiling = limit(500.0)), None, "on the way");
    let mut raised = World::drifted();
    raised.goal.target_value.ceiling = limit(500.0);
    let mut action = put();
    let Action::PutPolicy { configuration, .. } = &mut action else { unreachable!() };
    configuration.target_value = 701.0;
    assert_eq!(raised.breached(&action), Some(Rail::OwnerLimit));
}

#[test]
fn a_raise_above_capacity_and_steps_that_are_too_long() {
    let raise = |confirmed: Confirmed| {
        let mut world = World::drifted();
        world.estimate.verdict = Verdict::Measured;
        world.estimate.capacity.high = Some(705.0);
        world.rules.confirmed = confirmed;
        let mut action = put();
        let Action::PutPolicy { configuration, .. } = &mut action else { unreachable!() };
        configuration.target_value = 706.0;
        world.breached(&action)
    };
    assert_eq!(raise(Confirmed::Nothing), Some(Rail::AboveCapacity));
    assert_eq!(raise(Confirmed::Asking), None);
    assert_eq!(bent(|to, _| to.target_value = 771.0), Some(Rail::Step), "new ground");
    // 4 run; 2,000 invocations call for 6 of them at 350, which is one too many.
    assert_eq!(bent(|to, _| to.target_value = 350.0), Some(Rail::Step));
    assert_eq!(bent(|to, _| to.target_value = 401.0), None);
}

#[test]
fn a_raise_removes_few_instances() {
    let mut world = World::drifted();
    world.load(2000.0, 10);
    let mut action = put();
    let Action::PutPolicy { configuration, .. } = &mut action else { unreachable!() };
    configuration.target_value = 720.0;
    assert_eq!(world.breached(&action), Some(Rail::Step), "10 to 3");
    world.snapshot.telemetry = Fact::Unknown(why());
    assert_eq!(world.breached(&action), Some(Rail::Step), "blind");
}

#[test]
fn what_is_not_managed_is_carried_over() {
    assert_eq!(bent(|to, _| to.scale_in_cooldown = Some(1)), Some(Rail::CarriedOver));
    assert_eq!(bent(|to, _| to.scale_out_cooldown = None), Some(Rail::CarriedOver));
    assert_eq!(bent(|to, _| to.disable_scale_in = Some(true)), Some(Rail::CarriedOver));
    let other = MetricSpec::Customized("CPU".to_owned());
    assert_eq!(bent(|to, _| to.metric = other), Some(Rail::CarriedOver));
    let unnamed = |_: &mut _, fields: &mut Vec<Field>| *fields = vec![Field::Alarms];
    assert_eq!(bent(unnamed), Some(Rail::CarriedOver), "the value was not to change");
    assert_eq!(in_world(|w| w.in_force(650.0)), Some(Rail::CarriedOver), "edited since");
    assert_eq!(in_world(|w| w.policies().clear()), Some(Rail::CarriedOver));
}

#[test]
fn min_and_max_are_the_configured_ones_and_do_not_cross() {
    let (world, action) = register();
    let bounds = |min: Option<i32>, max: Option<i32>| {
        let mut action = action.clone();
        let Action::RegisterTarget { min_capacity, max_capacity, .. } = &mut action else {
            unreachable!()
        };
        (*min_capacity, *max_capacity) = (min, max);
        world.breached(&action)
    };
    assert_eq!(bounds(None, Some(20)), None);
    assert_eq!(bounds(None, Some(21)), Some(Rail::Bounds));
    assert_eq!(bounds(Some(2), None), Some(Rail::Bounds));
    let mut crossing = world;
    crossing.goal.capacity.max = Some(0);
    let mut action = action;
    let Action::RegisterTarget { max_capacity, .. } = &mut action else { unreachable!() };
    *max_capacity = Some(0);
    assert_eq!(crossing.breached(&action), Some(Rail::Bounds));
}

proptest! {
    /// A rail that holds what the guards rightly let through would keep dangerous values in force.
    #[test]
    fn no_decision_breaches_a_rail(
        value in 1.0..5000.0_f64, min in 0..6_i32, max in 6..60_i32, cooldown in 0..600_i32,
        (invocations, instances) in (1.0..50_000.0_f64, 1..60_u32), held in 10.0..5000.0_f64,
        (auto, missing, last_applied, two_sided) in any::<(bool, bool, bool, bool)>(),
        capacity in 100.0..3000.0_f64,
    ) {
        let mut world = World::healthy();
        world.goal.safe_change_grace = TimeDelta::zero();
        if auto {
            world.goal.mode = Mode::Auto;
        }
        world.in_force(value);
        (world.target().min_capacity, world.target().max_capacity) = (min, max);
        world.tracking().scale_in_cooldown = Some(cooldown);
        world.load(invocations, instances);
        world.memory().highest_applied = Some(held);
        if last_applied {
            world.hold(held);
        }
        if two_sided {
            world.estimate.verdict = Verdict::Measured;
            let known = &mut world.estimate.capacity;
            known.estimate = Some(capacity);
            known.low = Some(capacity * 0.9);
            known.q25 = Some(capacity * 0.95);
            known.high = Some(capacity * 1.1);
            known.lower_bound = Some(capacity * 0.85);
        }
        if missing {
            world.deregistered(60);
        }
        for _ in 0..3 {
            let decision = world.pass();
            let held = decision.report.fields.iter().any(|f| {
                f.state == FieldState::Held && f.reason == Reason::Rails
            });
            prop_assert!(!held, "{}", decision.report.sentence);
            world.wait(11);
        }
    }
}

#[test]
fn an_estimate_that_contradicts_itself_moves_nothing() {
    let with = |bend: fn(&mut Estimate)| in_world(|w| bend(&mut w.estimate));
    assert_eq!(with(|e| e.capacity.low = Some(f64::NAN)), Some(Rail::Estimate));
    assert_eq!(with(|e| e.capacity.lower_bound = Some(-1.0)), Some(Rail::Estimate));
    assert_eq!(with(|e| e.minutes.broken = e.minutes.used + 1), Some(Rail::Estimate));
    let crossed = |e: &mut Estimate| {
        e.capacity.low = Some(900.0);
        e.capacity.high = Some(800.0);
    };
    assert_eq!(with(crossed), Some(Rail::Estimate));
}
