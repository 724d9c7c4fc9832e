//! How many instances a target value leads to: what `plan` shows for each change of it (rule 8).

use crate::model::decision::InstanceForecast;

use super::case::Case;

/// Instances that AWS's target tracking would run at `invocations` a minute in all: the fewest
/// whose share stays at or below the target value, within min and max.
pub fn needed(case: &Case<'_>, invocations: f64, target_value: f64) -> Option<u32> {
    let needed = unbounded(invocations, target_value)?;
    let target = case.target();
    let min = target.map_or(1, |t| t.min_capacity.max(0) as u32);
    let max = target.map_or(u32::MAX, |t| t.max_capacity.max(0) as u32);
    Some(needed.max(min).min(max.max(min)))
}

/// [`needed`] without regard to min and max.
pub fn unbounded(invocations: f64, target_value: f64) -> Option<u32> {
    // The tolerance keeps 1,200 at 600 from needing three because of a last bit.
    (invocations.is_finite() && target_value > 0.0)
        .then(|| (invocations / target_value - 1e-9).ceil().max(0.0) as u32)
}

/// The forecast for a change to `wanted`.
pub fn forecast(case: &Case<'_>, wanted: f64) -> InstanceForecast {
    let present = case.present_invocations();
    let peak = case.telemetry.as_ref().ok().and_then(|t| t.peak_invocations);
    let at = |load: Option<f64>, value: Option<f64>| needed(case, load?, value?);
    InstanceForecast {
        now: case.current_instances(),
        at_present_load: at(present, Some(wanted)),
        at_peak_before: at(peak, case.configured_target()),
        at_peak_after: at(peak, Some(wanted)),
    }
}
