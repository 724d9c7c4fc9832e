//! Every difference and what becomes of it: the first guard that objects holds it.

use crate::model::decision::FieldState;
use crate::model::reason::{Field, Reason};
use crate::model::scaling::ScheduledAction;
use crate::model::time::Timestamp;
use crate::model::units::{human, same_value};

use super::case::Case;
use super::compare::{Comparison, Relation};
use super::desired::{Desired, Source};
use super::step::{self, DEAD_BAND};
use super::{consent, floors, guards, scheduled, settling};

/// Why a difference is not written now.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    pub reason: Reason,
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
    pub comparison: Comparison,
    /// What becomes of it.
    pub state: FieldState,
    pub reason: Reason,
    pub sentence: String,
    /// The target value to write, when this is the target value and it is written.
    pub target_value: Option<f64>,
    /// When the answer may change by itself.
    pub wake_at: Option<Timestamp>,
}

/// Runs every comparison through the chain.
pub fn judge(case: &Case<'_>, desired: &Desired, compared: Vec<Comparison>) -> Vec<Judged> {
    let mut judged: Vec<Judged> =
        compared.into_iter().map(|comparison| judge_one(case, desired, comparison)).collect();
    consent::hold_what_was_not_shown(case, desired, &mut judged);
    hold_crossing_bounds(case, desired, &mut judged);
    hold_policy_with_its_target(&mut judged);
    judged
}

/// AWS refuses a min above max, as often as it is sent: with the bound that is not written it is
/// known before (rule 17).
fn hold_crossing_bounds(case: &Case<'_>, desired: &Desired, judged: &mut [Judged]) {
    let Some(target) = case.target() else { return };
    let written = |field: Field| {
        judged.iter().any(|j| j.comparison.field == field && j.state == FieldState::Write)
    };
    let (writes_min, writes_max) = (written(Field::MinCapacity), written(Field::MaxCapacity));
    let min = desired.min.filter(|_| writes_min).unwrap_or(target.min_capacity);
    let max = desired.max.filter(|_| writes_max).unwrap_or(target.max_capacity);
    if min <= max {
        return;
    }
    for bound in judged.iter_mut().filter(|j| j.state == FieldState::Write) {
        let (other, value, key) = match bound.comparison.field {
            Field::MinCapacity => ("max", max, "capacity.max"),
            Field::MaxCapacity => ("min", min, "capacity.min"),
            _ => continue,
        };
        let sentence = format!(
            "AWS refuses a min of {min} with a max of {max}, and {other} stays at {value} (configure \
             {key}, or change it in AWS)"
        );
        *bound = held(bound.comparison.clone(), Hold::new(Reason::BoundsConflict, sentence));
    }
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
        Relation::NotCompared { reason, sentence, differs } => {
            let state = if *differs { FieldState::Held } else { FieldState::NotCompared };
            let (reason, sentence) = (*reason, sentence.clone());
            return judged(comparison, state, reason, sentence);
        }
        Relation::Differs(difference) => *difference,
    };
    if comparison.field == Field::TargetValue
        && let Some(sentence) = within_dead_band(case, desired, &comparison)
    {
        return in_sync(comparison, Reason::DeadBand, sentence);
    }
    if let Some(sentence) = set_by_schedule(case, &comparison) {
        return in_sync(comparison, Reason::ScheduledCapacity, sentence);
    }
    if let Some(hold) = guards::objection(case, desired, &comparison, difference) {
        return held(comparison, hold);
    }
    if comparison.field == Field::TargetValue {
        return judge_step(case, desired, comparison);
    }
    let because = (comparison.field == Field::Floors).then(|| floors::because(case)).flatten();
    judged(comparison, FieldState::Write, Reason::Drift, because.unwrap_or_default())
}

/// The target value goes through rule 8 after all other checks.
fn judge_step(case: &Case<'_>, desired: &Desired, comparison: Comparison) -> Judged {
    let (Some(from), Some(want)) = (case.configured_target(), desired.target_value) else {
        let hold = Hold::new(Reason::NoValue, "there is no value to write");
        return held(comparison, hold);
    };
    // What a person has confirmed is written as it was shown: the first step, not a longer one.
    let shown = consent::shown_step(case, desired, &comparison);
    let goes_on = shown.is_some_and(|shown| !same_value(shown, want));
    let step = match shown {
        Some(shown) => step::step(case, from, shown),
        None => settling::step(case, desired, from, want),
    };
    match step {
        Err(hold) => held(comparison, hold),
        Ok(step) => {
            let whole = if goes_on { "the step that was confirmed" } else { "" };
            let (reason, sentence) =
                step.cut.unwrap_or_else(|| (desired.change_reason(), whole.to_owned()));
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

pub(super) fn held(comparison: Comparison, hold: Hold) -> Judged {
    let mut judged = judged(comparison, FieldState::Held, hold.reason, hold.sentence);
    judged.wake_at = hold.until;
    judged
}

/// Rule 13: min and max as a scheduled action sets them are no drift.
fn set_by_schedule(case: &Case<'_>, comparison: &Comparison) -> Option<String> {
    let actions = case.snapshot.scheduled_actions.known()?;
    let Some((action, at)) = attributed(case, comparison.field, comparison.number) else {
        let min = comparison.number.filter(|_| comparison.field == Field::MinCapacity);
        return floors::explains_min(case, min);
    };
    Some(format!(
        "most likely set by the scheduled action {} at {}; {}",
        action.name,
        at.format("%FT%TZ"),
        scheduled::next(scheduled::holding(actions, comparison.field, case.now), case.now)
    ))
}

fn attributed<'a>(
    case: &Case<'a>,
    field: Field,
    number: Option<f64>,
) -> Option<(&'a ScheduledAction, Timestamp)> {
    let actions = case.snapshot.scheduled_actions.known()?;
    scheduled::attribute(actions, field, number? as i32, case.now)
}

/// Rule 8: in `auto` a small difference is not worth a write. `repair` restores 601 to 600.
fn within_dead_band(case: &Case<'_>, desired: &Desired, comparison: &Comparison) -> Option<String> {
    if desired.source != Source::Estimate {
        return None;
    }
    let (from, want) = (case.configured_target()?, desired.target_value?);
    let share = (want / from - 1.0).abs();
    if share < DEAD_BAND {
        return Some(format!("{} is within 5 % of the wanted {}", human(from), human(want)));
    }
    let is_confirmed = consent::shown_step(case, desired, comparison).is_some();
    if is_confirmed { None } else { settling::near_enough(case, desired, from, want) }
}
