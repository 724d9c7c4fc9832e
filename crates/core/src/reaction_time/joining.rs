//! What happens in the minutes in which instances join: whether they are slow at first, and whether
//! they answer with errors because they were called ready before their model was loaded.

use chrono::TimeDelta;

use super::{Seen, error_share};
use crate::model::scale_out::ScaleOut;
use crate::model::series::Minute;
use crate::model::time::Timestamp;

/// How long after instances have come their minutes are looked at.
const AFTER: TimeDelta = TimeDelta::minutes(15);
/// The minutes before, which they are compared with.
const BEFORE: TimeDelta = TimeDelta::minutes(6);
/// A rise of the instance count by less is noise of the two sums that it is derived from.
const RISE: f64 = 0.5;

/// Looks at the minutes around the joining of new instances, until all of them are there.
pub(super) fn look(one: &mut ScaleOut, seen: &Seen<'_>) {
    if one.joined_at.is_none() {
        one.joined_at = joined(one, seen.minutes);
    }
    // The minutes before a second step are those of the first one's joining.
    if one.follows {
        return;
    }
    let Some(joined) = one.joined_at.or(one.in_service_at) else { return };
    let is_within = |m: &&Minute, from: Timestamp, to: Timestamp| m.at >= from && m.at < to;
    let before: Vec<&Minute> =
        seen.minutes.iter().filter(|m| is_within(m, joined - BEFORE, joined)).collect();
    let after: Vec<&Minute> =
        seen.minutes.iter().filter(|m| is_within(m, joined, joined + AFTER)).collect();
    let has_end = after.last().is_some_and(|m| m.at + TimeDelta::minutes(1) >= joined + AFTER);
    // Their minutes are looked at once, when all are there and those before still are.
    if one.cold_minutes.is_some() || !has_end || before.is_empty() {
        return;
    }
    let cold = after.iter().filter(|minute| {
        let calm = minute.load().zip(seen.target).is_some_and(|(load, target)| load <= target);
        calm && seen.objective.broken_by(minute) == Some(true)
    });
    one.cold_minutes = Some(cold.count() as u32);
    let limit = seen.objective.error_rate_max;
    let is_bad = |minute: &&&Minute| error_share(minute).is_some_and(|share| share > limit);
    let bad: Vec<&&Minute> = after.iter().filter(is_bad).collect();
    one.error_minutes = Some(bad.len() as u32);
    one.errors = bad.iter().filter_map(|minute| minute.errors_5xx).fold(0.0, |a, b| a + b);
    // Errors that were there before, or that do not end, have another cause than joining.
    let began_before = before.iter().filter(is_bad).count() > 0;
    let goes_on = after.iter().rev().take(3).filter(is_bad).count() > 0;
    one.ready_too_early = !bad.is_empty() && !began_before && !goes_on;
}

/// The first minute in which more instances served than before the activity.
fn joined(one: &ScaleOut, minutes: &[Minute]) -> Option<Timestamp> {
    let count = |minute: &&Minute| minute.instance_count().is_some();
    let before = minutes.iter().filter(count).rfind(|m| m.at < one.started_at)?;
    let before = before.instance_count()?;
    let until = one.in_service_at.unwrap_or(one.started_at) + AFTER;
    let mut after = minutes.iter().filter(|m| m.at >= one.started_at && m.at < until);
    after.find(|m| m.instance_count().is_some_and(|n| n >= before + RISE)).map(|m| m.at)
}
