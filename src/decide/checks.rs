//! The guards: an ordered chain of pure checks. The first that objects holds the difference.

use crate::model::decision::FieldState;
use crate::model::endpoint::VariantKind;
use crate::model::fact::Fact;
use crate::model::goal::Mode;
use crate::model::reason::{Field, Reason};
use crate::model::time::Timestamp;
use crate::model::units::human;

use super::case::{Case, Stillness};
use super::compare::{Comparison, Difference, Relation};
use super::desired::{Desired, Source};
use super::remember::is_foreign_overwrite;
use super::step::{self, DEAD_BAND};

/// Why a difference is not written now.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    /// The code.
    pub reason: Reason,
    /// The sentence.
    pub sentence: String,
    /// When the answer may change by itself.
    pub until: Option<Timestamp>,
}

impl Hold {
    /// A hold without a known end.
    pub fn new(reason: Reason, sentence: impl Into<String>) -> Self {
        Self { reason, sentence: sentence.into(), until: None }
    }

    /// A hold that ends by itself.
    pub fn until(reason: Reason, sentence: impl Into<String>, until: Timestamp) -> Self {
        Self { reason, sentence: sentence.into(), until: Some(until) }
    }
}

/// A compared field with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The comparison.
    pub comparison: Comparison,
    /// What becomes of it.
    pub state: FieldState,
    /// Why.
    pub reason: Reason,
    /// Why, as a sentence.
    pub sentence: String,
    /// The target value to write, when this is the target value and it is written.
    pub target_value: Option<f64>,
    /// When the answer may change by itself.
    pub wake_at: Option<Timestamp>,
}

/// What a check is asked about.
struct Question<'a, 'b> {
    case: &'b Case<'a>,
    desired: &'b Desired,
    field: Field,
    difference: Difference,
}

type Check = fn(&Question<'_, '_>) -> Option<Hold>;

/// The chain. Order matters only for which reason is told: permanent ones come first, so that a
/// person who fixes the first objection is not surprised by a more basic one.
const CHECKS: &[Check] = &[
    // Who and what it is.
    unlisted,
    observe,
    unsupported_kind,
    wrong_account,
    // What people have asked for.
    reconcile_disabled,
    paused,
    frozen,
    other_writer,
    adoption,
    // The state of the world.
    endpoint_updating,
    suspended,
    // Field by field.
    watched_only,
    scheduled_capacity,
    competing_policy,
    no_value,
    safe_change_grace,
    pending_capacity,
    clamp,
    incident,
    write_limit,
];

/// Runs every comparison through the chain.
#[must_use]
pub fn judge(case: &Case<'_>, desired: &Desired, compared: Vec<Comparison>) -> Vec<Judged> {
    let mut judged: Vec<Judged> =
        compared.into_iter().map(|comparison| judge_one(case, desired, comparison)).collect();
    hold_policy_with_its_target(&mut judged);
    judged
}

/// A policy needs its scalable target: when registering is held, so is making the policy.
fn hold_policy_with_its_target(judged: &mut [Judged]) {
    let target = judged.iter().find(|j| j.comparison.field == Field::ScalableTarget);
    let Some(hold) = target.filter(|t| t.state != FieldState::Write).map(|t| {
        let sentence = format!("the scalable target comes first: {}", t.sentence);
        Hold { reason: t.reason, sentence, until: t.wake_at }
    }) else {
        return;
    };
    for policy in judged.iter_mut().filter(|j| j.comparison.field == Field::Policy) {
        if policy.state == FieldState::Write {
            *policy = held(policy.comparison.clone(), hold.clone());
        }
    }
}

fn judge_one(case: &Case<'_>, desired: &Desired, comparison: Comparison) -> Judged {
    let difference = match &comparison.relation {
        Relation::Equal => return in_sync(comparison, Reason::InSync, String::new()),
        Relation::Unknown(why) => {
            let sentence = why.message.clone();
            return judged(comparison, FieldState::Unknown, Reason::CouldNotCompare, sentence);
        }
        Relation::Differs(difference) => *difference,
    };
    if comparison.field == Field::TargetValue
        && let Some(sentence) = within_dead_band(case, desired)
    {
        return in_sync(comparison, Reason::DeadBand, sentence);
    }
    let question = Question { case, desired, field: comparison.field, difference };
    if let Some(hold) = CHECKS.iter().find_map(|check| check(&question)) {
        return held(comparison, hold);
    }
    if comparison.field == Field::TargetValue {
        return judge_step(case, desired, comparison);
    }
    judged(comparison, FieldState::Write, Reason::Drift, String::new())
}

/// The target value goes through rule 8 after all other checks.
fn judge_step(case: &Case<'_>, desired: &Desired, comparison: Comparison) -> Judged {
    let (Some(from), Some(want)) = (case.configured_target(), desired.target_value) else {
        let hold = Hold::new(Reason::NoValue, "there is no value to write");
        return held(comparison, hold);
    };
    match step::step(case, from, want) {
        Err(hold) => held(comparison, hold),
        Ok(step) => {
            let (reason, sentence) =
                step.cut.unwrap_or_else(|| (desired.change_reason(), String::new()));
            let mut judged = judged(comparison, FieldState::Write, reason, sentence);
            judged.target_value = Some(step.to);
            judged.wake_at = step.next_at;
            judged
        }
    }
}

fn judged(comparison: Comparison, state: FieldState, reason: Reason, sentence: String) -> Judged {
    Judged { comparison, state, reason, sentence, target_value: None, wake_at: None }
}

fn in_sync(comparison: Comparison, reason: Reason, sentence: String) -> Judged {
    judged(comparison, FieldState::InSync, reason, sentence)
}

fn held(comparison: Comparison, hold: Hold) -> Judged {
    let mut judged = judged(comparison, FieldState::Held, hold.reason, hold.sentence);
    judged.wake_at = hold.until;
    judged
}

/// Rule 8: in `auto` a small difference is not worth a write. `repair` restores 601 to 600.
fn within_dead_band(case: &Case<'_>, desired: &Desired) -> Option<String> {
    if desired.source != Source::Estimate {
        return None;
    }
    let (from, want) = (case.configured_target()?, desired.target_value?);
    let share = (want / from - 1.0).abs();
    (share < DEAD_BAND)
        .then(|| format!("{} is within 5 % of the wanted {}", human(from), human(want)))
}

// === rule 1 to 7: whose is it ===

fn unlisted(q: &Question<'_, '_>) -> Option<Hold> {
    (!q.case.goal.managed)
        .then(|| Hold::new(Reason::Unlisted, "the configuration does not list this variant"))
}

fn observe(q: &Question<'_, '_>) -> Option<Hold> {
    (q.case.goal.mode == Mode::Observe).then(|| Hold::new(Reason::Observe, "the mode is observe"))
}

fn unsupported_kind(q: &Question<'_, '_>) -> Option<Hold> {
    match &q.case.kind {
        Ok(VariantKind::Standard) => None,
        Ok(kind) => {
            let because = kind.unsupported_because().unwrap_or("its kind is not supported");
            Some(Hold::new(Reason::UnsupportedKind, because))
        }
        Err(why) => Some(Hold::new(
            Reason::Unknown,
            format!("the kind of variant is not known: {}", why.message),
        )),
    }
}

fn wrong_account(q: &Question<'_, '_>) -> Option<Hold> {
    let Some(allowed) = &q.case.rules.account_id else {
        return Some(Hold::new(
            Reason::WrongAccount,
            "no account_id is configured, and without one nothing is written",
        ));
    };
    match &q.case.snapshot.caller {
        Fact::Unknown(why) => Some(Hold::new(
            Reason::WrongAccount,
            format!("the account of the credentials is not known: {}", why.message),
        )),
        Fact::Known(caller) if caller != allowed || *caller != q.case.snapshot.id.account_id => {
            Some(Hold::new(
                Reason::WrongAccount,
                format!(
                    "the credentials are of account {caller}, the configuration allows {allowed}"
                ),
            ))
        }
        Fact::Known(_) => None,
    }
}

// === rule 10, 22, 4: what people have asked for ===

fn reconcile_disabled(q: &Question<'_, '_>) -> Option<Hold> {
    (!q.case.rules.enabled)
        .then(|| Hold::new(Reason::ReconcileDisabled, "reconcile.enabled is false"))
}

fn paused(q: &Question<'_, '_>) -> Option<Hold> {
    let pauses = [q.case.goal.paused.as_ref(), q.case.memory.pause.as_ref()];
    let pause = pauses.into_iter().flatten().find(|pause| q.case.now < pause.until)?;
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

/// Two foreign overwrites of the same value: somebody else holds this field (rule 22).
fn other_writer(q: &Question<'_, '_>) -> Option<Hold> {
    let value = q.difference.actual?;
    let overwrites = q.case.memory.foreign_overwrites.get(&q.field);
    let known = overwrites.into_iter().flatten().filter(|o| (o.value - value).abs() < 1e-6).count();
    let new = q.field == Field::TargetValue && is_foreign_overwrite(&q.case.memory, value);
    let same = known + usize::from(new);
    (same >= 2).then(|| {
        let sentence = format!(
            "somebody else has set it to {} {same} times after setpoint had restored it",
            human(value)
        );
        Hold::new(Reason::OtherWriter, sentence)
    })
}

fn adoption(q: &Question<'_, '_>) -> Option<Hold> {
    let adopted = q.case.goal.adopt || q.case.memory.adopted || q.case.rules.confirmed;
    (!adopted).then(|| {
        Hold::new(
            Reason::Adoption,
            "first contact: set `adopt: true` on the target or confirm `setpoint apply`",
        )
    })
}

// === rule 11 to 19: the state of the world ===

fn endpoint_updating(q: &Question<'_, '_>) -> Option<Hold> {
    match q.case.stillness() {
        Ok(Stillness::Frozen(why)) => Some(Hold::new(Reason::EndpointUpdating, why)),
        Err(why) => Some(Hold::new(
            Reason::Unknown,
            format!("the state of the endpoint is not known: {}", why.message),
        )),
        Ok(Stillness::Free | Stillness::Pending(_)) => None,
    }
}

fn suspended(q: &Question<'_, '_>) -> Option<Hold> {
    if let Fact::Unknown(why) = &q.case.snapshot.target {
        return Some(Hold::new(
            Reason::Unknown,
            format!("whether scaling is suspended is not known: {}", why.message),
        ));
    }
    let target = q.case.target()?;
    (target.suspended.any() && !q.case.goal.unsuspend).then(|| {
        Hold::new(Reason::Suspended, "somebody suspended scaling, and it is not undone unless told")
    })
}

/// Alarms are AWS's, and are only watched.
fn watched_only(q: &Question<'_, '_>) -> Option<Hold> {
    (q.field == Field::Alarms)
        .then(|| Hold::new(Reason::Alarms, "the alarms of a policy are AWS's and are not edited"))
}

fn scheduled_capacity(q: &Question<'_, '_>) -> Option<Hold> {
    if !matches!(q.field, Field::MinCapacity | Field::MaxCapacity) {
        return None;
    }
    match &q.case.snapshot.scheduled_actions {
        Fact::Unknown(why) => Some(Hold::new(
            Reason::Unknown,
            format!("whether scheduled actions move it is not known: {}", why.message),
        )),
        Fact::Known(actions) if !actions.is_empty() => {
            let names: Vec<&str> = actions.iter().map(|a| a.name.as_str()).collect();
            Some(Hold::new(
                Reason::ScheduledCapacity,
                format!("scheduled actions move it ({})", names.join(", ")),
            ))
        }
        Fact::Known(_) => None,
    }
}

fn competing_policy(q: &Question<'_, '_>) -> Option<Hold> {
    let competing = q.case.competing();
    (q.field == Field::Policy && !competing.is_empty()).then(|| {
        let names: Vec<&str> = competing.iter().map(|p| p.name.as_str()).collect();
        Hold::new(
            Reason::CompetingPolicy,
            format!(
                "another policy scales this variant ({}); no second one is made",
                names.join(", ")
            ),
        )
    })
}

fn no_value(q: &Question<'_, '_>) -> Option<Hold> {
    match q.field {
        Field::Policy if q.desired.target_value.is_none() => Some(Hold::new(
            Reason::NoValue,
            "the policy is missing and there is no valid load test or measured capacity to give it a value",
        )),
        Field::ScalableTarget if q.desired.min.is_none() || q.desired.max.is_none() => {
            Some(Hold::new(
                Reason::NoValue,
                "the scalable target is missing and capacity.min and capacity.max are not both configured",
            ))
        }
        _ => None,
    }
}

fn safe_change_grace(q: &Question<'_, '_>) -> Option<Hold> {
    let value = q.difference.actual.filter(|_| q.difference.actual_is_safer)?;
    // What setpoint itself wrote is no person's change: then the configuration has moved.
    let own = q.field == Field::TargetValue
        && q.case.memory.last_write.is_some_and(|w| (w.after - value).abs() < 1e-6);
    if own {
        return None;
    }
    let seen = q.case.memory.seen.get(&q.field);
    let since = seen.filter(|s| (s.value - value).abs() < 1e-6).map_or(q.case.now, |s| s.since);
    let until = since + q.case.goal.safe_change_grace;
    (q.case.now < until).then(|| {
        let sentence = format!(
            "a change in the safe direction is left alone until {}",
            until.format("%FT%TZ")
        );
        Hold::until(Reason::SafeChangeGrace, sentence, until)
    })
}

fn pending_capacity(q: &Question<'_, '_>) -> Option<Hold> {
    let waits = match q.field {
        Field::MinCapacity | Field::MaxCapacity | Field::ScalableTarget | Field::Suspended => true,
        Field::TargetValue => !lowers_target(q),
        _ => false,
    };
    match q.case.stillness() {
        Ok(Stillness::Pending(why)) if waits => Some(Hold::new(Reason::PendingCapacity, why)),
        _ => None,
    }
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
            "the instance count is not known, and registering pulls it into min and max",
        ));
    };
    let (min, max) = super::plan::bounds_to_send(q.case, q.desired, q.field)?;
    let outside =
        |count: u32| i64::from(count) < i64::from(min) || i64::from(count) > i64::from(max);
    (outside(current) || outside(desired)).then(|| {
        let sentence = format!(
            "registering {min} to {max} would move the {current} instances (set `allow_clamp: true` to let it)"
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

fn write_limit(q: &Question<'_, '_>) -> Option<Hold> {
    let (now, writes) = (q.case.now, &q.case.memory.writes);
    let since = |ago: chrono::TimeDelta| writes.iter().filter(|at| **at > now - ago).count();
    let rules = q.case.rules;
    let (hour, day) = (since(chrono::TimeDelta::hours(1)), since(chrono::TimeDelta::days(1)));
    if hour < rules.writes_per_hour && day < rules.writes_per_day {
        return None;
    }
    let sentence =
        format!("{hour} writes in the last hour and {day} in the last day are the limit");
    Some(Hold::new(Reason::WriteLimit, sentence))
}

fn lowers_target(q: &Question<'_, '_>) -> bool {
    q.field == Field::TargetValue && !q.difference.actual_is_safer
}
