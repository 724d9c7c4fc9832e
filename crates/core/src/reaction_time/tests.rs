//! The ledger on hand-made scale-outs.

use super::*;
use crate::model::goal::LatencyObjective;
use crate::model::reaction::Source;
use crate::model::scaling::NotScaledReason;
use crate::model::units::LatencyStatistic;

fn at(minute: f64) -> Timestamp {
    Timestamp::from_timestamp(1_700_000_040 + (minute * 60.0) as i64, 0).expect("an instant")
}

const OBJECTIVE: Objective = Objective {
    latency: Some(LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 }),
    error_rate_max: 0.01,
};

/// A load of so much on each of so many instances, p99 in ms, and 5XX answers.
fn minute(index: i64, load: f64, instances: f64, ms: f64, errors: f64) -> Minute {
    Minute {
        invocations: Some(load * instances),
        invocations_per_instance: Some(load),
        latency_us: Some(ms * 1000.0),
        errors_5xx: Some(errors),
        ..Minute::empty(at(index as f64))
    }
}

fn activity(id: &str, from: f64, to: Option<f64>, wanted: u32, side: &str) -> Activity {
    Activity {
        id: id.to_owned(),
        status: if to.is_some() { ActivityStatus::Successful } else { ActivityStatus::InProgress },
        started_at: at(from),
        ended_at: to.map(at),
        description: format!("Setting desired instance count to {wanted}."),
        cause: format!(
            "monitor alarm TargetTracking-endpoint/e/variant/v-Alarm{side}-1 in state ALARM triggered policy p"
        ),
        message: None,
        not_scaled_reasons: Vec::new(),
    }
}

fn alarm(since: f64) -> Alarm {
    Alarm {
        name: "TargetTracking-endpoint/e/variant/v-AlarmHigh-1".into(),
        state: AlarmState::Alarm,
        actions_enabled: true,
        threshold: Some(600.0),
        state_since: Some(at(since)),
    }
}

fn seen<'a>(activities: &'a [Activity], alarms: &'a [Alarm], minutes: &'a [Minute]) -> Seen<'a> {
    Seen {
        activities,
        alarms,
        minutes,
        target: Some(600.0),
        objective: &OBJECTIVE,
        instance_type: Some("ml.c5.xlarge"),
    }
}

/// The load doubles at minute 10, and at minute 19 a third instance halves what is above.
fn rise(after: impl Fn(i64) -> Minute) -> Vec<Minute> {
    let before = (0..10).map(|i| minute(i, 400.0, 2.0, 100.0, 0.0));
    let over = (10..19).map(|i| minute(i, 800.0, 2.0, 400.0, 0.0));
    before.chain(over).chain((19..36).map(after)).collect()
}

fn calm(index: i64) -> Minute {
    minute(index, 533.0, 3.0, 100.0, 0.0)
}

#[test]
fn every_part_of_a_scale_out_is_reported() {
    let minutes = rise(calm);
    let activities = [activity("a", 15.2, Some(19.0), 3, "High")];
    let mut ledger = Ledger::default();
    // First the alarm alone, then the activity under way, then its end.
    ledger.note(&seen(&[], &[alarm(15.0)], &minutes[..12]));
    ledger.note(&seen(&[activity("a", 15.2, None, 3, "High")], &[alarm(15.0)], &minutes[..14]));
    ledger.note(&seen(&activities, &[], &minutes));
    let before = ledger.clone();
    ledger.note(&seen(&activities, &[], &minutes));
    assert_eq!(ledger, before, "seeing the same again changes nothing");
    let found = ledger.summary(Some("ml.c5.xlarge"));
    let median = |spread: Option<crate::model::reaction::Spread>| spread.map(|s| s.p50);
    assert_eq!(found.scale_outs, 1);
    assert_eq!(median(found.seen.alarm), Some(5.0));
    assert!((median(found.seen.activity).unwrap() - 0.2).abs() < 1e-9);
    assert!((median(found.seen.start_up).unwrap() - 3.8).abs() < 1e-9);
    assert_eq!(median(found.seen.recovery), Some(0.0));
    assert_eq!(median(found.seen.whole), Some(9.0));
    assert_eq!(median(found.seen.cold), Some(0.0));
    assert_eq!((found.joins_watched, found.ready_too_early), (1, false));
    // One is too few: the prior is used, and it says so.
    assert_eq!(found.time.start_up.source, Source::InstanceType);
}

#[test]
fn five_observations_replace_the_prior() {
    let mut ledger = Ledger::default();
    let names = ["a", "b", "c", "d", "e"];
    for (at, name) in names.iter().enumerate() {
        let from = at as f64 * 600.0;
        let one = [activity(name, from, Some(from + 3.0 + at as f64), 3, "High")];
        ledger.note(&seen(&one, &[], &[]));
    }
    let found = ledger.summary(Some("ml.c5.xlarge"));
    assert_eq!(found.time.start_up.source, Source::Measured { observations: 5 });
    assert_eq!(found.time.start_up.minutes.p50, 5.0);
    assert!((found.time.start_up.minutes.p95 - 6.8).abs() < 1e-9);
    assert_eq!(found.time.alarm.source, Source::InstanceType, "no minute was seen");
    // Instances of another type start in another time.
    let other = ledger.summary(Some("ml.g5.xlarge"));
    assert_eq!((other.scale_outs, other.time.start_up.source), (0, Source::InstanceType));
}

#[test]
fn scale_ins_failures_and_decisions_not_to_scale_are_no_scale_outs() {
    let mut failed = activity("f", 30.0, Some(30.0), 9, "High");
    failed.status = ActivityStatus::Failed;
    failed.message = Some("… Error Code: ResourceLimitExceeded)".to_owned());
    let mut short = activity("s", 31.0, Some(31.0), 9, "High");
    short.status = ActivityStatus::Failed;
    short.message = Some("Unable to provision requested ML compute capacity".to_owned());
    let mut not = activity("n", 32.0, Some(32.0), 9, "High");
    not.not_scaled_reasons = vec![NotScaledReason {
        code: "AlreadyAtMaxCapacity".to_owned(),
        max_capacity: None,
        min_capacity: None,
        current_capacity: None,
    }];
    let down = activity("d", 40.0, Some(41.0), 1, "Low");
    // A scheduled action adds instances without any alarm.
    let mut scheduled = activity("u", 50.0, Some(54.0), 4, "Low");
    scheduled.cause = "maximum capacity was set to 4".to_owned();
    let all = [scheduled, down, not, short, failed];
    let mut ledger = Ledger::default();
    ledger.note(&seen(&all, &[], &[]));
    ledger.note(&seen(&all, &[], &[]));
    let found = ledger.summary(None);
    assert_eq!((found.failures_quota, found.failures_capacity, found.failures_other), (1, 1, 0));
    assert_eq!((found.scale_outs, found.seen.alarm), (1, None));
    assert_eq!(found.seen.start_up.map(|s| s.p50), Some(4.0));
}

#[test]
fn errors_while_instances_join_are_named_when_they_come_again() {
    // A third of the requests of the first three minutes fail.
    let early = |index: i64| {
        let errors = if index < 22 { 530.0 } else { 0.0 };
        minute(index, 533.0, 3.0, 100.0, errors)
    };
    let mut ledger = Ledger::default();
    for turn in 0..2 {
        let shift = turn * 200;
        let moved = |m: Minute| Minute { at: m.at + TimeDelta::minutes(shift), ..m };
        let minutes: Vec<Minute> = rise(early).into_iter().map(moved).collect();
        let from = 15.0 + shift as f64;
        let one = [activity(&format!("a{turn}"), from, Some(from + 4.0), 3, "High")];
        ledger.note(&seen(&one, &[], &minutes));
        let found = ledger.summary(None);
        assert_eq!(found.joins_with_errors, turn as u32 + 1);
        assert_eq!(found.ready_too_early, turn == 1, "once may be chance");
        assert_eq!(found.last.as_ref().unwrap().error_minutes, Some(3));
    }
    assert!((ledger.summary(None).errors_while_joining - 6.0 * 530.0).abs() < 1e-9);
}

#[test]
fn errors_that_were_there_before_have_another_cause() {
    let always = |index: i64| minute(index, 533.0, 3.0, 100.0, 530.0);
    let mut minutes = rise(always);
    minutes[17].errors_5xx = Some(200.0);
    let one = [activity("a", 15.0, Some(19.0), 3, "High")];
    let mut ledger = Ledger::default();
    ledger.note(&seen(&one, &[], &minutes));
    let found = ledger.summary(None);
    assert_eq!((found.joins_watched, found.joins_with_errors), (1, 0));
}

#[test]
fn what_was_not_seen_is_absent() {
    // The minutes begin above the target: nobody knows when the load crossed it.
    let minutes = rise(calm);
    let one = [activity("a", 15.0, Some(19.0), 3, "High")];
    let mut ledger = Ledger::default();
    ledger.note(&seen(&one, &[], &minutes[10..]));
    assert_eq!(ledger.summary(None).seen.alarm, None);
    // An alarm of the day before is another one's.
    ledger.note(&seen(&one, &[alarm(-900.0)], &minutes[10..]));
    assert_eq!(ledger.summary(None).seen.activity, None);
}

#[test]
fn a_second_step_on_the_same_rise_says_nothing_of_the_alarm() {
    let minutes = rise(|index| minute(index, 700.0, 3.0, 300.0, 0.0));
    let both =
        [activity("b", 25.0, Some(29.0), 5, "High"), activity("a", 15.0, Some(19.0), 3, "High")];
    let mut ledger = Ledger::default();
    ledger.note(&seen(&both, &[alarm(14.8)], &minutes));
    let found = ledger.summary(None);
    assert_eq!(found.scale_outs, 2);
    assert_eq!(found.seen.alarm.map(|s| s.p95), Some(4.8), "of the first alone");
    assert_eq!(found.seen.start_up.map(|s| s.p50), Some(4.0));
}

#[test]
fn only_the_newest_are_kept() {
    let mut ledger = Ledger::default();
    for index in 0..50 {
        let from = f64::from(index) * 100.0;
        let one = [activity(&index.to_string(), from, Some(from + 4.0), 3, "High")];
        ledger.note(&seen(&one, &[], &[]));
    }
    assert_eq!(ledger.summary(None).scale_outs as usize, KEPT);
    assert_eq!(ledger.summary(None).last.unwrap().id, "49");
    // What has been let go does not come back.
    ledger.note(&seen(&[activity("3", 300.0, Some(304.0), 3, "High")], &[], &[]));
    assert_eq!(ledger.summary(None).last.unwrap().id, "49");
    assert_eq!(ledger.summary(None).scale_outs as usize, KEPT);
}
