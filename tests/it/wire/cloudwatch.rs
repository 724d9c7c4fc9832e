//! CloudWatch (RPC v2 CBOR) and STS (Query) through the real SDK clients.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::ProvideErrorMetadata as _;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StateValue,
    StatusCode,
};
use setpoint::sim::api::Sim;

use super::support::{demo, first_variant, sdk, serve};

fn query(id: &str, metric: &str, stat: &str, of: &(String, String)) -> MetricDataQuery {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let metric = Metric::builder()
        .namespace("AWS/SageMaker")
        .metric_name(metric)
        .dimensions(dimension("EndpointName", &of.0))
        .dimensions(dimension("VariantName", &of.1))
        .build();
    let stat = MetricStat::builder().metric(metric).period(60).stat(stat).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

fn hour(sim: &Sim) -> (DateTime, DateTime) {
    let end = sim.now().timestamp();
    (DateTime::from_secs(end - 3600), DateTime::from_secs(end))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metric_data_comes_with_times_and_values_in_the_order_asked_for() {
    let sim = demo();
    let server = serve(sim.clone()).await;
    let client = Client::new(&sdk(&server.endpoint_url()));
    let of = first_variant(&server.endpoint_url());
    let (start, end) = hour(&sim);
    let get = client
        .get_metric_data()
        .metric_data_queries(query("sum", "Invocations", "Sum", &of))
        .metric_data_queries(query("p99", "ModelLatency", "p99", &of))
        .start_time(start)
        .end_time(end);
    let newest_first = get.clone().send().await.expect("data");
    let oldest_first = get.scan_by(ScanBy::TimestampAscending).send().await.expect("data");
    for (down, up) in
        newest_first.metric_data_results().iter().zip(oldest_first.metric_data_results())
    {
        assert_eq!(down.status_code(), Some(&StatusCode::Complete));
        assert!(down.values().len() > 30, "{down:?}");
        assert_eq!(down.values().len(), down.timestamps().len());
        assert!(down.timestamps().iter().all(|t| *t >= start && *t < end && t.secs() % 60 == 0));
        assert!(up.timestamps().is_sorted());
        let mut reversed = down.values().to_vec();
        reversed.reverse();
        assert_eq!(up.values(), reversed);
    }
    let ids: Vec<_> = newest_first.metric_data_results().iter().filter_map(|r| r.id()).collect();
    assert_eq!(ids, ["sum", "p99"]);
    let latency = &newest_first.metric_data_results()[1].values()[0];
    assert!(*latency > 1000.0, "microseconds: {latency}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metric_data_is_paged_and_bounded() {
    let sim = demo();
    let server = serve(sim.clone()).await;
    let client = Client::new(&sdk(&server.endpoint_url()));
    let of = first_variant(&server.endpoint_url());
    let (start, end) = hour(&sim);
    let get = || client.get_metric_data().start_time(start).end_time(end);
    let one = || get().metric_data_queries(query("a", "Invocations", "Sum", &of));
    let whole = one().send().await.expect("data");
    let whole = whole.metric_data_results()[0].values().to_vec();
    let mut merged: Vec<f64> = Vec::new();
    let mut pages = one().max_datapoints(25).into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        let values = page.metric_data_results().iter().flat_map(MetricDataResult::values);
        merged.extend(values);
        count += 1;
    }
    assert_eq!(merged, whole);
    assert_eq!(count, whole.len().div_ceil(25));

    let error = one().next_token("nonsense").send().await.expect_err("no such token");
    assert!(error.into_service_error().is_invalid_next_token());
    let many = (0..501).map(|i| query(&format!("q{i}"), "Invocations", "Sum", &of)).collect();
    let many = get().set_metric_data_queries(Some(many));
    let error = many.send().await.expect_err("501 queries").into_service_error();
    assert_eq!(error.code(), Some("ValidationError"), "{error:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_are_listed_set_and_deleted() {
    let server = serve(demo()).await;
    let client = Client::new(&sdk(&server.endpoint_url()));
    let all = client.describe_alarms().alarm_name_prefix("TargetTracking-").send().await;
    let all = all.expect("alarms");
    assert!(all.metric_alarms().len() >= 2);
    let alarm = &all.metric_alarms()[0];
    let name = alarm.alarm_name().expect("a name");
    assert!(alarm.threshold().expect("a threshold") > 0.0);
    assert!(alarm.state_updated_timestamp().is_some());

    let set = |name| {
        let set = client.set_alarm_state().alarm_name(name).state_reason("by hand");
        set.state_value(StateValue::InsufficientData)
    };
    set(name).send().await.expect("set");
    let by_name = || client.describe_alarms().alarm_names(name).send();
    let found = by_name().await.expect("alarms");
    assert_eq!(found.metric_alarms()[0].state_value(), Some(&StateValue::InsufficientData));
    let error = set("nobody").send().await.expect_err("no such alarm");
    assert!(error.into_service_error().is_resource_not_found());

    client.disable_alarm_actions().alarm_names(name).send().await.expect("disabled");
    let found = by_name().await.expect("alarms");
    assert_eq!(found.metric_alarms()[0].actions_enabled(), Some(false));
    client.enable_alarm_actions().alarm_names(name).send().await.expect("enabled");
    let found = by_name().await.expect("alarms");
    assert_eq!(found.metric_alarms()[0].actions_enabled(), Some(true));
    client.delete_alarms().alarm_names(name).send().await.expect("deleted");
    assert_eq!(by_name().await.expect("alarms").metric_alarms().len(), 0);
    let error = client.describe_alarms().max_records(101).send().await.expect_err("out of range");
    assert_eq!(error.into_service_error().code(), Some("ValidationError"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sts_tells_the_account() {
    let server = serve(demo()).await;
    let client = aws_sdk_sts::Client::new(&sdk(&server.endpoint_url()));
    let identity = client.get_caller_identity().send().await.expect("an identity");
    assert_eq!(identity.account(), Some("123456789012"));
    assert!(identity.arn().is_some_and(|arn| arn.starts_with("arn:aws:")));
    server.stop().await;
}
