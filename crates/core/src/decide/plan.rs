//! The judged fields -> the writes, in order. Registering comes before putting.

use crate::model::decision::{Action, FieldState, Plan};
use crate::model::reason::Field;
use crate::model::scaling::{CONVENTIONAL_POLICY_NAME, MetricSpec, TargetTracking};

use super::case::Case;
use super::checks::Judged;
use super::desired::Desired;

/// Turns everything that is to be written into as few writes as possible.
pub fn plan(case: &Case<'_>, desired: &Desired, judged: &[Judged]) -> Plan {
    let writes = |field: Field| {
        judged.iter().find(|j| j.comparison.field == field && j.state == FieldState::Write)
    };
    let mut actions = Vec::new();
    actions.extend(register(case, desired, |field| writes(field).is_some()));
    actions.extend(put(case, desired, writes));
    actions.extend(writes(Field::Floors).and_then(|_| super::floors::action(case)));
    Plan { actions }
}

/// The min and max that a registration for the sake of `field` leaves in force. AWS pulls the
/// instance count into them. `None` when they are not known.
pub fn bounds_to_send(case: &Case<'_>, desired: &Desired, field: Field) -> Option<(i32, i32)> {
    let Some(target) = case.target() else {
        return Some((desired.min?, new_max(case, desired)?));
    };
    let (min, max) = (target.min_capacity, target.max_capacity);
    // The other bound may be held back, so the narrower of its two values counts.
    Some(match field {
        Field::MinCapacity => (desired.min?, desired.max.map_or(max, |wanted| wanted.min(max))),
        Field::MaxCapacity => (desired.min.map_or(min, |wanted| wanted.max(min)), desired.max?),
        _ => (min, max),
    })
}

/// Rule 17: a missing target on a live endpoint is registered with a max that holds what runs.
fn new_max(case: &Case<'_>, desired: &Desired) -> Option<i32> {
    let running = case.current_instances().max(case.desired_instances()).unwrap_or(0);
    Some(desired.max?.max(i32::try_from(running).unwrap_or(i32::MAX)))
}

fn register(case: &Case<'_>, desired: &Desired, writes: impl Fn(Field) -> bool) -> Option<Action> {
    let expected_instances = case.current_instances().zip(case.desired_instances());
    if writes(Field::ScalableTarget) {
        return Some(Action::RegisterTarget {
            min_capacity: desired.min,
            max_capacity: new_max(case, desired),
            unsuspend: false,
            expected: None,
            expected_instances,
        });
    }
    let min_capacity = desired.min.filter(|_| writes(Field::MinCapacity));
    let max_capacity = desired.max.filter(|_| writes(Field::MaxCapacity));
    let unsuspend = writes(Field::Suspended);
    if min_capacity.is_none() && max_capacity.is_none() && !unsuspend {
        return None;
    }
    let expected = case.target().cloned();
    Some(Action::RegisterTarget {
        min_capacity,
        max_capacity,
        unsuspend,
        expected,
        expected_instances,
    })
}

fn put<'a>(
    case: &Case<'_>,
    desired: &Desired,
    writes: impl Fn(Field) -> Option<&'a Judged>,
) -> Option<Action> {
    if writes(Field::Policy).is_some() {
        return Some(Action::PutPolicy {
            policy_name: new_name(case),
            configuration: TargetTracking {
                target_value: desired.target_value?,
                metric: Desired::new_policy_metric(),
                scale_out_cooldown: desired.scale_out_cooldown,
                scale_in_cooldown: desired.scale_in_cooldown,
                disable_scale_in: desired.disable_scale_in,
            },
            expected: None,
            fields: vec![Field::Policy],
        });
    }
    if writes(Field::MetricSpecification).is_some() {
        return restore_metric(case, desired);
    }
    let (policy, actual) = (case.policy()?, case.tracking()?);
    // Every unmanaged field, and the metric, is carried over: the write replaces all of it.
    let mut configuration = actual.clone();
    let mut fields = Vec::new();
    if let Some(value) = writes(Field::TargetValue).and_then(|judged| judged.target_value) {
        configuration.target_value = value;
        fields.push(Field::TargetValue);
    }
    if writes(Field::ScaleOutCooldown).is_some() {
        configuration.scale_out_cooldown = desired.scale_out_cooldown;
        fields.push(Field::ScaleOutCooldown);
    }
    if writes(Field::ScaleInCooldown).is_some() {
        configuration.scale_in_cooldown = desired.scale_in_cooldown;
        fields.push(Field::ScaleInCooldown);
    }
    if writes(Field::DisableScaleIn).is_some() {
        configuration.disable_scale_in = desired.disable_scale_in;
        fields.push(Field::DisableScaleIn);
    }
    if writes(Field::Alarms).is_some() {
        fields.push(Field::Alarms);
    }
    (!fields.is_empty()).then(|| Action::PutPolicy {
        policy_name: policy.name.clone(),
        configuration,
        expected: Some(actual.clone()),
        fields,
    })
}

/// What comes back comes back under the name it had (rule 6): whoever keeps it elsewhere goes by
/// that name, and AWS allows no second policy on the metric.
fn new_name(case: &Case<'_>) -> String {
    let before = case.memory.policy_name.as_deref();
    before.unwrap_or(CONVENTIONAL_POLICY_NAME).to_owned()
}

/// The value that a policy gets with its metric: what is in force counts something else, so it is the
/// desired one, though never above what has been held before.
pub fn restored_value(case: &Case<'_>, desired: &Desired) -> Option<f64> {
    let wanted = desired.target_value?;
    Some(case.memory.highest_applied.map_or(wanted, |held| wanted.min(held)))
}

/// Puts the metric back into a policy that had it.
fn restore_metric(case: &Case<'_>, desired: &Desired) -> Option<Action> {
    let (policy, value) = (case.replaced_policy()?, restored_value(case, desired)?);
    let actual = policy.tracking()?;
    let managed = |own: Option<i32>, other: Option<i32>| own.or(other);
    let configuration = TargetTracking {
        target_value: value,
        metric: MetricSpec::invocations(),
        scale_out_cooldown: managed(desired.scale_out_cooldown, actual.scale_out_cooldown),
        scale_in_cooldown: managed(desired.scale_in_cooldown, actual.scale_in_cooldown),
        disable_scale_in: desired.disable_scale_in.or(actual.disable_scale_in),
    };
    Some(Action::PutPolicy {
        policy_name: policy.name.clone(),
        configuration,
        expected: Some(actual.clone()),
        fields: vec![Field::MetricSpecification],
    })
}

/// An action in a few words.
pub fn summary(action: &Action) -> String {
    match action {
        Action::RegisterTarget { min_capacity, max_capacity, unsuspend, .. } => {
            format!(
                "RegisterScalableTarget min={min_capacity:?} max={max_capacity:?} unsuspend={unsuspend}"
            )
        }
        Action::PutPolicy { policy_name, configuration, .. } => {
            format!(
                "PutScalingPolicy {policy_name} target_value={} scale_out_cooldown={} scale_in_cooldown={} disable_scale_in={}",
                configuration.target_value,
                configuration.scale_out_cooldown_seconds(),
                configuration.scale_in_cooldown_seconds(),
                configuration.scale_in_disabled(),
            )
        }
        Action::PutFloors { puts, .. } => {
            let puts =
                puts.iter().map(|put| format!("{} {} min={}", put.name, put.schedule, put.min));
            format!("PutScheduledAction {}", puts.collect::<Vec<_>>().join(", "))
        }
    }
}
