//! Overloads, minute by minute: how long they are felt after the load has gone says where throughput
//! ends.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::fit::Overload;

use super::grid::{MinuteIndex, WINDOW, bin_of, lg_of};

const KEPT: usize = 6;
/// Longest one, in minutes.
const MINUTES_MAX: usize = 30;
/// It is over after so many good minutes.
const GOOD_AFTER: usize = 4;

/// The overloads with the highest loads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Overloads {
    kept: VecDeque<Run>,
}

/// A run of minutes from the first bad one on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    next: MinuteIndex,
    /// The load's bin, and whether the minute was bad; absent where new instances may be the cause.
    minutes: Vec<(i16, Option<bool>)>,
}

impl Run {
    /// The bin of its first minute's load.
    fn begin(&self) -> i16 {
        self.minutes.first().map_or(i16::MIN, |minute| minute.0)
    }

    fn is_over(&self) -> bool {
        let good = self.minutes.iter().rev().take_while(|m| m.1 == Some(false)).count();
        good >= GOOD_AFTER || self.minutes.len() >= MINUTES_MAX
    }
}

impl Overloads {
    /// Takes note of a minute that was judged, in order of time. `overloads` is whether its load may be
    /// too much.
    pub(super) fn note(&mut self, at: MinuteIndex, load: f64, bad: Option<bool>, overloads: bool) {
        if let Some(run) = self.kept.back_mut().filter(|run| run.next == at && !run.is_over()) {
            run.minutes.push((bin_of(load), bad));
            run.next = at + 1;
            return;
        }
        if bad == Some(true) && overloads {
            let minute = (bin_of(load), bad);
            // The highest loads say most: a hiccup at a low one is none.
            if self.kept.len() >= KEPT {
                let lowest = (0..self.kept.len()).min_by_key(|i| self.kept[*i].begin());
                let lowest = lowest.filter(|i| self.kept[*i].begin() < minute.0);
                if lowest.and_then(|i| self.kept.remove(i)).is_none() {
                    return;
                }
            }
            let mut minutes = Vec::with_capacity(GOOD_AFTER * 2);
            minutes.push(minute);
            // Thousands of variants are kept: what is over does not grow, and doubling would waste a quarter.
            self.kept.iter_mut().for_each(|run| run.minutes.shrink_to_fit());
            self.kept.reserve_exact(KEPT - self.kept.len());
            self.kept.push_back(Run { next: at + 1, minutes });
        }
    }

    /// Forgets what has left the window.
    pub(super) fn settle(&mut self, now: MinuteIndex) {
        self.kept.retain(|run| run.next >= now - WINDOW);
    }

    /// Forgets everything: another service ends elsewhere.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }

    /// The overloads, oldest first, each with its minutes.
    pub(super) fn all(&self) -> Vec<Overload> {
        let load = |&(bin, bad): &(i16, Option<bool>)| (lg_of(i32::from(bin)).exp(), bad);
        self.kept.iter().map(|run| run.minutes.iter().map(load).collect()).collect()
    }

    pub(super) fn bytes(&self) -> usize {
        let runs =
            self.kept.iter().map(|run| run.minutes.capacity() * size_of::<(i16, Option<bool>)>());
        self.kept.capacity() * size_of::<Run>() + runs.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_from_the_first_bad_minute_to_a_few_good_ones() {
        let mut overloads = Overloads::default();
        for (at, load, bad) in [
            (1, 500.0, false),
            (2, 1500.0, true),
            (3, 1500.0, true),
            (4, 500.0, true),
            (5, 500.0, false),
            (6, 500.0, false),
            (7, 500.0, false),
            (8, 500.0, false),
            (9, 500.0, false),
            (10, 400.0, true),
        ] {
            overloads.note(at, load, Some(bad), load > 700.0);
        }
        let all = overloads.all();
        assert_eq!(all.len(), 1, "{all:?}");
        let bad: Vec<bool> = all[0].iter().filter_map(|m| m.1).collect();
        assert_eq!(bad, [true, true, true, false, false, false, false]);
        overloads.settle(2 * WINDOW);
        assert_eq!(overloads.all(), Vec::<Overload>::new());
    }

    #[test]
    fn what_is_kept_takes_no_more_room_than_its_minutes() {
        let mut overloads = Overloads::default();
        for at in 0..20 * 60 {
            let bad = at % 60 < 9;
            overloads.note(at, if bad { 1500.0 } else { 500.0 }, Some(bad), bad);
        }
        let minutes = 9 + GOOD_AFTER;
        assert_eq!(overloads.all().len(), KEPT);
        // The newest one may grow.
        assert!(overloads.bytes() <= KEPT * (size_of::<Run>() + 4 * minutes) + 4 * minutes);
    }
}
