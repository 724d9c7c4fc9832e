//! Who changed what.

use setpoint::model::decision::{Outcome, StepOutcome, StepResult};
use setpoint::model::goal::Pause;
use setpoint::model::history::{Event, EventKind, LastSeen, Who};
use setpoint::model::memory::TargetWrite;
use setpoint::model::scaling::{PolicyKind, ScheduledAction};
use setpoint::model::status::VariantStatus;
use setpoint::model::{Fact, Field};
use setpoint::store::changes;

use super::{at, kinds, minute};
use crate::fixtures;

fn in_force(mut status: VariantStatus, value: f64) -> VariantStatus {
    if let Fact::Known(policies) = &mut *status.snapshot.policies
        && let PolicyKind::TargetTracking(tracking) = &mut policies[0].kind
    {
        tracking.target_value = value;
    }
    fixtures::decided_again(status)
}

fn with_max(mut status: VariantStatus, max: i32) -> VariantStatus {
    if let Fact::Known(Some(target)) = &mut *status.snapshot.target {
        target.max_capacity = max;
    }
    fixtures::decided_again(status)
}

fn first() -> LastSeen {
    let (events, face) = changes(None, &at(0, fixtures::in_sync("a")));
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (event.kind, event.who, event.not_before),
        (EventKind::FirstSeen, Who::Setpoint, None)
    );
    let told = "first seen: target value 600, 1 to 20 instances, endpoint config ";
    assert!(event.sentence.starts_with(told), "{}", event.sentence);
    assert!(event.sentence.contains("mode repair; safe"), "{}", event.sentence);
    face
}

fn only(events: &[Event], kind: EventKind) -> Vec<&Event> {
    events.iter().filter(|event| event.kind == kind).collect()
}

#[test]
fn a_quiet_variant_has_no_events_and_a_foreign_hand_is_told_with_its_span() {
    let face = first();
    let (events, face) = changes(Some(&face), &at(1, fixtures::in_sync("a")));
    assert_eq!(events, []);
    let (events, _) = changes(Some(&face), &at(180, in_force(fixtures::in_sync("a"), 900.0)));
    let change = only(&events, EventKind::Change);
    assert_eq!(change.len(), 1);
    assert_eq!((change[0].who, change[0].field), (Who::Foreign, Some(Field::TargetValue)));
    assert_eq!((change[0].at, change[0].not_before), (minute(180), Some(minute(1))));
    assert_eq!(change[0].sentence, "target_value 600 -> 900");
    assert!(kinds(&events).contains(&EventKind::DriftBegun));
    let decision = only(&events, EventKind::Decision);
    assert!(decision[0].sentence.contains("900") && decision[0].decision.is_some());
}

/// `setpoint pause ENDPOINT/VARIANT` is kept with the variant, a wider one with the process.
#[test]
fn a_pause_of_one_variant_is_told_as_one_of_many_is() {
    let face = first();
    let pause = Pause { until: minute(120), reason: "on call".to_owned() };
    let mut one = fixtures::in_sync("a");
    if let Fact::Known(memory) = &mut one.snapshot.memory {
        memory.pause = Some(pause.clone());
    }
    let mut many = fixtures::in_sync("a");
    many.goal.paused = Some(pause);
    for paused in [one, many] {
        let (events, face) = changes(Some(&face), &at(1, paused));
        let begun = only(&events, EventKind::PauseBegun);
        assert!(begun.len() == 1 && begun[0].sentence.ends_with(": on call"), "{events:?}");
        let (events, _) = changes(Some(&face), &at(2, fixtures::in_sync("a")));
        assert_eq!(only(&events, EventKind::PauseEnded).len(), 1, "{events:?}");
    }
}

#[test]
fn what_setpoint_wrote_is_its_own_and_is_no_change_afterwards() {
    let mut status = at(1, in_force(fixtures::in_sync("a"), 900.0));
    let step = StepOutcome::success("PutScalingPolicy", "900 -> 600");
    status.outcome = Some(Outcome { steps: vec![step.clone()] });
    let (_, before) = changes(None, &at(0, in_force(fixtures::in_sync("a"), 900.0)));
    let (events, face) = changes(Some(&before), &status);
    let write = only(&events, EventKind::Write);
    assert_eq!((write[0].who, write[0].code.as_deref()), (Who::Setpoint, Some("success")));
    assert_eq!(write[0].before.as_deref(), Some("900"));
    let written: f64 = write[0].after.as_ref().unwrap().parse().unwrap();
    let (events, _) = changes(Some(&face), &at(2, in_force(fixtures::in_sync("a"), written)));
    assert_eq!(only(&events, EventKind::Change), Vec::<&Event>::new());

    // One without a certain answer may show up later, and is not somebody else's then.
    status.outcome =
        Some(Outcome { steps: vec![StepOutcome { result: StepResult::Error, ..step }] });
    let (_, face) = changes(Some(&before), &status);
    let (events, _) = changes(Some(&face), &at(2, in_force(fixtures::in_sync("a"), written)));
    let change = only(&events, EventKind::Change);
    assert_eq!(change[0].who, Who::Setpoint);
    assert!(change[0].sentence.ends_with("has taken effect"), "{}", change[0].sentence);
}

#[test]
fn a_schedule_a_deploy_and_apply_are_told_from_a_foreign_hand() {
    let face = first();
    let mut status = with_max(fixtures::in_sync("a"), 30);
    status.snapshot.scheduled_actions = Fact::Known(vec![ScheduledAction {
        resource: fixtures::id("a").resource(),
        name: "evening".to_owned(),
        schedule: "cron(0 12 * * ? *)".to_owned(),
        timezone: None,
        min_capacity: None,
        max_capacity: Some(30),
        starts_at: None,
        ends_at: None,
        created_at: Some(minute(-60 * 24 * 9)),
    }])
    .into();
    let (events, _) = changes(Some(&face), &at(1, fixtures::decided_again(status)));
    let change = only(&events, EventKind::Change);
    assert_eq!(change[0].who, Who::Schedule);
    assert!(change[0].sentence.contains("the scheduled action evening"), "{}", change[0].sentence);

    let (events, _) = changes(Some(&face), &at(1, fixtures::lost_policy("a")));
    assert_eq!(events[0].kind, EventKind::Deploy, "the endpoint was made again");
    let change = only(&events, EventKind::Change);
    let told: Vec<_> = change.iter().map(|event| (event.field.unwrap(), event.who)).collect();
    assert_eq!(told, [(Field::ScalableTarget, Who::Deploy), (Field::Policy, Who::Deploy)]);

    let mut status = at(1, in_force(fixtures::in_sync("a"), 640.0));
    if let Fact::Known(memory) = &mut status.snapshot.memory {
        let write = TargetWrite { at: minute(1), before: Some(600.0), after: 640.0 };
        memory.last_write = Some(write);
    }
    let (events, _) = changes(Some(&face), &status);
    assert_eq!(only(&events, EventKind::Change)[0].who, Who::Setpoint);
}

#[test]
fn what_could_not_be_read_is_as_it_was() {
    let face = first();
    let (events, face) = changes(Some(&face), &at(1, fixtures::not_comparable("a")));
    assert_eq!(only(&events, EventKind::Change), Vec::<&Event>::new());
    let (events, _) = changes(Some(&face), &at(2, fixtures::in_sync("a")));
    assert_eq!(only(&events, EventKind::Change), Vec::<&Event>::new());
    assert_eq!(only(&events, EventKind::Deploy), Vec::<&Event>::new());
}

#[test]
fn findings_and_holds_begin_and_end() {
    let face = first();
    let (events, face) = changes(Some(&face), &at(1, fixtures::held("a")));
    let codes = |events: &[Event], kind| -> Vec<String> {
        only(events, kind).iter().map(|event| event.code.clone().unwrap()).collect()
    };
    assert_eq!(codes(&events, EventKind::FindingBegun), ["over"]);
    assert_eq!(codes(&events, EventKind::HoldBegun), ["observe"]);
    assert_eq!(codes(&events, EventKind::DriftBegun), ["max_capacity", "target_value"]);
    let (events, again) = changes(Some(&face), &at(2, fixtures::held("a")));
    assert_eq!(kinds(&events), [], "nothing new");
    let (events, _) = changes(Some(&again), &at(3, fixtures::in_sync("a")));
    assert_eq!(codes(&events, EventKind::FindingEnded), ["over"]);
    assert_eq!(codes(&events, EventKind::HoldEnded), ["observe"]);
    assert_eq!(codes(&events, EventKind::DriftEnded), ["max_capacity", "target_value"]);
}

/// More of the past is read, pass by pass: that the regime reaches further back is no deploy.
#[test]
fn the_start_of_the_data_is_not_a_deploy() {
    let with_regime = |minutes: i64, first: bool, at_minute: i64| {
        let mut status = at(at_minute, fixtures::in_sync("a"));
        let regime = status.decision.report.estimate.regime.as_mut().unwrap();
        (regime.started_at, regime.first) = (minute(minutes), first);
        status
    };
    let (_, face) = changes(None, &with_regime(-60, true, 0));
    for (began, first) in [(-600, true), (-6000, true), (-6000, false)] {
        let (events, _) = changes(Some(&face), &with_regime(began, first, 1));
        assert_eq!(only(&events, EventKind::Regime), Vec::<&Event>::new(), "{began}");
    }
    let (events, _) = changes(Some(&face), &with_regime(-10, false, 1));
    assert_eq!(only(&events, EventKind::Regime)[0].who, Who::Deploy);
}
