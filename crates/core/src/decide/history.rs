//! A start reads the newest history first, and decides before it has read all of it. What is not
//! read yet may say that less is safe than it seems, so nothing bold rests on a part (rule 18).

use crate::model::reason::{Field, Reason};
use crate::model::units::{TARGET_VALUE_TOLERANCE, human};

use super::case::Case;
use super::checks::Hold;
use super::desired::Desired;
use super::{last_applied, proven};

/// A lowering to less than this share of what is in force may be one to less than half of what is
/// proven (rule 28): that is known when all of the history is.
const LARGE_SHARE: f64 = 0.5;

/// Holds a raise, and a large lowering, while part of the history has not been read.
pub(super) fn partial(case: &Case<'_>, desired: &Desired, field: Field) -> Option<Hold> {
    let ratio = case.estimate.history_complete_ratio.filter(|ratio| *ratio < 1.0)?;
    let want = proven::leads_to(case, desired, field)?;
    let in_force = case.configured_target();
    let raises = in_force.is_none_or(|in_force| want > in_force + TARGET_VALUE_TOLERANCE);
    let plunges = in_force.is_some_and(|in_force| want < in_force * LARGE_SHARE);
    // A foreign edit of the day is put back to what was held before it, proven or not.
    let restores = last_applied::replaced(case).is_some_and(|replaced| {
        replaced.is_recent(case.now) && want >= replaced.value - TARGET_VALUE_TOLERANCE
    });
    if !raises && (!plunges || restores) {
        return None;
    }
    let sentence = format!(
        "only {} % of the history has been read so far, and {} needs all of it",
        human((ratio * 100.0).floor()),
        if raises { "a raise" } else { "a lowering to less than half" },
    );
    Some(Hold::new(Reason::Unknown, sentence))
}
