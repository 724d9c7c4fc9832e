//! Rule 8, where a target follows a capacity known from both sides: which differences are worth a write, and how far
//! a raise may go. A raise goes to the lowest that was reported in the last hours, as the stabilization window of a
//! `HorizontalPodAutoscaler` does. It looks at the capacity and at no value, so that nothing but telemetry begins or
//! ends its hours. A lowering does not wait.

use chrono::TimeDelta;

use crate::estimate::Context;
use crate::estimate::divergence::compare;
use crate::model::lows::{Lowest, last_below, lowest_since};
use crate::model::reason::Reason;
use crate::model::time::Timestamp;
use crate::model::units::human;

use super::case::Case;
use super::checks::Hold;
use super::desired::{self, Desired, Source};
use super::step::{self, DEAD_BAND, Step};
use super::{last_applied, verify};

/// A raise of its own value by less than this share is left alone: as an interval narrows, its lower quartile rises by
/// a few per cent for days (`docs/estimation-notebook.md`, closed loop).
const RAISE_MIN: f64 = 0.08;
/// How much of the headroom, of which a factor of 0.7 leaves 0.3, a value may take that the interval does not exclude.
/// Intervals of a first day are wide: a third is where fewer lowerings that were too low stop to be gained
/// (`docs/estimation-notebook.md`, closed loop).
const HEADROOM_SHARE: f64 = 1.0 / 3.0;
/// What counts and does not count by turns does so within a few hours, as bursts come and go.
const HOURS: TimeDelta = TimeDelta::hours(6);
/// Where latency wanders, a service has its heavy hours at some time of the day.
const HOURS_WHERE_IT_WANDERS: TimeDelta = TimeDelta::hours(24);

/// Whether the wanted value follows a capacity that is known from both sides. What is proven, and what was
/// load-tested, does not turn from hour to hour.
fn follows(case: &Case<'_>, desired: &Desired) -> bool {
    desired.source == Source::Estimate && case.estimate.verdict.is_two_sided()
}

/// Whether setpoint has put or found as wanted what is in force, and nobody has replaced it.
fn is_own(case: &Case<'_>) -> bool {
    case.memory.last_applied.is_some() && last_applied::replaced(case).is_none()
}

fn is_outside(case: &Case<'_>, value: f64) -> bool {
    desired::within_owner_limits(case, value) != value
}

/// Why the value in force may stay, which is near enough to what the capacity allows: not worth a raise, or not excluded
/// by what was measured, nor found to be unsafe. What setpoint has not put there, and what is outside the owner's
/// limits, has the narrower band of every value.
pub(super) fn near_enough(
    case: &Case<'_>,
    desired: &Desired,
    from: f64,
    want: f64,
) -> Option<String> {
    let foreign = !is_own(case) || is_outside(case, from);
    if !follows(case, desired) || foreign || verify::revert_to(case).is_some() {
        return None;
    }
    let (from_text, want_text) = (human(from), human(want));
    if want > from {
        let near = want < from * (1.0 + RAISE_MIN);
        return near.then(|| format!("{from_text} is less than 8 % below the wanted {want_text}"));
    }
    let highest = not_excluded(case, from).filter(|highest| from <= *highest)?;
    let highest = human(step::whole(highest, f64::floor).max(from));
    Some(format!(
        "{from_text} stays: what was measured does not exclude it (up to {highest}); wanted {want_text}"
    ))
}

/// The highest value that the measurement does not exclude, as `from` that is in force: factor x the upper end of the
/// capacity, as long as the median leaves most of the headroom. None where `from` is found to be unsafe, or a lowering
/// from it is under way: that ends where it was to lead, in however many steps.
fn not_excluded(case: &Case<'_>, from: f64) -> Option<f64> {
    let (estimate, factor) = (case.estimate, desired::factor(case));
    // Findings go by the configured factor, also where `auto` has raised it.
    let configured =
        Context { configured_target: Some(from), safety_factor: case.goal.safety_factor.get() };
    let is_unsafe = compare(estimate.verdict, &estimate.capacity, &configured).over
        || estimate.findings.iter().any(|finding| finding.is_unsafe());
    if is_unsafe || wants_more_headroom(case, factor) || step::lowering_under_way(case).is_some() {
        return None;
    }
    let with_less_headroom = factor + (1.0 - factor) * HEADROOM_SHARE;
    let capacity = &estimate.capacity;
    Some((factor * capacity.high?).min(with_less_headroom * capacity.estimate?))
}

/// Whether the owner has lowered the factor since the value in force had what it asks for. What `auto` makes of it is no
/// wish of theirs.
fn wants_more_headroom(case: &Case<'_>, factor: f64) -> bool {
    let applied = case.memory.applied_factor.filter(|_| !case.goal.safety_factor_auto);
    applied.is_some_and(|applied| factor < applied)
}

/// How far to go from `from` (in force) towards `want`, which no person has confirmed.
pub(super) fn step(case: &Case<'_>, desired: &Desired, from: f64, want: f64) -> Result<Step, Hold> {
    let step = step::step(case, from, want)?;
    if want <= from || !follows(case, desired) {
        return Ok(step);
    }
    // What a foreign edit has lowered is no new wish of the estimate.
    let lowered = last_applied::replaced(case).map(|replaced| replaced.value);
    let restored = lowered.filter(|value| *value > from);
    // The owner's floor always applies, and needs no capacity that has settled.
    let at_once = restored.is_some() || is_outside(case, from);
    let step = if at_once { step } else { worth_it(step, from)? };
    let Some(most) = most(case).filter(|most| most.value < step.to) else { return Ok(step) };
    // Not in small steps, as one low hour after the other passes.
    let least = from * (1.0 + if is_own(case) { RAISE_MIN } else { DEAD_BAND });
    let enough = step.to.min(want * (1.0 - DEAD_BAND)).max(least);
    let (to, why) = match restored {
        Some(before) if most.value < enough.max(before) => {
            (before.min(step.to), RESTORES.to_owned())
        }
        None if !at_once && most.value < enough => return Err(most.hold(case, enough)),
        // Down to a whole number: the estimate is not that precise.
        _ => (step::whole(most.value, f64::floor), most.cuts()),
    };
    let within = step::step(case, from, to)?;
    let within = if at_once { within } else { worth_it(within, from)? };
    let cut = within.cut.or(Some((Reason::Settling, why)));
    Ok(Step { cut, ..within })
}

/// Why a raise ends at the value from before a foreign edit.
const RESTORES: &str = "the value from before somebody else lowered it; a raise beyond it waits for the capacity to settle";

/// A raise that other limits cut to less than the dead band waits until they allow more.
fn worth_it(step: Step, from: f64) -> Result<Step, Hold> {
    match step.cut {
        Some((reason, sentence)) if step.to < from * (1.0 + DEAD_BAND) => {
            Err(Hold { reason, sentence, until: step.next_at })
        }
        _ => Ok(step),
    }
}

/// The most that a raise may go to now.
struct Most {
    value: f64,
    /// The factor x the lowest capacity of the last hours; absent where none was known for some of them.
    reported: Option<f64>,
    hours: TimeDelta,
}

/// Nothing where nobody has kept what the last hours reported.
fn most(case: &Case<'_>) -> Option<Most> {
    let estimate = case.estimate;
    let hours = if estimate.wanders() { HOURS_WHERE_IT_WANDERS } else { HOURS };
    let reported = match lowest_since(&estimate.lows, case.now - hours) {
        Lowest::Open => return None,
        Lowest::Nothing => None,
        Lowest::Capacity(capacity) => Some(desired::factor(case) * capacity),
    };
    let value = desired::within_owner_limits(case, reported.unwrap_or(0.0));
    Some(Most { value, reported, hours })
}

impl Most {
    /// Why a raise waits until it may go to this value.
    fn hold(&self, case: &Case<'_>, enough: f64) -> Hold {
        let below = last_below(&case.estimate.lows, enough / desired::factor(case));
        let until = below.map_or(case.now, |below| below + self.hours);
        Hold::until(Reason::Settling, self.waits(until), until)
    }

    fn cuts(&self) -> String {
        let hours = self.hours.num_hours();
        format!(
            "a raise goes to the lowest value that the capacity of the last {hours} hours allows"
        )
    }

    fn waits(&self, until: Timestamp) -> String {
        let (hours, until) = (self.hours.num_hours(), until.format("%FT%RZ"));
        match self.reported {
            Some(value) => format!(
                "the capacity of the last {hours} hours allowed {} at its lowest; a raise waits until {until}, unless \
                 that happens again",
                human(step::whole(value, f64::floor))
            ),
            None => format!(
                "a raise waits until the capacity has been known for {hours} hours, at {until} at the earliest"
            ),
        }
    }
}
