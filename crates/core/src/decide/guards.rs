//! The guards, one for each rule that can hold a difference, in the order in which they are asked.

use crate::model::endpoint::VariantKind;
use crate::model::fact::{Fact, WhyKind};
use crate::model::reason::{Field, Reason};
use crate::model::record::stands_in;
use crate::model::time::Timestamp;
use crate::model::units::{human, same_value};

use super::case::{Case, EndpointReadiness};
use super::checks::Hold;
use super::compare::{Comparison, Difference};
use super::desired::{Desired, Source};
use super::notes::described;
use super::remember::{self, is_foreign_overwrite};
use super::{
    floors, history, last_known, proven, removed, scheduled, step, verify, watch, write_permission,
};

/// What a guard is asked about.
struct Question<'a, 'b> {
    case: &'b Case<'a>,
    desired: &'b Desired,
    field: Field,
    difference: Difference,
    /// The actual value as a number, where it has one.
    number: Option<f64>,
    /// Whether a person has been shown this change and has confirmed it.
    confirmed: bool,
}

type Guard = fn(&Question<'_, '_>) -> Option<Hold>;

/// The chain. Order matters only for which reason is given: permanent ones come first, so that a
/// person who fixes the first objection is not surprised by a more basic one.
const GUARDS: &[Guard] = &[
    // What nobody can write.
    policy_renamed,
    // Who and what it is.
    unlisted,
    observe,
    unsupported_kind,
    wrong_account,
    // What people have asked for.
    reconcile_disabled,
    memory_unread,
    paused,
    frozen,
    other_setpoint,
    other_writer,
    adoption,
    // The state of the world.
    endpoint_updating,
    suspended,
    // Field by field.
    alarms_repaired,
    scheduled_capacity,
    kept_floors,
    competing_policy,
    no_value,
    above_capacity,
    below_proven,
    partial_history,
    just_removed,
    new_regime,
    safe_change_grace,
    pending_capacity,
    clamp,
    incident,
    slow_instance,
    write_limit,
    refused,
];

/// The first objection to writing a difference now.
pub(super) fn objection(
    case: &Case<'_>,
    desired: &Desired,
    comparison: &Comparison,
    difference: Difference,
) -> Option<Hold> {
    let (field, number) = (comparison.field, comparison.number);
    let confirmed = super::consent::is_confirmed(case, comparison);
    let question = Question { case, desired, field, difference, number, confirmed };
    GUARDS.iter().find_map(|check| check(&question))
}

// === rule 1 to 7: whose is it ===

fn policy_renamed(q: &Question<'_, '_>) -> Option<Hold> {
    (q.field == Field::PolicyName).then(|| {
        let sentence = "AWS cannot rename a policy, so setpoint keeps the existing name";
        Hold::new(Reason::PolicyRenamed, sentence)
    })
}

fn unlisted(q: &Question<'_, '_>) -> Option<Hold> {
    write_permission::unlisted(q.case.goal)
}

fn observe(q: &Question<'_, '_>) -> Option<Hold> {
    write_permission::observe(q.case.goal)
}

fn unsupported_kind(q: &Question<'_, '_>) -> Option<Hold> {
    match &q.case.kind {
        Ok(VariantKind::Standard) => None,
        Ok(kind) => {
            let because = kind.unsupported_because().unwrap_or("its kind is not supported");
            Some(Hold::new(Reason::UnsupportedKind, because))
        }
        // What it was when that could be read is reason enough to make it safer.
        Err(_) if lowers_to_formula(q) && last_known::was_standard(q.case) => None,
        Err(why) => Some(Hold::new(
            Reason::Unknown,
            format!("the kind of variant is not known: {}", why.message),
        )),
    }
}

fn wrong_account(q: &Question<'_, '_>) -> Option<Hold> {
    let snapshot = q.case.snapshot;
    write_permission::wrong_account(
        &snapshot.caller,
        q.case.rules.account_id.as_ref(),
        &snapshot.id.account_id,
    )
}

// === rule 10, 22, 4: what people have asked for ===

fn reconcile_disabled(q: &Question<'_, '_>) -> Option<Hold> {
    write_permission::disabled(q.case.rules.enabled)
}

/// Without the memory nobody knows whether the variant is paused, who wrote it last, and what it
/// may still take. A pass would not write either (it could not keep the intent); a plan says so.
fn memory_unread(q: &Question<'_, '_>) -> Option<Hold> {
    let why = q.case.snapshot.memory.why()?;
    let sentence = format!("the memory of this variant cannot be read: {}", why.message);
    Some(Hold::new(Reason::Unknown, sentence))
}

fn paused(q: &Question<'_, '_>) -> Option<Hold> {
    let pauses = [q.case.goal.paused.as_ref(), q.case.memory.pause.as_ref()];
    let pause = pauses.into_iter().flatten().find(|pause| q.case.now < pause.until)?;
    if stands_in(pause) {
        return Some(Hold::new(Reason::Paused, format!("paused: {}", pause.reason)));
    }
    let sentence = format!("paused until {}: {}", pause.until.format("%FT%TZ"), pause.reason);
    Some(Hold::until(Reason::Paused, sentence, pause.until))
}

fn frozen(q: &Question<'_, '_>) -> Option<Hold> {
    let freeze = q.case.rules.freeze.as_ref()?;
    if freeze.allow_lowering && lowers_target(q) {
        return None;
    }
    let sentence = format!("a freeze window is open until {}", freeze.until.format("%FT%TZ"));
    Some(Hold::until(Reason::Frozen, sentence, freeze.until))
}

/// Another process writes the same variant without a common Lease: neither goes on (rule 26).
fn other_setpoint(q: &Question<'_, '_>) -> Option<Hold> {
    let other = q.case.memory.other_setpoint.as_ref()?;
    if let Some(sentence) = remember::other_setpoint(&q.case.memory) {
        return Some(Hold::new(Reason::OtherSetpoint, sentence));
    }
    let until = other.waits_until().filter(|until| q.case.now < *until)?;
    let sentence = format!(
        "another process also keeps this variant's memory; unless it reappears, writes resume at {}",
        until.format("%FT%TZ")
    );
    Some(Hold::until(Reason::OtherSetpoint, sentence, until))
}

/// Two foreign overwrites of the same value: somebody else holds this field (rule 22).
fn other_writer(q: &Question<'_, '_>) -> Option<Hold> {
    let value = q.number?;
    let overwrites = q.case.memory.foreign_overwrites.get(&q.field);
    let known = overwrites.into_iter().flatten().filter(|o| same_value(o.value, value)).count();
    let new = is_foreign_overwrite(&q.case.memory, q.field, value);
    let same = known + usize::from(new);
    (same >= 2).then(|| {
        let what = match q.field {
            Field::TargetValue | Field::MinCapacity | Field::MaxCapacity => human(value),
            _ => "this".to_owned(),
        };
        let sentence =
            format!("another writer set it to {what} {same} times after setpoint restored it");
        Hold::new(Reason::OtherWriter, sentence)
    })
}

fn adoption(q: &Question<'_, '_>) -> Option<Hold> {
    // A policy under another name is another one, which setpoint has never written.
    let known = q.case.memory.adopted && !watch::is_renamed(q.case);
    let adopted = q.case.goal.adopt || known || q.confirmed;
    (!adopted).then(|| {
        Hold::new(
            Reason::Adoption,
            "first contact: set `adopt: true` on the target or confirm `setpoint apply`",
        )
    })
}

// === rule 11 to 19: the state of the world ===

fn endpoint_updating(q: &Question<'_, '_>) -> Option<Hold> {
    match q.case.readiness() {
        Ok(EndpointReadiness::NotReady(why)) => Some(Hold::new(Reason::EndpointUpdating, why)),
        Err(why) => Some(Hold::new(
            Reason::Unknown,
            format!("the state of the endpoint is not known: {}", why.message),
        )),
        Ok(EndpointReadiness::Ready | EndpointReadiness::Scaling(_)) => None,
    }
}

fn suspended(q: &Question<'_, '_>) -> Option<Hold> {
    if let Fact::Unknown(why) = &*q.case.snapshot.target {
        return Some(Hold::new(
            Reason::Unknown,
            format!("whether scaling is suspended is not known: {}", why.message),
        ));
    }
    let target = q.case.target()?;
    (target.suspended.any() && !q.case.goal.unsuspend).then(|| {
        let since = seen_since(q.case, Field::Suspended, f64::from(target.suspended.bits()));
        let sentence = format!(
            "somebody suspended {} (seen since {}); setpoint undoes that only with `unsuspend: true`",
            target.suspended.words(),
            since.format("%FT%TZ")
        );
        Hold::new(Reason::Suspended, sentence)
    })
}

/// Since when a field has had its value, as far as passes have seen it.
fn seen_since(case: &Case<'_>, field: Field, number: f64) -> Timestamp {
    let seen = case.memory.seen.get(&field).filter(|seen| seen.value == number);
    seen.map_or(case.now, |seen| seen.since)
}

/// Alarms are AWS's: they are mended by putting the policy again, if at all.
fn alarms_repaired(q: &Question<'_, '_>) -> Option<Hold> {
    if q.field != Field::Alarms {
        return None;
    }
    super::alarms::hold(q.case, q.desired.manages_policy())
}

fn scheduled_capacity(q: &Question<'_, '_>) -> Option<Hold> {
    if !matches!(q.field, Field::MinCapacity | Field::MaxCapacity) {
        return None;
    }
    let actions = match &*q.case.snapshot.scheduled_actions {
        Fact::Unknown(why) => {
            let sentence =
                format!("whether scheduled actions move it is not known: {}", why.message);
            return Some(Hold::new(Reason::Unknown, sentence));
        }
        Fact::Known(actions) => actions,
    };
    let mut holding = scheduled::holding(actions, q.field, q.case.now);
    // Of setpoint's own floors nobody has to guess whether they are over.
    holding.retain(|action| !action.is_setpoints() || action.next_run(q.case.now).is_some());
    if holding.is_empty() {
        return None;
    }
    let names: Vec<&str> = holding.iter().map(|action| action.name.as_str()).collect();
    let sentence = format!(
        "scheduled actions move it ({}), and none of them explains this value; {}",
        names.join(", "),
        scheduled::next(holding, q.case.now)
    );
    Some(Hold::new(Reason::UnknownAction, sentence))
}

/// Rule 13a: what stands in the way of floors alone.
fn kept_floors(q: &Question<'_, '_>) -> Option<Hold> {
    if q.field == Field::Floors { floors::hold(q.case) } else { None }
}

fn competing_policy(q: &Question<'_, '_>) -> Option<Hold> {
    let competing = q.case.competing();
    (q.field == Field::Policy && !competing.is_empty()).then(|| {
        Hold::new(
            Reason::CompetingPolicy,
            format!(
                "another policy scales this variant ({}); no second one is made",
                described(&competing)
            ),
        )
    })
}

fn no_value(q: &Question<'_, '_>) -> Option<Hold> {
    match q.field {
        Field::Policy | Field::MetricSpecification if q.desired.target_value.is_none() => {
            Some(Hold::new(
                Reason::NoValue,
                "there is no valid load test or measured capacity to give the policy a value",
            ))
        }
        Field::ScalableTarget if q.desired.min.is_none() || q.desired.max.is_none() => {
            Some(Hold::new(
                Reason::NoValue,
                "the scalable target is missing and capacity.min and capacity.max are not both configured",
            ))
        }
        _ => None,
    }
}

fn above_capacity(q: &Question<'_, '_>) -> Option<Hold> {
    if q.confirmed { None } else { proven::above_capacity(q.case, q.desired, q.field) }
}

fn below_proven(q: &Question<'_, '_>) -> Option<Hold> {
    if q.confirmed { None } else { proven::below_proven(q.case, q.desired, q.field) }
}

/// Rules 18, 27 and 28: what has not been read yet may say that this is too bold.
fn partial_history(q: &Question<'_, '_>) -> Option<Hold> {
    if q.confirmed { None } else { history::partial(q.case, q.desired, q.field) }
}

fn just_removed(q: &Question<'_, '_>) -> Option<Hold> {
    if q.confirmed { None } else { removed::hold(q.case, q.field) }
}

/// Rule 11a: the estimate of a regime that is younger than an hour is not followed.
fn new_regime(q: &Question<'_, '_>) -> Option<Hold> {
    let sets_value =
        matches!(q.field, Field::TargetValue | Field::Policy | Field::MetricSpecification);
    // A raise that failed is taken back all the same (rule 21).
    if !sets_value || q.desired.source != Source::Estimate || verify::revert_to(q.case).is_some() {
        return None;
    }
    let until = q.case.new_regime_until()?;
    let sentence = format!(
        "the service changed; setpoint does not follow its capacity estimate before {}",
        until.format("%FT%TZ")
    );
    Some(Hold::until(Reason::NewRegime, sentence, until))
}

fn safe_change_grace(q: &Question<'_, '_>) -> Option<Hold> {
    let value = q.number.filter(|_| q.difference.actual_is_safer)?;
    // What setpoint itself wrote is no person's change: then the configuration has moved.
    let memory = &q.case.memory;
    let written = match q.field {
        Field::TargetValue => memory.last_write.map(|write| write.after),
        field => memory.written.get(&field).copied(),
    };
    let floor = q.field == Field::MinCapacity && memory.floors.explains(value);
    if floor || written.is_some_and(|written| same_value(written, value)) {
        return None;
    }
    let seen = q.case.memory.seen.get(&q.field);
    let since = seen.filter(|s| same_value(s.value, value)).map_or(q.case.now, |s| s.since);
    let until = since + q.case.goal.safe_change_grace;
    (q.case.now < until).then(|| {
        let sentence =
            format!("setpoint leaves safe changes alone until {}", until.format("%FT%TZ"));
        Hold::until(Reason::SafeChangeGrace, sentence, until)
    })
}

fn pending_capacity(q: &Question<'_, '_>) -> Option<Hold> {
    let waits = match q.field {
        // What another metric has led to is not known, so restoring it may be a raise.
        Field::MinCapacity
        | Field::MaxCapacity
        | Field::ScalableTarget
        | Field::Suspended
        | Field::MetricSpecification => true,
        Field::TargetValue => !lowers_target(q),
        _ => false,
    };
    if !waits {
        return None;
    }
    if let Ok(EndpointReadiness::Scaling(why)) = q.case.readiness() {
        return Some(Hold::new(Reason::PendingCapacity, why));
    }
    // What is throttled is there in the next pass. Who cannot have them at all can still repair what is no raise.
    let why = q.case.activities_unread()?;
    (q.field == Field::TargetValue || why.kind == WhyKind::Throttled).then(|| {
        let why = why.without_full_stop();
        let sentence = format!("whether a scaling activity is in progress is not known: {why}");
        Hold::new(Reason::PendingCapacity, sentence)
    })
}

/// Rule 17: `RegisterScalableTarget` pulls the present count into min and max.
fn clamp(q: &Question<'_, '_>) -> Option<Hold> {
    let registers = matches!(
        q.field,
        Field::MinCapacity | Field::MaxCapacity | Field::ScalableTarget | Field::Suspended
    );
    if !registers || q.case.goal.allow_clamp {
        return None;
    }
    let (Some(current), Some(desired)) = (q.case.current_instances(), q.case.desired_instances())
    else {
        return Some(Hold::new(
            Reason::Unknown,
            "the instance count is not known, and registering would force it between min and max",
        ));
    };
    let (min, max) = super::plan::bounds_to_send(q.case, q.desired, q.field)?;
    let outside =
        |count: u32| i64::from(count) < i64::from(min) || i64::from(count) > i64::from(max);
    (outside(current) || outside(desired)).then(|| {
        let sentence = format!(
            "registering {min} to {max} would scale the {current} instances (`allow_clamp: true` allows it)"
        );
        Hold::new(Reason::ClampWouldMoveInstances, sentence)
    })
}

fn incident(q: &Question<'_, '_>) -> Option<Hold> {
    if q.field != Field::TargetValue || !q.case.follows_estimate() {
        return None;
    }
    let since = q.case.estimate.incident_since?;
    Some(Hold::new(
        Reason::Incident,
        format!("the objective is broken at low load since {}", since.format("%FT%TZ")),
    ))
}

/// Rule 19a: an estimate made while one instance is slow speaks of that instance too.
fn slow_instance(q: &Question<'_, '_>) -> Option<Hold> {
    let lowers = lowers_target(q);
    let follows = match q.desired.source {
        Source::Estimate => true,
        Source::Probe => !lowers,
        _ => false,
    };
    if q.field != Field::TargetValue || !follows || q.confirmed {
        return None;
    }
    let (sentence, until) = super::per_instance::holds(q.case, lowers)?;
    Some(match until {
        Some(until) => Hold::until(Reason::SlowInstance, sentence, until),
        None => Hold::new(Reason::SlowInstance, sentence),
    })
}

fn write_limit(q: &Question<'_, '_>) -> Option<Hold> {
    // A probe begins only where there is room for the write that ends it.
    if q.desired.source == Source::ProbeEnded && lowers_target(q) {
        return None;
    }
    // The steps of one lowering are one write, which has been counted.
    if lowers_target(q) && step::lowering_under_way(q.case).is_some() {
        return None;
    }
    let (now, writes) = (q.case.now, &q.case.memory.writes);
    let since = |ago: chrono::TimeDelta| writes.iter().filter(|at| **at > now - ago).count();
    let rules = q.case.rules;
    let (hour, day) = (since(chrono::TimeDelta::hours(1)), since(chrono::TimeDelta::days(1)));
    if hour < rules.writes_per_hour && day < rules.writes_per_day {
        return None;
    }
    let sentence = format!(
        "the write limit is reached: {hour} writes in the last hour, {day} in the last day"
    );
    Some(Hold::new(Reason::WriteLimit, sentence))
}

/// A write that AWS refused is tried again after a while, not with every pass.
fn refused(q: &Question<'_, '_>) -> Option<Hold> {
    let refused = q.case.memory.refused.as_ref().filter(|_| !q.confirmed)?;
    (q.case.now < refused.until).then(|| {
        let times = if refused.count == 1 {
            "refused the last write".to_owned()
        } else {
            format!("refused the last {} writes", refused.count)
        };
        let until = refused.until.format("%FT%TZ");
        let sentence = format!("AWS {times} ({}); setpoint retries at {until}", refused.sentence);
        Hold::until(Reason::WriteFailed, sentence, refused.until)
    })
}

fn lowers_target(q: &Question<'_, '_>) -> bool {
    q.field == Field::TargetValue && !q.difference.actual_is_safer
}

fn lowers_to_formula(q: &Question<'_, '_>) -> bool {
    lowers_target(q) && q.desired.source == Source::Formula
}
