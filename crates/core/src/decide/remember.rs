//! What to remember after a pass. Pure: the caller keeps it behind the memory port.

use chrono::TimeDelta;

use crate::model::decision::{
    Action, Decision, FieldReport, FieldState, Outcome, Report, StepResult,
};
use crate::model::factor::factor_in_use;
use crate::model::goal::Goal;
use crate::model::keeper::OtherSetpoint;
use crate::model::memory::{
    FactorInUse, Lowering, Overwrite, Refusals, Seen, TargetWrite, VariantMemory,
};
use crate::model::reason::{Field, Reason};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::model::units::{TARGET_VALUE_TOLERANCE, same_value};

use super::case::Case;
use super::step::{
    DEAD_BAND, LOWERING_MAX, NEW_GROUND_MAX, NEW_GROUND_WINDOW, is_further_step, whole,
};
use super::{floors, last_known, lasting, new_regime, probe, removed, verify, watch};

/// Foreign overwrites are remembered this long (rule 22).
const OVERWRITES_KEPT: TimeDelta = TimeDelta::days(30);
/// A safety factor that follows the demand moves at most so often.
const FACTOR_MOVES_EVERY: TimeDelta = TimeDelta::days(7);
/// Factors are worked out in steps of this.
const FACTOR_STEP: f64 = 0.01;
/// The wait after a first refusal, how often it doubles, and the most that it may be.
const REFUSED_WAIT: TimeDelta = TimeDelta::minutes(1);
const REFUSED_DOUBLINGS: u32 = 4;
const REFUSED_WAIT_MAX: TimeDelta = TimeDelta::minutes(15);
/// Stands for the metric that a managed policy tracks; others are recognised by a hash.
const METRIC_AS_WANTED: f64 = 0.0;
/// At most so many of one field: two of the same value are enough to stop.
const OVERWRITES_MAX: usize = 8;

/// The memory after a pass, in which `outcome` came of what was decided; absent when nothing was tried.
pub fn remember(
    before: &VariantMemory,
    (snapshot, goal): (&Snapshot, &Goal),
    (decision, outcome): (&Decision, Option<&Outcome>),
    now: Timestamp,
) -> VariantMemory {
    let mut memory = before.clone();
    memory.since.get_or_insert(now);
    memory.intent = None;
    forget_old(&mut memory, now);
    note_foreign_overwrites(&mut memory, before, decision, now);
    note_seen(&mut memory, decision, now);
    memory.lasting = lasting::lasting_of(&before.lasting, snapshot, &decision.report, now).into();
    memory.lasting.share(&before.lasting);
    watch::note(&mut memory, snapshot, now);
    removed::note(&mut memory, snapshot, now);
    last_known::note(&mut memory, snapshot);
    let regime = decision.report.estimate.regime.as_ref();
    memory.known_regime = new_regime::note(memory.known_regime, regime, now);
    note_value_in_force(&mut memory, (snapshot, goal, decision), now);
    note_factor(&mut memory, (goal, snapshot), now);
    let case = Case::new(snapshot, goal, &decision.report.estimate, &decision.rules, now);
    probe::note(&case, &mut memory);
    floors::note(&mut memory, snapshot, goal.capacity.min, now);
    memory.verification = memory
        .verification
        .map(|watch| verify::advance(*watch, snapshot, &goal.objective))
        .filter(|watch| !verify::is_over(watch, now))
        .map(Box::new);
    if let Some(outcome) = outcome {
        note_writes(&mut memory, (&case, decision), outcome, now);
    }
    memory
}

fn forget_old(memory: &mut VariantMemory, now: Timestamp) {
    memory.writes.retain(|at| *at > now - TimeDelta::days(1));
    memory.raises.retain(|raise| raise.at > now - NEW_GROUND_WINDOW);
    for overwrites in memory.foreign_overwrites.values_mut() {
        // What holds a field is kept until a person ends it.
        let holds = holding(overwrites);
        overwrites.retain(|o| o.at > now - OVERWRITES_KEPT || holds(o));
    }
    memory.foreign_overwrites.retain(|_, overwrites| !overwrites.is_empty());
    if memory.pause.as_ref().is_some_and(|pause| pause.until <= now) {
        memory.pause = None;
    }
    if memory.other_setpoint.as_ref().is_some_and(|other| other.is_forgotten(now)) {
        memory.other_setpoint = None;
    }
    if memory.raises_held_until.is_some_and(|until| until <= now) {
        memory.raises_held_until = None;
    }
}

/// Since when each compared field has had its value: a person's change is a recent one (rule 16).
/// What could not be compared this time keeps what was seen before.
fn note_seen(memory: &mut VariantMemory, decision: &Decision, now: Timestamp) {
    for field in &decision.report.fields {
        let Some(value) = field.number else { continue };
        let seen = memory.seen.get(&field.field);
        if !seen.is_some_and(|seen| same_value(seen.value, value)) {
            memory.seen.insert(field.field, Seen { value, since: now });
        }
    }
}

/// Whether the value that a field has is somebody's overwrite of one that setpoint had written,
/// seen for the first time (rule 22). The same foreign value counts once for each time it came
/// back, not once for each pass that sees it.
pub fn is_foreign_overwrite(memory: &VariantMemory, field: Field, value: f64) -> bool {
    let is = |known: f64| same_value(value, known);
    if field != Field::TargetValue {
        // Before a write its field is remembered as it was, so a crash is nobody's overwrite.
        return memory.written.get(&field).is_some_and(|written| !is(*written))
            && memory.seen.get(&field).is_some_and(|seen| !is(seen.value));
    }
    let Some(last) = memory.last_write else { return false };
    // An intent without an outcome: the process died before it was carried out.
    if memory.intent.as_ref().is_some_and(|intent| intent.before.is_some_and(is)) {
        return false;
    }
    // A write that failed may have landed all the same.
    let own = is(last.after) || memory.last_attempt.is_some_and(|attempt| is(attempt.after));
    !own && memory.value_in_force.is_some_and(|before| !is(before))
}

fn note_foreign_overwrites(
    memory: &mut VariantMemory,
    before: &VariantMemory,
    decision: &Decision,
    now: Timestamp,
) {
    let target = decision.report.configured_target.map(|value| (Field::TargetValue, value));
    let others = decision.report.fields.iter().filter(|f| f.field != Field::TargetValue);
    // What a scheduled action moves is nobody's overwrite.
    let others = others.filter(|f| f.reason != Reason::ScheduledCapacity);
    let others = others.filter_map(|f| Some((f.field, f.number?)));
    for (field, value) in target.into_iter().chain(others) {
        if !is_foreign_overwrite(before, field, value) {
            continue;
        }
        if field == Field::TargetValue && is_step_of_another(before, value) {
            note_other_setpoint(memory, now);
        }
        let overwrites = memory.foreign_overwrites.entry(field).or_default();
        overwrites.push(Overwrite { at: now, value });
        if overwrites.len() > OVERWRITES_MAX {
            let holds = holding(overwrites);
            // Where all are the same, the oldest is one more than is needed.
            let oldest = overwrites.iter().position(|o| !holds(o)).unwrap_or_default();
            overwrites.remove(oldest);
        }
    }
}

/// Tells which of these are of a value that somebody else has set more than once: who does that holds the field
/// (rule 22).
fn holding(overwrites: &[Overwrite]) -> impl Fn(&Overwrite) -> bool + use<> {
    let values: Vec<f64> = overwrites.iter().map(|o| o.value).collect();
    move |o| values.iter().filter(|value| same_value(**value, o.value)).count() > 1
}

/// Whether a foreign value is one that rule 8 would lead another setpoint to, from the value that
/// this one had put in force: people and templates choose other numbers.
fn is_step_of_another(before: &VariantMemory, value: f64) -> bool {
    let Some(from) = before.value_in_force else { return false };
    let lowered = whole(from * (1.0 - LOWERING_MAX), f64::ceil);
    let raised = whole(from * (1.0 + NEW_GROUND_MAX), f64::floor);
    [lowered, raised].iter().any(|step| same_value(*step, value))
}

fn note_other_setpoint(memory: &mut VariantMemory, now: Timestamp) {
    let before = memory.other_setpoint.as_deref();
    memory.other_setpoint = Some(OtherSetpoint::seen(before, None, now).into());
}

/// The sentence about another setpoint that is certain to be there (rule 26).
pub fn other_setpoint(memory: &VariantMemory) -> Option<String> {
    let other = memory.other_setpoint.as_ref()?.certain()?;
    let who = other.id.as_ref().map_or_else(String::new, |id| format!(" (process {id})"));
    Some(format!(
        "another setpoint{who} writes this variant without a common Lease, seen from {} to {}: stop \
         one of them, then `setpoint resume`",
        other.first.format("%FT%TZ"),
        other.last.format("%FT%TZ")
    ))
}

/// The value seen in force, and the highest that setpoint has held.
fn note_value_in_force(
    memory: &mut VariantMemory,
    (snapshot, goal, decision): (&Snapshot, &Goal, &Decision),
    now: Timestamp,
) {
    // What could not be read has not gone: what is found after that may be somebody's overwrite.
    if snapshot.policies.known().is_some() {
        memory.value_in_force = decision.report.configured_target;
    }
    if probe::is_on(memory, memory.value_in_force) {
        return;
    }
    // Held means in force and wanted: a value passed through on the way down is not held.
    // (Another field may differ, or be unknown, as the alarms are while CloudWatch is down.)
    let kept = |f: &&FieldReport| f.field == Field::TargetValue && f.state == FieldState::InSync;
    let kept = decision.report.fields.iter().find(kept);
    let Some((kept, value)) = kept.zip(decision.report.configured_target) else { return };
    // What is near enough to be left alone is kept, too, and a lowering that has come so far has ended.
    note_held(memory, value, now);
    memory.lowering = None;
    note_applied_factor(memory, goal, &decision.report, value);
    if kept.reason == Reason::InSync {
        memory.highest_applied = Some(memory.highest_applied.map_or(value, |held| held.max(value)));
    }
}

fn note_held(memory: &mut VariantMemory, value: f64, now: Timestamp) {
    let same = |held: &Seen| same_value(held.value, value);
    let held = memory.last_applied.filter(same);
    memory.last_applied = Some(held.unwrap_or(Seen { value, since: now }));
}

/// A higher factor is in force with any value. A lower one asks for more headroom, and is in force once the value has it:
/// what is kept for another reason (a floor, a verdict that may not lower, a restored value) has it not.
fn note_applied_factor(memory: &mut VariantMemory, goal: &Goal, report: &Report, value: f64) {
    let factor = factor_in_use(goal, Some(memory));
    let two_sided = report.estimate.verdict.is_two_sided();
    let wanted = if two_sided { report.safe_target } else { report.formula_target };
    let has_it = wanted.is_some_and(|wanted| value <= wanted * (1.0 + DEAD_BAND));
    if has_it || memory.applied_factor.is_none_or(|applied| applied < factor) {
        memory.applied_factor = Some(factor);
    }
}

/// With `safety_factor: auto` the factor is the one by replay, once there is a measured regime; it
/// moves at most once a week.
fn note_factor(memory: &mut VariantMemory, (goal, snapshot): (&Goal, &Snapshot), now: Timestamp) {
    let Some(value) = snapshot.factor.factor().filter(|_| goal.safety_factor_auto) else { return };
    let due = memory.safety_factor.is_none_or(|f| {
        now - f.since >= FACTOR_MOVES_EVERY && (f.value - value).abs() >= FACTOR_STEP / 2.0
    });
    if due {
        memory.safety_factor = Some(FactorInUse { value, since: now });
    }
}

fn note_writes(
    memory: &mut VariantMemory,
    (case, decision): (&Case<'_>, &Decision),
    outcome: &Outcome,
    now: Timestamp,
) {
    let confirmed = decision.rules.confirmed.any();
    for (action, step) in decision.plan.actions.iter().zip(&outcome.steps) {
        if step.result == StepResult::Skipped {
            if step.reason == Some(Reason::OtherSetpoint) {
                note_other_setpoint(memory, now);
            }
            continue;
        }
        if step.refused.is_some() {
            note_refusal(memory, &step.sentence, now);
            continue;
        }
        // A write whose answer was another error may still have landed: it counts as made.
        memory.refused = None;
        forget_step_before(memory, action);
        memory.writes.push(now);
        memory.adopted |= confirmed || step.result == StepResult::Success;
        note_written(memory, action, step.result, now);
        floors::note_write(memory, action);
        if step.result == StepResult::Success {
            removed::note_made(memory, action);
        }
        let Action::PutPolicy { configuration, expected, fields, .. } = action else { continue };
        if fields.contains(&Field::Alarms) {
            memory.alarms_repaired_at = Some(now);
        }
        let after = configuration.target_value;
        // What tracked another metric had a value in another unit.
        let comparable = expected.as_ref().filter(|tracking| tracking.metric.is_invocations());
        let value_before = comparable.map(|tracking| tracking.target_value);
        let write = TargetWrite { at: now, before: value_before, after };
        if value_before.is_none_or(|before| !same_value(before, after)) {
            note_target_write(memory, (case.snapshot, decision), write, step.result);
            probe::note_write(case, memory, decision, write, step.result);
            let landed = memory.last_write == Some(write);
            if landed {
                memory.lowering = lowering(decision, write, confirmed, memory.lowering);
            }
        }
    }
}

/// Rule 10: the steps of one lowering are one write, so the step before this one no longer counts.
fn forget_step_before(memory: &mut VariantMemory, action: &Action) {
    let Action::PutPolicy { configuration, expected: Some(expected), .. } = action else { return };
    let goes_on = is_further_step(memory, expected.target_value, configuration.target_value);
    let Some(last) = memory.last_write.filter(|_| goes_on) else { return };
    if let Some(counted) = memory.writes.iter().position(|at| *at == last.at) {
        memory.writes.remove(counted);
    }
}

/// The lowering that a write is a step of; none when it is another write, or the last step.
fn lowering(
    decision: &Decision,
    write: TargetWrite,
    confirmed: bool,
    before: Option<Lowering>,
) -> Option<Lowering> {
    let target = decision.report.fields.iter().find(|f| f.field == Field::TargetValue)?;
    let to = target.wanted.filter(|to| *to < write.after - TARGET_VALUE_TOLERANCE)?;
    let lowers = write.before.is_some_and(|before| write.after < before);
    let confirmed_before = before.is_some_and(|before| before.confirmed && to >= before.to);
    lowers.then_some(Lowering { to, confirmed: confirmed || confirmed_before })
}

/// AWS certainly did not carry it out: it is tried again after a while that doubles.
fn note_refusal(memory: &mut VariantMemory, sentence: &str, now: Timestamp) {
    let count = memory.refused.as_ref().map_or(0, |refused| refused.count).saturating_add(1);
    let wait = REFUSED_WAIT * (1 << (count - 1).min(REFUSED_DOUBLINGS));
    let until = now + wait.min(REFUSED_WAIT_MAX);
    memory.refused = Some(Refusals { count, until, sentence: sentence.to_owned() }.into());
}

/// The values written, field by field. What AWS does not show yet is remembered as not written:
/// seeing the value from before again is nobody's overwrite.
fn note_written(memory: &mut VariantMemory, action: &Action, result: StepResult, now: Timestamp) {
    for (field, value) in written(action) {
        if result == StepResult::Success {
            memory.seen.insert(field, Seen { value, since: now });
            memory.written.insert(field, value);
        } else {
            memory.written.remove(&field);
        }
    }
}

fn written(action: &Action) -> Vec<(Field, f64)> {
    match action {
        Action::RegisterTarget { min_capacity, max_capacity, unsuspend, .. } => {
            let bound = |field, n: Option<i32>| n.map(|n| (field, f64::from(n)));
            [
                bound(Field::MinCapacity, *min_capacity),
                bound(Field::MaxCapacity, *max_capacity),
                unsuspend.then_some((Field::Suspended, 0.0)),
            ]
            .into_iter()
            .flatten()
            .collect()
        }
        Action::PutPolicy { configuration, fields, .. } => {
            let value = |field: &Field| match field {
                Field::ScaleOutCooldown => {
                    Some(f64::from(configuration.scale_out_cooldown_seconds()))
                }
                Field::ScaleInCooldown => {
                    Some(f64::from(configuration.scale_in_cooldown_seconds()))
                }
                Field::DisableScaleIn => {
                    Some(f64::from(u8::from(configuration.scale_in_disabled())))
                }
                Field::MetricSpecification => Some(METRIC_AS_WANTED),
                _ => None,
            };
            fields.iter().filter_map(|field| Some((*field, value(field)?))).collect()
        }
        Action::PutFloors { number, .. } => {
            number.map(|number| (Field::Floors, number)).into_iter().collect()
        }
    }
}

fn note_target_write(
    memory: &mut VariantMemory,
    (snapshot, decision): (&Snapshot, &Decision),
    write: TargetWrite,
    result: StepResult,
) {
    let held = memory.highest_applied.or(write.before);
    let raise = write.before.is_none_or(|before| write.after > before);
    if raise && held.is_some_and(|held| write.after > held + TARGET_VALUE_TOLERANCE) {
        // Each raise onto new ground is kept with the highest value held before it.
        memory.raises.push(TargetWrite { before: held, ..write });
    }
    memory.last_attempt = Some(write);
    if result == StepResult::Error {
        return;
    }
    // An experiment is not held.
    let probes = probe::begins(decision);
    if raise && !probes {
        memory.highest_applied = Some(held.map_or(write.after, |held| held.max(write.after)));
    }
    let taken_back = memory.verification.take().is_some_and(|watch| watch.failed);
    if taken_back {
        memory.raises_held_until = Some(write.at + verify::RAISES_HELD);
    }
    memory.verification = verify::begin(write, snapshot).map(Box::new);
    memory.last_write = Some(write);
    if result == StepResult::Success && !probes {
        note_held(memory, write.after, write.at);
    }
    // While AWS still shows the value from before, seeing that again is nobody's overwrite.
    memory.value_in_force =
        if result == StepResult::ReadBackDiffers { write.before } else { Some(write.after) };
}
