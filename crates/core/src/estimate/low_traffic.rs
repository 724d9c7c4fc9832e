//! Low traffic: a minute with 20 requests has no p99, so the walk over the minutes pools five or
//! fifteen of them where a minute is too thin, and smooths the load where few requests make it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::estimate::DropReason;

use super::filter::{Reading, count_tolerance, unusable};
use super::grid::{DAY, MinuteIndex, signed};
use super::throughput::LG_SCALE;

/// Fewest requests in a pooled period. The 10 % crossing depends on how many are pooled, and 100
/// to 300 keep one meaning of capacity.
const POOLED_REQUESTS_MIN: f64 = 100.0;
/// Above this many requests a period's own load is exact enough.
const SMOOTHED_REQUESTS_MAX: f32 = 400.0;
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
    pub(super) bad: bool,
    pub(super) lg_p50: Option<f64>,
    pub(super) lg_over: f64,
}

/// What became of one or more minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// They are evidence.
    Used(Observation),
    /// They are not; if they could be judged all the same, their load and whether it was bad.
    Dropped { at: MinuteIndex, minutes: u32, reason: DropReason, judged: Option<(f64, bool)> },
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
        self.last_long = Some(reading.at + reading.span);
        if self.end() > reading.at {
            self.longs.push(reading);
            return;
        }
        // Metrics are published this seldom: there are no minutes to judge it by.
        if reading.at < self.bare_until {
            return;
        }
        let minutes = reading.span as u32;
        match (unusable(Some(&reading), cold, excluded, POOLED_REQUESTS_MIN), reading.bad) {
            (None, Some(bad)) => {
                self.bare_until = reading.at + reading.span;
                out.push(Step::Used(observation(&reading, f64::from(reading.load), bad)));
            }
            (reason, _) => {
                let reason = reason.unwrap_or(DropReason::Missing);
                out.push(Step::Dropped { at: reading.at, minutes, reason, judged: None });
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
        self.longs.retain(|long| long.at >= cursor);
    }

    fn cell(&self, at: MinuteIndex) -> Option<&Cell> {
        usize::try_from(at - self.first).ok().and_then(|i| self.cells.get(i))
    }

    /// A minute with enough requests of its own; `None` while its neighbours are not there yet.
    fn single(&self, reading: &Reading) -> Option<Step> {
        let at = reading.at;
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
            let long = self.longs.iter().find(|l| l.at == at && l.span == span);
            let Some(long) = long else { continue };
            let Some(bad) = long.bad else { continue };
            let enough = f64::from(long.requests) >= POOLED_REQUESTS_MIN && long.load > 0.0;
            let clean = (at..at + span).all(|t| {
                self.cell(t).is_some_and(|c| c.reading.is_some() && !c.cold && !c.excluded)
            });
            let steady = self.window(at, at + span).filter(Window::is_steady);
            if let Some(window) = steady.filter(|_| enough && clean) {
                let load = self.smoothed(long, window.load);
                return Some(Step::Used(observation(long, load, bad)));
            }
        }
        Some(dropped(at, Some(DropReason::FewRequests), reading))
    }

    /// The load of a period with few requests: the mean over it and its neighbours where they
    /// are of one piece, else its own.
    fn smoothed(&self, period: &Reading, own: f64) -> f64 {
        if period.requests > SMOOTHED_REQUESTS_MAX {
            return own;
        }
        let (at, span) = (period.at, period.span);
        let Some(wide) = self.window(at - span, at + 2 * span).filter(Window::is_steady) else {
            return own;
        };
        let mean = f64::from(period.requests) / span as f64;
        let allowed = 2.5 * (mean / span as f64).sqrt();
        if (wide.requests_mean - mean).abs() <= allowed { wide.load } else { own }
    }

    /// Minutes `from..to`, if all are there with the same instance count.
    fn window(&self, from: MinuteIndex, to: MinuteIndex) -> Option<Window> {
        let first = self.cell(from)?.reading?;
        let (mut requests, mut load, mut requests_max) = (0.0, 0.0, 0.0_f64);
        for at in from..to {
            let reading = self.cell(at)?.reading?;
            if (reading.instances - first.instances).abs() > 2.0 * count_tolerance(&reading) {
                return None;
            }
            requests += f64::from(reading.requests);
            load += f64::from(reading.load);
            requests_max = requests_max.max(f64::from(reading.requests));
        }
        let minutes = (to - from) as f64;
        Some(Window { requests_mean: requests / minutes, requests_max, load: load / minutes })
    }

    pub(super) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<Cell>() + self.longs.capacity() * size_of::<Reading>()
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    requests_mean: f64,
    requests_max: f64,
    load: f64,
}

impl Window {
    /// Whether the requests vary no more than by chance and a little.
    fn is_steady(&self) -> bool {
        self.requests_max <= 1.2 * self.requests_mean + 2.0 * self.requests_mean.sqrt()
    }
}

fn observation(reading: &Reading, load: f64, bad: bool) -> Observation {
    let lg_p50 = reading.lg_p50.map(f64::from);
    let lg_over = f64::from(reading.lg_over) / LG_SCALE;
    Observation { at: reading.at, span: reading.span, load, bad, lg_p50, lg_over }
}

fn dropped(at: MinuteIndex, reason: Option<DropReason>, reading: Option<Reading>) -> Step {
    let reason = reason.unwrap_or(DropReason::Missing);
    let judged = reading.and_then(|r| Some((f64::from(r.load), r.bad?)));
    Step::Dropped { at, minutes: 1, reason, judged }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: MinuteIndex, span: MinuteIndex, requests: f32) -> Reading {
        let load = requests / span as f32;
        Reading {
            at,
            span,
            requests,
            load,
            instances: 1.0,
            lg_p50: None,
            lg_over: -1000,
            bad: Some(false),
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
