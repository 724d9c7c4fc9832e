//! How far a target value may go in one write (rule 8). Lowering is safe and costs money, raising
//! is cheap and risky: the first ([`lowering`]) goes by the instances that it calls for, the second
//! must prove itself.

use chrono::TimeDelta;

use crate::model::fact::Fact;
use crate::model::reason::Reason;
use crate::model::time::Timestamp;
use crate::model::units::{TARGET_VALUE_TOLERANCE, same_value};

use super::case::Case;
use super::checks::Hold;
use super::forecast::needed;
use super::lowering::lowering;

pub use super::lowering::{
    LOWERING_MAX, is_further_step, lowest_for, most_instances, under_way as lowering_under_way,
};

/// A raise removes at most this share of the instances at the present load (but may remove one:
/// a fleet of two could never be raised otherwise; docs/decisions/0004).
pub const SCALE_IN_MAX: f64 = 0.20;
/// The next raise waits at most this long for instances that do not go.
const SCALE_IN_WAIT_MAX: TimeDelta = TimeDelta::hours(24);
/// A raise onto new ground goes at most this far, in one write and in [`NEW_GROUND_WINDOW`].
pub const NEW_GROUND_MAX: f64 = 0.10;
/// How far a limit in instances keeps off the value at which AWS's rounding could go either way.
pub(super) const MARGIN: f64 = 1e-3;
/// The time over which raises onto new ground add up.
pub const NEW_GROUND_WINDOW: TimeDelta = TimeDelta::hours(24);
/// In `auto` a difference below this share is not worth a write.
pub const DEAD_BAND: f64 = 0.05;

/// A step that may be taken, and what cut it short of the wanted value.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The value to write.
    pub to: f64,
    /// Why it is not the wanted value.
    pub cut: Option<(Reason, String)>,
    /// When the next step may be due.
    pub next_at: Option<Timestamp>,
}

/// How far to go from `from` (in force) towards `want`.
pub fn step(case: &Case<'_>, from: f64, want: f64) -> Result<Step, Hold> {
    if want < from { lowering(case, from, want) } else { raising(case, from, want) }
}

fn raising(case: &Case<'_>, from: f64, want: f64) -> Result<Step, Hold> {
    if let Err(why) = case.fresh_telemetry() {
        return Err(Hold::new(Reason::Stale, why));
    }
    if let Some(until) = case.memory.raises_held_until
        && case.now < until
    {
        let sentence = "the last raise broke the objective and was taken back";
        return Err(Hold::until(Reason::Reverted, sentence, until));
    }
    let mut to = want;
    let mut cut = None;
    let mut next_at = None;

    let (ground_limit, ground_until) = new_ground_limit(case, from);
    if to > ground_limit + TARGET_VALUE_TOLERANCE {
        to = ground_limit;
        next_at = Some(ground_until);
        let sentence = "a raise onto new ground is limited to 10 % in 24 hours".to_owned();
        cut = Some((Reason::NewGround, sentence));
    }
    let scale_in = scale_in_limit(case, from).map_err(|why| Hold::new(Reason::ScaleInStep, why))?;
    if to > scale_in {
        to = scale_in;
        next_at = None;
        let sentence = "a raise removes at most 20 % of the instances".to_owned();
        cut = Some((Reason::ScaleInStep, sentence));
    }
    if cut.is_some() {
        to = whole(to, f64::floor);
    }
    if to <= from + TARGET_VALUE_TOLERANCE {
        // `want` lies above `from`, so only a cut can have brought it here.
        let reason = cut.map_or(Reason::ScaleInStep, |(reason, _)| reason);
        let sentence = no_room(case, reason).to_owned();
        return Err(Hold { reason, sentence, until: next_at });
    }
    Ok(Step { to, cut, next_at })
}

/// A step on the way ends on a whole number where that is no great change: nobody wants 514.5 in a
/// policy.
pub fn whole(value: f64, round: fn(f64) -> f64) -> f64 {
    if value >= 100.0 { round(value) } else { value }
}

/// Why a raise has no room at all.
fn no_room(case: &Case<'_>, reason: Reason) -> &'static str {
    match reason {
        Reason::NewGround if case.memory.raises.is_empty() => {
            "this is new ground, and the raises of the last 24 hours are unknown"
        }
        Reason::NewGround => "the raises of the last 24 hours have used up the 10 % of new ground",
        _ => "any raise would remove more than 20 % of the instances at the present load",
    }
}

/// The highest value a raise may reach on grounds of history, and when that may change. At or
/// below the highest value held before there is no limit.
fn new_ground_limit(case: &Case<'_>, from: f64) -> (f64, Timestamp) {
    let memory = &case.memory;
    let begin = case.now - NEW_GROUND_WINDOW;
    let held = memory.highest_applied.unwrap_or(from).max(from);
    // Each remembered raise holds the highest value from before it.
    let recent = memory.raises.iter().find(|raise| raise.at > begin);
    if let Some(first) = recent {
        let base = first.before.unwrap_or(from).min(held);
        return ((base * (1.0 + NEW_GROUND_MAX)).max(held), first.at + NEW_GROUND_WINDOW);
    }
    // A memory that began less than a day ago cannot say what was raised before it did.
    match memory.since {
        Some(since) if since <= begin => {
            (held * (1.0 + NEW_GROUND_MAX), case.now + NEW_GROUND_WINDOW)
        }
        Some(since) => (held, since + NEW_GROUND_WINDOW),
        None => (held, case.now + NEW_GROUND_WINDOW),
    }
}

/// The lowest min that may be in force while the instances leave: what is registered in the same plan comes before
/// the policy, and a scheduled action sets its own.
fn lasting_min(case: &Case<'_>) -> u32 {
    let Fact::Known(actions) = &*case.snapshot.scheduled_actions else { return 0 };
    let scheduled = actions.iter().filter(|action| action.next_run(case.now).is_some());
    let in_force = case.target().map_or(1, |target| target.min_capacity);
    let min = scheduled
        .filter_map(|action| action.min_capacity)
        .chain(case.goal.capacity.min)
        .fold(in_force, i32::min);
    u32::try_from(min).unwrap_or(0)
}

/// The highest value that removes no more instances than allowed at the present load.
fn scale_in_limit(case: &Case<'_>, from: f64) -> Result<f64, String> {
    let invocations = case.present_invocations().ok_or("the present load is not known")?;
    let now = case.current_instances().ok_or("the instance count is not known")?;
    let settled = needed(case, invocations, from).unwrap_or(now);
    let last_raise =
        case.memory.last_write.filter(|w| w.before.is_some_and(|before| w.after > before));
    if let Some(last) = last_raise
        && now > settled
        && case.now < last.at + SCALE_IN_WAIT_MAX
    {
        // Somebody else may have moved the value since: what leaves, leaves for that one.
        let ours = same_value(last.after, from);
        let of = if ours {
            "that the last raise freed"
        } else {
            "that the value in force does not need"
        };
        let left = match now - settled {
            1 => format!("one instance {of} has"),
            left => format!("{left} instances {of} have"),
        };
        return Err(format!("{left} not left yet"));
    }
    let removable = ((f64::from(now) * SCALE_IN_MAX).floor() as u32).max(1);
    let keep = now.saturating_sub(removable);
    if keep <= lasting_min(case).max(1) {
        // Whatever the value, min (or the last instance) stays.
        return Ok(f64::INFINITY);
    }
    // The fleet stays at `keep` or more while invocations / value > keep - 1.
    let limit = invocations / f64::from(keep - 1);
    // Strictly below, by a margin that AWS's rounding cannot eat.
    Ok(limit * (1.0 - MARGIN))
}
