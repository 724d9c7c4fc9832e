//! Rule 17a: what vanished while its endpoint lives is somebody's step in a procedure.

use chrono::TimeDelta;
use setpoint::decide::consent::Confirmed;
use setpoint::model::decision::{Action, StepResult};
use setpoint::model::fact::Fact;
use setpoint::model::memory::VariantMemory;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scaling::ScalingPolicy;

use super::world::{World, assert_held, now, why, written};

/// A variant that a pass has seen whole, with its target and policy as they were.
fn known() -> (World, VariantMemory, ScalingPolicy) {
    let mut world = World::healthy();
    world.pass();
    assert!(world.memory().settled.is_some() && world.memory().missing.is_empty());
    let policy = world.policies()[0].clone();
    let memory = world.memory().clone();
    (world, memory, policy)
}

#[test]
fn a_target_that_vanished_comes_back_after_30_minutes() {
    let (mut world, ..) = known();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    for _ in 0..30 {
        let decision = world.pass();
        assert_held(&decision, Field::ScalableTarget, Reason::JustRemoved);
        assert_held(&decision, Field::Policy, Reason::JustRemoved);
        assert_eq!(decision.wake_at, Some(now() + TimeDelta::minutes(30)));
        assert!(decision.report.sentence.contains("scalable_target is missing"), "told at once");
        world.wait(1);
    }
    let decision = world.decide();
    let [Action::RegisterTarget { expected: None, .. }, Action::PutPolicy { expected: None, .. }] =
        &decision.plan.actions[..]
    else {
        panic!("both in one pass: {:?}", decision.plan)
    };
}

#[test]
fn a_policy_that_vanished_alone_comes_back_after_5_minutes_under_its_name() {
    let (mut world, ..) = known();
    world.policies().clear();
    assert_held(&world.pass(), Field::Policy, Reason::JustRemoved);
    world.wait(4);
    assert_held(&world.pass(), Field::Policy, Reason::JustRemoved);
    world.wait(1);
    let decision = world.decide();
    let [Action::PutPolicy { policy_name, expected: None, .. }] = &decision.plan.actions[..] else {
        panic!("{:?}", decision.plan)
    };
    assert_eq!(policy_name, "invocations");
}

#[test]
fn what_somebody_registered_again_has_its_5_minutes_for_the_policy() {
    let (mut world, ..) = known();
    let target = world.snapshot.target.clone();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    world.pass();
    world.wait(20);
    world.snapshot.target = target;
    assert_held(&world.pass(), Field::Policy, Reason::JustRemoved);
    world.wait(5);
    assert!(written(&world.decide()).is_some());
}

#[test]
fn what_setpoint_registered_itself_waits_for_nobody() {
    let (mut world, ..) = known();
    let target = world.snapshot.target.clone();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    world.pass();
    world.wait(30);
    let results = [StepResult::Success, StepResult::Error];
    assert_eq!(world.pass_with(&results).plan.actions.len(), 2);
    // The policy could not be put: the next pass goes on.
    world.snapshot.target = target;
    world.wait(1);
    assert!(written(&world.decide()).is_some(), "{}", world.decide().report.sentence);
}

#[test]
fn both_times_are_the_owners_and_a_person_does_not_wait() {
    let (mut world, ..) = known();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    world.rules.confirmed = Confirmed::Asking;
    assert_eq!(world.decide().plan.actions.len(), 2);
    world.rules.confirmed = Confirmed::Nothing;
    world.goal.removed_target_grace = TimeDelta::zero();
    assert_eq!(world.decide().plan.actions.len(), 2);
    let (mut world, ..) = known();
    world.policies().clear();
    world.goal.removed_policy_grace = TimeDelta::zero();
    assert_eq!(world.decide().plan.actions.len(), 1);
}

#[test]
fn a_deploy_that_is_under_way_holds_it_longer() {
    let (mut world, ..) = known();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    world.pass();
    world.wait(45);
    world.endpoint().deploy_in_progress = true;
    assert_held(&world.decide(), Field::ScalableTarget, Reason::EndpointUpdating);
    world.endpoint().deploy_in_progress = false;
    assert_eq!(world.decide().plan.actions.len(), 2);
}

#[test]
fn a_recreated_endpoint_gets_both_at_once() {
    let (mut world, ..) = known();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    world.endpoint().created_at = now() - TimeDelta::minutes(1);
    assert_eq!(world.decide().plan.actions.len(), 2);
}

#[test]
fn a_lost_memory_is_slower_never_bolder() {
    let mut world = World::healthy();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    *world.memory() = VariantMemory::default();
    assert_held(&world.pass(), Field::ScalableTarget, Reason::JustRemoved);
    world.wait(30);
    assert_eq!(world.decide().plan.actions.len(), 2);
    // One that cannot be read may hold a pause: nothing is written before it can.
    world.snapshot.memory = Fact::Unknown(why());
    assert_held(&world.decide(), Field::ScalableTarget, Reason::Unknown);
    // Of an endpoint that is younger than that, nothing can have been removed by then.
    let mut world = World::healthy();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    *world.memory() = VariantMemory::default();
    world.endpoint().created_at = now() - TimeDelta::minutes(29);
    assert_eq!(world.decide().plan.actions.len(), 2);
    // Where one was seen there, it can.
    let mut world = World::healthy();
    world.endpoint().created_at = now() - TimeDelta::minutes(29);
    world.pass();
    world.snapshot.target = Fact::Known(None).into();
    world.policies().clear();
    assert_held(&world.decide(), Field::ScalableTarget, Reason::JustRemoved);
}

#[test]
fn since_when_it_is_missing_outlives_the_endpoint_no_longer_than_that() {
    let (mut world, before, _) = known();
    world.policies().clear();
    world.pass();
    assert_eq!(world.memory().missing.get(&Field::Policy), Some(&now()));
    let endpoint = world.snapshot.endpoint.clone();
    world.snapshot.endpoint = Fact::Unknown(why()).into();
    world.pass();
    assert_eq!(world.memory().missing.len(), 1, "what cannot be seen changes nothing");
    world.snapshot.endpoint = Fact::Known(None).into();
    world.pass();
    assert!(world.memory().missing.is_empty());
    world.snapshot.endpoint = endpoint;
    let kept = before.settled;
    assert_eq!(world.memory().settled, kept);
}
