//! What CloudWatch has been asked for in a calendar month: what the budget counts from after a restart.

use std::collections::BTreeMap;

use chrono::{Datelike, Timelike};
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The price of one metric requested by `GetMetricData`, in US dollars: 0.01 for each 1,000 (Amazon
/// CloudWatch pricing).
pub const DOLLARS_PER_METRIC: f64 = 0.01 / 1000.0;

/// The metrics requested in one month (UTC), by account and region as `ACCOUNT/REGION`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spending {
    /// The month, such as 2026-11; empty before anything was requested.
    pub month: String,
    /// Metrics requested, which is what AWS bills.
    pub metrics: BTreeMap<String, u64>,
}

/// What is no longer read so that the month's budget lasts for what matters more. The order is from
/// nothing to most. Variants about which something is going on, or nothing is known yet, are read until the
/// budget is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Saving {
    /// Everything is read as configured.
    #[default]
    Nothing,
    /// Variants that no target lists are not read, nor are instances one by one.
    Unlisted,
    /// Nor are the weeks of a variant for a replay, and [steady](crate::variant::Variant::is_steady)
    /// variants are read once an hour.
    Steady,
}

/// Saving begins when less than this share of the budget is left, and less than of the month.
const UNLISTED_BELOW: f64 = 0.3;
const STEADY_BELOW: f64 = 0.15;

impl Saving {
    /// What is read less, in a sentence; absent where nothing is.
    pub const fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Unlisted => Some(
                "the CloudWatch budget of the month runs short: variants that no target lists, and \
                 instances one by one, are not read",
            ),
            Self::Steady => Some(
                "the CloudWatch budget of the month runs short: variants that no target lists, and \
                 instances one by one, are not read, steady variants once an hour, and no weeks for \
                 floors and safety factors",
            ),
        }
    }

    /// What is saved after `spent` of `budget` US dollars of the calendar month (UTC) that `now` is in.
    pub fn of(spent: f64, budget: f64, now: Timestamp) -> Self {
        let left = 1.0 - spent / budget;
        let share = |below: f64| left < below && left < month_left(now);
        if budget <= 0.0 {
            Self::Nothing
        } else if share(STEADY_BELOW) {
            Self::Steady
        } else if share(UNLISTED_BELOW) {
            Self::Unlisted
        } else {
            Self::Nothing
        }
    }
}

/// The share of the calendar month (UTC) that is left, 0 to 1.
fn month_left(now: Timestamp) -> f64 {
    let date = now.date_naive();
    let days = f64::from(date.num_days_in_month());
    let gone = f64::from(date.day0()) + f64::from(now.num_seconds_from_midnight()) / 86_400.0;
    (1.0 - gone / days).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_depends_on_what_is_left_of_budget_and_month() {
        let of = |day: &str, spent| Saving::of(spent, 100.0, day.parse().unwrap());
        // At an even pace nothing is saved, down to the last dollar.
        assert_eq!(of("2026-11-16T00:00:00Z", 50.0), Saving::Nothing);
        assert_eq!(of("2026-11-30T12:00:00Z", 98.0), Saving::Nothing);
        // Ahead of it, the cheapest to miss goes first.
        assert_eq!(of("2026-11-10T00:00:00Z", 69.0), Saving::Nothing);
        assert_eq!(of("2026-11-10T00:00:00Z", 71.0), Saving::Unlisted);
        assert_eq!(of("2026-11-10T00:00:00Z", 86.0), Saving::Steady);
        assert_eq!(of("2026-11-10T00:00:00Z", 130.0), Saving::Steady);
        assert_eq!(Saving::of(5.0, 0.0, "2026-11-10T00:00:00Z".parse().unwrap()), Saving::Nothing);
    }
}
