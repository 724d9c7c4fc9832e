//! Step 3, the speed ratio: how much slower the median became at equal load.

use super::grid::{DAY, MinuteIndex, weighted_median};
use super::regime::{AtLevel, Hours};

/// Fewest minutes of the old regime to compare with.
const OLD_MINUTES_MIN: u32 = 60;
/// Fewest comparable minutes of the new regime.
const NEW_MINUTES_MIN: f64 = 20.0;
/// The ratio is settled by the first day of the new regime.
pub(super) const SETTLED_AFTER: MinuteIndex = DAY;

/// lg of the ratio of median latencies at equal load, over the lower half of the loads: above 0
/// is slower. Capacity follows it by the power -1.25.
pub(super) fn ratio(hours: &Hours, old: u8, new: u8, start: MinuteIndex) -> Option<f64> {
    let table = hours.table(old, i64::MAX);
    if table.minutes < OLD_MINUTES_MIN {
        return None;
    }
    let end = start + SETTLED_AFTER;
    let closed = hours.of(new).filter(|(hour, _)| hour * 60 < end).map(|(_, hour)| *hour);
    let mut levels: Vec<AtLevel> =
        closed.flat_map(|hour| hour.levels().collect::<Vec<_>>()).collect();
    levels.extend(hours.in_progress(new));
    let comparable: Vec<(AtLevel, f64)> =
        levels.iter().filter_map(|l| Some((*l, l.lg_p50 - table.at(l.level)?))).collect();
    let minutes: f64 = comparable.iter().map(|(l, _)| f64::from(l.minutes)).sum();
    if minutes < NEW_MINUTES_MIN {
        return None;
    }
    let mut loads: Vec<(f64, f64)> =
        comparable.iter().map(|(l, _)| (f64::from(l.level), f64::from(l.minutes))).collect();
    let middle = weighted_median(&mut loads)?;
    let mut shifts: Vec<(f64, f64)> = comparable
        .iter()
        .filter(|(l, _)| f64::from(l.level) <= middle)
        .map(|(l, shift)| (*shift, f64::from(l.minutes)))
        .collect();
    weighted_median(&mut shifts)
}
