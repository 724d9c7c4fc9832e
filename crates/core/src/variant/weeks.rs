//! The requests of every minute of the last weeks, in two bytes each: what scheduled floors are
//! judged by.

use std::collections::VecDeque;

use chrono::{Offset, TimeZone};
use chrono_tz::Tz;

use crate::model::series::Minute;
use crate::model::time::Timestamp;
use crate::whatif::Traffic;
use crate::whatif::traffic::WEEK;

/// How many minutes are kept: three weeks, so that two are whole whenever one looks.
const MINUTES: usize = 3 * WEEK;
/// Two weeks may lack so many minutes and count as two.
const LACKS_MAX: usize = 180;
/// No datapoint, and none of the numbers below.
const GAP: u16 = 0;
/// No request.
const NOUGHT: u16 = 1;
/// The least number above 0, as the logarithm, and the step between two numbers: together they reach
/// to some 10^13 requests a minute, to a twentieth of a percent.
const LEAST: f64 = -2.0;
const STEP: f64 = 0.0005;

/// The requests by minute.
#[derive(Debug, Clone, Default)]
pub(super) struct Weeks {
    /// The minute of the first entry, since the epoch.
    from: i64,
    requests: VecDeque<u16>,
}

impl Weeks {
    /// Takes in newly read minutes, in time order. What is older than the newest one that it has is
    /// left out.
    pub(super) fn take_in(&mut self, minutes: &[Minute]) {
        for minute in minutes.iter().filter(|minute| minute.period_seconds <= 60) {
            let Some(requests) = minute.invocations else { continue };
            let at = minute_of(minute.at);
            if self.requests.is_empty() {
                self.from = at;
            }
            let Some(ahead) = at.checked_sub(self.end()).and_then(|n| usize::try_from(n).ok())
            else {
                continue;
            };
            if ahead >= MINUTES {
                self.requests.clear();
                self.from = at;
            } else {
                self.requests.extend(std::iter::repeat_n(GAP, ahead));
            }
            self.requests.push_back(packed(requests));
            let excess = self.requests.len().saturating_sub(MINUTES);
            self.requests.drain(..excess);
            self.from = self.from.saturating_add(offset(excess));
        }
    }

    fn end(&self) -> i64 {
        self.from.saturating_add(offset(self.requests.len()))
    }

    /// The traffic by the clock on the wall of a time zone, so that an hour of one week is the same
    /// hour of the next: the hour that a change of the clock leaves out is a gap, and of the one that
    /// comes twice the second counts.
    pub(super) fn traffic(&self, zone: Tz) -> Traffic {
        let local = |minute: i64| minute.saturating_add(offset_minutes(zone, minute));
        // The history that is read after a start is two weeks less what CloudWatch still fills.
        let lacks = (2 * WEEK).saturating_sub(self.requests.len());
        let lacks = if lacks <= LACKS_MAX { lacks } else { 0 };
        let start = local(self.from) - offset(lacks);
        let mut requests: Vec<f32> = Vec::with_capacity(lacks + self.requests.len());
        // A time zone changes its offset at whole quarters of an hour.
        let (mut quarter, mut shift) = (i64::MIN, 0);
        for (at, packed) in (self.from..).zip(&self.requests) {
            if at.div_euclid(15) != quarter {
                quarter = at.div_euclid(15);
                shift = offset_minutes(zone, at);
            }
            let Ok(place) = usize::try_from(at + shift - start) else { continue };
            if place >= requests.len() {
                requests.resize(place + 1, f32::NAN);
            }
            requests[place] = unpacked(*packed);
        }
        Traffic::new(start, requests)
    }
}

/// The offset of a time zone from UTC in a minute, in minutes.
fn offset_minutes(zone: Tz, minute: i64) -> i64 {
    let at = Timestamp::from_timestamp(minute.saturating_mul(60), 0).unwrap_or_default();
    i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()).div_euclid(60)
}

fn minute_of(at: Timestamp) -> i64 {
    at.timestamp().div_euclid(60)
}

/// An index as a span of minutes; three weeks always fit.
fn offset(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn packed(requests: f64) -> u16 {
    if !requests.is_finite() || requests < 0.0 {
        return GAP;
    }
    if requests < 0.5 {
        return NOUGHT;
    }
    let step = (requests.ln() - LEAST) / STEP;
    step.round().clamp(f64::from(NOUGHT) + 1.0, f64::from(u16::MAX)) as u16
}

fn unpacked(packed: u16) -> f32 {
    match packed {
        GAP => f32::NAN,
        NOUGHT => 0.0,
        step => (f64::from(step) * STEP + LEAST).exp() as f32,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn minutes(from: Timestamp, requests: impl IntoIterator<Item = f64>) -> Vec<Minute> {
        let minute = |(i, requests)| Minute {
            invocations: Some(requests),
            ..Minute::empty(from + TimeDelta::minutes(i))
        };
        (0_i64..).zip(requests).map(minute).collect()
    }

    #[test]
    fn a_number_comes_back_within_a_twentieth_of_a_percent() {
        for requests in [1.0, 2.0, 59.0, 1234.0, 1e6, 9e12] {
            let back = f64::from(unpacked(packed(requests)));
            assert!((back / requests - 1.0).abs() < 0.0005, "{requests} -> {back}");
        }
        assert_eq!(unpacked(packed(0.0)), 0.0);
        assert!(unpacked(packed(f64::NAN)).is_nan());
    }

    #[test]
    fn gaps_stay_gaps_and_only_three_weeks_are_kept() {
        let mut weeks = Weeks::default();
        let from = at("2026-11-02T00:00:00Z");
        weeks.take_in(&minutes(from, [10.0, 20.0]));
        weeks.take_in(&minutes(from + TimeDelta::minutes(1), [99.0, 30.0]));
        weeks.take_in(&minutes(from + TimeDelta::minutes(5), [40.0]));
        let traffic = weeks.traffic(Tz::UTC);
        let rounded: Vec<f32> = traffic.requests().iter().map(|r| r.round()).collect();
        assert_eq!((rounded[1], rounded[2], rounded[5]), (20.0, 30.0, 40.0));
        assert_eq!((traffic.len(), traffic.gaps(), traffic.minute_of_week(1)), (6, 2, 1));

        weeks.take_in(&minutes(from + TimeDelta::weeks(3), [50.0]));
        assert_eq!(weeks.requests.len(), MINUTES);
        assert_eq!(weeks.from, minute_of(from) + 1);
        weeks.take_in(&minutes(from + TimeDelta::weeks(9), [60.0]));
        assert_eq!(weeks.requests.len(), 1);
    }

    /// The load of 08:00 in Berlin is at 06:00 UTC before the clocks change and at 07:00 after it.
    #[test]
    fn a_change_of_the_clock_moves_no_hour_of_the_wall() {
        let zone = chrono_tz::Europe::Berlin;
        let mut weeks = Weeks::default();
        // The clocks go back on Sunday, 25 October 2026, 01:00 UTC.
        let from = at("2026-10-19T22:00:00Z");
        let busy = |i: i64| {
            let utc = from + TimeDelta::minutes(i);
            let local = utc.with_timezone(&zone).format("%H").to_string();
            if local == "08" { 5000.0 } else { 100.0 }
        };
        weeks.take_in(&minutes(from, (0..12 * 1440).map(busy)));
        let traffic = weeks.traffic(zone);
        for (i, requests) in traffic.requests().iter().enumerate() {
            let hour = traffic.minute_of_week(i) % 1440 / 60;
            assert_eq!(*requests > 1000.0, hour == 8, "{i}: {hour} {requests}");
        }
        // Twelve days by the sun, an hour less by the clock on the wall.
        assert_eq!(traffic.len(), 12 * 1440 - 60);

        // In spring an hour is left out.
        let mut weeks = Weeks::default();
        let from = at("2026-03-28T00:00:00Z");
        weeks.take_in(&minutes(from, (0..2 * 1440).map(|_| 7.0)));
        let traffic = weeks.traffic(zone);
        assert_eq!((traffic.len(), traffic.gaps()), (2 * 1440 + 60, 60));
    }
}
