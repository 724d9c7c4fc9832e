//! The datapoints of one metric over a stretch of time: a place for each period, and no instants.
//!
//! A start reads 100,800 of them for each variant. Eight bytes each are enough, and nothing has to
//! be sorted, looked up or turned into a date on the way from CloudWatch to an estimate.

use chrono::TimeDelta;

use super::time::{Timestamp, floor_to};

/// Datapoints in time order, one at most for each period.
#[derive(Debug, Clone)]
pub struct Points {
    first: Timestamp,
    period_seconds: u32,
    /// NaN where there is no datapoint.
    values: Vec<f64>,
}

impl Points {
    /// No datapoints, with a place for each period that begins in `from..to`; periods begin at
    /// multiples of their length since the epoch, as CloudWatch's do.
    pub fn none(from: Timestamp, to: Timestamp, period_seconds: u32) -> Self {
        let period_seconds = period_seconds.max(1);
        let period = i64::from(period_seconds);
        let first = floor_to(from, period);
        let periods = ((to - first).num_seconds().max(0) + period - 1) / period;
        let values = vec![f64::NAN; usize::try_from(periods).unwrap_or(0)];
        Self { first, period_seconds, values }
    }

    /// Puts a datapoint in its place, where it replaces an earlier one. What is not finite is no
    /// datapoint; one outside the stretch, or between two periods, was not asked for.
    pub fn set(&mut self, seconds_since_epoch: i64, value: f64) {
        self.set_all(std::iter::once((seconds_since_epoch, value)));
    }

    /// The same of several. In order of time, as they mostly come, a place follows from the one before.
    pub fn set_all(&mut self, datapoints: impl Iterator<Item = (i64, f64)>) {
        let mut next = None;
        for (seconds, value) in datapoints {
            let known = next.filter(|(at, _)| *at == seconds).map(|(_, place)| place);
            let place = known.or_else(|| self.place(seconds));
            next = place.map(|at| (seconds.wrapping_add(self.period_seconds.into()), at + 1));
            if let Some(place) = place.and_then(|place| self.values.get_mut(place))
                && value.is_finite()
            {
                *place = value;
            }
        }
    }

    /// The place of a period, if it is one; it may be behind the last.
    fn place(&self, seconds_since_epoch: i64) -> Option<usize> {
        // Of 32 bits: a division of 64 is most of what a datapoint would cost here.
        let seconds =
            u32::try_from(seconds_since_epoch.wrapping_sub(self.first.timestamp())).ok()?;
        let (index, rest) = (seconds / self.period_seconds, seconds % self.period_seconds);
        (rest == 0).then_some(index as usize)
    }

    /// The datapoints there are, in time order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Timestamp, f64)> + '_ {
        let there = |(_, value): &(usize, &f64)| !value.is_nan();
        self.values.iter().enumerate().filter(there).map(|(index, value)| (self.at(index), *value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|value| value.is_nan())
    }

    /// The values from `from` on, one for each of `len` periods of this length, NaN where there is
    /// no datapoint.
    #[must_use]
    pub fn into_column(self, from: Timestamp, len: usize) -> Vec<f64> {
        if self.first == from && self.values.len() == len {
            return self.values;
        }
        let seconds = (from - self.first).num_seconds();
        let skipped = seconds.div_euclid(i64::from(self.period_seconds));
        let place = |index: usize| {
            let index = i64::try_from(index).ok()?.checked_add(skipped)?;
            self.values.get(usize::try_from(index).ok()?).copied()
        };
        (0..len).map(|index| place(index).unwrap_or(f64::NAN)).collect()
    }

    fn at(&self, index: usize) -> Timestamp {
        let offset = i64::try_from(index).unwrap_or(0) * i64::from(self.period_seconds);
        self.first + TimeDelta::seconds(offset)
    }
}

/// The same datapoints are the same, whatever there is room for.
impl PartialEq for Points {
    fn eq(&self, other: &Self) -> bool {
        self.period_seconds == other.period_seconds && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_100 + second, 0).unwrap()
    }

    #[test]
    fn each_datapoint_has_its_place_and_what_was_not_asked_for_has_none() {
        let mut points = Points::none(at(0), at(180), 60);
        assert!(points.is_empty());
        let first = at(0).timestamp();
        for (second, value) in [(60, 1.0), (0, 2.0), (60, 3.0), (-60, 4.0), (180, 5.0), (61, 6.0)] {
            points.set(first + second, value);
        }
        points.set(first + 120, f64::NAN);
        points.set(i64::MIN, 1.0);
        assert_eq!(points.iter().collect::<Vec<_>>(), [(at(0), 2.0), (at(60), 3.0)]);
        let column = points.clone().into_column(at(-60), 3);
        assert!(column[0].is_nan() && column[1..] == [2.0, 3.0], "{column:?}");
        assert_eq!(points.into_column(at(60), 1), [3.0]);
    }

    #[test]
    fn periods_begin_at_multiples_of_their_length() {
        let mut points = Points::none(at(60), at(601), 300);
        for second in [0, 300, 600] {
            points.set(at(second).timestamp(), second as f64);
        }
        let expected = [(at(0), 0.0), (at(300), 300.0), (at(600), 600.0)];
        assert_eq!(points.iter().collect::<Vec<_>>(), expected);
        let mut room = Points::none(at(-3000), at(3000), 300);
        for (at, value) in &expected {
            room.set(at.timestamp(), *value);
        }
        assert_eq!(points, room);
    }
}
