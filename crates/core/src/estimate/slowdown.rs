//! Slow drift: by how much a service has become slower since a piece of its evidence was seen, so that
//! it can be counted in today's units.
//!
//! The slope of the median at equal load over the last days, each load level and each regime compared
//! with itself only. Capacity follows speed by the power that is used at a change of regime. Only what
//! makes a service slower is taken: what was proven at a higher load is never made of a trend.

use super::grid::{DAY, MinuteIndex};
use super::power::Exponent;
use super::regime::Hours;
use super::wander::Stretch;

/// Days over which the slope is taken: a few of them even out what changes with the time of day.
const OVER: MinuteIndex = 4 * DAY;
/// Hours that must lie between the first and the last one.
const SPAN_MIN: i64 = 24;
/// Slopes below this, in lg a day, are what the half-life of the evidence follows by itself ...
const SLOPE_MIN: f64 = 0.01;
/// ... and a slope must be so many times its standard error: hours in a row are alike, by which the error
/// is larger than it seems.
const ERRORS_MIN: f64 = 8.0;
/// More bad minutes than one in so many: the knee is near, where medians jump by themselves.
const CALM_PER_BAD: u32 = 10;

/// How a service becomes slower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slowdown {
    /// lg of the median at equal load, a minute.
    slope: f64,
    /// The middle of the regime's hours, with which a later regime is compared.
    middle: MinuteIndex,
    power: f64,
}

/// Sums of one load level of one regime.
#[derive(Default)]
struct Sums {
    key: (u8, u8),
    weight: f64,
    at: f64,
    at_squares: f64,
    products: f64,
    lg: f64,
    lg_squares: f64,
}

impl Slowdown {
    /// What the hours of the last days show, if that is a drift.
    pub(super) fn of(
        hours: &Hours,
        stretch: Stretch,
        power: Exponent,
        now: MinuteIndex,
    ) -> Option<Self> {
        let first = (now - OVER).div_euclid(60);
        let mut levels: Vec<Sums> = Vec::new();
        let (mut from, mut to) = (now, first);
        let (mut own, mut own_at) = (0.0, 0.0);
        for (number, hour) in stretch.hours(hours) {
            if hour.regime == stretch.regime {
                own += 1.0;
                own_at += number as f64;
            }
            if number < first {
                continue;
            }
            for level in
                hour.levels().filter(|l| CALM_PER_BAD * u32::from(l.bad) <= u32::from(l.minutes))
            {
                (from, to) = (from.min(number), to.max(number));
                let key = (hour.regime, level.level);
                let index = levels.iter().position(|sums| sums.key == key).unwrap_or_else(|| {
                    levels.push(Sums { key, ..Sums::default() });
                    levels.len() - 1
                });
                levels[index].add(
                    (number - first) as f64,
                    level.lg_p50,
                    f64::from(level.minutes) / 60.0,
                );
            }
        }
        if to < from.saturating_add(SPAN_MIN) {
            return None;
        }
        let total = |of: fn(&Sums) -> f64| levels.iter().map(of).sum::<f64>();
        let (spread, together) = (total(Sums::spread), total(Sums::together));
        let slope = together / spread;
        let left = (total(Sums::lg_spread) - slope * together).max(0.0);
        let error = (left / total(|sums| sums.weight) / spread).sqrt();
        let is_one = slope * 24.0 >= SLOPE_MIN && slope >= ERRORS_MIN * error;
        let middle = (60.0 * (own_at / f64::max(own, 1.0) + 0.5)) as MinuteIndex;
        (is_one && own > 0.0).then(|| Self { slope: slope / 60.0, middle, power: power.mean })
    }

    /// lg of how much slower the service has become in so many minutes.
    fn slower(&self, minutes: MinuteIndex) -> f64 {
        self.slope * minutes.clamp(-OVER, OVER) as f64
    }

    /// By how much, in lg, capacity has fallen in so many minutes.
    pub(super) fn fallen(&self, minutes: MinuteIndex) -> f64 {
        self.power * self.slower(minutes)
    }

    /// By how much throughput has, which is the reverse of speed.
    pub(super) fn slowed(&self, minutes: MinuteIndex) -> f64 {
        self.slower(minutes)
    }

    /// The time in whose units a later regime's ratio of medians is.
    pub(super) const fn middle(&self) -> MinuteIndex {
        self.middle
    }
}

impl Sums {
    fn add(&mut self, at: f64, lg: f64, weight: f64) {
        self.weight += weight;
        self.at += weight * at;
        self.at_squares += weight * at * at;
        self.products += weight * at * lg;
        self.lg += weight * lg;
        self.lg_squares += weight * lg * lg;
    }

    fn spread(&self) -> f64 {
        self.at_squares - self.at * self.at / self.weight
    }

    fn together(&self) -> f64 {
        self.products - self.at * self.lg / self.weight
    }

    fn lg_spread(&self) -> f64 {
        self.lg_squares - self.lg * self.lg / self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::grid::level_of;

    /// Some days of a service that becomes slower by so much a day, with a payload that swings in the day.
    fn days(count: i64, a_day: f64, swing: f64) -> Option<Slowdown> {
        let mut hours = Hours::new(true);
        let start = 24_000_i64 * 60;
        for minute in start..start + count * DAY {
            let _ = hours.close_before(minute);
            let day = (minute - start) as f64 / DAY as f64;
            let phase = day * std::f64::consts::TAU;
            let load = 500.0 * (1.0 + 0.3 * (phase + 1.5).sin());
            let noise = ((minute * 7919) % 13) as f64 * 0.002;
            let lg_p50 = 10.0 + a_day * day + swing * phase.sin() + noise;
            hours.add(minute, 1, 1, (level_of(load), lg_p50), false);
        }
        let stretch = Stretch { regime: 1, since: start };
        Slowdown::of(&hours, stretch, Exponent::FIXED, start + count * DAY)
    }

    #[test]
    fn a_drift_is_seen_by_load_levels_that_come_again() {
        let slowdown = days(3, 0.07, 0.0).unwrap();
        assert!((slowdown.slowed(DAY) - 0.07).abs() < 0.005, "{slowdown:?}");
        assert!((slowdown.fallen(-DAY) + 1.25 * 0.07).abs() < 0.01);
        assert!(
            (slowdown.fallen(9 * DAY) - 4.0 * 1.25 * 0.07).abs() < 0.03,
            "no further than it is seen"
        );
        assert!(days(1, 0.07, 0.0).is_none(), "a day is too short");
    }

    #[test]
    fn what_swings_or_becomes_faster_does_not_drift() {
        assert!(days(3, 0.0, 0.0).is_none() && days(6, -0.07, 0.0).is_none());
        assert!(days(3, 0.0, 0.08).is_none() && days(6, 0.0, 0.08).is_none());
    }
}
