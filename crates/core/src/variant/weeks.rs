//! The requests of every minute of the last two weeks: what safety factors and scheduled floors are
//! judged by. Nothing keeps them: they are read when an answer is due, once a day.

use chrono::{Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::model::time::Timestamp;
use crate::whatif::Traffic;
use crate::whatif::traffic::WEEK;

/// How far back they go: whole weeks, of the 15 days for which CloudWatch keeps minutes.
pub const SPAN: TimeDelta = TimeDelta::weeks(2);
/// Two weeks may lack so many minutes and count as two.
const LACKS_MAX: usize = 180;

/// The requests by minute.
#[derive(Debug, Clone)]
pub struct Weeks {
    /// The minute of the first entry, since the epoch.
    from: i64,
    requests: Vec<f64>,
}

impl Weeks {
    /// The requests of each minute from `from` on, NaN where there is no datapoint. They begin with the
    /// first datapoint: before it the variant may not have been there.
    pub fn new(from: Timestamp, mut requests: Vec<f64>) -> Self {
        let empty = requests.iter().take_while(|requests| requests.is_nan()).count();
        requests.drain(..empty);
        Self { from: from.timestamp().div_euclid(60).saturating_add(offset(empty)), requests }
    }

    /// The traffic by the clock on the wall of a time zone, so that an hour of one week is the same
    /// hour of the next: the hour that a change of the clock leaves out is a gap, and of the one that
    /// comes twice the second counts.
    pub fn traffic(&self, zone: Tz) -> Traffic {
        let local = |minute: i64| minute.saturating_add(offset_minutes(zone, minute));
        // A recording of two weeks may lack a few minutes at its ends.
        let lacks = (2 * WEEK).saturating_sub(self.requests.len());
        let lacks = if lacks <= LACKS_MAX { lacks } else { 0 };
        let start = local(self.from) - offset(lacks);
        let mut requests: Vec<f32> = Vec::with_capacity(lacks + self.requests.len());
        // A time zone changes its offset at whole quarters of an hour.
        let (mut quarter, mut shift) = (i64::MIN, 0);
        for (at, own) in (self.from..).zip(&self.requests) {
            if at.div_euclid(15) != quarter {
                quarter = at.div_euclid(15);
                shift = offset_minutes(zone, at);
            }
            let Ok(place) = usize::try_from(at + shift - start) else { continue };
            if place >= requests.len() {
                requests.resize(place + 1, f32::NAN);
            }
            requests[place] = *own as f32;
        }
        Traffic::new(start, requests)
    }
}

/// The offset of a time zone from UTC in a minute, in minutes.
fn offset_minutes(zone: Tz, minute: i64) -> i64 {
    let at = Timestamp::from_timestamp(minute.saturating_mul(60), 0).unwrap_or_default();
    i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()).div_euclid(60)
}

/// An index as a span of minutes; weeks always fit.
fn offset(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn they_begin_with_the_first_datapoint_and_gaps_stay_gaps() {
        let monday = at("2026-11-02T00:00:00Z");
        let weeks = Weeks::new(monday, vec![f64::NAN, 10.0, f64::NAN, 0.0]);
        let traffic = weeks.traffic(Tz::UTC);
        assert_eq!((traffic.len(), traffic.gaps(), traffic.minute_of_week(0)), (3, 1, 1));
        assert_eq!((traffic.requests()[0], traffic.requests()[2]), (10.0, 0.0));
        assert!(Weeks::new(monday, vec![f64::NAN; 3]).traffic(Tz::UTC).is_empty());
    }

    #[test]
    fn two_weeks_that_lack_a_few_minutes_count_as_two() {
        let of = |minutes: usize| {
            Weeks::new(at("2026-11-02T00:00:00Z"), vec![1.0; minutes]).traffic(Tz::UTC)
        };
        let lacks = of(2 * WEEK - LACKS_MAX);
        assert_eq!((lacks.len(), lacks.gaps()), (2 * WEEK, LACKS_MAX));
        assert_eq!(of(2 * WEEK - LACKS_MAX - 1).len(), 2 * WEEK - LACKS_MAX - 1);
    }

    /// The load of 08:00 in Berlin is at 06:00 UTC before the clocks change and at 07:00 after it.
    #[test]
    fn a_change_of_the_clock_moves_no_hour_of_the_wall() {
        let zone = chrono_tz::Europe::Berlin;
        // The clocks go back on Sunday, 25 October 2026, 01:00 UTC.
        let from = at("2026-10-19T22:00:00Z");
        let busy = |i: i64| {
            let utc = from + TimeDelta::minutes(i);
            let local = utc.with_timezone(&zone).format("%H").to_string();
            if local == "08" { 5000.0 } else { 100.0 }
        };
        let traffic = Weeks::new(from, (0..12 * 1440).map(busy).collect()).traffic(zone);
        for (i, requests) in traffic.requests().iter().enumerate() {
            let hour = traffic.minute_of_week(i) % 1440 / 60;
            assert_eq!(*requests > 1000.0, hour == 8, "{i}: {hour} {requests}");
        }
        // Twelve days by the sun, an hour less by the clock on the wall.
        assert_eq!(traffic.len(), 12 * 1440 - 60);

        // In spring an hour is left out.
        let traffic = Weeks::new(at("2026-03-28T00:00:00Z"), vec![7.0; 2 * 1440]).traffic(zone);
        assert_eq!((traffic.len(), traffic.gaps()), (2 * 1440 + 60, 60));
    }
}
