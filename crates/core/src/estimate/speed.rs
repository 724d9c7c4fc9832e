//! Step 3, the speed ratio: how much slower the median became at equal load.

use super::grid::{DAY, MinuteIndex, weighted_median};
use super::regime::{AtLevel, Hour, Hours};
use super::usual::Table;

/// Fewest minutes of the old regime to compare with.
const OLD_MINUTES_MIN: u32 = 60;
/// Fewest comparable minutes of the new regime.
const NEW_MINUTES_MIN: f64 = 20.0;
/// And to tell whether a service is again what it was: a run of quarter-hours may reach into its
/// last hour by no more.
const AGAIN_MINUTES_MIN: f64 = 10.0;
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
    shift(&table, hours, closed, new, NEW_MINUTES_MIN)
}

/// lg of the ratio of the medians since a minute to those of an older regime. `now` is the regime
/// they are still counted for.
pub(super) fn since(hours: &Hours, old: u8, now: u8, from: MinuteIndex) -> Option<f64> {
    let closed = hours.of(now).filter(|(hour, _)| hour * 60 >= from).map(|(_, hour)| *hour);
    shift(&hours.table(old, i64::MAX), hours, closed, now, AGAIN_MINUTES_MIN)
}

fn shift(
    table: &Table,
    hours: &Hours,
    closed: impl Iterator<Item = Hour>,
    new: u8,
    minutes_min: f64,
) -> Option<f64> {
    let mut levels: Vec<AtLevel> =
        closed.flat_map(|hour| hour.levels().collect::<Vec<_>>()).collect();
    levels.extend(hours.in_progress(new));
    let comparable: Vec<(AtLevel, f64)> =
        levels.iter().filter_map(|l| Some((*l, l.lg_p50 - table.at(l.level)?))).collect();
    let minutes: f64 = comparable.iter().map(|(l, _)| f64::from(l.minutes)).sum();
    if minutes < minutes_min {
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
