//! CloudWatch, reading: metric data in batches, and the alarms of policies.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, Metric as CwMetric, MetricDataQuery, MetricDataResult, MetricStat,
    ScanBy, StatusCode,
};
use aws_smithy_types::DateTime;

use super::call::{Call, Caller, Pages};
use super::convert;
use super::error::Failure;
use setpoint_core::model::checks;
use setpoint_core::model::fact::{Why, WhyKind};
use setpoint_core::model::listing::Listing;
use setpoint_core::model::scaling::{ALARM_PREFIX, Alarm};
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::{MetricAnswer, MetricQuery, Metrics, PortError, PortResult, Service};

/// Queries that one `GetMetricData` carries (CloudWatch API reference).
const MAX_QUERIES: usize = 500;
/// Datapoints in one answer (CloudWatch API reference).
const MAX_DATAPOINTS: u64 = 100_800;
/// Pages beyond what the datapoints need, for answers that AWS cuts short (`PartialData`).
const SPARE_PAGES: u64 = 20;
/// The longest listing of alarms that is read: 100,000.
const MAX_ALARM_PAGES: usize = 1_000;
/// Where SageMaker publishes the invocation metrics of endpoints.
const NAMESPACE: &str = "AWS/SageMaker";

const DESCRIBE_ALARMS: Call = Call::new(Service::CloudWatch, "DescribeAlarms");

pub(super) struct SdkMetrics {
    client: Client,
    caller: Arc<Caller>,
}

impl SdkMetrics {
    pub(super) fn new(client: Client, caller: Arc<Caller>) -> Self {
        Self { client, caller }
    }

    /// At most [`MAX_QUERIES`] queries; all pages, merged by id.
    async fn batch(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> PortResult<Vec<MetricAnswer>> {
        // AWS does not say whether the pages after the first are billed: count the dearer.
        let datapoints = datapoints(queries, from, to);
        let call = Call {
            metrics: queries.len() as u64,
            datapoints: datapoints.min(MAX_DATAPOINTS),
            ..get_metric_data()
        };
        let wire: Vec<MetricDataQuery> =
            queries.iter().enumerate().map(|(index, query)| to_wire(index, query)).collect();
        let mut merged = Merged::of(queries.len());
        let bound = SPARE_PAGES + 2 * datapoints.div_ceil(MAX_DATAPOINTS);
        let mut pages = Pages::of(call, usize::try_from(bound).unwrap_or(usize::MAX));
        let mut token: Option<String> = None;
        let mut complete = false;
        while !complete {
            let attempt = || async {
                self.client
                    .get_metric_data()
                    .set_metric_data_queries(Some(wire.clone()))
                    .start_time(DateTime::from_secs(from.timestamp()))
                    .end_time(DateTime::from_secs(to.timestamp()))
                    .scan_by(ScanBy::TimestampAscending)
                    .set_next_token(token.clone())
                    .send()
                    .await
                    .map_err(|error| Failure::of(Service::CloudWatch, &error))
            };
            let page: GetMetricDataOutput = self.caller.read(call, attempt).await?;
            let results =
                page.metric_data_results.ok_or_else(|| call.garbage("no MetricDataResults"))?;
            for result in results {
                merged.add(result).map_err(|message| call.garbage(message))?;
            }
            // Pages that go round, or on and on, are billed each: what has come by then is told
            // as what it is.
            let Ok(next) = pages.turn(0, page.next_token) else { break };
            complete = next.is_none();
            token = next;
        }
        Ok((0..queries.len()).map(|index| merged.answer(index, complete)).collect())
    }
}

#[async_trait]
impl Metrics for SdkMetrics {
    async fn metric_data(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<MetricAnswer> {
        let mut answers = Vec::with_capacity(queries.len());
        for batch in queries.chunks(one_page(queries, from, to)) {
            match self.batch(batch, from, to).await {
                Ok(some) => answers.extend(some),
                Err(error) => {
                    let why = Why::from(error);
                    answers.extend(batch.iter().map(|_| Err(why.clone())));
                }
            }
        }
        answers
    }

    async fn alarms(&self, prefix: &str) -> PortResult<Listing<Alarm>> {
        let mut all = Listing::default();
        let mut pages = Pages::of(DESCRIBE_ALARMS, MAX_ALARM_PAGES);
        let mut token: Option<String> = None;
        loop {
            let attempt = || async {
                self.client
                    .describe_alarms()
                    .alarm_name_prefix(prefix)
                    .alarm_types(AlarmType::MetricAlarm)
                    .max_records(100)
                    .set_next_token(token.clone())
                    .send()
                    .await
                    .map_err(|error| Failure::of(Service::CloudWatch, &error))
            };
            let page = self.caller.read(DESCRIBE_ALARMS, attempt).await?;
            let alarms = page.metric_alarms.ok_or_else(|| -> PortError {
                DESCRIBE_ALARMS.garbage("the answer has no MetricAlarms")
            })?;
            let count = alarms.len();
            all.extend(alarms.into_iter().map(convert::alarm));
            token = pages.turn(count, page.next_token)?;
            if token.is_none() {
                if prefix == ALARM_PREFIX {
                    self.caller.skipped(DESCRIBE_ALARMS, all.unreadable().len());
                }
                return Ok(all);
            }
        }
    }
}

const fn get_metric_data() -> Call {
    Call::new(Service::CloudWatch, "GetMetricData")
}

/// The datapoints that these queries may be answered with.
fn datapoints(queries: &[MetricQuery], from: Timestamp, to: Timestamp) -> u64 {
    let seconds = u64::try_from((to - from).num_seconds()).unwrap_or(0);
    queries.iter().map(|query| seconds / u64::from(query.period_seconds.max(1))).sum()
}

/// How many of these queries one request may carry so that its answer is one page: whether the
/// pages after the first are billed is not known, and each would be held in memory.
fn one_page(queries: &[MetricQuery], from: Timestamp, to: Timestamp) -> usize {
    let each = |query: &MetricQuery| datapoints(std::slice::from_ref(query), from, to);
    let most = queries.iter().map(each).max().unwrap_or(0).max(1);
    usize::try_from(MAX_DATAPOINTS / most).unwrap_or(1).clamp(1, MAX_QUERIES)
}

fn to_wire(index: usize, query: &MetricQuery) -> MetricDataQuery {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let metric = CwMetric::builder()
        .namespace(NAMESPACE)
        .metric_name(query.metric.name())
        .dimensions(dimension("EndpointName", query.resource.endpoint.as_str()))
        .dimensions(dimension("VariantName", query.resource.variant.as_str()))
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(i32::try_from(query.period_seconds).unwrap_or(i32::MAX))
        .stat(query.metric.statistic())
        // No unit: one that does not match returns nothing instead of an error.
        .build();
    MetricDataQuery::builder().id(id(index)).metric_stat(stat).return_data(true).build()
}

/// AWS wants a lower-case letter first.
fn id(index: usize) -> String {
    format!("q{index}")
}

fn index(id: &str) -> Option<usize> {
    id.strip_prefix('q')?.parse().ok()
}

/// The results of all pages so far, by the number of their query.
#[derive(Debug)]
struct Merged(Vec<Option<Answer>>);

#[derive(Debug, Default)]
struct Answer {
    /// In the order in which they came, which is the order of time unless `shuffled`.
    points: Vec<(Timestamp, f64)>,
    shuffled: bool,
    status: Option<StatusCode>,
    messages: Vec<String>,
    /// What is wrong with a datapoint, if anything: the other queries are none the worse for it.
    nonsense: Option<String>,
}

impl Answer {
    fn add(&mut self, at: Timestamp, value: f64) {
        if let Err(why) = checks::datapoint(value) {
            self.nonsense.get_or_insert(why);
        }
        self.shuffled |= self.points.last().is_some_and(|(last, _)| *last >= at);
        self.points.push((at, value));
    }

    /// In time order; of two at one time the one that came last.
    fn into_points(mut self) -> Vec<(Timestamp, f64)> {
        if self.shuffled {
            self.points.reverse();
            self.points.sort_by_key(|(at, _)| *at);
            self.points.dedup_by_key(|(at, _)| *at);
        }
        self.points
    }
}

impl Merged {
    fn of(queries: usize) -> Self {
        Self((0..queries).map(|_| None).collect())
    }

    fn add(&mut self, result: MetricDataResult) -> Result<(), &'static str> {
        let id = result.id.ok_or("a result without an id")?;
        let timestamps = result.timestamps.unwrap_or_default();
        let values = result.values.unwrap_or_default();
        if timestamps.len() != values.len() {
            return Err("a result with more timestamps than values, or fewer");
        }
        // A result to something that was not asked is nobody's.
        let Some(answer) = index(&id).and_then(|index| self.0.get_mut(index)) else {
            return Ok(());
        };
        let answer = answer.get_or_insert_default();
        answer.points.reserve_exact(timestamps.len());
        for (at, value) in timestamps.iter().zip(values) {
            answer.add(convert::timestamp(at).ok_or("a timestamp beyond all calendars")?, value);
        }
        answer.status = result.status_code.or(answer.status.take());
        answer
            .messages
            .extend(result.messages.into_iter().flatten().filter_map(|m| m.value).take(4));
        Ok(())
    }

    /// The answer to a query. A status of an earlier page (`PartialData`) is overtaken by a later
    /// one; a series that AWS never called complete is not one.
    fn answer(&mut self, index: usize, listing_ended: bool) -> MetricAnswer {
        let Some(answer) = self.0.get_mut(index).and_then(Option::take) else {
            return Err(Why::new(WhyKind::Incomplete, "CloudWatch did not answer the query"));
        };
        let said = |what: &str| {
            let said = checks::text(&answer.messages.join("; "));
            if said.is_empty() { what.to_owned() } else { format!("{what}: {said}") }
        };
        if let Some(nonsense) = &answer.nonsense {
            let message = format!("CloudWatch answered nonsense: {nonsense}");
            return Err(Why::new(WhyKind::Garbage, message));
        }
        let (kind, sentence) = match &answer.status {
            Some(StatusCode::Complete) => return Ok(answer.into_points()),
            Some(StatusCode::PartialData) if listing_ended => {
                (WhyKind::Incomplete, "CloudWatch answered with partial data")
            }
            Some(StatusCode::PartialData) => {
                (WhyKind::Incomplete, "CloudWatch did not come to an end")
            }
            Some(StatusCode::Forbidden) => (WhyKind::Denied, "CloudWatch denied the metric"),
            Some(StatusCode::InternalError) => {
                (WhyKind::Transient, "CloudWatch failed on the metric")
            }
            other => {
                let word = other.as_ref().map_or("no status", StatusCode::as_str);
                return Err(Why::new(
                    WhyKind::Garbage,
                    said(&format!("CloudWatch answered {word}")),
                ));
            }
        };
        Err(Why::new(kind, said(sentence)))
    }
}
