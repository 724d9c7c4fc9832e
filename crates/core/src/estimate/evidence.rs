//! Step 4, the evidence: how many minutes there were at each load, and how many of them were bad.
//!
//! Counts are whole numbers kept by UTC day, so that minutes leave the window exactly and the
//! order in which a restarted process reads them again makes no difference. The last hours are
//! kept apart until it is clear that no undeclared change began in them.

use serde::{Deserialize, Serialize};

use super::grid::{DAY, MinuteIndex, STEP, WINDOW, level_at, lg_of};
use super::knee::{Knee, RECENT};
use super::shown::Shown;
use super::slowdown::Slowdown;

/// The half-life of evidence in days.
const HALF_LIFE_DAYS: f64 = 4.0;
/// Most load bins of one day; beyond it the lowest loads, which say least, are counted together.
const BINS_MAX: usize = 56;
/// A load level is fine where at most one minute in so many was bad, as at capacity by its definition.
const FINE_PER_BAD: f64 = 10.0;
/// Whole hours that are kept apart: as long as the undeclared-change rule looks back.
const HOURS_APART: i64 = 3;

/// Counts of good and bad minutes by load bin, in the order of bins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    #[serde(with = "super::at_rest::bins")]
    bins: Vec<(i16, u16, u16)>,
}

impl Counts {
    fn add(&mut self, bin: i16, good: u16, bad: u16) {
        match self.bins.binary_search_by_key(&bin, |b| b.0) {
            Ok(i) => add(&mut self.bins[i], good, bad),
            Err(i) => {
                // Thousands of variants are kept: doubling would waste half of it.
                self.bins.reserve_exact(usize::from(self.bins.len() == self.bins.capacity()) * 4);
                self.bins.insert(i, (bin, good, bad));
                if self.bins.len() > BINS_MAX {
                    let (_, good, bad) = self.bins.remove(1);
                    add(&mut self.bins[0], good, bad);
                }
            }
        }
    }

    /// Takes a bad minute out again.
    fn take_bad(&mut self, bin: i16) {
        let found = self.bins.binary_search_by_key(&bin, |b| b.0);
        // Loads too low for a bin of their own are counted with the lowest.
        let index = found.unwrap_or(0);
        let Some(entry) = self.bins.get_mut(index) else { return };
        entry.2 = entry.2.saturating_sub(1);
        if (entry.1, entry.2) == (0, 0) {
            self.bins.remove(index);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (i16, u16, u16)> + '_ {
        self.bins.iter().copied()
    }
}

fn add(to: &mut (i16, u16, u16), good: u16, bad: u16) {
    to.1 = to.1.saturating_add(good);
    to.2 = to.2.saturating_add(bad);
}

/// The counts of one regime in one stretch of time: an hour, later a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    /// The first minute of the stretch, which fits half a word for four thousand years.
    first: i32,
    regime: u8,
    observations: u16,
    /// Sum of the observations' distances from `start`, for their mean age.
    offset_sum: u32,
    counts: Counts,
    shown: Shown,
}

impl Slot {
    const fn new(start: MinuteIndex, regime: u8) -> Self {
        let counts = Counts { bins: Vec::new() };
        let first = start as i32;
        Self { first, regime, observations: 0, offset_sum: 0, counts, shown: Shown::NOTHING }
    }

    fn start(&self) -> MinuteIndex {
        MinuteIndex::from(self.first)
    }

    /// Adds the counts of another one, which began `later` minutes later.
    fn absorb(&mut self, other: &Self, later: MinuteIndex) {
        self.observations = self.observations.saturating_add(other.observations);
        self.shown.absorb(&other.shown);
        self.offset_sum += other.offset_sum + u32::from(other.observations) * later as u32;
        for (bin, good, bad) in other.counts.iter() {
            self.counts.add(bin, good, bad);
        }
    }

    /// The mean time of its observations.
    fn mean(&self) -> f64 {
        let offset = f64::from(self.offset_sum) / f64::from(self.observations.max(1));
        self.start() as f64 + offset
    }

    fn weight(&self, now: MinuteIndex) -> f64 {
        let age_days = (now as f64 - self.mean()).max(0.0) / DAY as f64;
        (-age_days / HALF_LIFE_DAYS).exp2()
    }
}

/// Decayed counts of one regime, ready for the likelihood: `(bin, good, bad)` by rising bin.
pub(super) type Weighted = Vec<(i16, f64, f64)>;

/// In whose units loads are counted: those of a time, where the service becomes slower.
#[derive(Debug, Clone, Copy)]
pub(super) struct Units<'a> {
    pub(super) slowdown: Option<&'a Slowdown>,
    pub(super) at: MinuteIndex,
}

impl Units<'_> {
    /// What a drift has come to since a stretch of time.
    fn since(&self, slot: &Slot, come_to: fn(&Slowdown, MinuteIndex) -> f64) -> f64 {
        let age = self.at - slot.mean().round() as MinuteIndex;
        self.slowdown.map_or(0.0, |slowdown| come_to(slowdown, age))
    }
}

/// All evidence of a variant that lies in the window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    hours: Vec<Slot>,
    days: Vec<Slot>,
}

impl Evidence {
    /// Counts one observation at a load's bin.
    pub(super) fn add(&mut self, at: MinuteIndex, regime: u8, bin: i16, bad: bool) {
        let slot = self.hour(at, regime);
        slot.observations += 1;
        slot.offset_sum += (at - slot.start()) as u32;
        slot.counts.add(bin, u16::from(!bad), u16::from(bad));
    }

    /// What the hour of a minute shows of throughput.
    pub(super) fn shown(&mut self, at: MinuteIndex, regime: u8) -> &mut Shown {
        &mut self.hour(at, regime).shown
    }

    /// Where a regime's knee should be, by its throughput. `refusals` is whether it counts that a service
    /// refuses requests.
    pub(super) fn knee(
        &self,
        regime: u8,
        (now, units): (MinuteIndex, Units<'_>),
        refusals: bool,
    ) -> Option<Knee> {
        let slots = || self.slots().filter(|s| s.regime == regime);
        let slowed = |s: &Slot| units.since(s, Slowdown::slowed);
        let mut levels = [(0.0, 0.0); 1 + u8::MAX as usize];
        for slot in slots() {
            let (weight, slowed) = (slot.weight(now), slowed(slot));
            for (bin, good, bad) in slot.counts.iter() {
                let level = level_at(lg_of(i32::from(bin)) - slowed);
                let (minutes, bads) = &mut levels[usize::from(level)];
                *minutes += weight * f64::from(good.saturating_add(bad));
                *bads += weight * f64::from(bad);
            }
        }
        let is_fine = |level: u8| {
            let (minutes, bad) = levels[usize::from(level)];
            FINE_PER_BAD * bad <= minutes
        };
        let shown = slots().map(|s| (s.shown.slowed(slowed(s)), s.weight(now).powi(RECENT)));
        Knee::of(shown, refusals, is_fine)
    }

    fn hour(&mut self, at: MinuteIndex, regime: u8) -> &mut Slot {
        let start = at - at.rem_euclid(60);
        let known = self.hours.iter().rposition(|h| h.start() == start && h.regime == regime);
        let index = known.unwrap_or_else(|| {
            self.hours.reserve_exact(usize::from(self.hours.len() == self.hours.capacity()));
            self.hours.push(Slot::new(start, regime));
            self.hours.len() - 1
        });
        &mut self.hours[index]
    }

    /// Takes a bad observation of the last hours out again.
    pub(super) fn take_bad(&mut self, at: MinuteIndex, regime: u8, bin: i16) {
        let start = at - at.rem_euclid(60);
        let slot = self.hours.iter_mut().rfind(|h| h.start() == start && h.regime == regime);
        if let Some(slot) = slot {
            slot.observations = slot.observations.saturating_sub(1);
            slot.offset_sum = slot.offset_sum.saturating_sub((at - start) as u32);
            slot.counts.take_bad(bin);
        }
    }

    /// Minutes of a regime since a minute (by whole days) at some bins, and how many were bad.
    pub(super) fn seen(
        &self,
        regime: u8,
        since: MinuteIndex,
        bins: std::ops::RangeInclusive<i16>,
    ) -> (u32, u32) {
        let slots = self.slots().filter(|s| s.regime == regime && s.start() >= since);
        let within = slots.flat_map(|s| s.counts.iter()).filter(|e| bins.contains(&e.0));
        within.fold((0, 0), |(minutes, bad), e| {
            (minutes + u32::from(e.1) + u32::from(e.2), bad + u32::from(e.2))
        })
    }

    /// Moves hours that are no longer in question to their days, and forgets what has left the
    /// window. `hour_start` is the hour in progress.
    pub(super) fn settle(&mut self, hour_start: MinuteIndex) {
        let oldest_apart = hour_start - HOURS_APART * 60;
        while self.hours.first().is_some_and(|h| h.start() < oldest_apart) {
            let hour = self.hours.remove(0);
            self.merge(&hour);
        }
        self.days.retain(|d| d.start() >= hour_start - WINDOW);
    }

    fn merge(&mut self, hour: &Slot) {
        let start = hour.start() - hour.start().rem_euclid(DAY);
        let known = self.days.iter().rposition(|d| d.start() == start && d.regime == hour.regime);
        let index = known.unwrap_or_else(|| {
            // Days that are over do not grow; thousands of variants are kept.
            self.days.iter_mut().for_each(|d| d.counts.bins.shrink_to_fit());
            self.days.reserve_exact(usize::from(self.days.len() == self.days.capacity()));
            self.days.push(Slot::new(start, hour.regime));
            self.days.len() - 1
        });
        self.days[index].absorb(hour, hour.start() - start);
    }

    /// Gives all that was counted for a regime to another one.
    pub(super) fn rename(&mut self, old: u8, new: u8) {
        for slots in [&mut self.days, &mut self.hours] {
            let (moved, mut kept): (Vec<Slot>, Vec<Slot>) =
                std::mem::take(slots).into_iter().partition(|s| s.regime == old);
            for slot in moved {
                match kept.iter_mut().find(|k| k.start() == slot.start() && k.regime == new) {
                    Some(same) => same.absorb(&slot, 0),
                    None => kept.push(Slot { regime: new, ..slot }),
                }
            }
            kept.sort_by_key(Slot::start);
            *slots = kept;
        }
    }

    /// An undeclared change was found to have begun at `from`.
    pub(super) fn reassign(&mut self, from: MinuteIndex, regime: u8) {
        for hour in self.hours.iter_mut().filter(|h| h.start() >= from) {
            hour.regime = regime;
        }
    }

    /// Forgets regimes to which there is no return, and days of the one before that began before
    /// `previous_from`.
    pub(super) fn keep_only(
        &mut self,
        current: u8,
        previous: Option<u8>,
        previous_from: MinuteIndex,
    ) {
        self.days.retain(|d| {
            d.regime == current || (Some(d.regime) == previous && d.start() >= previous_from)
        });
        self.hours.retain(|h| h.regime == current || Some(h.regime) == previous);
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.days.iter().chain(&self.hours)
    }

    /// The decayed counts of a regime, into a reused buffer.
    pub(super) fn weigh(
        &self,
        regime: u8,
        (now, units): (MinuteIndex, Units<'_>),
        into: &mut Weighted,
    ) {
        into.clear();
        let oldest = now - WINDOW;
        for slot in self.slots().filter(|s| s.regime == regime && s.start() >= oldest - DAY) {
            let weight = slot.weight(now);
            let fallen = (units.since(slot, Slowdown::fallen) / STEP).round() as i16;
            into.extend(slot.counts.iter().map(|(bin, good, bad)| {
                (bin - fallen, weight * f64::from(good), weight * f64::from(bad))
            }));
        }
        into.sort_unstable_by_key(|entry| entry.0);
        into.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
                kept.2 += next.2;
            }
            same
        });
    }

    pub(super) fn observations(&self, regime: u8) -> u32 {
        self.slots().filter(|s| s.regime == regime).map(|s| u32::from(s.observations)).sum()
    }

    /// Observations of all regimes that are kept.
    pub(super) fn observations_in_all(&self) -> u32 {
        self.slots().map(|s| u32::from(s.observations)).sum()
    }

    pub(super) fn bad_observations(&self, regime: u8) -> u32 {
        let slots = self.slots().filter(|s| s.regime == regime);
        slots.flat_map(|s| s.counts.iter()).map(|b| u32::from(b.2)).sum()
    }

    /// The highest bin with any minute, of all regimes kept.
    pub(super) fn highest_bin(&self) -> Option<i16> {
        self.slots().filter_map(|s| s.counts.bins.last()).map(|b| b.0).max()
    }

    /// The highest bin of a regime with a good minute.
    pub(super) fn highest_good_bin(&self, regime: u8) -> Option<i16> {
        let slots = self.slots().filter(|s| s.regime == regime);
        slots.flat_map(|s| s.counts.iter()).filter(|e| e.1 > 0).map(|e| e.0).max()
    }

    pub(super) fn bytes(&self) -> usize {
        let slots = self.hours.capacity() + self.days.capacity();
        slots * size_of::<Slot>()
            + self.slots().map(|s| 6 * s.counts.bins.capacity()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::grid::bin_of;

    #[test]
    fn evidence_decays_by_half_in_four_days_and_leaves_after_fourteen() {
        let mut evidence = Evidence::default();
        let at = 1_000 * DAY;
        for minute in 0..60 {
            evidence.add(at + minute, 1, bin_of(600.0), minute % 2 == 0);
        }
        let mut weighted = Weighted::new();
        evidence.settle(at + 4 * DAY);
        let now = at + 4 * DAY + 30;
        evidence.weigh(1, (now, Units { slowdown: None, at: now }), &mut weighted);
        assert_eq!(weighted.len(), 1);
        assert!((weighted[0].1 - 15.0).abs() < 0.1, "{weighted:?}");
        assert!((weighted[0].2 - 15.0).abs() < 0.1, "{weighted:?}");
        evidence.settle(at + 14 * DAY + 60);
        assert_eq!(evidence.observations(1), 0);
    }

    #[test]
    fn more_loads_than_a_day_holds_are_counted_with_the_lowest() {
        let mut counts = Counts::default();
        for bin in 0..200 {
            counts.add(bin, 1, 0);
        }
        assert_eq!(counts.bins.len(), BINS_MAX);
        assert_eq!(counts.iter().map(|b| u32::from(b.1)).sum::<u32>(), 200);
        assert_eq!(counts.bins.last().unwrap().0, 199);
    }

    #[test]
    fn hours_of_an_undeclared_change_move_to_the_new_regime() {
        let mut evidence = Evidence::default();
        let at = 1_000 * DAY;
        for hour in 0..3 {
            evidence.add(at + hour * 60, 1, bin_of(600.0), false);
        }
        evidence.reassign(at + 60, 2);
        assert_eq!((evidence.observations(1), evidence.observations(2)), (1, 2));
    }

    #[test]
    fn a_renamed_regime_counts_as_if_it_had_always_been_the_other() {
        let (mut apart, mut whole) = (Evidence::default(), Evidence::default());
        let at = 1_000 * DAY;
        for hour in 0..12 {
            for minute in [5, 50] {
                apart.add(at + hour * 60 + minute, 1 + u8::from(hour > 4), 320, minute < 6);
                whole.add(at + hour * 60 + minute, 1, 320, minute < 6);
            }
            apart.settle(at + hour * 60);
            whole.settle(at + hour * 60);
        }
        apart.rename(2, 1);
        assert_eq!(apart, whole);
        assert_eq!(apart.seen(1, at, 320..=321), (24, 12));
        apart.take_bad(at + 11 * 60 + 5, 1, 320);
        assert_eq!(apart.seen(1, at, 320..=320), (23, 11));
    }
}
