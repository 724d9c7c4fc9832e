//! One difference, one guard: what holds it, and that nothing is written then.

use chrono::TimeDelta;
use setpoint::decide::Freeze;
use setpoint::decide::consent::Confirmed;
use setpoint::model::decision::{Action, FieldState};
use setpoint::model::endpoint::EndpointStatus;
use setpoint::model::fact::Fact;
use setpoint::model::goal::{Mode, Pause};
use setpoint::model::memory::{Overwrite, Seen};
use setpoint::model::reason::{ActionKind, Field, Reason};
use setpoint::model::scaling::{Activity, ActivityStatus, MetricSpec, PolicyKind, ScalingPolicy};

use super::world::{World, assert_held, now, why, written};

#[test]
fn a_policy_as_desired_is_in_sync_and_absent_equals_the_default() {
    let decision = World::healthy().decide();
    assert_eq!(decision.report.reason, Reason::InSync, "{:#?}", decision.report);
    assert_eq!(decision.report.action, ActionKind::None);
    assert!(decision.report.comparable && decision.plan.is_empty());
    assert!(decision.report.fields.iter().all(|f| f.state == FieldState::InSync));
    assert_eq!(decision.report.formula_target, Some(600.0));
}

#[test]
fn drift_is_repaired_and_everything_unmanaged_is_carried_over() {
    let mut world = World::drifted();
    world.goal.cooldown.scale_out_seconds = None;
    world.goal.disable_scale_in = None;
    world.tracking().scale_out_cooldown = Some(17);
    world.tracking().disable_scale_in = Some(true);
    let decision = world.decide();
    let [Action::PutPolicy { policy_name, configuration, fields, .. }] =
        decision.plan.actions.as_slice()
    else {
        panic!("{:?}", decision.plan)
    };
    assert_eq!(policy_name, "invocations", "the existing name is kept");
    assert_eq!(fields, &[Field::TargetValue]);
    assert_eq!(configuration.target_value, 600.0);
    assert_eq!(configuration.scale_out_cooldown, Some(17));
    assert_eq!(configuration.scale_in_cooldown, None);
    assert_eq!(configuration.disable_scale_in, Some(true));
    assert_eq!(decision.report.action, ActionKind::SetTarget);
}

#[test]
fn repair_restores_601_to_600_and_ignores_the_last_bits() {
    let mut world = World::healthy();
    world.in_force(601.0);
    assert_eq!(written(&world.decide()), Some(600.0));
    world.in_force(600.0 + 1e-7);
    assert_eq!(world.decide().report.reason, Reason::InSync);
}

#[test]
fn rule_1_observe_says_and_never_writes() {
    let mut world = World::drifted();
    world.goal.mode = Mode::Observe;
    assert_held(&world.decide(), Field::TargetValue, Reason::Observe);
}

#[test]
fn rule_2_writing_needs_the_account_and_the_same_answer_from_sts() {
    let mut world = World::drifted();
    world.rules.account_id = None;
    assert_held(&world.decide(), Field::TargetValue, Reason::WrongAccount);

    let mut world = World::drifted();
    world.snapshot.caller = Fact::Known("999999999999".parse().unwrap());
    assert_held(&world.decide(), Field::TargetValue, Reason::WrongAccount);

    let mut world = World::drifted();
    world.snapshot.caller = Fact::Unknown(why());
    assert_held(&world.decide(), Field::TargetValue, Reason::WrongAccount);

    // Both agree with each other, but the variant is another account's.
    let mut world = World::drifted();
    world.rules.account_id = Some("999999999999".parse().unwrap());
    world.snapshot.caller = Fact::Known("999999999999".parse().unwrap());
    assert_held(&world.decide(), Field::TargetValue, Reason::WrongAccount);
}

#[test]
fn rule_4_first_contact_needs_a_person() {
    let mut world = World::drifted();
    world.goal.adopt = false;
    world.memory().adopted = false;
    assert_held(&world.decide(), Field::TargetValue, Reason::Adoption);
    world.rules.confirmed = Confirmed::Asking;
    assert_eq!(written(&world.decide()), Some(600.0));
    world.rules.confirmed = Confirmed::Nothing;
    world.memory().adopted = true;
    assert_eq!(written(&world.decide()), Some(600.0));
}

/// It may hold a pause, and without it no intent can be kept. A plan must not show a write that a
/// pass then refuses, and a person's yes to the plan does not make it readable.
#[test]
fn what_is_remembered_and_cannot_be_read_holds_every_write() {
    for drift in [World::drifted as fn() -> World, || {
        let mut world = World::healthy();
        world.target().max_capacity += 1;
        world
    }] {
        let mut world = drift();
        world.snapshot.memory = Fact::Unknown(why());
        for confirmed in [Confirmed::Nothing, Confirmed::Asking] {
            world.rules.confirmed = confirmed;
            let decision = world.decide();
            assert!(decision.plan.is_empty(), "{:?}", decision.plan);
            let held = decision.report.fields.iter().find(|f| f.state == FieldState::Held);
            assert_eq!(held.map(|f| f.reason), Some(Reason::Unknown));
        }
    }
}

#[test]
fn rule_5_without_a_valid_load_test_a_present_value_is_left_alone() {
    for broken in ["absent", "expired", "other type", "type unknown"] {
        let mut world = World::drifted();
        match broken {
            "absent" => world.goal.load_test = None,
            "expired" => world.goal.load_test.as_mut().unwrap().max_age_days = Some(10),
            "other type" => {
                world.goal.load_test.as_mut().unwrap().instance_type = Some("ml.g5.xlarge".into());
            }
            _ => world.snapshot.endpoint_config = Fact::Unknown(why()).into(),
        }
        let decision = world.decide();
        assert_eq!(decision.report.formula_target, None, "{broken}");
        assert!(decision.plan.is_empty(), "{broken}: {:?}", decision.plan);
        let field = decision.report.fields.iter().find(|f| f.field == Field::TargetValue);
        // A value that nothing states is neither drift nor in sync.
        let (state, reason) = match broken {
            "absent" => (FieldState::NotCompared, Reason::NotCompared),
            "expired" => (FieldState::NotCompared, Reason::LoadTestExpired),
            "other type" => (FieldState::NotCompared, Reason::LoadTestMismatch),
            _ => (FieldState::Unknown, Reason::CouldNotCompare),
        };
        assert_eq!(field.map(|f| (f.state, f.reason)), Some((state, reason)), "{broken}");
        assert_eq!(decision.report.reason, reason, "{broken}");
        assert_eq!(decision.report.comparable, broken != "type unknown", "{broken}");
        let lacks = matches!(broken, "expired" | "other type");
        assert_eq!(decision.report.lacks_comparison(), lacks, "{broken}");
    }
}

#[test]
fn rule_5_a_missing_policy_without_a_value_is_held() {
    let mut world = World::healthy();
    world.goal.load_test = None;
    world.policies().clear();
    assert_held(&world.decide(), Field::Policy, Reason::NoValue);
}

#[test]
fn rule_7_unlisted_and_shadow_variants_are_never_written() {
    let mut world = World::drifted();
    world.goal.managed = false;
    assert_held(&world.decide(), Field::TargetValue, Reason::Unlisted);

    let mut world = World::drifted();
    let name = world.snapshot.id.variant.clone();
    world.endpoint().shadow_variants.push(name);
    let decision = world.decide();
    assert_eq!(decision.report.reason, Reason::Shadow);
    assert!(decision.plan.is_empty() && decision.report.fields.is_empty());
}

#[test]
fn rule_10_the_switch_a_pause_a_freeze_and_the_count_of_writes() {
    let mut world = World::drifted();
    world.rules.enabled = false;
    assert_held(&world.decide(), Field::TargetValue, Reason::ReconcileDisabled);

    let mut world = World::drifted();
    let until = now() + TimeDelta::hours(2);
    world.memory().pause = Some(Pause { until, reason: "incident 4711".to_owned() });
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::Paused);
    assert_eq!(decision.wake_at, Some(until));
    assert!(decision.report.sentence.contains("incident 4711"));
    world.now = until;
    assert_eq!(written(&world.decide()), Some(600.0), "a pause expires by itself");

    let mut world = World::drifted();
    world.rules.freeze = Some(Freeze { until, allow_lowering: false });
    assert_held(&world.decide(), Field::TargetValue, Reason::Frozen);
    world.rules.freeze = Some(Freeze { until, allow_lowering: true });
    assert_eq!(written(&world.decide()), Some(600.0), "lowering was allowed");
    world.tracking().target_value = 600.0;
    world.target().max_capacity = 15;
    assert_held(&world.decide(), Field::MaxCapacity, Reason::Frozen);

    let mut world = World::drifted();
    world.memory().writes = vec![now() - TimeDelta::minutes(1); 6];
    assert_held(&world.decide(), Field::TargetValue, Reason::WriteLimit);
    world.memory().writes = vec![now() - TimeDelta::hours(2); 24];
    assert_held(&world.decide(), Field::TargetValue, Reason::WriteLimit);
    world.memory().writes = vec![now() - TimeDelta::hours(25); 24];
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn rule_11_a_deploy_or_an_endpoint_not_in_service_holds_everything() {
    let mut world = World::drifted();
    world.endpoint().deploy_in_progress = true;
    assert_held(&world.decide(), Field::TargetValue, Reason::EndpointUpdating);
    for status in [
        EndpointStatus::Creating,
        EndpointStatus::RollingBack,
        EndpointStatus::SystemUpdating,
        EndpointStatus::Deleting,
        EndpointStatus::Failed,
        EndpointStatus::OutOfService,
        EndpointStatus::UpdateRollbackFailed,
        EndpointStatus::Other("Hibernating".to_owned()),
    ] {
        let mut world = World::drifted();
        world.endpoint().status = status.clone();
        let decision = world.decide();
        assert_held(&decision, Field::TargetValue, Reason::EndpointUpdating);
        assert!(decision.report.sentence.contains(status.as_str()), "{}", decision.report.sentence);
    }
}

#[test]
fn rule_11_the_auto_scalers_own_update_holds_min_and_max_but_not_a_lowering() {
    let pending: [fn(&mut World); 3] = [
        |world| world.endpoint().status = EndpointStatus::Updating,
        |world| world.endpoint().variants[0].desired_instances = Some(6),
        |world| {
            world.snapshot.activities = Fact::Known(
                vec![Activity {
                    id: "1".to_owned(),
                    status: ActivityStatus::InProgress,
                    started_at: now(),
                    ended_at: None,
                    description: "Setting desired instance count to 6.".to_owned(),
                    cause: String::new(),
                    message: None,
                    not_scaled_reasons: Vec::new(),
                }]
                .into(),
            );
        },
    ];
    for make_pending in pending {
        let mut world = World::drifted();
        make_pending(&mut world);
        assert_eq!(written(&world.decide()), Some(600.0), "a lowering does not wait");

        let mut world = World::healthy();
        make_pending(&mut world);
        world.target().max_capacity = 15;
        assert_held(&world.decide(), Field::MaxCapacity, Reason::PendingCapacity);

        let mut world = World::healthy();
        world.goal.safe_change_grace = TimeDelta::zero();
        make_pending(&mut world);
        world.in_force(500.0);
        assert_held(&world.decide(), Field::TargetValue, Reason::PendingCapacity);
    }
}

#[test]
fn rule_12_suspended_scaling_is_reported_and_undone_only_when_told() {
    let mut world = World::healthy();
    world.target().suspended.scale_in = true;
    assert_held(&world.decide(), Field::Suspended, Reason::Suspended);
    world.goal.unsuspend = true;
    let decision = world.decide();
    assert!(
        matches!(decision.plan.actions[..], [Action::RegisterTarget { unsuspend: true, .. }]),
        "{:?}",
        decision.plan
    );
}

#[test]
fn rule_14_no_second_policy_beside_another_one() {
    let mut world = World::healthy();
    let competing = ScalingPolicy {
        name: "steps".to_owned(),
        kind: PolicyKind::Step,
        ..world.policies()[0].clone()
    };
    *world.policies() = vec![competing.clone()];
    assert_held(&world.decide(), Field::Policy, Reason::CompetingPolicy);
    // Ours may still be repaired beside it.
    let mut world = World::drifted();
    world.policies().insert(0, competing);
    assert_eq!(written(&world.decide()), Some(600.0));
}

#[test]
fn rule_14_a_policy_on_another_metric_competes() {
    let mut world = World::healthy();
    world.tracking().metric = MetricSpec::Customized("CPUUtilization".to_owned());
    assert_held(&world.decide(), Field::Policy, Reason::CompetingPolicy);
}

#[test]
fn rule_15_kinds_that_one_number_does_not_fit() {
    let break_kind: [fn(&mut World); 6] = [
        |w| w.endpoint().asynchronous = true,
        |w| w.endpoint().variants[0].serverless = true,
        |w| w.endpoint().variants[0].instance_pools = true,
        |w| w.endpoint().variants[0].managed_instance_scaling = true,
        |w| {
            if let Fact::Known(Some(model)) = &mut *w.snapshot.model {
                model.multi_model = true;
            }
        },
        |w| {
            if let Fact::Known(Some(config)) = &mut *w.snapshot.endpoint_config {
                config.variants[0].instance_type = Some("ml.t2.medium".to_owned());
                w.goal.load_test.as_mut().unwrap().instance_type = None;
            }
        },
    ];
    for make in break_kind {
        let mut world = World::drifted();
        make(&mut world);
        assert_held(&world.decide(), Field::TargetValue, Reason::UnsupportedKind);
    }
    let mut world = World::drifted();
    world.snapshot.model = Fact::Unknown(why()).into();
    assert_held(&world.decide(), Field::TargetValue, Reason::Unknown);
}

#[test]
fn rule_16_a_change_in_the_safe_direction_is_left_alone_for_its_grace() {
    let mut world = World::healthy();
    world.in_force(500.0);
    let decision = world.decide();
    assert_held(&decision, Field::TargetValue, Reason::SafeChangeGrace);
    assert_eq!(decision.wake_at, Some(now() + TimeDelta::hours(4)));
    let since = now() - TimeDelta::hours(4);
    world.memory().seen.insert(Field::TargetValue, Seen { value: 500.0, since });
    assert_eq!(written(&world.decide()), Some(600.0), "after the grace it is put back");
    // Another value starts over.
    world.in_force(450.0);
    assert_held(&world.decide(), Field::TargetValue, Reason::SafeChangeGrace);

    for (field, change) in [
        (Field::MinCapacity, (|w| w.target().min_capacity = 3) as fn(&mut World)),
        (Field::MaxCapacity, |w| w.target().max_capacity = 40),
        (Field::DisableScaleIn, |w| w.tracking().disable_scale_in = Some(true)),
    ] {
        let mut world = World::healthy();
        change(&mut world);
        assert_held(&world.decide(), field, Reason::SafeChangeGrace);
    }
}

#[test]
fn rule_17_a_registration_that_would_move_instances_is_held() {
    let mut world = World::healthy();
    world.target().max_capacity = 15;
    world.load(12_000.0, 24);
    assert_held(&world.decide(), Field::MaxCapacity, Reason::ClampWouldMoveInstances);
    world.goal.allow_clamp = true;
    assert_eq!(world.decide().report.action, ActionKind::Repair);

    let mut world = World::healthy();
    world.target().max_capacity = 15;
    world.endpoint().variants[0].current_instances = None;
    assert_held(&world.decide(), Field::MaxCapacity, Reason::Unknown);
}

#[test]
fn rule_17_a_missing_target_is_registered_with_room_for_what_runs() {
    let mut world = World::healthy();
    world.deregistered(31);
    world.load(12_000.0, 24);
    let decision = world.decide();
    let [register, put] = decision.plan.actions.as_slice() else { panic!("{:?}", decision.plan) };
    assert!(
        matches!(
            register,
            Action::RegisterTarget {
                min_capacity: Some(1),
                max_capacity: Some(24),
                expected: None,
                ..
            }
        ),
        "{register:?}"
    );
    let Action::PutPolicy { policy_name, configuration, expected: None, .. } = put else {
        panic!("{put:?}")
    };
    assert_eq!(policy_name, "SageMakerEndpointInvocationScalingPolicy");
    assert_eq!(configuration.target_value, 600.0);
    assert_eq!(configuration.scale_out_cooldown, Some(60));
    assert!(configuration.metric.is_invocations());
}

#[test]
fn a_policy_is_not_made_while_its_target_cannot_be_registered() {
    let mut world = World::healthy();
    world.deregistered(31);
    world.goal.capacity.min = Some(6);
    assert_held(&world.decide(), Field::ScalableTarget, Reason::ClampWouldMoveInstances);
    assert_held(&world.decide(), Field::Policy, Reason::ClampWouldMoveInstances);
    world.goal.capacity.max = None;
    assert_held(&world.decide(), Field::Policy, Reason::NoValue);
}

#[test]
fn rule_18_what_is_unknown_is_neither_equal_nor_written() {
    let forget: [fn(&mut World); 3] = [
        |w| w.snapshot.policies = Fact::Unknown(why()).into(),
        |w| w.snapshot.target = Fact::Unknown(why()).into(),
        |w| w.snapshot.endpoint = Fact::Unknown(why()).into(),
    ];
    for make_unknown in forget {
        let mut world = World::drifted();
        make_unknown(&mut world);
        let decision = world.decide();
        assert!(!decision.report.comparable);
        assert!(decision.plan.is_empty(), "{:?}", decision.plan);
        assert_ne!(decision.report.reason, Reason::InSync);
    }
}

#[test]
fn rule_18_repair_does_not_need_cloudwatch_except_to_raise() {
    let mut world = World::drifted();
    world.snapshot.telemetry = Fact::Unknown(why());
    world.snapshot.alarms = Fact::Unknown(why()).into();
    assert_eq!(written(&world.decide()), Some(600.0));

    let mut world = World::healthy();
    world.goal.safe_change_grace = TimeDelta::zero();
    world.in_force(500.0);
    world.snapshot.telemetry = Fact::Unknown(why());
    assert_held(&world.decide(), Field::TargetValue, Reason::Stale);
}

#[test]
fn rule_22_a_second_writer_of_the_same_value_wins_by_our_silence() {
    let mut world = World::drifted();
    let overwrite = |value| Overwrite { at: now() - TimeDelta::days(3), value };
    world.memory().foreign_overwrites.insert(Field::TargetValue, vec![overwrite(700.0); 1]);
    assert_eq!(written(&world.decide()), Some(600.0));
    world.memory().foreign_overwrites.insert(Field::TargetValue, vec![overwrite(700.0); 2]);
    assert_held(&world.decide(), Field::TargetValue, Reason::OtherWriter);
    world.memory().foreign_overwrites.insert(Field::TargetValue, vec![overwrite(900.0); 2]);
    assert_eq!(written(&world.decide()), Some(600.0), "another value is another story");
}

#[test]
fn a_variant_that_is_gone_says_so() {
    let mut world = World::healthy();
    world.snapshot.endpoint = Fact::Known(None).into();
    world.snapshot.target = Fact::Known(None).into();
    let decision = world.decide();
    assert_eq!(decision.report.reason, Reason::EndpointMissing);
    assert!(decision.plan.is_empty());
}

/// AWS refuses a min above max, as often as it is sent.
#[test]
fn rule_17_bounds_that_would_cross_are_not_sent_whatever_else_is_allowed() {
    let mut world = World::healthy();
    world.goal.allow_clamp = true;
    world.goal.safe_change_grace = TimeDelta::zero();
    world.goal.capacity.min = Some(30);
    world.goal.capacity.max = None;
    let decision = world.decide();
    assert_held(&decision, Field::MinCapacity, Reason::BoundsConflict);
    let sentence = &decision.report.sentence;
    assert!(sentence.contains("a min of 30 with a max of 20"), "{sentence}");
    assert!(sentence.contains("capacity.max"), "{sentence}");
    // Written together they do not cross.
    world.goal.capacity.max = Some(40);
    assert!(!world.decide().plan.is_empty(), "{:?}", world.decide().report);
    // The same the other way round.
    world.goal.capacity.min = None;
    world.goal.capacity.max = Some(2);
    world.target().min_capacity = 3;
    assert_held(&world.decide(), Field::MaxCapacity, Reason::BoundsConflict);
}
