//! When passes run, and what a month of them costs.

use chrono::TimeDelta;

use super::Check;
use crate::config::Config;
use crate::model::time::Timestamp;

/// A month of 30 days, in hours.
const MONTH_HOURS: f64 = 720.0;
/// A day tells how often a schedule comes; more occurrences than minutes are not counted.
const OCCURRENCES_MAX: usize = 1440;
/// The share of the budget from which the month is close.
const CLOSE: f64 = 0.8;

/// What is read how often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reads {
    /// Metrics in each telemetry pass.
    pub each_pass: usize,
    /// Metrics in each hour beside them.
    pub each_hour: usize,
    /// US dollars for one.
    pub dollars_each: f64,
}

impl Reads {
    /// Whether nothing paid is read.
    pub fn is_nothing(self) -> bool {
        self.each_pass == 0 && self.each_hour == 0
    }
}

/// Telemetry passes in the 24 hours from now.
fn passes_a_day(config: &Config, now: Timestamp) -> usize {
    let schedule = &config.reconcile.telemetry_schedule;
    let end = now + TimeDelta::hours(24);
    std::iter::successors(schedule.next_after(now), |at| schedule.next_after(*at))
        .take_while(|at| *at <= end)
        .take(OCCURRENCES_MAX)
        .count()
}

/// Whether the schedules come, and often enough.
pub fn schedules(config: &Config, now: Timestamp) -> Vec<Check> {
    let reconcile = &config.reconcile;
    let mut checks = Vec::new();
    let both = [
        ("reconcile.schedule", &reconcile.schedule),
        ("reconcile.telemetry_schedule", &reconcile.telemetry_schedule),
    ];
    for (key, schedule) in both {
        match schedule.next_after(now) {
            None => checks.push(Check::fail(
                "schedule",
                format!("{key} {schedule:?} never comes", schedule = schedule.as_str()),
                "six cron fields, seconds first, in UTC",
            )),
            Some(next) => checks
                .push(Check::ok("schedule", format!("{key}: next at {}", next.format("%FT%TZ")))),
        }
    }
    let first = reconcile.telemetry_schedule.next_after(now);
    let second = first.and_then(|at| reconcile.telemetry_schedule.next_after(at));
    if let (Some(first), Some(second)) = (first, second)
        && second - first > config.telemetry.max_age
    {
        checks.push(Check::warn(
            "schedule",
            format!(
                "telemetry is read every {} minutes, and is stale after {}",
                (second - first).num_minutes(),
                config.telemetry.max_age.num_minutes()
            ),
            "raise telemetry.max_age_minutes, or read more often: raises wait for fresh telemetry",
        ));
    }
    checks
}

/// The month's cost of CloudWatch beside its budget.
pub fn budget(config: &Config, reads: Reads, now: Timestamp) -> Check {
    let budget = config.telemetry.budget_dollars_per_month;
    let passes = passes_a_day(config, now) as f64 * MONTH_HOURS / 24.0;
    let dollars = |passes: f64| {
        let metrics = reads.each_pass as f64 * passes + reads.each_hour as f64 * MONTH_HOURS;
        metrics * reads.dollars_each
    };
    let most = dollars(passes);
    let steady_every = config.telemetry.steady_every.num_minutes();
    let least = if steady_every == 0 {
        most
    } else {
        dollars(passes.min(MONTH_HOURS * 60.0 / steady_every as f64))
    };
    if budget <= 0.0 {
        return Check::note(
            "budget",
            "0: the paid metrics are not read, and capacity is not measured",
        );
    }
    let (range, steady) = if least < most {
        (format!("{} to ", amount(least)), ", fewer of steady variants")
    } else {
        (String::new(), "")
    };
    let hourly = if reads.each_hour > 0 {
        format!(", and {} metrics of unlisted variants each hour", reads.each_hour)
    } else {
        String::new()
    };
    let found = format!(
        "{range}{} of ${} a month: {} metrics in each of {passes:.0} telemetry passes{steady}{hourly}",
        amount(most),
        if budget < 0.01 { budget.to_string() } else { format!("{budget:.2}") },
        reads.each_pass
    );
    let advice = "read less often (reconcile.telemetry_schedule), set discovery.telemetry: off, or \
                  raise telemetry.budget_dollars_per_month: at the budget nothing paid is read until \
                  the month ends";
    if least > budget {
        Check::fail("budget", found, advice)
    } else if most > budget * CLOSE {
        Check::warn("budget", found, advice)
    } else {
        Check::ok("budget", found)
    }
}

/// Dollars with cents, and what is less than a cent as that.
pub fn amount(dollars: f64) -> String {
    if dollars > 0.0 && dollars < 0.005 {
        "less than $0.01".to_owned()
    } else {
        format!("${dollars:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_month_is_counted_by_the_schedule() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let config = Config::from_yaml("telemetry: {budget_dollars_per_month: 10}").unwrap();
        // 100 variants of 5 metrics, 96 passes a day, 30 days, $0.01 for 1,000.
        let reads = Reads { each_pass: 500, each_hour: 0, dollars_each: 1e-5 };
        let check = budget(&config, reads, now);
        // 48 a day for those that are steady.
        assert_eq!(check.health, Health::Warn);
        assert!(check.found.starts_with("$7.20 to $14.40 of $10.00 a month"), "{}", check.found);
        let twice = budget(&config, Reads { each_pass: 1000, ..reads }, now);
        assert_eq!(twice.health, Health::Fail);
        let fine = budget(&config, Reads { each_pass: 50, ..reads }, now);
        assert_eq!(fine.health, Health::Ok);
        let close = budget(&config, Reads { each_pass: 300, ..reads }, now);
        assert_eq!(close.health, Health::Warn);
        let hourly = budget(&config, Reads { each_pass: 0, each_hour: 40, ..reads }, now);
        let text = "and 40 metrics of unlisted variants each hour";
        assert!(hourly.found.ends_with(text), "{}", hourly.found);
        let always = "{budget_dollars_per_month: 0.001, steady_every_minutes: 0}";
        let config = Config::from_yaml(&format!("telemetry: {always}")).unwrap();
        let tiny = budget(&config, Reads { each_pass: 5, ..reads }, now);
        let text = "$0.14 of $0.001 a month: 5 metrics in each of 2880 telemetry passes";
        assert_eq!(tiny.found, text);
    }

    #[test]
    fn telemetry_that_is_always_stale_is_reported() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let hourly = Config::from_yaml("reconcile: {telemetry_schedule: '0 0 * * * *'}").unwrap();
        let stale = |checks: Vec<Check>| checks.iter().any(|c| c.health == Health::Warn);
        assert!(stale(schedules(&hourly, now)));
        assert!(!stale(schedules(&Config::from_yaml("").unwrap(), now)));
    }
}
