//! Rules 27 and 28: what production has shown goes before what a load test or an owner says. A
//! target value above what one instance serves, or far below what it has proven to serve, waits for
//! a person.

use crate::model::reason::{Field, Reason};
use crate::model::units::{TARGET_VALUE_TOLERANCE, for_reading, human};

use super::case::Case;
use super::checks::Hold;
use super::desired::{self, Desired};
use super::{last_applied, plan};

/// A lowering to less than this share of what is proven to be safe is a typo until confirmed.
const PROVEN_SHARE: f64 = 0.5;

/// The target value that writing a field leads to, in one step or more.
pub(super) fn leads_to(case: &Case<'_>, desired: &Desired, field: Field) -> Option<f64> {
    match field {
        Field::TargetValue | Field::Policy => desired.target_value,
        Field::MetricSpecification => plan::restored_value(case, desired),
        _ => None,
    }
}

/// Rule 27: a raise to more than the upper end of the measured capacity. A policy that has to be
/// made, or given its metric back, raises from nothing.
pub(super) fn above_capacity(case: &Case<'_>, desired: &Desired, field: Field) -> Option<Hold> {
    let want = leads_to(case, desired, field)?;
    let raises = case.configured_target().is_none_or(|in_force| want > in_force);
    let estimate = case.estimate;
    let high = estimate.capacity.high.filter(|_| estimate.verdict.is_two_sided())?;
    if !raises || want <= high + TARGET_VALUE_TOLERANCE {
        return None;
    }
    let sentence = format!(
        "one instance serves at most {} invocations a minute in production ({}), so {} would overload it; \
         confirm with `setpoint apply` if that is meant",
        human(for_reading(high)),
        estimate.verdict.as_str(),
        human(want),
    );
    Some(Hold::new(Reason::AboveCapacity, sentence))
}

/// Rule 28: a lowering to less than half of safety factor x proven lower bound.
pub(super) fn below_proven(case: &Case<'_>, desired: &Desired, field: Field) -> Option<Hold> {
    let want = leads_to(case, desired, field)?;
    let lowers = case.configured_target().is_none_or(|in_force| want < in_force);
    let safe = desired::factor(case) * case.estimate.capacity.lower_bound?;
    if !lowers || want >= safe * PROVEN_SHARE {
        return None;
    }
    // A foreign edit of the day is put back to what was held before it, proven or not.
    let restores = last_applied::replaced(case).is_some_and(|replaced| {
        replaced.is_recent(case.now) && want >= replaced.value - TARGET_VALUE_TOLERANCE
    });
    if restores || confirmed_before(case, want) {
        return None;
    }
    let sentence = format!(
        "production has proven {} invocations a minute an instance to be safe, and {} is less than half of it; \
         confirm with `setpoint apply` if that is meant",
        human(for_reading(safe)),
        human(want),
    );
    Some(Hold::new(Reason::BelowProven, sentence))
}

/// Whether this is a later step of a lowering that a person confirmed, to nothing lower than that.
fn confirmed_before(case: &Case<'_>, want: f64) -> bool {
    let lowering = super::step::lowering_under_way(case);
    lowering.is_some_and(|l| l.confirmed && want >= l.to - TARGET_VALUE_TOLERANCE)
}
