//! What overloads tell of a service: its throughput, and where it serves a load that breaks the objective.
//!
//! While requests arrive faster than they are served, each waits longer than the one before: by
//! load / throughput - 1 minutes more every minute. So two bad minutes in a row measure the
//! throughput, however far above it they are. The first one does so alone, where the next one shows that
//! a queue began in it: the queue was empty, and the median request waited for half of what it came to.
//!
//! Bad minutes in a row whose waits do not grow were served: they show how slow the service is at a load
//! beyond its capacity. What that says of the knee is in [`super::knee`].

use serde::{Deserialize, Serialize};

use super::grid::{LEVEL_RATIO, MinuteIndex};
use super::low_traffic::Observation;

/// `SageMaker` gives up after a minute, and what is given up on makes a queue shorter.
const GIVEN_UP: f64 = 1.0;
/// A wait may grow up to here, in minutes.
const WAIT_MAX: f64 = 50.0 / 60.0;
/// Smaller growth, in minutes a minute, is what varies from minute to minute.
const GROWTH_MIN: f64 = 2.0 / 60.0;
/// Where the load itself rises by more, latency may grow without a queue.
const LOAD_RISE_MAX: f64 = 1.1;
/// A queue that began a minute ago makes requests wait for three times as long a minute later; a limit elsewhere
/// makes them wait for as long.
const GOES_ON: f64 = 2.0;
/// Microseconds in a minute.
const MINUTE_US: f64 = 60e6;
/// An overload is one that was seen to begin: what is slow where telemetry begins may be cold
/// instances, and what has been slow for longer may have another cause.
const BEGAN_WITHIN: MinuteIndex = 60;
/// Steps of a stored logarithm.
pub(super) const LG_SCALE: f64 = 1000.0;
/// 5XX answers are refusals where nobody has waited long enough, in minutes, to be given up on: the shortest
/// limit in wide use, that of gunicorn's workers, is 30 seconds.
const PATIENCE: f64 = 0.5;

/// Follows good and bad minutes as they come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Overload {
    /// The last bad minute.
    last: Last,
    /// The last good one.
    good: Last,
}

/// A minute, its load, and lg of how long its median request took, in microseconds; zero where that is not known.
type Last = (MinuteIndex, f32, f32);

/// How long the median request of a minute took, in minutes.
fn wait(minute: Last) -> f64 {
    if minute.2 > 0.0 { f64::from(minute.2).exp() / MINUTE_US } else { 0.0 }
}

/// What a minute and the one before it show.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    /// Throughput, by the first minute of an overload and by two in a row.
    pub(super) pairs: [Option<Pair>; 2],
    /// The load and the lg (statistic / threshold) of a bad minute that was served.
    pub(super) served: Option<(f64, f64)>,
    /// How far the median of a good minute lies from that of the one before, at the same load, in lg.
    pub(super) step: Option<f64>,
}

/// What two minutes of an overload show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// lg of the throughput.
    pub(super) lg: f64,
    /// Whether requests were refused in the second one; unknown once some may have been given up on.
    pub(super) refused: Option<bool>,
}

impl Overload {
    /// Takes note of a minute.
    pub(super) fn note(&mut self, o: &Observation) -> Seen {
        let before = std::mem::take(&mut self.last);
        let lg_p50 = o.lg_p50.filter(|_| o.span == 1);
        let now = (o.at, o.load as f32, lg_p50.unwrap_or(0.0) as f32);
        if !o.bad {
            let before = std::mem::replace(&mut self.good, now);
            return Seen { step: step(before, now), ..Seen::default() };
        }
        if lg_p50.is_none() {
            return Seen::default();
        }
        self.last = now;
        if before.0 + 1 != o.at || o.at - self.good.0 > BEGAN_WITHIN {
            return Seen::default();
        }
        let (waited, wait) = (wait(before), wait(now));
        let growth = wait - waited;
        let is_served = growth.abs() < GROWTH_MIN && !o.failing;
        let rises = o.load > LOAD_RISE_MAX * f64::from(before.1);
        let pairs = if rises {
            [None; 2]
        } else {
            [self.first(before, waited, wait), pair(o, before, (waited, wait))]
        };
        Seen { pairs, served: is_served.then_some((o.load, o.lg_over)), step: None }
    }

    /// What the first minute of an overload shows, with the wait of the next one.
    fn first(&self, (at, load, _): Last, waited: f64, next: f64) -> Option<Pair> {
        let grown = waited - wait(self.good);
        let goes_on = next >= GOES_ON * waited || next > WAIT_MAX;
        // The last request of the minute waits for twice as long as the median one.
        let counts = self.good.0 + 1 == at && grown >= GROWTH_MIN && 2.0 * grown <= WAIT_MAX;
        let lg = (f64::from(load) / (1.0 + 2.0 * grown)).ln();
        (counts && goes_on).then_some(Pair { lg, refused: None })
    }
}

/// What two bad minutes in a row show while a queue grows.
fn pair(o: &Observation, (_, load, _): Last, (waited, wait): (f64, f64)) -> Option<Pair> {
    let growth = wait - waited;
    // The median request came in the middle of the minute, and the last one waits for longer.
    let longest = wait + growth / 2.0;
    (growth >= GROWTH_MIN && wait <= WAIT_MAX && longest <= GIVEN_UP).then(|| Pair {
        lg: (f64::midpoint(o.load, f64::from(load)) / (1.0 + growth)).ln(),
        refused: (longest <= PATIENCE).then_some(o.failing),
    })
}

/// How far the medians of two good minutes in a row differ, where their loads do not.
fn step(before: Last, now: Last) -> Option<f64> {
    let known = before.0 + 1 == now.0 && before.2 > 0.0 && now.2 > 0.0;
    let ratio = f64::from(now.1 / before.1);
    // Loads within a level of each other are the same.
    let is_same_load = ratio < LEVEL_RATIO && ratio * LEVEL_RATIO > 1.0;
    (known && is_same_load).then(|| f64::from(now.2 - before.2).abs())
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
            lg_load: load.ln(),
            bad,
            failing: false,
            lg_p50,
            lg_over: if bad { 0.2 } else { -0.7 },
        }
    }

    /// What the second of two minutes shows, and the first one by it.
    fn shows(overload: &mut Overload, o: &Observation) -> [Option<f64>; 2] {
        overload.note(o).pairs.map(|pair| pair.map(|pair| pair.lg.exp().round()))
    }

    #[test]
    fn a_queue_that_grows_by_six_seconds_a_minute_gets_a_tenth_too_much() {
        let mut overload = Overload::default();
        let mut shows = |o: &Observation| shows(&mut overload, o)[1];
        assert_eq!(shows(&minute(5, 1100.0, 500.0, true)), None);
        assert_eq!(shows(&minute(6, 1100.0, 6500.0, true)), None, "cold, perhaps");
        assert_eq!(shows(&minute(7, 500.0, 500.0, false)), None);
        assert_eq!(shows(&minute(10, 1100.0, 500.0, true)), None);
        assert_eq!(shows(&minute(11, 1100.0, 6500.0, true)), Some(1000.0));
        // Not over a gap, a good minute, what varies anyway, or what AWS cuts off.
        assert_eq!(shows(&minute(13, 1100.0, 12_500.0, true)), None);
        assert_eq!(shows(&minute(14, 1100.0, 13_000.0, true)), None);
        assert_eq!(shows(&minute(15, 1100.0, 55_000.0, true)), None);
        assert_eq!(shows(&minute(16, 500.0, 500.0, false)), None);
        assert_eq!(shows(&minute(17, 900.0, 500.0, true)), None);
        assert_eq!(shows(&minute(18, 1100.0, 6500.0, true)), None, "the load grew");
        assert_eq!(shows(&minute(20, 1100.0, 6500.0, true)), None);
    }

    /// A good minute and two of an overload by half, the second of which waits for so long.
    fn onset(first: [f64; 2], second: [f64; 2]) -> Option<f64> {
        let mut overload = Overload::default();
        overload.note(&minute(9, 500.0, 100.0, false));
        overload.note(&minute(10, first[0], first[1], true));
        shows(&mut overload, &minute(11, second[0], second[1], true))[0]
    }

    #[test]
    fn the_first_minute_of_an_overload_shows_throughput_where_its_queue_goes_on() {
        // The queue comes to half a minute, for half of which the median request waits.
        assert_eq!(onset([1500.0, 15_100.0], [1500.0, 45_000.0]), Some(1000.0));
        assert_eq!(onset([1500.0, 15_100.0], [1500.0, 60_000.0]), Some(1000.0), "given up on");
        // No limit elsewhere, no burst that began within the minute, nothing near what AWS cuts off.
        assert_eq!(onset([1500.0, 15_100.0], [1500.0, 16_000.0]), None);
        assert_eq!(onset([1000.0, 15_100.0], [1500.0, 45_000.0]), None);
        assert_eq!(onset([2000.0, 30_000.0], [2000.0, 60_000.0]), None);
        let mut overload = Overload::default();
        overload.note(&minute(8, 500.0, 100.0, false));
        overload.note(&minute(10, 1500.0, 15_100.0, true));
        assert_eq!(shows(&mut overload, &minute(11, 1500.0, 45_000.0, true))[0], None, "a gap");
    }

    #[test]
    fn bad_minutes_whose_waits_do_not_grow_were_served() {
        let mut overload = Overload::default();
        overload.note(&minute(9, 500.0, 100.0, false));
        assert_eq!(overload.note(&minute(10, 1100.0, 300.0, true)).served, None, "one alone");
        let seen = overload.note(&minute(11, 1200.0, 310.0, true));
        assert_eq!((seen.served, seen.pairs), (Some((1200.0, 0.2)), [None; 2]));
        let failing = Observation { failing: true, ..minute(12, 1200.0, 300.0, true) };
        assert_eq!(overload.note(&failing).served, None);
        assert_eq!(overload.note(&minute(13, 1200.0, 6500.0, true)).served, None, "a queue");
    }

    #[test]
    fn good_minutes_in_a_row_show_how_far_they_scatter() {
        let mut overload = Overload::default();
        let mut step = |after, load, wait| overload.note(&minute(after, load, wait, false)).step;
        assert_eq!(step(5, 500.0, 100.0), None);
        assert!(step(6, 520.0, 110.0).is_some_and(|step| (step - 1.1_f64.ln()).abs() < 1e-4));
        assert_eq!(step(7, 600.0, 120.0), None, "another load");
        assert_eq!(step(9, 600.0, 120.0), None, "a gap");
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
            overload.note(&minute(11, waits[1])).pairs[1].unwrap().refused
        };
        assert_eq!(refused([1000.0, 7000.0]), Some(true));
        assert_eq!(refused([20_000.0, 26_000.0]), Some(true));
        assert_eq!(refused([22_000.0, 28_000.0]), None);
    }
}
