//! Low traffic: a minute with 20 requests has no p99, so the walk over the minutes pools five or
//! fifteen of them where a minute is too thin, and smooths the load of single minutes of few requests.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::estimate::DropReason;

use super::filter::{Reading, count_tolerance, unusable};
use super::grid::{DAY, MinuteIndex, signed};
use super::throughput::LG_SCALE;

/// Fewest requests in a pooled period. The 10 % crossing depends on how many are pooled, and 100
/// to 300 keep one meaning of capacity.
const POOLED_REQUESTS_MIN: f64 = 100.0;
/// Above this many requests a minute's own load is exact enough.
const SMOOTHED_REQUESTS_MAX: f32 = 400.0;
/// What the rate of requests may vary within a period, beside chance: a tenth moves no percentile far,
/// and real arrivals vary by more than chance.
const RATE_SPREAD: f64 = 0.1;
/// The 1 % point of a standard normal distribution: one steady period of a hundred is taken for unsteady.
const Z_1: f64 = 2.326;
/// Responses slower than this (lg of 5 s in microseconds) lag the load that caused them.
const SLOW_LG_P50: f32 = 15.424_949;
/// Minutes that are remembered behind the cursor and ahead of it.
const BEHIND: MinuteIndex = 15;
/// A gap longer than this restarts the walk.
const GAP_MAX: MinuteIndex = 60;

/// A period that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observation {
    pub(super) at: MinuteIndex,
    pub(super) span: MinuteIndex,
    pub(super) load: f64,
    pub(super) lg_load: f64,
    pub(super) bad: bool,
    /// Whether 5XX answers broke the objective.
    pub(super) failing: bool,
    pub(super) lg_p50: Option<f64>,
    pub(super) lg_over: f64,
}

/// What became of one or more minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// They are evidence.
    Used(Observation),
    /// They are not; if they could be judged all the same, what they would have been.
    Dropped { at: MinuteIndex, minutes: u32, reason: DropReason, judged: Option<Observation> },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    reading: Option<Reading>,
    cold: bool,
    excluded: bool,
}

/// The walk: minutes go in, periods come out in time order, at most 30 minutes later.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Walk {
    first: MinuteIndex,
    cells: VecDeque<Cell>,
    cursor: MinuteIndex,
    longs: Vec<Reading>,
    last_long: Option<MinuteIndex>,
    bare_until: MinuteIndex,
}

impl Walk {
    fn end(&self) -> MinuteIndex {
        self.first + signed(self.cells.len())
    }

    /// The next minute, with its reading if it has one.
    pub(super) fn push(
        &mut self,
        at: MinuteIndex,
        reading: Option<Reading>,
        (cold, excluded): (bool, bool),
        min_requests: f64,
        out: &mut Vec<Step>,
    ) {
        if self.cells.is_empty() || at - self.end() > GAP_MAX {
            self.restart(at, out);
        }
        while self.end() < at {
            self.cells.push_back(Cell { reading: None, cold: false, excluded });
        }
        self.cells.push_back(Cell { reading, cold, excluded });
        self.advance(min_requests, out);
    }

    fn restart(&mut self, at: MinuteIndex, out: &mut Vec<Step>) {
        let lost = if self.cells.is_empty() { 0 } else { at - self.cursor };
        if lost > 0 {
            let minutes = u32::try_from(lost).unwrap_or(u32::MAX);
            let reason = DropReason::Missing;
            out.push(Step::Dropped { at: self.cursor, minutes, reason, judged: None });
        }
        self.cells.clear();
        self.longs.clear();
        self.first = at;
        self.cursor = at;
    }

    /// A period of five or fifteen minutes, when it is over.
    pub(super) fn push_long(
        &mut self,
        reading: Reading,
        (cold, excluded): (bool, bool),
        out: &mut Vec<Step>,
    ) {
        self.last_long = Some(reading.at() + reading.span());
        if self.end() > reading.at() {
            self.longs.push(reading);
            return;
        }
        // Metrics are published this seldom: there are no minutes to judge it by.
        if reading.at() < self.bare_until {
            return;
        }
        let minutes = reading.span() as u32;
        match (unusable(Some(&reading), cold, excluded, POOLED_REQUESTS_MIN), reading.bad) {
            (None, Some(bad)) => {
                self.bare_until = reading.at() + reading.span();
                out.push(Step::Used(observation(&reading, f64::from(reading.load), bad)));
            }
            (reason, _) => {
                let reason = reason.unwrap_or(DropReason::Missing);
                out.push(Step::Dropped { at: reading.at(), minutes, reason, judged: None });
            }
        }
    }

    fn pools(&self, at: MinuteIndex) -> bool {
        self.last_long.is_some_and(|end| at - end < DAY)
    }

    fn advance(&mut self, min_requests: f64, out: &mut Vec<Step>) {
        while self.cursor < self.end() {
            let at = self.cursor;
            let pools = self.pools(at);
            let min = if pools { POOLED_REQUESTS_MIN } else { min_requests };
            let Some(cell) = self.cell(at) else { break };
            let reason = unusable(cell.reading.as_ref(), cell.cold, cell.excluded, min);
            let step = match (reason, cell.reading) {
                (None, Some(reading)) => self.single(&reading),
                (Some(reason), reading) if pools && reason == DropReason::FewRequests => {
                    self.pooled(at, reading)
                }
                (reason, reading) => Some(dropped(at, reason, reading)),
            };
            let Some(step) = step else { break };
            self.cursor += match step {
                Step::Used(observation) => observation.span,
                Step::Dropped { minutes, .. } => i64::from(minutes),
            };
            out.push(step);
        }
        while self.first < self.cursor - BEHIND && self.cells.pop_front().is_some() {
            self.first += 1;
        }
        let cursor = self.cursor;
        self.longs.retain(|long| long.at() >= cursor);
    }

    fn cell(&self, at: MinuteIndex) -> Option<&Cell> {
        usize::try_from(at - self.first).ok().and_then(|i| self.cells.get(i))
    }

    /// A minute with enough requests of its own; `None` while its neighbours are not there yet.
    fn single(&self, reading: &Reading) -> Option<Step> {
        let at = reading.at();
        let own = f64::from(reading.load);
        let bad = reading.bad?;
        if reading.lg_p50.is_some_and(|p50| p50 > SLOW_LG_P50) {
            let steady = self.window(at - 2, at + 1).filter(Window::is_steady);
            return Some(match steady {
                Some(window) => Step::Used(observation(reading, window.load, bad)),
                None => dropped(at, Some(DropReason::Unsteady), Some(*reading)),
            });
        }
        if reading.requests > SMOOTHED_REQUESTS_MAX {
            return Some(Step::Used(observation(reading, own, bad)));
        }
        if self.end() < at + 2 {
            return None;
        }
        Some(Step::Used(observation(reading, self.smoothed(reading, own), bad)))
    }

    /// A thin minute: the first longer period from here that has enough requests and is steady.
    fn pooled(&self, at: MinuteIndex, reading: Option<Reading>) -> Option<Step> {
        for span in [5, 15] {
            if at.rem_euclid(span) != 0 {
                continue;
            }
            if self.end() < at + 2 * span {
                return None;
            }
            let long = self.longs.iter().find(|l| l.at() == at && l.span() == span);
            let Some(long) = long else { continue };
            let Some(bad) = long.bad else { continue };
            let enough = f64::from(long.requests) >= POOLED_REQUESTS_MIN && long.load > 0.0;
            let clean = (at..at + span).all(|t| {
                self.cell(t).is_some_and(|c| c.reading.is_some() && !c.cold && !c.excluded)
            });
            let steady = self.window(at, at + span).filter(Window::is_steady);
            // Its own load, which is what it had to serve. Neighbours are no help: a burst is three periods
            // long, and near capacity most periods are at the edge of one.
            if let Some(window) = steady.filter(|_| enough && clean) {
                return Some(Step::Used(observation(long, window.load, bad)));
            }
        }
        Some(dropped(at, Some(DropReason::FewRequests), reading))
    }

    /// The load of a minute with few requests: the mean over it and its neighbours where they are of
    /// one piece, else its own.
    fn smoothed(&self, minute: &Reading, own: f64) -> f64 {
        let Some(wide) = self.window(minute.at() - 1, minute.at() + 2).filter(Window::is_steady)
        else {
            return own;
        };
        let requests = f64::from(minute.requests);
        let allowed = 2.5 * requests.sqrt();
        if (wide.requests_mean - requests).abs() <= allowed { wide.load } else { own }
    }

    /// Minutes `from..to`, if all are there with the same instance count.
    fn window(&self, from: MinuteIndex, to: MinuteIndex) -> Option<Window> {
        let first = self.cell(from)?.reading?;
        let (mut requests, mut squares, mut load) = (0.0, 0.0, 0.0);
        for at in from..to {
            let reading = self.cell(at)?.reading?;
            if (reading.instances - first.instances).abs() > 2.0 * count_tolerance(&reading) {
                return None;
            }
            let own = f64::from(reading.requests);
            requests += own;
            squares += own * own;
            load += f64::from(reading.load);
        }
        let minutes = (to - from) as f64;
        let requests_mean = requests / minutes;
        let off_squares = squares - requests * requests_mean;
        Some(Window { minutes, requests_mean, off_squares, load: load / minutes })
    }

    pub(super) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<Cell>() + self.longs.capacity() * size_of::<Reading>()
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    minutes: f64,
    requests_mean: f64,
    /// Sum of the squares of the minutes' distances from the mean.
    off_squares: f64,
    load: f64,
}

impl Window {
    /// Whether the requests vary no more than by chance and a little: the index of dispersion of counts,
    /// which has a chi-squared distribution. The highest minute alone would do worse: a burst that begins
    /// within a period leaves no minute far above the mean, and its requests are served at a load that the
    /// period's mean does not show.
    fn is_steady(&self) -> bool {
        let variance = self.requests_mean + (RATE_SPREAD * self.requests_mean).powi(2);
        let freedom = self.minutes - 1.0;
        // Wilson and Hilferty's approximation of the 99 % point, within 0.3 % here.
        let part = 2.0 / (9.0 * freedom);
        let expected_at_most = freedom * (1.0 - part + Z_1 * part.sqrt()).powi(3);
        self.off_squares <= expected_at_most * variance
    }
}

fn observation(reading: &Reading, load: f64, bad: bool) -> Observation {
    let lg_p50 = reading.lg_p50.map(f64::from);
    let lg_over = f64::from(reading.lg_over) / LG_SCALE;
    Observation {
        at: reading.at(),
        span: reading.span(),
        load,
        lg_load: load.ln(),
        bad,
        failing: reading.failing,
        lg_p50,
        lg_over,
    }
}

fn dropped(at: MinuteIndex, reason: Option<DropReason>, reading: Option<Reading>) -> Step {
    let reason = reason.unwrap_or(DropReason::Missing);
    let judged = reading.and_then(|r| Some(observation(&r, f64::from(r.load), r.bad?)));
    Step::Dropped { at, minutes: 1, reason, judged }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: MinuteIndex, span: MinuteIndex, requests: f32) -> Reading {
        let load = requests / span as f32;
        Reading {
            first: at as i32,
            minutes: span as i32,
            requests,
            load,
            instances: 1.0,
            lg_p50: None,
            lg_over: -1000,
            bad: Some(false),
            failing: false,
        }
    }

    fn walk(minutes: &[f32], longs: &[MinuteIndex]) -> Vec<Step> {
        let mut walk = Walk::default();
        let mut out = Vec::new();
        for (at, &requests) in (0..).zip(minutes) {
            walk.push(at, Some(reading(at, 1, requests)), (false, false), 100.0, &mut out);
            for &span in longs {
                if (at + 1) % span == 0 {
                    let from = (at + 1 - span) as usize;
                    let sum = minutes[from..=at as usize].iter().sum();
                    let long = reading(at + 1 - span, span, sum);
                    walk.push_long(long, (false, false), &mut out);
                }
            }
        }
        out
    }

    fn used(steps: &[Step]) -> Vec<(MinuteIndex, MinuteIndex)> {
        let used = steps.iter().filter_map(|s| match s {
            Step::Used(o) => Some((o.at, o.span)),
            Step::Dropped { .. } => None,
        });
        used.collect()
    }

    #[test]
    fn busy_minutes_are_used_one_by_one_at_once() {
        assert_eq!(used(&walk(&[900.0; 5], &[])), (0..5).map(|t| (t, 1)).collect::<Vec<_>>());
    }

    #[test]
    fn thin_minutes_are_pooled_by_five_and_very_thin_ones_by_fifteen() {
        let five = used(&walk(&[30.0; 60], &[5, 15]));
        assert!(five.len() >= 9 && five.iter().all(|u| u.1 == 5), "{five:?}");
        let fifteen = used(&walk(&[8.0; 90], &[5, 15]));
        assert!(fifteen.len() >= 3 && fifteen.iter().all(|u| u.1 == 15), "{fifteen:?}");
    }

    #[test]
    fn without_longer_periods_thin_minutes_are_dropped() {
        let steps = walk(&[30.0; 10], &[]);
        assert!(
            steps
                .iter()
                .all(|s| matches!(s, Step::Dropped { reason: DropReason::FewRequests, .. }))
        );
    }

    #[test]
    fn an_unsteady_period_is_not_pooled() {
        let mut minutes = [20.0; 60];
        for burst in minutes.iter_mut().step_by(5) {
            *burst = 90.0;
        }
        assert!(used(&walk(&minutes, &[5])).is_empty());
    }

    #[test]
    fn a_period_in_which_a_burst_begins_is_not_pooled_and_those_around_it_keep_their_own_load() {
        // From 25 to 60 requests a minute two minutes into the third period, and back in the sixth.
        let minutes: Vec<f32> = (0..60)
            .map(|t| if (12..27).contains(&t) { 60.0 } else { 25.0 } + (t % 3) as f32)
            .collect();
        let steps = walk(&minutes, &[5]);
        let periods = used(&steps);
        assert!(periods.contains(&(5, 5)) && periods.contains(&(15, 5)), "{periods:?}");
        assert!(!periods.contains(&(10, 5)) && !periods.contains(&(25, 5)), "{periods:?}");
        for step in &steps {
            let Step::Used(o) = step else { continue };
            let own = minutes[o.at as usize..][..5].iter().sum::<f32>() / 5.0;
            assert!((o.load - f64::from(own)).abs() < 1e-3, "{o:?}");
        }
    }

    #[test]
    fn chance_leaves_ninety_nine_periods_of_a_hundred_steady() {
        let mut state = 7_u64;
        let mut uniform = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        // 30 requests a minute at random.
        let mut poisson = || {
            let (mut count, mut product) = (0.0_f64, uniform());
            while product > (-30.0_f64).exp() {
                count += 1.0;
                product *= uniform();
            }
            count
        };
        for (minutes, most) in [(3_usize, 0.02), (5, 0.02), (15, 0.02)] {
            let unsteady = (0..2000).filter(|_| {
                let counts: Vec<f64> = (0..minutes).map(|_| poisson()).collect();
                let requests_mean = counts.iter().sum::<f64>() / minutes as f64;
                let off_squares = counts.iter().map(|n| (n - requests_mean).powi(2)).sum();
                let window = Window {
                    minutes: minutes as f64,
                    requests_mean,
                    off_squares,
                    load: requests_mean,
                };
                !window.is_steady()
            });
            let share = unsteady.count() as f64 / 2000.0;
            assert!(share < most, "{minutes} minutes: {share}");
        }
    }

    #[test]
    fn a_long_gap_is_missing_minutes() {
        let mut walk = Walk::default();
        let mut out = Vec::new();
        for at in [0, 1, 500] {
            walk.push(at, Some(reading(at, 1, 900.0)), (false, false), 100.0, &mut out);
        }
        assert!(
            out.iter().any(|s| matches!(
                s,
                Step::Dropped { minutes: 498, reason: DropReason::Missing, .. }
            ))
        );
    }
}
