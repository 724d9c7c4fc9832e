//! Since when drift and the like last, also over restarts and over what could not be read.

use chrono::TimeDelta;
use setpoint::decide::lasting::lasting;
use setpoint::model::estimate::{Capacity, Estimate, Finding, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::goal::Mode;
use setpoint::model::lasting::{Direction, Lasting};
use setpoint::model::reason::Field;
use setpoint::model::record::Record;

use super::auto::auto;
use super::remembering::remembered;
use super::world::{World, now, why};

/// A pass: what is told, and what is remembered for the next one as a disk would give it back.
fn pass(world: &mut World, minutes: i64) -> Lasting {
    world.now = now() + TimeDelta::minutes(minutes);
    world.snapshot.taken_at = world.now;
    let decision = world.decide();
    let told = lasting(&world.snapshot, &decision.report, world.now);
    let before = world.snapshot.memory.known().cloned().unwrap_or_default();
    let after = remembered(world, &before, &decision, None);
    let id = world.snapshot.id.clone();
    let record = serde_json::to_string(&Record::of_variant(&id, &after).unwrap()).unwrap();
    let record: Record = serde_json::from_str(&record).unwrap();
    if world.snapshot.memory.known().is_some() {
        world.snapshot.memory = Fact::Known(record.read(&id.to_string()).unwrap());
    }
    told
}

#[test]
fn drift_lasts_from_the_pass_that_first_saw_it_until_one_sees_its_end() {
    let mut world = World::healthy();
    assert_eq!(pass(&mut world, 0).drift.len(), 0);
    if let Fact::Known(Some(target)) = &mut *world.snapshot.target {
        target.max_capacity += 1;
    }
    for minutes in [1, 2, 180] {
        let told = pass(&mut world, minutes);
        let since = now() + TimeDelta::minutes(1);
        assert_eq!(
            told.drift,
            [(Field::MaxCapacity, since)].into_iter().collect(),
            "after {minutes} minutes"
        );
    }
    let there = world.snapshot.target.clone();
    world.snapshot.target = Fact::Unknown(why()).into();
    let told = pass(&mut world, 200);
    assert_eq!(told.drift[&Field::MaxCapacity], now() + TimeDelta::minutes(1), "it may go on");
    world.snapshot.target = there;
    assert_eq!(pass(&mut world, 201).drift[&Field::MaxCapacity], now() + TimeDelta::minutes(1));
    if let Fact::Known(Some(target)) = &mut *world.snapshot.target {
        target.max_capacity -= 1;
    }
    assert_eq!(pass(&mut world, 202).drift.len(), 0);
    if let Fact::Known(Some(target)) = &mut *world.snapshot.target {
        target.max_capacity += 1;
    }
    assert_eq!(pass(&mut world, 203).drift[&Field::MaxCapacity], now() + TimeDelta::minutes(203));
}

#[test]
fn suspension_findings_and_safety_last_as_well() {
    let mut world = World::healthy();
    if let Fact::Known(Some(target)) = &mut *world.snapshot.target {
        target.suspended.scale_in = true;
    }
    let found = Estimate {
        verdict: Verdict::Measured,
        findings: vec![Finding::Under],
        ..Estimate::unobserved("measured")
    };
    world.estimate = found;
    let first = pass(&mut world, 0);
    assert_eq!(first.suspended, [(Direction::ScaleIn, now())].into_iter().collect());
    assert_eq!(first.findings, [(Finding::Under, now())].into_iter().collect());
    assert_eq!((first.held, first.is_unsafe), (Some(now()), None));
    // CloudWatch is down for a while: nobody looks for findings.
    world.estimate = Estimate::unobserved("no telemetry");
    assert_eq!(pass(&mut world, 10).findings, first.findings);
    world.estimate = Estimate { verdict: Verdict::Measured, ..Estimate::unobserved("measured") };
    if let Fact::Known(Some(target)) = &mut *world.snapshot.target {
        target.suspended.scale_in = false;
    }
    let last = pass(&mut world, 20);
    assert_eq!(last, Lasting::default());
}

#[test]
fn an_unsafe_time_ends_where_the_measurement_no_longer_says_so() {
    let mut world = auto(Verdict::Measured);
    world.goal.mode = Mode::Observe;
    let measured = |high: f64| {
        let capacity = Capacity {
            estimate: Some(0.9 * high),
            low: Some(0.7 * high),
            q25: Some(0.8 * high),
            high: Some(high),
            lower_bound: Some(0.6 * high),
        };
        Estimate { verdict: Verdict::Measured, capacity, ..Estimate::unobserved("measured") }
    };
    // 600 claims 1,200 at a factor of a half.
    world.estimate = measured(1_000.0);
    assert_eq!(pass(&mut world, 0).is_unsafe, Some(now()));
    // What cannot be judged for a while is unsafe all that time.
    world.estimate = Estimate::unobserved("no telemetry");
    pass(&mut world, 10);
    world.estimate = measured(1_000.0);
    assert_eq!(pass(&mut world, 20).is_unsafe, Some(now()));
    // An interval that leaves it open ends it.
    world.estimate = measured(1_300.0);
    assert_eq!(pass(&mut world, 30).is_unsafe, None);
    world.estimate = measured(1_000.0);
    assert_eq!(pass(&mut world, 40).is_unsafe, Some(now() + TimeDelta::minutes(40)));
}

#[test]
fn without_a_memory_nobody_says_since_when() {
    let mut world = World::healthy();
    if let Fact::Known(Some(target)) = &mut *world.snapshot.target {
        target.max_capacity += 1;
    }
    world.snapshot.memory = Fact::Unknown(why());
    assert_eq!(pass(&mut world, 0), Lasting::default());
}

#[test]
fn a_record_from_before_and_one_of_a_later_version_are_read() {
    let name = "123456789012/us-east-1/e/v";
    let read = |text: &str| {
        let record: Record = serde_json::from_str(text).unwrap();
        let memory = record.read::<setpoint::model::VariantMemory>(name).unwrap();
        Lasting::clone(&memory.lasting)
    };
    assert_eq!(read(r#"{"version":1,"memory":{"adopted":true}}"#), Lasting::default());
    let later = read(
        r#"{"version":9,"memory":{"lasting":{"drift":{"min_capacity":"2026-11-23T12:00:00Z",
        "spot_share":7},"suspended":{"sideways":1},"mood":true}}}"#,
    );
    assert_eq!(later.drift, [(Field::MinCapacity, now())].into_iter().collect());
    assert!(later.suspended.is_empty());
}
