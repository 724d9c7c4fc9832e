//! What no answer of AWS should be: numbers that cannot be, rows of nonsense, bodies without an
//! end, pages that go round, and pages of a proxy.

use serde_json::{Value, json};

use super::{Replay, resource};
use setpoint_core::model::scaling::{MetricSpec, TargetTracking};
use setpoint_core::ports::{ErrorKind, PutScalingPolicy};

const DIMENSION: &str = "sagemaker:variant:DesiredInstanceCount";

fn target(resource: &str, bounds: &Value) -> Value {
    let mut row = json!({
        "ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION,
        "RoleARN": "arn:role", "CreationTime": 1_700_000_000,
    });
    for (name, value) in bounds.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

fn policy(resource: &str, tracking: &Value) -> Value {
    json!({
        "PolicyARN": "arn", "PolicyName": "p", "ServiceNamespace": "sagemaker",
        "ResourceId": resource, "ScalableDimension": DIMENSION,
        "PolicyType": "TargetTrackingScaling", "CreationTime": 1_700_000_000,
        "TargetTrackingScalingPolicyConfiguration": tracking,
    })
}

#[tokio::test]
async fn a_bound_that_cannot_be_makes_one_target_unreadable_and_no_other() {
    let good = target("endpoint/good/variant/v", &json!({"MinCapacity": 0, "MaxCapacity": 4}));
    for (bounds, says) in [
        (json!({}), "MinCapacity is not stated"),
        (json!({"MinCapacity": 1}), "MaxCapacity is not stated"),
        (json!({"MinCapacity": 1, "MaxCapacity": null}), "MaxCapacity is not stated"),
        (json!({"MinCapacity": 1, "MaxCapacity": 1e20}), "MaxCapacity is not stated"),
        (json!({"MinCapacity": "1", "MaxCapacity": 4}), "MinCapacity is not stated"),
        (json!({"MinCapacity": -2, "MaxCapacity": 4}), "MinCapacity is -2"),
        (json!({"MinCapacity": 9, "MaxCapacity": 4}), "MinCapacity 9 is above MaxCapacity 4"),
    ] {
        let body = json!({"ScalableTargets": [target("endpoint/bad/variant/v", &bounds), good]});
        let replay = Replay::of(vec![(200, body.to_string())]).await;
        let targets = replay.aws.scaling.scalable_targets(None).await.unwrap();
        assert_eq!(targets.len(), 1, "{bounds}: {targets:?}");
        assert_eq!(targets[0].resource.to_string(), "endpoint/good/variant/v");
        assert_eq!((targets[0].min_capacity, targets[0].max_capacity), (0, 4));
        let [bad] = targets.unreadable() else { panic!("{bounds}: {targets:?}") };
        assert_eq!(bad.about.as_deref(), Some("endpoint/bad/variant/v"));
        assert!(bad.why.contains(says), "{bounds}: {}", bad.why);
        assert_eq!(replay.calls.skipped(), [1], "{bounds}");
    }
}

#[tokio::test]
async fn a_target_value_that_cannot_be_makes_one_policy_unreadable_and_no_other() {
    let good = policy("endpoint/good/variant/v", &json!({"TargetValue": 600.0}));
    for tracking in [
        json!({}),
        json!({"TargetValue": null}),
        json!({"TargetValue": "Infinity"}),
        json!({"TargetValue": "-Infinity"}),
        json!({"TargetValue": "NaN"}),
        json!({"TargetValue": "six hundred"}),
        json!({"TargetValue": 0.0}),
        json!({"TargetValue": -600.0}),
        json!({"TargetValue": 600.0, "ScaleOutCooldown": -1}),
        json!({"TargetValue": 600.0, "ScaleInCooldown": 1e12}),
    ] {
        let body = json!({"ScalingPolicies": [policy("endpoint/bad/variant/v", &tracking), good]});
        let replay = Replay::of(vec![(200, body.to_string())]).await;
        let policies = replay.aws.scaling.scaling_policies(None).await.unwrap();
        assert_eq!(policies.len(), 1, "{tracking}: {policies:?}");
        assert_eq!(policies[0].tracking().unwrap().target_value, 600.0);
        let [bad] = policies.unreadable() else { panic!("{tracking}: {policies:?}") };
        assert_eq!(bad.about.as_deref(), Some("endpoint/bad/variant/v"), "{tracking}");
    }
}

#[tokio::test]
async fn no_value_that_cannot_be_is_ever_sent() {
    for value in [0.0, -600.0, f64::NAN, f64::INFINITY] {
        let replay = Replay::of(vec![(200, "{}".to_owned())]).await;
        let put = PutScalingPolicy {
            resource: resource(),
            policy_name: "p".to_owned(),
            configuration: TargetTracking {
                target_value: value,
                metric: MetricSpec::invocations(),
                scale_out_cooldown: None,
                scale_in_cooldown: None,
                disable_scale_in: None,
            },
        };
        let error = replay.aws.writes.put_scaling_policy(&put).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{value}: {error}");
        assert!(replay.sent().is_empty(), "{value}");
    }
}

#[tokio::test]
async fn an_endpoint_with_a_name_that_cannot_be_is_left_out_and_counted() {
    let row = |name: &str| {
        json!({"EndpointName": name, "EndpointStatus": "InService", "CreationTime": 1,
               "LastModifiedTime": 1})
    };
    let mut undated = row("undated");
    undated.as_object_mut().unwrap().remove("CreationTime");
    let body = json!({"Endpoints": [row("a"), row("-b-"), row(&"x".repeat(5000)), undated]});
    let replay = Replay::of(vec![(200, body.to_string())]).await;
    let endpoints = replay.aws.endpoints.list_endpoints().await.unwrap();
    assert_eq!(endpoints.len(), 1);
    let about: Vec<_> = endpoints.unreadable().iter().map(|row| row.about.as_deref()).collect();
    assert_eq!(about, [None, None, Some("undated")], "what is about one is told of that one");
    assert!(endpoints.unreadable().iter().all(|row| row.why.len() <= 1024));
    assert_eq!(replay.calls.skipped(), [3]);
}

#[tokio::test]
async fn a_token_that_comes_again_ends_the_listing() {
    let page = |list: &str, token: &str| (200, json!({list: [], "NextToken": token}).to_string());
    // Not only the last one: pages may go round.
    let round = |list: &str| ["a", "b", "a"].map(|token| page(list, token)).to_vec();
    let replay = Replay::of(round("ScalableTargets")).await;
    let error = replay.aws.scaling.scalable_targets(None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbage);
    assert!(error.message.contains("the same page token twice"), "{error}");
    let replay = Replay::of(round("Endpoints")).await;
    let error = replay.aws.endpoints.list_endpoints().await.unwrap_err();
    assert!(error.message.contains("the same page token twice"), "{error}");
    assert_eq!(replay.sent().len(), 3);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    let body = format!(r#"{{"ScalableTargets":[],"Padding":"{}"}}"#, "x".repeat(9 << 20));
    let replay = Replay::of(vec![(200, body.clone()), (200, body)]).await;
    let error = replay.aws.scaling.scalable_targets(None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbage, "{error}");
    assert!(error.message.contains("larger than 8 MiB"), "{error}");
    assert_eq!(replay.sent().len(), 1, "it is not asked for again");
    let error = replay.aws.endpoints.list_endpoints().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Garbage, "{error}");
}

#[tokio::test]
async fn a_page_of_a_proxy_is_reported_as_one() {
    let html = "<html><body>Please log in</body></html>";
    for status in [200, 302, 404, 502] {
        let replay = Replay::of(vec![(status, html); 6]).await;
        let aws = &replay.aws;
        let scaling = aws.scaling.scalable_targets(None).await.unwrap_err();
        let endpoints = aws.endpoints.list_endpoints().await.unwrap_err();
        for error in [scaling, endpoints] {
            let text = error.to_string();
            assert!(!text.contains("no message"), "{status}: {text}");
            assert!(
                text.contains("Please log in") || text.contains("cannot be understood"),
                "{status}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn messages_of_aws_are_short_and_in_one_line() {
    let long = format!("no\nlevel=ERROR forged\r\n{}", "x".repeat(100_000));
    let body = json!({"__type": "AccessDeniedException", "message": long}).to_string();
    let replay = Replay::of(vec![(400, body.clone()), (400, body)]).await;
    for error in [
        replay.aws.scaling.scalable_targets(None).await.unwrap_err(),
        replay.aws.endpoints.list_endpoints().await.unwrap_err(),
    ] {
        assert!(error.message.len() <= 1024, "{}", error.message.len());
        assert!(error.message.starts_with("no\\nlevel=ERROR forged\\r\\nxxx"), "{error}");
    }
}
