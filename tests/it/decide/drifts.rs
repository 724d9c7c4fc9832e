//! Drifts beyond a changed number: alarms, schedules, names, metrics, and writes that AWS refused. Each
//! with the difference that it makes.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use setpoint::decide::consent::Confirmed;
use setpoint::model::decision::{Action, Decision, FieldState, Outcome, StepOutcome, StepResult};
use setpoint::model::fact::{Fact, WhyKind};
use setpoint::model::memory::{Overwrite, Refusals, VariantMemory};
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scaling::{AlarmState, MetricSpec, ScheduledAction};

use super::remembering::remembered;
use super::world::{World, assert_held, now, why, written};

pub(super) fn field(decision: &Decision, field: Field) -> (FieldState, Reason, String) {
    let found = decision.report.fields.iter().find(|f| f.field == field).unwrap();
    (found.state, found.reason, found.sentence.to_string())
}

// === rule 20: alarms ===

const BREAKAGES: [fn(&mut World); 4] = [
    |w| w.alarms().clear(),
    |w| w.alarms()[1].actions_enabled = false,
    |w| w.alarms()[0].threshold = Some(900.0),
    |w| w.alarms()[0].state = AlarmState::InsufficientData,
];

#[test]
fn broken_alarms_are_mended_by_putting_the_policy_as_it_is() {
    for breakage in BREAKAGES {
        let mut world = World::healthy();
        let before = world.tracking().clone();
        breakage(&mut world);
        let decision = world.decide();
        let [Action::PutPolicy { configuration, expected, fields, .. }] =
            &decision.plan.actions[..]
        else {
            panic!("{:?}", decision.plan)
        };
        assert_eq!((configuration, expected.as_ref()), (&before, Some(&before)));
        assert_eq!(fields[..], [Field::Alarms]);
    }
}

#[test]
fn alarms_are_mended_once_in_24_hours_and_not_while_aws_may_be_making_them() {
    for breakage in BREAKAGES {
        let mut world = World::healthy();
        breakage(&mut world);
        world.memory().alarms_repaired_at = Some(now() - TimeDelta::hours(23));
        assert_held(&world.decide(), Field::Alarms, Reason::AlarmNotRepairable);
        world.memory().alarms_repaired_at = Some(now() - TimeDelta::hours(24));
        assert!(!world.decide().plan.is_empty());
    }
    let mut world = World::healthy();
    world.alarms().clear();
    world.memory().writes = vec![now() - TimeDelta::minutes(4)];
    assert_held(&world.decide(), Field::Alarms, Reason::Alarms);
    world.memory().writes = vec![now() - TimeDelta::minutes(6)];
    assert!(!world.decide().plan.is_empty());
}

#[test]
fn an_alarm_without_data_counts_only_while_there_is_data_and_not_after_a_write() {
    let blind = || {
        let mut world = World::healthy();
        world.alarms()[0].state = AlarmState::InsufficientData;
        world
    };
    let mut world = blind();
    world.telemetry().newest_datapoint = None;
    assert_eq!(world.decide().report.reason, Reason::InSync);
    let mut world = blind();
    world.memory().writes = vec![now() - TimeDelta::minutes(29)];
    assert_eq!(world.decide().report.reason, Reason::InSync);
    let mut world = blind();
    world.policies()[0].created_at = Some(now() - TimeDelta::minutes(29));
    assert_eq!(world.decide().report.reason, Reason::InSync);
}

#[test]
fn alarms_of_a_policy_that_is_not_managed_are_only_told_of() {
    let mut world = World::healthy();
    world.alarms().clear();
    world.goal.load_test = None;
    world.goal.cooldown = setpoint::model::goal::CooldownGoal::default();
    world.goal.disable_scale_in = None;
    assert_held(&world.decide(), Field::Alarms, Reason::Alarms);
}

#[test]
fn alarms_that_were_mended_are_remembered() {
    let mut world = World::healthy();
    world.alarms().clear();
    let decision = world.decide();
    let outcome = Outcome { steps: vec![StepOutcome::success("PutScalingPolicy", "")] };
    let memory = remembered(&world, &VariantMemory::default(), &decision, Some(&outcome));
    assert_eq!(memory.alarms_repaired_at, Some(now()));
    assert_eq!(memory.last_write, None, "the target value was not written");
}

// === rule 13: scheduled actions ===

fn evening(max: i32) -> ScheduledAction {
    ScheduledAction {
        resource: "endpoint/fraud-scorer/variant/AllTraffic".parse().unwrap(),
        name: "evening".to_owned(),
        schedule: "cron(0 18 * * ? *)".to_owned(),
        timezone: None,
        min_capacity: None,
        max_capacity: Some(max),
        starts_at: None,
        ends_at: None,
        created_at: None,
    }
}

#[test]
fn rule_13_a_value_that_an_action_explains_is_no_drift() {
    let mut world = World::healthy();
    world.target().max_capacity = 15;
    world.snapshot.scheduled_actions = Fact::Known(vec![evening(15)]).into();
    let decision = world.decide();
    let (state, reason, sentence) = field(&decision, Field::MaxCapacity);
    assert_eq!((state, reason), (FieldState::InSync, Reason::ScheduledCapacity));
    assert!(sentence.contains("evening at 2026-11-22T18:00:00Z"), "{sentence}");
    assert!(sentence.contains("next evening at 2026-11-23T18:00:00Z (max 15)"), "{sentence}");
    assert!(decision.plan.is_empty());
}

#[test]
fn rule_13_a_value_that_none_explains_is_drift_and_is_not_repaired() {
    let mut world = World::healthy();
    world.target().max_capacity = 15;
    world.snapshot.scheduled_actions = Fact::Known(vec![evening(7)]).into();
    assert_held(&world.decide(), Field::MaxCapacity, Reason::UnknownAction);
    world.snapshot.scheduled_actions = Fact::Unknown(why()).into();
    assert_held(&world.decide(), Field::MaxCapacity, Reason::Unknown);
    world.snapshot.scheduled_actions = Fact::Known(Vec::new()).into();
    assert!(!world.decide().plan.is_empty(), "without actions it is repaired");
}

// === the policy's name and metric ===

#[test]
fn a_policy_under_another_name_is_told_once_and_kept() {
    let mut world = World::healthy();
    world.memory().policy_name = Some("before".to_owned());
    let decision = world.decide();
    assert_held(&decision, Field::PolicyName, Reason::PolicyRenamed);
    let memory =
        remembered(&world, &world.snapshot.memory.known().unwrap().clone(), &decision, None);
    *world.memory() = memory;
    assert_eq!(world.decide().report.reason, Reason::InSync);
}

#[test]
fn a_policy_under_another_name_is_a_first_contact() {
    let mut world = World::drifted();
    world.goal.adopt = false;
    world.memory().adopted = true;
    assert_eq!(written(&world.decide()), Some(600.0));
    world.memory().policy_name = Some("before".to_owned());
    assert_held(&world.decide(), Field::TargetValue, Reason::Adoption);
    // Also in the passes after the one that told of the name.
    let before = world.memory().clone();
    *world.memory() = remembered(&world, &before, &world.decide(), None);
    assert_held(&world.decide(), Field::TargetValue, Reason::Adoption);
}

fn replaced() -> World {
    let mut world = World::healthy();
    let name = world.policies()[0].name.clone();
    world.memory().policy_name = Some(name);
    world.tracking().metric = MetricSpec::Customized("CPUUtilization".to_owned());
    world.tracking().target_value = 70.0;
    world
}

#[test]
fn a_replaced_metric_is_restored_under_the_name_that_is_remembered() {
    let world = replaced();
    let decision = world.decide();
    let [Action::PutPolicy { configuration, expected: Some(expected), fields, .. }] =
        &decision.plan.actions[..]
    else {
        panic!("{:?}", decision.plan)
    };
    assert!(configuration.metric.is_invocations() && !expected.metric.is_invocations());
    assert_eq!(
        (configuration.target_value, &fields[..]),
        (600.0, &[Field::MetricSpecification][..])
    );
}

#[test]
fn a_replaced_metric_comes_back_no_higher_than_held_before() {
    let mut world = replaced();
    world.memory().highest_applied = Some(450.0);
    assert_eq!(written(&world.decide()), Some(450.0));
}

#[test]
fn a_metric_under_a_name_that_is_not_remembered_competes() {
    let mut world = replaced();
    world.memory().policy_name = None;
    assert_held(&world.decide(), Field::Policy, Reason::CompetingPolicy);
    let mut world = replaced();
    world.memory().policy_name = Some("another".to_owned());
    assert_held(&world.decide(), Field::Policy, Reason::CompetingPolicy);
}

#[test]
fn a_replaced_metric_waits_for_adoption_for_a_value_and_for_instances() {
    let mut world = replaced();
    world.goal.adopt = false;
    world.memory().adopted = false;
    assert_held(&world.decide(), Field::MetricSpecification, Reason::Adoption);
    let mut world = replaced();
    world.goal.load_test = None;
    assert_held(&world.decide(), Field::MetricSpecification, Reason::NoValue);
    let mut world = replaced();
    world.endpoint().variants[0].desired_instances = Some(9);
    assert_held(&world.decide(), Field::MetricSpecification, Reason::PendingCapacity);
}

// === rule 22 for every field ===

#[test]
fn rule_22_holds_for_min_and_max_and_cooldowns() {
    let mut world = World::healthy();
    world.target().max_capacity = 5;
    let overwrite = |value| Overwrite { at: now() - TimeDelta::days(3), value };
    world.memory().foreign_overwrites.insert(Field::MaxCapacity, vec![overwrite(5.0); 2]);
    assert_held(&world.decide(), Field::MaxCapacity, Reason::OtherWriter);
    world.memory().foreign_overwrites.insert(Field::MaxCapacity, vec![overwrite(6.0); 2]);
    assert!(!world.decide().plan.is_empty(), "another value is another story");
}

#[test]
fn a_value_counts_once_for_each_time_it_came_back() {
    let mut world = World::healthy();
    let mut memory = VariantMemory { adopted: true, ..VariantMemory::default() };
    let counted = |memory: &VariantMemory| {
        memory.foreign_overwrites.get(&Field::MaxCapacity).map_or(0, Vec::len)
    };
    for round in 0..3 {
        world.target().max_capacity = 5;
        for _ in 0..2 {
            *world.memory() = memory.clone();
            memory = remembered(&world, &memory, &world.decide(), None);
        }
        // The first time nothing had been written: it may be how it always was.
        assert_eq!(counted(&memory), round);
        *world.memory() = VariantMemory { foreign_overwrites: BTreeMap::new(), ..memory.clone() };
        let decision = world.decide();
        let outcome = Outcome { steps: vec![StepOutcome::success("RegisterScalableTarget", "")] };
        memory = remembered(&world, &memory, &decision, Some(&outcome));
        world.target().max_capacity = 20;
        *world.memory() = memory.clone();
        memory = remembered(&world, &memory, &world.decide(), None);
    }
}

#[test]
fn what_setpoint_wrote_itself_has_no_grace() {
    let mut world = World::healthy();
    world.target().max_capacity = 40;
    assert_held(&world.decide(), Field::MaxCapacity, Reason::SafeChangeGrace);
    world.memory().written.insert(Field::MaxCapacity, 40.0);
    assert!(!world.decide().plan.is_empty(), "then the configuration has moved");
}

// === writes that AWS refused ===

fn refused(kind: Option<WhyKind>) -> VariantMemory {
    let world = World::drifted();
    let failed = StepOutcome::other(
        "PutScalingPolicy",
        StepResult::Error,
        Reason::WriteFailed,
        "ThrottlingException: Rate exceeded",
    );
    let outcome = Outcome { steps: vec![StepOutcome { refused: kind, ..failed }] };
    remembered(&world, &VariantMemory::default(), &world.decide(), Some(&outcome))
}

#[test]
fn a_refused_write_is_no_write_and_one_that_may_have_landed_is() {
    let memory = refused(Some(WhyKind::Throttled));
    assert!(memory.writes.is_empty() && memory.last_attempt.is_none());
    assert_eq!(memory.refused.unwrap().until, now() + TimeDelta::minutes(1));
    let memory = refused(None);
    assert_eq!(memory.writes, [now()]);
    assert!(memory.last_attempt.is_some() && memory.refused.is_none());
}

#[test]
fn refused_writes_are_tried_again_after_a_while_that_doubles_to_a_quarter_of_an_hour() {
    let mut world = World::drifted();
    let failed = StepOutcome {
        refused: Some(WhyKind::Denied),
        ..StepOutcome::other("PutScalingPolicy", StepResult::Error, Reason::WriteFailed, "denied")
    };
    let mut waits = Vec::new();
    for _ in 0..7 {
        if let Some(refused) = world.memory().refused.as_mut() {
            refused.until = now();
        }
        let decision = world.decide();
        let outcome = Outcome { steps: vec![failed.clone()] };
        let before = world.memory().clone();
        *world.memory() = remembered(&world, &before, &decision, Some(&outcome));
        let until = world.memory().refused.as_ref().unwrap().until;
        waits.push((until - now()).num_minutes());
        assert_held(&world.decide(), Field::TargetValue, Reason::WriteFailed);
        assert_eq!(world.decide().wake_at, Some(until));
    }
    assert_eq!(waits, [1, 2, 4, 8, 15, 15, 15]);
    // A person who confirms does not wait, and a success ends it.
    world.rules.confirmed = Confirmed::Asking;
    let decision = world.decide();
    assert_eq!(written(&decision), Some(600.0));
    let outcome = Outcome { steps: vec![StepOutcome::success("PutScalingPolicy", "")] };
    let before = world.memory().clone();
    assert_eq!(remembered(&world, &before, &decision, Some(&outcome)).refused, None);
}

#[test]
fn a_refusal_says_what_aws_said() {
    let mut world = World::drifted();
    let sentence = "AccessDeniedException: no".to_owned();
    let until = now() + TimeDelta::minutes(8);
    world.memory().refused = Some(Refusals { count: 4, until, sentence }.into());
    let told = &world.decide().report.sentence;
    assert!(told.contains("the last 4 writes (AccessDeniedException: no)"), "{told}");
}

/// `Alarms` is optional in AWS's answer: without it the alarms are found by their names, and what is
/// not found is not known, instead of missing.
#[test]
fn alarms_that_aws_does_not_tell_of_are_not_missing() {
    let mut world = World::healthy();
    world.policies()[0].alarm_names = None;
    assert_eq!(world.decide().report.reason, Reason::InSync);
    world.alarms()[1].actions_enabled = false;
    assert_eq!(field(&world.decide(), Field::Alarms).0, FieldState::Write);
    for left in [1, 0] {
        world.alarms().truncate(left);
        let (state, _, sentence) = field(&world.decide(), Field::Alarms);
        assert_eq!(state, FieldState::Unknown, "{left}: {sentence}");
        assert!(world.decide().plan.is_empty());
    }
    // Where AWS says that there are none, they are missing.
    world.policies()[0].alarm_names = Some(Vec::new());
    assert_eq!(field(&world.decide(), Field::Alarms).0, FieldState::Write);
}
