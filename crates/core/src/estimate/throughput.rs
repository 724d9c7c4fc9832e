//! What an overload tells of throughput, and throughput of the knee.
//!
//! While requests arrive faster than they are served, each waits longer than the one before: by
//! load / throughput - 1 minutes more every minute. So two bad minutes in a row measure the
//! throughput, however far above it they are. Capacity lies below it, and not far where latency at
//! the loads before is well within the objective: what queues grows no faster than
//! 1 / (throughput - load) on its way there. Where bursts leap over the knee, counts do not tell
//! where between the last good load and the first bad one it is, and this does.
//!
//! How much of the latency close by is queue is assumed, except of a service that refuses what is too
//! much: its limit is errors and not latency, and where latency at high loads is as at low ones, it
//! holds up to the throughput.
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
/// A throughput takes so many pairs of minutes: one burst shows three or four before waits end at what AWS
/// allows. In eleven runs of the grade, three or four pairs were 3 % off at most, and 6 % where a queue slows
/// the service down.
const PAIRS_MIN: u32 = 3;
/// A load level takes so many good minutes.
const CALM_MINUTES_MIN: u32 = 30;
/// The share of the latency close by that is service and not queue, and does not grow, at least:
/// of the services of the grade it is next to all of it where errors are the limit, and next to
/// none where workers are.
const BASE_SHARE: f64 = 0.2;
/// What is measured of that share is counted up to here: latency at low loads is not exactly that of no load.
const BASE_SHARE_MAX: f64 = 0.9;
/// 5XX answers are refusals where nobody has waited long enough, in minutes, to be given up on: the shortest
/// limit in wide use, that of gunicorn's workers, is 30 seconds.
const PATIENCE: f64 = 0.5;
/// A service refuses what is too much where it did so in so many more pairs than it did not.
const REFUSALS_MIN: i32 = 3;
/// Latency at the lowest loads takes so many good minutes ...
const LOW_MINUTES_MIN: u32 = 10;
/// ... so many levels below the highest one, which is a quarter less load.
const LEVELS_APART: u8 = 3;
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
    /// What this minute and the one before show of throughput.
    pub(super) fn note(&mut self, o: &Observation) -> Option<Pair> {
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
        grows.then(|| Pair {
            lg: (f64::midpoint(o.load, f64::from(load)) / (1.0 + growth)).ln(),
            // The median request came in the middle of the minute, and the last one waits for longer.
            refused: (wait + growth / 2.0 <= PATIENCE).then_some(o.failing),
        })
    }
}

/// What two minutes of an overload show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// lg of the throughput.
    lg: f64,
    /// Whether requests were refused in the second one; unknown once some may have been given up on.
    refused: Option<bool>,
}

/// What a stretch of time showed. Each variant has dozens of them, hence no struct of structs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// Sum of lg throughputs in steps, and how many.
    lg_throughput: i32,
    pairs: u8,
    /// By how many more pairs requests were refused than not, of those that show it.
    refusals: i8,
    /// The highest load level with good minutes and the lowest one, how many there were, and the sums of lg
    /// (statistic / threshold) in steps.
    levels: [u8; 2],
    minutes: [u16; 2],
    lg_over: [i32; 2],
}

/// Which of two load levels.
const HIGH: usize = 0;
const LOW: usize = 1;

impl Shown {
    pub(super) const NOTHING: Self = Self {
        lg_throughput: 0,
        pairs: 0,
        refusals: 0,
        levels: [0; 2],
        minutes: [0; 2],
        lg_over: [0; 2],
    };

    /// The same of a service that has become slower by so much since, in lg.
    pub(super) fn slowed(self, by: f64) -> Self {
        let levels = (by / LEVEL_STEP).round();
        let slowed = |level: u8| (f64::from(level) - levels).clamp(0.0, 255.0) as u8;
        let steps = (by * LG_SCALE * f64::from(self.pairs)).round() as i32;
        Self {
            levels: self.levels.map(slowed),
            lg_throughput: self.lg_throughput.saturating_sub(steps),
            ..self
        }
    }

    /// Two minutes of an overload.
    pub(super) fn add_pair(&mut self, pair: Pair) {
        self.absorb(&Self {
            lg_throughput: (pair.lg * LG_SCALE).round() as i32,
            pairs: 1,
            refusals: pair.refused.map_or(0, |refused| if refused { 1 } else { -1 }),
            ..Self::NOTHING
        });
    }

    /// A good minute at a load level.
    pub(super) fn add_calm(&mut self, level: u8, lg_over: f64) {
        let lg_over = [(lg_over * LG_SCALE).round() as i32; 2];
        self.absorb(&Self { levels: [level; 2], minutes: [1; 2], lg_over, ..Self::NOTHING });
    }

    /// Another stretch. What no longer fits is left out: there is enough then.
    pub(super) fn absorb(&mut self, other: &Self) {
        if let Some(pairs) = self.pairs.checked_add(other.pairs) {
            self.pairs = pairs;
            self.refusals = self.refusals.saturating_add(other.refusals);
            self.lg_throughput = self.lg_throughput.saturating_add(other.lg_throughput);
        }
        self.absorb_calm(other, HIGH, |new, old| new > old);
        self.absorb_calm(other, LOW, |new, old| new < old);
    }

    /// The good minutes of another stretch; of two levels the one stays that is `further` out.
    fn absorb_calm(&mut self, other: &Self, which: usize, further: fn(u8, u8) -> bool) {
        let (own, new) = (self.levels[which], other.levels[which]);
        if own == new {
            if let Some(minutes) = self.minutes[which].checked_add(other.minutes[which]) {
                self.minutes[which] = minutes;
                self.lg_over[which] = self.lg_over[which].saturating_add(other.lg_over[which]);
            }
        } else if other.minutes[which] > 0 && (self.minutes[which] == 0 || further(new, own)) {
            self.levels[which] = new;
            self.minutes[which] = other.minutes[which];
            self.lg_over[which] = other.lg_over[which];
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
    /// From what stretches of time showed, with their weights. `refusals` is whether it counts that requests
    /// are refused.
    pub(super) fn of(shown: impl Iterator<Item = (Shown, f64)>, refusals: bool) -> Option<Self> {
        let shown: Vec<(Shown, f64)> = shown.collect();
        let minutes = |level: u8| {
            let of_level = shown.iter().filter(|s| s.0.levels[HIGH] == level);
            of_level.map(|s| u32::from(s.0.minutes[HIGH])).sum::<u32>()
        };
        let levels = shown.iter().map(|s| s.0.levels[HIGH]);
        let level = levels.filter(|level| minutes(*level) >= CALM_MINUTES_MIN).max()?;
        let calm = load_of_level(level);
        // Less than was served well is what an incident of another cause leaves of it.
        let least = calm.ln() * LG_SCALE;
        let own = |s: &Shown| f64::from(s.lg_throughput) > f64::from(s.pairs) * least;
        let of_own = || shown.iter().filter(|s| own(&s.0));
        let pairs = of_own().map(|s| u32::from(s.0.pairs)).sum::<u32>();
        if pairs < PAIRS_MIN {
            return None;
        }
        let lg_to =
            mean(of_own().map(|(s, weight)| (s.lg_throughput, u16::from(s.pairs), *weight)));
        let highs = shown.iter().filter(|s| s.0.levels[HIGH] == level);
        let lg_over = lg_over(highs, HIGH);
        let balance: i32 = of_own().map(|s| i32::from(s.0.refusals)).sum();
        let base = if refusals && balance >= REFUSALS_MIN {
            base_share(&shown, level, lg_over)
        } else {
            BASE_SHARE
        };
        let (throughput, over) = (lg_to.exp(), lg_over.min(0.0).exp());
        let grows = (1.0 - base) * over / (1.0 - base * over);
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

/// The share of the latency at the highest calm level that is there at the lowest ones too, where a service
/// refuses what is too much. It says nothing where the loads that were seen are much alike.
fn base_share(shown: &[(Shown, f64)], level: u8, lg_over_high: f64) -> f64 {
    let mut lows: Vec<&(Shown, f64)> = shown.iter().filter(|s| s.0.minutes[LOW] > 0).collect();
    lows.sort_by_key(|(s, _)| s.levels[LOW]);
    let mut minutes = 0;
    let enough = lows.iter().position(|(s, _)| {
        minutes += u32::from(s.minutes[LOW]);
        minutes >= LOW_MINUTES_MIN
    });
    let apart = |last: &usize| lows[*last].0.levels[LOW].saturating_add(LEVELS_APART) <= level;
    let Some(last) = enough.filter(apart) else { return BASE_SHARE };
    let share = (lg_over(lows[..=last].iter().copied(), LOW) - lg_over_high).exp();
    share.clamp(BASE_SHARE, BASE_SHARE_MAX)
}

/// The mean lg (statistic / threshold) of the good minutes at one of the two levels.
fn lg_over<'a>(shown: impl Iterator<Item = &'a (Shown, f64)>, which: usize) -> f64 {
    mean(shown.map(|(s, weight)| (s.lg_over[which], s.minutes[which], *weight)))
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
            failing: false,
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
        let Pair { lg, refused } = overload.note(&minute(11, 1100.0, 6500.0, true)).unwrap();
        assert!(refused == Some(false) && (lg.exp() - 1000.0).abs() < 1e-3, "{lg}");
        // Not over a gap, a good minute, what varies anyway, or what AWS cuts off.
        assert_eq!(overload.note(&minute(13, 1100.0, 12_500.0, true)), None);
        assert_eq!(overload.note(&minute(14, 1100.0, 13_000.0, true)), None);
        assert_eq!(overload.note(&minute(15, 1100.0, 55_000.0, true)), None);
        assert_eq!(overload.note(&minute(16, 500.0, 500.0, false)), None);
        assert_eq!(overload.note(&minute(17, 900.0, 500.0, true)), None);
        assert_eq!(overload.note(&minute(18, 1100.0, 6500.0, true)), None, "the load grew");
        assert_eq!(overload.note(&minute(20, 1100.0, 6500.0, true)), None);
    }

    fn pair(throughput: f64, refused: Option<bool>) -> Pair {
        Pair { lg: throughput.ln(), refused }
    }

    fn shown(pairs: u8, minutes: u16) -> Shown {
        let mut shown = Shown::NOTHING;
        (0..pairs).for_each(|_| shown.add_pair(pair(1000.0, None)));
        (0..50).for_each(|_| shown.add_calm(60, -2.0));
        (0..minutes).for_each(|_| shown.add_calm(67, 0.5_f64.ln()));
        shown
    }

    #[test]
    fn the_knee_lies_between_the_curve_through_the_last_good_load_and_the_throughput() {
        let of = |shown: Shown| Knee::of([(shown, 0.5)].into_iter(), true);
        assert!(of(shown(2, 30)).is_none() && of(shown(3, 29)).is_none());
        let knee = of(shown(3, 30)).unwrap();
        let calm = load_of_level(67);
        let expected = 1000.0 - (1000.0 - calm) * 0.8 * 0.5 / 0.9;
        assert!((knee.lg_from.exp() - expected).abs() < 1.0, "{knee:?} {calm}");
        assert!(knee.lg_opinion(knee.lg_from).abs() < 1e-9);
        assert!((knee.lg_opinion(knee.lg_from - 0.1) + 2.0).abs() < 1e-9);
        assert!(knee.lg_opinion(knee.lg_to + 0.1) < -1.0);
    }

    /// Two days: a base share of 0.6 between loads half as high, of a service that refuses or does not.
    fn two_days(refused: Option<bool>) -> [(Shown, f64); 2] {
        let mut low = Shown::NOTHING;
        (0..20).for_each(|_| low.add_calm(60, 0.3_f64.ln()));
        let mut high = Shown::NOTHING;
        (0..6).for_each(|_| high.add_pair(pair(1000.0, refused)));
        (0..30).for_each(|_| high.add_calm(67, 0.5_f64.ln()));
        [(low, 1.0), (high, 0.5)]
    }

    #[test]
    fn the_share_of_queue_is_measured_where_a_service_refuses_what_is_too_much() {
        let from = |shown: &[(Shown, f64)]| {
            Knee::of(shown.iter().copied(), true).map(|knee| knee.lg_from.exp()).unwrap()
        };
        let calm = load_of_level(67);
        let at_share =
            |base: f64| 1000.0 - (1000.0 - calm) * (1.0 - base) * 0.5 / (1.0 - base * 0.5);
        let near = |found: f64, base: f64| (found - at_share(base)).abs() < 1.0;
        assert!(near(from(&two_days(Some(true))), 0.6));
        assert!(near(from(&two_days(Some(false))), BASE_SHARE), "nothing is refused");
        assert!(near(from(&two_days(None)), BASE_SHARE), "nothing is known");
        // Loads that are much alike say nothing, and few minutes neither.
        let [mut low, high] = two_days(Some(true));
        low.0.levels[LOW] = 65;
        assert!(near(from(&[low, high]), BASE_SHARE));
        (low.0.levels[LOW], low.0.minutes[LOW]) = (60, 9);
        assert!(near(from(&[low, high]), BASE_SHARE));
    }

    #[test]
    fn an_answer_after_half_a_minute_may_be_one_that_was_given_up() {
        let refused = |waits: [f64; 2]| {
            let mut overload = Overload::default();
            let minute = |after, wait| Observation {
                failing: true,
                ..minute(after, 1100.0, wait, after > 9)
            };
            let _ = overload.note(&minute(9, 100.0));
            let _ = overload.note(&minute(10, waits[0]));
            overload.note(&minute(11, waits[1])).unwrap().refused
        };
        assert_eq!(refused([1000.0, 7000.0]), Some(true));
        assert_eq!(refused([20_000.0, 26_000.0]), Some(true));
        assert_eq!(refused([22_000.0, 28_000.0]), None);
    }

    #[test]
    fn a_throughput_below_loads_that_were_fine_is_none() {
        let mut odd = shown(9, 40);
        (0..40).for_each(|_| odd.add_calm(80, -0.1));
        assert_eq!(Knee::of([(odd, 1.0)].into_iter(), true), None);
        let mut incident = Shown::NOTHING;
        (0..9).for_each(|_| incident.add_pair(pair(400.0, None)));
        let alone = Knee::of([(shown(9, 40), 1.0)].into_iter(), true);
        assert!(alone.is_some());
        assert_eq!(Knee::of([(shown(9, 40), 1.0), (incident, 1.0)].into_iter(), true), alone);
    }

    #[test]
    fn hours_that_are_joined_show_what_their_highest_level_showed() {
        let (mut day, mut hour) = (shown(3, 0), shown(2, 30));
        day.absorb(&hour);
        hour.absorb(&shown(3, 0));
        assert_eq!(day, hour);
        assert_eq!(size_of::<Shown>(), 20);
        let mut many = Shown::NOTHING;
        (0..300).for_each(|_| many.add_pair(pair(7.0_f64.exp(), Some(true))));
        assert_eq!((many.pairs, many.lg_throughput), (255, 255 * 7000));
        assert_eq!(many.refusals, i8::MAX);
    }
}
