//! Where a guard begins and ends to hold, by one.

use chrono::TimeDelta;
use setpoint::decide::case::Case;
use setpoint::decide::consent::Confirmed;
use setpoint::decide::mass_change::mass_change;
use setpoint::decide::remember::remember;
use setpoint::model::consent::Consent;
use setpoint::model::decision::{Action, Outcome, StepOutcome, StepResult};
use setpoint::model::estimate::Verdict;
use setpoint::model::fact::Fact;
use setpoint::model::factor::FactorAdvice;
use setpoint::model::goal::{CapacityGoal, MassChangeLimit, Mode};
use setpoint::model::memory::{Seen, TargetWrite, VariantMemory};
use setpoint::model::reason::{ActionKind, Field, Reason};
use setpoint::model::scaling::ScheduledAction;

use super::drifts::field;
use super::world::{World, assert_held, now, why, written};

#[test]
fn rule_9_begins_at_one_more_than_the_limit() {
    let (bad, good) = (World::drifted().decide(), World::healthy().decide());
    let limit = MassChangeLimit { min_variants: 3, ratio: 0.1, withheld: 0 };
    for (fleet, most) in [(3, 3), (29, 3), (40, 4), (49, 4), (50, 5), (1000, 100)] {
        let found = |changing: usize| {
            let decisions: Vec<_> =
                (0..fleet).map(|i| if i < changing { &bad } else { &good }).collect();
            mass_change(&decisions, limit, &Consent::default()).map(|m| m.limit)
        };
        assert_eq!(found(most.min(fleet)), None, "{most} of {fleet}");
        if most < fleet {
            assert_eq!(found(most + 1), Some(most), "{} of {fleet}", most + 1);
        }
    }
}

/// 600 wanted, `from` in force, the grace over.
fn raised_from(from: f64, load: f64, instances: u32) -> World {
    let mut world = World::healthy();
    world.goal.safe_change_grace = TimeDelta::zero();
    world.in_force(from);
    world.load(load, instances);
    world
}

#[test]
fn rule_8_a_raise_takes_one_of_a_small_fleet_and_no_two() {
    // 600 would leave 2 of 4, 3 of 9, and 8 of 10 may stay.
    for (from, load, instances, stay) in
        [(275.0, 1100.0, 4, 3), (200.0, 1790.0, 9, 8), (250.0, 2390.0, 10, 8)]
    {
        let value = written(&raised_from(from, load, instances).decide()).unwrap();
        assert_eq!((load / value).ceil() as u32, stay, "{instances}: {value}");
    }
}

#[test]
fn rule_8_two_instances_may_become_one_and_one_stays() {
    // Of two, one may go whatever the value: the last one stays.
    assert_eq!(written(&raised_from(200.0, 390.0, 2).decide()), Some(600.0));
    assert_eq!(written(&raised_from(200.0, 190.0, 1).decide()), Some(600.0));
}

#[test]
fn an_endpoint_of_unknown_state_is_neither_free_nor_frozen() {
    let mut world = World::drifted();
    world.snapshot.endpoint = Fact::Unknown(why()).into();
    let World { snapshot, goal, estimate, rules, now } = &world;
    let case = Case::new(snapshot, goal, estimate, rules, *now);
    assert_eq!(case.readiness(), Err(why()));
    assert_held(&world.decide(), Field::TargetValue, Reason::Unknown);
}

/// As for every other unknown: that the mode holds it says less.
#[test]
fn in_observe_an_unknown_endpoint_comes_before_what_is_held() {
    let mut world = World::drifted();
    world.goal.mode = Mode::Observe;
    assert_eq!(world.decide().report.reason, Reason::Observe);
    world.snapshot.endpoint = Fact::Unknown(why()).into();
    let observed = world.decide();
    assert_held(&observed, Field::TargetValue, Reason::Observe);
    let report = observed.report;
    assert_eq!((report.action, report.comparable), (ActionKind::Hold, false));
    assert_eq!((report.reason, &*report.sentence), (Reason::CouldNotCompare, "Rate exceeded"));
    // Where the hold says it, nothing changes.
    world.goal.mode = Mode::Repair;
    let report = world.decide().report;
    assert_eq!(report.reason, Reason::Unknown);
    assert!(report.sentence.ends_with("not known: Rate exceeded"), "{}", report.sentence);
}

// === rule 17 ===

#[test]
fn rule_17_holds_where_the_present_or_the_desired_count_lies_outside() {
    let registers = |current: u32, desired: u32| {
        let mut world = World::healthy();
        world.goal.capacity = CapacityGoal { min: Some(2), max: Some(6) };
        world.target().min_capacity = 1;
        world.target().max_capacity = 6;
        let variant = &mut world.endpoint().variants[0];
        variant.current_instances = Some(current);
        variant.desired_instances = Some(desired);
        world.decide()
    };
    assert!(!registers(2, 2).plan.is_empty());
    assert!(!registers(6, 6).plan.is_empty());
    for (current, desired) in [(1, 1), (7, 7)] {
        let decision = registers(current, desired);
        assert_held(&decision, Field::MinCapacity, Reason::ClampWouldMoveInstances);
    }
    // While they differ, instances are pending, which holds it before.
    for (current, desired) in [(2, 1), (1, 2), (6, 7), (7, 6)] {
        let decision = registers(current, desired);
        assert_held(&decision, Field::MinCapacity, Reason::PendingCapacity);
    }
}

#[test]
fn rule_17_counts_the_desired_instances_of_a_missing_target_too() {
    // Registering is held while instances are pending; what is sent has room for both.
    let mut world = World::healthy();
    world.deregistered(31);
    world.load(12_000.0, 24);
    let sent = |world: &World| match world.decide().plan.actions.first() {
        Some(Action::RegisterTarget { max_capacity, .. }) => *max_capacity,
        _ => None,
    };
    assert_eq!(sent(&world), Some(24));
    world.load(9000.0, 19);
    assert_eq!(sent(&world), Some(20));
}

#[test]
fn rule_17_holds_what_undoing_a_suspension_would_move() {
    let mut world = World::healthy();
    world.target().suspended.scale_out = true;
    world.goal.unsuspend = true;
    assert!(!world.decide().plan.is_empty());
    // 24 run, and registering again pulls them to max.
    world.load(12_000.0, 24);
    assert_held(&world.decide(), Field::Suspended, Reason::ClampWouldMoveInstances);
    world.goal.allow_clamp = true;
    assert!(!world.decide().plan.is_empty());
}

#[test]
fn rule_17_the_narrower_of_two_values_counts_while_the_other_bound_may_be_held() {
    // max 20 -> 30 is wanted and min 1 -> 5: with either alone, 4 instances would move.
    let mut world = World::healthy();
    world.goal.capacity = CapacityGoal { min: Some(5), max: Some(30) };
    assert_eq!(field(&world.decide(), Field::MinCapacity).1, Reason::ClampWouldMoveInstances);
    world.load(2500.0, 5);
    let decision = world.decide();
    assert_eq!(decision.plan.actions.len(), 1, "{:#?}", decision.report.fields);
    // 25 run: max 30 holds them, the max in force does not, and min goes with either.
    world.load(12_500.0, 25);
    assert_eq!(field(&world.decide(), Field::MinCapacity).1, Reason::ClampWouldMoveInstances);
    assert_eq!(field(&world.decide(), Field::MaxCapacity).1, Reason::Drift);
}

// === rule 13 ===

fn action(schedule: &str, min: Option<i32>, max: i32) -> ScheduledAction {
    ScheduledAction {
        resource: "endpoint/fraud-scorer/variant/AllTraffic".parse().unwrap(),
        name: "evening".to_owned(),
        schedule: schedule.to_owned(),
        timezone: None,
        min_capacity: min,
        max_capacity: Some(max),
        starts_at: None,
        ends_at: None,
        created_at: Some(now() - TimeDelta::days(400)),
    }
}

#[test]
fn rule_13_an_action_holds_the_bound_that_it_sets_and_not_the_other() {
    let mut world = World::healthy();
    world.goal.safe_change_grace = TimeDelta::zero();
    world.target().min_capacity = 2;
    world.target().max_capacity = 15;
    world.snapshot.scheduled_actions =
        Fact::Known(vec![action("cron(0 18 * * ? *)", None, 7)]).into();
    let decision = world.decide();
    assert_eq!(field(&decision, Field::MaxCapacity).1, Reason::UnknownAction);
    let [Action::RegisterTarget { min_capacity: Some(1), max_capacity: None, .. }] =
        &decision.plan.actions[..]
    else {
        panic!("{:?}", decision.plan)
    };
    let both = action("cron(0 18 * * ? *)", Some(4), 7);
    world.snapshot.scheduled_actions = Fact::Known(vec![both]).into();
    assert_held(&world.decide(), Field::MinCapacity, Reason::UnknownAction);
}

#[test]
fn rule_13_an_action_that_is_over_holds_its_bound_for_a_day() {
    let mut world = World::healthy();
    world.target().max_capacity = 15;
    let mut held_by = |action: ScheduledAction| {
        world.snapshot.scheduled_actions = Fact::Known(vec![action]).into();
        field(&world.decide(), Field::MaxCapacity).1
    };
    let (repaired, held) = (Reason::Drift, Reason::UnknownAction);
    // It ran years ago, just over a day ago, within the day; it will run.
    assert_eq!(held_by(action("at(2020-01-01T00:00:00)", None, 7)), repaired);
    assert_eq!(held_by(action("at(2026-11-22T11:59:00)", None, 7)), repaired);
    assert_eq!(held_by(action("at(2026-11-22T12:00:00)", None, 7)), held);
    assert_eq!(held_by(action("at(2027-01-01T00:00:00)", None, 7)), held);
    // What it set is no drift while it holds, and drift once it is over.
    assert_eq!(held_by(action("at(2026-11-23T11:00:00)", None, 15)), Reason::ScheduledCapacity);
    assert_eq!(held_by(action("at(2026-11-21T11:00:00)", None, 15)), repaired);
    // A span that has ended.
    let daily = action("cron(0 18 * * ? *)", None, 7);
    let ended = |hours| Some(now() - TimeDelta::hours(hours));
    assert_eq!(held_by(ScheduledAction { ends_at: ended(5), ..daily.clone() }), held);
    assert_eq!(held_by(ScheduledAction { ends_at: ended(50), ..daily.clone() }), repaired);
    // What cannot be read may run at any time, and so may a rate from nobody knows when.
    assert_eq!(held_by(action("every full moon", None, 7)), held);
    let rate = ScheduledAction { created_at: None, ..action("rate(2 days)", None, 7) };
    assert_eq!(held_by(rate), held);
}

// === what is remembered ===

fn after(world: &World, result: StepResult, confirmed: bool) -> VariantMemory {
    let mut decision = world.decide();
    if confirmed {
        decision.rules.confirmed = Confirmed::Asking;
    }
    let step = StepOutcome { result, ..StepOutcome::success("PutScalingPolicy", "") };
    let outcome = Outcome { steps: vec![step] };
    let before = world.snapshot.memory.known().unwrap();
    let (snapshot, goal) = (&world.snapshot, &world.goal);
    remember(before, (snapshot, goal), (&decision, Some(&outcome)), world.now)
}

#[test]
fn rule_4_a_write_that_failed_adopts_nothing() {
    let mut world = World::drifted();
    world.memory().adopted = false;
    for (result, confirmed, adopts) in [
        (StepResult::Success, false, true),
        (StepResult::Error, false, false),
        (StepResult::ReadBackDiffers, false, false),
        (StepResult::Skipped, true, false),
        (StepResult::Error, true, true),
    ] {
        let memory = after(&world, result, confirmed);
        assert_eq!(memory.adopted, adopts, "{result:?}, confirmed {confirmed}");
    }
}

/// How many foreign overwrites of the target value the next pass counts.
fn overwrites(world: &World, memory: VariantMemory) -> usize {
    let mut world = World { snapshot: world.snapshot.clone(), ..clone(world) };
    *world.memory() = memory;
    world.pass();
    world.memory().foreign_overwrites.get(&Field::TargetValue).map_or(0, Vec::len)
}

fn clone(world: &World) -> World {
    World {
        snapshot: world.snapshot.clone(),
        goal: world.goal.clone(),
        estimate: world.estimate.clone(),
        rules: world.rules.clone(),
        now: world.now,
    }
}

#[test]
fn rule_22_a_crash_or_a_failed_write_of_our_own_is_nobodys_overwrite() {
    // 600 was written and held; the configuration moves to 450, and writing that fails or dies.
    let held = TargetWrite { at: now() - TimeDelta::hours(2), before: Some(700.0), after: 600.0 };
    let attempt =
        TargetWrite { at: now() - TimeDelta::minutes(1), before: Some(600.0), after: 450.0 };
    let memory = VariantMemory {
        adopted: true,
        last_write: Some(held),
        last_attempt: Some(held),
        value_in_force: Some(600.0),
        last_applied: Some(Seen { value: 600.0, since: now() }),
        ..VariantMemory::default()
    };
    let found = |value: f64, memory: VariantMemory| {
        let mut world = World::healthy();
        world.in_force(value);
        overwrites(&world, memory)
    };
    assert_eq!(found(450.0, memory.clone()), 1, "somebody else's, as far as is known");
    // It failed, and has landed all the same.
    let failed = VariantMemory { last_attempt: Some(attempt), ..memory.clone() };
    assert_eq!(found(450.0, failed.clone()), 0);
    assert_eq!(found(451.0, failed), 1);
    // It was about to be made: it is remembered as made, and the value from before is there.
    let died = VariantMemory {
        last_write: Some(attempt),
        last_attempt: Some(attempt),
        value_in_force: Some(450.0),
        intent: Some(attempt.into()),
        ..memory
    };
    assert_eq!(found(600.0, died.clone()), 0);
    assert_eq!(found(600.0, VariantMemory { intent: None, ..died.clone() }), 1);
    assert_eq!(found(450.0, died.clone()), 0, "it was made after all");
    assert_eq!(found(601.0, died), 1);
}

#[test]
fn a_factor_by_replay_moves_once_a_week() {
    let mut world = World::healthy();
    world.goal.safety_factor_auto = true;
    world.estimate.verdict = Verdict::Measured;
    let factor = |world: &mut World, advised: f64| {
        world.snapshot.factor = crate::fixtures::by_replay::by_replay(world.now, advised).into();
        world.pass();
        world.memory().safety_factor.map(|factor| factor.value)
    };
    assert_eq!(factor(&mut world, 0.6), Some(0.6));
    world.wait(7 * 24 * 60 - 1);
    assert_eq!(factor(&mut world, 0.7), Some(0.6));
    world.wait(1);
    assert_eq!(factor(&mut world, 0.7), Some(0.7));
    // Not without a replay, and not where the owner states one.
    world.wait(7 * 24 * 60);
    world.snapshot.factor = FactorAdvice::default().into();
    world.pass();
    assert_eq!(world.memory().safety_factor.map(|factor| factor.value), Some(0.7));
    world.goal.safety_factor_auto = false;
    assert_eq!(factor(&mut world, 0.5), Some(0.7));
}

/// A yes is to what somebody has looked at.
#[test]
fn a_confirmation_that_waits_ends_after_a_day() {
    let decision = World::drifted().decide();
    let id = decision.variant.clone();
    let (mut consent, given) = (Consent::default(), now());
    consent.extend(Consent::to([&decision]), given);
    assert!(consent.expire(given + TimeDelta::days(1)).is_empty() && consent.covers(&decision));
    // Given again, it lasts a day from then.
    consent.extend(Consent::to([&decision]), given + TimeDelta::hours(1));
    assert!(consent.expire(given + TimeDelta::hours(25)).is_empty());
    assert_eq!(consent.expire(given + TimeDelta::hours(25) + TimeDelta::seconds(1)), [id]);
    assert!(consent.is_empty() && !consent.covers(&decision));
}
