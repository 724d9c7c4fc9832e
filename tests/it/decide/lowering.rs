//! Rule 8, downwards: by the instances that a value calls for, at once where somebody else had raised
//! it, and as one write for rule 10.

use chrono::TimeDelta;
use setpoint::model::fact::Fact;
use setpoint::model::memory::TargetWrite;
use setpoint::model::reason::{Field, Reason};

use super::drifts::field;
use super::world::{World, assert_held, now, why, written};

fn wrote(world: &mut World, minutes_ago: i64, before: f64, after: f64) {
    let at = world.now - TimeDelta::minutes(minutes_ago);
    let write = TargetWrite { at, before: Some(before), after };
    world.memory().last_write = Some(write);
    world.memory().last_attempt = Some(write);
}

#[test]
fn a_lowering_calls_for_30_percent_more_instances_or_one_whatever_the_distance() {
    // 4 instances at 475: 600 calls for 4, so a mistyped target is put right in one write.
    let mut world = World::healthy();
    world.load(1900.0, 4);
    world.in_force(60_000.0);
    assert_eq!(written(&world.decide()), Some(600.0));
    // 4,000 at 600 calls for 7 instances; one more than the 4 that run may be called for.
    world.load(4000.0, 4);
    world.in_force(2000.0);
    let decision = world.decide();
    assert_eq!(written(&decision), Some(801.0));
    let (_, reason, sentence) = field(&decision, Field::TargetValue);
    assert_eq!(reason, Reason::LoweringStep);
    assert_eq!(sentence, "one write calls for at most 5 instances at the present load, 4 run");
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::minutes(10)));
    // 13 of 10.
    world.load(10_000.0, 10);
    assert_eq!(written(&world.decide()), Some(770.0));
    // Instances on their way run soon.
    world.load(4000.0, 4);
    world.endpoint().variants[0].desired_instances = Some(5);
    assert_eq!(written(&world.decide()), Some(668.0));
}

#[test]
fn beyond_max_a_value_calls_for_nothing() {
    let mut world = World::healthy();
    world.load(4000.0, 4);
    world.in_force(2000.0);
    world.target().max_capacity = 5;
    world.goal.capacity.max = Some(5);
    assert_eq!(written(&world.decide()), Some(600.0));
    // A max that is about to be raised is no limit.
    world.goal.capacity.max = Some(6);
    assert_eq!(written(&world.decide()), Some(801.0));
}

#[test]
fn the_next_step_waits_for_the_instances_or_10_minutes() {
    let mut world = World::healthy();
    world.load(4000.0, 4);
    world.in_force(801.0);
    wrote(&mut world, 1, 2000.0, 801.0);
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::LoweringStep);
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::minutes(9)));
    assert!(
        decision.report.sentence.contains("are not in service yet"),
        "{}",
        decision.report.sentence
    );
    world.load(4000.0, 5);
    assert_eq!(written(&world.decide()), Some(668.0), "the instances have come");
    world.load(4000.0, 4);
    wrote(&mut world, 10, 2000.0, 801.0);
    assert_eq!(written(&world.decide()), Some(668.0), "or 10 minutes have passed");
}

#[test]
fn instances_have_not_come_while_that_cannot_be_told_or_while_they_are_pending() {
    let come = || {
        let mut world = World::healthy();
        world.load(4000.0, 5);
        world.in_force(801.0);
        wrote(&mut world, 1, 2000.0, 801.0);
        world
    };
    assert_eq!(written(&come().decide()), Some(668.0));
    let mut stale = come();
    stale.telemetry().newest_datapoint = Some(now() - TimeDelta::minutes(46));
    let decision = stale.decide();
    assert_held(&decision, Field::TargetValue, Reason::LoweringStep);
    assert!(decision.report.sentence.contains("is not known"), "{}", decision.report.sentence);
    let mut pending = come();
    pending.endpoint().variants[0].desired_instances = Some(6);
    assert_held(&pending.decide(), Field::TargetValue, Reason::LoweringStep);
    let mut uncounted = come();
    uncounted.endpoint().variants[0].current_instances = None;
    assert_held(&uncounted.decide(), Field::TargetValue, Reason::LoweringStep);
}

#[test]
fn a_fleet_that_is_behind_gets_no_further_calls() {
    let mut world = World::healthy();
    // 900 calls for 9, and 4 run.
    world.load(8100.0, 4);
    world.in_force(900.0);
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::LoweringStep);
    let told = &decision.report.sentence;
    assert!(told.contains("the instances that 900 needs are not in service yet"), "{told}");
}

#[test]
fn without_a_known_load_it_is_30_percent_of_the_value() {
    let unknown: [fn(&mut World); 3] = [
        |w| w.snapshot.telemetry = Fact::Unknown(why()),
        |w| w.telemetry().newest_datapoint = Some(now() - TimeDelta::minutes(46)),
        |w| w.endpoint().variants[0].current_instances = None,
    ];
    for make_unknown in unknown {
        let mut world = World::healthy();
        world.in_force(1200.0);
        make_unknown(&mut world);
        let decision = world.decide();
        assert_eq!(written(&decision), Some(840.0));
        assert!(field(&decision, Field::TargetValue).2.contains("by at most 30 %"));
    }
}

/// 600 is held, and somebody types 60,000 while the load calls for 67 instances at 600.
fn mistyped() -> World {
    let mut world = World::healthy();
    world.pass();
    assert_eq!(world.memory().last_applied.map(|held| held.value), Some(600.0));
    world.load(40_000.0, 4);
    world.in_force(60_000.0);
    world.target().max_capacity = 100;
    world.goal.capacity.max = Some(100);
    world
}

#[test]
fn what_was_held_before_a_foreign_edit_comes_back_at_once_whatever_the_distance() {
    assert_eq!(written(&mistyped().decide()), Some(600.0));
    let mut blind = mistyped();
    blind.snapshot.telemetry = Fact::Unknown(why());
    assert_eq!(written(&blind.decide()), Some(600.0));
    // No lower than that: what is wanted below it has not been held.
    let mut lower = mistyped();
    lower.goal.safety_factor = setpoint::model::units::SafetyFactor::new(0.25).unwrap();
    assert_eq!(written(&lower.decide()), Some(600.0));
    // A lost memory does not know what was held.
    let mut forgotten = mistyped();
    forgotten.memory().last_applied = None;
    assert_eq!(written(&forgotten.decide()), Some(8008.0));
}

#[test]
fn what_setpoint_wrote_itself_is_no_foreign_edit() {
    let own: [fn(&mut World); 3] = [
        |w| wrote(w, 60, 40_000.0, 60_000.0),
        |w| {
            let at = w.now;
            w.memory().last_attempt =
                Some(TargetWrite { at, before: Some(600.0), after: 60_000.0 });
        },
        |w| {
            let at = w.now;
            w.memory().intent =
                Some(TargetWrite { at, before: Some(60_000.0), after: 600.0 }.into());
        },
    ];
    for make_own in own {
        let mut world = mistyped();
        make_own(&mut world);
        assert_eq!(written(&world.decide()), Some(8008.0));
    }
}

#[test]
fn a_new_foreign_edit_is_no_step_of_the_last_lowering() {
    // 700 -> 600 a minute ago; then somebody types 5,000, with and without telemetry.
    for blind in [false, true] {
        let mut world = World::drifted();
        world.pass();
        world.wait(1);
        world.in_force(5000.0);
        if blind {
            world.snapshot.telemetry = Fact::Unknown(why());
        }
        assert_eq!(written(&world.decide()), Some(600.0), "blind: {blind}");
        // Not even where what was held is not remembered: it begins a lowering of its own.
        world.memory().last_applied = None;
        assert_eq!(written(&world.decide()), Some(if blind { 3500.0 } else { 600.0 }));
    }
}

#[test]
fn rule_10_the_steps_of_one_lowering_are_one_write() {
    let mut world = World::healthy();
    world.snapshot.telemetry = Fact::Unknown(why());
    world.in_force(60_000.0);
    let mut steps = 0;
    while world.tracking().target_value > 600.0 {
        let decision = world.pass();
        assert!(written(&decision).is_some(), "{}", decision.report.sentence);
        let now = world.now;
        assert_eq!(world.memory().writes, [now], "step {steps}");
        steps += 1;
        world.wait(10);
    }
    assert_eq!(steps, 13);
    assert_eq!(world.memory().lowering, None, "the last step has reached it");
    // The next lowering is a write of its own.
    world.memory().last_applied = None;
    world.in_force(700.0);
    world.pass();
    assert_eq!(world.memory().writes.len(), 2);
}

#[test]
fn rule_10_a_lowering_that_has_begun_goes_on_at_the_limit_and_no_other_write_does() {
    let begun = || {
        let mut world = World::healthy();
        world.snapshot.telemetry = Fact::Unknown(why());
        world.in_force(60_000.0);
        world.pass();
        world.wait(10);
        let now = world.now;
        world.memory().writes.extend([now - TimeDelta::minutes(5); 5]);
        world
    };
    assert_eq!(begun().memory().writes.len(), 6);
    assert!(written(&begun().decide()).is_some());
    // Another field of the same policy waits for the limit.
    let mut world = begun();
    world.tracking().scale_out_cooldown = Some(7);
    assert_eq!(field(&world.decide(), Field::ScaleOutCooldown).1, Reason::WriteLimit);
    // A foreign value is no step of it, nor is an attempt after one that failed.
    let mut world = begun();
    world.memory().last_applied = None;
    world.in_force(50_000.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::WriteLimit);
    let mut world = begun();
    let failed = TargetWrite { at: world.now, before: Some(42_000.0), after: 29_400.0 };
    world.memory().last_attempt = Some(failed);
    assert_held(&world.decide(), Field::TargetValue, Reason::WriteLimit);
}
