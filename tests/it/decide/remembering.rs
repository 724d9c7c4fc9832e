//! What is remembered of a pass, and what forgetting costs.

use chrono::TimeDelta;
use setpoint::decide::remember::remember;
use setpoint::model::decision::{Outcome, StepOutcome, StepResult};
use setpoint::model::fact::Fact;
use setpoint::model::memory::{Overwrite, TargetWrite, VariantMemory};
use setpoint::model::reason::{Field, Reason};

use super::world::{World, assert_held, now, why, written};

/// The memory after a pass over this world.
pub(super) fn remembered(
    world: &World,
    before: &VariantMemory,
    decision: &setpoint::model::Decision,
    outcome: Option<&Outcome>,
) -> VariantMemory {
    remember(before, (&world.snapshot, &world.goal), (decision, outcome), world.now)
}

fn outcome(result: StepResult) -> Outcome {
    let step = StepOutcome { result, ..StepOutcome::success("PutScalingPolicy", "") };
    Outcome { steps: vec![step] }
}

#[test]
fn a_write_is_remembered_with_the_value_before_it() {
    let world = World::drifted();
    let decision = world.decide();
    let before = VariantMemory::default();
    let success = outcome(StepResult::Success);
    let memory = remembered(&world, &before, &decision, Some(&success));
    let write = TargetWrite { at: now(), before: Some(700.0), after: 600.0 };
    assert_eq!(memory.last_write, Some(write));
    assert_eq!(memory.writes, vec![now()]);
    assert!(memory.adopted && memory.raises.is_empty());
    assert_eq!(memory.highest_applied, None, "a value passed on the way down was not held");

    let skipped = outcome(StepResult::Skipped);
    let memory = remembered(&world, &before, &decision, Some(&skipped));
    assert_eq!((memory.last_write, memory.writes.len(), memory.adopted), (None, 0, false));
}

#[test]
fn a_raise_that_failed_may_have_landed_and_uses_up_new_ground() {
    let mut world = World::healthy();
    world.goal.safe_change_grace = TimeDelta::zero();
    world.in_force(300.0);
    world.load(200.0, 1);
    world.memory().highest_applied = Some(300.0);
    let decision = world.decide();
    let before = world.memory().clone();
    let error = outcome(StepResult::Error);
    let after = remembered(&world, &before, &decision, Some(&error));
    *world.memory() = after;
    assert_eq!(world.memory().highest_applied, Some(300.0));
    // The same step may be tried again; it may not go further.
    world.in_force(330.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::NewGround);
}

/// Somebody puts 700 in force; a pass sees it, and writes what it decides.
fn overwritten(world: &mut World) -> setpoint::model::Decision {
    world.now += TimeDelta::days(1);
    world.in_force(700.0);
    let decision = world.decide();
    let wrote = outcome(StepResult::Success);
    let outcome = (!decision.plan.is_empty()).then_some(&wrote);
    let before = world.memory().clone();
    let after = remembered(world, &before, &decision, outcome);
    *world.memory() = after;
    decision
}

#[test]
fn two_foreign_overwrites_of_the_same_value_silence_us() {
    let mut world = World::healthy();
    *world.memory() = VariantMemory { adopted: true, ..VariantMemory::default() };
    assert_eq!(written(&overwritten(&mut world)), Some(600.0), "it was there before us");
    assert_eq!(written(&overwritten(&mut world)), Some(600.0), "the first overwrite of ours");
    assert_held(&overwritten(&mut world), Field::TargetValue, Reason::OtherWriter);
    assert_eq!(world.memory().foreign_overwrites[&Field::TargetValue].len(), 2);
    // The next pass sees the same value: that is no third overwrite, and still no write.
    let decision = world.decide();
    let before = world.memory().clone();
    let memory = remembered(&world, &before, &decision, None);
    assert_eq!(memory.foreign_overwrites[&Field::TargetValue].len(), 2);
    assert_held(&decision, Field::TargetValue, Reason::OtherWriter);
}

#[test]
fn a_value_is_seen_since_it_has_been_there() {
    let mut world = World::healthy();
    world.in_force(500.0);
    let first = remembered(&world, &VariantMemory::default(), &world.decide(), None);
    let later = now() + TimeDelta::hours(3);
    *world.memory() = first;
    world.now = later;
    let before = world.memory().clone();
    let second = remembered(&world, &before, &world.decide(), None);
    assert_eq!(second.seen[&Field::TargetValue].since, now());
    *world.memory() = second;
    world.in_force(450.0);
    let before = world.memory().clone();
    let third = remembered(&world, &before, &world.decide(), None);
    assert_eq!(third.seen[&Field::TargetValue].since, later);
}

#[test]
fn overwrites_that_are_steps_of_rule_8_are_another_setpoint() {
    // 10 % up from what was put in force: what rule 8 lets another one do, and people rarely.
    let overwritten = |values: &[f64], minutes: i64| {
        let mut world = World::healthy();
        world.memory().last_write =
            Some(TargetWrite { at: now(), before: Some(700.0), after: 600.0 });
        for (n, value) in (0..).zip(values) {
            world.now = now() + TimeDelta::minutes(minutes * n);
            world.in_force(*value);
            let before = world.memory().clone();
            let decision = world.decide();
            let memory = remembered(&world, &before, &decision, None);
            *world.memory() = memory;
            // And it is put back.
            world.memory().value_in_force = Some(600.0);
        }
        world
    };
    let reason = |world: &World| world.decide().report.reason;
    assert_eq!(reason(&overwritten(&[660.0, 660.0], 6)), Reason::OtherSetpoint);
    assert_eq!(reason(&overwritten(&[420.0, 660.0], 6)), Reason::OtherSetpoint);
    // One may be chance, and two within minutes one person at work; other values are rule 22's.
    for (values, minutes) in [(&[660.0][..], 6), (&[660.0, 420.0], 2), (&[700.0, 700.0], 6)] {
        assert_ne!(reason(&overwritten(values, minutes)), Reason::OtherSetpoint, "{values:?}");
    }
}

#[test]
fn an_overwrite_while_the_policies_could_not_be_read_is_one() {
    let mut world = World::healthy();
    *world.memory() = VariantMemory { adopted: true, ..VariantMemory::default() };
    overwritten(&mut world);
    let policies = world.snapshot.policies.clone();
    world.snapshot.policies = Fact::Unknown(why()).into();
    let before = world.memory().clone();
    let after = remembered(&world, &before, &world.decide(), None);
    assert_eq!(after.value_in_force, Some(600.0), "what could not be read has not gone");
    *world.memory() = after;
    world.snapshot.policies = policies;
    overwritten(&mut world);
    assert_eq!(world.memory().foreign_overwrites[&Field::TargetValue].len(), 1);
}

#[test]
fn a_field_that_another_writer_holds_is_not_taken_back_by_waiting() {
    let mut world = World::drifted();
    let ago = |days| Overwrite { at: now() - TimeDelta::days(days), value: 700.0 };
    let alone = Overwrite { at: now() - TimeDelta::days(31), value: 650.0 };
    world.memory().foreign_overwrites.insert(Field::TargetValue, vec![ago(31), ago(2), alone]);
    let before = world.memory().clone();
    let after = remembered(&world, &before, &world.decide(), None);
    let kept = &after.foreign_overwrites[&Field::TargetValue];
    assert_eq!(kept.iter().map(|o| o.value).collect::<Vec<_>>(), [700.0, 700.0]);
    *world.memory() = after;
    assert_held(&world.decide(), Field::TargetValue, Reason::OtherWriter);
    // Others that come after it do not crowd it out.
    for value in [710.0, 720.0, 730.0, 740.0, 750.0, 760.0, 770.0, 780.0] {
        world.now += TimeDelta::days(1);
        world.in_force(value);
        let before = VariantMemory { value_in_force: Some(600.0), ..world.memory().clone() };
        *world.memory() = remembered(&world, &before, &world.decide(), None);
    }
    world.in_force(700.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::OtherWriter);
}

#[test]
fn each_value_that_another_writer_holds_is_kept() {
    let world = World::drifted();
    let mut before = VariantMemory::default();
    let old = |value| Overwrite { at: now() - TimeDelta::days(31), value };
    let all = vec![old(700.0), old(800.0), old(700.0), old(650.0), old(800.0)];
    before.foreign_overwrites.insert(Field::TargetValue, all);
    let after = remembered(&world, &before, &world.decide(), None);
    let kept = after.foreign_overwrites[&Field::TargetValue].iter().map(|o| o.value);
    assert_eq!(kept.collect::<Vec<_>>(), [700.0, 800.0, 700.0, 800.0]);
}
