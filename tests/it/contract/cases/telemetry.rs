//! CloudWatch and STS.

use std::sync::Arc;

use chrono::TimeDelta;
use setpoint::model::fact::WhyKind;
use setpoint::model::time::{Timestamp, floor_to_minute};
use setpoint::model::units::LatencyStatistic;
use setpoint::ports::{Metric, MetricQuery};

use crate::contract::face::{ACCOUNT, Face, Trouble, put, resource};

/// The hour that ended some minutes before now, where CloudWatch is complete.
async fn settled_hour(face: &Arc<dyn Face>) -> (Timestamp, Timestamp) {
    let newest = face.aws().endpoints.list_endpoints().await.unwrap();
    let made = newest.iter().map(|endpoint| endpoint.created_at).max().unwrap();
    let from = floor_to_minute(made) + TimeDelta::minutes(20);
    (from, from + TimeDelta::minutes(60))
}

fn query(endpoint: &str, metric: Metric) -> MetricQuery {
    MetricQuery { instance: None, resource: resource(endpoint), metric, period_seconds: 60 }
}

/// 501 queries are two calls; each gets its own answer, in time order, without two of a minute.
pub(super) async fn metric_data_beyond_500_queries(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    face.traffic(&resource, 1200.0);
    face.pass_time(120);
    let (from, to) = settled_hour(&face).await;
    let mut queries = vec![query("e", Metric::Invocations); 501];
    queries[500].metric = Metric::InvocationsPerInstance;
    let answers = face.aws().metrics.metric_data(&queries, from, to).await;
    assert_eq!(answers.len(), 501);
    let all = answers[0].as_ref().unwrap();
    assert!(answers[..500].iter().all(|answer| answer.as_ref() == Ok(all)));
    let minutes: Vec<_> = all.iter().map(|(at, _)| at).collect();
    let expected: Vec<_> = (0..60).map(|n| from + TimeDelta::minutes(n)).collect();
    assert_eq!(minutes, expected);
    let each = answers[500].as_ref().unwrap();
    assert_eq!(each.iter().count(), 60);
    // Two instances: each request sends 1/2.
    for ((_, all), (_, each)) in all.iter().zip(each.iter()) {
        assert!(all > 600.0 && (all / each - 2.0).abs() < 1e-6, "{all} and {each}");
    }
}

/// Latency is in microseconds.
pub(super) async fn latency_percentiles(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    face.traffic(&resource, 1200.0);
    face.pass_time(120);
    let (from, to) = settled_hour(&face).await;
    let queries = LatencyStatistic::ALL.map(|s| query("e", Metric::ModelLatency(s)));
    let answers = face.aws().metrics.metric_data(&queries, from, to).await;
    let first: Vec<f64> =
        answers.iter().map(|a| a.as_ref().unwrap().iter().next().unwrap().1).collect();
    assert!(first.iter().all(|us| (20_000.0..2_000_000.0).contains(us)), "{first:?}");
    let percentiles = &first[1..];
    assert!(percentiles.is_sorted(), "{percentiles:?}");
}

pub(super) async fn partial_data_is_not_an_answer(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    face.traffic(&resource, 1200.0);
    face.pass_time(120);
    let (from, to) = settled_hour(&face).await;
    face.trouble("GetMetricData", Trouble::PartialData);
    let queries = [query("e", Metric::InvocationsPerInstance)];
    let answers = face.aws().metrics.metric_data(&queries, from, to).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind, WhyKind::Incomplete);
}

/// No datapoint is an answer, and not zero.
pub(super) async fn a_variant_without_data(face: Arc<dyn Face>) {
    face.endpoint("e");
    let (from, to) = settled_hour(&face).await;
    let queries = [
        query("nowhere", Metric::Invocations),
        query("nowhere", Metric::ModelLatency(LatencyStatistic::P99)),
    ];
    let answers = face.aws().metrics.metric_data(&queries, from, to).await;
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().is_empty()), "{answers:?}");
}

pub(super) async fn alarms_by_prefix(face: Arc<dyn Face>) {
    let aws = face.aws();
    for name in ["e", "other"] {
        let resource = face.target(name).await;
        aws.writes.put_scaling_policy(&put(&resource, "p", 600.0)).await.unwrap();
    }
    face.pass_time(5);
    let alarms = aws.metrics.alarms("TargetTracking-endpoint/e/").await.unwrap();
    let policies = aws.scaling.scaling_policies(Some(&resource("e"))).await.unwrap();
    let mut named = policies[0].alarm_names.clone().unwrap();
    let mut found: Vec<_> = alarms.iter().map(|alarm| alarm.name.clone()).collect();
    named.sort();
    found.sort();
    assert_eq!(found, named);
    assert_eq!(found.len(), 2);
    assert!(alarms.iter().any(|alarm| alarm.threshold == Some(600.0)), "{alarms:?}");
    assert_eq!(aws.metrics.alarms("TargetTracking-").await.unwrap().len(), 4);
    assert_eq!(aws.metrics.alarms("nothing").await, Ok(vec![].into()));
}

pub(super) async fn the_callers_account(face: Arc<dyn Face>) {
    let aws = face.aws();
    assert_eq!(aws.identity.caller_account().await.unwrap().as_str(), ACCOUNT);
    assert_eq!(aws.scope.account_id.as_str(), ACCOUNT);
}

pub(super) async fn who_called_is_told_a_quarter_of_an_hour_later(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let put = crate::contract::face::put(&resource, "p", 600.0);
    face.aws().writes.put_scaling_policy(&put).await.unwrap();
    face.pass_time(14);
    let now = setpoint::ports::Clock::now(&setpoint::system::WallClock);
    let span = (now - TimeDelta::days(3650), now + TimeDelta::days(3650));
    let aws = face.aws();
    let called = async |operation: &str| aws.identity.callers(operation, span).await.unwrap();
    assert_eq!(called("PutScalingPolicy").await, []);
    face.pass_time(2);
    let events = called("PutScalingPolicy").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].resource, Some(resource.to_string()));
    assert_eq!(events[0].actor, "arn:aws:iam::123456789012:user/keys");
    assert_eq!((events[0].operation.as_str(), events[0].refused), ("PutScalingPolicy", false));
    assert_eq!(called("DeleteScalingPolicy").await, []);
    // More than a page of them, newest first.
    for n in 0..60 {
        let put = crate::contract::face::put(&resource, "p", 600.0 + f64::from(n));
        face.aws().writes.put_scaling_policy(&put).await.unwrap();
    }
    face.pass_time(16);
    let events = called("PutScalingPolicy").await;
    assert_eq!(events.len(), 61);
    assert!(events.is_sorted_by(|a, b| a.at >= b.at));
}
