//! CloudWatch, reading: metric data in batches, and the alarms of policies.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, DimensionFilter, Metric as CwMetric, MetricDataQuery, MetricStat,
    RecentlyActive, ScanBy,
};
use aws_smithy_types::DateTime;

use super::call::{Call, Caller, Pages};
use super::convert;
use super::datapoints::Tap;
use super::error::Failure;
use setpoint_core::model::fact::Why;
use setpoint_core::model::ids::ResourceId;
use setpoint_core::model::listing::Listing;
use setpoint_core::model::per_instance::InstanceId;
use setpoint_core::model::scaling::{ALARM_PREFIX, Alarm};
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::{
    MetricAnswer, MetricQuery, Metrics, PageSink, PortError, PortResult, Service,
};

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

/// The longest listing of metrics that is read: 10,000, as many instances of one variant.
const MAX_METRICS_PAGES: usize = 20;

const LIST_METRICS: Call = Call::new(Service::CloudWatch, "ListMetrics");
const DESCRIBE_ALARMS: Call = Call::new(Service::CloudWatch, "DescribeAlarms");

pub(super) struct SdkMetrics {
    client: Client,
    caller: Arc<Caller>,
}

impl SdkMetrics {
    pub(super) fn new(client: Client, caller: Arc<Caller>) -> Self {
        Self { client, caller }
    }

    /// Alarms whose names begin with `prefix`, page by page; how many rows make no sense.
    async fn alarm_pages(&self, prefix: &str, sink: &mut dyn PageSink<Alarm>) -> PortResult<usize> {
        let page = |token: Option<String>| async {
            self.client
                .describe_alarms()
                .alarm_name_prefix(prefix)
                .alarm_types(AlarmType::MetricAlarm)
                .max_records(100)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Failure::of(Service::CloudWatch, &error))
        };
        let rows = |answer: DescribeAlarmsOutput| {
            let alarms = answer.metric_alarms.ok_or_else(|| -> PortError {
                DESCRIBE_ALARMS.garbage("the answer has no MetricAlarms")
            })?;
            Ok((alarms.into_iter().map(convert::alarm).collect(), answer.next_token))
        };
        self.caller.pages((DESCRIBE_ALARMS, MAX_ALARM_PAGES), page, rows, sink).await
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
        // Made where it is sent: a copy of 500 queries costs as much as they do.
        let wire = || -> Vec<MetricDataQuery> {
            queries.iter().enumerate().map(|(index, query)| to_wire(index, query)).collect()
        };
        let tap = Tap::new(queries, from, to);
        let bound = SPARE_PAGES + 2 * datapoints.div_ceil(MAX_DATAPOINTS);
        let mut pages = Pages::of(call, usize::try_from(bound).unwrap_or(usize::MAX));
        let mut token: Option<String> = None;
        let mut complete = false;
        while !complete {
            let attempt = || async {
                self.client
                    .get_metric_data()
                    .set_metric_data_queries(Some(wire()))
                    .start_time(DateTime::from_secs(from.timestamp()))
                    .end_time(DateTime::from_secs(to.timestamp()))
                    .scan_by(ScanBy::TimestampAscending)
                    .set_next_token(token.clone())
                    .customize()
                    .interceptor(tap.clone())
                    .send()
                    .await
                    .map_err(|error| Failure::of(Service::CloudWatch, &error))
            };
            let page: GetMetricDataOutput = self.caller.read(call, attempt).await?;
            tap.page().map_err(|what| call.garbage(what))?;
            // Pages that go round, or on and on, are billed each: what has come by then is reported
            // as what it is.
            let Ok(next) = pages.turn(0, page.next_token) else { break };
            complete = next.is_none();
            token = next;
        }
        Ok(tap.answers(complete))
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

    async fn instances(&self, of: &ResourceId) -> PortResult<Vec<InstanceId>> {
        let filter = |name: &str, value: Option<&str>| {
            DimensionFilter::builder().name(name).set_value(value.map(str::to_owned)).build()
        };
        let mut all = Vec::new();
        let mut pages = Pages::of(LIST_METRICS, MAX_METRICS_PAGES);
        let mut token: Option<String> = None;
        loop {
            let attempt = || async {
                self.client
                    .list_metrics()
                    .namespace(NAMESPACE)
                    .metric_name("Invocations")
                    .dimensions(filter("EndpointName", Some(of.endpoint.as_str())))
                    .dimensions(filter("VariantName", Some(of.variant.as_str())))
                    .dimensions(filter("InstanceId", None))
                    .recently_active(RecentlyActive::Pt3H)
                    .set_next_token(token.clone())
                    .send()
                    .await
                    .map_err(|error| Failure::of(Service::CloudWatch, &error))
            };
            let page = self.caller.read(LIST_METRICS, attempt).await?;
            let metrics = page.metrics.unwrap_or_default();
            let count = metrics.len();
            all.extend(metrics.iter().filter_map(instance));
            token = pages.turn(count, page.next_token)?;
            if token.is_none() {
                all.sort_unstable();
                all.dedup();
                return Ok(all);
            }
        }
    }

    async fn alarms(&self, prefix: &str) -> PortResult<Listing<Alarm>> {
        let mut all = Listing::default();
        if prefix == ALARM_PREFIX {
            self.all_alarms(&mut all).await?;
        } else {
            self.alarm_pages(prefix, &mut all).await?;
        }
        Ok(all)
    }

    async fn all_alarms(&self, pages: &mut dyn PageSink<Alarm>) -> PortResult<()> {
        let unreadable = self.alarm_pages(ALARM_PREFIX, pages).await?;
        self.caller.skipped(DESCRIBE_ALARMS, unreadable);
        Ok(())
    }
}

/// The instance that a listed metric is of. One with further dimensions, such as `ContainerId`, is of a
/// part of an instance.
fn instance(metric: &CwMetric) -> Option<InstanceId> {
    let dimensions = metric.dimensions();
    let own = dimensions.iter().find(|dimension| dimension.name() == Some("InstanceId"))?;
    InstanceId::new(own.value()?).filter(|_| dimensions.len() == 3)
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
    let mut metric = CwMetric::builder()
        .namespace(NAMESPACE)
        .metric_name(query.metric.name())
        .dimensions(dimension("EndpointName", query.resource.endpoint.as_str()))
        .dimensions(dimension("VariantName", query.resource.variant.as_str()));
    if let Some(instance) = &query.instance {
        metric = metric.dimensions(dimension("InstanceId", instance.as_str()));
    }
    let stat = MetricStat::builder()
        .metric(metric.build())
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
