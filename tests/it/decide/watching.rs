//! Rule 21: from when on a raise is watched, which minutes count, and when it is taken back.

use chrono::TimeDelta;
use setpoint::decide::verify::{advance, is_over};
use setpoint::model::goal::Objective;
use setpoint::model::memory::Verification;
use setpoint::model::series::Minute;
use setpoint::model::time::Timestamp;

use super::world::{World, now};

pub(super) fn objective() -> Objective {
    let statistic = setpoint::model::units::LatencyStatistic::P99;
    let latency = setpoint::model::goal::LatencyObjective { statistic, threshold_ms: 250.0 };
    Objective { latency: Some(latency), error_rate_max: 0.01 }
}

/// 400 -> 480 an hour ago with 5 instances, at loads of up to 350.
fn watch() -> Verification {
    Verification {
        raised_at: now() - TimeDelta::hours(1),
        before: 400.0,
        after: 480.0,
        instances: 5,
        load_p95: 350.0,
        begun_at: None,
        counted_until: now() - TimeDelta::hours(1),
        loaded_minutes: 0,
        last_broken: Vec::new(),
        failed: false,
    }
}

fn begun() -> Verification {
    let at = now() - TimeDelta::minutes(50);
    Verification { begun_at: Some(at), counted_until: at, ..watch() }
}

/// Minutes that end now, one for each letter: `b` breaks the objective, `g` does not.
fn minutes(letters: &str, load: f64) -> Vec<Minute> {
    let from = now() - TimeDelta::minutes(i64::try_from(letters.len()).unwrap());
    let minute = |(i, letter): (i64, char)| Minute {
        invocations: Some(load * 4.0),
        invocations_per_instance: Some(load),
        latency_us: Some(if letter == 'b' { 400_000.0 } else { 100_000.0 }),
        errors_5xx: Some(0.0),
        ..Minute::empty(from + TimeDelta::minutes(i))
    };
    (0..).zip(letters.chars()).map(minute).collect()
}

fn seen(watch: Verification, recent: Vec<Minute>, instances: u32, at: Timestamp) -> Verification {
    let mut world = World::healthy();
    world.load(0.0, instances);
    world.telemetry().recent = recent.into();
    world.snapshot.taken_at = at;
    advance(watch, &world.snapshot, &objective())
}

fn failed(letters: &str) -> bool {
    seen(begun(), minutes(letters, 450.0), 4, now()).failed
}

#[test]
fn two_of_five_loaded_minutes_are_a_failure_and_two_of_six_are_none() {
    for (letters, fails) in [
        ("bb", true),
        ("bggggg", false),
        ("bgggb", true),
        ("bggggb", false),
        ("gggbggggb", false),
        ("gggbgggb", true),
    ] {
        assert_eq!(failed(letters), fails, "{letters}");
    }
}

#[test]
fn minutes_of_two_looks_are_one_row() {
    let first = seen(begun(), minutes("b", 450.0), 4, now());
    assert!(!first.failed);
    let mut later = minutes("gggb", 450.0);
    for minute in &mut later {
        minute.at += TimeDelta::minutes(4);
    }
    assert!(seen(first.clone(), later, 4, now() + TimeDelta::minutes(4)).failed);
    // The same minute seen twice is one.
    assert!(!seen(first, minutes("b", 450.0), 4, now()).failed);
}

#[test]
fn only_loads_above_those_from_before_and_below_the_new_target_count() {
    for (load, counts) in [
        (300.0, false),
        (350.0, false),
        (350.1, true),
        (479.9, true),
        (480.0, false),
        (600.0, false),
    ] {
        let watched = seen(begun(), minutes("bb", load), 4, now());
        assert_eq!(watched.failed, counts, "{load}");
        assert_eq!(watched.loaded_minutes, if counts { 2 } else { 0 }, "{load}");
    }
}

#[test]
fn the_backlog_of_a_burst_and_cold_instances_say_nothing_of_the_raise() {
    let burst = |letters: &str, bursting: usize| {
        let mut recent = minutes(letters, 420.0);
        for minute in &mut recent[..bursting] {
            (minute.invocations, minute.invocations_per_instance) = (Some(3600.0), Some(900.0));
        }
        let watched = seen(begun(), recent, 4, now());
        (watched.failed, watched.loaded_minutes)
    };
    // Two minutes far above the new target, and the three after them, at loads below it.
    assert_eq!(burst("bbbbb", 2), (false, 0));
    // The same three minutes without the burst are the raise's doing.
    assert_eq!(burst("bbb", 0), (true, 3));
    // What is bad three minutes after the burst is none of its backlog.
    assert_eq!(burst("bbgggbb", 2), (true, 2));

    // A fourth instance comes in the third minute.
    let mut recent = minutes("ggbbb", 420.0);
    for minute in &mut recent[..2] {
        minute.invocations = Some(3.0 * 420.0);
    }
    let watched = seen(begun(), recent, 4, now());
    assert_eq!((watched.failed, watched.loaded_minutes), (false, 2));
}

#[test]
fn the_watch_begins_with_the_first_instance_that_goes() {
    let before = minutes("bbbb", 450.0);
    for instances in [5, 6] {
        let watched = seen(watch(), before.clone(), instances, now());
        assert_eq!((watched.begun_at, watched.failed), (None, false), "{instances}");
    }
    // Minutes from before it went say nothing of what is left.
    let watched = seen(watch(), before, 4, now());
    assert_eq!((watched.begun_at, watched.failed), (Some(now()), false));
    let mut after = minutes("bb", 450.0);
    for minute in &mut after {
        minute.at += TimeDelta::minutes(2);
    }
    assert!(seen(watched, after, 4, now() + TimeDelta::minutes(2)).failed);
}

#[test]
fn errors_break_the_objective_and_what_has_no_datapoint_does_not() {
    let mut errors = minutes("gg", 450.0);
    for minute in &mut errors {
        minute.errors_5xx = minute.invocations.map(|all| all * 0.02);
    }
    assert!(seen(begun(), errors.clone(), 4, now()).failed);
    for minute in &mut errors {
        minute.errors_5xx = None;
    }
    assert!(!seen(begun(), errors, 4, now()).failed);
}

#[test]
fn after_60_loaded_minutes_it_is_over_and_nothing_fails_it() {
    let good = Verification { loaded_minutes: 58, ..begun() };
    let watched = seen(good.clone(), minutes("gbb", 450.0), 4, now());
    assert!(!watched.failed, "the 61st minute does not count");
    assert!(is_over(&watched, now()));
    let watched = seen(good, minutes("bb", 450.0), 4, now());
    assert!(watched.failed && !is_over(&watched, now()), "the 60th does");
}

#[test]
fn somebody_elses_value_is_not_taken_back() {
    let mut world = World::healthy();
    world.goal.mode = setpoint::model::goal::Mode::Auto;
    world.goal.load_test = None;
    world.memory().verification = Some(Verification { failed: true, ..begun() }.into());
    for (value, taken_back) in [(480.0, true), (479.0, false), (470.0, false), (600.0, false)] {
        world.in_force(value);
        let written = super::world::written(&world.decide());
        assert_eq!(written, taken_back.then_some(400.0), "{value}");
    }
}

/// Rule 21 holds in every mode: what the formula wants is what production has refused.
#[test]
fn repair_takes_a_raise_back_too() {
    let mut world = World::healthy();
    world.goal.mode = setpoint::model::goal::Mode::Repair;
    world.in_force(600.0);
    let watch = Verification { after: 600.0, failed: true, ..begun() };
    world.memory().verification = Some(watch.clone().into());
    assert_eq!(super::world::written(&world.decide()), Some(400.0));
    // What could not be taken back for days, for a pause, comes as no surprise later.
    let week = watch.raised_at + TimeDelta::days(7);
    assert!(!is_over(&watch, week) && is_over(&watch, week + TimeDelta::hours(25)));
}
