//! Rules 27 and 28: what production has shown goes before what a load test says.

use chrono::TimeDelta;
use setpoint::decide::consent::Confirmed;
use setpoint::model::estimate::{Capacity, Estimate, Verdict};
use setpoint::model::fact::{Fact, Why, WhyKind};
use setpoint::model::goal::Mode;
use setpoint::model::memory::Seen;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::units::{RequestsPerSecond, SafetyFactor};

use super::world::{World, assert_held, now, written};

/// 500 in force; one instance serves 743 to 1,033, and the load test says `max_rps`.
fn measured(max_rps: f64) -> World {
    let mut world = World::healthy();
    world.goal.safe_change_grace = TimeDelta::zero();
    world.goal.safety_factor = SafetyFactor::ONE;
    world.goal.load_test.as_mut().unwrap().max_rps = RequestsPerSecond::new(max_rps).unwrap();
    world.in_force(500.0);
    world.memory().highest_applied = Some(5000.0);
    let capacity = Capacity {
        estimate: Some(900.0),
        low: Some(800.0),
        q25: Some(860.0),
        high: Some(1033.0),
        lower_bound: Some(743.0),
    };
    world.estimate = Estimate { verdict: Verdict::Measured, capacity, ..Estimate::unobserved("") };
    world.load(500.0, 1);
    world
}

#[test]
fn rule_27_a_raise_above_the_measured_capacity_waits_for_a_person() {
    for verdict in [Verdict::Measured, Verdict::Inferred] {
        let mut world = measured(25.0);
        world.estimate.verdict = verdict;
        let decision = world.decide();
        assert_held(&decision, Field::TargetValue, Reason::AboveCapacity);
        let told = &decision.report.sentence;
        assert!(told.contains("at most 1033 invocations a minute in production"), "{told}");
        world.rules.confirmed = Confirmed::Asking;
        assert_eq!(written(&world.decide()), Some(1500.0));
    }
    // Up to the upper end it is the owner's business.
    let mut world = measured(1033.0 / 60.0);
    assert!(written(&world.decide()).is_some());
    // What is not measured from both sides says nothing of an upper end.
    for verdict in [Verdict::AtLeast, Verdict::AtMost, Verdict::Unobserved, Verdict::Stale] {
        world = measured(25.0);
        world.estimate.verdict = verdict;
        assert_eq!(written(&world.decide()), Some(1500.0), "{verdict:?}");
    }
}

#[test]
fn rule_27_holds_in_every_mode_drift_or_not_and_no_lowering() {
    // Putting back what somebody lowered is a raise like any other.
    let mut world = measured(25.0);
    world.hold(1500.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::AboveCapacity);
    // In `auto` the owner's floor may lie above.
    let mut world = measured(25.0);
    world.goal.mode = Mode::Auto;
    world.goal.target_value.floor =
        Some(setpoint::model::units::InvocationsPerMinute::new(1200.0).unwrap());
    assert_held(&world.decide(), Field::TargetValue, Reason::AboveCapacity);
    // Down to a value above capacity is nearer to it.
    let mut world = measured(25.0);
    world.in_force(2000.0);
    assert_eq!(written(&world.decide()), Some(1500.0));
}

#[test]
fn rules_27_and_28_hold_for_a_policy_that_has_to_be_made() {
    let mut world = measured(25.0);
    world.without_policy(6);
    assert_held(&world.decide(), Field::Policy, Reason::AboveCapacity);
    let mut world = measured(0.5);
    world.without_policy(6);
    assert_held(&world.decide(), Field::Policy, Reason::BelowProven);
    let mut world = measured(12.0);
    world.without_policy(6);
    assert_eq!(written(&world.decide()), Some(720.0));
}

#[test]
fn rule_28_a_typo_does_not_multiply_the_fleet() {
    // 0.5 RPS where 743 a minute are proven.
    let mut world = measured(0.5);
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::BelowProven);
    let told = &decision.report.sentence;
    assert!(told.contains("proven 743 invocations a minute"), "{told}");
    world.rules.confirmed = Confirmed::Asking;
    assert!(written(&world.decide()).is_some());
    // Half of factor x lower bound is the limit: 371.5.
    assert_held(&measured(371.0 / 60.0).decide(), Field::TargetValue, Reason::BelowProven);
    assert!(written(&measured(372.0 / 60.0).decide()).is_some());
    // The factor counts.
    let mut world = measured(12.2);
    world.goal.safety_factor = SafetyFactor::new(0.5).unwrap();
    world.in_force(700.0);
    assert!(written(&world.decide()).is_some(), "366 is all but factor x bound");
    // Nothing is proven: nothing is held.
    let mut world = measured(0.5);
    world.estimate.capacity.lower_bound = None;
    assert!(written(&world.decide()).is_some());
}

#[test]
fn rule_28_does_not_hold_putting_back_what_an_edit_of_the_day_changed() {
    let edited = |hours: i64| {
        let mut world = measured(5.0);
        world.hold(300.0);
        let since = now() - TimeDelta::hours(hours);
        world.memory().seen.insert(Field::TargetValue, Seen { value: 500.0, since });
        world
    };
    assert_eq!(written(&edited(23).decide()), Some(300.0));
    assert_held(&edited(24).decide(), Field::TargetValue, Reason::BelowProven);
    // Only what was held, and nothing below it.
    let mut world = edited(1);
    world.hold(320.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::BelowProven);
    // The same for a policy that was deleted.
    for (minutes, held) in [(60, false), (24 * 60, true)] {
        let mut world = edited(1);
        world.without_policy(minutes);
        let decision = world.decide();
        assert_eq!(written(&decision), (!held).then_some(300.0), "{minutes}");
    }
}

#[test]
fn rule_28_who_has_confirmed_the_first_step_has_confirmed_the_way() {
    let mut world = measured(5.0);
    world.in_force(1500.0);
    world.load(3000.0, 2);
    world.rules.confirmed = Confirmed::Asking;
    assert_eq!(written(&world.pass()), Some(1001.0));
    world.rules.confirmed = Confirmed::Nothing;
    world.wait(10);
    assert!(written(&world.decide()).is_some(), "{}", world.decide().report.sentence);
    // To what was confirmed, and no further.
    world.goal.load_test.as_mut().unwrap().max_rps = RequestsPerSecond::new(4.0).unwrap();
    assert_held(&world.decide(), Field::TargetValue, Reason::BelowProven);
}

#[test]
fn rule_18_nothing_bold_rests_on_a_part_of_the_history() {
    let part = |max_rps: f64, ratio: Option<f64>| {
        let mut world = measured(max_rps);
        world.estimate.history_complete_ratio = ratio;
        world
    };
    // A raise, though what has been read so far allows it.
    let raise = 900.0 / 60.0;
    for ratio in [0.0, 0.07, 0.99] {
        let decision = part(raise, Some(ratio)).decide();
        assert_held(&decision, Field::TargetValue, Reason::Unknown);
        let told = &decision.report.sentence;
        assert!(told.contains("of the history has been read so far"), "{told}");
    }
    for ratio in [None, Some(1.0)] {
        assert!(written(&part(raise, ratio).decide()).is_some(), "{ratio:?}");
    }
    // A lowering goes at once, unless it is a large one: what is proven is not known yet.
    let lowering = |max_rps: f64| {
        let mut world = part(max_rps, Some(0.07));
        world.estimate.verdict = Verdict::Unobserved;
        world.estimate.capacity = Capacity::default();
        world
    };
    assert!(written(&lowering(450.0 / 60.0).decide()).is_some());
    assert_held(&lowering(200.0 / 60.0).decide(), Field::TargetValue, Reason::Unknown);
    // Putting back what was held before somebody's edit is no typo.
    let mut world = lowering(200.0 / 60.0);
    world.hold(200.0);
    assert!(written(&world.decide()).is_some());
    // A person who confirms it has been shown it.
    let mut world = part(raise, Some(0.07));
    world.rules.confirmed = Confirmed::Asking;
    assert!(written(&world.decide()).is_some());
    // Where nothing can be read, or nobody reads it, repair goes on.
    let mut world = lowering(200.0 / 60.0);
    world.estimate.history_complete_ratio = None;
    world.snapshot.telemetry = Fact::Unknown(Why::new(WhyKind::Denied, "no"));
    assert!(written(&world.decide()).is_some());
}
