//! `GetMetricData`: queries over the telemetry, with delay, paging and partial answers.

use super::World;
use super::telemetry::{Published, Stat, minute_index};
use crate::api::cloudwatch as cw;
use crate::api::{ApiError, ApiResult, Operation};
use crate::fault::FaultKind;
use setpoint_core::model::time::{Timestamp, floor_to};

/// AWS's limits of one call.
const MAX_QUERIES: usize = 500;
const MAX_DATAPOINTS: i32 = 100_800;
/// How much of the newest minute has arrived when it first shows.
const NEWEST_SHARE: f64 = 0.6;

struct Query<'a> {
    id: &'a str,
    label: String,
    resource: String,
    instance: Option<&'a str>,
    metric: Option<Published>,
    name: &'a str,
    stat: Option<Stat>,
    period: i64,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

fn parse(query: &cw::MetricDataQuery) -> ApiResult<Query<'_>> {
    let id = query.id.as_str();
    let fine = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.len() <= 255
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fine {
        return Err(invalid(format!("The value {id:?} for parameter Id is not valid")));
    }
    let Some(stat) = &query.metric_stat else {
        return Err(invalid("expressions are not computed here: a MetricStat is required"));
    };
    let period = i64::from(stat.period);
    if period < 1 || !(period % 60 == 0 || [1, 5, 10, 20, 30].contains(&period)) {
        return Err(invalid(format!("The period {period} is not valid")));
    }
    let of = |name: &str| {
        let found = stat.metric.dimensions.iter().find(|d| d.name == name);
        found.map(|d| d.value.as_str())
    };
    let dimension = |name: &str| of(name).unwrap_or_default();
    let name = stat.metric.metric_name.as_str();
    let instance = of("InstanceId");
    // Exactly these dimensions: CloudWatch knows no others, and adds up nothing.
    let dimensions = 2 + usize::from(instance.is_some());
    let known = stat.metric.namespace == "AWS/SageMaker"
        && stat.metric.dimensions.len() == dimensions
        && (instance.is_none() || name != "InvocationsPerInstance");
    let metric = match name {
        "Invocations" => Some(Published::Invocations),
        "InvocationsPerInstance" => Some(Published::InvocationsPerInstance),
        "ModelLatency" => Some(Published::ModelLatency),
        "Invocation5XXErrors" => Some(Published::Errors5xx),
        "Invocation4XXErrors" => Some(Published::Errors4xx),
        _ => None,
    };
    Ok(Query {
        id,
        label: query.label.clone().unwrap_or_else(|| name.to_owned()),
        resource: format!(
            "endpoint/{}/variant/{}",
            dimension("EndpointName"),
            dimension("VariantName")
        ),
        instance,
        metric: metric.filter(|_| known && stat.unit.is_none()),
        name,
        stat: parse_stat(&stat.stat)?,
        period,
    })
}

/// Statistics that exist but are not kept here have no datapoints.
fn parse_stat(text: &str) -> ApiResult<Option<Stat>> {
    let percentile = text.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
    match text {
        "Sum" => Ok(Some(Stat::Sum)),
        "Average" => Ok(Some(Stat::Average)),
        "SampleCount" => Ok(Some(Stat::SampleCount)),
        "Minimum" | "Maximum" => Ok(None),
        _ => match percentile {
            Some(p) if p > 0.0 && p < 100.0 => Ok(Some(Stat::Percentile(p / 100.0))),
            _ => Err(invalid(format!("The value {text:?} for parameter Stat is not supported"))),
        },
    }
}

impl World {
    /// The newest minute with a datapoint. It shows before its time, and in part only.
    pub(super) fn newest_minute(&self) -> i64 {
        let delay = i64::from(self.settings.metric_delay_seconds);
        (self.now.timestamp() - delay).div_euclid(60)
    }

    fn datapoints(
        &mut self,
        query: &Query<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<(Timestamp, f64)> {
        if self.strike(FaultKind::DroppedMetric, &query.resource, Some(query.name)) {
            return Vec::new();
        }
        // With enhanced metrics the frequency of publishing is that of invocation metrics too.
        let published = self.enhanced(&query.resource).map_or(1, |s| (s / 60).max(1).cast_signed());
        let (Some(metric), Some(stat), Some(load)) =
            (query.metric, query.stat, self.loads.get(&query.resource))
        else {
            return Vec::new();
        };
        let telemetry = match query.instance {
            None => &load.telemetry,
            Some(id) => match load.instances.get(id) {
                Some(instance) => &instance.telemetry,
                None => return Vec::new(),
            },
        };
        // Nothing is published oftener than each minute.
        let period = query.period.max(60);
        let newest = self.newest_minute();
        let zeros = self.settings.zero_emission;
        let mut points = Vec::new();
        let mut at = floor_to(from, period);
        while at < to {
            let first = minute_index(at);
            if first > newest {
                break;
            }
            // What is published at an instant is of the minutes from it on to the next one.
            let up = (first + published - 1).div_euclid(published) * published;
            let next = first + period / 60;
            let end = (next + published - 1).div_euclid(published) * published;
            let until = if published == 1 { end.min(newest + 1) } else { end };
            let is_there = up < next && until <= newest + 1;
            let value =
                is_there.then(|| telemetry.period(metric, stat, up..until, zeros)).flatten();
            if let Some(value) = value {
                let partial = published == 1 && (first..until).contains(&newest);
                let counts = matches!(stat, Stat::Sum | Stat::SampleCount);
                let missing = if partial && counts {
                    let newest = telemetry.period(metric, stat, newest..=newest, zeros);
                    newest.unwrap_or(0.0) * (1.0 - NEWEST_SHARE)
                } else {
                    0.0
                };
                let value = value - missing;
                points.push((
                    at,
                    if metric == Published::ModelLatency { value } else { round(value) },
                ));
            }
            at += chrono::TimeDelta::seconds(period);
        }
        points
    }

    pub(crate) fn get_metric_data(
        &mut self,
        input: &cw::GetMetricDataInput,
    ) -> ApiResult<cw::GetMetricDataOutput> {
        if input.metric_data_queries.len() > MAX_QUERIES {
            return Err(invalid(
                "The collection MetricDataQueries must not have a size greater than 500",
            ));
        }
        if input.start_time >= input.end_time {
            return Err(invalid("The parameter StartTime must be less than the parameter EndTime"));
        }
        let size = input.max_datapoints.unwrap_or(MAX_DATAPOINTS);
        if !(1..=MAX_DATAPOINTS).contains(&size) {
            return Err(invalid(format!("MaxDatapoints must be between 1 and {MAX_DATAPOINTS}")));
        }
        let begin = page_start(input.next_token.as_deref())?;
        let end = begin + size as usize;
        let mut results = Vec::new();
        let mut seen = 0;
        for query in &input.metric_data_queries {
            let query = parse(query)?;
            let mut points = self.datapoints(&query, input.start_time, input.end_time);
            if input.scan_by.as_deref() != Some("TimestampAscending") {
                points.reverse();
            }
            let cut = !points.is_empty()
                && self.strike(FaultKind::PartialData, &query.resource, Some(query.name));
            if cut {
                points.truncate(points.len() / 2);
            }
            let (first, last) = (seen, seen + points.len());
            seen = last;
            // Queries without datapoints are answered on the first page.
            if (last <= begin && !(first == last && begin == 0)) || first >= end && first != last {
                continue;
            }
            let page = &points[begin.max(first) - first..end.min(last).max(first) - first];
            results.push(cw::MetricDataResult {
                id: query.id.to_owned(),
                label: query.label,
                timestamps: page.iter().map(|(at, _)| *at).collect(),
                values: page.iter().map(|(_, value)| *value).collect(),
                status_code: if cut || last > end { "PartialData" } else { "Complete" }.to_owned(),
                messages: None,
            });
        }
        let next_token =
            (seen > end).then(|| format!("{}:{end}", Operation::GetMetricData.as_str()));
        Ok(cw::GetMetricDataOutput {
            metric_data_results: results,
            next_token,
            messages: Vec::new(),
        })
    }
}

/// Sums of many small doubles are not exact; CloudWatch shows about ten digits.
fn round(value: f64) -> f64 {
    libm::round(value * 1e6) / 1e6
}

fn page_start(token: Option<&str>) -> ApiResult<usize> {
    let Some(token) = token else { return Ok(0) };
    token
        .strip_prefix("GetMetricData:")
        .and_then(|offset| offset.parse().ok())
        .ok_or_else(|| ApiError::new("InvalidNextToken", "the next token is not valid"))
}
