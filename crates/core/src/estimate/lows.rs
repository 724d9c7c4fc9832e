//! The lowest lower quartile that each of the last hours has reported, for raises, which follow only what was
//! reported all the time (`decide/settling.rs`). An hour is kept while no later one was as low, so that the first
//! one of a stretch is the lowest of it.

use serde::{Deserialize, Serialize};

use crate::model::estimate::{Capacity, Verdict};
use crate::model::lows::Low;

use super::grid::{MinuteIndex, STEP, instant_of};

/// So many hours before the present one are kept: where latency wanders, a raise looks back a whole day.
pub(super) const HOURS: i32 = 24;
/// A tenth of the grid's step: what is rounded is no reason to write.
const FINE: f64 = STEP / 10.0;
/// Of an hour in which nothing was known that a target could follow.
const NOTHING: i16 = i16::MIN;

/// Hours since the epoch, each with its lowest level; both rise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Lows(Vec<(i32, i16)>);

impl Lows {
    /// Takes note of what was reported at a minute.
    pub(super) fn note(&mut self, at: MinuteIndex, verdict: Verdict, capacity: &Capacity) {
        let level = level(followed(verdict, capacity));
        let present = i32::try_from(at.div_euclid(60)).unwrap_or(i32::MAX - 1);
        // A clock that was ahead leaves hours in the future: they count as the next hour at most. A minute that arrives
        // an hour late belongs to the newest hour.
        for low in &mut self.0 {
            low.0 = low.0.min(present.saturating_add(1));
        }
        self.0.dedup_by_key(|low| low.0);
        let newest = self.0.last().map_or(i32::MIN, |last| last.0);
        let hour = present.max(newest);
        match self.0.last_mut() {
            // The lowest of the hour counts; an earlier one is not told again, and is part of this one.
            Some(last) if last.0 >= hour && last.1 < level => return,
            // Until now that was the last word.
            Some(last) => last.0 = last.0.max(hour - 1),
            // Of the hours before the first one nothing is known.
            None => self.0.push((hour - 1, NOTHING)),
        }
        while self.0.last().is_some_and(|last| last.1 >= level) {
            self.0.pop();
        }
        self.0.retain(|low| hour.saturating_sub(low.0) <= HOURS);
        self.0.reserve_exact(1);
        self.0.push((hour, level));
        self.0.shrink_to_fit();
    }

    /// As another process has kept it, or nothing where it cannot be so: raises then wait.
    pub(super) fn restored(&self) -> Self {
        let rises = self.0.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1);
        let fits = self.0.len() <= HOURS as usize + 2;
        if rises && fits { self.clone() } else { Self::default() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What decisions look at.
    pub(super) fn reported(&self) -> Vec<Low> {
        let low = |&(hour, level): &(i32, i16)| Low {
            until: instant_of((i64::from(hour) + 1) * 60),
            capacity: (level != NOTHING).then(|| (f64::from(level) * FINE).exp()),
        };
        self.0.iter().map(low).collect()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(i32, i16)>()
    }
}

/// What a target may follow upwards: the lower quartile, or where only a bound is proven, the bound.
fn followed(verdict: Verdict, capacity: &Capacity) -> Option<f64> {
    match verdict {
        Verdict::Measured | Verdict::Inferred => capacity.q25,
        Verdict::AtLeast => capacity.lower_bound,
        Verdict::AtMost | Verdict::Unobserved | Verdict::Stale => None,
    }
}

/// The next level, so that what was reported all the time is no cut.
fn level(capacity: Option<f64>) -> i16 {
    capacity.map_or(NOTHING, |capacity| (capacity.max(1e-9).ln() / FINE).ceil() as i16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lows::{Lowest, last_below, lowest_since};

    fn note(lows: &mut Lows, at: MinuteIndex, q25: f64) {
        let capacity = Capacity { q25: Some(q25), ..Capacity::default() };
        lows.note(at, Verdict::Measured, &capacity);
    }

    /// What was the lowest in so many hours before a minute.
    fn lowest(lows: &Lows, hours: i64, at: MinuteIndex) -> Option<f64> {
        match lowest_since(&lows.reported(), instant_of(at - 60 * hours)) {
            Lowest::Capacity(capacity) => Some(capacity),
            Lowest::Nothing => None,
            Lowest::Open => panic!("no hour of it is kept: {lows:?}"),
        }
    }

    fn is(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found / expected - 1.0).abs() < 0.002 && found >= expected)
    }

    #[test]
    fn the_lowest_of_the_last_hours_is_known_and_forgotten_after_them() {
        let mut lows = Lows::default();
        for hour in 0..30 {
            note(&mut lows, 60 * hour + 5, if hour == 10 { 800.0 } else { 1000.0 });
            note(&mut lows, 60 * hour + 35, 1000.0 + hour as f64);
        }
        let now = 60 * 16 + 59;
        let before = |hours| lowest(&lows, hours, now);
        assert!(is(before(6), 800.0), "the hour it was reported in ends six hours ago: {lows:?}");
        assert!(is(lowest(&lows, 6, now + 1), 1000.0), "{lows:?}");
        assert!(is(lowest(&lows, 24, 60 * 30), 800.0));
        assert_eq!(last_below(&lows.reported(), 900.0), Some(instant_of(60 * 11)));
        assert_eq!(last_below(&lows.reported(), 700.0), None);
        assert!(lows.0.len() <= 3, "only what is lower than all after it: {lows:?}");
    }

    #[test]
    fn before_the_first_hour_and_without_a_capacity_to_follow_nothing_is_known() {
        let mut lows = Lows::default();
        note(&mut lows, 600, 1000.0);
        assert_eq!(lowest(&lows, 6, 600), None);
        assert_eq!(lowest(&lows, 6, 600 + 6 * 60 - 1), None);
        note(&mut lows, 600 + 6 * 60, 1000.0);
        assert!(is(lowest(&lows, 6, 600 + 6 * 60), 1000.0));
        for verdict in [Verdict::AtMost, Verdict::Unobserved, Verdict::Stale] {
            let mut lows = lows.clone();
            lows.note(1020, verdict, &Capacity { q25: Some(1000.0), ..Capacity::default() });
            note(&mut lows, 1080, 1000.0);
            assert_eq!(lowest(&lows, 6, 1080), None, "{verdict:?}");
        }
        // Where no limit was seen, a target goes up to what is proven.
        let proven =
            Capacity { q25: Some(1000.0), lower_bound: Some(900.0), ..Capacity::default() };
        lows.note(1020, Verdict::AtLeast, &proven);
        assert!(is(lowest(&lows, 6, 1080), 900.0));
    }

    #[test]
    fn what_was_reported_last_holds_while_nobody_looks() {
        let mut lows = Lows::default();
        note(&mut lows, 0, 800.0);
        note(&mut lows, 100 * 60, 1000.0);
        assert!(is(lowest(&lows, 6, 100 * 60), 800.0));
        assert!(is(lowest(&lows, 6, 106 * 60), 1000.0));
        // What comes late is part of the newest hour.
        note(&mut lows, 99 * 60, 900.0);
        assert!(is(lowest(&lows, 6, 106 * 60), 900.0));
    }

    #[test]
    fn hours_that_have_not_come_yet_are_forgotten_and_what_another_process_kept_is_checked() {
        let mut lows = Lows::default();
        note(&mut lows, 600, 1000.0);
        // A clock that is a month ahead, when nothing is known, and right again.
        lows.note(600 + 30 * 1440, Verdict::Stale, &Capacity::default());
        for hour in 0..9 {
            note(&mut lows, 660 + 60 * hour, 1000.0);
        }
        assert_eq!(lowest(&lows, 6, 660 + 60 * 6), None, "{lows:?}");
        assert!(is(lowest(&lows, 6, 660 + 60 * 8), 1000.0), "{lows:?}");
        let kept = |hours: &[(i32, i16)]| Lows(hours.to_vec()).restored();
        assert_eq!(kept(&[(8, 10), (10, 20)]), Lows(vec![(8, 10), (10, 20)]));
        let long: Vec<(i32, i16)> = (0..40).map(|n| (n - 30, n as i16)).collect();
        let nonsense = [&[(8, 20), (10, 10)][..], &[(10, 10), (8, 20)], &[(8, 10), (8, 20)], &long];
        for hours in nonsense {
            assert!(kept(hours).is_empty(), "{hours:?}");
        }
        let mut hostile = Lows(vec![(i32::MIN, 10)]);
        note(&mut hostile, 600, 1000.0);
        assert!(lowest(&hostile, 6, 600 + 60).is_some_and(|lowest| lowest < 2.0), "{hostile:?}");
    }

    #[test]
    fn a_day_of_hours_takes_few_bytes_whatever_comes() {
        let mut lows = Lows::default();
        for hour in 0..200 {
            note(&mut lows, 60 * hour, 1000.0 * 1.05_f64.powi(hour as i32));
        }
        assert!(lows.0.len() <= 1 + HOURS as usize && lows.bytes() <= 32 * 8, "{}", lows.bytes());
        assert!(serde_json::to_string(&lows).unwrap().len() < 400);
    }
}
