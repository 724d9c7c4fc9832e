//! Where the knee should be, by what overloads and the loads before them showed.
//!
//! What queues grows as 1 / (throughput - load). So two points of latency tell the curve between them, and where
//! it meets the threshold: the highest load that was fine, and the lowest one beyond capacity that was served.
//! It counts where latency below them has begun to rise as that curve does; a limit elsewhere shows no such
//! sign. Without a second point the throughput takes its place, and capacity lies between the curve and it.
//! Where bursts leap over the knee, counts do not tell where between the last good load and the first bad one
//! it is, and this does.
//!
//! How much of the latency close by is queue is assumed, except of a service that refuses what is too
//! much: its limit is errors and not latency, and where latency at high loads is as at low ones, it
//! holds up to the throughput.
//!
//! Those are means, and capacity is where one minute of ten is bad: how far minutes scatter is measured where
//! they are fine.
//!
//! That is how queues behave, and no proof: it is an opinion beside the load test's, and no part of
//! a bound or a verdict.

use super::grid::load_of_level;
use super::shown::{HIGH, LOW, SERVED_SCALE, STEP_SCALE, Shown};
use super::throughput::LG_SCALE;

/// A few pairs are exact to 1 %, so what is recent is enough, and a service may drift: weights to this
/// power, which is a half-life of one day.
pub(super) const RECENT: i32 = 4;
/// A throughput takes so many pairs of minutes: one burst shows three or four before waits end at what AWS
/// allows. In eleven runs of the grade, three or four pairs were 3 % off at most, and 6 % where a queue slows
/// the service down.
const PAIRS_MIN: u32 = 3;
/// A load level takes so many good minutes.
const CALM_MINUTES_MIN: u32 = 30;
/// And a level beyond capacity so many that were served: one or two may be hiccups.
const SERVED_MINUTES_MIN: u32 = 3;
/// How far beyond the threshold they may be, in lg: the nearer, the less it matters how the curve runs between.
/// Further out are hiccups, which triple latency, and queues that have begun to grow.
const SERVED_LG_MAX: f64 = 0.47;
/// The share of what the curve says that latency must have risen by, from the lowest loads to the highest that
/// was fine. Queues before several workers and batches rise later than the curve, by up to a half.
const RISE_MIN: f64 = 1.0 / 3.0;
/// The share of the latency close by that is service and not queue, and does not grow, at least:
/// of the services of the grade it is next to all of it where errors are the limit, and next to
/// none where workers are.
const BASE_SHARE: f64 = 0.2;
/// What is measured of that share is counted up to here: latency at low loads is not exactly that of no load.
const BASE_SHARE_MAX: f64 = 0.9;
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
/// One of ten values of a normal distribution lies so many standard deviations above the mean.
const Z_10: f64 = 1.2816;
/// The mean distance of two values of a normal distribution, in standard deviations.
const MEAN_DISTANCE: f64 = 1.128;

/// Where the knee should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Knee {
    lg_from: f64,
    lg_to: f64,
    /// The throughput, once it is known.
    throughput: Option<f64>,
}

/// A load, and the statistic over its threshold there.
#[derive(Debug, Clone, Copy)]
struct Point {
    load: f64,
    over: f64,
}

impl Knee {
    /// From what stretches of time showed, with their weights. `refusals` is whether it counts that requests
    /// are refused, and `is_fine` whether one of ten minutes at most was bad at a load level.
    pub(super) fn of(
        shown: impl Iterator<Item = (Shown, f64)>,
        refusals: bool,
        is_fine: impl Fn(u8) -> bool,
    ) -> Option<Self> {
        let shown: Vec<(Shown, f64)> = shown.collect();
        let minutes = |level: u8| {
            let of_level = shown.iter().filter(|s| s.0.levels[HIGH] == level);
            of_level.map(|s| u32::from(s.0.minutes[HIGH])).sum::<u32>()
        };
        let levels = shown.iter().map(|s| s.0.levels[HIGH]);
        let is_calm = |level: &u8| minutes(*level) >= CALM_MINUTES_MIN && is_fine(*level);
        let level = levels.filter(is_calm).max()?;
        let highs = shown.iter().filter(|s| s.0.levels[HIGH] == level);
        let calm = Point { load: load_of_level(level), over: lg_over(highs, HIGH).exp() };
        let low = low(&shown, level);
        let tenth = Z_10 * scatter(&shown);
        // Less than was served well is what an incident of another cause leaves of it.
        let least = calm.load.ln() * LG_SCALE;
        let own = |s: &Shown| f64::from(s.lg_throughput) > f64::from(s.pairs) * least;
        let of_own = || shown.iter().filter(|s| own(&s.0));
        let pairs = of_own().map(|s| u32::from(s.0.pairs)).sum::<u32>();
        let lg_throughput = (pairs >= PAIRS_MIN).then(|| {
            mean(of_own().map(|(s, weight)| (s.lg_throughput, u16::from(s.pairs), *weight)))
        });
        let throughput = lg_throughput.map(f64::exp);
        let between = low.zip(served(&shown, level)).and_then(|(low, served)| {
            between_points((low, calm, served), tenth, throughput.unwrap_or(f64::INFINITY))
        });
        if let Some(lg) = between {
            return Some(Self { lg_from: lg, lg_to: lg, throughput });
        }
        let balance: i32 = of_own().map(|s| i32::from(s.0.refusals)).sum();
        let refuses = refusals && balance >= REFUSALS_MIN;
        let base = low.filter(|_| refuses).map_or(BASE_SHARE, |low| low.over / calm.over);
        let base = base.clamp(BASE_SHARE, BASE_SHARE_MAX);
        // The lower end assumes next to no service time, and is low by itself: half of the scatter is left.
        let lg_to = lg_throughput? - tenth / 2.0;
        let from = crossing(throughput?, calm, base, tenth / 2.0);
        Some(Self { lg_from: from.ln().min(lg_to), lg_to, throughput })
    }

    /// The throughput, in invocations per minute per instance, once it is known.
    pub(super) const fn throughput(&self) -> Option<f64> {
        self.throughput
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

/// Where latency, growing from a load that was fine as 1 / (throughput - load), comes to within `tenth` of the
/// threshold, in lg. `base` is the share of it that does not grow.
fn crossing(throughput: f64, calm: Point, base: f64, tenth: f64) -> f64 {
    let base = base * calm.over;
    let at = (-tenth).exp().max(calm.over);
    throughput - (throughput - calm.load) * (calm.over - base) / (at - base)
}

/// lg of the capacity by the curve through a load that was fine and one beyond capacity, where latency at low
/// loads agrees with it, and `most`, the throughput where it is known: latency that meets the threshold on its way
/// to more than that has not grown by its queue alone.
fn between_points(
    (low, calm, served): (Point, Point, Point),
    tenth: f64,
    most: f64,
) -> Option<f64> {
    if served.over.ln() > SERVED_LG_MAX || served.over <= 1.0 || calm.over >= 1.0 {
        return None;
    }
    let base = BASE_SHARE * calm.over;
    let ratio = (served.over - base) / (calm.over - base);
    let throughput = (ratio * served.load - calm.load) / (ratio - 1.0);
    if throughput > most {
        return None;
    }
    let at_low = base + (calm.over - base) * (throughput - calm.load) / (throughput - low.load);
    let rises = (calm.over / low.over).ln() >= RISE_MIN * (calm.over / at_low).ln();
    // A minute that has more work is slower, and its load is as if it were higher by as much.
    rises.then(|| crossing(throughput, calm, BASE_SHARE, 2.0 * tenth).ln())
}

/// The lowest load level above a calm one at which bad minutes were served.
fn served(shown: &[(Shown, f64)], calm: u8) -> Option<Point> {
    let of = |level: u8| shown.iter().filter(move |(s, _)| s.served.1 > 0 && s.served.0 == level);
    let minutes = |level: u8| of(level).map(|(s, _)| u32::from(s.served.1)).sum::<u32>();
    let levels = shown.iter().filter(|(s, _)| s.served.1 > 0).map(|(s, _)| s.served.0);
    let level = levels.filter(|l| *l > calm && minutes(*l) >= SERVED_MINUTES_MIN).min()?;
    let (mut sum, mut count) = (0.0, 0.0);
    for (s, weight) in of(level) {
        sum += weight * f64::from(s.served.2) / SERVED_SCALE;
        count += weight * f64::from(s.served.1);
    }
    // With the good ones of that level, which are some of those that chance has let through.
    for (s, weight) in shown.iter().filter(|(s, _)| s.levels[HIGH] == level) {
        sum += weight * f64::from(s.lg_over[HIGH]) / LG_SCALE;
        count += weight * f64::from(s.minutes[HIGH]);
    }
    Some(Point { load: load_of_level(level), over: (sum / count).exp() })
}

/// Latency at the lowest loads. It says nothing where the loads that were seen are much alike.
fn low(shown: &[(Shown, f64)], level: u8) -> Option<Point> {
    let mut lows: Vec<&(Shown, f64)> = shown.iter().filter(|s| s.0.minutes[LOW] > 0).collect();
    lows.sort_by_key(|(s, _)| s.levels[LOW]);
    let mut minutes = 0;
    let last = lows.iter().position(|(s, _)| {
        minutes += u32::from(s.minutes[LOW]);
        minutes >= LOW_MINUTES_MIN
    })?;
    let highest = lows[last].0.levels[LOW];
    (highest.saturating_add(LEVELS_APART) <= level).then(|| Point {
        load: load_of_level(highest),
        over: lg_over(lows[..=last].iter().copied(), LOW).exp(),
    })
}

/// How far minutes at equal load scatter, in lg: by the distance of the medians of good minutes in a row.
fn scatter(shown: &[(Shown, f64)]) -> f64 {
    let (sum, count) = shown.iter().fold((0.0, 0.0), |(sum, count), (s, weight)| {
        let (steps, distances) = s.steps;
        (sum + weight * f64::from(distances), count + weight * f64::from(steps))
    });
    if count > 0.0 { sum / count / STEP_SCALE / MEAN_DISTANCE } else { 0.0 }
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
    use super::super::throughput::Pair;
    use super::*;

    fn of(shown: &[(Shown, f64)]) -> Option<Knee> {
        Knee::of(shown.iter().copied(), true, |_| true)
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
        let of = |shown: Shown| of(&[(shown, 0.5)]);
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
        let from = |shown: &[(Shown, f64)]| of(shown).map(|knee| knee.lg_from.exp()).unwrap();
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
    fn a_throughput_below_loads_that_were_fine_is_none() {
        let mut odd = shown(9, 40);
        (0..40).for_each(|_| odd.add_calm(80, -0.1));
        assert_eq!(of(&[(odd, 1.0)]), None);
        let mut incident = Shown::NOTHING;
        (0..9).for_each(|_| incident.add_pair(pair(400.0, None)));
        let alone = of(&[(shown(9, 40), 1.0)]);
        assert!(alone.is_some());
        assert_eq!(of(&[(shown(9, 40), 1.0), (incident, 1.0)]), alone);
    }

    /// A queue with a throughput of 1000: latency at three levels, and how far good minutes scatter.
    fn queue(low_over: f64, scatter: f64) -> Shown {
        let over = |level: u8| 0.1 + 100.0 / (1000.0 - load_of_level(level));
        let mut shown = Shown::NOTHING;
        (0..20).for_each(|_| shown.add_calm(60, low_over.ln()));
        (0..40).for_each(|_| shown.add_calm(67, over(67).ln()));
        (0..5).for_each(|_| shown.add_served(71, over(71).ln()));
        (0..60).for_each(|_| shown.add_step(scatter * MEAN_DISTANCE));
        shown
    }

    #[test]
    fn the_curve_through_a_good_load_and_one_that_was_served_tells_where_it_meets_the_threshold() {
        let at = |low_over: f64, scatter: f64| of(&[(queue(low_over, scatter), 1.0)]);
        let knee = at(0.28, 0.0).unwrap();
        // 0.1 + 100 / (1000 - load) = 1.
        let expected = 1000.0 - 100.0 / 0.9;
        assert!((knee.lg_from.exp() / expected - 1.0).abs() < 0.02, "{knee:?} {expected}");
        assert_eq!((knee.lg_from, knee.throughput()), (knee.lg_to, None));
        let scattering = at(0.28, 0.08).unwrap();
        let lower = (scattering.lg_from - knee.lg_from).exp();
        assert!((0.94..0.99).contains(&lower), "{lower}");
        // Where latency has not begun to rise, it jumps: a limit elsewhere.
        assert_eq!(at(0.37, 0.0), None);
        // Nor by one hiccup, or by what is far beyond the threshold.
        let mut hiccup = queue(0.28, 0.0);
        hiccup.served.1 = 2;
        assert_eq!(of(&[(hiccup, 1.0)]), None);
        let mut far = queue(0.28, 0.0);
        far.served.2 = 5 * 60;
        assert_eq!(of(&[(far, 1.0)]), None);
    }

    #[test]
    fn what_was_served_on_the_way_to_more_than_the_throughput_tells_no_curve() {
        let at = |throughput: f64| {
            let mut queue = queue(0.28, 0.0);
            (0..3).for_each(|_| queue.add_pair(pair(throughput, None)));
            of(&[(queue, 1.0)]).unwrap()
        };
        let curve = at(1100.0);
        assert_eq!(curve.lg_from, curve.lg_to);
        let range = at(900.0);
        assert!(
            range.lg_from < range.lg_to && (range.lg_to.exp() - 900.0).abs() < 1.0,
            "{range:?}"
        );
    }

    #[test]
    fn a_level_at_which_more_than_one_of_ten_minutes_is_bad_is_not_calm() {
        let below = |fine: u8| Knee::of([(shown(3, 30), 1.0)].into_iter(), true, |l| l <= fine);
        assert!(below(67).is_some());
        assert_eq!(below(66), None);
    }
}
