//! What CloudWatch costs, and where it stops: one meter for the whole process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Datelike;

use crate::model::fact::{Why, WhyKind};
use crate::model::time::Timestamp;

/// The price of one metric requested by `GetMetricData`, in US dollars
/// (CloudWatch pricing: $0.01 per 1,000 metrics requested).
pub const DOLLARS_PER_METRIC: f64 = 0.01 / 1000.0;

/// Counts what CloudWatch costs, and stops at the budget. Clones count together: the budget is the
/// process's, whichever account and region asks.
#[derive(Debug, Clone, Default)]
pub struct CostMeter(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    metrics_requested: u64,
    month: Option<(i32, u32)>,
    requested_this_month: u64,
}

impl CostMeter {
    /// Metrics requested since the process began.
    #[must_use]
    pub fn metrics_requested(&self) -> u64 {
        self.counts().metrics_requested
    }

    /// Dollars since the process began.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        self.metrics_requested() as f64 * DOLLARS_PER_METRIC
    }

    /// Dollars of this calendar month (UTC), since the process began.
    #[must_use]
    pub fn dollars_this_month(&self, now: Timestamp) -> f64 {
        let counts = self.counts();
        let this = counts.month == Some((now.year(), now.month()));
        if this { counts.requested_this_month as f64 * DOLLARS_PER_METRIC } else { 0.0 }
    }

    /// Takes note of a request, or refuses it because the month's budget is used up.
    pub(super) fn request(
        &self,
        metrics: u64,
        budget: Option<f64>,
        now: Timestamp,
    ) -> Result<(), Why> {
        let mut counts = self.counts();
        let month = (now.year(), now.month());
        if counts.month != Some(month) {
            counts.month = Some(month);
            counts.requested_this_month = 0;
        }
        let dollars = (counts.requested_this_month + metrics) as f64 * DOLLARS_PER_METRIC;
        if let Some(budget) = budget
            && dollars > budget
        {
            return Err(Why::new(
                WhyKind::NotAsked,
                format!("the CloudWatch budget of {budget} dollars a month is used up"),
            ));
        }
        counts.requested_this_month += metrics;
        counts.metrics_requested += metrics;
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_budget_until_the_month_ends() {
        let (one, other) = (CostMeter::default(), CostMeter::default());
        let same = one.clone();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let november = at("2026-11-30T23:59:00Z");
        let budget = Some(1000.0 * DOLLARS_PER_METRIC);
        one.request(600, budget, november).unwrap();
        let refused = same.request(500, budget, november).unwrap_err();
        assert_eq!(refused.kind, WhyKind::NotAsked);
        same.request(400, budget, november).unwrap();
        assert_eq!((one.metrics_requested(), same.metrics_requested()), (1000, 1000));
        assert_eq!(other.metrics_requested(), 0, "another process's");
        let december = at("2026-12-01T00:00:00Z");
        assert_eq!(one.dollars_this_month(november), 1000.0 * DOLLARS_PER_METRIC);
        assert_eq!(one.dollars_this_month(december), 0.0, "before anything was asked for");
        same.request(500, budget, december).unwrap();
        assert_eq!(one.dollars_this_month(december), 500.0 * DOLLARS_PER_METRIC);
    }
}
