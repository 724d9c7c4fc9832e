//! Is this variant on the right signal? Where latency at equal load wanders from hour to hour
//! (payloads, token mix), a request is no unit of work.

use serde::{Deserialize, Serialize};

use crate::model::estimate::WANDER_MAX;

use super::evidence::Weighted;
use super::grid::{DAY, MinuteIndex, bin_of, load_of_level, quantile, weighted_median};
use super::regime::{AtLevel, Hour, Hours};
use super::usual::Table;

/// It takes this long to tell: the undeclared-change rule begins then, and would split such a
/// service. After a day W was 0.06 at most in 144 runs of services of one mix.
const AGE_MIN: MinuteIndex = DAY;
/// And this many hours.
const HOURS_MIN: usize = 12;
/// A payload that is forgotten in some hours has shown half of its wander by then, or less: until this
/// age, half of `WANDER_MAX` is a doubt ...
const DOUBT_UNTIL: MinuteIndex = 3 * DAY;
/// ... from this age on, and with so many hours.
const DOUBT_FROM: MinuteIndex = 6 * 60;
const DOUBT_HOURS_MIN: usize = 6;
const DOUBT_SHARE: f64 = 0.5;
/// Only loads below this quantile are compared: near the knee latency moves by itself.
const LOAD_QUANTILE: f64 = 0.70;
/// Distance of the 10 % and 90 % points of a standard normal distribution.
const Z_10_TO_90: f64 = 2.563;
/// Which hours are the heavy ones.
const HEAVY_QUANTILE: f64 = 2.0 / 3.0;

/// Which hours are judged: those of a regime, and all since a minute. Undeclared changes do not
/// end it, for a service whose payload wanders is soon taken for one that changes every day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) regime: u8,
    pub(super) since: MinuteIndex,
}

impl Stretch {
    pub(super) fn hours(self, hours: &Hours) -> impl Iterator<Item = (i64, &Hour)> {
        let within = move |(number, hour): &(i64, &Hour)| {
            hour.regime == self.regime || number * 60 >= self.since
        };
        hours.all().filter(within)
    }
}

/// The highest load level that is compared.
fn level_max(hours: &Hours, stretch: Stretch) -> Option<u8> {
    let mut minutes = [0_u32; 1 + u8::MAX as usize];
    let levels = stretch.hours(hours).flat_map(|(_, hour)| hour.minutes_by_level());
    levels.for_each(|(level, of)| minutes[usize::from(level)] += u32::from(of));
    let most = LOAD_QUANTILE * f64::from(minutes.iter().sum::<u32>());
    let mut below = 0;
    let reaches = |of: &u32| {
        below += of;
        *of > 0 && f64::from(below) >= most
    };
    minutes.iter().position(reaches).and_then(|level| u8::try_from(level).ok())
}

/// How far each hour lies above its usual latency, in lg. `table` tells what is usual in its
/// regime.
fn residuals<'t>(
    hours: &Hours,
    stretch: Stretch,
    table: impl Fn(u8) -> Option<&'t Table>,
) -> Vec<(i64, f64)> {
    let Some(level_max) = level_max(hours, stretch) else { return Vec::new() };
    let (mut residuals, mut shifts) = (Vec::new(), Vec::new());
    for (number, hour) in stretch.hours(hours) {
        let Some(table) = table(hour.regime) else { continue };
        // Where the objective breaks, the knee is near at any load.
        let calm =
            |l: &AtLevel| l.level <= level_max && 10 * u32::from(l.bad) <= u32::from(l.minutes);
        let low = hour.levels().filter(calm);
        shifts.clear();
        shifts.extend(
            low.filter_map(|l| Some((l.lg_p50 - table.at(l.level)?, f64::from(l.minutes)))),
        );
        let minutes: f64 = shifts.iter().map(|s| s.1).sum();
        if minutes >= 10.0
            && let Some(shift) = weighted_median(&mut shifts)
        {
            residuals.push((number, shift));
        }
    }
    residuals
}

/// What is known of how latency wanders.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wander {
    /// W = (q90 - q10) / 2.563 of the hours' residuals, each against its own regime: one real change is
    /// no wander.
    w: f64,
    /// How long has been judged, in minutes.
    age: MinuteIndex,
}

impl Wander {
    /// W, once it can be told.
    pub(super) fn known(self) -> Option<f64> {
        (self.age >= AGE_MIN).then_some(self.w)
    }

    /// Whether a request is known to be no unit of work.
    pub(super) fn is_over(self) -> bool {
        self.known().is_some_and(|w| w > WANDER_MAX)
    }

    /// Whether it is too early to say that a request is one.
    pub(super) fn is_doubtful(self) -> bool {
        self.age < DOUBT_UNTIL && self.w > DOUBT_SHARE * WANDER_MAX
    }
}

/// What the hours show; `None` before they show anything.
pub(super) fn wander(hours: &Hours, stretch: Stretch, now: MinuteIndex) -> Option<Wander> {
    let first = stretch.hours(hours).next()?.0;
    let age = now - first * 60;
    if age < DOUBT_FROM {
        return None;
    }
    let mut regimes: Vec<u8> = stretch.hours(hours).map(|(_, hour)| hour.regime).collect();
    regimes.sort_unstable();
    regimes.dedup();
    let tables: Vec<Table> = regimes.iter().map(|regime| hours.table(*regime, i64::MAX)).collect();
    let table = |regime: u8| regimes.binary_search(&regime).ok().map(|i| &tables[i]);
    let residuals = residuals(hours, stretch, table);
    if residuals.len() < if age < AGE_MIN { DOUBT_HOURS_MIN } else { HOURS_MIN } {
        return None;
    }
    let mut values: Vec<f64> = residuals.iter().map(|r| r.1).collect();
    let high = quantile(&mut values, 0.9)?;
    let low = quantile(&mut values, 0.1)?;
    Some(Wander { w: (high - low) / Z_10_TO_90, age })
}

/// The evidence of the heaviest third of the hours, at the resolution of load levels.
pub(super) fn heavy_evidence(
    hours: &Hours,
    stretch: Stretch,
    now: MinuteIndex,
    into: &mut Weighted,
) {
    into.clear();
    let table = Table::of(stretch.hours(hours));
    let residuals = residuals(hours, stretch, |_| Some(&table));
    let mut values: Vec<f64> = residuals.iter().map(|r| r.1).collect();
    let Some(heavy) = quantile(&mut values, HEAVY_QUANTILE) else { return };
    let shift_of =
        |number: i64| residuals.binary_search_by_key(&number, |r| r.0).ok().map(|i| residuals[i].1);
    for (number, hour) in stretch.hours(hours) {
        // An hour above the compared loads has no residual; its neighbours speak for it.
        let near = (0..3).find_map(|d| shift_of(number - d).or_else(|| shift_of(number + d)));
        if near.is_none_or(|shift| shift < heavy) {
            continue;
        }
        let age_days = (now - number * 60).max(0) as f64 / DAY as f64;
        let weight = (-age_days / 4.0).exp2();
        for l in hour.levels() {
            let good = f64::from(l.minutes.saturating_sub(l.bad));
            let bin = bin_of(load_of_level(l.level));
            into.push((bin, weight * good, weight * f64::from(l.bad)));
        }
    }
    into.sort_unstable_by_key(|entry| entry.0);
    into.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
            kept.2 += next.2;
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::grid::level_of;

    /// Three days of a payload that swings by so much, with a change that was found on the second.
    fn three_days(swing: f64, change: f64) -> Option<f64> {
        after(72, swing, change)
    }

    fn after(count: i64, swing: f64, change: f64) -> Option<f64> {
        judged(count, swing, change).and_then(Wander::known)
    }

    fn judged(count: i64, swing: f64, change: f64) -> Option<Wander> {
        let mut hours = Hours::new(true);
        let start = 24_000_i64;
        for minute in start * 60..(start + count) * 60 {
            let hour = minute.div_euclid(60);
            let _ = hours.close_before(minute);
            let phase = (hour % 24) as f64 / 24.0 * std::f64::consts::TAU;
            // Load and payload are out of step, as the two have different daily courses.
            let load = 500.0 * (1.0 + 0.3 * (phase + 1.5).sin());
            let noise = ((minute * 7919) % 13) as f64 * 0.002;
            let regime = 1 + u8::from(hour >= start + 36);
            let changed = if regime > 1 { change } else { 0.0 };
            let lg_p50 = 10.0 + changed + (1.0 + swing * phase.sin()).ln() + noise;
            hours.add(minute, regime, 1, (level_of(load), lg_p50), false);
        }
        let stretch = Stretch { regime: 2, since: start * 60 };
        wander(&hours, stretch, (start + count) * 60)
    }

    #[test]
    fn a_day_is_enough_to_tell_and_less_is_not() {
        assert!(after(25, 0.3, 0.0).unwrap() > WANDER_MAX);
        // A swing of 0.1 is at the limit on its first day.
        assert!(after(25, 0.07, 0.0).unwrap() < WANDER_MAX);
        assert_eq!(after(23, 0.3, 0.0), None);
    }

    #[test]
    fn before_a_day_and_until_three_half_of_it_is_a_doubt() {
        let doubtful = |hours, swing| judged(hours, swing, 0.0).is_some_and(Wander::is_doubtful);
        assert!(doubtful(9, 0.3) && doubtful(23, 0.1) && doubtful(48, 0.15));
        assert!(!doubtful(9, 0.02) && !doubtful(23, 0.02) && !doubtful(48, 0.02));
        assert_eq!(judged(5, 0.3, 0.0), None);
        // Later it is what it is: a payload that swings by a tenth.
        let later = judged(73, 0.1, 0.0).unwrap();
        assert!(!later.is_doubtful() && !later.is_over(), "{later:?}");
        assert!(!judged(9, 0.3, 0.0).unwrap().is_over(), "no detector goes by a doubt");
    }

    #[test]
    fn a_daily_payload_swing_is_seen_over_a_change_and_a_uniform_service_is_not() {
        assert!(three_days(0.3, 0.0).unwrap() > WANDER_MAX);
        assert!(three_days(0.0, 0.0).unwrap() < 0.03);
        assert!(three_days(0.3, 0.3).unwrap() > WANDER_MAX);
        assert!(three_days(0.0, 0.5).unwrap() < 0.03, "one real change is no wander");
    }

    #[test]
    fn the_present_regime_alone_is_too_young_to_tell() {
        let mut hours = Hours::new(true);
        for minute in 0..20 * 60 {
            let _ = hours.close_before(minute);
            hours.add(minute, 1, 1, (level_of(500.0), 10.0), false);
        }
        let judged = wander(&hours, Stretch { regime: 1, since: 0 }, 20 * 60);
        assert_eq!(judged.and_then(Wander::known), None);
    }
}
