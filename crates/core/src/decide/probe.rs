//! Rule 29: probes. Where the limit of an instance was never seen, a target value a step higher
//! concentrates the load on fewer instances for an hour, and evidence grows. It is an experiment: asked
//! for by the configuration, in `auto` only, at a calm time, within a budget of bad minutes, and the value
//! from before comes back at the first sign that it should.
//!
//! The numbers are those of a study of 20 simulated fortnights; `docs/how-to/probes.md` is for users.

use chrono::TimeDelta;

use crate::model::decision::{Decision, FieldState, Note, StepResult};
use crate::model::estimate::Verdict;
use crate::model::goal::Mode;
use crate::model::memory::{TargetWrite, VariantMemory};
use crate::model::probe::{BUDGETED, EndedProbe, Probe, ProbeEnd, Probes};
use crate::model::reason::{Field, Reason};
use crate::model::series::Minute;
use crate::model::snapshot::Snapshot;
use crate::model::units::{InvocationsPerMinute, same_value};

use super::case::{Case, EndpointReadiness};
use super::forecast::needed;
use super::step::{self, DEAD_BAND};

/// The longest time that a probe lasts: a quarter of an hour until AWS scales in, and an hour of load.
const LASTS: TimeDelta = TimeDelta::minutes(75);
/// With fewer instances one of them less is too much.
const INSTANCES_MIN: u32 = 4;
/// So far above what is proven a probe may go.
const ABOVE_PROVEN: f64 = 1.15;
/// The time that must have been calm, and how much its minutes may differ (standard deviation over mean).
const CALM_MINUTES: usize = 20;
const CALM_SPREAD: f64 = 0.08;
/// The load may have risen so much within that time, and in a probe.
const RISING: f64 = 1.05;
const ROSE: f64 = 1.15;
/// AWS scales in below nine tenths of the target value; a load right at it may go either way.
const SCALES_IN_BELOW: f64 = 0.88;
/// The next probe waits so long, and longer after one that met a bad minute.
const EVERY: TimeDelta = TimeDelta::hours(6);
const AFTER_BAD: TimeDelta = TimeDelta::hours(24);
/// Instances that went come back within this: its bad minutes are the probe's.
const AFTERMATH: TimeDelta = TimeDelta::minutes(15);
/// AWS may show a write this much later.
const SHOWN_AFTER: TimeDelta = TimeDelta::minutes(15);
/// More bad minutes are not told apart: no budget is larger.
const BAD_MINUTES_MAX: usize = 64;

/// What a probe wants in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// The value of a probe that begins or goes on.
    Probe(f64),
    /// The value from before it.
    PutBack(f64),
}

/// What a probe wants in force, if one is under way or may begin. `usual` is what is wanted otherwise.
pub fn wanted(case: &Case<'_>, usual: Option<f64>) -> Option<Wanted> {
    if let Some(probe) = in_force(case) {
        return Some(match ended(case, &probe) {
            Some(_) => Wanted::PutBack(probe.before),
            None => Wanted::Probe(probe.to),
        });
    }
    begin(case, usual).map(Wanted::Probe)
}

/// The value to put back, where a probe is over that is still in force.
pub fn put_back(case: &Case<'_>) -> Option<f64> {
    let probe = in_force(case)?;
    ended(case, &probe).map(|_| probe.before)
}

/// The probe that is under way, where its value is in force.
fn in_force(case: &Case<'_>) -> Option<Probe> {
    let probe = case.memory.probes.under_way?;
    same_value(case.configured_target()?, probe.to).then_some(probe)
}

/// The note of a probe whose value is in force.
pub(super) fn note_of(case: &Case<'_>) -> Option<Note> {
    let probe = in_force(case)?;
    let sentence = probe.sentence(probe.began_at + LASTS, ended(case, &probe));
    Some(Note { reason: Reason::Probe, sentence: sentence.into() })
}

/// Whether a decision does nothing but put back what was in force before a probe.
pub fn only_puts_back(decision: &Decision) -> bool {
    let mut written =
        decision.report.fields.iter().filter(|f| f.state == FieldState::Write).peekable();
    written.peek().is_some() && written.all(|field| field.reason == Reason::ProbeEnded)
}

pub fn begins(decision: &Decision) -> bool {
    let mut fields = decision.report.fields.iter();
    fields.any(|field| field.state == FieldState::Write && field.reason == Reason::Probe)
}

/// Why a probe is over, if it is.
fn ended(case: &Case<'_>, probe: &Probe) -> Option<ProbeEnd> {
    let estimate = case.estimate;
    let rose = || case.present_invocations().is_some_and(|all| all > ROSE * probe.invocations);
    let checks: [(ProbeEnd, bool); 9] = [
        (ProbeEnd::NotWanted, case.goal.mode != Mode::Auto || case.goal.probe.is_none()),
        (ProbeEnd::Restart, case.rules.since.is_some_and(|since| probe.began_at < since)),
        (ProbeEnd::BadMinute, broke(case, probe)),
        (
            ProbeEnd::Deploy,
            !matches!(
                case.readiness(),
                Ok(EndpointReadiness::Ready | EndpointReadiness::Scaling(_))
            ) || case.new_regime_until().is_some(),
        ),
        (ProbeEnd::Incident, estimate.incident_since.is_some()),
        (
            ProbeEnd::Blind,
            case.fresh_telemetry().is_err() || estimate.is_partial() || has_lost_minutes(case),
        ),
        (ProbeEnd::Verdict, estimate.verdict != Verdict::AtLeast),
        (ProbeEnd::LoadRose, rose()),
        (ProbeEnd::Proven, case.now - probe.began_at >= LASTS),
    ];
    checks.into_iter().find_map(|(why, is)| is.then_some(why))
}

/// Whether a minute since it began broke the objective, as far as is known.
fn broke(case: &Case<'_>, probe: &Probe) -> bool {
    let remembered = case.memory.probes.bad_minutes.iter().any(|at| *at >= probe.began_at);
    let minutes = || case.telemetry.iter().flat_map(|telemetry| telemetry.recent.iter());
    remembered || minutes().any(|minute| minute.at >= probe.began_at && is_bad(case, &minute))
}

/// Whether minutes of the last hour cannot be had back: one of them may have broken the objective.
fn has_lost_minutes(case: &Case<'_>) -> bool {
    case.telemetry.as_ref().is_ok_and(|telemetry| telemetry.recent.try_to_vec().is_none())
}

fn is_bad(case: &Case<'_>, minute: &Minute) -> bool {
    case.goal.objective.broken_by(minute) == Some(true)
}

/// The value of a probe that may begin now.
fn begin(case: &Case<'_>, usual: Option<f64>) -> Option<f64> {
    let (goal, from) = (case.goal.probe.as_ref()?, case.configured_target()?);
    let estimate = case.estimate;
    let settled =
        case.follows_estimate() && usual.is_none_or(|usual| (usual / from - 1.0).abs() < DEAD_BAND);
    let limit_unseen = estimate.verdict == Verdict::AtLeast
        && !estimate.is_partial()
        && estimate.incident_since.is_none()
        && !estimate.findings.iter().any(|finding| finding.is_unsafe())
        // What a probe shows at one hour would not hold at another.
        && !estimate.wanders()
        && case.new_regime_until().is_none();
    if !case.rules.may_probe
        || !settled
        || !limit_unseen
        || !memory_allows(case, goal.bad_minutes_per_week)
    {
        return None;
    }
    let instances = case.current_instances().filter(|n| *n >= INSTANCES_MIN)?;
    let still = case.readiness() == Ok(EndpointReadiness::Ready) && case.competing().is_empty();
    if !still || !is_calm(case) {
        return None;
    }
    let ceiling = case.goal.target_value.ceiling.map_or(f64::INFINITY, InvocationsPerMinute::get);
    let most = (estimate.capacity.lower_bound? * ABOVE_PROVEN).min(ceiling);
    let most = step::whole(most, f64::floor);
    if most <= from {
        return None;
    }
    // All limits of a raise hold: new ground, and instances that go.
    let to = step::step(case, from, most).ok()?.to;
    let invocations = case.present_invocations()?;
    let stay = needed(case, invocations, to)?;
    let moves = invocations / f64::from(instances) < SCALES_IN_BELOW * to && stay < instances;
    // The load that the instances then get must be more than is proven, or nothing is learned.
    let proves = estimate.capacity.lower_bound? < invocations / f64::from(stay.max(1));
    (moves && proves && to >= from * (1.0 + DEAD_BAND / 2.0)).then_some(to)
}

/// Whether what happened before allows a probe.
fn memory_allows(case: &Case<'_>, budget: f64) -> bool {
    let (memory, now) = (&case.memory, case.now);
    let probes = &memory.probes;
    let spent = probes.spent(now);
    let waits = probes.last.is_some_and(|last| {
        now - last.at < if last.why == ProbeEnd::BadMinute { AFTER_BAD } else { EVERY }
    });
    let raised = memory.verification.is_some() || memory.raises_held_until.is_some();
    let lowered = memory.lowering.is_some();
    // The value from before must come back, whatever else is written meanwhile: room for two.
    let writes = |ago| memory.writes.iter().filter(|at| **at > now - ago).count() + 2;
    let room = writes(TimeDelta::hours(1)) <= case.rules.writes_per_hour
        && writes(TimeDelta::days(1)) <= case.rules.writes_per_day;
    let known = case.snapshot.memory.known().is_some() && probes.under_way.is_none();
    known && (spent as f64) < budget && !waits && !raised && !lowered && room
}

/// Whether the last hour was fine, and the end of it steady.
fn is_calm(case: &Case<'_>) -> bool {
    let Ok(telemetry) = &case.telemetry else { return false };
    let Some(recent) = telemetry.recent.try_to_vec() else { return false };
    if case.fresh_telemetry().is_err() || recent.iter().any(|minute| is_bad(case, minute)) {
        return false;
    }
    let minutes = recent.iter().rev().take(CALM_MINUTES);
    let loads: Vec<f64> = minutes.filter_map(|minute| minute.invocations).collect();
    if loads.len() < CALM_MINUTES {
        return false;
    }
    let mean = |loads: &[f64]| loads.iter().sum::<f64>() / loads.len() as f64;
    let all = mean(&loads);
    let variance = loads.iter().map(|load| (load - all).powi(2)).sum::<f64>() / loads.len() as f64;
    // The newest come first.
    let (late, early) = loads.split_at(CALM_MINUTES / 2);
    all > 0.0 && variance.sqrt() < CALM_SPREAD * all && mean(late) <= RISING * mean(early)
}

/// Takes note of the minutes of a probe, and of one that is no longer in force.
pub(super) fn note(case: &Case<'_>, memory: &mut VariantMemory) {
    let now = case.now;
    let mut probes = Probes::clone(&memory.probes);
    probes.bad_minutes.retain(|at| *at > now - BUDGETED);
    count(case, &mut probes);
    if let (Some(probe), Some(value)) = (probes.under_way, case.configured_target())
        && !same_value(value, probe.to)
    {
        // A write that never landed, or is not shown yet.
        let unseen = same_value(value, probe.before);
        if !unseen {
            let why = ProbeEnd::ForeignWrite;
            probes.last = Some(EndedProbe { at: now, to: probe.to, why });
        }
        if !unseen || now - probe.began_at > SHOWN_AFTER {
            probes.under_way = None;
        }
    }
    if probes != *memory.probes {
        memory.probes = probes.into();
    }
}

fn count(case: &Case<'_>, probes: &mut Probes) {
    let from = probes.under_way.map(|probe| probe.began_at);
    let until = if from.is_some() { None } else { probes.last.map(|last| last.at + AFTERMATH) };
    if from.is_none() && until.is_none() {
        return;
    }
    let Ok(telemetry) = &case.telemetry else { return };
    let counted = probes.counted_until.max(from);
    let Some(counted) = counted else { return };
    let mut newest = counted;
    // Nothing is passed over: they count when they have been read again.
    let Some(recent) = telemetry.recent.try_to_vec() else { return };
    for minute in recent.into_iter().filter(|minute| minute.at >= counted) {
        newest = newest.max(minute.end());
        if until.is_none_or(|until| minute.at < until) && is_bad(case, &minute) {
            probes.bad_minutes.push(minute.at);
        }
    }
    let excess = probes.bad_minutes.len().saturating_sub(BAD_MINUTES_MAX);
    probes.bad_minutes.drain(..excess);
    probes.counted_until = Some(newest);
    if until.is_some_and(|until| newest >= until) {
        probes.counted_until = None;
    }
}

/// Takes note of a write of the target value.
pub(super) fn note_write(
    case: &Case<'_>,
    memory: &mut VariantMemory,
    decision: &Decision,
    write: TargetWrite,
    result: StepResult,
) {
    let target = decision.report.fields.iter().find(|f| f.field == Field::TargetValue);
    match target.map(|field| field.reason) {
        Some(Reason::Probe) => {
            let Some((before, invocations)) = write.before.zip(case.present_invocations()) else {
                return;
            };
            let probe = Probe { began_at: write.at, before, to: write.after, invocations };
            // One whose write failed may have landed.
            memory.probes.under_way = Some(probe);
            memory.probes.counted_until = Some(write.at);
        }
        Some(Reason::ProbeEnded) if result != StepResult::Error => {
            let Some(probe) = memory.probes.under_way.take() else { return };
            let why = ended(case, &probe).unwrap_or(ProbeEnd::Proven);
            memory.probes.last = Some(EndedProbe { at: write.at, to: probe.to, why });
            if why == ProbeEnd::Proven {
                // What was proven is no new ground any more.
                let held = memory.highest_applied.map_or(probe.to, |held| held.max(probe.to));
                memory.highest_applied = Some(held);
            }
        }
        _ => {}
    }
}

/// Whether the value in force is that of a probe, which is not held.
pub(super) fn is_on(memory: &VariantMemory, in_force: Option<f64>) -> bool {
    memory.probes.under_way.zip(in_force).is_some_and(|(probe, value)| same_value(probe.to, value))
}

/// What is under way, for whoever may begin another.
pub fn is_under_way(snapshot: &Snapshot) -> bool {
    snapshot.memory.known().is_some_and(|memory| memory.probes.under_way.is_some())
}
