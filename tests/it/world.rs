//! The embedded AWS behaves as AWS does where a fact is known, and is deterministic.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

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
    MetricQuery { resource: E.parse::<ResourceId>().unwrap(), metric, period_seconds }
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
    let series = |i: usize| answers[i].clone().unwrap();
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
    assert_eq!(points[0].0, from + TimeDelta::minutes(3));
    sim.inject(Fault::new(FaultKind::PartialData, &[], "AWS documents PartialData"));
    let answer = ports(&sim).metrics.metric_data(&queries, from, sim.now()).await.remove(0);
    assert_eq!(answer.unwrap_err().kind, setpoint::model::fact::WhyKind::Incomplete);
}

#[test]
fn scheduled_actions_move_min_and_max_at_their_time() {
    let sim = build(10.0, 1, 640.0);
    let start = sim.now();
    let put = |name: &str, schedule: String, timezone: Option<&str>, min, max| {
        sim.put_scheduled_action(&aas::PutScheduledActionInput {
            service_namespace: "sagemaker".into(),
            schedule: Some(schedule),
            timezone: timezone.map(str::to_owned),
            scheduled_action_name: name.into(),
            resource_id: E.into(),
            scalable_dimension: DIMENSION.into(),
            scalable_target_action: Some(aas::ScalableTargetAction {
                min_capacity: min,
                max_capacity: max,
            }),
            ..Default::default()
        })
    };
    let target = || {
        let input = aas::DescribeScalableTargetsInput {
            service_namespace: "sagemaker".into(),
            ..Default::default()
        };
        let t = sim.describe_scalable_targets(&input).unwrap().scalable_targets.remove(0);
        (t.min_capacity, t.max_capacity)
    };
    let at = (start + TimeDelta::minutes(10)).format("at(%Y-%m-%dT%H:%M:%S)").to_string();
    put("once", at, None, Some(3), None).unwrap();
    // 14:00 in Berlin is 13:00 UTC in November; the world begins at noon UTC.
    put("daily", "cron(0 14 * * ? *)".into(), Some("Europe/Berlin"), Some(1), Some(5)).unwrap();
    assert_eq!(
        put("bad", "whenever".into(), None, None, None).unwrap_err().code,
        "ValidationException"
    );
    sim.advance(599);
    assert_eq!(target(), (1, 10));
    sim.advance(1);
    assert_eq!((target(), counts(&sim).1), ((3, 10), 3));
    sim.run_until(start + TimeDelta::minutes(60));
    assert_eq!(target(), (1, 5));
}

#[test]
fn a_deploy_resets_the_count_unless_retained_and_runs_two_fleets() {
    for (retain, expected) in [(false, 2), (true, 5)] {
        let sim = build(10.0, 2, 640.0);
        register(&sim, E, 5, 10).unwrap();
        sim.advance(600);
        assert_eq!(counts(&sim), (5, 5));
        let deploy = |instance_type: Option<&str>| Change::Deploy {
            endpoint: "e".into(),
            capacity_factor: 0.5,
            instance_type: instance_type.map(str::to_owned),
            retain,
        };
        let error = sim.with_world(|w| w.change(&deploy(Some("ml.c5.4xlarge")))).unwrap_err();
        assert!(error.message.contains("instance type"), "{error}");
        let before = sim.with_world(|w| w.truth_about(E)).capacity.unwrap();
        sim.with_world(|w| w.change(&deploy(None))).unwrap();
        let describe = || {
            sim.describe_endpoint(&sm::DescribeEndpointInput { endpoint_name: "e".into() }).unwrap()
        };
        assert!(describe().pending_deployment_summary.is_some());
        assert_eq!(describe().endpoint_status, "Updating");
        sim.advance(600);
        assert_eq!(describe().endpoint_status, "InService");
        assert_eq!(counts(&sim), (expected, expected));
        sim.advance(120);
        let after = sim.with_world(|w| w.truth_about(E)).capacity.unwrap();
        assert!(after < 0.55 * before, "{before} {after}");
    }
}

#[test]
fn a_recreated_endpoint_has_lost_its_policy() {
    let sim = build(10.0, 2, 640.0);
    let created = || {
        sim.describe_endpoint(&sm::DescribeEndpointInput { endpoint_name: "e".into() })
            .unwrap()
            .creation_time
    };
    let before = created();
    let at = sim.now() + TimeDelta::minutes(5);
    sim.with_world(|w| w.plan(Event { at, change: Change::Recreate { endpoint: "e".into() } }));
    sim.advance(1200);
    assert!(policies(&sim).scaling_policies.is_empty());
    assert!(created() > before);
    assert_eq!(counts(&sim), (2, 2));
}

#[test]
fn the_demo_has_fourteen_days_of_history_and_shows_its_events() {
    let sim = Scenario::demo().unwrap().build().unwrap();
    let violations = |name: &str| {
        let resource = format!("endpoint/{name}/variant/AllTraffic");
        sim.with_world(|world| world.truth_about(&resource))
    };
    let (right, wrong) = (violations("fraud-scorer"), violations("search-ranker"));
    assert!(wrong.violation_minutes > 20 * right.violation_minutes.max(10), "{right:?} {wrong:?}");
    assert!(
        wrong.capacity.unwrap() < 1500.0 && right.capacity.unwrap() > 1000.0,
        "{right:?} {wrong:?}"
    );
    let before = policies(&sim).scaling_policies.len();
    sim.advance(40 * 60);
    assert_eq!((before, policies(&sim).scaling_policies.len()), (5, 4));
    assert_eq!(sim.now(), floor_to_minute(sim.now()));
}

#[test]
fn a_scenario_with_an_unknown_key_or_an_absent_recording_is_refused() {
    let error =
        Scenario::parse("endpoints: [{name: e, variant: []}]", "x.yaml").unwrap_err().to_string();
    assert!(error.contains("x.yaml") && error.contains("variant"), "{error}");
    let dir = std::env::temp_dir().join(format!("setpoint-world-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("s.yaml");
    let yaml = "
endpoints:
  - name: e
    variants:
      - load:
          service: {family: {cliff: {error_share: 0.3}}, base_ms: 40, saturation: 1500}
          objective: {threshold_ms: 250}
          traffic: [{replay: {path: nowhere.csv}}]
";
    std::fs::write(&file, yaml).unwrap();
    let error = Scenario::load(&file).unwrap_err().to_string();
    assert!(error.contains("nowhere.csv"), "{error}");
    std::fs::write(dir.join("nowhere.csv"), "minute,requests\n0,10\n1,20\n").unwrap();
    let sim = Scenario::load(&file).unwrap().build().unwrap();
    sim.advance(600);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn dump(seed: u64, minutes: i64) -> (Timestamp, String) {
    let mut scenario = scenario(1500.0, 2, 640.0);
    scenario.world.seed = seed;
    let sim = scenario.build().unwrap();
    sim.with_world(|world| world.run_minutes(minutes));
    let queries: Vec<f64> = {
        let aws = ports(&sim);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let from = sim.now() - TimeDelta::minutes(minutes);
        let query = [query(Metric::ModelLatency(LatencyStatistic::P99), 60)];
        let answer = runtime.block_on(aws.metrics.metric_data(&query, from, sim.now())).remove(0);
        answer.unwrap().into_iter().map(|(_, v)| v).collect()
    };
    (sim.now(), format!("{} {queries:?}", sim.state()))
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 8, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_same_seed_makes_the_same_world(seed: u64, minutes in 10_i64..90) {
        proptest::prop_assert_eq!(dump(seed, minutes), dump(seed, minutes));
        proptest::prop_assert_ne!(dump(seed, minutes), dump(seed.wrapping_add(1), minutes));
    }
}

#[test]
fn the_worlds_on_file_run() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/worlds");
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let sim = Scenario::load(&path).unwrap().build().unwrap();
        let before = sim.with_world(setpoint::sim::world::World::truth);
        sim.advance(86_400);
        let after = sim.with_world(setpoint::sim::world::World::truth);
        assert_eq!(sim.state()["events_left"], 0, "{}", path.display());
        assert!(after[0].instance_hours > before[0].instance_hours + 20.0);
        assert!(after[0].capacity.unwrap() > 200.0);
        files += 1;
    }
    assert_eq!(files, 2);
}

#[test]
fn an_undeclared_step_changes_the_truth_and_an_incident_does_not() {
    let sim = build(600.0, 2, 640.0);
    let capacity = || sim.with_world(|world| world.truth_about(E)).capacity.unwrap();
    let variant = || "e/AllTraffic".to_owned();
    sim.advance(600);
    let before = capacity();
    let incident = Change::Incident { variant: variant(), latency_factor: 5.0, minutes: 10 };
    let violations = || sim.with_world(|world| world.truth_about(E)).violation_minutes;
    let clean = violations();
    sim.with_world(|world| world.change(&incident)).unwrap();
    sim.advance(600);
    assert!((capacity() - before).abs() < 1e-9);
    assert_eq!(violations(), clean + 10);
    let step = Change::CapacityStep { variant: variant(), factor: 0.7 };
    sim.with_world(|world| world.change(&step)).unwrap();
    sim.advance(600);
    assert!(capacity() < 0.75 * before, "{} {before}", capacity());
}

#[test]
fn a_deploy_waits_for_the_auto_scaler_to_finish() {
    let sim = build(2400.0, 1, 640.0);
    let deploy = Change::Deploy {
        endpoint: "e".into(),
        capacity_factor: 1.0,
        instance_type: None,
        retain: true,
    };
    // At this time the fleet grows from 1 to 4.
    let at = sim.now() + TimeDelta::seconds(330);
    sim.with_world(|world| world.plan(Event { at, change: deploy }));
    let describe = || {
        let input = sm::DescribeEndpointInput { endpoint_name: "e".into() };
        sim.describe_endpoint(&input).unwrap()
    };
    sim.advance(360);
    assert!(describe().pending_deployment_summary.is_none());
    assert_eq!(describe().endpoint_status, "Updating");
    sim.advance(20 * 60);
    assert_eq!(describe().endpoint_config_name, "e-config-2");
    assert_eq!(counts(&sim), (4, 4));
}

#[test]
fn tags_live_as_long_as_their_target() {
    let sim = build(10.0, 1, 640.0);
    let arn = register(&sim, E, 1, 10).unwrap().scalable_target_arn;
    let tags = [("owner".to_owned(), "search".to_owned())].into();
    sim.tag_resource(&aas::TagResourceInput { resource_arn: arn.clone(), tags }).unwrap();
    let list =
        || sim.list_tags_for_resource(&aas::ListTagsForResourceInput { resource_arn: arn.clone() });
    assert_eq!(list().unwrap().tags["owner"], "search");
    let keys = vec!["owner".to_owned()];
    sim.untag_resource(&aas::UntagResourceInput { resource_arn: arn.clone(), tag_keys: keys })
        .unwrap();
    assert!(list().unwrap().tags.is_empty());
    sim.with_world(|world| world.change(&Change::Deregister { variant: "e/AllTraffic".into() }))
        .unwrap();
    assert_eq!(list().unwrap_err().code, "ResourceNotFoundException");
}
