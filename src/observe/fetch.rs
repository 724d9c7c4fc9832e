//! Paid reads of several variants in one go, within the budget.

use std::sync::Arc;

use super::cost::CostMeter;
use super::periods::Periods;
use super::telemetry::{LONG_PERIODS, Window, queries};
use crate::model::fact::Why;
use crate::model::goal::Objective;
use crate::model::ids::ResourceId;
use crate::model::time::Timestamp;
use crate::ports::{Metric, MetricAnswer, MetricQuery, Metrics};

/// Reads metrics, and counts what they cost.
#[derive(Clone)]
pub(super) struct Fetch {
    pub(super) metrics: Arc<dyn Metrics>,
    pub(super) cost: CostMeter,
}

/// What is read: the window, at one period, within what may be spent in a month.
#[derive(Debug, Clone, Copy)]
pub(super) struct FetchRequest {
    pub(super) window: Window,
    pub(super) period_seconds: u32,
    pub(super) budget_dollars: Option<f64>,
    pub(super) now: Timestamp,
}

impl Fetch {
    /// The longer periods of each of these variants in the window, or why there are none.
    pub(super) async fn longer(
        &self,
        of: &[(ResourceId, Objective)],
        what: FetchRequest,
    ) -> Vec<Result<Vec<Periods>, Why>> {
        let mut all: Vec<Result<Vec<Periods>, Why>> = vec![Ok(Vec::new()); of.len()];
        for period_seconds in LONG_PERIODS.into_iter().filter(|_| !of.is_empty()) {
            let Some(window) = what.window.whole(i64::from(period_seconds)) else { continue };
            let read = self.periods(of, FetchRequest { window, period_seconds, ..what }).await;
            for (all, periods) in all.iter_mut().zip(read) {
                let known = std::mem::replace(all, Ok(Vec::new()));
                *all = known.and_then(|mut known| {
                    known.push(periods?);
                    Ok(known)
                });
            }
        }
        all
    }

    /// The periods of each of these variants, or why there are none.
    pub(super) async fn periods(
        &self,
        of: &[(ResourceId, Objective)],
        what: FetchRequest,
    ) -> Vec<Result<Periods, Why>> {
        let per_variant: Vec<_> = of
            .iter()
            .map(|(resource, objective)| queries(resource, objective, what.period_seconds))
            .collect();
        let all: Vec<_> = per_variant.iter().flatten().cloned().collect();
        let mut answers = self.answers(&all, what).await.into_iter();
        of.iter()
            .zip(&per_variant)
            .map(|((_, objective), queries)| {
                let own: Vec<MetricAnswer> = answers.by_ref().take(queries.len()).collect();
                Periods::of(objective, queries, own, what.window)
            })
            .collect()
    }

    /// The requests of each period of each of these variants, NaN where there is no datapoint.
    pub(super) async fn requests(
        &self,
        of: &[ResourceId],
        what: FetchRequest,
    ) -> Vec<Result<Vec<f64>, Why>> {
        let FetchRequest { window, period_seconds, .. } = what;
        let query = |resource: &ResourceId| MetricQuery {
            instance: None,
            resource: resource.clone(),
            metric: Metric::Invocations,
            period_seconds,
        };
        let queries: Vec<MetricQuery> = of.iter().map(query).collect();
        let len = usize::try_from(window.minutes() * 60 / i64::from(period_seconds)).unwrap_or(0);
        let column = |answer: MetricAnswer| Ok(answer?.into_column(window.from, len));
        self.answers(&queries, what).await.into_iter().map(column).collect()
    }

    pub(super) async fn answers(
        &self,
        queries: &[MetricQuery],
        what: FetchRequest,
    ) -> Vec<MetricAnswer> {
        let FetchRequest { window, budget_dollars, now, .. } = what;
        match self.cost.request(queries.len() as u64, budget_dollars, now) {
            Ok(()) => self.metrics.metric_data(queries, window.from, window.to).await,
            Err(why) => vec![Err(why); queries.len()],
        }
    }
}

/// Minutes and longer periods of one variant: half of what it is judged by is read again with the other
/// half.
pub(super) fn of_all_lengths(
    minutes: Result<Periods, Why>,
    longer: Result<Vec<Periods>, Why>,
) -> Result<(Periods, Vec<Periods>), Why> {
    Ok((minutes?, longer?))
}
