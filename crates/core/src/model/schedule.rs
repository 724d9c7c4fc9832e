//! AWS's schedule expressions: `at(...)`, `rate(...)` and `cron(...)` in a time zone
//! (Application Auto Scaling user guide, "Schedule recurring scaling actions using cron expressions").

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::scaling::ScheduledAction;
use super::time::Timestamp;

/// A schedule expression that AWS would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not a schedule (allowed: at(yyyy-mm-ddThh:mm:ss), rate(N minutes|hours|days), \
     cron(minute hour day-of-month month day-of-week year), in an IANA time zone)"
)]
pub struct InvalidSchedule {
    found: String,
}

/// When something happens.
#[derive(Debug, Clone)]
pub struct AwsSchedule {
    kind: Kind,
    zone: Tz,
}

#[derive(Debug, Clone)]
enum Kind {
    At(Timestamp),
    Rate(TimeDelta),
    Cron(Box<Cron>),
}

impl AwsSchedule {
    /// Reads an expression; UTC without a time zone.
    ///
    /// # Errors
    /// When it is none of the three forms, or the time zone does not exist.
    pub fn parse(expression: &str, timezone: Option<&str>) -> Result<Self, InvalidSchedule> {
        let bad = || {
            let zone = timezone.map(|zone| format!(" in {zone}")).unwrap_or_default();
            InvalidSchedule { found: format!("{expression}{zone}") }
        };
        let zone: Tz = timezone.unwrap_or("UTC").parse().map_err(|_| bad())?;
        let (kind, inner) =
            expression.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or_else(bad)?;
        let kind = match kind {
            "at" => {
                let local: NaiveDateTime = inner.parse().map_err(|_| bad())?;
                Kind::At(zone.from_local_datetime(&local).earliest().ok_or_else(bad)?.to_utc())
            }
            "rate" => Kind::Rate(rate(inner).ok_or_else(bad)?),
            "cron" => {
                let parser = CronParser::builder()
                    .seconds(Seconds::Required)
                    .year(Year::Required)
                    .alternative_weekdays(true)
                    .build();
                Kind::Cron(Box::new(parser.parse(&format!("0 {inner}")).map_err(|_| bad())?))
            }
            _ => return Err(bad()),
        };
        Ok(Self { kind, zone })
    }

    /// The first time strictly after `at`; a rate counts from `base`.
    pub fn next_after(&self, at: Timestamp, base: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::At(time) => (*time > at).then_some(*time),
            Kind::Rate(every) => {
                let seconds = every.num_seconds();
                let passed = (at - base).num_seconds().max(-1).div_euclid(seconds) + 1;
                base.checked_add_signed(TimeDelta::try_seconds(passed.checked_mul(seconds)?)?)
            }
            Kind::Cron(cron) => {
                let local = at.with_timezone(&self.zone);
                cron.find_next_occurrence(&local, false).ok().map(|at| at.to_utc())
            }
        }
    }

    /// The last time at or before `at`; a rate counts from `base`.
    pub fn last_until(&self, at: Timestamp, base: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::At(time) => (*time <= at).then_some(*time),
            Kind::Rate(every) => {
                let seconds = every.num_seconds();
                let passed = (at - base).num_seconds();
                let span = TimeDelta::try_seconds(passed.div_euclid(seconds) * seconds)?;
                (passed >= 0).then(|| base + span)
            }
            Kind::Cron(cron) => {
                let local = at.with_timezone(&self.zone);
                cron.find_previous_occurrence(&local, true).ok().map(|at| at.to_utc())
            }
        }
    }
}

/// `5 minutes`, `1 hour`, `2 days`.
fn rate(text: &str) -> Option<TimeDelta> {
    let (count, unit) = text.trim().split_once(' ')?;
    let seconds = match unit.strip_suffix('s').unwrap_or(unit) {
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return None,
    };
    let count = count.parse::<i64>().ok().filter(|count| *count > 0)?;
    TimeDelta::try_seconds(count.checked_mul(seconds)?)
}

impl ScheduledAction {
    /// When it runs next, strictly after `at`. `None` when it does not, or when its schedule
    /// cannot be read.
    pub fn next_run(&self, at: Timestamp) -> Option<Timestamp> {
        let schedule = AwsSchedule::parse(&self.schedule, self.timezone.as_deref()).ok()?;
        let from = self.starts_at.map_or(at, |start| at.max(start - TimeDelta::seconds(1)));
        let next = schedule.next_after(from, self.base()?)?;
        self.ends_at.is_none_or(|end| next <= end).then_some(next)
    }

    /// Whether it runs no more and last ran more than `quiet` before `at`. One whose schedule cannot
    /// be read, or a rate that counts from nobody knows when, may run at any time.
    pub fn is_over(&self, at: Timestamp, quiet: TimeDelta) -> bool {
        if self.ends_at.is_some_and(|end| at - end > quiet) {
            return true;
        }
        let readable = AwsSchedule::parse(&self.schedule, self.timezone.as_deref()).is_ok();
        let recent = self.last_run(at).is_some_and(|last| at - last <= quiet);
        readable && self.base().is_some() && self.next_run(at).is_none() && !recent
    }

    /// When it ran last, at or before `at`. `None` when it did not, or when its schedule cannot be
    /// read.
    pub fn last_run(&self, at: Timestamp) -> Option<Timestamp> {
        let schedule = AwsSchedule::parse(&self.schedule, self.timezone.as_deref()).ok()?;
        let until = self.ends_at.map_or(at, |end| at.min(end));
        let last = schedule.last_until(until, self.base()?)?;
        // Before it was made, or before its start, it did not run.
        let began = self.created_at.max(self.starts_at);
        began.is_none_or(|began| last >= began).then_some(last)
    }

    /// What a rate counts from. A cron or at schedule does not need it.
    fn base(&self) -> Option<Timestamp> {
        let base = self.starts_at.or(self.created_at);
        base.or_else(|| (!self.schedule.starts_with("rate")).then_some(Timestamp::UNIX_EPOCH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn action(schedule: &str, timezone: Option<&str>) -> ScheduledAction {
        ScheduledAction {
            resource: "endpoint/e/variant/v".parse().unwrap(),
            name: "morning".to_owned(),
            schedule: schedule.to_owned(),
            timezone: timezone.map(str::to_owned),
            min_capacity: Some(4),
            max_capacity: None,
            starts_at: None,
            ends_at: None,
            created_at: Some(at("2026-11-01T00:10:00Z")),
        }
    }

    #[test]
    fn a_cron_runs_in_its_time_zone() {
        // Weekdays at 8:00 in Berlin; Sunday is 1 in AWS's weekdays.
        let morning = action("cron(0 8 ? * 2-6 *)", Some("Europe/Berlin"));
        let monday = at("2026-11-23T12:00:00Z");
        assert_eq!(morning.last_run(monday), Some(at("2026-11-23T07:00:00Z")));
        assert_eq!(morning.next_run(monday), Some(at("2026-11-24T07:00:00Z")));
        // On Sunday the last run was Friday's.
        assert_eq!(morning.last_run(at("2026-11-22T12:00:00Z")), Some(at("2026-11-20T07:00:00Z")));
        // An instant of a run is its last run, and not its next.
        let run = at("2026-11-23T07:00:00Z");
        assert_eq!(morning.last_run(run), Some(run));
        assert_eq!(morning.next_run(run), Some(at("2026-11-24T07:00:00Z")));
    }

    #[test]
    fn a_rate_counts_from_its_start_or_its_making() {
        let every = action("rate(2 hours)", None);
        let noon = at("2026-11-23T12:00:00Z");
        assert_eq!(every.last_run(noon), Some(at("2026-11-23T10:10:00Z")));
        assert_eq!(every.next_run(noon), Some(at("2026-11-23T12:10:00Z")));
        let unknown = ScheduledAction { created_at: None, ..every };
        assert_eq!(unknown.last_run(noon), None);
    }

    #[test]
    fn nothing_runs_before_it_was_made_or_outside_its_span() {
        let noon = at("2026-11-23T12:00:00Z");
        let mut daily = action("cron(0 10 * * ? *)", None);
        daily.created_at = Some(at("2026-11-23T11:00:00Z"));
        assert_eq!(daily.last_run(noon), None);
        daily.created_at = None;
        daily.ends_at = Some(at("2026-11-22T23:00:00Z"));
        assert_eq!(daily.last_run(noon), Some(at("2026-11-22T10:00:00Z")));
        assert_eq!(daily.next_run(noon), None);
        daily.ends_at = None;
        daily.starts_at = Some(at("2026-11-25T10:00:00Z"));
        assert_eq!(daily.next_run(noon), Some(at("2026-11-25T10:00:00Z")));
        assert_eq!(daily.last_run(noon), None);
    }

    #[test]
    fn an_at_runs_once() {
        let once = action("at(2026-11-23T11:30:00)", None);
        assert_eq!(once.last_run(at("2026-11-23T12:00:00Z")), Some(at("2026-11-23T11:30:00Z")));
        assert_eq!(once.next_run(at("2026-11-23T12:00:00Z")), None);
        assert_eq!(once.next_run(at("2026-11-23T11:00:00Z")), Some(at("2026-11-23T11:30:00Z")));
    }

    #[test]
    fn what_aws_would_refuse_is_refused() {
        for wrong in ["", "cron(0 8 * * *)", "rate(0 hours)", "rate(5)", "at(noon)", "every(1)"] {
            assert!(AwsSchedule::parse(wrong, None).is_err(), "{wrong:?}");
        }
        let nowhere = AwsSchedule::parse("rate(1 hour)", Some("Nowhere/Town")).unwrap_err();
        assert!(nowhere.to_string().contains("Nowhere/Town"));
    }
}
