//! Rule 17a: a scalable target or a policy that vanished while its endpoint lives is somebody's step
//! in a procedure. AWS asks for deregistering before an instance type changes, and Terraform destroys
//! before it creates; who puts things back in between makes the next step fail.

use chrono::TimeDelta;

use crate::model::decision::Action;
use crate::model::fact::Fact;
use crate::model::memory::VariantMemory;
use crate::model::reason::{Field, Reason};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

use super::case::Case;
use super::checks::Hold;
use super::watch;

/// Why what is missing is not put back yet.
pub(super) fn hold(case: &Case<'_>, field: Field) -> Option<Hold> {
    let (what, grace) = match field {
        Field::ScalableTarget => ("a scalable target", case.goal.removed_target_grace),
        // With its target missing too, it waits for that one.
        Field::Policy if case.target().is_some() => ("a policy", case.goal.removed_policy_grace),
        _ => return None,
    };
    if is_newly_created(case, grace) {
        return None;
    }
    let until = missing_since(case, field) + grace;
    (case.now < until).then(|| {
        let sentence = format!(
            "some procedures remove {what}, so setpoint restores it at {} unless it is back by then",
            until.format("%FT%TZ")
        );
        Hold::until(Reason::JustRemoved, sentence, until)
    })
}

/// Since when it has been missing, as far as passes have seen it. Where somebody else has just
/// registered the target again, the policy is missing alone from now on: they may be about to put it.
fn missing_since(case: &Case<'_>, field: Field) -> Timestamp {
    let missing = &case.memory.missing;
    let registered = case.target().is_some() && missing.contains_key(&Field::ScalableTarget);
    missing.get(&field).filter(|_| !registered).copied().unwrap_or(case.now)
}

/// Whether target and policy are missing because their endpoint is new. One that was never seen
/// before may have been deregistered a moment ago, unless it is younger than that.
fn is_newly_created(case: &Case<'_>, grace: TimeDelta) -> bool {
    let never_seen = case.memory.settled.is_none() && case.memory.policy_name.is_none();
    let young = case.endpoint().is_some_and(|endpoint| case.now - endpoint.created_at < grace);
    watch::recreated_at(case).is_some() || (never_seen && young)
}

/// Takes note of what `setpoint` has made itself: the policy of a target that it registered waits for
/// nobody.
pub(super) fn note_made(memory: &mut VariantMemory, action: &Action) {
    let made = match action {
        Action::RegisterTarget { expected: None, .. } => Field::ScalableTarget,
        Action::PutPolicy { expected: None, .. } => Field::Policy,
        _ => return,
    };
    memory.missing.remove(&made);
}

/// Takes note of since when target and policy have been missing.
pub(super) fn note(memory: &mut VariantMemory, snapshot: &Snapshot, now: Timestamp) {
    let missing = &mut memory.missing;
    let endpoint = match &*snapshot.endpoint {
        Fact::Known(endpoint) => endpoint.as_ref(),
        Fact::Unknown(_) => return,
    };
    if endpoint.is_none_or(|endpoint| endpoint.variant(&snapshot.id.variant).is_none()) {
        missing.clear();
        return;
    }
    match snapshot.target.known() {
        Some(None) => {
            missing.entry(Field::ScalableTarget).or_insert(now);
        }
        // Somebody else has registered it again, and may be about to put the policy.
        Some(Some(_)) if missing.remove(&Field::ScalableTarget).is_some() => {
            missing.remove(&Field::Policy);
        }
        _ => {}
    }
    if snapshot.policies.known().is_some() {
        if snapshot.policy().is_some() {
            missing.remove(&Field::Policy);
        } else {
            missing.entry(Field::Policy).or_insert(now);
        }
    }
}
