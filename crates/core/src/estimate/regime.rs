//! Step 2, regimes: hourly medians of latency by load level, and the rule that finds changes
//! which nobody declared.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::grid::{MinuteIndex, WINDOW, nearest, signed};
use super::usual::{Table, Usual};

/// Load levels kept for an hour: the ones most minutes were at.
const LEVELS_KEPT: usize = 2;
/// Hours in the window, and the one that is just leaving it.
const HOURS_MAX: usize = (WINDOW / 60) as usize + 1;
/// Fewest minutes from which an hour's shift is known.
const SHIFT_MINUTES_MIN: u32 = 10;
/// A shift of the median at equal load beyond this (in lg) is suspicious.
const SHIFT_MAX: f64 = 0.12;
/// As many suspicious hours in a row are a change.
const SUSPICIOUS_HOURS: usize = 3;
/// Fewest minutes from which a quarter-hour's shift is known.
const QUARTER_MINUTES_MIN: u32 = 5;
/// A shift of a quarter-hour beyond this is suspicious: it has fewer minutes than an hour.
pub(super) const QUARTER_SHIFT_MAX: f64 = 0.20;
/// As many suspicious quarter-hours in a row are a change. Three of ten minutes would find one
/// sooner, but half an hour's incident would pass for one.
const SUSPICIOUS_QUARTERS: usize = 4;
/// Whole hours before the one in progress that a run may reach back to.
const RUN_HOURS: i64 = 2;
/// Steps of a stored lg latency: fine enough for 0.1 %, and an hour in microseconds fits.
pub(super) const LG_SCALE: f64 = 1400.0;

/// One hour of one regime: the median latency at the levels where most minutes were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hour {
    pub(super) regime: u8,
    pub(super) levels: [u8; LEVELS_KEPT],
    pub(super) minutes: [u8; LEVELS_KEPT],
    pub(super) bad: [u8; LEVELS_KEPT],
    pub(super) medians: [i16; LEVELS_KEPT],
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
    /// Its load levels, each with its minutes.
    pub(super) fn minutes_by_level(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        (0..LEVELS_KEPT).filter(|&i| self.minutes[i] > 0).map(|i| (self.levels[i], self.minutes[i]))
    }

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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    level: u8,
    /// The minutes it stands for (at most 15), its quarter of the hour, and whether it broke the
    /// objective: every byte is there for each minute of thousands of variants.
    packed: u8,
    lg_p50: i16,
}

impl Point {
    fn new(level: u8, span: MinuteIndex, quarter: u8, bad: bool, lg_p50: i16) -> Self {
        let packed = span.clamp(0, 15) as u8 | quarter << 4 | u8::from(bad) << 6;
        Self { level, packed, lg_p50 }
    }

    const fn span(self) -> u8 {
        self.packed & 0xF
    }

    const fn quarter(self) -> u8 {
        (self.packed >> 4) & 0b11
    }

    const fn bad(self) -> bool {
        self.packed >> 6 == 1
    }
}

/// A completed run of suspicious hours or quarter-hours: a change of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first suspicious minute.
    pub(super) from: MinuteIndex,
    /// The full hour from which on all is of the new regime.
    pub(super) begin: MinuteIndex,
    /// Whether the service became slower.
    pub(super) slower: bool,
}

/// Suspicious pieces of time in a row, by number, all shifted to the same side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Streak {
    last: i64,
    length: u8,
    slower: bool,
}

impl Streak {
    /// Takes note of whether a piece is slower, if it is suspicious; answers with the first piece when
    /// `needed` are in a row.
    fn note(&mut self, number: i64, slower: Option<bool>, needed: usize) -> Option<i64> {
        let Some(slower) = slower else {
            self.length = 0;
            return None;
        };
        let continues = self.length > 0 && self.last + 1 == number && self.slower == slower;
        self.length = if continues { self.length.saturating_add(1) } else { 1 };
        self.last = number;
        self.slower = slower;
        (usize::from(self.length) >= needed).then(|| number + 1 - signed(needed))
    }
}

/// The hours of the window, and the one in progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    /// The number of the ring's first hour since the epoch.
    first: i64,
    #[serde(with = "super::at_rest::hours")]
    ring: VecDeque<Hour>,
    open_hour: i64,
    open_regime: u8,
    open: Vec<Point>,
    suspicious: Streak,
    suspicious_quarters: Streak,
    /// Whether quarter-hours are judged.
    by_quarters: bool,
    /// What the hour in progress and its quarters are compared with, while that is the same.
    usual: Option<Box<Usual>>,
}

impl Hours {
    pub(super) fn new(by_quarters: bool) -> Self {
        Self {
            by_quarters,
            first: 0,
            ring: VecDeque::new(),
            open_hour: i64::MIN,
            open_regime: 0,
            open: Vec::new(),
            suspicious: Streak::default(),
            suspicious_quarters: Streak::default(),
            usual: None,
        }
    }

    /// Takes note of an observation. The hour before must have been closed.
    pub(super) fn add(
        &mut self,
        at: MinuteIndex,
        regime: u8,
        span: MinuteIndex,
        (level, lg_p50): (u8, f64),
        bad: bool,
    ) {
        let hour = at.div_euclid(60);
        if hour != self.open_hour || regime != self.open_regime {
            self.close();
            self.open_hour = hour;
            self.open_regime = regime;
        }
        let lg_p50 = nearest((lg_p50 * LG_SCALE).clamp(-32_000.0, 32_000.0)) as i16;
        let quarter = (at.rem_euclid(60) / 15) as u8;
        self.open.push(Point::new(level, span, quarter, bad, lg_p50));
    }

    /// Closes the quarter-hour and the hour in progress if they lie before the minute `at`.
    /// Answers with the run of suspicious ones that this completes.
    pub(super) fn close_before(&mut self, at: MinuteIndex) -> Option<Run> {
        let quarter = self.open.last()?.quarter();
        let run = if self.open_hour * 4 + i64::from(quarter) < at.div_euclid(15) {
            self.suspect_quarter(quarter)
        } else {
            None
        };
        if self.open_hour >= at.div_euclid(60) {
            return run;
        }
        let by_hours = self.suspect();
        self.close();
        run.or(by_hours)
    }

    fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let summary = summarise(self.open_regime, &mut self.open);
        // It is made from hours that are over.
        let open_hour = self.open_hour;
        self.usual.take_if(|usual| open_hour < usual.until);
        self.open.clear();
        if self.ring.is_empty() {
            self.first = self.open_hour;
        }
        let end = self.first + signed(self.ring.len());
        if self.open_hour >= end + signed(HOURS_MAX) {
            self.ring.clear();
            self.usual = None;
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
        let mut gone = Vec::new();
        while self.first < oldest
            && let Some(hour) = self.ring.pop_front()
        {
            gone.push(hour);
            self.first += 1;
        }
        if gone.is_empty() {
            return;
        }
        let Some(mut usual) = self.usual.take().filter(|usual| self.first <= usual.until) else {
            return;
        };
        gone.retain(|hour| hour.regime == usual.regime);
        let all = self.of(usual.regime).filter(|(number, _)| *number < usual.until);
        usual.table.renew(&gone, all, false);
        self.usual = Some(usual);
    }

    /// The closed hours of a regime with their numbers.
    pub(super) fn of(&self, regime: u8) -> impl Iterator<Item = (i64, &Hour)> {
        self.all().filter(move |(_, hour)| hour.regime == regime)
    }

    /// All closed hours with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (i64, &Hour)> {
        (self.first..).zip(&self.ring).filter(|(_, hour)| hour.minutes[0] > 0)
    }

    /// The hour in progress as if it ended now, with all of its load levels.
    pub(super) fn in_progress(&self, regime: u8) -> Vec<AtLevel> {
        if self.open_regime == regime { by_level(&mut self.open.clone()) } else { Vec::new() }
    }

    /// The usual latencies of a regime from its hours before `until`.
    pub(super) fn table(&self, regime: u8, until: i64) -> Table {
        Table::of(self.of(regime).filter(|(number, _)| *number < until))
    }

    /// Judges the hour that is being closed.
    fn suspect(&mut self) -> Option<Run> {
        let slower = self.shifted(None, SHIFT_MINUTES_MIN, SHIFT_MAX);
        let first = self.suspicious.note(self.open_hour, slower, SUSPICIOUS_HOURS)?;
        Some(Run { from: first * 60, begin: first * 60, slower: self.suspicious.slower })
    }

    /// Judges a quarter of the hour in progress.
    fn suspect_quarter(&mut self, quarter: u8) -> Option<Run> {
        if !self.by_quarters {
            return None;
        }
        let slower = self.shifted(Some(quarter), QUARTER_MINUTES_MIN, QUARTER_SHIFT_MAX);
        let number = self.open_hour * 4 + i64::from(quarter);
        let from = self.suspicious_quarters.note(number, slower, SUSPICIOUS_QUARTERS)? * 15;
        // Minutes are counted by the hour: one that has both belongs to neither's numbers.
        let begin = (from + 59).div_euclid(60) * 60;
        Some(Run { from, begin, slower: self.suspicious_quarters.slower })
    }

    /// Whether the median of the hour in progress, or of one quarter of it, lies further from the usual latencies
    /// than this, and if so, whether it is slower.
    fn shifted(&mut self, quarter: Option<u8>, minutes_min: u32, most: f64) -> Option<bool> {
        self.renew_usual();
        let table = &self.usual.as_ref()?.table;
        let most = nearest(most * LG_SCALE);
        // The median need not be known: half of the minutes lie on its side of the limit.
        let (mut minutes, mut slower, mut faster) = (0, 0, 0);
        for point in self.open.iter().filter(|p| quarter.is_none_or(|q| p.quarter() == q)) {
            let level = point.level;
            let calm = quarter.is_some();
            let steps = if calm { table.steps_at_calm(level) } else { table.steps_at(level) };
            let Some(steps) = steps else { continue };
            let (shift, span) =
                (i32::from(point.lg_p50) - i32::from(steps), u32::from(point.span()));
            minutes += span;
            slower += if shift > most { span } else { 0 };
            faster += if shift < -most { span } else { 0 };
        }
        if minutes < minutes_min {
            return None;
        }
        // Of two middles the lower one is the median.
        if 2 * slower > minutes { Some(true) } else { (2 * faster >= minutes).then_some(false) }
    }

    /// Works out what the hour in progress is compared with, where that is not known yet.
    fn renew_usual(&mut self) {
        // The run itself must not take part in it.
        let (regime, until) = (self.open_regime, self.open_hour - RUN_HOURS);
        let known = self.usual.take().filter(|u| u.regime == regime && u.until <= until);
        let usual = if let Some(mut usual) = known {
            let new = self.of(regime).filter(|(number, _)| (usual.until..until).contains(number));
            let new: Vec<Hour> = new.map(|(_, hour)| *hour).collect();
            usual.until = until;
            let all = self.of(regime).filter(|(number, _)| *number < until);
            usual.table.renew(&new, all, true);
            usual
        } else {
            let mut table = self.table(regime, until);
            // It is kept for an hour, for each of thousands of variants.
            table.shrink_to_fit();
            Box::new(Usual { regime, until, table })
        };
        self.usual = Some(usual);
    }

    /// Hands all closed hours from `from` on to another regime.
    pub(super) fn reassign(&mut self, from: MinuteIndex, old: u8, new: u8) {
        self.usual = None;
        let first = self.first;
        for (i, hour) in self.ring.iter_mut().enumerate() {
            if hour.regime == old && (first + signed(i)) * 60 >= from {
                hour.regime = new;
            }
        }
        if self.open_regime == old && self.open_hour * 60 >= from {
            self.open_regime = new;
        }
    }

    /// A change of regime ends any run of suspicious hours.
    pub(super) fn clear_suspicion(&mut self) {
        self.suspicious = Streak::default();
        self.suspicious_quarters = Streak::default();
    }

    pub(super) fn bytes(&self) -> usize {
        let usual = self.usual.as_ref().map_or(0, |usual| size_of::<Usual>() + usual.table.bytes());
        self.ring.len() * size_of::<Hour>() + self.open.capacity() * size_of::<Point>() + usual
    }
}

/// The load levels of some points, each with its median.
fn by_level(points: &mut [Point]) -> Vec<AtLevel> {
    points.sort_unstable_by_key(|p| (p.level, p.lg_p50));
    let mut levels = Vec::new();
    for level in points.chunk_by(|a, b| a.level == b.level) {
        let minutes: u32 = level.iter().map(|p| u32::from(p.span())).sum();
        let bad: u32 = level.iter().filter(|p| p.bad()).map(|p| u32::from(p.span())).sum();
        let mut below = 0;
        let median = level.iter().find(|p| {
            below += u32::from(p.span());
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
    use crate::estimate::grid::level_of;

    fn feed(hours: &mut Hours, from_hour: i64, count: i64, p50_ms: f64) -> Option<MinuteIndex> {
        minutes(hours, from_hour * 60..(from_hour + count) * 60, p50_ms).map(|run| run.begin)
    }

    fn minutes(hours: &mut Hours, of: std::ops::Range<i64>, p50_ms: f64) -> Option<Run> {
        let mut found = None;
        for minute in of.clone() {
            found = found.or(hours.close_before(minute));
            let load = 500.0 + 100.0 * ((minute % 7) as f64);
            hours.add(minute, 1, 1, (level_of(load), (p50_ms * 1000.0).ln()), false);
        }
        found.or(hours.close_before(of.end))
    }

    #[test]
    fn three_slower_hours_are_a_change_that_began_with_the_first() {
        let mut hours = Hours::new(true);
        assert_eq!(feed(&mut hours, 1000, 30, 20.0), None);
        assert_eq!(feed(&mut hours, 1030, 2, 24.0), None);
        assert_eq!(feed(&mut hours, 1032, 1, 24.0), Some(1030 * 60));
    }

    #[test]
    fn four_much_slower_quarter_hours_are_a_change_and_half_an_hour_is_none() {
        let mut hours = Hours::new(true);
        assert_eq!(feed(&mut hours, 1000, 30, 20.0), None);
        assert_eq!(minutes(&mut hours, 61_800..61_825, 26.0), None, "an incident");
        assert_eq!(minutes(&mut hours, 61_825..61_940, 20.0), None);
        let run = minutes(&mut hours, 61_940..62_015, 26.0);
        // Begun at 20 past the hour: the first whole quarter is suspicious, the next hour begins.
        let expected = Run { from: 61_935, begin: 61_980, slower: true };
        assert_eq!(run, Some(expected));
        let mut slow = Hours::new(false);
        assert_eq!(feed(&mut slow, 1000, 30, 20.0), None);
        assert_eq!(minutes(&mut slow, 61_800..61_920, 26.0), None);
    }

    #[test]
    fn two_slower_hours_or_a_small_shift_are_none() {
        let mut hours = Hours::new(true);
        assert_eq!(feed(&mut hours, 1000, 30, 20.0), None);
        assert_eq!(feed(&mut hours, 1030, 2, 24.0), None);
        assert_eq!(feed(&mut hours, 1032, 10, 22.0), None);
    }

    #[test]
    fn hours_leave_the_window() {
        let mut hours = Hours::new(true);
        feed(&mut hours, 1000, 400, 20.0);
        assert_eq!(hours.of(1).count(), 336);
        assert_eq!(size_of::<Hour>(), 12);
    }
}
