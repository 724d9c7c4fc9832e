//! Rule 8: a raise that follows a measured capacity goes to the lowest that was reported for hours, and is worth it. A
//! lowering does not wait. What the hours have reported is part of the estimate, so that nothing but telemetry begins
//! or ends them.

use chrono::TimeDelta;
use setpoint::decide::consent::Confirmed;
use setpoint::model::consent::{Shown, ShownField};
use setpoint::model::decision::FieldState;
use setpoint::model::estimate::{Capacity, Finding, Regime, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::goal::Mode;
use setpoint::model::lows::Low;
use setpoint::model::memory::{FactorInUse, KnownRegime, Lowering, TargetWrite, VariantMemory};
use setpoint::model::reason::{ActionKind, Field, Reason};
use setpoint::model::units::{InvocationsPerMinute, SafetyFactor};

use super::auto::auto;
use super::world::{World, assert_held, now, why, written};

/// 400 is in force and its own, nothing but the estimate limits a raise, and its lower quartile allows 480.
fn world() -> World {
    let mut world = auto(Verdict::Measured);
    world.in_force(400.0);
    world.hold(400.0);
    world.load(300.0, 1);
    world
}

/// What was reported in the hours that ended so long ago, as values at a factor of a half.
fn reported(world: &mut World, lows: &[(i64, Option<f64>)]) {
    let low = |&(ago, value): &(i64, Option<f64>)| Low {
        until: now() - TimeDelta::hours(ago),
        capacity: value.map(|value| 2.0 * value),
    };
    world.estimate.lows = lows.iter().map(low).collect();
}

/// The estimate allows this value now.
fn allows(world: &mut World, value: f64) {
    let of = |share: f64| Some(2.0 * value * share);
    world.estimate.capacity = Capacity {
        estimate: of(1.04),
        low: of(0.94),
        q25: of(1.0),
        high: of(1.15),
        lower_bound: of(0.83),
    };
}

/// What becomes of the target value, why, and in which words.
fn said(world: &World) -> (FieldState, Reason, String) {
    let decision = world.decide();
    let field = decision.report.fields.iter().find(|f| f.field == Field::TargetValue).unwrap();
    (field.state, field.reason, field.sentence.to_string())
}

/// 480 is allowed, and 430 was at the lowest, two hours ago.
fn waiting() -> World {
    let mut world = world();
    reported(&mut world, &[(2, Some(430.0)), (-1, Some(480.0))]);
    world
}

#[test]
fn a_raise_waits_until_six_hours_have_reported_it_and_says_until_when() {
    let mut world = waiting();
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::Settling);
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::hours(4)));
    let sentence = "the capacity of the last 6 hours allowed 430 at its lowest; a raise waits until \
                    2026-11-23T16:00Z, unless that happens again";
    assert_eq!(said(&world).2, sentence);
    world.wait(4 * 60 - 1);
    assert_held(&world.decide(), Field::TargetValue, Reason::Settling);
    world.wait(1);
    assert_eq!(written(&world.decide()), Some(480.0));
    assert_eq!(said(&world).1, Reason::SafeTarget);
}

#[test]
fn where_the_hours_differ_by_less_than_the_dead_band_it_goes_to_the_lowest() {
    let mut world = world();
    reported(&mut world, &[(2, Some(460.0)), (-1, Some(480.0))]);
    assert_eq!(written(&world.decide()), Some(460.0));
    let sentence = "a raise goes to the lowest value that the capacity of the last 6 hours allows";
    assert_eq!(said(&world), (FieldState::Write, Reason::Settling, sentence.to_owned()));
}

#[test]
fn a_lowering_does_not_wait() {
    let mut world = world();
    reported(&mut world, &[(2, Some(430.0)), (-1, Some(430.0))]);
    allows(&mut world, 320.0);
    assert_eq!(written(&world.decide()), Some(320.0));
}

#[test]
fn where_latency_wanders_the_hours_are_those_of_a_day() {
    let mut world = world();
    reported(&mut world, &[(7, Some(430.0)), (-1, Some(480.0))]);
    assert_eq!(written(&world.decide()), Some(480.0));
    world.estimate.wander = Some(0.13);
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::Settling);
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::hours(17)));
}

#[test]
fn an_hour_in_which_nothing_was_known_counts_as_one_and_says_so() {
    let mut world = world();
    reported(&mut world, &[(2, None), (-1, Some(480.0))]);
    let (state, reason, sentence) = said(&world);
    assert_eq!((state, reason), (FieldState::Held, Reason::Settling));
    let expected = "a raise waits until the capacity has been known for 6 hours, at 2026-11-23T16:00Z at the earliest";
    assert_eq!(sentence, expected);
}

#[test]
fn what_is_proven_or_load_tested_does_not_turn_and_does_not_wait() {
    let mut world = waiting();
    world.estimate.verdict = Verdict::AtLeast;
    // The formula of the load test; the bound of 800 alone gives 400.
    assert_eq!(written(&world.decide()), Some(500.0));
}

#[test]
fn no_edit_of_a_person_makes_a_lowering_of_a_raise() {
    // Somebody sets a value above what was reported at the lowest, and below what is allowed now.
    for edit in [435.0, 440.0, 444.0, 455.0, 470.0] {
        let mut world = waiting();
        world.hold(400.0);
        world.in_force(edit);
        let to = written(&world.decide());
        assert!(to.is_none_or(|to| to > edit), "{edit}: {to:?}");
    }
}

#[test]
fn another_safety_factor_moves_what_the_hours_allow_with_it() {
    let mut world = waiting();
    reported(&mut world, &[(2, Some(475.0)), (-1, Some(480.0))]);
    for (factor, to) in [(0.5, 475.0), (0.6, 570.0)] {
        world.goal.safety_factor = SafetyFactor::new(factor).unwrap();
        world.goal.load_test = None;
        assert_eq!(written(&world.decide()), Some(to));
    }
    // A raise never becomes a lowering, whatever the factor was before.
    let mut world = waiting();
    world.in_force(450.0);
    world.goal.safety_factor = SafetyFactor::new(0.55).unwrap();
    assert_held(&world.decide(), Field::TargetValue, Reason::Settling);
}

#[test]
fn a_listing_that_failed_or_a_memory_that_was_lost_begins_nothing_anew() {
    let mut world = waiting();
    world.wait(3 * 60);
    world.snapshot.policies = Fact::Unknown(why()).into();
    world.pass();
    let policies = waiting().snapshot.policies;
    world.snapshot.policies = policies;
    *world.memory() = VariantMemory {
        since: Some(now() - TimeDelta::days(2)),
        highest_applied: Some(600.0),
        ..VariantMemory::default()
    };
    world.wait(60);
    assert_eq!(written(&world.decide()), Some(480.0));
}

#[test]
fn what_somebody_else_has_lowered_comes_back_at_once_and_no_further() {
    let mut world = waiting();
    world.hold(450.0);
    assert_eq!(written(&world.decide()), Some(450.0));
    let (_, reason, sentence) = said(&world);
    assert_eq!(reason, Reason::Settling);
    assert!(sentence.starts_with("the value from before somebody else lowered it"), "{sentence}");
    // By less than 8 % as well: that band is for values that setpoint has put there.
    world.hold(425.0);
    assert_eq!(written(&world.decide()), Some(425.0));
    // What repair puts back does not follow the estimate.
    world.goal.mode = Mode::Repair;
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn a_step_that_a_person_has_confirmed_is_written_as_it_was_shown() {
    let mut world = world();
    reported(&mut world, &[(2, Some(460.0)), (-1, Some(480.0))]);
    let field = ShownField {
        field: Field::TargetValue,
        actual: Some("400".to_owned()),
        number: Some(400.0),
        desired: Some("480".to_owned()),
    };
    let plan = world.decide().plan;
    world.rules.confirmed = Confirmed::Only(Shown::new(vec![field], &plan));
    // Between the question and the answer less was reported.
    reported(&mut world, &[(0, Some(430.0)), (-1, Some(480.0))]);
    assert_eq!(written(&world.decide()), Some(460.0));
}

#[test]
fn observe_shows_the_raise_that_auto_would_make_and_the_wait_too() {
    let mut world = waiting();
    let preview = |world: &World| {
        let report = world.decide().report;
        report.would.iter().find(|w| w.mode == Mode::Auto).unwrap().clone()
    };
    world.goal.mode = Mode::Observe;
    let waits = preview(&world);
    assert_eq!((waits.action, waits.reason), (ActionKind::Hold, Reason::Settling));
    world.wait(4 * 60);
    let raises = preview(&world);
    assert_eq!((raises.action, raises.target), (ActionKind::SetTarget, Some(480.0)));
}

#[test]
fn a_raise_that_waits_for_its_estimate_is_no_drift_that_somebody_has_to_repair() {
    let mut world = waiting();
    world.pass();
    assert_eq!(world.memory().lasting.drift.get(&Field::TargetValue), None);
    assert_eq!(world.memory().lasting.held, Some(now()), "it is held all the same");
    // What another rule holds is.
    world.goal.mode = Mode::Observe;
    world.pass();
    assert_eq!(world.memory().lasting.drift.get(&Field::TargetValue), Some(&now()));
}

#[test]
fn a_deploy_neither_begins_nor_ends_the_hours() {
    let mut world = waiting();
    let started_at = now() - TimeDelta::hours(2);
    world.estimate.regime =
        Some(Regime { started_at, declared: true, first: false, speed_ratio: Some(0.8) });
    world.memory().known_regime = Some(KnownRegime { started_at, since: started_at });
    assert_held(&world.decide(), Field::TargetValue, Reason::Settling);
    world.wait(4 * 60);
    assert_eq!(written(&world.decide()), Some(480.0));
}

#[test]
fn a_raise_by_less_than_eight_per_cent_is_left_alone_and_says_so() {
    let mut world = world();
    allows(&mut world, 431.0);
    let sentence = "400 is less than 8 % below the wanted 431".to_owned();
    assert_eq!(said(&world), (FieldState::InSync, Reason::DeadBand, sentence));
    allows(&mut world, 432.0);
    assert_eq!(written(&world.decide()), Some(432.0));
    // A bound that is proven does not waver.
    allows(&mut world, 431.0);
    world.estimate.verdict = Verdict::AtLeast;
    world.estimate.capacity.lower_bound = Some(862.0);
    world.goal.load_test = None;
    assert_eq!(written(&world.decide()), Some(431.0));
}

/// 360 is allowed at a factor of a half, the capacity's median is 780, and its upper end gives this value.
fn up_to(world: &mut World, value: f64) {
    allows(world, 360.0);
    world.estimate.capacity.estimate = Some(780.0);
    world.estimate.capacity.high = Some(2.0 * value);
}

#[test]
fn a_value_that_the_interval_does_not_exclude_is_not_lowered() {
    let mut world = world();
    up_to(&mut world, 400.0);
    let sentence =
        "400 stays: what was measured does not exclude it (up to 400); wanted 360".to_owned();
    assert_eq!(said(&world), (FieldState::InSync, Reason::DeadBand, sentence));
    up_to(&mut world, 399.0);
    assert_eq!(written(&world.decide()), Some(360.0));
    // Nor where production says that instances get more than they can serve.
    up_to(&mut world, 400.0);
    for finding in Finding::ALL {
        world.estimate.findings = vec![finding];
        let to = finding.is_unsafe().then_some(360.0);
        assert_eq!(written(&world.decide()), to, "{finding:?}");
    }
}

#[test]
fn a_wide_interval_leaves_two_thirds_of_the_headroom() {
    let mut world = world();
    let median = |world: &mut World, factor: f64, median: f64| {
        world.goal.safety_factor = SafetyFactor::new(factor).unwrap();
        world.goal.load_test = None;
        let capacity = &mut world.estimate.capacity;
        *capacity = Capacity {
            estimate: Some(median),
            low: Some(220.0 / factor),
            q25: Some(260.0 / factor),
            high: Some(900.0 / factor),
            lower_bound: Some(220.0 / factor),
        };
    };
    // Of a median of 600 a factor of a half leaves 300, and two thirds of them are 200.
    for (factor, least) in [(0.5, 600.0), (0.8, 400.0 / (0.8 + 0.2 / 3.0)), (1.0, 400.0)] {
        median(&mut world, factor, least + 0.1);
        assert_eq!(written(&world.decide()), None, "{factor}");
        median(&mut world, factor, least - 1.0);
        assert_eq!(written(&world.decide()), Some(260.0), "{factor}");
    }
}

/// The capacity allows 360, its interval up to 440, and the owner has asked for a fifth more headroom than 400 has.
fn asked_for_more() -> World {
    let mut world = world();
    up_to(&mut world, 440.0);
    world.pass();
    assert_eq!(world.memory().applied_factor, Some(0.5));
    world.goal.safety_factor = SafetyFactor::new(0.4).unwrap();
    world.goal.load_test = None;
    world.estimate.capacity.high = Some(1_100.0);
    world
}

#[test]
fn an_owner_who_asks_for_more_headroom_gets_it_at_once() {
    let mut world = asked_for_more();
    assert_eq!(written(&world.decide()), Some(288.0));
    // What that writes has it, and an interval again.
    world.in_force(288.0);
    world.hold(288.0);
    world.pass();
    assert_eq!(world.memory().applied_factor, Some(0.4));
    world.in_force(320.0);
    world.hold(320.0);
    assert_eq!(written(&world.decide()), None);
    // What an automatic factor makes of it is no wish of theirs.
    let mut world = asked_for_more();
    world.goal.safety_factor_auto = true;
    world.memory().applied_factor = Some(0.41);
    assert_eq!(written(&world.decide()), None);
}

#[test]
fn what_keeps_a_value_for_another_reason_does_not_take_the_owners_wish_for_headroom_away() {
    // A verdict that may not lower, and a floor.
    let mut at_least = asked_for_more();
    at_least.estimate.verdict = Verdict::AtLeast;
    at_least.pass();
    let mut floor = asked_for_more();
    floor.goal.target_value.floor = Some(InvocationsPerMinute::new(400.0).unwrap());
    floor.pass();
    for (mut world, what) in [(at_least, "at least"), (floor, "floor")] {
        assert_eq!(world.memory().applied_factor, Some(0.5), "{what}");
        world.estimate.verdict = Verdict::Measured;
        world.goal.target_value.floor = None;
        assert_eq!(written(&world.decide()), Some(288.0), "{what}");
    }
    // A value that has what a lower factor asks for, within the 5 % that are left alone, has it without a write: 392
    // is what 0.49 makes of the capacity.
    let mut world = world();
    allows(&mut world, 400.0);
    world.pass();
    world.goal.safety_factor = SafetyFactor::new(0.49).unwrap();
    world.goal.load_test = None;
    world.pass();
    assert_eq!(world.memory().applied_factor, Some(0.49));
    // So has what the load test's formula gives, while nothing is measured.
    let mut world = self::world();
    world.estimate.verdict = Verdict::Unobserved;
    world.memory().applied_factor = Some(0.6);
    world.in_force(600.0);
    world.hold(600.0);
    world.pass();
    assert_eq!(world.memory().applied_factor, Some(0.5));
}

#[test]
fn a_lowering_in_steps_ends_where_one_write_would() {
    let mut world = world();
    world.in_force(900.0);
    world.hold(900.0);
    allows(&mut world, 360.0);
    (world.estimate.capacity.estimate, world.estimate.capacity.high) =
        (Some(1_000.0), Some(1_250.0));
    world.load(300.0, 1);
    assert_eq!(written(&world.decide()), Some(360.0));
    world.load(9_000.0, 10);
    let mut value = 900.0;
    let mut steps = Vec::new();
    while let Some(to) = written(&world.decide()) {
        let at = world.now;
        let write = TargetWrite { at, before: Some(value), after: to };
        world.memory().last_write = Some(write);
        world.memory().last_attempt = Some(write);
        world.memory().lowering = (to > 360.0).then_some(Lowering { to: 360.0, confirmed: false });
        value = to;
        world.in_force(value);
        world.hold(value);
        let instances = (9_000.0 / value).ceil() as u32;
        world.load(9_000.0, instances);
        world.wait(11);
        steps.push(to);
        assert!(steps.len() < 10, "{steps:?}");
    }
    assert!(steps.len() > 1, "{steps:?}");
    assert_eq!(value, 360.0, "{steps:?}");
}

#[test]
fn a_value_that_claims_too_much_by_the_configured_factor_does_not_stay() {
    // `auto` has raised 0.6 to 0.7; by 0.6, 790 claims 1,317 where 1,150 is the upper end.
    let mut world = world();
    world.in_force(790.0);
    world.hold(790.0);
    world.goal.safety_factor = SafetyFactor::new(0.6).unwrap();
    world.goal.safety_factor_auto = true;
    world.goal.load_test = None;
    world.memory().safety_factor = Some(FactorInUse { value: 0.7, since: now() });
    world.estimate.capacity = Capacity {
        estimate: Some(1_000.0),
        low: Some(900.0),
        q25: Some(960.0),
        high: Some(1_150.0),
        lower_bound: Some(880.0),
    };
    assert_eq!(written(&world.decide()), Some(672.0));
    // 760 claims 1,267, which is within a tenth of the upper end.
    world.in_force(760.0);
    world.hold(760.0);
    assert_eq!(written(&world.decide()), None);
}

#[test]
fn a_memory_that_knows_no_factor_counts_as_of_the_one_in_use() {
    let mut world = world();
    up_to(&mut world, 400.0);
    world.memory().applied_factor = None;
    assert_eq!(written(&world.decide()), None);
    world.memory().applied_factor = Some(0.51);
    assert_eq!(written(&world.decide()), Some(360.0));
}

#[test]
fn what_setpoint_has_not_put_there_and_what_the_owner_forbids_has_the_narrow_band() {
    let mut world = world();
    allows(&mut world, 370.0);
    world.estimate.capacity.estimate = Some(800.0);
    world.estimate.capacity.high = Some(900.0);
    assert_eq!(said(&world).1, Reason::DeadBand);
    let own = world.memory().last_applied.take();
    assert_eq!(written(&world.decide()), Some(370.0), "it is there since before the first contact");
    world.memory().last_applied = own;
    world.hold(375.0);
    assert_eq!(written(&world.decide()), Some(370.0));
    world.hold(400.0);
    world.goal.target_value.ceiling = Some(InvocationsPerMinute::new(372.0).unwrap());
    assert_eq!(written(&world.decide()), Some(370.0));
}

#[test]
fn what_the_hours_allow_of_an_owners_floor_or_of_a_foreign_raise_does_not_wait() {
    let mut world = waiting();
    world.goal.target_value.floor = Some(InvocationsPerMinute::new(420.0).unwrap());
    assert_eq!(written(&world.decide()), Some(430.0));
    // Somebody has raised 390 to 400, and 425 is wanted: 6 %, which the narrow band has no room for.
    let mut world = self::world();
    world.hold(390.0);
    allows(&mut world, 425.0);
    reported(&mut world, &[(2, Some(423.0)), (-1, Some(425.0))]);
    assert_eq!(written(&world.decide()), Some(423.0));
}

#[test]
fn a_lowering_that_has_come_near_enough_has_ended() {
    let mut world = world();
    allows(&mut world, 380.0);
    world.memory().lowering = Some(Lowering { to: 380.0, confirmed: true });
    world.pass();
    assert_eq!(world.memory().lowering, None);
}

#[test]
fn a_raise_that_other_limits_cut_to_less_than_the_dead_band_waits() {
    let mut world = world();
    world.memory().highest_applied = Some(405.0);
    world.memory().since = Some(now() - TimeDelta::hours(20));
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::NewGround);
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::hours(4)));
    world.wait(4 * 60);
    assert_eq!(written(&world.decide()), Some(445.0));
}
