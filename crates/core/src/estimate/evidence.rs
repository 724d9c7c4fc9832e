//! Step 4, the evidence: how many minutes there were at each load, and how many of them were bad.
//!
//! Counts are whole numbers kept by UTC day, so that minutes leave the window exactly and the
//! order in which a restarted process reads them again makes no difference. The last hours are
//! kept apart until it is clear that no undeclared change began in them.

use super::grid::{DAY, MinuteIndex, WINDOW, bin_of};

/// The half-life of evidence in days.
const HALF_LIFE_DAYS: f64 = 4.0;
/// Most load bins of one day; beyond it the lowest loads, which say least, are counted together.
const BINS_MAX: usize = 56;
/// How long the evidence of the regime before is kept for the case of a rollback.
const PREVIOUS_KEPT: MinuteIndex = 3 * DAY;
/// Whole hours that are kept apart: as long as the undeclared-change rule looks back.
const HOURS_APART: i64 = 3;

/// Counts of good and bad minutes by load bin, in the order of bins.
#[derive(Debug, Clone, Default, PartialEq)]
struct Counts {
    bins: Vec<(i16, u16, u16)>,
}

impl Counts {
    fn add(&mut self, bin: i16, good: u16, bad: u16) {
        match self.bins.binary_search_by_key(&bin, |b| b.0) {
            Ok(i) => add(&mut self.bins[i], good, bad),
            Err(i) => {
                // Thousands of variants are kept: doubling would waste half of it.
                self.bins.reserve_exact(usize::from(self.bins.len() == self.bins.capacity()) * 8);
                self.bins.insert(i, (bin, good, bad));
                if self.bins.len() > BINS_MAX {
                    let (_, good, bad) = self.bins.remove(1);
                    add(&mut self.bins[0], good, bad);
                }
            }
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
#[derive(Debug, Clone, PartialEq)]
struct Slot {
    /// The first minute of the stretch.
    start: MinuteIndex,
    regime: u8,
    observations: u32,
    /// Sum of the observations' distances from `start`, for their mean age.
    offset_sum: u64,
    counts: Counts,
}

impl Slot {
    const fn new(start: MinuteIndex, regime: u8) -> Self {
        let counts = Counts { bins: Vec::new() };
        Self { start, regime, observations: 0, offset_sum: 0, counts }
    }

    fn weight(&self, now: MinuteIndex) -> f64 {
        let mean = self.offset_sum as f64 / f64::from(self.observations.max(1));
        let age_days = ((now - self.start) as f64 - mean).max(0.0) / DAY as f64;
        (-age_days / HALF_LIFE_DAYS).exp2()
    }
}

/// Decayed counts of one regime, ready for the likelihood: `(bin, good, bad)` by rising bin.
pub(super) type Weighted = Vec<(i16, f64, f64)>;

/// All evidence of a variant that lies in the window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Evidence {
    hours: Vec<Slot>,
    days: Vec<Slot>,
}

impl Evidence {
    /// Counts one observation.
    pub(super) fn add(&mut self, at: MinuteIndex, regime: u8, load: f64, bad: bool) {
        let start = at - at.rem_euclid(60);
        let known = self.hours.iter().rposition(|h| h.start == start && h.regime == regime);
        let index = known.unwrap_or_else(|| {
            self.hours.push(Slot::new(start, regime));
            self.hours.len() - 1
        });
        let slot = &mut self.hours[index];
        slot.observations += 1;
        slot.offset_sum += (at - start) as u64;
        slot.counts.add(bin_of(load), u16::from(!bad), u16::from(bad));
    }

    /// Moves hours that are no longer in question to their days, and forgets what has left the
    /// window. `hour_start` is the hour in progress.
    pub(super) fn settle(&mut self, hour_start: MinuteIndex) {
        let oldest_apart = hour_start - HOURS_APART * 60;
        while self.hours.first().is_some_and(|h| h.start < oldest_apart) {
            let hour = self.hours.remove(0);
            self.merge(&hour);
        }
        self.days.retain(|d| d.start >= hour_start - WINDOW);
    }

    fn merge(&mut self, hour: &Slot) {
        let start = hour.start - hour.start.rem_euclid(DAY);
        let known = self.days.iter().rposition(|d| d.start == start && d.regime == hour.regime);
        let index = known.unwrap_or_else(|| {
            self.days.push(Slot::new(start, hour.regime));
            self.days.len() - 1
        });
        let day = &mut self.days[index];
        day.observations += hour.observations;
        day.offset_sum +=
            hour.offset_sum + u64::from(hour.observations) * (hour.start - start) as u64;
        for (bin, good, bad) in hour.counts.iter() {
            day.counts.add(bin, good, bad);
        }
    }

    /// An undeclared change was found to have begun at `from`.
    pub(super) fn reassign(&mut self, from: MinuteIndex, regime: u8) {
        for hour in self.hours.iter_mut().filter(|h| h.start >= from) {
            hour.regime = regime;
        }
    }

    /// Forgets regimes to which there is no return, and old days of the one before.
    pub(super) fn keep_only(&mut self, current: u8, previous: Option<u8>, at: MinuteIndex) {
        self.days.retain(|d| {
            d.regime == current || (Some(d.regime) == previous && d.start >= at - PREVIOUS_KEPT)
        });
        self.hours.retain(|h| h.regime == current || Some(h.regime) == previous);
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.days.iter().chain(&self.hours)
    }

    /// The decayed counts of a regime, into a reused buffer.
    pub(super) fn weigh(&self, regime: u8, now: MinuteIndex, into: &mut Weighted) {
        into.clear();
        let oldest = now - WINDOW;
        for slot in self.slots().filter(|s| s.regime == regime && s.start >= oldest - DAY) {
            let weight = slot.weight(now);
            into.extend(
                slot.counts.iter().map(|(bin, good, bad)| {
                    (bin, weight * f64::from(good), weight * f64::from(bad))
                }),
            );
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

    /// Observations of a regime, undecayed.
    pub(super) fn observations(&self, regime: u8) -> u32 {
        self.slots().filter(|s| s.regime == regime).map(|s| s.observations).sum()
    }

    /// Observations of all regimes that are kept.
    pub(super) fn observations_in_all(&self) -> u32 {
        self.slots().map(|s| s.observations).sum()
    }

    /// Bad observations of a regime, undecayed.
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

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let slots = self.hours.capacity() + self.days.capacity();
        slots * size_of::<Slot>()
            + self.slots().map(|s| 6 * s.counts.bins.capacity()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_decays_by_half_in_four_days_and_leaves_after_fourteen() {
        let mut evidence = Evidence::default();
        let at = 1_000 * DAY;
        for minute in 0..60 {
            evidence.add(at + minute, 1, 600.0, minute % 2 == 0);
        }
        let mut weighted = Weighted::new();
        evidence.settle(at + 4 * DAY);
        evidence.weigh(1, at + 4 * DAY + 30, &mut weighted);
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
            evidence.add(at + hour * 60, 1, 600.0, false);
        }
        evidence.reassign(at + 60, 2);
        assert_eq!((evidence.observations(1), evidence.observations(2)), (1, 2));
    }
}
