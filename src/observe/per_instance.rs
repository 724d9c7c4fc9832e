//! The instances of the few variants that an answer waits for, one by one: who they are by `ListMetrics`, and
//! what each served by `GetMetricData`.
//!
//! `ListMetrics` and not a `SEARCH` expression: it is billed by the request, the first million of a month is
//! free, and it says with which dimensions a metric was published. A search bills what it finds, returns one
//! series after the other under one id, and must be given the dimensions exactly. `RecentlyActive` leaves
//! three hours of the two weeks that it remembers.

use chrono::TimeDelta;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use super::bounded::soon;
use super::fetch::{Fetch, FetchRequest};
use super::reader::{Reader, Wanted};
use super::readings::REQUESTS;
use super::settings::Settings;
use super::telemetry::Window;
use crate::estimate::{Compared, InstanceColumns, compare_instances};
use crate::model::fact::{Why, WhyKind};
use crate::model::goal::Objective;
use crate::model::ids::{ResourceId, VariantId};
use crate::model::per_instance::{InstanceId, Instances};
use crate::model::time::{Timestamp, floor_to};
use crate::model::units::LatencyStatistic;
use crate::ports::{Metric, MetricAnswer, MetricQuery};
use crate::variant::InstancesLook;

/// Instances of one variant in one look, for what it costs: 4 metrics each, $0.002 in all.
const INSTANCES_MAX: usize = 50;
/// Variants that one pass looks at, for the same reason: $0.02 at the most, mostly a tenth of it.
const VARIANTS_MAX: usize = 10;
/// How many periods are compared: an hour of minutes.
const PERIODS: i64 = 60;
/// With fewer requests a minute the medians of an instance are compared over periods this much longer.
const THIN_FACTOR: u32 = 5;
/// Of those there are fewer: three hours.
const PERIODS_THIN: i64 = 36;

/// One variant whose instances are about to be looked at.
#[derive(Clone)]
struct Look {
    id: VariantId,
    objective: Objective,
    wanted: InstancesLook,
}

impl Reader {
    /// Looks at the instances of the variants that an answer waits for: those that have waited longest.
    pub(super) async fn read_instances(
        &mut self,
        wanted: &[Wanted],
        settings: &Settings,
        now: Timestamp,
    ) {
        let budget = settings.budget_dollars;
        let fetch = self.fetch();
        let looks: Vec<BoxFuture<'static, _>> = self
            .next_looks(wanted, now)
            .into_iter()
            .map(|look| {
                let (fetch, delay) = (fetch.clone(), settings.delay);
                async move {
                    let seen = fetch.look(&look, (delay, budget), now);
                    (look.id.clone(), soon("ListMetrics", seen).await)
                }
                .boxed()
            })
            .collect();
        let mut looks = stream::iter(looks).buffered(REQUESTS);
        let mut seen = Vec::new();
        while let Some((id, look)) = looks.next().await {
            seen.push((id, look.and_then(|seen| seen)));
        }
        drop(looks);
        for (id, look) in seen {
            if let Err(why) = &look {
                tracing::debug!(variant = %id, why = %why.message, "its instances are not read");
            }
            if let Some(variant) = self.variants.get_mut(&id) {
                variant.note_instances(look, now);
            }
        }
    }

    fn next_looks(&self, wanted: &[Wanted], now: Timestamp) -> Vec<Look> {
        let mut due: Vec<(Option<Timestamp>, Look)> = wanted
            .iter()
            .filter_map(|(id, goal)| {
                let goal = goal.as_ref().ok().filter(|goal| goal.per_instance)?;
                let (asked, look) = self.variants.get(id)?.instances_due(now)?;
                Some((asked, Look { id: id.clone(), objective: goal.objective, wanted: look }))
            })
            .collect();
        due.sort_by_key(|(asked, _)| *asked);
        due.into_iter().take(VARIANTS_MAX).map(|(_, look)| look).collect()
    }
}

impl Fetch {
    /// What the instances of one variant showed.
    async fn look(
        &self,
        look: &Look,
        (delay, budget_dollars): (TimeDelta, Option<f64>),
        now: Timestamp,
    ) -> Result<Instances, Why> {
        if let Some(short) = self.cost.saving(budget_dollars, now).sentence() {
            return Err(Why::new(WhyKind::NotAsked, short));
        }
        // A request of it costs as much as a metric, once the free ones are used up.
        self.cost.request(1, budget_dollars, now)?;
        let resource = look.id.resource();
        let all = self.metrics.instances(&resource).await.map_err(Why::from)?;
        if all.is_empty() {
            let why = "CloudWatch lists no metrics of instances yet; new ones may take 15 minutes";
            return Err(Why::new(WhyKind::NotFound, why));
        }
        let (some, not_read) = some_of(&all, look.wanted.looks);
        let period_seconds = period(&look.wanted);
        let thin = period_seconds > look.wanted.published_seconds.max(60);
        let seconds = i64::from(period_seconds);
        let to = floor_to(now - delay, seconds);
        let from = to - TimeDelta::seconds(seconds * if thin { PERIODS_THIN } else { PERIODS });
        let what =
            FetchRequest { window: Window { from, to }, period_seconds, budget_dollars, now };
        let columns = self.columns(&resource, &some, &look.objective, what).await?;
        Ok(compare_instances(&Compared {
            from,
            read_at: now,
            period_seconds,
            columns: &columns,
            objective: &look.objective,
            not_read,
            is_alike: look.wanted.is_alike,
        }))
    }

    async fn columns(
        &self,
        of: &ResourceId,
        instances: &[InstanceId],
        objective: &Objective,
        what: FetchRequest,
    ) -> Result<Vec<InstanceColumns>, Why> {
        let metrics = metrics(objective);
        let query = |instance: &InstanceId, metric: Metric| MetricQuery {
            resource: of.clone(),
            instance: Some(instance.clone()),
            metric,
            period_seconds: what.period_seconds,
        };
        let queries: Vec<MetricQuery> = instances
            .iter()
            .flat_map(|instance| metrics.iter().map(move |metric| query(instance, *metric)))
            .collect();
        let seconds = (what.window.to - what.window.from).num_seconds();
        let len = usize::try_from(seconds / i64::from(what.period_seconds)).unwrap_or(0);
        let column = |answer: Option<MetricAnswer>| {
            let points =
                answer.unwrap_or_else(|| Err(Why::new(WhyKind::Incomplete, "no answer")))?;
            Ok::<_, Why>(points.into_column(what.window.from, len))
        };
        let mut answers = self.answers(&queries, what).await.into_iter();
        let mut all = Vec::with_capacity(instances.len());
        for id in instances {
            let (requests, errors) = (column(answers.next())?, column(answers.next())?);
            let p50_us = column(answers.next())?;
            let latency_us =
                if metrics.len() == 4 { column(answers.next())? } else { p50_us.clone() };
            all.push(InstanceColumns { id: id.clone(), requests, p50_us, latency_us, errors });
        }
        Ok(all)
    }
}

/// The metrics of an instance: three, or four where the objective's statistic is not the median.
fn metrics(objective: &Objective) -> Vec<Metric> {
    let p50 = Metric::ModelLatency(LatencyStatistic::P50);
    let mut metrics = vec![Metric::Invocations, Metric::Invocation5xxErrors, p50];
    let own = objective.latency.map(|latency| Metric::ModelLatency(latency.statistic));
    metrics.extend(own.filter(|own| *own != p50));
    metrics
}

/// The instances of this look, and how many others there are: with too many each look has the next ones.
fn some_of(all: &[InstanceId], looks: usize) -> (Vec<InstanceId>, usize) {
    let start = looks.wrapping_mul(INSTANCES_MAX) % all.len().max(1);
    let some: Vec<InstanceId> =
        all.iter().cycle().skip(start).take(all.len().min(INSTANCES_MAX)).cloned().collect();
    let not_read = all.len() - some.len();
    (some, not_read)
}

/// The length of the periods: as metrics are published, and longer where a period has too few requests.
fn period(look: &InstancesLook) -> u32 {
    let published = look.published_seconds.max(60).next_multiple_of(60);
    let requests = look.load.unwrap_or(0.0) * f64::from(published) / 60.0;
    // Half of the instances have less than the average one, in half of the minutes.
    let enough = 2.0 * LatencyStatistic::P50.min_requests();
    if requests >= enough { published } else { published * THIN_FACTOR }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_too_many_each_look_has_the_next_ones() {
        let all: Vec<InstanceId> =
            (0..70).filter_map(|n| InstanceId::new(&format!("i-{n:02}"))).collect();
        let (first, not_read) = some_of(&all, 0);
        assert_eq!((first.len(), not_read, first[0].as_str()), (INSTANCES_MAX, 20, "i-00"));
        let (second, _) = some_of(&all, 1);
        assert_eq!((second[0].as_str(), second[20].as_str()), ("i-50", "i-00"));
        assert_eq!(some_of(&all[..3], 7).0.len(), 3);
    }

    #[test]
    fn periods_are_as_long_as_publishing_and_requests_make_them() {
        let look = |published_seconds, load| InstancesLook {
            published_seconds,
            load,
            is_alike: true,
            looks: 0,
        };
        assert_eq!(period(&look(60, Some(500.0))), 60);
        assert_eq!(period(&look(10, Some(500.0))), 60);
        assert_eq!(period(&look(240, Some(500.0))), 240);
        assert_eq!(period(&look(60, Some(6.0))), 300);
        assert_eq!(period(&look(60, None)), 300);
    }
}
