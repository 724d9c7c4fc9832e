//! What comes back: pages, absences, unknown words, errors and garbage.

use serde_json::json;

use super::{Replay, resource};
use setpoint_core::model::endpoint::{CrossRegionCap, EndpointStatus};
use setpoint_core::model::scaling::{MetricSpec, PolicyKind};
use setpoint_core::ports::{ErrorKind, Service};

const DIMENSION: &str = "sagemaker:variant:DesiredInstanceCount";

fn target(resource: &str, dimension: &str) -> serde_json::Value {
    json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": dimension,
        "MinCapacity": 1, "MaxCapacity": 4, "RoleARN": "arn:role", "CreationTime": 1_700_000_000.5,
    })
}

#[tokio::test]
async fn pages_are_put_together_and_other_dimensions_left_out() {
    let first = json!({
        "ScalableTargets": [
            target("endpoint/a/variant/v", DIMENSION),
            target("inference-component/c", "sagemaker:inference-component:DesiredCopyCount"),
        ],
        "NextToken": "t1",
    });
    let second = json!({"ScalableTargets": [target("endpoint/b/variant/v", DIMENSION)]});
    let replay = Replay::of(vec![(200, first.to_string()), (200, second.to_string())]).await;
    let targets = replay.aws.scaling.scalable_targets(None).await.unwrap();
    let names: Vec<_> = targets.iter().map(|t| t.resource.to_string()).collect();
    assert_eq!(names, ["endpoint/a/variant/v", "endpoint/b/variant/v"]);
    assert_eq!(targets[0].created_at.unwrap().timestamp_subsec_millis(), 500);
    assert_eq!(replay.sent_json()[1]["NextToken"], "t1");
    assert_eq!(replay.calls().len(), 2);
}

#[tokio::test]
async fn more_than_fifty_ids_take_several_calls() {
    let empty = r#"{"ScalableTargets":[]}"#;
    let replay = Replay::of(vec![(200, empty), (200, empty), (200, empty)]).await;
    let of = vec![resource(); 101];
    replay.aws.scaling.scalable_targets(Some(&of)).await.unwrap();
    let counts: Vec<_> = replay
        .sent_json()
        .iter()
        .map(|body| body["ResourceIds"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [50, 50, 1]);
}

#[tokio::test]
async fn a_page_that_fails_fails_the_listing() {
    let first = json!({"ScalableTargets": [], "NextToken": "t1"}).to_string();
    let denied = r#"{"__type":"AccessDeniedException","Message":"no"}"#.to_owned();
    let replay = Replay::of(vec![(200, first), (400, denied)]).await;
    let error = replay.aws.scaling.scalable_targets(None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[tokio::test]
async fn a_forgotten_token_starts_the_listing_anew() {
    let page = |name: &str, next: Option<&str>| {
        let policy = json!({
            "PolicyARN": "arn", "PolicyName": name, "ServiceNamespace": "sagemaker",
            "ResourceId": "endpoint/e/variant/v", "ScalableDimension": DIMENSION,
            "PolicyType": "StepScaling", "CreationTime": 1_700_000_000,
        });
        (200, json!({"ScalingPolicies": [policy], "NextToken": next}).to_string())
    };
    let stale = r#"{"__type":"InvalidNextTokenException","Message":"no"}"#.to_owned();
    let replay = Replay::of(vec![page("a", Some("t1")), (400, stale), page("b", None)]).await;
    let policies = replay.aws.scaling.scaling_policies(None).await.unwrap();
    let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["b"], "what came before does not count");
    assert_eq!(replay.sent_json()[2].get("NextToken"), None);
}

#[tokio::test]
async fn policies_keep_what_aws_left_out_and_words_it_made_up() {
    let policy = |kind: &str, configuration: serde_json::Value| {
        json!({
            "PolicyARN": "arn", "PolicyName": kind, "ServiceNamespace": "sagemaker",
            "ResourceId": "endpoint/e/variant/v", "ScalableDimension": DIMENSION,
            "PolicyType": kind, "CreationTime": 1_700_000_000,
            "Alarms": [{"AlarmName": "TargetTracking-AlarmHigh-1", "AlarmARN": "arn"}],
            "TargetTrackingScalingPolicyConfiguration": configuration,
        })
    };
    let newer = json!({
        "TargetValue": 600.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantNewer"},
    });
    let body = json!({"ScalingPolicies": [
        policy("TargetTrackingScaling", newer),
        policy("StepScaling", json!(null)),
        policy("QuantumScaling", json!(null)),
    ]});
    let replay = Replay::of(vec![(200, body.to_string())]).await;
    let policies = replay.aws.scaling.scaling_policies(None).await.unwrap();
    let PolicyKind::TargetTracking(tracking) = &policies[0].kind else { panic!("{policies:?}") };
    assert_eq!(tracking.scale_out_cooldown, None);
    assert_eq!(tracking.disable_scale_in, None);
    let newer = MetricSpec::Predefined {
        metric_type: "SageMakerVariantNewer".to_owned(),
        resource_label: None,
    };
    assert_eq!(tracking.metric, newer);
    assert_eq!(policies[0].alarm_names, Some(vec!["TargetTracking-AlarmHigh-1".into()]));
    assert_eq!(policies[1].kind, PolicyKind::Step);
    assert_eq!(policies[2].kind, PolicyKind::Other("QuantumScaling".to_owned()));
}

#[tokio::test]
async fn an_answer_without_its_list_is_garbage_and_not_an_empty_listing() {
    for body in ["{}", "", "<html>hello</html>", "[1]"] {
        let replay = Replay::of(vec![(200, body); 3]).await;
        let targets = replay.aws.scaling.scalable_targets(None).await.unwrap_err();
        assert_eq!(targets.kind, ErrorKind::Garbage, "{body:?}: {targets}");
        assert_eq!(replay.sent().len(), 1, "garbage is not asked for again");
        let endpoints = replay.aws.endpoints.list_endpoints().await.unwrap_err();
        assert_eq!(endpoints.kind, ErrorKind::Garbage, "{body:?}: {endpoints}");
    }
}

#[tokio::test]
async fn reads_are_tried_again_where_it_helps_and_only_there() {
    let good = (200, r#"{"ScalingPolicies":[]}"#.to_owned());
    let bad = |code: &str, message: &str| {
        (400, format!(r#"{{"__type":"{code}","Message":"{message}"}}"#))
    };
    for (failure, retried) in [
        (bad("ThrottlingException", "Rate exceeded"), true),
        (bad("RateExceeded", ""), true),
        (bad("InternalServiceException", ""), true),
        (bad("ConcurrentUpdateException", ""), true),
        (bad("FailedResourceAccessException", "alarms: Rate exceeded"), true),
        ((503, String::new()), true),
        (bad("FailedResourceAccessException", "no permission"), false),
        (bad("LimitExceededException", "quota"), false),
        (bad("ValidationException", "bad"), false),
        (bad("AccessDeniedException", "no"), false),
    ] {
        let replay = Replay::of(vec![failure.clone(), good.clone()]).await;
        let result = replay.aws.scaling.scaling_policies(None).await;
        assert_eq!(result.is_ok(), retried, "{failure:?}: {result:?}");
        assert_eq!(replay.sent().len(), if retried { 2 } else { 1 }, "{failure:?}");
        assert_eq!(replay.calls()[0].retries, u32::from(retried), "{failure:?}");
    }
}

#[tokio::test]
async fn retries_end() {
    let throttled = r#"{"__type":"ThrottlingException","Message":"Rate exceeded"}"#;
    let replay = Replay::of(vec![(400, throttled); 9]).await;
    let error = replay.aws.scaling.scaling_policies(None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert_eq!(replay.sent().len(), 3);
    let calls = replay.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].retries, 2);
    assert_eq!(calls[0].service, Service::ApplicationAutoScaling);
    assert_eq!(calls[0].error, Some(ErrorKind::Throttled));
}

#[tokio::test]
async fn a_missing_endpoint_is_none_and_other_refusals_are_errors() {
    let missing = r#"{"__type":"ValidationException","message":"Could not find endpoint \"x\"."}"#;
    let wrong = r#"{"__type":"ValidationException","message":"1 validation error detected"}"#;
    let replay = Replay::of(vec![(400, missing), (400, wrong)]).await;
    let name = "e".parse().unwrap();
    assert_eq!(replay.aws.endpoints.endpoint(&name).await, Ok(None));
    let error = replay.aws.endpoints.endpoint(&name).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(error.code.as_deref(), Some("ValidationException"));
}

#[tokio::test]
async fn an_endpoint_is_read_whole() {
    let body = json!({
        "EndpointName": "e", "EndpointArn": "arn", "EndpointConfigName": "c1",
        "EndpointStatus": "Hibernating", "CreationTime": 1_700_000_000.25, "LastModifiedTime": 1.7e9,
        "ProductionVariants": [{
            "VariantName": "v", "CurrentInstanceCount": 2, "DesiredInstanceCount": 3,
            "DeployedImages": [{"SpecifiedImage": "i:latest", "ResolvedImage": "i@sha256:1"}],
            "VariantStatus": [{"Status": "Updating"}], "InstancePools": [],
        }],
        "ShadowProductionVariants": [{"VariantName": "s"}],
        "PendingDeploymentSummary": {"EndpointConfigName": "c2"},
        "AsyncInferenceConfig": {"OutputConfig": {}},
        "CrossRegionTrafficConfig": {
            "MaxInvocationsPerSecondPerInstance": 50, "MaxCrossRegionPercentPerEndpoint": 40,
        },
    });
    let replay = Replay::of(vec![(200, body.to_string())]).await;
    let endpoint = replay.aws.endpoints.endpoint(&"e".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(endpoint.status, EndpointStatus::Other("Hibernating".to_owned()));
    assert_eq!(endpoint.created_at.timestamp_millis(), 1_700_000_000_250);
    assert_eq!(endpoint.pending_config_name.as_deref(), Some("c2"));
    assert!(endpoint.deploy_in_progress && endpoint.asynchronous);
    assert_eq!(endpoint.shadow_variants[0].as_str(), "s");
    let cap = CrossRegionCap { invocations_per_second_per_instance: 50, percent: 40 };
    assert_eq!(endpoint.cross_region, Some(cap));
    let variant = &endpoint.variants[0];
    assert_eq!((variant.current_instances, variant.desired_instances), (Some(2), Some(3)));
    assert_eq!(variant.images, ["i@sha256:1"]);
    assert_eq!(variant.statuses, ["Updating"]);
    assert!(!variant.instance_pools && !variant.serverless && !variant.managed_instance_scaling);
}

/// The API reference requires name, ARN, status and the two times.
#[tokio::test]
async fn an_endpoint_may_name_no_config() {
    let body = json!({
        "EndpointName": "e", "EndpointArn": "arn", "EndpointStatus": "Failed", "CreationTime": 1,
        "LastModifiedTime": 1,
    });
    let replay = Replay::of(vec![(200, body.to_string())]).await;
    let endpoint = replay.aws.endpoints.endpoint(&"e".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(endpoint.status, EndpointStatus::Failed);
    assert_eq!((endpoint.config_name.as_str(), endpoint.variants.len()), ("", 0));
}

#[tokio::test]
async fn enhanced_metrics_alone_make_the_period_count() {
    let config = |enhanced: bool| {
        let body = json!({
            "EndpointConfigName": "c", "CreationTime": 1, "ProductionVariants": [{
                "VariantName": "v", "ModelName": "m", "InstanceType": "ml.c5.xlarge",
            }],
            "MetricsConfig": {"EnableEnhancedMetrics": enhanced, "MetricPublishFrequencyInSeconds": 120},
        });
        (200, body.to_string())
    };
    let replay = Replay::of(vec![config(false), config(true)]).await;
    let mut periods = Vec::new();
    for _ in 0..2 {
        let config = replay.aws.endpoints.endpoint_config("c").await.unwrap().unwrap();
        periods.push(config.metric_period_seconds);
    }
    assert_eq!(periods, [None, Some(120)]);
}

#[tokio::test]
async fn containers_are_counted() {
    let one = r#"{"ModelName":"m","PrimaryContainer":{"Mode":"MultiModel"}}"#;
    let two = r#"{"ModelName":"m","Containers":[{"Image":"a"},{"Image":"b"}]}"#;
    let replay = Replay::of(vec![(200, one), (200, two)]).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let model = replay.aws.endpoints.model("m").await.unwrap().unwrap();
        seen.push((model.containers, model.multi_model));
    }
    assert_eq!(seen, [(1, true), (2, false)]);
}
