//! Step 2, regimes: hourly medians of latency by load level, and the rule that finds changes
//! which nobody declared.

use std::collections::VecDeque;

use super::grid::{MinuteIndex, WINDOW, level_of, signed, weighted_median};

/// Load levels kept for an hour: the ones most minutes were at.
const LEVELS_KEPT: usize = 2;
/// Hours in the window, and the one that is just leaving it.
const HOURS_MAX: usize = (WINDOW / 60) as usize + 1;
/// Fewest minutes from which a load level has a usual latency.
const TABLE_MINUTES_MIN: u32 = 5;
/// Fewest minutes from which an hour's shift is known.
const SHIFT_MINUTES_MIN: f64 = 10.0;
/// A shift of the median at equal load beyond this (in lg) is suspicious.
const SHIFT_MAX: f64 = 0.12;
/// As many suspicious hours in a row are a change.
pub(super) const SUSPICIOUS_HOURS: usize = 3;
/// Steps of a stored lg latency: fine enough for 0.1 %, and an hour in microseconds fits.
const LG_SCALE: f64 = 1400.0;

/// One hour of one regime: the median latency at the levels where most minutes were.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Hour {
    pub(super) regime: u8,
    levels: [u8; LEVELS_KEPT],
    minutes: [u8; LEVELS_KEPT],
    bad: [u8; LEVELS_KEPT],
    medians: [i16; LEVELS_KEPT],
}

/// The minutes of an hour at one load level.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtLevel {
    pub(super) level: u8,
    pub(super) minutes: u8,
    pub(super) bad: u8,
    pub(super) lg_p50: f64,
}

impl Hour {
    /// Its load levels.
    pub(super) fn levels(&self) -> impl Iterator<Item = AtLevel> + '_ {
        (0..LEVELS_KEPT).filter(|&i| self.minutes[i] > 0).map(|i| AtLevel {
            level: self.levels[i],
            minutes: self.minutes[i],
            bad: self.bad[i],
            lg_p50: f64::from(self.medians[i]) / LG_SCALE,
        })
    }
}

/// One observation of the hour in progress.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    level: u8,
    span: u8,
    bad: bool,
    lg_p50: i16,
}

/// The hours of the window, and the one in progress.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hours {
    /// The number of the ring's first hour since the epoch.
    first: i64,
    ring: VecDeque<Hour>,
    open_hour: i64,
    open_regime: u8,
    open: Vec<Point>,
    /// The last suspicious hours in a row, with the sign of their shifts.
    suspicious: Vec<(i64, bool)>,
}

/// The usual median latency of a regime by load level.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    medians: Vec<(u8, f64)>,
    /// Minutes it was made from.
    pub(super) minutes: u32,
}

impl Table {
    /// lg of the usual median latency at a load level.
    pub(super) fn at(&self, level: u8) -> Option<f64> {
        self.medians.binary_search_by_key(&level, |m| m.0).ok().map(|i| self.medians[i].1)
    }
}

impl Hours {
    pub(super) fn new() -> Self {
        Self {
            first: 0,
            ring: VecDeque::new(),
            open_hour: i64::MIN,
            open_regime: 0,
            open: Vec::new(),
            suspicious: Vec::new(),
        }
    }

    /// Takes note of an observation. The hour before must have been closed.
    pub(super) fn add(
        &mut self,
        at: MinuteIndex,
        regime: u8,
        span: MinuteIndex,
        load: f64,
        lg_p50: f64,
        bad: bool,
    ) {
        let hour = at.div_euclid(60);
        if hour != self.open_hour || regime != self.open_regime {
            self.close();
            self.open_hour = hour;
            self.open_regime = regime;
        }
        let lg_p50 = (lg_p50 * LG_SCALE).round().clamp(-32_000.0, 32_000.0) as i16;
        self.open.push(Point { level: level_of(load), span: span as u8, bad, lg_p50 });
    }

    /// Closes the hour in progress if it lies before `hour`. When that completes a run of
    /// suspicious hours, answers with the first minute of the run.
    pub(super) fn close_before(&mut self, hour: i64) -> Option<MinuteIndex> {
        if self.open.is_empty() || self.open_hour >= hour {
            return None;
        }
        let begun = self.suspect();
        self.close();
        begun
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let summary = summarise(self.open_regime, &mut self.open);
        self.open.clear();
        if self.ring.is_empty() {
            self.first = self.open_hour;
        }
        let end = self.first + signed(self.ring.len());
        if self.open_hour >= end + signed(HOURS_MAX) {
            self.ring.clear();
            self.first = self.open_hour;
        }
        while self.first + signed(self.ring.len()) <= self.open_hour {
            self.ring.push_back(Hour::default());
        }
        if let Some(hour) = self.ring.get_mut((self.open_hour - self.first) as usize) {
            *hour = summary;
        }
        self.forget(self.open_hour + 1);
    }

    /// Forgets hours that have left the window.
    pub(super) fn forget(&mut self, hour: i64) {
        let oldest = hour - WINDOW / 60;
        while self.first < oldest && self.ring.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// The closed hours of a regime with their numbers.
    pub(super) fn of(&self, regime: u8) -> impl Iterator<Item = (i64, &Hour)> {
        let numbered = (self.first..).zip(&self.ring);
        numbered.filter(move |(_, hour)| hour.regime == regime && hour.minutes[0] > 0)
    }

    /// The hour in progress as if it ended now, with all of its load levels.
    pub(super) fn in_progress(&self, regime: u8) -> Vec<AtLevel> {
        if self.open_regime == regime { by_level(&mut self.open.clone()) } else { Vec::new() }
    }

    /// The usual latencies of a regime from its hours before `until`.
    pub(super) fn table(&self, regime: u8, until: i64) -> Table {
        let mut entries: Vec<(u8, i16, u8)> = Vec::new();
        for (_, hour) in self.of(regime).filter(|(number, _)| *number < until) {
            for i in 0..LEVELS_KEPT {
                if hour.minutes[i] > 0 {
                    entries.push((hour.levels[i], hour.medians[i], hour.minutes[i]));
                }
            }
        }
        entries.sort_unstable();
        let mut table = Table::default();
        for level in entries.chunk_by(|a, b| a.0 == b.0) {
            let minutes: u32 = level.iter().map(|e| u32::from(e.2)).sum();
            table.minutes += minutes;
            let mut below = 0;
            let median = level.iter().find(|e| {
                below += u32::from(e.2);
                2 * below >= minutes
            });
            if let Some(median) = median.filter(|_| minutes >= TABLE_MINUTES_MIN) {
                table.medians.push((median.0, f64::from(median.1) / LG_SCALE));
            }
        }
        table
    }

    /// Judges the hour that is being closed; answers with the begin of a completed run.
    fn suspect(&mut self) -> Option<MinuteIndex> {
        // The run itself must not take part in what it is compared with.
        let table = self.table(self.open_regime, self.open_hour - (signed(SUSPICIOUS_HOURS) - 1));
        let mut shifts: Vec<(f64, f64)> = Vec::new();
        for point in &self.open {
            if let Some(usual) = table.at(point.level) {
                let shift = f64::from(point.lg_p50) / LG_SCALE - usual;
                shifts.push((shift, f64::from(point.span)));
            }
        }
        let minutes: f64 = shifts.iter().map(|s| s.1).sum();
        let shift = weighted_median(&mut shifts).filter(|_| minutes >= SHIFT_MINUTES_MIN);
        let Some(shift) = shift.filter(|s| s.abs() > SHIFT_MAX) else {
            self.suspicious.clear();
            return None;
        };
        let slower = shift > 0.0;
        let continues = |&(hour, sign): &(i64, bool)| hour + 1 == self.open_hour && sign == slower;
        if !self.suspicious.last().is_some_and(continues) {
            self.suspicious.clear();
        }
        self.suspicious.push((self.open_hour, slower));
        if self.suspicious.len() > SUSPICIOUS_HOURS {
            self.suspicious.remove(0);
        }
        (self.suspicious.len() == SUSPICIOUS_HOURS).then(|| self.suspicious[0].0 * 60)
    }

    /// Hands all closed hours from `from` on to another regime.
    pub(super) fn reassign(&mut self, from: MinuteIndex, old: u8, new: u8) {
        let first = self.first;
        for (i, hour) in self.ring.iter_mut().enumerate() {
            if hour.regime == old && (first + signed(i)) * 60 >= from {
                hour.regime = new;
            }
        }
        if self.open_regime == old && self.open_hour * 60 >= from {
            self.open_regime = new;
        }
        self.suspicious.clear();
    }

    /// A change of regime ends any run of suspicious hours.
    pub(super) fn clear_suspicion(&mut self) {
        self.suspicious.clear();
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.ring.len() * size_of::<Hour>()
            + self.open.capacity() * size_of::<Point>()
            + self.suspicious.capacity() * size_of::<(i64, bool)>()
    }
}

/// The load levels of some points, each with its median.
fn by_level(points: &mut [Point]) -> Vec<AtLevel> {
    points.sort_unstable_by_key(|p| (p.level, p.lg_p50));
    let mut levels = Vec::new();
    for level in points.chunk_by(|a, b| a.level == b.level) {
        let minutes: u32 = level.iter().map(|p| u32::from(p.span)).sum();
        let bad: u32 = level.iter().filter(|p| p.bad).map(|p| u32::from(p.span)).sum();
        let mut below = 0;
        let median = level.iter().find(|p| {
            below += u32::from(p.span);
            2 * below >= minutes
        });
        if let Some(median) = median {
            levels.push(AtLevel {
                level: median.level,
                minutes: minutes.min(255) as u8,
                bad: bad.min(255) as u8,
                lg_p50: f64::from(median.lg_p50) / LG_SCALE,
            });
        }
    }
    levels
}

/// The levels with most minutes.
fn summarise(regime: u8, points: &mut [Point]) -> Hour {
    let mut levels = by_level(points);
    levels.sort_by_key(|l| (std::cmp::Reverse(l.minutes), l.level));
    let mut hour = Hour { regime, ..Hour::default() };
    for (i, level) in levels.iter().take(LEVELS_KEPT).enumerate() {
        hour.levels[i] = level.level;
        hour.minutes[i] = level.minutes;
        hour.bad[i] = level.bad;
        hour.medians[i] = (level.lg_p50 * LG_SCALE).round() as i16;
    }
    hour
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(hours: &mut Hours, from_hour: i64, count: i64, p50_ms: f64) -> Option<MinuteIndex> {
        let mut found = None;
        for minute in from_hour * 60..(from_hour + count) * 60 {
            found = found.or(hours.close_before(minute.div_euclid(60)));
            let load = 500.0 + 100.0 * ((minute % 7) as f64);
            hours.add(minute, 1, 1, load, (p50_ms * 1000.0).ln(), false);
        }
        found.or(hours.close_before(from_hour + count))
    }

    #[test]
    fn three_slower_hours_are_a_change_that_began_with_the_first() {
        let mut hours = Hours::new();
        assert_eq!(feed(&mut hours, 1000, 30, 20.0), None);
        assert_eq!(feed(&mut hours, 1030, 2, 24.0), None);
        assert_eq!(feed(&mut hours, 1032, 1, 24.0), Some(1030 * 60));
    }

    #[test]
    fn two_slower_hours_or_a_small_shift_are_none() {
        let mut hours = Hours::new();
        assert_eq!(feed(&mut hours, 1000, 30, 20.0), None);
        assert_eq!(feed(&mut hours, 1030, 2, 24.0), None);
        assert_eq!(feed(&mut hours, 1032, 10, 22.0), None);
    }

    #[test]
    fn hours_leave_the_window() {
        let mut hours = Hours::new();
        feed(&mut hours, 1000, 400, 20.0);
        assert_eq!(hours.of(1).count(), 336);
        assert_eq!(size_of::<Hour>(), 12);
    }
}
