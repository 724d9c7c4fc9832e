//! Rule 8: a raise goes to the lowest value that the estimate has asked for in the last hours, as the
//! stabilization window of a `HorizontalPodAutoscaler` does. A lowering does not wait.

use chrono::TimeDelta;

use crate::model::estimate::Verdict;
use crate::model::memory::Asked;
use crate::model::reason::Reason;
use crate::model::units::human;

use super::case::Case;
use super::checks::Hold;
use super::desired::{Desired, Source};
use super::last_applied;
use super::step::{self, DEAD_BAND, NEW_GROUND_WINDOW, Step};

/// A stretch: for so long the estimate must have asked for a raise without a break. From six hours on an
/// estimate no longer turns with the course of a day (`docs/estimation.md`, closed loop).
const STRETCH: TimeDelta = TimeDelta::hours(6);
/// Where latency at equal load wanders it does, and what is asked for must hold for a whole one.
const WANDERING_STRETCH: TimeDelta = TimeDelta::hours(24);

fn stretch(case: &Case<'_>) -> TimeDelta {
    if case.estimate.wanders() { WANDERING_STRETCH } else { STRETCH }
}

/// A raise that follows the estimate: as far as it has settled, and in steps that are worth a write.
pub(super) fn raise(
    case: &Case<'_>,
    desired: &Desired,
    from: f64,
    want: f64,
) -> Result<Step, Hold> {
    let at_once = step::step(case, from, want)?;
    // What is proven does not turn, and neither does the load test.
    let proven = case.estimate.verdict == Verdict::AtLeast;
    let most = if proven { want } else { most(case, desired)? };
    let step = if most < want {
        let step = step::step(case, from, most)?;
        Step { cut: step.cut.or_else(|| Some(cut(most))), ..step }
    } else {
        at_once
    };
    too_short(case, from, &step).map_or(Ok(step), Err)
}

/// The most that a raise which follows the estimate may go to now.
fn most(case: &Case<'_>, desired: &Desired) -> Result<f64, Hold> {
    // What a foreign edit has lowered is no new wish of the estimate.
    let lowered = last_applied::replaced(case).map(|replaced| replaced.value);
    let lowered = lowered.filter(|value| case.configured_target().is_some_and(|now| *value > now));
    let asked = note(case, desired, case.memory.asked.as_deref());
    let settled = asked.and_then(|asked| Some(asked.lowest.min(asked.before?)));
    match settled.into_iter().chain(lowered).reduce(f64::max) {
        Some(most) => Ok(most),
        None => Err(unsettled(case, asked)),
    }
}

fn unsettled(case: &Case<'_>, asked: Option<Asked>) -> Hold {
    let hours = stretch(case).num_hours();
    let from = asked.map_or(case.now, |asked| asked.from);
    let since = from.format("%FT%RZ");
    let sentence = format!(
        "a raise waits until the estimate has asked for one for {hours} hours without a break, which it has \
         since {since}"
    );
    Hold::until(Reason::Settling, sentence, from + stretch(case))
}

/// Why a raise ends below what the estimate asks for now.
fn cut(most: f64) -> (Reason, String) {
    let sentence =
        format!("a raise goes to the lowest value asked for in the last hours, {}", human(most));
    (Reason::Settling, sentence)
}

/// Why a raise that new ground cuts short is not worth a write yet: there is one a day, of all that a day
/// allows, and none within the dead band.
fn too_short(case: &Case<'_>, from: f64, step: &Step) -> Option<Hold> {
    let (reason, sentence) = step.cut.clone().filter(|(reason, _)| *reason == Reason::NewGround)?;
    let begin = case.now - NEW_GROUND_WINDOW;
    let last = case.memory.raises.last().map(|raise| raise.at).filter(|at| *at > begin);
    let small = step.to < from * (1.0 + DEAD_BAND);
    let until = last.map(|at| at + NEW_GROUND_WINDOW).or_else(|| step.next_at.filter(|_| small))?;
    Some(Hold::until(reason, sentence, until))
}

/// What to remember of what the estimate asks for in this pass.
pub(super) fn note(case: &Case<'_>, desired: &Desired, before: Option<&Asked>) -> Option<Asked> {
    let (from, want) = (case.configured_target()?, desired.target_value?);
    if desired.source != Source::Estimate || want < from * (1.0 + DEAD_BAND) {
        return None;
    }
    let (now, stretch) = (case.now, stretch(case));
    let first = Asked { from: now, lowest: want, before: None };
    Some(match before.copied() {
        Some(asked) if now - asked.from < stretch => {
            Asked { lowest: asked.lowest.min(want), ..asked }
        }
        // Over a longer time than two stretches nobody has looked.
        Some(asked) if now - asked.from < stretch * 2 => {
            Asked { before: Some(asked.lowest), ..first }
        }
        _ => first,
    })
}

/// What remains of it once a raise has been written. Only the steps of one raise do not wait again.
pub(super) fn after(asked: Asked, cut: Reason, written: f64) -> Option<Asked> {
    let goes_on = cut == Reason::ScaleInStep && asked.lowest >= written * (1.0 + DEAD_BAND);
    Some(asked).filter(|_| goes_on)
}
