//! What goes out: every field that is stated, and none that is not.

use serde_json::json;

use super::{Replay, resource};
use setpoint_core::model::kept_floors::FloorPut;
use setpoint_core::model::scaling::{MetricSpec, SuspendedState, TargetTracking};
use setpoint_core::ports::{
    ErrorKind, PutScalingPolicy, PutScheduledAction, RegisterScalableTarget,
};

fn put(configuration: TargetTracking) -> PutScalingPolicy {
    PutScalingPolicy { resource: resource(), policy_name: "p".to_owned(), configuration }
}

fn bare() -> TargetTracking {
    TargetTracking {
        target_value: 600.0,
        metric: MetricSpec::invocations(),
        scale_out_cooldown: None,
        scale_in_cooldown: None,
        disable_scale_in: None,
    }
}

#[tokio::test]
async fn a_policy_is_sent_with_every_stated_field() {
    let replay = Replay::of(vec![(200, r#"{"PolicyARN":"arn"}"#)]).await;
    let whole = TargetTracking {
        target_value: 612.5,
        metric: MetricSpec::Predefined {
            metric_type: "SageMakerVariantInvocationsPerInstance".to_owned(),
            resource_label: Some("label".to_owned()),
        },
        scale_out_cooldown: Some(60),
        scale_in_cooldown: Some(0),
        disable_scale_in: Some(false),
    };
    replay.aws.writes.put_scaling_policy(&put(whole)).await.unwrap();
    assert_eq!(
        replay.sent_json(),
        [json!({
            "PolicyName": "p",
            "ServiceNamespace": "sagemaker",
            "ResourceId": "endpoint/fraud-scorer/variant/AllTraffic",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 612.5,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance",
                    "ResourceLabel": "label",
                },
                "ScaleOutCooldown": 60,
                "ScaleInCooldown": 0,
                "DisableScaleIn": false,
            },
        })]
    );
}

#[tokio::test]
async fn what_a_policy_does_not_state_is_not_sent() {
    let replay = Replay::of(vec![(200, r#"{"PolicyARN":"arn"}"#)]).await;
    replay.aws.writes.put_scaling_policy(&put(bare())).await.unwrap();
    let sent = replay.sent_json();
    let configuration = sent[0]["TargetTrackingScalingPolicyConfiguration"].as_object().unwrap();
    let keys: Vec<_> = configuration.keys().collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[tokio::test]
async fn a_metric_of_a_newer_api_is_carried_over_and_a_customised_one_refused() {
    let replay = Replay::of(vec![(200, r#"{"PolicyARN":"arn"}"#)]).await;
    let newer = MetricSpec::Predefined { metric_type: "Newer".to_owned(), resource_label: None };
    replay
        .aws
        .writes
        .put_scaling_policy(&put(TargetTracking { metric: newer, ..bare() }))
        .await
        .unwrap();
    let sent = replay.sent_json();
    let spec = &sent[0]["TargetTrackingScalingPolicyConfiguration"];
    assert_eq!(spec["PredefinedMetricSpecification"], json!({"PredefinedMetricType": "Newer"}));

    let customised = MetricSpec::Customized("x".to_owned());
    let refused = put(TargetTracking { metric: customised, ..bare() });
    let error = replay.aws.writes.put_scaling_policy(&refused).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert_eq!(replay.sent().len(), 1, "nothing more was sent");
}

#[tokio::test]
async fn a_registration_sends_only_what_changes() {
    let replay = Replay::of(vec![(200, "{}"), (200, "{}")]).await;
    let mut register = RegisterScalableTarget {
        resource: resource(),
        min_capacity: None,
        max_capacity: Some(8),
        suspended: None,
    };
    replay.aws.writes.register_scalable_target(&register).await.unwrap();
    register.suspended = Some(SuspendedState { scale_in: true, ..SuspendedState::default() });
    replay.aws.writes.register_scalable_target(&register).await.unwrap();
    let sent = replay.sent_json();
    let identity = json!({
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/fraud-scorer/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MaxCapacity": 8,
    });
    assert_eq!(sent[0], identity);
    assert_eq!(
        sent[1]["SuspendedState"],
        json!({
            "DynamicScalingInSuspended": true,
            "DynamicScalingOutSuspended": false,
            "ScheduledScalingSuspended": false,
        })
    );
}

#[tokio::test]
async fn a_floor_is_sent_whole_and_sets_no_max() {
    let replay = Replay::of(vec![(200, "{}"), (200, "{}")]).await;
    let mut put = PutScheduledAction {
        resource: resource(),
        floor: FloorPut {
            name: "setpoint-floor-01".to_owned(),
            schedule: "cron(52 7 ? * MON *)".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            min: 7,
            ends_at: Some("2026-12-01T00:00:00Z".parse().unwrap()),
        },
    };
    replay.aws.writes.put_scheduled_action(&put).await.unwrap();
    put.floor.ends_at = None;
    replay.aws.writes.put_scheduled_action(&put).await.unwrap();
    let sent = replay.sent_json();
    let whole = json!({
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/fraud-scorer/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ScheduledActionName": "setpoint-floor-01",
        "Schedule": "cron(52 7 ? * MON *)",
        "Timezone": "Europe/Berlin",
        "EndTime": 1_796_083_200,
        "ScalableTargetAction": {"MinCapacity": 7},
    });
    assert_eq!(sent[0], whole);
    assert!(sent[1].get("EndTime").is_none());
}

#[tokio::test]
async fn writes_are_tried_once_whatever_the_error() {
    for code in ["ThrottlingException", "InternalServiceException", "ConcurrentUpdateException"] {
        let body = format!(r#"{{"__type":"{code}","message":"later"}}"#);
        let replay = Replay::of(vec![(400, body), (200, "{}".to_owned())]).await;
        let error = replay.aws.writes.put_scaling_policy(&put(bare())).await.unwrap_err();
        assert!(error.kind.is_retryable(), "{code}: {error}");
        assert_eq!(replay.sent().len(), 1, "{code}");
        let calls = replay.calls();
        assert_eq!((calls[0].retries, calls[0].status_code), (0, 400), "{code}");
        assert_eq!(calls[0].error_code, code);
    }
    let replay = Replay::of(vec![(500, "oops"), (200, "{}")]).await;
    let error = replay.aws.writes.put_scaling_policy(&put(bare())).await.unwrap_err();
    assert_eq!((error.kind, replay.sent().len()), (ErrorKind::Transient, 1));
}

#[tokio::test]
async fn a_sweep_names_no_dimension_and_a_variant_both() {
    let replay = Replay::of(vec![
        (200, r#"{"ScalingPolicies":[]}"#),
        (200, r#"{"ScalingPolicies":[]}"#),
        (200, r#"{"ScalingActivities":[]}"#),
    ])
    .await;
    replay.aws.scaling.scaling_policies(None).await.unwrap();
    replay.aws.scaling.scaling_policies(Some(&resource())).await.unwrap();
    replay.aws.scaling.scaling_activities(&resource()).await.unwrap();
    let sent = replay.sent_json();
    assert_eq!(sent[0], json!({"ServiceNamespace": "sagemaker", "MaxResults": 10}));
    assert_eq!(sent[1]["ScalableDimension"], "sagemaker:variant:DesiredInstanceCount");
    assert_eq!(sent[1]["ResourceId"], "endpoint/fraud-scorer/variant/AllTraffic");
    assert_eq!(sent[2]["IncludeNotScaledActivities"], true);
}

#[tokio::test]
async fn sagemaker_requests_are_signed_for_sagemaker() {
    let replay = Replay::of(vec![(200, r#"{"Endpoints":[]}"#)]).await;
    replay.aws.endpoints.list_endpoints().await.unwrap();
    let request = replay.http.actual_requests().next().unwrap();
    let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
    assert_eq!(request.uri(), "https://api.sagemaker.us-east-1.amazonaws.com/");
    assert_eq!(header("x-amz-target"), "SageMaker.ListEndpoints");
    assert!(header("authorization").contains("/us-east-1/sagemaker/aws4_request"));
    assert!(header("user-agent").contains("sagemaker"), "{}", header("user-agent"));
}
