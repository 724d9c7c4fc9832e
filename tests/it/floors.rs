//! Scheduled floors as a variant works them out day by day, and everywhere that they are shown.

use chrono::TimeDelta;
use chrono_tz::Tz;
use expect_test::expect_file;
use serde_json::Value;
use setpoint::model::estimate::{Estimate, Verdict};
use setpoint::model::fact::Fact;
use setpoint::model::floors::{Floors, FloorsGoal, FloorsMode};
use setpoint::model::goal::{CapacityGoal, Goal};
use setpoint::model::kept_floors::FloorPut;
use setpoint::model::reason::Reason;
use setpoint::model::scaling::PolicyKind;
use setpoint::model::snapshot::Snapshot;
use setpoint::model::status::VariantStatus;
use setpoint::model::time::Timestamp;
use setpoint::recommend::{
    Kept, Language, Recommendation, State, check, check_text, read, text, write,
};
use setpoint::render::explain::explain;
use setpoint::render::view::VariantView;
use setpoint::variant::{Variant, Weeks};

use crate::fixtures::{decided_with, in_sync, noon};
use crate::recommend::languages::ALL;

/// A variant that repeats: a steep ramp at 08:00 UTC of every working day.
fn office(at: Timestamp) -> f64 {
    let (day, hour) = (at.format("%u").to_string(), at.format("%H").to_string());
    let busy = !["6", "7"].contains(&&*day) && ("08".."14").contains(&&*hour);
    if busy { 8000.0 } else { 1500.0 }
}

/// The same load, at an hour that nobody knows.
fn spiky(at: Timestamp) -> f64 {
    let day = at.timestamp().div_euclid(86_400);
    let hour = at.timestamp().rem_euclid(86_400) / 3600;
    if (hour - day * 7).rem_euclid(24) < 6 { 8000.0 } else { 1500.0 }
}

struct Watched {
    goal: Goal,
    snapshot: Snapshot,
    estimate: Estimate,
    variant: Variant,
    weeks: Weeks,
}

/// A variant with so many days behind it, at noon.
fn watched(days: i64, zone: Tz, rate: impl Fn(Timestamp) -> f64) -> Watched {
    let VariantStatus { mut goal, snapshot, decision, .. } = in_sync("a");
    goal.floors = FloorsGoal { mode: FloorsMode::Propose, time_zone: zone };
    let from = noon() - TimeDelta::days(days);
    let requests = (0..days * 1440).map(|i| rate(from + TimeDelta::minutes(i)));
    let weeks = Weeks::new(from, requests.collect());
    let (estimate, variant) = (Estimate::clone(&decision.report.estimate), Variant::default());
    let goal = Goal::clone(&goal);
    Watched { goal, snapshot: *snapshot, estimate, variant, weeks }
}

impl Watched {
    fn without_weeks(&mut self, now: Timestamp) -> Floors {
        let of = (&self.goal, &self.snapshot);
        self.variant.floors(of, &self.estimate, None, now)
    }

    fn ask(&mut self, now: Timestamp) -> Floors {
        let of = (&self.goal, &self.snapshot);
        self.variant.floors(of, &self.estimate, Some(&self.weeks), now)
    }

    fn floors(&mut self) -> Floors {
        self.ask(noon())
    }
}

/// All that a week's traffic says: the factor, floors that would not pay, and one that is kept.
pub(crate) fn of_the_week(snapshot: &mut Snapshot) {
    snapshot.factor = crate::fixtures::by_replay::by_replay(noon(), 0.6).into();
    let why = "no scheduled floors are proposed".to_owned();
    snapshot.floors = Floors::None { at: noon(), reason: "does_not_pay", why }.into();
    let floor = FloorPut {
        name: "setpoint-floor-01".to_owned(),
        schedule: "cron(0 8 * * ? *)".to_owned(),
        time_zone: "UTC".to_owned(),
        min: 4,
        ends_at: Some(noon() + TimeDelta::days(7)),
    };
    let kept = floor.applied(&[], &snapshot.id.resource(), noon());
    snapshot.scheduled_actions = Fact::Known(kept).into();
}

fn proposed() -> Floors {
    watched(15, Tz::UTC, office).floors()
}

fn shown() -> VariantStatus {
    let mut status = in_sync("a");
    status.snapshot.floors = proposed().into();
    let estimate = status.decision.report.estimate.clone();
    decided_with(status, &estimate)
}

#[test]
fn where_the_week_repeats_floors_come_ahead_of_the_ramp() {
    let floors = proposed();
    let proposed = floors.proposed().unwrap();
    assert!(proposed.with.bad_minutes <= 0.6 * proposed.without.bad_minutes, "{proposed:?}");
    assert!(proposed.with.instance_hours <= proposed.without.instance_hours, "{proposed:?}");
    assert!(proposed.explained > 0.9 && !proposed.actions.is_empty(), "{proposed:?}");
    assert!(proposed.actions.len() <= 24, "{proposed:?}");
    let up = proposed.actions.iter().max_by_key(|action| action.min).unwrap();
    let lead = proposed.lead_minutes;
    let schedule = format!("cron({} 7 ? * MON,TUE,WED,THU,FRI *)", 60 - lead);
    assert_eq!(up.schedule, schedule, "{proposed:?}");
    assert_eq!(up.min, proposed.highest);
    assert!(proposed.actions.iter().all(|action| action.name.starts_with("floor-")));
    // An action that does something else has another name.
    let names: std::collections::BTreeSet<&str> =
        proposed.actions.iter().map(|action| action.name.as_str()).collect();
    assert_eq!(names.len(), proposed.actions.len());
}

#[test]
fn no_floor_lies_below_the_configured_min_or_above_the_configured_max() {
    let mut all = watched(15, Tz::UTC, office);
    for (min, max) in [(1, 20), (2, 9), (4, 9)] {
        all.goal.capacity = CapacityGoal { min: Some(min), max: Some(max) };
        let floors = all.floors();
        let actions = floors.proposed().map_or(&[][..], |proposed| &proposed.actions);
        assert!(actions.iter().all(|action| (min..=max).contains(&action.min)), "{actions:?}");
        assert!(!actions.is_empty() || max == 9, "{min} to {max}: {floors:?}");
    }
}

#[test]
fn where_it_does_not_repeat_there_are_none_with_a_reason() {
    let Floors::None { reason, why, .. } = watched(15, Tz::UTC, spiky).floors() else {
        panic!("a load at an hour that nobody knows has floors")
    };
    assert_eq!(reason, "does_not_repeat");
    assert!(why.contains("the week does not repeat"), "{why}");
    let floors = watched(15, Tz::UTC, |_| 1500.0).floors();
    assert!(matches!(floors, Floors::None { reason: "nothing_to_prevent", .. }), "{floors:?}");
    let floors = watched(9, Tz::UTC, office).floors();
    assert!(matches!(floors, Floors::None { reason: "too_short", .. }), "{floors:?}");
}

#[test]
fn in_a_time_zone_the_schedule_is_by_the_clock_on_the_wall() {
    let zone = chrono_tz::Asia::Tokyo;
    let floors = watched(15, zone, office).floors();
    let proposed = floors.proposed().unwrap();
    assert_eq!(proposed.time_zone, zone);
    let up = proposed.actions.iter().max_by_key(|action| action.min).unwrap();
    // 08:00 UTC is 17:00 in Tokyo.
    assert!(up.schedule.contains(" 16 ? * MON,TUE,WED,THU,FRI *"), "{proposed:?}");
}

#[test]
fn they_are_worked_out_once_a_day_and_when_something_else_is_asked() {
    let mut all = watched(14, Tz::UTC, office);
    let unasked = all.without_weeks(noon());
    assert!(matches!(&unasked, Floors::NotKnown { why } if why.contains("worked out yet")));
    let first = all.ask(noon());
    assert!(first.proposed().is_some(), "{first:?}");
    assert_eq!(all.ask(noon() + TimeDelta::hours(23)), first);
    let second = all.ask(noon() + TimeDelta::hours(24));
    assert_eq!(second.proposed().unwrap().at, noon() + TimeDelta::hours(24));
    // Where the weeks are not there, the last answer stands.
    all.goal.capacity.max = Some(7);
    assert_eq!(all.without_weeks(noon() + TimeDelta::hours(25)), second);
    assert_ne!(all.ask(noon() + TimeDelta::hours(25)), second);
}

#[test]
fn without_what_they_rest_on_nothing_is_known_of_them() {
    let unknown = |all: &mut Watched| match all.floors() {
        Floors::NotKnown { why } => why,
        other => panic!("{other:?}"),
    };
    let mut all = watched(15, Tz::UTC, office);
    all.estimate.history_complete_ratio = Some(0.5);
    assert!(unknown(&mut all).contains("not all of the history"));
    let mut all = watched(15, Tz::UTC, office);
    all.estimate.verdict = Verdict::Unobserved;
    all.goal.load_test = None;
    assert!(unknown(&mut all).contains("capacity is not known"));
    let mut all = watched(15, Tz::UTC, office);
    all.goal.floors.mode = FloorsMode::Off;
    assert_eq!(all.floors(), Floors::Off);
    let mut all = watched(15, Tz::UTC, office);
    all.goal.managed = false;
    assert!(unknown(&mut all).contains("does not list"));
    let mut all = watched(15, Tz::UTC, office);
    all.goal.objective.latency = None;
    assert!(unknown(&mut all).contains("no latency objective"));
}

#[test]
fn a_value_in_force_near_capacity_is_no_ground_for_floors() {
    let mut all = watched(15, Tz::UTC, office);
    let Fact::Known(policies) = &mut *all.snapshot.policies else { panic!("policies are known") };
    for policy in policies {
        if let PolicyKind::TargetTracking(tracking) = &mut policy.kind {
            tracking.target_value = 1240.0;
        }
    }
    let floors = all.floors();
    let proposed = floors.proposed().unwrap();
    assert!(!proposed.target_in_force && proposed.factor <= 0.81, "{proposed:?}");
    assert!(proposed.sentence().contains("would pay with a target value of"), "{proposed:?}");
}

#[test]
fn they_are_advice_and_change_nothing_that_is_decided() {
    let (with, without) = (shown(), in_sync("a"));
    assert_eq!(with.decision.plan, without.decision.plan);
    assert_eq!(with.decision.report.fields, without.decision.report.fields);
    assert_eq!(with.decision.report.reason, without.decision.report.reason);
    let note = with.decision.report.notes.iter().find(|n| n.reason == Reason::FloorsProposed);
    assert!(note.unwrap().sentence.contains("scheduled actions raising min"), "{note:?}");
}

#[test]
fn every_output_shows_them() {
    let status = shown();
    let schedule = &status.snapshot.floors.proposed().unwrap().actions[0].schedule;
    let mut kept = in_sync("kept");
    of_the_week(&mut kept.snapshot);
    let told = explain(&kept);
    let words = "setpoint keeps floors in AWS: 1 scheduled action, min 4 to 4, until 2026-11-30";
    assert!(told.contains(words) && told.contains("nothing gives min back"), "{told}");
    let json = serde_json::to_value(VariantView::of(&kept)).unwrap();
    assert_eq!(json["floors_kept"]["actions"][0]["min_capacity"], 4);
    assert_eq!(json["floors_kept"]["until"], "2026-11-30T12:00:00Z");
    let explained = explain(&status);
    assert!(explained.contains("Scheduled floors") && explained.contains(schedule), "{explained}");
    let json = serde_json::to_value(VariantView::of(&status)).unwrap();
    assert_eq!(json["floors"]["state"], "proposed", "{json}");
    assert_eq!(json["floors"]["actions"][0]["schedule"], **schedule);
    assert_eq!(json["floors"]["time_zone"], "UTC");
    assert_eq!(json["floors_kept"], Value::Null);
    let none = serde_json::to_value(VariantView::of(&in_sync("a"))).unwrap();
    assert_eq!(none["floors"]["state"], "off");
}

#[test]
fn recommendations_keep_them_in_every_language() {
    let mut it = Recommendation::of(&shown());
    // A value that is not theirs has a note and no floors.
    assert!(it.notes.iter().any(|note| note.contains("scheduled actions raising min")), "{it:?}");
    let mut status = shown();
    let Floors::Proposed(floors) = &mut *status.snapshot.floors else { panic!("proposed") };
    floors.target_value = it.target_value.unwrap();
    floors.actions.truncate(2);
    it = Recommendation::of(&status);
    it.notes.clear();
    let all = [it];
    let texts = ALL.map(|language| format!("{language:?}\n\n{}\n", write(&all, language)));
    expect_file!["golden/recommend_floors.txt"].assert_eq(&texts.concat());
    assert!(text(&all).contains("floor         cron("), "{}", text(&all));
    for language in [Language::CloudFormation, Language::Crossplane] {
        let kept = read(&write(&all, language)).unwrap();
        let checked = check(&kept, &all, |_| true, false);
        assert!(checked.compared() && !checked.differs(), "{language:?}: {checked:?}");
    }
    let json = serde_json::to_string(&all).unwrap();
    assert_eq!(floors_row(&read(&json).unwrap(), &all), (State::Agrees, String::new()));
    let json: Value = serde_json::to_value(&all[0]).unwrap();
    assert_eq!(serde_json::from_value::<Recommendation>(json).unwrap(), all[0]);
    let mut json: Value = serde_json::to_value(&all[0]).unwrap();
    // An older daemon says nothing of floors.
    json.as_object_mut().unwrap().remove("floors");
    assert_eq!(serde_json::from_value::<Recommendation>(json).unwrap().floors, None);
}

/// What `--check` says of the floors in a file.
fn floors_row(kept: &[Kept], all: &[Recommendation]) -> (State, String) {
    let checked = check(kept, all, |_| true, false);
    let rows = checked.places.iter().flat_map(|place| &place.fields);
    let rows: Vec<_> = rows.filter(|row| row.field == "floors").collect();
    assert_eq!(rows.len(), 1, "{}", check_text(&checked));
    (rows[0].state, rows[0].sentence.clone())
}

fn recommended() -> Vec<Recommendation> {
    let mut status = shown();
    let target_value = Recommendation::of(&status).target_value.unwrap();
    let Floors::Proposed(floors) = &mut *status.snapshot.floors else { panic!("proposed") };
    floors.target_value = target_value;
    floors.actions.truncate(2);
    vec![Recommendation::of(&status)]
}

#[test]
fn a_check_compares_schedules_by_what_min_is_when() {
    let all = recommended();
    let template = write(&all, Language::CloudFormation);
    let state = |from: &str, to: &str| {
        assert!(template.contains(from), "{template}");
        floors_row(&read(&template.replace(from, to)).unwrap(), &all)
    };
    assert_eq!(state("MON,TUE,WED,THU,FRI", "MON-FRI"), (State::Agrees, String::new()));
    // One instance more or less is what a week changes.
    assert_eq!(state("MinCapacity: 11", "MinCapacity: 12").0, State::Agrees);
    let (differs, why) = state("MinCapacity: 11", "MinCapacity: 5");
    assert_eq!(differs, State::Differs);
    assert!(
        why.contains("too low in 32.5 of the week's hours") && why.contains("5 where 11"),
        "{why}"
    );
    // With the hour is too late: instances take minutes to start.
    let (late, why) = state("cron(52 7 ", "cron(0 8 ");
    assert_eq!(late, State::Differs, "{why}");
    assert_eq!(state("Timezone: UTC", "Timezone: Asia/Tokyo").0, State::Differs);
    assert_eq!(state("cron(52 7 ? * MON,TUE,WED,THU,FRI *)", "rate(1 day)").0, State::NotCompared);
    assert_eq!(state("MinCapacity: 11", "MinCapacity: !ImportValue min").0, State::NotCompared);
    let mut other = all.clone();
    other[0].floors = None;
    let kept = read(&template).unwrap();
    assert_eq!(floors_row(&kept, &other).0, State::NotCompared);
    other[0].floors_refused = Some("the week does not repeat".to_owned());
    assert_eq!(floors_row(&kept, &other), (State::Differs, "the week does not repeat".to_owned()));
}

#[test]
fn a_check_takes_the_scheduled_actions_of_a_terraform_plan_together() {
    let all = recommended();
    let action = |name: &str, schedule: &str, min: i32| {
        serde_json::json!({
            "address": format!("aws_appautoscaling_scheduled_action.{name}"),
            "mode": "managed",
            "type": "aws_appautoscaling_scheduled_action",
            "values": {
                "name": name,
                "service_namespace": "sagemaker",
                "resource_id": "endpoint/a/variant/AllTraffic",
                "scalable_dimension": "sagemaker:variant:DesiredInstanceCount",
                "schedule": schedule,
                "timezone": "UTC",
                "scalable_target_action": [{"min_capacity": min.to_string(), "max_capacity": null}],
            },
        })
    };
    let plan = |actions: Vec<Value>| {
        let root = serde_json::json!({"resources": actions});
        let plan =
            serde_json::json!({"format_version": "1.2", "planned_values": {"root_module": root}});
        read(&plan.to_string()).unwrap()
    };
    let up = action("up", "cron(50 7 ? * MON-FRI *)", 11);
    let down = action("down", "cron(0 14 ? * MON-FRI *)", 3);
    assert_eq!(floors_row(&plan(vec![up.clone(), down]), &all), (State::Agrees, String::new()));
    let (state, why) = floors_row(&plan(vec![up]), &all);
    assert!(state == State::Differs && why.contains("too high"), "{why}");
}
