//! The embedded AWS behaves as AWS does where a fact is known, and is deterministic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scheduled;
mod scripts;

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use setpoint::model::ids::{ResourceId, Scope};
use setpoint::model::scaling::DIMENSION;
use setpoint::model::time::{Timestamp, floor_to_minute};
use setpoint::model::units::LatencyStatistic;
use setpoint::ports::{self, CallObserver, CallRecord, ErrorKind, Metric, MetricQuery};
use setpoint::sim::api::{Operation, Sim, cloudwatch as cw, sagemaker as sm, scaling as aas};
use setpoint::sim::scenario::{Change, Event, RateLimit};
use setpoint::sim::{Fault, FaultKind, Scenario};

const E: &str = "endpoint/e/variant/AllTraffic";

/// One variant with a steady load that a test changes by the rate.
fn scenario(rate: f64, instances: u32, target_value: f64) -> Scenario {
    Scenario::parse(
        &format!(
            "
endpoints:
  - name: e
    variants:
      - instances: {instances}
        target: {{min: 1, max: 10, policy: {{target_value: {target_value}, scale_out_cooldown: 60, scale_in_cooldown: 120}}}}
        load:
          service: {{family: {{worker_queue: {{workers: 4}}}}, base_ms: 40, saturation: 1500}}
          objective: {{threshold_ms: 250}}
          traffic: [{{steady: {{rate: {rate}}}}}]
"
        ),
        "test",
    )
    .unwrap()
}

fn build(rate: f64, instances: u32, target_value: f64) -> Sim {
    scenario(rate, instances, target_value).build().unwrap()
}

fn counts(sim: &Sim) -> (u32, u32) {
    let truth = sim.with_world(|world| world.truth_about(E));
    (truth.current, truth.desired)
}

fn alarm(sim: &Sim, side: &str) -> cw::MetricAlarm {
    let all = sim.describe_alarms(&cw::DescribeAlarmsInput::default()).unwrap().metric_alarms;
    all.into_iter().find(|a| a.alarm_name.contains(side)).unwrap()
}

fn register(
    sim: &Sim,
    resource: &str,
    min: i32,
    max: i32,
) -> setpoint::sim::api::ApiResult<aas::RegisterScalableTargetOutput> {
    sim.register_scalable_target(&aas::RegisterScalableTargetInput {
        service_namespace: "sagemaker".into(),
        resource_id: resource.into(),
        scalable_dimension: DIMENSION.into(),
        min_capacity: Some(min),
        max_capacity: Some(max),
        ..Default::default()
    })
}

fn policies(sim: &Sim) -> aas::DescribeScalingPoliciesOutput {
    sim.describe_scaling_policies(&aas::DescribeScalingPoliciesInput {
        service_namespace: "sagemaker".into(),
        ..Default::default()
    })
    .unwrap()
}

fn activities(sim: &Sim) -> Vec<aas::ScalingActivity> {
    sim.describe_scaling_activities(&aas::DescribeScalingActivitiesInput {
        service_namespace: "sagemaker".into(),
        resource_id: Some(E.into()),
        include_not_scaled_activities: Some(true),
        ..Default::default()
    })
    .unwrap()
    .scaling_activities
}

#[test]
fn three_of_three_minutes_above_the_target_scale_out_in_proportion() {
    // 4 x the target on one instance: one jump from 1 to 4.
    let sim = build(2400.0, 1, 640.0);
    // Three minutes of data and the delay of two: not a minute earlier.
    sim.advance(4 * 60);
    assert_eq!(counts(&sim), (1, 1));
    assert_ne!(alarm(&sim, "AlarmHigh").state_value, "ALARM");
    sim.advance(60);
    assert_eq!(alarm(&sim, "AlarmHigh").state_value, "ALARM");
    assert_eq!(counts(&sim), (1, 4));
    let activity = &activities(&sim)[0];
    assert_eq!(activity.description, "Setting desired instance count to 4.");
    assert_eq!(activity.status_code, "InProgress");
    let status = || {
        let input = sm::DescribeEndpointInput { endpoint_name: "e".into() };
        sim.describe_endpoint(&input).unwrap().endpoint_status
    };
    assert_eq!(status(), "Updating");
    sim.advance(239);
    assert_eq!(counts(&sim), (1, 4));
    sim.advance(1);
    assert_eq!(counts(&sim), (4, 4));
    assert_eq!(status(), "InService");
    assert_eq!(activities(&sim)[0].status_code, "Successful");
}

#[test]
fn fifteen_of_fifteen_minutes_below_ninety_percent_scale_in_but_not_above_the_target() {
    // 4 instances at 300 of 640: 2 would be at 600 on average, but its noise goes above; 3 hold.
    let sim = build(1200.0, 4, 640.0);
    sim.advance(16 * 60);
    assert_eq!(counts(&sim).1, 4);
    sim.advance(60);
    assert_eq!(alarm(&sim, "AlarmLow").state_value, "ALARM");
    let (_, desired) = counts(&sim);
    assert!((2..=3).contains(&desired), "{desired}");
    assert!(1200.0 / f64::from(desired) < 640.0);

    // Below 90 % on two instances, yet one alone would be above: nothing is removed.
    let sim = build(800.0, 2, 640.0);
    sim.advance(40 * 60);
    assert_eq!(counts(&sim), (2, 2));
    let reasons = activities(&sim)[0].not_scaled_reasons.clone().unwrap();
    assert_eq!(reasons[0].code, "AutoScalingAnticipatedFlapping");
}

#[test]
fn at_max_it_says_why_it_does_not_scale_and_says_it_once() {
    let sim = build(9000.0, 10, 640.0);
    sim.advance(30 * 60);
    let all = activities(&sim);
    assert_eq!(all.len(), 1, "{all:?}");
    let reason = &all[0].not_scaled_reasons.as_ref().unwrap()[0];
    assert_eq!((reason.code.as_str(), reason.max_capacity), ("AlreadyAtMaxCapacity", Some(10)));
}

#[test]
fn suspended_scale_out_and_disabled_alarm_actions_keep_the_count() {
    let sim = build(2400.0, 1, 640.0);
    let suspend = Change::EditTarget {
        variant: "e/AllTraffic".into(),
        min: None,
        max: None,
        suspend_scale_in: None,
        suspend_scale_out: Some(true),
    };
    sim.with_world(|world| world.change(&suspend)).unwrap();
    sim.advance(20 * 60);
    assert_eq!(counts(&sim), (1, 1));

    let sim = build(2400.0, 1, 640.0);
    let names = vec![alarm(&sim, "AlarmHigh").alarm_name];
    sim.disable_alarm_actions(&cw::AlarmNamesInput { alarm_names: names }).unwrap();
    sim.advance(20 * 60);
    assert_eq!(counts(&sim), (1, 1));
}

#[test]
fn registering_pulls_the_count_into_min_and_max_whatever_was_sent() {
    let sim = build(10.0, 4, 640.0);
    register(&sim, E, 1, 2).unwrap();
    assert_eq!(counts(&sim).1, 2);
    register(&sim, E, 6, 8).unwrap();
    assert_eq!(counts(&sim).1, 6);
    let error = register(&sim, "endpoint/none/variant/AllTraffic", 1, 2).unwrap_err();
    assert_eq!(error.code, "ValidationException");
    assert!(error.message.contains("Could not find"), "{error}");
}

#[test]
fn deregistration_drops_policies_alarms_and_scheduled_actions() {
    let sim = build(10.0, 1, 640.0);
    sim.deregister_scalable_target(&aas::DeregisterScalableTargetInput {
        service_namespace: "sagemaker".into(),
        resource_id: E.into(),
        scalable_dimension: DIMENSION.into(),
    })
    .unwrap();
    assert!(policies(&sim).scaling_policies.is_empty());
    let alarms = sim.describe_alarms(&cw::DescribeAlarmsInput::default()).unwrap();
    assert!(alarms.metric_alarms.is_empty());
    register(&sim, E, 1, 2).unwrap();
    assert!(policies(&sim).scaling_policies.is_empty());
}

#[test]
fn a_second_policy_on_the_same_metric_is_refused() {
    let sim = build(10.0, 1, 640.0);
    let existing = policies(&sim).scaling_policies.remove(0);
    let put = |name: &str, target| aas::PutScalingPolicyInput {
        policy_name: name.into(),
        service_namespace: "sagemaker".into(),
        resource_id: target,
        scalable_dimension: DIMENSION.into(),
        policy_type: Some("TargetTrackingScaling".into()),
        target_tracking_scaling_policy_configuration: existing
            .target_tracking_scaling_policy_configuration
            .clone(),
        ..Default::default()
    };
    let error = sim.put_scaling_policy(&put("another", E.into())).unwrap_err();
    assert!(error.message.contains("Only one TargetTrackingScaling policy"), "{error}");
    let before = alarm(&sim, "AlarmHigh").alarm_name;
    sim.put_scaling_policy(&put(&existing.policy_name, E.into())).unwrap();
    assert_eq!(alarm(&sim, "AlarmHigh").alarm_name, before);
    let nowhere = sim.put_scaling_policy(&put("p", "endpoint/x/variant/AllTraffic".into()));
    assert_eq!(nowhere.unwrap_err().code, "ObjectNotFoundException");
}

#[tokio::test]
async fn a_fleet_is_read_with_the_calls_that_aws_pages_make() {
    let sim = Scenario::fleet(500).build().unwrap();
    let aws = ports(&sim);
    assert_eq!(aws.scaling.scalable_targets(None).await.unwrap().len(), 500);
    assert_eq!(aws.scaling.scaling_policies(None).await.unwrap().len(), 500);
    assert_eq!(aws.endpoints.list_endpoints().await.unwrap().len(), 500);
    assert_eq!(aws.metrics.alarms("TargetTracking-endpoint/").await.unwrap().len(), 1000);
    let calls = |operation| sim.with_world(|world| world.calls(operation));
    assert_eq!(calls(Operation::DescribeScalableTargets), 10);
    assert_eq!(calls(Operation::DescribeScalingPolicies), 50);
    assert_eq!(calls(Operation::ListEndpoints), 5);
    assert_eq!(calls(Operation::DescribeAlarms), 10);
    assert_eq!(sim.with_world(|world| world.writes()), 0);
}

#[test]
fn page_sizes_and_tokens_out_of_range_are_refused() {
    let sim = Scenario::fleet(3).build().unwrap();
    let describe = |max_results, next_token: Option<&str>| {
        sim.describe_scaling_policies(&aas::DescribeScalingPoliciesInput {
            service_namespace: "sagemaker".into(),
            max_results,
            next_token: next_token.map(str::to_owned),
            ..Default::default()
        })
    };
    assert_eq!(describe(Some(11), None).unwrap_err().code, "ValidationException");
    assert_eq!(describe(Some(0), None).unwrap_err().code, "ValidationException");
    assert_eq!(describe(None, Some("x")).unwrap_err().code, "InvalidNextTokenException");
    let first = describe(Some(2), None).unwrap();
    assert_eq!(first.scaling_policies.len(), 2);
    let last = describe(Some(2), first.next_token.as_deref()).unwrap();
    assert_eq!((last.scaling_policies.len(), last.next_token), (1, None));
}

fn scope(sim: &Sim) -> Scope {
    let _ = sim;
    Scope { account_id: "123456789012".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn ports(sim: &Sim) -> ports::Aws {
    setpoint::sim::aws(sim, scope(sim))
}

fn query(metric: Metric, period_seconds: u32) -> MetricQuery {
    MetricQuery {
        instance: None,
        resource: E.parse::<ResourceId>().unwrap(),
        metric,
        period_seconds,
    }
}

#[tokio::test]
async fn metrics_come_late_in_microseconds_and_the_newest_minute_in_part() {
    let sim = build(1000.0, 2, 640.0);
    sim.advance(30 * 60);
    let now = sim.now();
    let from = now - TimeDelta::minutes(30);
    let queries = [
        query(Metric::Invocations, 60),
        query(Metric::InvocationsPerInstance, 60),
        query(Metric::ModelLatency(LatencyStatistic::P50), 60),
        query(Metric::ModelLatency(LatencyStatistic::P99), 60),
        query(Metric::Invocations, 300),
        query(Metric::ModelLatency(LatencyStatistic::P99), 900),
    ];
    let answers = ports(&sim).metrics.metric_data(&queries, from, now).await;
    let series = |i: usize| answers[i].as_ref().unwrap().iter().collect::<Vec<_>>();
    let invocations = series(0);
    assert_eq!(invocations.last().unwrap().0, now - TimeDelta::minutes(2));
    assert!(invocations.last().unwrap().1 < 750.0 && invocations[27].1 > 850.0);
    for ((at, all), (_, each)) in invocations.iter().zip(series(1)).take(28) {
        assert!((all / each - 2.0).abs() < 1e-3, "{at} {all} {each}");
    }
    for ((_, p50), (_, p99)) in series(2).iter().zip(series(3)) {
        assert!(*p50 > 30_000.0 && p99 > *p50, "{p50} {p99}");
    }
    let five: f64 = invocations[0..5].iter().map(|(_, v)| v).sum();
    assert!((series(4)[0].1 - five).abs() < 1e-3);
    let (low, high) = series(3)[0..15]
        .iter()
        .fold((f64::MAX, 0.0_f64), |(low, high), (_, v)| (low.min(*v), high.max(*v)));
    assert!(series(5)[0].1 >= low && series(5)[0].1 <= high);
}

#[test]
fn metric_data_pages_by_datapoints_and_merges_to_the_same() {
    let sim = build(1000.0, 2, 640.0);
    sim.advance(30 * 60);
    let input = |max_datapoints, next_token| {
        let stat = |name: &str| cw::MetricDataQuery {
            id: name.to_lowercase(),
            metric_stat: Some(cw::MetricStat {
                metric: cw::Metric {
                    namespace: "AWS/SageMaker".into(),
                    metric_name: name.into(),
                    dimensions: [("EndpointName", "e"), ("VariantName", "AllTraffic")]
                        .map(|(n, v)| cw::Dimension { name: n.into(), value: v.into() })
                        .to_vec(),
                },
                period: 60,
                stat: "Sum".into(),
                unit: None,
            }),
            ..Default::default()
        };
        cw::GetMetricDataInput {
            metric_data_queries: vec![
                stat("Invocations"),
                stat("Nothing"),
                stat("InvocationsPerInstance"),
            ],
            start_time: sim.now() - TimeDelta::minutes(30),
            end_time: sim.now(),
            next_token,
            scan_by: None,
            max_datapoints,
        }
    };
    let whole = sim.get_metric_data(&input(None, None)).unwrap();
    assert_eq!(whole.next_token, None);
    assert!(whole.metric_data_results[0].timestamps.is_sorted_by(|a, b| a > b));
    let mut merged = std::collections::BTreeMap::<String, Vec<f64>>::new();
    let (mut token, mut pages) = (None, 0);
    loop {
        let page = sim.get_metric_data(&input(Some(10), token)).unwrap();
        for result in page.metric_data_results {
            merged.entry(result.id).or_default().extend(result.values);
        }
        pages += 1;
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages, 6);
    for result in whole.metric_data_results {
        assert_eq!(result.status_code, "Complete");
        assert_eq!(merged[&result.id], result.values);
    }
}

#[tokio::test]
async fn without_traffic_there_is_no_datapoint_unless_zeros_are_published() {
    for zeros in [false, true] {
        let mut scenario = scenario(0.0, 2, 640.0);
        scenario.world.zero_emission = zeros;
        let sim = scenario.build().unwrap();
        sim.advance(40 * 60);
        let answer = ports(&sim)
            .metrics
            .metric_data(
                &[query(Metric::InvocationsPerInstance, 60)],
                sim.now() - TimeDelta::minutes(30),
                sim.now(),
            )
            .await
            .remove(0)
            .unwrap();
        assert_eq!(answer.is_empty(), !zeros);
        let expected = if zeros { ("ALARM", 1) } else { ("INSUFFICIENT_DATA", 2) };
        assert_eq!((alarm(&sim, "AlarmLow").state_value.as_str(), counts(&sim).1), expected);
    }
}

#[test]
fn throttling_takes_tokens_in_virtual_time() {
    let mut scenario = Scenario::fleet(1);
    scenario.world.throttle.application_autoscaling =
        Some(RateLimit { per_second: 1.0, burst: 2.0 });
    let sim = scenario.build().unwrap();
    let input = aas::DescribeScalableTargetsInput {
        service_namespace: "sagemaker".into(),
        ..Default::default()
    };
    assert!(sim.describe_scalable_targets(&input).is_ok());
    assert!(sim.describe_scalable_targets(&input).is_ok());
    let error = sim.describe_scalable_targets(&input).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str(), error.http_status),
        ("ThrottlingException", "Rate exceeded", 400)
    );
    sim.advance(1);
    assert!(sim.describe_scalable_targets(&input).is_ok());
}

#[derive(Default)]
struct Recorder(Mutex<Vec<CallRecord>>);

impl CallObserver for Recorder {
    fn called(&self, call: &CallRecord) {
        self.0.lock().unwrap().push(call.clone());
    }
}

#[tokio::test]
async fn faults_are_bounded_classified_and_told_to_the_observer() {
    let kinds = [
        (FaultKind::Throttle, ErrorKind::Throttled, 400),
        (FaultKind::Deny, ErrorKind::Denied, 400),
        (FaultKind::Transient, ErrorKind::Transient, 400),
        (FaultKind::NoAnswer, ErrorKind::Transient, 0),
        (FaultKind::Garbage, ErrorKind::Garbage, 200),
        (FaultKind::AlarmsUnreadable, ErrorKind::Throttled, 400),
    ];
    for (kind, class, status) in kinds {
        let sim = build(10.0, 1, 640.0);
        let recorder = Arc::new(Recorder::default());
        let aws = setpoint::sim::aws_observed(&sim, scope(&sim), recorder.clone());
        let mut fault = Fault::new(kind, &[Operation::DescribeScalingPolicies], "it happens");
        fault.max_hits = 2;
        sim.inject(fault);
        for _ in 0..2 {
            let error = aws.scaling.scaling_policies(None).await.unwrap_err();
            assert_eq!(error.kind, class, "{kind:?}: {error}");
        }
        assert!(aws.scaling.scaling_policies(None).await.is_ok(), "{kind:?}");
        let calls = recorder.0.lock().unwrap();
        assert_eq!((calls[0].status_code, calls[0].error), (status, Some(class)), "{kind:?}");
        assert_eq!((calls[2].status_code, calls[2].error), (200, None));
    }
}

#[tokio::test]
async fn a_lost_answer_has_taken_effect_and_stale_reads_pass() {
    let sim = build(10.0, 1, 640.0);
    let aws = ports(&sim);
    let put = ports::PutScalingPolicy {
        resource: E.parse().unwrap(),
        policy_name: "SageMakerEndpointInvocationScalingPolicy".into(),
        configuration: setpoint::model::scaling::TargetTracking {
            target_value: 500.0,
            metric: setpoint::model::scaling::MetricSpec::invocations(),
            scale_out_cooldown: None,
            scale_in_cooldown: None,
            disable_scale_in: None,
        },
    };
    let mut lost = Fault::new(FaultKind::AnswerLost, &[Operation::PutScalingPolicy], "networks");
    lost.max_hits = 1;
    sim.inject(lost);
    sim.inject(Fault::new(FaultKind::StaleReads, &[], "AWS says that reads may lag"));
    assert_eq!(aws.writes.put_scaling_policy(&put).await.unwrap_err().kind, ErrorKind::Transient);
    let value = || {
        let policy = policies(&sim).scaling_policies.remove(0);
        policy.target_tracking_scaling_policy_configuration.unwrap().target_value
    };
    assert!((value() - 640.0).abs() < 1e-9);
    sim.advance(5);
    assert!((value() - 500.0).abs() < 1e-9);
}

#[tokio::test]
async fn partial_data_is_incomplete_and_missing_minutes_are_missing() {
    let sim = build(1000.0, 2, 640.0);
    let mut missing = Fault::new(FaultKind::MissingMinutes, &[], "CloudWatch loses minutes");
    missing.max_hits = 3;
    sim.inject(missing);
    sim.advance(20 * 60);
    let from = sim.now() - TimeDelta::minutes(20);
    let queries = [query(Metric::Invocations, 60)];
    let points =
        ports(&sim).metrics.metric_data(&queries, from, sim.now()).await.remove(0).unwrap();
    assert_eq!(points.iter().next().unwrap().0, from + TimeDelta::minutes(3));
    sim.inject(Fault::new(FaultKind::PartialData, &[], "AWS documents PartialData"));
    let answer = ports(&sim).metrics.metric_data(&queries, from, sim.now()).await.remove(0);
    assert_eq!(answer.unwrap_err().kind, setpoint::model::fact::WhyKind::Incomplete);
}
