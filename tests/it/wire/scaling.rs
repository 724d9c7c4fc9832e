//! Application Auto Scaling through the real SDK client.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::error::ProvideErrorMetadata as _;
use aws_sdk_applicationautoscaling::types::{
    Alarm, MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension,
    ScalableTargetAction, ServiceNamespace, SuspendedState,
    TargetTrackingScalingPolicyConfiguration,
};
use serde_json::json;
use setpoint::sim::server::Server;

use super::support::{create_endpoints, empty, post, sdk, serve};

const NAMESPACE: ServiceNamespace = ServiceNamespace::Sagemaker;
const DIMENSION: ScalableDimension = ScalableDimension::SageMakerVariantDesiredInstanceCount;

async fn start(endpoints: usize) -> (Server, Client, Vec<String>) {
    let server = serve(empty()).await;
    let resources = create_endpoints(&server.endpoint_url(), endpoints);
    let client = Client::new(&sdk(&server.endpoint_url()));
    (server, client, resources)
}

async fn register(client: &Client, resource: &str) {
    client
        .register_scalable_target()
        .service_namespace(NAMESPACE)
        .resource_id(resource)
        .scalable_dimension(DIMENSION)
        .min_capacity(1)
        .max_capacity(5)
        .tags("owner", "wire")
        .send()
        .await
        .expect("registered");
}

fn tracking(target: f64) -> TargetTrackingScalingPolicyConfiguration {
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::SageMakerVariantInvocationsPerInstance)
        .build()
        .expect("all is set");
    TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(target)
        .predefined_metric_specification(metric)
        .scale_in_cooldown(600)
        .disable_scale_in(true)
        .build()
        .expect("all is set")
}

fn put(
    client: &Client,
    resource: &str,
) -> aws_sdk_applicationautoscaling::operation::put_scaling_policy::builders::PutScalingPolicyFluentBuilder
{
    client
        .put_scaling_policy()
        .policy_name("wire-policy")
        .policy_type(PolicyType::TargetTrackingScaling)
        .service_namespace(NAMESPACE)
        .resource_id(resource)
        .scalable_dimension(DIMENSION)
        .target_tracking_scaling_policy_configuration(tracking(612.5))
}

fn inject(server: &Server, kind: &str, operation: &str) {
    let fault =
        json!({"kind": kind, "operations": [operation], "max_hits": 1, "because": "it must"});
    let answer = post(&server.endpoint_url(), "/_sim/fault", &[], fault.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_and_a_policy_are_read_as_they_were_written() {
    let (server, client, resources) = start(1).await;
    let resource = &resources[0];
    register(&client, resource).await;
    let written = put(&client, resource).send().await.expect("put");
    let alarms: Vec<_> = written.alarms().iter().map(Alarm::alarm_name).collect();
    assert_eq!(alarms.len(), 2, "{alarms:?}");

    let targets = client.describe_scalable_targets().service_namespace(NAMESPACE);
    let targets = targets.resource_ids(resource).send().await.expect("targets");
    let [target] = targets.scalable_targets() else { panic!("{targets:?}") };
    assert_eq!((target.min_capacity(), target.max_capacity()), (1, 5));
    assert_eq!(target.scalable_dimension(), &DIMENSION);
    assert!(target.creation_time().secs() > 1_700_000_000);

    let policies = client.describe_scaling_policies().service_namespace(NAMESPACE);
    let policies = policies.resource_id(resource).send().await.expect("policies");
    let [policy] = policies.scaling_policies() else { panic!("{policies:?}") };
    let expected = tracking(612.5);
    assert_eq!(policy.target_tracking_scaling_policy_configuration(), Some(&expected));
    assert_eq!(policy.policy_arn(), written.policy_arn());
    let described: Vec<_> = policy.alarms().iter().map(Alarm::alarm_name).collect();
    assert_eq!(described, alarms);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_come_ten_a_page_and_targets_fifty() {
    let (server, client, resources) = start(23).await;
    for resource in &resources {
        register(&client, resource).await;
        put(&client, resource).send().await.expect("put");
    }
    let mut pages = Vec::new();
    let mut token = None;
    for _ in 0..10 {
        let page = client.describe_scaling_policies().service_namespace(NAMESPACE);
        let page = page.set_next_token(token).send().await.expect("a page");
        pages.push(page.scaling_policies().len());
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages, [10, 10, 3]);
    let targets = client.describe_scalable_targets().service_namespace(NAMESPACE);
    assert_eq!(targets.send().await.expect("targets").scalable_targets().len(), 23);

    let policies = || client.describe_scaling_policies().service_namespace(NAMESPACE);
    for size in [0, 11] {
        let error = policies().max_results(size).send().await.expect_err("out of range");
        assert!(error.into_service_error().is_validation_exception(), "{size}");
    }
    let error = policies().next_token("nonsense").send().await.expect_err("no such token");
    assert!(error.into_service_error().is_invalid_next_token_exception());
    let targets = client.describe_scalable_targets().service_namespace(NAMESPACE);
    let error = targets.max_results(51).send().await.expect_err("out of range");
    assert!(error.into_service_error().is_validation_exception());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_object_not_found() {
    let (server, client, resources) = start(1).await;
    let resource = &resources[0];
    let error = put(&client, resource).send().await.expect_err("not registered");
    assert!(error.into_service_error().is_object_not_found_exception());
    let deregister = client.deregister_scalable_target().service_namespace(NAMESPACE);
    let deregister = deregister.resource_id(resource).scalable_dimension(DIMENSION);
    let error = deregister.clone().send().await.expect_err("not registered");
    assert!(error.into_service_error().is_object_not_found_exception());

    register(&client, resource).await;
    put(&client, resource).send().await.expect("put");
    deregister.send().await.expect("deregistered");
    let policies = client.describe_scaling_policies().service_namespace(NAMESPACE);
    let policies = policies.resource_id(resource).send().await.expect("policies");
    assert_eq!(policies.scaling_policies().len(), 0, "they go with the target");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn injected_errors_are_the_types_the_sdk_knows() {
    let (server, client, resources) = start(1).await;
    let resource = &resources[0];
    register(&client, resource).await;
    inject(&server, "conflict", "PutScalingPolicy");
    let error = put(&client, resource).send().await.expect_err("conflict").into_service_error();
    assert!(error.is_concurrent_update_exception(), "{error:?}");
    inject(&server, "quota", "PutScalingPolicy");
    let error = put(&client, resource).send().await.expect_err("quota").into_service_error();
    assert!(error.is_limit_exceeded_exception(), "{error:?}");
    inject(&server, "alarms_unreadable", "PutScalingPolicy");
    let error = put(&client, resource).send().await.expect_err("alarms").into_service_error();
    assert!(error.is_failed_resource_access_exception(), "{error:?}");
    inject(&server, "transient", "PutScalingPolicy");
    let error = put(&client, resource).send().await.expect_err("500").into_service_error();
    assert!(error.is_internal_service_exception(), "{error:?}");
    inject(&server, "throttle", "PutScalingPolicy");
    let error = put(&client, resource).send().await.expect_err("throttled").into_service_error();
    assert_eq!(error.code(), Some("ThrottlingException"));
    assert_eq!(error.message(), Some("Rate exceeded"));
    put(&client, resource).send().await.expect("all hits are used up");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scheduled_actions_suspension_and_tags_survive_the_wire() {
    let (server, client, resources) = start(1).await;
    let resource = &resources[0];
    register(&client, resource).await;
    let action = ScalableTargetAction::builder().min_capacity(2).max_capacity(9).build();
    let schedule = client.put_scheduled_action().service_namespace(NAMESPACE);
    let schedule = schedule.resource_id(resource).scalable_dimension(DIMENSION);
    let schedule = schedule.scheduled_action_name("morning").schedule("cron(0 6 * * ? *)");
    let schedule = schedule.timezone("Europe/Berlin").scalable_target_action(action.clone());
    schedule.send().await.expect("scheduled");
    let actions = client.describe_scheduled_actions().service_namespace(NAMESPACE);
    let actions = actions.resource_id(resource).send().await.expect("actions");
    let [found] = actions.scheduled_actions() else { panic!("{actions:?}") };
    assert_eq!(found.scalable_target_action(), Some(&action));
    assert_eq!(found.timezone(), Some("Europe/Berlin"));

    let suspended = SuspendedState::builder().dynamic_scaling_in_suspended(true).build();
    let update = client.register_scalable_target().service_namespace(NAMESPACE);
    let update = update.resource_id(resource).scalable_dimension(DIMENSION);
    let arn = update.suspended_state(suspended).send().await.expect("updated");
    let targets = client.describe_scalable_targets().service_namespace(NAMESPACE);
    let targets = targets.resource_ids(resource).send().await.expect("targets");
    let state = targets.scalable_targets()[0].suspended_state().expect("a state");
    assert_eq!(state.dynamic_scaling_in_suspended(), Some(true));
    assert_eq!(state.dynamic_scaling_out_suspended(), Some(false));

    let arn = arn.scalable_target_arn().expect("an ARN");
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
    assert_eq!(tags.tags().expect("tags")["owner"], "wire");
    let activities = client.describe_scaling_activities().service_namespace(NAMESPACE);
    let activities = activities.resource_id(resource).scalable_dimension(DIMENSION);
    activities.include_not_scaled_activities(true).send().await.expect("activities");
    server.stop().await;
}
