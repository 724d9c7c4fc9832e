//! Paid reads of several variants in one go, within the budget.

use std::sync::Arc;

use super::cost::CostMeter;
use super::periods::Periods;
use super::telemetry::{Window, queries};
use crate::model::fact::Why;
use crate::model::goal::Objective;
use crate::model::ids::ResourceId;
use crate::model::time::Timestamp;
use crate::ports::{MetricAnswer, Metrics};

/// Reads metrics, and counts what they cost.
#[derive(Clone)]
pub(super) struct Fetch {
    pub(super) metrics: Arc<dyn Metrics>,
    pub(super) cost: CostMeter,
}

/// What is read: the window, at one period, within what may be spent in a month.
#[derive(Debug, Clone, Copy)]
pub(super) struct What {
    pub(super) window: Window,
    pub(super) period_seconds: u32,
    pub(super) budget_dollars: Option<f64>,
    pub(super) now: Timestamp,
}

impl Fetch {
    /// The periods of each of these variants, or why there are none.
    pub(super) async fn periods(
        &self,
        of: &[(ResourceId, Objective)],
        what: What,
    ) -> Vec<Result<Periods, Why>> {
        let What { window, period_seconds, budget_dollars, now } = what;
        let per_variant: Vec<_> = of
            .iter()
            .map(|(resource, objective)| queries(resource, objective, period_seconds))
            .collect();
        let all: Vec<_> = per_variant.iter().flatten().cloned().collect();
        let answers = match self.cost.request(all.len() as u64, budget_dollars, now) {
            Ok(()) => self.metrics.metric_data(&all, window.from, window.to).await,
            Err(why) => vec![Err(why); all.len()],
        };
        let mut answers = answers.into_iter();
        of.iter()
            .zip(&per_variant)
            .map(|((_, objective), queries)| {
                let own: Vec<MetricAnswer> = answers.by_ref().take(queries.len()).collect();
                Periods::of(objective, queries, own, window)
            })
            .collect()
    }
}
