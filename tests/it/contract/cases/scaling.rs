//! Application Auto Scaling.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use setpoint::model::ids::ResourceId;
use setpoint::model::scaling::{DIMENSION, MetricSpec, SuspendedState, TargetTracking};
use setpoint::ports::{ErrorKind, Service};

use crate::contract::face::{Face, put, register, resource};

pub(super) async fn register_then_describe(face: Arc<dyn Face>) {
    let aws = face.aws();
    assert_eq!(aws.scaling.scalable_targets(None).await, Ok(vec![].into()));
    let resource = face.target("e").await;
    let other = face.target("other").await;

    let targets =
        aws.scaling.scalable_targets(Some(std::slice::from_ref(&resource))).await.unwrap();
    let [target] = targets.as_slice() else { panic!("{targets:?}") };
    assert_eq!(target.resource, resource);
    assert_eq!((target.min_capacity, target.max_capacity), (1, 4));
    assert_eq!(target.suspended, SuspendedState::default());
    assert!(target.created_at.is_some());
    assert_eq!(names(&face).await, [resource, other].map(|r| r.to_string()).into());
}

/// `DescribeScalableTargets` has 50 a page and takes 50 ids.
pub(super) async fn targets_of_the_region_are_paged(face: Arc<dyn Face>) {
    let mut resources: Vec<ResourceId> = Vec::new();
    for n in 0..120 {
        resources.push(face.target(&format!("scorer-{n:03}")).await);
    }
    let expected: BTreeSet<String> = resources.iter().map(ToString::to_string).collect();
    assert_eq!(names(&face).await, expected);
    let some = face.aws().scaling.scalable_targets(Some(&resources)).await.unwrap();
    assert_eq!(some.len(), 120);
}

pub(super) async fn register_keeps_what_is_not_sent(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let aws = face.aws();
    aws.writes.register_scalable_target(&register(&resource, None, Some(9))).await.unwrap();
    let targets = aws.scaling.scalable_targets(Some(&[resource])).await.unwrap();
    assert_eq!((targets[0].min_capacity, targets[0].max_capacity), (1, 9));
}

pub(super) async fn suspended_scaling(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let aws = face.aws();
    let state = SuspendedState { scale_in: true, scale_out: false, scheduled: true };
    let mut suspend = register(&resource, None, None);
    suspend.suspended = Some(state);
    aws.writes.register_scalable_target(&suspend).await.unwrap();
    let targets = aws.scaling.scalable_targets(Some(&[resource])).await.unwrap();
    assert_eq!(targets[0].suspended, state);
    assert_eq!((targets[0].min_capacity, targets[0].max_capacity), (1, 4));
}

pub(super) async fn put_then_describe_keeps_absent_absent(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let aws = face.aws();
    assert_eq!(aws.scaling.scaling_policies(Some(&resource)).await, Ok(vec![].into()));
    aws.writes.put_scaling_policy(&put(&resource, "by-hand", 612.5)).await.unwrap();
    let policies = aws.scaling.scaling_policies(Some(&resource)).await.unwrap();
    let [policy] = policies.as_slice() else { panic!("{policies:?}") };
    assert_eq!(policy.resource, resource);
    assert_eq!(policy.name, "by-hand");
    let tracking = policy.invocations_tracking().unwrap();
    assert_eq!(*tracking, put(&resource, "by-hand", 612.5).configuration);
}

/// `DescribeScalingPolicies` has 10 a page.
pub(super) async fn policies_are_paged(face: Arc<dyn Face>) {
    let aws = face.aws();
    let mut expected = BTreeSet::new();
    for n in 0..25 {
        let resource = face.target(&format!("scorer-{n:03}")).await;
        aws.writes.put_scaling_policy(&put(&resource, "p", 600.0)).await.unwrap();
        expected.insert(resource.to_string());
    }
    let policies = aws.scaling.scaling_policies(None).await.unwrap();
    assert_eq!(policies.len(), 25, "none twice");
    assert_eq!(policies.iter().map(|p| p.resource.to_string()).collect::<BTreeSet<_>>(), expected);
}

pub(super) async fn put_on_a_missing_target(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    let error =
        face.aws().writes.put_scaling_policy(&put(&resource, "p", 600.0)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}

pub(super) async fn a_put_replaces_the_whole_and_keeps_the_name(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let aws = face.aws();
    let mut first = put(&resource, "by-hand", 600.0);
    first.configuration.scale_in_cooldown = Some(120);
    first.configuration.scale_out_cooldown = Some(60);
    first.configuration.disable_scale_in = Some(true);
    aws.writes.put_scaling_policy(&first).await.unwrap();

    let mut second = put(&resource, "by-hand", 480.0);
    second.configuration.scale_out_cooldown = Some(30);
    aws.writes.put_scaling_policy(&second).await.unwrap();
    let policies = aws.scaling.scaling_policies(Some(&resource)).await.unwrap();
    let [policy] = policies.as_slice() else { panic!("{policies:?}") };
    assert_eq!(policy.name, "by-hand");
    let tracking = policy.invocations_tracking().unwrap();
    let expected = TargetTracking {
        target_value: 480.0,
        metric: MetricSpec::invocations(),
        scale_out_cooldown: Some(30),
        scale_in_cooldown: None,
        disable_scale_in: None,
    };
    assert!(tracking.equivalent(&expected), "{tracking:?}");
}

pub(super) async fn scheduled_actions(face: Arc<dyn Face>) {
    let resource = face.target("e").await;
    let other = face.target("other").await;
    for resource in [&resource, &other] {
        face.arrange(
            Service::ApplicationAutoScaling,
            "PutScheduledAction",
            json!({
                "ServiceNamespace": "sagemaker",
                "ResourceId": resource.to_string(),
                "ScalableDimension": DIMENSION,
                "ScheduledActionName": "morning",
                "Schedule": "cron(0 8 * * ? *)",
                "Timezone": "Europe/Berlin",
                "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 6},
            }),
        );
    }
    let aws = face.aws();
    let actions = aws.scaling.scheduled_actions(Some(&resource)).await.unwrap();
    let [action] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((action.name.as_str(), &action.resource), ("morning", &resource));
    assert_eq!(action.schedule, "cron(0 8 * * ? *)");
    assert_eq!(action.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!((action.min_capacity, action.max_capacity), (Some(2), Some(6)));
    assert_eq!(aws.scaling.scheduled_actions(None).await.unwrap().len(), 2);
}

/// A registration above the present count scales out, which is an activity.
pub(super) async fn activities_of_a_variant(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    let aws = face.aws();
    assert_eq!(aws.scaling.scaling_activities(&resource).await, Ok(vec![]));
    aws.writes.register_scalable_target(&register(&resource, Some(3), Some(4))).await.unwrap();
    face.pass_time(2);
    let activities = aws.scaling.scaling_activities(&resource).await.unwrap();
    assert!(activities[0].description.contains('3'), "{activities:?}");
    assert!(activities.is_sorted_by_key(|a| std::cmp::Reverse(a.started_at)));
}

/// The ports never send such a token; AWS would send them this error in the midst of a listing.
pub(super) async fn an_unknown_page_token(face: Arc<dyn Face>) {
    let input = json!({"ServiceNamespace": "sagemaker", "NextToken": "nonsense"});
    let result = face.call(Service::ApplicationAutoScaling, "DescribeScalingPolicies", input);
    assert_eq!(result.unwrap_err(), "InvalidNextTokenException");
}

async fn names(face: &Arc<dyn Face>) -> BTreeSet<String> {
    let targets = face.aws().scaling.scalable_targets(None).await.unwrap();
    let all: BTreeSet<String> = targets.iter().map(|t| t.resource.to_string()).collect();
    assert_eq!(all.len(), targets.len(), "none twice");
    assert!(!all.contains(&resource("nowhere").to_string()));
    all
}
