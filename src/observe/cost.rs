//! What CloudWatch costs, and where it stops: one meter for the whole process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::fact::{Why, WhyKind};
use crate::model::ids::Scope;
pub use crate::model::spending::DOLLARS_PER_METRIC;
use crate::model::spending::{Saving, Spending};
use crate::model::time::Timestamp;

/// Counts what CloudWatch costs, and stops at the budget. Clones count together: the budget is the
/// process's, whichever account and region asks.
#[derive(Debug, Clone, Default)]
pub struct CostMeter {
    counts: Arc<Mutex<Counts>>,
    /// The account and region that asks, as [`Spending`] names it.
    of: Arc<str>,
}

#[derive(Debug, Default)]
struct Counts {
    metrics_requested: u64,
    /// What was requested in the month, by this process or before it.
    spending: Spending,
    /// Whether what was remembered from before this process is in it.
    remembered: bool,
}

impl Counts {
    /// Begins a month when it is another one.
    fn begin(&mut self, now: Timestamp) {
        let month = month(now);
        if self.spending.month != month {
            self.spending = Spending { month, metrics: BTreeMap::new() };
        }
    }

    fn requested(&self) -> u64 {
        self.spending.metrics.values().sum()
    }
}

fn month(at: Timestamp) -> String {
    at.format("%Y-%m").to_string()
}

impl CostMeter {
    /// The same meter, asked by this account and region.
    pub fn of(&self, scope: &Scope) -> Self {
        Self { counts: Arc::clone(&self.counts), of: Arc::from(scope.to_string()) }
    }

    /// Metrics requested since the process began.
    pub fn metrics_requested(&self) -> u64 {
        self.counts().metrics_requested
    }

    /// Dollars since the process began.
    pub fn dollars(&self) -> f64 {
        self.metrics_requested() as f64 * DOLLARS_PER_METRIC
    }

    /// Dollars of this calendar month (UTC), those remembered from before this process included.
    pub fn dollars_this_month(&self, now: Timestamp) -> f64 {
        let counts = self.counts();
        let this = counts.spending.month == month(now);
        if this { counts.requested() as f64 * DOLLARS_PER_METRIC } else { 0.0 }
    }

    /// What is no longer read so that the month's budget lasts.
    pub fn saving(&self, budget: Option<f64>, now: Timestamp) -> Saving {
        budget
            .map_or(Saving::Nothing, |budget| Saving::of(self.dollars_this_month(now), budget, now))
    }

    /// What was requested in the newest month.
    pub fn spending(&self) -> Spending {
        self.counts().spending.clone()
    }

    /// Takes in what was remembered. The first time it was before anything that this process has
    /// requested; later it is what this process or another one has kept since.
    pub fn remember(&self, kept: &Spending, now: Timestamp) {
        let mut counts = self.counts();
        counts.begin(now);
        let first = !std::mem::replace(&mut counts.remembered, true);
        if kept.month != counts.spending.month {
            return;
        }
        for (of, before) in &kept.metrics {
            let own = counts.spending.metrics.entry(of.clone()).or_default();
            *own = if first { own.saturating_add(*before) } else { (*own).max(*before) };
        }
    }

    /// Takes note of a request, or refuses it because the month's budget is used up.
    pub(super) fn request(
        &self,
        metrics: u64,
        budget: Option<f64>,
        now: Timestamp,
    ) -> Result<(), Why> {
        let mut counts = self.counts();
        counts.begin(now);
        let dollars = (counts.requested() + metrics) as f64 * DOLLARS_PER_METRIC;
        if let Some(budget) = budget
            && dollars > budget
        {
            return Err(Why::new(
                WhyKind::NotAsked,
                if budget > 0.0 {
                    format!("the CloudWatch budget of {budget} dollars a month is used up")
                } else {
                    "the CloudWatch budget is 0 dollars a month".to_owned()
                },
            ));
        }
        *counts.spending.metrics.entry(self.of.to_string()).or_default() += metrics;
        counts.metrics_requested += metrics;
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn a_restart_goes_on_from_what_was_kept_and_another_month_does_not() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (noon, december) = (at("2026-11-23T12:00:00Z"), at("2026-12-01T00:00:00Z"));
        let scope = |region: &str| Scope {
            account_id: "123456789012".parse().unwrap(),
            region: region.parse().unwrap(),
        };
        let budget = Some(1000.0 * DOLLARS_PER_METRIC);
        let before = CostMeter::default();
        before.of(&scope("us-east-1")).request(500, budget, noon).unwrap();
        before.of(&scope("eu-west-1")).request(200, budget, noon).unwrap();
        let kept = before.spending();
        assert_eq!(kept.metrics["123456789012/eu-west-1"], 200);

        // The file could not be read at first, and something was asked for meanwhile.
        let after = CostMeter::default();
        after.of(&scope("us-east-1")).request(100, budget, noon).unwrap();
        after.remember(&kept, noon);
        assert_eq!(after.dollars_this_month(noon), 800.0 * DOLLARS_PER_METRIC);
        assert!(after.of(&scope("us-east-1")).request(201, budget, noon).is_err());
        after.of(&scope("us-east-1")).request(200, budget, noon).unwrap();
        // A new term finds what this process itself has kept, and counts it once.
        after.remember(&after.spending(), noon);
        assert_eq!(after.dollars_this_month(noon), 1000.0 * DOLLARS_PER_METRIC);

        let later = CostMeter::default();
        later.remember(&kept, december);
        assert_eq!(later.dollars_this_month(december), 0.0);
        later.of(&scope("us-east-1")).request(1000, budget, december).unwrap();
    }
}
