//! Minutes of an incident of another cause are no evidence: bad ones in a row, at a load that was
//! fine for days, while the median latency jumped with them. A database that stalls for half an
//! hour every night would otherwise pass for a capacity a third below the truth.

use serde::{Deserialize, Serialize};

use super::grid::{DAY, MinuteIndex, bin_of, level_of, weighted_median};
use super::regime::{LG_SCALE, QUARTER_SHIFT_MAX};
use super::usual::Table;

/// A run this long is looked at.
const MINUTES_MIN: MinuteIndex = 5;
/// What lasts longer is no incident but a service that has changed.
const MINUTES_MAX: MinuteIndex = 60;
/// Bad minutes further apart are two runs.
const GAP_MAX: MinuteIndex = 3;
/// How far back the load must have been fine ...
pub(super) const FINE_FOR: MinuteIndex = 4 * DAY;
/// ... in this many minutes ...
const FINE_MINUTES_MIN: u32 = 40;
/// ... of which at most one in so many was bad ...
const FINE_PER_BAD: u32 = 20;
/// ... at loads from this one to so many bins above it (1.2 times).
pub(super) const FINE_BINS: i16 = 9;

/// A bad minute of the run: small, for there may be an hour of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bad {
    offset: u8,
    bin: i16,
    lg_p50: i16,
}

/// What becomes of a bad minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Counts,
    /// The run is long enough to be judged; until then it counts.
    Judge,
    /// It belongs to an incident.
    LeftOut,
    /// The run has become too long for an incident: all that was left out counts after all.
    PutBack,
}

/// Bad minutes in a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BadRun {
    start: MinuteIndex,
    end: MinuteIndex,
    bad: Vec<Bad>,
    /// Left out as an incident.
    foreign: bool,
    /// Known to be none.
    own: bool,
}

impl BadRun {
    /// Takes note of a bad minute that would be evidence.
    pub(super) fn note(
        &mut self,
        at: MinuteIndex,
        span: MinuteIndex,
        load: f64,
        lg_p50: Option<f64>,
    ) -> Fate {
        if at - self.end > GAP_MAX {
            *self = Self { start: at, end: at, ..Self::default() };
        }
        self.end = at + span;
        if self.own {
            return Fate::Counts;
        }
        if self.end - self.start > MINUTES_MAX {
            if self.foreign {
                return Fate::PutBack;
            }
            self.give_up();
            return Fate::Counts;
        }
        let lg_p50 = lg_p50.map_or(i16::MIN, |v| (v * LG_SCALE).clamp(-32_000.0, 32_000.0) as i16);
        self.bad.push(Bad { offset: (at - self.start) as u8, bin: bin_of(load), lg_p50 });
        match self.foreign {
            true => Fate::LeftOut,
            false if self.end - self.start >= MINUTES_MIN => Fate::Judge,
            false => Fate::Counts,
        }
    }

    /// A good minute, or a change of regime, ends the run.
    pub(super) fn finish(&mut self) {
        *self = Self::default();
    }

    /// It is no incident, however long it lasts.
    pub(super) fn give_up(&mut self) {
        self.own = true;
        self.foreign = false;
        self.bad = Vec::new();
    }

    /// Whether it was left out so far.
    pub(super) const fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Its first minute and its end.
    pub(super) const fn stretch(&self) -> (MinuteIndex, MinuteIndex) {
        (self.start, self.end)
    }

    /// Takes it for an incident.
    pub(super) const fn leave_out(&mut self) {
        self.foreign = true;
    }

    /// Its minutes: when, and the load's bin.
    pub(super) fn minutes(&self) -> impl Iterator<Item = (MinuteIndex, i16)> + '_ {
        self.bad.iter().map(|b| (self.start + MinuteIndex::from(b.offset), b.bin))
    }

    /// The middle one of its loads.
    pub(super) fn bin(&self) -> i16 {
        let mut bins: Vec<i16> = self.bad.iter().map(|b| b.bin).collect();
        bins.sort_unstable();
        bins.get(bins.len() / 2).copied().unwrap_or(0)
    }

    /// Whether loads from its own to a fifth above have been fine: `minutes` of them, of which
    /// `bad` were bad, its own included.
    pub(super) fn was_fine(&self, (minutes, bad): (u32, u32)) -> bool {
        let low = self.bin();
        let of_run = self.bad.iter().filter(|b| (low..=low + FINE_BINS).contains(&b.bin)).count();
        let of_run = of_run as u32;
        let (minutes, bad) = (minutes.saturating_sub(of_run), bad.saturating_sub(of_run));
        minutes >= FINE_MINUTES_MIN && bad * FINE_PER_BAD <= minutes
    }

    /// Whether the median latency jumped with it, against the usual one at equal load.
    pub(super) fn jumped(&self, usual: &Table) -> bool {
        let shift = |b: &Bad| {
            let load = super::grid::lg_of(i32::from(b.bin)).exp();
            let lg_p50 = Some(f64::from(b.lg_p50) / LG_SCALE).filter(|_| b.lg_p50 != i16::MIN)?;
            Some((lg_p50 - usual.at(level_of(load))?, 1.0))
        };
        let mut shifts: Vec<(f64, f64)> = self.bad.iter().filter_map(shift).collect();
        weighted_median(&mut shifts).is_some_and(|shift| shift > QUARTER_SHIFT_MAX)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bad.capacity() * size_of::<Bad>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bad_minutes_are_judged_and_an_hour_is_no_incident() {
        let mut run = BadRun::default();
        for at in 100..104 {
            assert_eq!(run.note(at, 1, 500.0, Some(10.0)), Fate::Counts);
        }
        assert_eq!(run.note(104, 1, 500.0, Some(10.0)), Fate::Judge);
        run.leave_out();
        for at in 105..160 {
            assert_eq!(run.note(at, 1, 500.0, Some(10.0)), Fate::LeftOut, "{at}");
        }
        assert_eq!(run.note(160, 1, 500.0, Some(10.0)), Fate::PutBack);
        assert_eq!(run.minutes().count(), 60);
        run.give_up();
        assert_eq!(run.note(161, 1, 500.0, Some(10.0)), Fate::Counts);
        assert_eq!(size_of::<Bad>(), 6);
    }

    #[test]
    fn its_own_minutes_do_not_speak_against_it() {
        let mut run = BadRun::default();
        for at in 0..5 {
            run.note(at, 1, 500.0, None);
        }
        assert!(run.was_fine((45, 5)) && !run.was_fine((44, 5)) && !run.was_fine((60, 9)));
    }

    #[test]
    fn errors_without_slower_answers_are_no_incident_of_this_kind() {
        let mut run = BadRun::default();
        for at in 0..5 {
            run.note(at, 1, 500.0, None);
        }
        assert!(!run.jumped(&Table::default()));
    }
}
