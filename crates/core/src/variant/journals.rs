//! When the regime journal of a variant is kept, and how an estimator begins with it.

use chrono::TimeDelta;

use crate::estimate::{Estimator, EstimatorSettings, Journal, JournalError};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::stable_hash::fnv1a;
use crate::model::time::Timestamp;

/// A journal is kept at least this often; a change of regime is kept at once.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// Those of a fleet are kept in so many parts of that time: while one is kept, what is remembered of the
/// variant is held twice.
const PARTS: u64 = 4;

/// Whether the journal of the variant of this name is to be kept now. `kept` is when it last was; absent
/// when it is due.
pub(super) fn is_due(kept: &mut Option<Timestamp>, of: &VariantId, now: Timestamp) -> bool {
    if kept.is_some_and(|kept| now - kept < EVERY) {
        return false;
    }
    // After a start all are kept at once; the next ones follow in parts.
    let ahead = if kept.is_none() { ahead(of) } else { TimeDelta::zero() };
    *kept = Some(now - ahead);
    true
}

/// How much sooner than in an hour the second journal of a variant follows the first one.
fn ahead(of: &VariantId) -> TimeDelta {
    let name = of.endpoint.as_str().bytes().chain(of.variant.as_str().bytes());
    let part = fnv1a(name) % PARTS;
    EVERY / PARTS as i32 * part as i32
}

/// A new estimator, with what is remembered of the regimes before.
pub(super) fn begin(
    settings: &EstimatorSettings,
    memory: Option<&VariantMemory>,
    now: Timestamp,
) -> (Estimator, Result<(), JournalError>) {
    let journal = memory
        .and_then(|m| m.journal.as_ref())
        .map(|kept| Journal::from_value(&kept.value()))
        .transpose();
    let mut estimator = match &journal {
        Ok(Some(journal)) => Estimator::restore(settings, journal),
        Ok(None) | Err(_) => Estimator::new(settings),
    };
    estimator.back_fill_until(now);
    (estimator, journal.map(|_| ()))
}
