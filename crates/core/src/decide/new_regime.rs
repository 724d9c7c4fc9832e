//! Rule 11a: in the first hour of a regime `auto` does not follow the estimate. How much slower or
//! faster the new one is takes 40 to 60 minutes to tell.

use chrono::TimeDelta;

use crate::model::estimate::Regime;
use crate::model::memory::KnownRegime;
use crate::model::time::Timestamp;

/// For so long `auto` does not follow the estimate.
pub const FIRST_HOUR: TimeDelta = TimeDelta::hours(1);

/// The estimator counts a declared regime from so long after its deploy: the minutes right after it
/// are of both fleets. The hour counts from the deploy.
pub const AFTER_DEPLOY: TimeDelta = TimeDelta::minutes(10);

/// When the first hour of a regime ends, while it lasts. A deploy begins it; a change that nobody
/// declared begins it when it is discovered, which is hours after it happened. A regime that is not
/// remembered was discovered just now.
pub fn ends_at(
    regime: Option<&Regime>,
    known: Option<&KnownRegime>,
    now: Timestamp,
) -> Option<Timestamp> {
    let regime = regime?;
    let begun = if regime.declared {
        regime.started_at - AFTER_DEPLOY
    } else {
        let known = known.filter(|known| known.started_at == regime.started_at);
        known.map_or(now, |known| known.since)
    };
    let end = begun + FIRST_HOUR;
    (now < end).then_some(end)
}

/// What to remember of the regime that an estimate speaks of.
pub fn note(
    before: Option<KnownRegime>,
    regime: Option<&Regime>,
    now: Timestamp,
) -> Option<KnownRegime> {
    let Some(Regime { started_at, .. }) = regime.copied() else { return before };
    let known = before.filter(|known| known.started_at == started_at);
    Some(known.unwrap_or(KnownRegime { started_at, since: now }))
}
