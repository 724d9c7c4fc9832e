//! What an overload tells of throughput, and throughput of the knee.
//!
//! While requests arrive faster than they are served, each waits longer than the one before: by
//! load / throughput - 1 minutes more every minute. So two bad minutes in a row measure the
//! throughput, however far above it they are. Capacity lies below it, and not far where latency at
//! the loads before is well within the objective: what queues grows no faster than
//! 1 / (throughput - load) on its way there. Where bursts leap over the knee, counts do not tell
//! where between the last good load and the first bad one it is, and this does.
//!
//! That is how queues behave, and no proof: it is an opinion beside the load test's, and no part of
//! a bound or a verdict.

use serde::{Deserialize, Serialize};

use super::grid::{LEVEL_STEP, MinuteIndex, load_of_level};
use super::low_traffic::Observation;

/// A wait may grow up to here, in minutes: `SageMaker` gives up after 60 seconds.
const WAIT_MAX: f64 = 50.0 / 60.0;
/// Smaller growth, in minutes a minute, is what varies from minute to minute.
const GROWTH_MIN: f64 = 2.0 / 60.0;
/// Where the load itself rises by more, latency may grow without a queue.
const LOAD_RISE_MAX: f64 = 1.1;
/// Microseconds in a minute.
const MINUTE_US: f64 = 60e6;
/// An overload is one that was seen to begin: what is slow where telemetry begins may be cold
/// instances, and what has been slow for longer may have another cause.
const BEGAN_WITHIN: MinuteIndex = 60;
/// A few pairs are exact to 1 %, so what is recent is enough, and a service may drift: weights to this
/// power, which is a half-life of one day.
pub(super) const RECENT: i32 = 4;
/// Steps of a stored logarithm.
pub(super) const LG_SCALE: f64 = 1000.0;
/// A throughput takes so many pairs of minutes.
const PAIRS_MIN: u32 = 5;
/// A load level takes so many good minutes.
const CALM_MINUTES_MIN: u32 = 30;
/// The share of the latency close by that is service and not queue, and does not grow, at least:
/// of the services of the grade it is next to all of it where errors are the limit, and next to
/// none where workers are.
const BASE_SHARE: f64 = 0.2;
/// How far capacity may lie below that range, in lg: batches and caches make steps.
const SPREAD_BELOW: f64 = 0.05;
/// How far the throughput may be off.
const SPREAD_ABOVE: f64 = 0.05;

/// Follows overloads from minute to minute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Overload {
    /// The last bad minute, its load, and how long its median request took, in minutes.
    last: (MinuteIndex, f32, f32),
    good_at: MinuteIndex,
}

impl Overload {
    /// lg of the throughput, if this minute and the one before show it.
    pub(super) fn note(&mut self, o: &Observation) -> Option<f64> {
        let before = std::mem::take(&mut self.last);
        if !o.bad {
            self.good_at = o.at;
        }
        let began = o.at - self.good_at <= BEGAN_WITHIN;
        let wait = o.lg_p50.filter(|_| o.bad && o.span == 1)?.exp() / MINUTE_US;
        self.last = (o.at, o.load as f32, wait as f32);
        let (at, load, waited) = before;
        let growth = wait - f64::from(waited);
        let steady = o.load <= LOAD_RISE_MAX * f64::from(load);
        let grows = at + 1 == o.at && began && steady && growth >= GROWTH_MIN && wait <= WAIT_MAX;
        grows.then(|| (f64::midpoint(o.load, f64::from(load)) / (1.0 + growth)).ln())
    }
}

/// What a stretch of time showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// Sum of lg throughputs in steps, and how many.
    lg_throughput: i32,
    pairs: u8,
    /// The highest load level with good minutes, how many there were, and the sum of lg (statistic
    /// / threshold) in steps.
    level: u8,
    minutes: u16,
    lg_over: i32,
}

impl Shown {
    pub(super) const NOTHING: Self =
        Self { lg_throughput: 0, pairs: 0, level: 0, minutes: 0, lg_over: 0 };

    /// The same of a service that has become slower by so much since, in lg.
    pub(super) fn slowed(self, by: f64) -> Self {
        let levels = (by / LEVEL_STEP).round();
        let level = (f64::from(self.level) - levels).clamp(0.0, 255.0) as u8;
        let steps = (by * LG_SCALE * f64::from(self.pairs)).round() as i32;
        Self { level, lg_throughput: self.lg_throughput.saturating_sub(steps), ..self }
    }

    /// Two minutes of an overload.
    pub(super) fn add_throughput(&mut self, lg: f64) {
        let lg_throughput = (lg * LG_SCALE).round() as i32;
        self.absorb(&Self { lg_throughput, pairs: 1, ..Self::NOTHING });
    }

    /// A good minute at a load level.
    pub(super) fn add_calm(&mut self, level: u8, lg_over: f64) {
        let lg_over = (lg_over * LG_SCALE).round() as i32;
        self.absorb(&Self { level, minutes: 1, lg_over, ..Self::NOTHING });
    }

    /// Another stretch. What no longer fits is left out: there is enough then.
    pub(super) fn absorb(&mut self, other: &Self) {
        if let Some(pairs) = self.pairs.checked_add(other.pairs) {
            self.pairs = pairs;
            self.lg_throughput = self.lg_throughput.saturating_add(other.lg_throughput);
        }
        if self.level == other.level {
            if let Some(minutes) = self.minutes.checked_add(other.minutes) {
                self.minutes = minutes;
                self.lg_over = self.lg_over.saturating_add(other.lg_over);
            }
        } else if other.minutes > 0 && (self.minutes == 0 || other.level > self.level) {
            (self.level, self.minutes, self.lg_over) = (other.level, other.minutes, other.lg_over);
        }
    }
}

/// Where the knee should be, by the throughput and the latency close by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Knee {
    lg_from: f64,
    lg_to: f64,
}

impl Knee {
    /// From what stretches of time showed, with their weights.
    pub(super) fn of(shown: impl Iterator<Item = (Shown, f64)>) -> Option<Self> {
        let shown: Vec<(Shown, f64)> = shown.collect();
        let minutes = |level: u8| {
            let of_level = shown.iter().filter(|s| s.0.level == level);
            of_level.map(|s| u32::from(s.0.minutes)).sum::<u32>()
        };
        let levels = shown.iter().map(|s| s.0.level);
        let level = levels.filter(|level| minutes(*level) >= CALM_MINUTES_MIN).max()?;
        let calm = load_of_level(level);
        // Less than was served well is what an incident of another cause leaves of it.
        let least = calm.ln() * LG_SCALE;
        let own = |s: &Shown| f64::from(s.lg_throughput) > f64::from(s.pairs) * least;
        let of_own = shown.iter().filter(|s| own(&s.0));
        if of_own.map(|s| u32::from(s.0.pairs)).sum::<u32>() < PAIRS_MIN {
            return None;
        }
        let throughputs = shown.iter().filter(|s| own(&s.0));
        let lg_to =
            mean(throughputs.map(|(s, weight)| (s.lg_throughput, u16::from(s.pairs), *weight)));
        let calms = shown.iter().filter(|s| s.0.level == level);
        let lg_over = mean(calms.map(|(s, weight)| (s.lg_over, s.minutes, *weight)));
        let (throughput, over) = (lg_to.exp(), lg_over.min(0.0).exp());
        let grows = (1.0 - BASE_SHARE) * over / (1.0 - BASE_SHARE * over);
        let from = throughput - (throughput - calm) * grows;
        Some(Self { lg_from: from.ln(), lg_to })
    }

    /// The throughput, in invocations per minute per instance.
    pub(super) fn throughput(&self) -> f64 {
        self.lg_to.exp()
    }

    /// lg of how plausible a capacity is.
    pub(super) fn lg_opinion(&self, lg_capacity: f64) -> f64 {
        let off = if lg_capacity < self.lg_from {
            (self.lg_from - lg_capacity) / SPREAD_BELOW
        } else {
            (lg_capacity - self.lg_to).max(0.0) / SPREAD_ABOVE
        };
        -off * off / 2.0
    }
}

/// The mean of logarithms from their sums in steps, their counts and their weights.
fn mean(sums: impl Iterator<Item = (i32, u16, f64)>) -> f64 {
    let (total, count) = sums.fold((0.0, 0.0), |(total, count), (sum, n, weight)| {
        (total + weight * f64::from(sum), count + weight * f64::from(n))
    });
    total / count / LG_SCALE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Telemetry begins long after the epoch.
    const START: MinuteIndex = 24_000 * 60;

    fn minute(after: MinuteIndex, load: f64, wait_ms: f64, bad: bool) -> Observation {
        let lg_p50 = Some((wait_ms * 1000.0).ln());
        Observation {
            at: START + after,
            span: 1,
            load,
            bad,
            lg_p50,
            lg_over: if bad { 1.0 } else { -0.7 },
        }
    }

    #[test]
    fn a_queue_that_grows_by_six_seconds_a_minute_gets_a_tenth_too_much() {
        let mut overload = Overload::default();
        assert_eq!(overload.note(&minute(5, 1100.0, 500.0, true)), None);
        assert_eq!(overload.note(&minute(6, 1100.0, 6500.0, true)), None, "cold, perhaps");
        assert_eq!(overload.note(&minute(7, 500.0, 500.0, false)), None);
        assert_eq!(overload.note(&minute(10, 1100.0, 500.0, true)), None);
        let lg = overload.note(&minute(11, 1100.0, 6500.0, true)).unwrap();
        assert!((lg.exp() - 1000.0).abs() < 1e-3, "{lg}");
        // Not over a gap, a good minute, what varies anyway, or what AWS cuts off.
        assert_eq!(overload.note(&minute(13, 1100.0, 12_500.0, true)), None);
        assert_eq!(overload.note(&minute(14, 1100.0, 13_000.0, true)), None);
        assert_eq!(overload.note(&minute(15, 1100.0, 55_000.0, true)), None);
        assert_eq!(overload.note(&minute(16, 500.0, 500.0, false)), None);
        assert_eq!(overload.note(&minute(17, 900.0, 500.0, true)), None);
        assert_eq!(overload.note(&minute(18, 1100.0, 6500.0, true)), None, "the load grew");
        assert_eq!(overload.note(&minute(20, 1100.0, 6500.0, true)), None);
    }

    fn shown(pairs: u8, minutes: u16) -> Shown {
        let mut shown = Shown::NOTHING;
        (0..pairs).for_each(|_| shown.add_throughput(1000.0_f64.ln()));
        (0..50).for_each(|_| shown.add_calm(60, -2.0));
        (0..minutes).for_each(|_| shown.add_calm(67, 0.5_f64.ln()));
        shown
    }

    #[test]
    fn the_knee_lies_between_the_curve_through_the_last_good_load_and_the_throughput() {
        let of = |shown: Shown| Knee::of([(shown, 0.5)].into_iter());
        assert!(of(shown(4, 30)).is_none() && of(shown(5, 29)).is_none());
        let knee = of(shown(5, 30)).unwrap();
        let calm = load_of_level(67);
        let expected = 1000.0 - (1000.0 - calm) * 0.8 * 0.5 / 0.9;
        assert!((knee.lg_from.exp() - expected).abs() < 1.0, "{knee:?} {calm}");
        assert!(knee.lg_opinion(knee.lg_from).abs() < 1e-9);
        assert!((knee.lg_opinion(knee.lg_from - 0.1) + 2.0).abs() < 1e-9);
        assert!(knee.lg_opinion(knee.lg_to + 0.1) < -1.0);
    }

    #[test]
    fn a_throughput_below_loads_that_were_fine_is_none() {
        let mut odd = shown(9, 40);
        (0..40).for_each(|_| odd.add_calm(80, -0.1));
        assert_eq!(Knee::of([(odd, 1.0)].into_iter()), None);
        let mut incident = Shown::NOTHING;
        (0..9).for_each(|_| incident.add_throughput(400.0_f64.ln()));
        let alone = Knee::of([(shown(9, 40), 1.0)].into_iter());
        assert!(alone.is_some());
        assert_eq!(Knee::of([(shown(9, 40), 1.0), (incident, 1.0)].into_iter()), alone);
    }

    #[test]
    fn hours_that_are_joined_show_what_their_highest_level_showed() {
        let (mut day, mut hour) = (shown(3, 0), shown(2, 30));
        day.absorb(&hour);
        hour.absorb(&shown(3, 0));
        assert_eq!(day, hour);
        assert_eq!(size_of::<Shown>(), 12);
        let mut many = Shown::NOTHING;
        (0..300).for_each(|_| many.add_throughput(7.0));
        assert_eq!((many.pairs, many.lg_throughput), (255, 255 * 7000));
    }
}
