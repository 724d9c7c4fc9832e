//! Rule 29: a probe begins only where everything allows it, and ends at the first sign that it should.

use chrono::TimeDelta;
use proptest::prelude::*;
use setpoint::decide::Freeze;
use setpoint::decide::mass_change::mass_change;
use setpoint::model::consent::Consent;
use setpoint::model::decision::StepResult;
use setpoint::model::estimate::{Capacity, Estimate, Finding, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::goal::{LatencyObjective, MassChangeLimit, Mode, Pause, TargetValueLimits};
use setpoint::model::probe::{EndedProbe, ProbeEnd, ProbeGoal};
use setpoint::model::reason::{Field, Reason};
use setpoint::model::series::Minute;
use setpoint::model::units::{InvocationsPerMinute, LatencyStatistic};

use super::world::{World, assert_held, now, why, written};

/// 600 in force and wanted, five instances at 500 each; one is proven to serve 560, so that a probe
/// goes to 644.
fn world() -> World {
    let mut world = World::healthy();
    world.goal.mode = Mode::Auto;
    world.goal.safe_change_grace = TimeDelta::zero();
    world.goal.probe = Some(ProbeGoal { bad_minutes_per_week: 5.0 });
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    world.goal.objective.latency = Some(latency);
    world.rules.may_probe = true;
    let capacity = Capacity {
        estimate: Some(1100.0),
        low: Some(560.0),
        q25: Some(900.0),
        high: None,
        lower_bound: Some(560.0),
    };
    world.estimate =
        Estimate { verdict: Verdict::AtLeast, capacity, ..Estimate::unobserved("at least") };
    world.memory().highest_applied = Some(600.0);
    steady(&mut world, 2500.0);
    world.load(2500.0, 5);
    world
}

/// The last hour had this load, and was fine.
fn steady(world: &mut World, invocations: f64) {
    let end = world.now - TimeDelta::minutes(3);
    let minute = |ago: i64| Minute {
        invocations: Some(invocations),
        invocations_per_instance: Some(invocations / 5.0),
        latency_us: Some(90_000.0),
        latency_p50_us: Some(30_000.0),
        errors_5xx: Some(0.0),
        ..Minute::empty(end - TimeDelta::minutes(ago))
    };
    let minutes: Vec<Minute> = (1..=60).rev().map(minute).collect();
    let telemetry = world.telemetry();
    telemetry.recent = minutes.into();
    telemetry.newest_datapoint = Some(end);
}

/// A world in which a probe has been written, five minutes later.
fn under_way() -> World {
    let mut world = world();
    assert_eq!(written(&world.pass()), Some(644.0));
    world.rules.may_probe = false;
    world.wait(5);
    steady(&mut world, 2500.0);
    world
}

fn ends(world: &mut World) -> ProbeEnd {
    let decision = world.pass();
    assert_eq!(written(&decision), Some(600.0), "{:#?}", decision.report.fields);
    assert_eq!(decision.report.reason, Reason::ProbeEnded);
    let probes = &world.memory().probes;
    assert_eq!(probes.under_way, None);
    probes.last.unwrap().why
}

#[test]
fn a_probe_goes_a_step_above_what_is_proven_and_is_not_held() {
    let mut world = world();
    world.hold(600.0);
    let decision = world.pass();
    assert_eq!(written(&decision), Some(644.0));
    assert_eq!(decision.report.reason, Reason::Probe);
    let memory = world.memory();
    let probe = memory.probes.under_way.unwrap();
    assert_eq!((probe.before, probe.to, probe.began_at), (600.0, 644.0, now()));
    assert_eq!(memory.highest_applied, Some(600.0));
    assert_eq!(memory.last_applied.unwrap().value, 600.0);
    // While it lasts nothing differs, and the note says what is in force and why.
    world.wait(5);
    steady(&mut world, 2500.0);
    let decision = world.pass();
    assert!(decision.plan.is_empty(), "{:?}", decision.plan);
    let note = decision.report.notes.iter().find(|note| note.reason == Reason::Probe).unwrap();
    assert!(note.sentence.contains("raised 600 to 644"), "{}", note.sentence);
    assert_eq!(world.memory().highest_applied, Some(600.0));
    assert_eq!(world.memory().last_applied.unwrap().value, 600.0);
}

#[test]
fn no_probe_begins_where_anything_speaks_against_it() {
    type Change = fn(&mut World);
    let against: &[(&str, Change)] = &[
        ("not asked for", |w| w.goal.probe = None),
        ("repair", |w| w.goal.mode = Mode::Repair),
        ("observe", |w| w.goal.mode = Mode::Observe),
        ("another of its family", |w| w.rules.may_probe = false),
        ("measured", |w| w.estimate.verdict = Verdict::Measured),
        ("unobserved", |w| w.estimate.verdict = Verdict::Unobserved),
        ("unsafe", |w| w.estimate.findings = vec![Finding::Over]),
        ("wanders", |w| w.estimate.wander = Some(0.2)),
        ("an incident", |w| w.estimate.incident_since = Some(now())),
        ("half a history", |w| w.estimate.history_complete_ratio = Some(0.5)),
        ("disabled", |w| w.rules.enabled = false),
        ("no account", |w| w.rules.account_id = None),
        ("a few instances", |w| w.load(1500.0, 3)),
        ("a deploy", |w| w.endpoint().deploy_in_progress = true),
        ("instances on their way", |w| w.endpoint().variants[0].desired_instances = Some(6)),
        ("old telemetry", |w| w.now += TimeDelta::hours(2)),
        ("no memory", |w| w.snapshot.memory = Fact::Unknown(why())),
        ("a young memory", |w| w.memory().since = Some(now() - TimeDelta::hours(2))),
        ("a failed raise", |w| w.memory().raises_held_until = Some(now() + TimeDelta::hours(1))),
        ("no room for two writes", |w| w.memory().writes = vec![now(); 5]),
        ("a ceiling", |w| {
            let ceiling = Some(InvocationsPerMinute::new(600.0).unwrap());
            w.goal.target_value = TargetValueLimits { floor: None, ceiling };
        }),
        ("a pause", |w| {
            let until = now() + TimeDelta::hours(1);
            w.goal.paused = Some(Pause { until, reason: "release".to_owned() });
        }),
        ("a freeze", |w| {
            let until = now() + TimeDelta::hours(1);
            w.rules.freeze = Some(Freeze { until, allow_lowering: true });
        }),
        ("a budget that is spent", |w| w.memory().probes.bad_minutes = vec![now(); 5]),
        ("a probe an hour ago", |w| {
            let at = now() - TimeDelta::hours(1);
            w.memory().probes.last = Some(EndedProbe { at, to: 644.0, why: ProbeEnd::Proven });
        }),
        ("a bad one half a day ago", |w| {
            let at = now() - TimeDelta::hours(12);
            w.memory().probes.last = Some(EndedProbe { at, to: 644.0, why: ProbeEnd::BadMinute });
        }),
        ("a bad minute in the last hour", |w| {
            w.telemetry().recent.change(|all| all[10].latency_us = Some(300_000.0));
        }),
        ("a rising load", |w| {
            w.telemetry().recent.change(|all| {
                for (i, minute) in all.iter_mut().enumerate() {
                    minute.invocations = Some(1300.0 + 20.0 * i as f64);
                }
            });
        }),
        ("a load that no higher target moves", |w| {
            steady(w, 2900.0);
            w.load(2900.0, 5);
        }),
    ];
    for (name, change) in against {
        let mut world = world();
        change(&mut world);
        let value = written(&world.decide()).filter(|value| *value > 600.0);
        assert_eq!(value, None, "{name}");
    }
    assert_eq!(written(&world().decide()), Some(644.0));
}

#[test]
fn the_first_bad_minute_ends_it_and_the_next_waits_a_day() {
    let mut world = under_way();
    let broken = |all: &mut Vec<Minute>| all.last_mut().unwrap().latency_us = Some(300_000.0);
    world.telemetry().recent.change(broken);
    assert_eq!(ends(&mut world), ProbeEnd::BadMinute);
    assert_eq!(world.memory().probes.bad_minutes.len(), 1);
    assert_eq!(world.memory().highest_applied, Some(600.0));
    // What comes back with the instances counts as well.
    world.wait(10);
    steady(&mut world, 2500.0);
    world.telemetry().recent.change(broken);
    world.pass();
    assert_eq!(world.memory().probes.bad_minutes.len(), 2);
    for hours in [7, 16] {
        world.rules.may_probe = true;
        world.wait(60 * hours);
        steady(&mut world, 2500.0);
        assert_eq!(written(&world.decide()), None, "after {hours} hours more");
    }
    world.wait(120);
    steady(&mut world, 2500.0);
    assert_eq!(written(&world.decide()), Some(644.0));
}

#[test]
fn each_sign_ends_it() {
    type Change = fn(&mut World);
    let signs: &[(ProbeEnd, Change)] = &[
        (ProbeEnd::NotWanted, |w| w.goal.probe = None),
        (ProbeEnd::NotWanted, |w| w.goal.mode = Mode::Repair),
        (ProbeEnd::Restart, |w| w.rules.since = Some(w.now)),
        (ProbeEnd::Blind, |w| w.snapshot.telemetry = Fact::Unknown(why())),
        (ProbeEnd::Blind, |w| w.estimate.history_complete_ratio = Some(0.2)),
        (ProbeEnd::Verdict, |w| {
            w.estimate.verdict = Verdict::Measured;
            w.estimate.capacity.high = Some(1300.0);
        }),
        (ProbeEnd::LoadRose, |w| w.load(2900.0, 5)),
        (ProbeEnd::Proven, |w| {
            w.wait(75);
            steady(w, 2500.0);
        }),
    ];
    for (why, change) in signs {
        let mut world = under_way();
        change(&mut world);
        assert_eq!(ends(&mut world), *why);
    }
    // A doubled load calls for more than 30 % more instances: the value comes back all the same.
    let mut world = under_way();
    steady(&mut world, 9000.0);
    world.load(9000.0, 5);
    assert_eq!(ends(&mut world), ProbeEnd::LoadRose);
}

#[test]
fn what_was_proven_is_no_new_ground_any_more() {
    let mut world = under_way();
    world.wait(75);
    steady(&mut world, 2500.0);
    assert_eq!(ends(&mut world), ProbeEnd::Proven);
    assert_eq!(world.memory().highest_applied, Some(644.0));
    assert_eq!(world.memory().raises_held_until, None);
}

#[test]
fn another_process_puts_the_value_back_whose_intent_alone_was_kept() {
    // Killed after the write, before its outcome was kept: the memory says what was about to be done.
    let mut world = under_way();
    let probe = world.memory().probes.under_way.unwrap();
    world.memory().intent = world.memory().last_attempt.map(Box::new);
    world.rules.since = Some(world.now);
    assert_eq!(ends(&mut world), ProbeEnd::Restart);
    // Killed before the write: nothing is in force, and nothing is put back.
    let mut world = self::world();
    world.memory().probes.under_way = Some(probe);
    world.rules.since = Some(world.now);
    assert!(world.pass().plan.is_empty());
    assert_eq!(world.memory().probes.under_way, Some(probe));
    world.wait(20);
    steady(&mut world, 2500.0);
    world.pass();
    assert_eq!(world.memory().probes.under_way, None);
    assert_eq!(world.memory().probes.last, None);
}

#[test]
fn a_foreign_value_ends_it_and_is_nobodys_to_take_back() {
    let mut world = under_way();
    world.goal.safe_change_grace = TimeDelta::hours(4);
    world.in_force(500.0);
    let decision = world.pass();
    assert_held(&decision, Field::TargetValue, Reason::SafeChangeGrace);
    let probes = &world.memory().probes;
    assert_eq!(probes.under_way, None);
    assert_eq!(probes.last.unwrap().why, ProbeEnd::ForeignWrite);
}

#[test]
fn where_nothing_may_be_written_it_says_what_was_left() {
    type Change = fn(&mut World);
    let holds: &[(Reason, Change)] = &[
        (Reason::Observe, |w| w.goal.mode = Mode::Observe),
        (Reason::Paused, |w| {
            w.rules.since = Some(w.now);
            let until = w.now + TimeDelta::hours(1);
            w.goal.paused = Some(Pause { until, reason: "release".to_owned() });
        }),
        (Reason::EndpointUpdating, |w| w.endpoint().deploy_in_progress = true),
        (Reason::Incident, |w| w.estimate.incident_since = Some(w.now)),
    ];
    for (reason, change) in holds {
        let mut world = under_way();
        change(&mut world);
        let decision = world.pass();
        assert_held(&decision, Field::TargetValue, *reason);
        let note = decision.report.notes.iter().find(|note| note.reason == Reason::Probe);
        let sentence = &note.unwrap().sentence;
        assert!(sentence.ends_with("setpoint must restore 600"), "{sentence}");
        assert!(world.memory().probes.under_way.is_some());
    }
    // A freeze that lets values be lowered lets it come back.
    let mut world = under_way();
    let until = world.now + TimeDelta::hours(1);
    world.rules.freeze = Some(Freeze { until, allow_lowering: true });
    world.rules.since = Some(world.now);
    assert_eq!(ends(&mut world), ProbeEnd::Restart);
}

#[test]
fn the_write_that_ends_it_waits_for_no_limit() {
    let mut world = under_way();
    world.memory().writes = vec![now(); 24];
    world.rules.since = Some(world.now);
    // Nor are many of them a mass change: no configuration has made them.
    let decision = world.decide();
    let many = vec![&decision; 20];
    let limit = MassChangeLimit { min_variants: 3, ratio: 0.1, withheld: 0 };
    assert_eq!(mass_change(&many, limit, &Consent::default()), None);
    assert_eq!(ends(&mut world), ProbeEnd::Restart);
}

#[test]
fn one_whose_write_failed_may_have_landed() {
    let mut world = world();
    world.pass_with(&[StepResult::Error]);
    assert!(world.memory().probes.under_way.is_some());
    world.in_force(644.0);
    world.rules.since = Some(now() + TimeDelta::minutes(1));
    world.wait(5);
    steady(&mut world, 2500.0);
    assert_eq!(ends(&mut world), ProbeEnd::Restart);
}

proptest! {
    #[test]
    fn no_probe_goes_beyond_its_limits(
        bound in 300.0..900.0_f64, held in 300.0..900.0_f64, load in 1000.0..3000.0_f64,
        instances in 1..12_u32, ceiling in 500.0..900.0_f64, confirmed: bool,
    ) {
        let mut world = world();
        world.estimate.capacity.lower_bound = Some(bound);
        world.estimate.capacity.low = Some(bound);
        world.memory().highest_applied = Some(held);
        world.goal.target_value.ceiling = Some(InvocationsPerMinute::new(ceiling).unwrap());
        world.goal.adopt = confirmed;
        world.memory().adopted = true;
        steady(&mut world, load);
        world.load(load, instances);
        let decision = world.decide();
        let Some(to) = written(&decision).filter(|_| decision.report.reason == Reason::Probe) else {
            return Ok(());
        };
        prop_assert!(to > 600.0 && to <= 1.15 * bound && to <= ceiling);
        prop_assert!(to <= 1.1 * held.max(600.0) + 1e-6);
        prop_assert!(instances >= 4);
        let stay = (load / to).ceil();
        prop_assert!(f64::from(instances) - stay <= (f64::from(instances) * 0.2).floor().max(1.0));
    }
}
