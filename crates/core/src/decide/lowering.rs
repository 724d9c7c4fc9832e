//! How far a lowering may go in one write (rule 8): as far as the instances that it calls for. What a
//! foreign edit replaced comes back at once, whatever the distance.

use chrono::TimeDelta;

use crate::model::memory::{Lowering, TargetWrite, VariantMemory};
use crate::model::reason::Reason;
use crate::model::units::{TARGET_VALUE_TOLERANCE, human, same_value};

use super::case::{Case, EndpointReadiness};
use super::checks::Hold;
use super::forecast::needed;
use super::step::{MARGIN, Step, whole};
use super::{last_applied, probe, verify};

/// A lowering calls for at most this share more instances in one write, but may call for one. Where
/// the present load is not known, it goes at most this far down in value.
pub const LOWERING_MAX: f64 = 0.30;
/// The next step waits this long, unless the instances of the last one have come before.
const LOWERING_WAIT: TimeDelta = TimeDelta::minutes(10);

/// How far down to go from `from` (in force) towards `want`.
pub(super) fn lowering(case: &Case<'_>, from: f64, want: f64) -> Result<Step, Hold> {
    let last = last_lowering(case, from);
    if let Some(last) = last {
        let due = last.at + LOWERING_WAIT;
        if case.now < due
            && let Err(why) = instances_have_come(case, from)
        {
            return Err(Hold::until(Reason::LoweringStep, why, due));
        }
    }
    let Limit { mut lowest, because } = limit(case, from, last.is_some());
    if let Some(replaced) = last_applied::replaced(case) {
        lowest = lowest.min(replaced.value);
    }
    // What a failed raise left is the value from before it (rule 21).
    if let Some(before) = verify::revert_to(case) {
        lowest = lowest.min(before);
    }
    // So is what was in force before a probe (rule 29).
    if let Some(before) = probe::put_back(case) {
        lowest = lowest.min(before);
    }
    if want >= lowest - TARGET_VALUE_TOLERANCE {
        return Ok(Step { to: want, cut: None, next_at: None });
    }
    let next = case.now + LOWERING_WAIT;
    if lowest >= from - TARGET_VALUE_TOLERANCE {
        let sentence = format!("the instances that {} needs are not in service yet", human(from));
        return Err(Hold::until(Reason::LoweringStep, sentence, next));
    }
    Ok(Step { to: lowest, cut: Some((Reason::LoweringStep, because)), next_at: Some(next) })
}

/// The write that this lowering goes on from: a lowering whose value is still in force.
fn last_lowering(case: &Case<'_>, in_force: f64) -> Option<TargetWrite> {
    let last = case.memory.last_write?;
    let lowered = last.before.is_some_and(|before| last.after < before);
    let left = same_value(last.after, in_force);
    (lowered && left).then_some(last)
}

/// The lowering that the next lower value would be a further step of. None once an attempt at a step
/// has failed: attempts are counted one by one (rule 10).
pub fn under_way(case: &Case<'_>) -> Option<Lowering> {
    let memory = &case.memory;
    let last = last_lowering(case, case.configured_target()?)?;
    memory.lowering.filter(|_| memory.last_attempt == Some(last))
}

/// Whether a write is a further step of the lowering that the last one was a step of. The steps of one
/// lowering are one change (rule 10).
pub fn is_further_step(memory: &VariantMemory, from: f64, to: f64) -> bool {
    let left = memory.last_write.filter(|_| memory.lowering.is_some());
    left.is_some_and(|last| same_value(from, last.after)) && to < from - TARGET_VALUE_TOLERANCE
}

/// The lowest value that one write may set.
struct Limit {
    lowest: f64,
    /// Why not lower.
    because: String,
}

fn limit(case: &Case<'_>, from: f64, goes_on: bool) -> Limit {
    by_instances(case, from, goes_on).unwrap_or_else(|| Limit {
        lowest: whole(from * (1.0 - LOWERING_MAX), f64::ceil),
        because: "without a known load, one write lowers the target by at most 30 %".to_owned(),
    })
}

/// The limit where the present load and the number of instances are known.
fn by_instances(case: &Case<'_>, from: f64, goes_on: bool) -> Option<Limit> {
    case.fresh_telemetry().ok()?;
    let load = case.present_invocations()?;
    let now = case.current_instances()?;
    let called_for = needed(case, load, from)?;
    let mut run = now.max(case.desired_instances().unwrap_or(now));
    if goes_on {
        // The instances of the last step have come, or were waited for long enough.
        run = run.max(called_for);
    }
    // A value that calls for no more than the one in force does moves nothing.
    let most = most_instances(run).max(called_for);
    let max = case.target().map_or(i32::MAX, |target| target.max_capacity);
    let max = case.goal.capacity.max.map_or(max, |wanted| wanted.max(max));
    let lowest = if i64::from(most) >= i64::from(max) {
        // Whatever the value, no more than max will run.
        0.0
    } else {
        lowest_for(load, most).min(from)
    };
    let because =
        format!("one write calls for at most {most} instances at the present load, {now} run");
    Some(Limit { lowest, because })
}

/// The most instances that one write of a lower value may call for where `run` run.
pub fn most_instances(run: u32) -> u32 {
    let more = ((f64::from(run) * LOWERING_MAX).floor() as u32).max(1);
    run.saturating_add(more)
}

/// The lowest value that calls for at most `most` instances at `load` invocations a minute in all.
pub fn lowest_for(load: f64, most: u32) -> f64 {
    // Strictly above, by a margin that AWS's rounding cannot eat.
    whole(load / f64::from(most) * (1.0 + MARGIN), f64::ceil)
}

/// Whether the fleet has grown to what the value in force needs at the present load.
fn instances_have_come(case: &Case<'_>, in_force: f64) -> Result<(), &'static str> {
    let known = || {
        case.fresh_telemetry().ok()?;
        let needed = needed(case, case.present_invocations()?, in_force)?;
        Some(case.current_instances()? >= needed)
    };
    let Some(enough) = known() else {
        return Err("it is not known whether the instances of the last step are in service");
    };
    if enough && case.readiness() == Ok(EndpointReadiness::Ready) {
        Ok(())
    } else {
        Err("the instances of the last step are not in service yet")
    }
}
