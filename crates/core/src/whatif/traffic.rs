//! Recorded traffic: the requests of all instances, minute by minute.

use crate::model::series::Minute;
use crate::model::time::{Timestamp, floor_to_minute};

/// Minutes in a week.
pub const WEEK: usize = 7 * 1440;
/// Longest traffic that is taken: half a year of minutes.
const MINUTES_MAX: usize = 26 * WEEK;
/// The epoch began on a Thursday; from here on a week begins on Monday.
const MONDAY: i64 = 4 * 1440;

/// The requests of a variant, minute by minute. A minute without a datapoint is not a number: it is
/// neither judged nor does it fire an alarm.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    /// The minute of the first entry, since the epoch.
    start: i64,
    requests: Vec<f32>,
}

impl Traffic {
    /// Traffic that starts at a minute since the epoch. What is negative or not finite is a gap.
    pub fn new(start: i64, requests: Vec<f32>) -> Self {
        let mut requests = requests;
        requests.truncate(MINUTES_MAX);
        for value in &mut requests {
            if !value.is_finite() || *value < 0.0 {
                *value = f32::NAN;
            }
        }
        Self { start, requests }
    }

    /// The traffic of recorded telemetry in order of time. Longer periods than a minute are spread
    /// evenly over those of their minutes that have no datapoint of their own.
    pub fn of<'a>(minutes: impl IntoIterator<Item = &'a Minute>) -> Self {
        let minute_of = |at: Timestamp| floor_to_minute(at).timestamp().div_euclid(60);
        let mut traffic = Self::default();
        let mut long = Vec::new();
        for minute in minutes {
            let Some(requests) = minute.invocations else { continue };
            let at = minute_of(minute.at);
            let span = i64::from(minute.period_seconds.max(60)) / 60;
            if traffic.requests.is_empty() {
                traffic.start = at;
            }
            let Ok(offset) = usize::try_from(at - traffic.start) else { continue };
            let end = offset.saturating_add(span as usize);
            if end > MINUTES_MAX {
                break;
            }
            if traffic.requests.len() < end {
                traffic.requests.resize(end, f32::NAN);
            }
            if span == 1 {
                traffic.requests[offset] = requests.max(0.0) as f32;
            } else {
                long.push((offset, end, (requests.max(0.0) / span as f64) as f32));
            }
        }
        for (offset, end, each) in long {
            traffic.requests[offset..end].iter_mut().filter(|r| r.is_nan()).for_each(|r| *r = each);
        }
        traffic
    }

    /// The requests of each minute.
    pub fn requests(&self) -> &[f32] {
        &self.requests
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.requests.iter().all(|r| r.is_nan())
    }

    /// How many minutes, with those without a datapoint.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// How many minutes have no datapoint.
    pub fn gaps(&self) -> usize {
        self.requests.iter().filter(|r| r.is_nan()).count()
    }

    /// The minute of the week, from Monday 00:00 UTC, of an entry.
    pub fn minute_of_week(&self, index: usize) -> usize {
        let minute = self.start.saturating_add(offset(index)).saturating_sub(MONDAY);
        minute.rem_euclid(offset(WEEK)) as usize
    }

    /// The same traffic, so many times as much.
    pub fn times(&self, factor: f64) -> Self {
        let requests = self.requests.iter().map(|r| (f64::from(*r) * factor) as f32).collect();
        Self { start: self.start, requests }
    }

    /// The part from one entry to before another.
    pub fn part(&self, from: usize, to: usize) -> Self {
        let to = to.min(self.requests.len());
        let from = from.min(to);
        Self {
            start: self.start.saturating_add(offset(from)),
            requests: self.requests[from..to].to_vec(),
        }
    }

    /// The busiest minute, in requests.
    pub fn peak(&self) -> f64 {
        self.requests.iter().filter(|r| !r.is_nan()).fold(0.0, |a, b| f64::max(a, f64::from(*b)))
    }

    /// How many weeks it is long, in minutes with a datapoint.
    pub fn weeks(&self) -> f64 {
        (self.len() - self.gaps()) as f64 / WEEK as f64
    }
}

/// An index as a span of minutes; traffic is far shorter than what does not fit.
fn offset(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp(1_790_000_100 + minute * 60, 0).unwrap()
    }

    #[test]
    fn gaps_stay_gaps_and_long_periods_fill_them_evenly() {
        let minute = |m: i64, period_seconds: u32, requests: f64| Minute {
            period_seconds,
            invocations: Some(requests),
            ..Minute::empty(at(m))
        };
        let rows = [minute(0, 60, 10.0), minute(1, 60, 20.0), minute(4, 60, 50.0)];
        let traffic = Traffic::of(&rows);
        assert_eq!((traffic.len(), traffic.gaps(), traffic.peak()), (5, 2, 50.0));
        let with_long = [minute(0, 300, 500.0), rows[0], rows[1], rows[2]];
        let filled = Traffic::of(&with_long);
        assert_eq!(filled.requests(), [10.0, 20.0, 100.0, 100.0, 50.0]);
        assert!(Traffic::of(&[Minute::empty(at(0))]).is_empty());
    }

    #[test]
    fn a_week_begins_on_monday() {
        let monday: Timestamp = "2026-11-23T00:07:00Z".parse().unwrap();
        let traffic = Traffic::new(monday.timestamp() / 60, vec![1.0; 20]);
        assert_eq!((traffic.minute_of_week(0), traffic.minute_of_week(13)), (7, 20));
    }
}
