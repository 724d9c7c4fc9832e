//! The usual median latency of a regime by load level, with which its hours are compared.

use serde::{Deserialize, Serialize};

use super::regime::{Hour, LG_SCALE};

/// Fewest minutes from which a load level has a usual latency.
const MINUTES_MIN: u32 = 5;
/// A load level is fine where at most one minute in so many was bad.
const CALM_PER_BAD: u32 = 10;

/// The usual latencies of a regime before an hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Usual {
    pub(super) regime: u8,
    pub(super) until: i64,
    pub(super) table: Table,
}

/// The usual median latency of a regime by load level.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// Level, lg of the median times [`LG_SCALE`], and whether its minutes met the objective.
    medians: Vec<(u8, i16, bool)>,
    /// Minutes it was made from.
    pub(super) minutes: u32,
}

impl Table {
    /// From some hours.
    pub(super) fn of<'a>(hours: impl Iterator<Item = (i64, &'a Hour)>) -> Self {
        let mut table = Self::default();
        let entries = Entry::sorted(hours, |_| true);
        for level in entries.chunk_by(|a, b| a.level() == b.level()) {
            table.minutes += level.iter().map(|entry| entry.minutes()).sum::<u32>();
            table.medians.extend(median(level));
        }
        table
    }

    /// The same table once some hours have come, or have gone: `all` are those that it is made from now.
    /// Only the levels of `changed` are worked out again.
    pub(super) fn renew<'a>(
        &mut self,
        changed: &[Hour],
        all: impl Iterator<Item = (i64, &'a Hour)>,
        has_come: bool,
    ) {
        if changed.iter().all(|hour| hour.minutes_by_level().next().is_none()) {
            return;
        }
        let mut is_changed = [false; 1 + u8::MAX as usize];
        for (level, minutes) in changed.iter().flat_map(Hour::minutes_by_level) {
            is_changed[usize::from(level)] = true;
            let minutes = u32::from(minutes);
            self.minutes = if has_come {
                self.minutes.saturating_add(minutes)
            } else {
                self.minutes.saturating_sub(minutes)
            };
        }
        let of = |level: u8| is_changed[usize::from(level)];
        self.medians.retain(|median| !of(median.0));
        let entries = Entry::sorted(all, of);
        for level in entries.chunk_by(|a, b| a.level() == b.level()) {
            let Some(median) = median(level) else { continue };
            let place = self.medians.partition_point(|known| known.0 < median.0);
            // It is kept for an hour, for each of thousands of variants.
            self.medians.reserve_exact(usize::from(self.medians.len() == self.medians.capacity()));
            self.medians.insert(place, median);
        }
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.medians.shrink_to_fit();
    }

    pub(super) const fn bytes(&self) -> usize {
        self.medians.capacity() * size_of::<(u8, i16, bool)>()
    }

    /// lg of the usual median latency at a load level.
    pub(super) fn at(&self, level: u8) -> Option<f64> {
        self.steps_at(level).map(|steps| f64::from(steps) / LG_SCALE)
    }

    /// The same times [`LG_SCALE`].
    pub(super) fn steps_at(&self, level: u8) -> Option<i16> {
        self.entry(level).map(|entry| entry.1)
    }

    /// The same at levels that have been fine: near the knee medians jump by themselves.
    pub(super) fn steps_at_calm(&self, level: u8) -> Option<i16> {
        self.entry(level).filter(|entry| entry.2).map(|entry| entry.1)
    }

    fn entry(&self, level: u8) -> Option<(u8, i16, bool)> {
        self.medians.binary_search_by_key(&level, |m| m.0).ok().map(|i| self.medians[i])
    }
}

/// The minutes of an hour at one level in one number, which is by far the quickest to sort: from its highest byte
/// down the level, the median, how many minutes and how many bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

impl Entry {
    /// Those of some hours at some levels, in order.
    fn sorted<'a>(
        hours: impl Iterator<Item = (i64, &'a Hour)>,
        of: impl Fn(u8) -> bool,
    ) -> Vec<Self> {
        let mut entries = Vec::new();
        for (_, hour) in hours {
            for i in 0..hour.levels.len() {
                if hour.minutes[i] > 0 && of(hour.levels[i]) {
                    entries.push(Self::new(hour, i));
                }
            }
        }
        entries.sort_unstable();
        entries
    }

    fn new(hour: &Hour, i: usize) -> Self {
        // So that negative ones come first.
        let median = hour.medians[i].cast_unsigned() ^ 1 << 15;
        let counts = u64::from(hour.minutes[i]) << 8 | u64::from(hour.bad[i]);
        Self(u64::from(hour.levels[i]) << 32 | u64::from(median) << 16 | counts)
    }

    const fn level(self) -> u8 {
        (self.0 >> 32) as u8
    }

    const fn median(self) -> i16 {
        ((self.0 >> 16) as u16 ^ 1 << 15).cast_signed()
    }

    const fn minutes(self) -> u32 {
        (self.0 >> 8) as u32 & 0xFF
    }

    const fn bad(self) -> u32 {
        self.0 as u32 & 0xFF
    }
}

/// What is usual at a level, from its entries in order; nothing from a few minutes.
fn median(level: &[Entry]) -> Option<(u8, i16, bool)> {
    let minutes: u32 = level.iter().map(|entry| entry.minutes()).sum();
    let bad: u32 = level.iter().map(|entry| entry.bad()).sum();
    let mut below = 0;
    let median = level.iter().find(|entry| {
        below += entry.minutes();
        2 * below >= minutes
    })?;
    (minutes >= MINUTES_MIN)
        .then(|| (median.level(), median.median(), CALM_PER_BAD * bad <= minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour() -> impl proptest::strategy::Strategy<Value = Hour> {
        use proptest::prelude::*;
        let two = || (0_u8..6, 0_u8..60, 0_u8..9, -9_i16..9);
        (two(), two()).prop_map(|(a, b)| Hour {
            regime: 1,
            levels: [a.0, b.0.wrapping_add(u8::from(a.0 == b.0))],
            minutes: [a.1, b.1],
            bad: [a.2, b.2],
            medians: [a.3, b.3],
        })
    }

    /// The plain way: every level's minutes one by one.
    fn plainly(hours: &[Hour]) -> Table {
        let mut table = Table::default();
        for level in 0..=u8::MAX {
            let (mut medians, mut bad) = (Vec::new(), 0);
            for hour in hours {
                for i in (0..2).filter(|i| hour.levels[*i] == level && hour.minutes[*i] > 0) {
                    medians.extend(vec![hour.medians[i]; usize::from(hour.minutes[i])]);
                    bad += usize::from(hour.bad[i]);
                }
            }
            medians.sort_unstable();
            table.minutes += medians.len() as u32;
            if medians.len() >= 5 {
                let median = medians[(medians.len() - 1) / 2];
                table.medians.push((level, median, 10 * bad <= medians.len()));
            }
        }
        table
    }

    proptest::proptest! {
        #[test]
        fn a_table_is_the_same_whether_its_hours_came_at_once_or_one_after_the_other(
            hours in proptest::collection::vec(hour(), 0..40),
            steps in proptest::collection::vec((0_usize..4, 0_usize..4), 0..12),
        ) {
            fn all(hours: &[Hour]) -> impl Iterator<Item = (i64, &Hour)> {
                (0..).zip(hours)
            }
            proptest::prop_assert_eq!(Table::of(all(&hours)), plainly(&hours));
            let (mut from, mut to) = (0, 0);
            let mut table = Table::default();
            for (come, go) in steps {
                let before = to;
                to = (to + come).min(hours.len());
                table.renew(&hours[before..to], all(&hours[from..to]), true);
                let before = from;
                from = (from + go).min(to);
                table.renew(&hours[before..from], all(&hours[from..to]), false);
                proptest::prop_assert_eq!(&table, &plainly(&hours[from..to]));
            }
        }
    }
}
