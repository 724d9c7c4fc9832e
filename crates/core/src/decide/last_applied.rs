//! What `setpoint` held in force before somebody else put another value there: putting that back is
//! no new step into the unknown, so it goes at once, whatever the distance (rule 8).

use chrono::TimeDelta;

use crate::model::reason::Field;
use crate::model::time::Timestamp;
use crate::model::units::same_value;

use super::case::Case;

/// An edit is somebody's slip of the day for so long (rule 28).
const RECENT: TimeDelta = TimeDelta::days(1);

/// A value that somebody else has replaced, or taken away with its policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replaced {
    /// The value that `setpoint` held before.
    pub value: f64,
    /// Since when it has been gone, as far as passes have seen it.
    pub since: Timestamp,
}

impl Replaced {
    /// Whether that happened within the last day.
    pub fn is_recent(self, now: Timestamp) -> bool {
        now - self.since < RECENT
    }
}

/// The value that a foreign edit has replaced. None while what is in force is what `setpoint` held
/// or wrote itself.
pub fn replaced(case: &Case<'_>) -> Option<Replaced> {
    let memory = &case.memory;
    let held = memory.last_applied?.value;
    let Some(in_force) = case.configured_target() else {
        // Without a policy nothing is in force; one on another metric counts something else.
        case.snapshot.policies.known()?;
        let since = match case.replaced_policy() {
            Some(_) => memory.seen.get(&Field::MetricSpecification).map(|seen| seen.since),
            None => memory.missing.get(&Field::Policy).copied(),
        };
        return Some(Replaced { value: held, since: since.unwrap_or(case.now) });
    };
    let is = |value: f64| same_value(value, in_force);
    // A write that failed may have landed, and one that was about to be made may not have been.
    let own = is(held)
        || memory.last_write.is_some_and(|write| is(write.after))
        || memory.last_attempt.is_some_and(|attempt| is(attempt.after))
        || memory.intent.as_ref().is_some_and(|intent| intent.before.is_some_and(is));
    let seen = memory.seen.get(&Field::TargetValue).filter(|seen| is(seen.value));
    let since = seen.map_or(case.now, |seen| seen.since);
    (!own).then_some(Replaced { value: held, since })
}
