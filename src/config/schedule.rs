//! When things happen: six-field cron expressions, and freeze windows made of them.

use std::fmt;

use chrono::TimeDelta;
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Serialize, Serializer};

use crate::model::time::Timestamp;

/// A six-field cron expression (seconds first) in a time zone.
///
/// It is read exactly as `tokio-cron-scheduler` reads it, so that what is due can be computed from
/// the clock port and agrees with the scheduler's ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    text: String,
    cron: Cron,
    timezone: Tz,
}

impl Schedule {
    /// Reads an expression in UTC.
    ///
    /// # Errors
    /// What the expression lacks.
    pub fn utc(text: &str) -> Result<Self, String> {
        Self::new(text, Tz::UTC)
    }

    /// Reads an expression in a time zone.
    ///
    /// # Errors
    /// What the expression lacks, or that it never comes due.
    pub fn new(text: &str, timezone: Tz) -> Result<Self, String> {
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .dom_and_dow(true)
            .build();
        let fields = text.split_whitespace().count();
        if fields != FIELDS {
            let one = if fields == 1 { "field" } else { "fields" };
            return Err(format!("it has {fields} {one}"));
        }
        let cron = parser.parse(text).map_err(|error| {
            // The crate's sentences begin with what went wrong where in it.
            let message = error.to_string();
            message.split_once(": ").map_or(message.clone(), |(_, why)| why.to_owned())
        })?;
        Ok(Self { text: text.to_owned(), cron, timezone })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The time zone it is read in.
    pub const fn timezone(&self) -> Tz {
        self.timezone
    }

    /// The first time strictly after `at`; `None` when it never comes (the 30th of February).
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let local = at.with_timezone(&self.timezone);
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        Some(next.to_utc())
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Second, minute, hour, day of the month, month, day of the week.
const FIELDS: usize = 6;

/// A time in which nothing is written (rule 10).
#[derive(Debug, Clone, PartialEq)]
pub struct FreezeWindow {
    /// When it begins.
    pub schedule: Schedule,
    /// How long it lasts.
    pub duration: TimeDelta,
    /// Whether lowering a target value goes on.
    pub allow_lowering: bool,
}

impl FreezeWindow {
    /// Until when the window is open at `now`; `None` when it is not. The beginning belongs to it,
    /// the end does not.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        // The first start after `now - duration` is the earliest one that can still be open.
        let first = self.schedule.next_after(now - self.duration)?;
        if first > now {
            return None;
        }
        // Overlapping windows of one schedule join; each step moves past a start that lies before
        // the present, of which a window holds few (one a second for 31 days at most).
        let mut end = first + self.duration;
        let mut start = first;
        for _ in 0..MAX_JOINED_STARTS {
            match self.schedule.next_after(start) {
                Some(next) if next <= now => start = next,
                _ => break,
            }
            end = start + self.duration;
        }
        Some(end)
    }
}

/// A bound for the walk over the starts of one window; beyond it `open_until` is a lower bound.
const MAX_JOINED_STARTS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn six_fields_are_needed() {
        assert!(Schedule::utc("0 * * * * *").is_ok());
        for wrong in ["* * * * *", "0 0 0 1 1 * 2030", "", "every minute", "0 61 * * * *"] {
            assert!(Schedule::utc(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_next_time_is_strictly_later() {
        let every_quarter = Schedule::utc("0 */15 * * * *").unwrap();
        let next = every_quarter.next_after(at("2026-11-23T10:15:00Z"));
        assert_eq!(next, Some(at("2026-11-23T10:30:00Z")));
    }

    #[test]
    fn a_window_opens_and_closes_in_its_time_zone() {
        // Friday 18:00 in Berlin is 17:00 UTC in winter and 16:00 UTC in summer.
        let window = FreezeWindow {
            schedule: Schedule::new("0 0 18 * * 5", chrono_tz::Europe::Berlin).unwrap(),
            duration: TimeDelta::hours(60),
            allow_lowering: false,
        };
        assert_eq!(window.open_until(at("2026-11-27T16:59:59Z")), None);
        let monday = at("2026-11-30T05:00:00Z");
        assert_eq!(window.open_until(at("2026-11-27T17:00:00Z")), Some(monday));
        assert_eq!(window.open_until(at("2026-11-30T04:59:59Z")), Some(monday));
        assert_eq!(window.open_until(monday), None);
        assert!(window.open_until(at("2026-07-03T16:00:00Z")).is_some());
        assert_eq!(window.open_until(at("2026-07-03T15:59:59Z")), None);
    }

    #[test]
    fn windows_that_overlap_join() {
        let window = FreezeWindow {
            schedule: Schedule::utc("0 0 * * * *").unwrap(),
            duration: TimeDelta::minutes(90),
            allow_lowering: true,
        };
        let end = window.open_until(at("2026-11-23T10:10:00Z"));
        assert_eq!(end, Some(at("2026-11-23T11:30:00Z")));
    }
}
