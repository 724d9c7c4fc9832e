//! Rule 13a: floors that are kept, each guard and each rail of them.

use chrono::TimeDelta;
use chrono_tz::Tz;
use setpoint::decide::rails::Rail;
use setpoint::model::consent::Shown;
use setpoint::model::decision::{Action, Decision, FieldReport, FieldState};
use setpoint::model::fact::Fact;
use setpoint::model::floors::{
    FloorAction, Floors, FloorsGoal, FloorsMode, ProposedFloors, WeekFigures,
};
use setpoint::model::goal::Mode;
use setpoint::model::kept_floors::{FloorPut, KeptFloors};
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scaling::ScheduledAction;

use super::world::{World, assert_held, why};

fn week(high: i32) -> Floors {
    let floor = |schedule: &str, min| FloorAction {
        name: format!("floor-{min}"),
        schedule: schedule.to_owned(),
        min,
    };
    Floors::Proposed(Box::new(ProposedFloors {
        at: super::world::now(),
        time_zone: Tz::UTC,
        actions: vec![
            floor("cron(52 7 ? * MON,TUE,WED,THU,FRI *)", high),
            floor("cron(0 20 ? * MON,TUE,WED,THU,FRI *)", 2),
        ],
        highest: high,
        target_value: 600.0,
        target_in_force: true,
        factor: 0.6,
        lead_minutes: 8,
        explained: 0.9,
        without: WeekFigures { bad_minutes: 100.0, instance_hours: 600.0 },
        with: WeekFigures { bad_minutes: 10.0, instance_hours: 550.0 },
    }))
}

fn none() -> Floors {
    let why = "no scheduled floors are proposed: the week does not repeat".to_owned();
    Floors::None { at: super::world::now(), reason: "does_not_repeat", why }
}

/// A healthy variant whose floors are to be kept and are not there yet.
fn keeping() -> World {
    let mut world = World::healthy();
    world.goal.floors = FloorsGoal { mode: FloorsMode::Keep, time_zone: Tz::UTC };
    world.snapshot.floors = week(7).into();
    world
}

fn actions(world: &mut World) -> &mut Vec<ScheduledAction> {
    match &mut *world.snapshot.scheduled_actions {
        Fact::Known(actions) => actions,
        Fact::Unknown(why) => panic!("no scheduled actions: {why:?}"),
    }
}

fn put_all(world: &mut World, puts: &[FloorPut]) {
    let (resource, now) = (world.snapshot.id.resource(), world.now);
    let before = std::mem::take(actions(world));
    *actions(world) = puts.iter().fold(before, |all, put| put.applied(&all, &resource, now));
}

fn puts(decision: &Decision) -> (Vec<FloorPut>, bool) {
    match &decision.plan.actions[..] {
        [Action::PutFloors { puts, renews, .. }] => (puts.clone(), *renews),
        other => panic!("{other:?}"),
    }
}

/// The same after its floors were written.
fn kept() -> World {
    let mut world = keeping();
    let decision = world.pass();
    put_all(&mut world, &puts(&decision).0);
    world
}

fn floors(decision: &Decision) -> Option<&FieldReport> {
    decision.report.fields.iter().find(|f| f.field == Field::Floors)
}

fn later(world: &mut World, by: TimeDelta) {
    world.now += by;
    world.snapshot.taken_at = world.now;
    let by = world.now;
    world.telemetry().newest_datapoint = Some(by);
}

#[test]
fn they_are_written_as_one_change_and_then_in_sync() {
    let world = keeping();
    let decision = world.decide();
    let (puts, renews) = puts(&decision);
    assert!(!renews && !decision.plan.only_renews());
    let mins: Vec<(&str, i32)> = puts.iter().map(|put| (&*put.name, put.min)).collect();
    let min = world.goal.capacity.min.unwrap();
    assert_eq!(
        mins,
        [("setpoint-floor-end", min), ("setpoint-floor-01", 2), ("setpoint-floor-02", 7)]
    );
    let mut world = kept();
    assert_eq!(world.memory().writes.len(), 1, "one write for the limits");
    let decision = world.decide();
    assert_eq!(floors(&decision).unwrap().state, FieldState::InSync);
    assert!(decision.plan.is_empty());
    // The next day's floors differ a little, which is no reason to write them.
    later(&mut world, TimeDelta::days(1));
    world.snapshot.floors = week(8).into();
    assert!(world.decide().plan.is_empty());
}

#[test]
fn without_keep_they_are_nobodys_business() {
    for mode in [FloorsMode::Off, FloorsMode::Propose] {
        let mut world = keeping();
        world.goal.floors.mode = mode;
        assert_eq!(floors(&world.decide()), None);
        let mut world = kept();
        world.goal.floors.mode = mode;
        assert!(world.decide().plan.is_empty() && floors(&world.decide()).is_none());
    }
    let mut world = keeping();
    world.goal.managed = false;
    assert_eq!(floors(&world.decide()), None);
}

#[test]
fn what_holds_every_write_holds_them() {
    let held = |bend: &dyn Fn(&mut World), reason| {
        let mut world = keeping();
        bend(&mut world);
        assert_held(&world.decide(), Field::Floors, reason);
    };
    held(&|w| w.goal.mode = Mode::Observe, Reason::Observe);
    held(&|w| w.rules.enabled = false, Reason::ReconcileDisabled);
    held(&|w| w.rules.account_id = None, Reason::WrongAccount);
    held(&|w| w.endpoint().deploy_in_progress = true, Reason::EndpointUpdating);
    held(&|w| (w.memory().adopted, w.goal.adopt) = (false, false), Reason::Adoption);
    held(&|w| w.memory().writes = vec![w.now; 6], Reason::WriteLimit);
    held(&|w| w.telemetry().newest_datapoint = None, Reason::Stale);
    held(&|w| w.goal.capacity.max = None, Reason::NoValue);
    held(
        &|w| (w.goal.capacity.max, w.target().max_capacity) = (Some(6), 6),
        Reason::BoundsConflict,
    );
    let pause = |w: &mut World| {
        let until = w.now + TimeDelta::hours(1);
        w.goal.paused = Some(setpoint::model::goal::Pause { until, reason: "x".to_owned() });
    };
    held(&pause, Reason::Paused);
    let another = |w: &mut World| {
        put_all(
            w,
            &[FloorPut {
                name: "black-friday".to_owned(),
                schedule: "at(2026-11-27T06:00:00)".to_owned(),
                time_zone: "UTC".to_owned(),
                min: 12,
                ends_at: None,
            }],
        );
    };
    held(&another, Reason::ScheduledCapacity);
    let mut world = keeping();
    world.snapshot.scheduled_actions = Fact::Unknown(why()).into();
    assert_eq!(floors(&world.decide()).unwrap().state, FieldState::Unknown);
    let mut world = keeping();
    world.snapshot.target = Fact::Known(None).into();
    assert_eq!(floors(&world.decide()), None, "the scalable target comes first");
}

#[test]
fn they_are_renewed_in_time_and_a_renewal_is_no_mass_change() {
    let mut world = kept();
    later(&mut world, TimeDelta::days(2));
    assert!(world.decide().plan.is_empty());
    later(&mut world, TimeDelta::days(3));
    let decision = world.decide();
    let (all, renews) = puts(&decision);
    assert!(renews && all.len() == 3 && decision.plan.only_renews());
    assert_eq!(&*floors(&decision).unwrap().sentence, "renewed");
    let decisions = vec![&decision; 5];
    let limit = setpoint::model::goal::MassChangeLimit { min_variants: 3, ratio: 0.1, withheld: 0 };
    let held = |all: &[&Decision]| {
        setpoint::decide::mass_change::mass_change(
            all,
            limit,
            &setpoint::model::consent::Consent::default(),
        )
    };
    assert_eq!(held(&decisions), None);
    let first = keeping().decide();
    assert!(held(&[&first; 5]).is_some(), "new floors are changes");
    // With other floors it is a change.
    world.snapshot.floors = week(9).into();
    assert!(!puts(&world.decide()).1);
}

#[test]
fn two_daily_answers_against_them_take_them_away() {
    let mut world = kept();
    world.snapshot.floors = none().into();
    let next_answer = |world: &mut World| {
        let decision = world.pass();
        later(world, TimeDelta::days(1));
        let Floors::None { at, .. } = &mut *world.snapshot.floors else { unreachable!() };
        *at = world.now;
        decision
    };
    assert!(next_answer(&mut world).plan.is_empty());
    assert_eq!(world.memory().floors.refused, 1);
    assert!(next_answer(&mut world).plan.is_empty());
    assert_eq!(world.memory().floors.refused, 2);
    let decision = world.pass();
    let (all, _) = puts(&decision);
    let names: Vec<&str> = all.iter().map(|put| &*put.name).collect();
    assert_eq!(names, ["setpoint-floor-02", "setpoint-floor-01", "setpoint-floor-end"]);
    let sentence = &floors(&decision).unwrap().sentence;
    assert!(sentence.contains("2 daily checks in a row") && sentence.contains("does not repeat"));
    put_all(&mut world, &all);
    assert!(world.decide().plan.is_empty());
    // An hour later min has been given back, and nothing is remembered.
    later(&mut world, TimeDelta::hours(1));
    let decision = world.pass();
    assert!(world.memory().floors.is_empty() && floors(&decision).is_none());
}

#[test]
fn one_answer_against_them_or_none_leaves_them() {
    let mut world = kept();
    world.snapshot.floors = none().into();
    world.memory().floors.refused = 1;
    assert_eq!(floors(&world.decide()).unwrap().state, FieldState::InSync);
    world.memory().floors.refused = 2;
    world.snapshot.floors = Floors::NotKnown { why: "not all of the history".to_owned() }.into();
    assert!(world.decide().plan.is_empty());
    world.snapshot.floors = week(7).into();
    world.pass();
    assert_eq!(world.memory().floors.refused, 0, "an answer for them starts the count again");
    // Floors that go with another value than the one in force are an answer against them.
    let Floors::Proposed(proposed) = &mut *world.snapshot.floors else { unreachable!() };
    proposed.target_in_force = false;
    assert!(world.snapshot.floors.against().unwrap().1.contains("which is not in force"));
    world.memory().floors.refused = 2;
    assert_eq!(puts(&world.decide()).0.len(), 3);
}

#[test]
fn min_that_they_have_set_is_nobody_elses_doing() {
    let mut world = kept();
    for min in [2, 7] {
        world.target().min_capacity = min;
        let decision = world.pass();
        let field = decision.report.fields.iter().find(|f| f.field == Field::MinCapacity).unwrap();
        assert_eq!((field.state, field.reason), (FieldState::InSync, Reason::ScheduledCapacity));
        assert_eq!(world.memory().foreign_overwrites.get(&Field::MinCapacity), None);
    }
    // What none of them sets is.
    world.target().min_capacity = 5;
    assert_held(&world.decide(), Field::MinCapacity, Reason::UnknownAction);
    // When they are over and nobody has given min back, it is given back at once.
    world.target().min_capacity = 7;
    actions(&mut world).clear();
    world.snapshot.floors = none().into();
    let decision = world.decide();
    let field = decision.report.fields.iter().find(|f| f.field == Field::MinCapacity).unwrap();
    assert_ne!(field.reason, Reason::SafeChangeGrace, "{field:?}");
    assert_ne!(field.reason, Reason::UnknownAction, "{field:?}");
}

#[test]
fn an_edit_is_repaired_and_after_two_of_the_same_somebody_else_writes() {
    let mut world = kept();
    let original = actions(&mut world).clone();
    for time in 0..2 {
        actions(&mut world).retain(|action| action.name != "setpoint-floor-01");
        let decision = world.pass();
        if time == 0 {
            assert_eq!(puts(&decision).0.len(), 1, "{decision:#?}");
            *actions(&mut world) = original.clone();
        } else {
            assert_held(&decision, Field::Floors, Reason::OtherWriter);
        }
    }
}

#[test]
fn each_rail_catches_what_no_guard_would_let_through() {
    let bent = |bend: &dyn Fn(&mut Vec<FloorPut>, &mut World)| {
        let mut world = keeping();
        let mut action = world.decide().plan.actions.remove(0);
        let Action::PutFloors { puts, .. } = &mut action else { panic!("{action:?}") };
        bend(puts, &mut world);
        world.breached(&action)
    };
    let floors = Some(Rail::Floors);
    assert_eq!(bent(&|_, _| {}), None);
    assert_eq!(bent(&|_, w| w.goal.floors.mode = FloorsMode::Propose), floors);
    assert_eq!(bent(&|_, w| w.goal.capacity.min = None), floors);
    assert_eq!(bent(&|_, w| w.goal.mode = Mode::Observe), Some(Rail::Mode));
    assert_eq!(bent(&|puts, _| puts[1].name = "morning".to_owned()), floors);
    assert_eq!(bent(&|puts, _| puts[2].min = 1000), floors);
    assert_eq!(bent(&|puts, _| puts[2].min = -1), floors);
    assert_eq!(bent(&|puts, _| puts[2].ends_at = None), floors);
    assert_eq!(bent(&|puts, _| puts[2].ends_at = Some(super::world::now())), floors);
    assert_eq!(bent(&|puts, _| puts[0].min += 1), floors);
    assert_eq!(bent(&|puts, _| puts.reverse()), floors);
    assert_eq!(bent(&|puts, _| drop(puts.remove(0))), floors);
    assert_eq!(bent(&|puts, _| puts.clear()), floors);
    assert_eq!(bent(&|_, w| w.snapshot.scheduled_actions = Fact::Unknown(why()).into()), floors);
    let another = |_: &mut Vec<FloorPut>, w: &mut World| {
        put_all(
            w,
            &[FloorPut {
                name: "another".to_owned(),
                schedule: "rate(1 day)".to_owned(),
                time_zone: "UTC".to_owned(),
                min: 3,
                ends_at: None,
            }],
        );
    };
    assert_eq!(bent(&another), floors);
}

#[test]
fn what_the_guards_let_through_keeps_to_the_rails_from_any_state_of_a_set() {
    // Any part of one set, edited or not, to any other set or to none.
    for part in 0..16_u32 {
        for high in [3, 7, 9] {
            let mut world = kept();
            let all = std::mem::take(actions(&mut world));
            let here = (0..).zip(all).filter(|(n, _)| part & (1 << n) != 0).map(|(_, a)| a);
            *actions(&mut world) = here.collect();
            if part & 8 != 0
                && let Some(action) = actions(&mut world).last_mut()
            {
                action.ends_at = None;
                action.min_capacity = Some(9);
            }
            world.snapshot.floors = week(high).into();
            let decision = world.decide();
            assert_ne!(decision.report.reason, Reason::Rails, "{part} {high}: {decision:#?}");
            let after: Vec<FloorPut> = match &decision.plan.actions[..] {
                [] => continue,
                [Action::PutFloors { puts, .. }] => puts.clone(),
                other => panic!("{other:?}"),
            };
            put_all(&mut world, &after);
            let now = world.now;
            let kept = KeptFloors::of(actions(&mut world), now);
            assert_eq!((kept.floors.len(), kept.is_within(1, 20)), (2, true), "{kept:#?}");
        }
    }
}

/// Rule 4a: the field says how many floors there are, between which mins and until when, and that is not all of it.
#[test]
fn a_yes_to_floors_is_a_yes_to_their_schedules() {
    let mut world = keeping();
    let shown = Shown::of(&world.decide());
    assert!(shown.field(Field::Floors).is_some(), "{shown:?}");
    let allowed = |world: &World| shown.allows(Field::Floors, &Shown::of(&world.decide()));
    world.now += TimeDelta::minutes(30);
    world.telemetry().newest_datapoint = Some(world.now);
    assert!(allowed(&world), "the same floors, half an hour later");
    let Floors::Proposed(mut proposed) = week(7) else { unreachable!() };
    proposed.actions[0].schedule = "cron(52 4 ? * MON,TUE,WED,THU,FRI *)".to_owned();
    world.snapshot.floors = Floors::Proposed(proposed).into();
    let field = |world: &World| Shown::of(&world.decide()).field(Field::Floors).cloned();
    assert_eq!(field(&world).as_ref(), shown.field(Field::Floors), "in the same words");
    assert!(!allowed(&world), "three hours earlier than what was shown");
}
