//! What a pass compares a variant with that AWS does not say: how it was before. From it follow the
//! reasons why something is missing, and the deploys that set the number of instances back.

use chrono::TimeDelta;

use crate::model::endpoint::{Endpoint, EndpointStatus};
use crate::model::memory::{InstanceReset, Settled, VariantMemory};
use crate::model::reason::Field;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

use super::case::Case;

/// A count seen longer ago may have changed for other reasons than a deploy.
const COMPARABLE_FOR: TimeDelta = TimeDelta::hours(2);
/// That nothing has changed is remembered so often.
const SETTLED_KEPT_EVERY: TimeDelta = TimeDelta::minutes(30);
/// A deploy that set the count back is shown for so long, unless the instances come back before.
const RESET_TOLD_FOR: TimeDelta = TimeDelta::hours(24);

/// The variant as it is now, if it is settled.
fn settled(snapshot: &Snapshot, now: Timestamp) -> Option<Settled> {
    let endpoint = snapshot.endpoint.known()?.as_ref()?;
    let variant = endpoint.variant(&snapshot.id.variant)?;
    let instances = variant.current_instances?;
    let still = is_settled(endpoint) && variant.desired_instances == Some(instances);
    let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
    let own = config.and_then(|config| config.variant(&snapshot.id.variant));
    still.then(|| Settled {
        at: now,
        created_at: endpoint.created_at,
        config_name: endpoint.config_name.clone(),
        instance_type: own.and_then(|own| own.instance_type.clone()),
        instances,
    })
}

fn is_settled(endpoint: &Endpoint) -> bool {
    endpoint.status == EndpointStatus::InService && !endpoint.deploy_in_progress
}

/// A deploy that has just set the number of instances back: another endpoint config is in force,
/// and fewer instances than minutes ago.
fn reset(memory: &VariantMemory, now: &Settled) -> Option<InstanceReset> {
    let before = memory.settled.as_ref()?;
    let deployed = before.created_at == now.created_at && before.config_name != now.config_name;
    let fresh = now.at - before.at <= COMPARABLE_FOR;
    (deployed && fresh && now.instances < before.instances).then(|| InstanceReset {
        at: now.at,
        config_name: now.config_name.clone(),
        before: before.instances,
        after: now.instances,
    })
}

/// The deploy that has set the number of instances back and is still worth reporting.
pub fn instance_reset(case: &Case<'_>) -> Option<InstanceReset> {
    let current = settled(case.snapshot, case.now);
    let new = current.as_ref().and_then(|now| reset(&case.memory, now));
    let instances = case.current_instances();
    new.or_else(|| {
        let reset = case.memory.reset.as_deref();
        reset.filter(|reset| !is_over(reset, instances, case.now)).cloned()
    })
}

/// The instances are back, or it was shown for long enough.
fn is_over(reset: &InstanceReset, instances: Option<u32>, now: Timestamp) -> bool {
    let back = instances.is_some_and(|instances| instances >= reset.before);
    back || now - reset.at >= RESET_TOLD_FOR
}

/// Whether the policy goes by another name than when it was last seen.
pub fn is_renamed(case: &Case<'_>) -> bool {
    let names = case.policy().zip(case.memory.policy_name.as_ref());
    names.is_some_and(|(now, before)| now.name != *before)
}

/// Since when the endpoint that runs now exists, if another one ran under its name before.
pub fn recreated_at(case: &Case<'_>) -> Option<Timestamp> {
    let (now, before) = (case.endpoint()?, case.memory.settled.as_ref()?);
    (now.created_at > before.created_at).then_some(now.created_at)
}

/// The instance types before and now, if they differ.
pub fn other_instance_type(case: &Case<'_>) -> Option<(String, String)> {
    let before = case.memory.settled.as_ref()?.instance_type.clone()?;
    let config = case.snapshot.endpoint_config.known()?.as_ref()?;
    let now = config.variant(&case.snapshot.id.variant)?.instance_type.clone()?;
    (now != before).then_some((before, now))
}

/// Why the scalable target or the policy is missing, as far as is known.
pub fn missing_because(case: &Case<'_>, field: Field) -> Option<String> {
    let before = case.memory.settled.as_ref()?;
    if let Some(at) = recreated_at(case) {
        let at = at.format("%FT%TZ");
        return Some(format!(
            "the endpoint was recreated at {at}, which drops target and policies"
        ));
    }
    if let Some((before, now)) = other_instance_type(case) {
        return Some(format!(
            "the instance type changed from {before} to {now}, and AWS requires the target to be deregistered for that"
        ));
    }
    let seen = before.at.format("%FT%TZ");
    match field {
        Field::ScalableTarget => Some(format!("deregistered; last seen at {seen}")),
        Field::Policy if case.target().is_none() => {
            Some("policies go with their scalable target".to_owned())
        }
        Field::Policy => {
            let name = case.memory.policy_name.as_ref()?;
            Some(format!("{name} was deleted"))
        }
        _ => None,
    }
}

/// Takes note of how the variant is now.
pub(super) fn note(memory: &mut VariantMemory, snapshot: &Snapshot, now: Timestamp) {
    if let Some(current) = settled(snapshot, now) {
        if let Some(reset) = reset(memory, &current) {
            memory.reset = Some(reset.into());
        }
        let instances = Some(current.instances);
        memory.reset = memory.reset.take().filter(|reset| !is_over(reset, instances, now));
        note_min(memory, snapshot, current.instances, now);
        // What was before its scalable target went is what tells why it is gone.
        if matches!(snapshot.target.known(), Some(Some(_))) {
            keep_settled(memory, current);
        }
    }
    if let Some(policy) = snapshot.policy() {
        if memory.policy_name.as_ref().is_some_and(|before| *before != policy.name) {
            // First contact once more: this one setpoint has never written.
            memory.adopted = false;
        }
        memory.policy_name = Some(policy.name.clone());
    }
}

/// Time alone is no news: what is remembered is kept somewhere, and not for every minute.
fn keep_settled(memory: &mut VariantMemory, current: Settled) {
    let same = |before: &Settled| {
        let aged = Settled { at: current.at, ..before.clone() };
        aged == current && current.at - before.at < SETTLED_KEPT_EVERY
    };
    if !memory.settled.as_deref().is_some_and(same) {
        memory.settled = Some(current.into());
    }
}

fn note_min(memory: &mut VariantMemory, snapshot: &Snapshot, instances: u32, now: Timestamp) {
    let Some(target) = snapshot.target.known() else { return };
    let at_min = target
        .as_ref()
        .is_some_and(|target| i64::from(instances) <= i64::from(target.min_capacity));
    memory.at_min_since = at_min.then(|| memory.at_min_since.unwrap_or(now));
}
