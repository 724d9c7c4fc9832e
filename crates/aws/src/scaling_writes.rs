//! Application Auto Scaling, writing: one attempt each, for the next pass is the retry (rule 23).

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::error::ProvideErrorMetadata;
use aws_sdk_applicationautoscaling::primitives::DateTime;
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTargetAction,
    ServiceNamespace, TargetTrackingScalingPolicyConfiguration,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::call::{Call, Caller};
use super::convert;
use super::error::Failure;
use setpoint_core::model::checks;
use setpoint_core::model::scaling::{MetricSpec, TargetTracking};
use setpoint_core::ports::{
    ErrorKind, PortError, PortResult, PutScalingPolicy, PutScheduledAction, RegisterScalableTarget,
    ScalingWrites, Service, TagTarget,
};

const PUT_POLICY: Call = Call::new(Service::ApplicationAutoScaling, "PutScalingPolicy");
const REGISTER_TARGET: Call = Call::new(Service::ApplicationAutoScaling, "RegisterScalableTarget");
const PUT_SCHEDULED_ACTION: Call = Call::new(Service::ApplicationAutoScaling, "PutScheduledAction");
const TAG_TARGET: Call = Call::new(Service::ApplicationAutoScaling, "TagResource");

pub(super) struct SdkScalingWrites {
    client: Client,
    caller: Arc<Caller>,
}

impl SdkScalingWrites {
    /// The client must have its retries off and a short time-out.
    pub(super) fn new(client: Client, caller: Arc<Caller>) -> Self {
        Self { client, caller }
    }
}

#[async_trait]
impl ScalingWrites for SdkScalingWrites {
    async fn put_scaling_policy(&self, put: &PutScalingPolicy) -> PortResult<()> {
        let configuration = configuration(&put.configuration).map_err(|message| PortError {
            kind: ErrorKind::Invalid,
            service: PUT_POLICY.service,
            operation: PUT_POLICY.operation,
            code: None,
            message,
        })?;
        let request = self
            .client
            .put_scaling_policy()
            .service_namespace(ServiceNamespace::Sagemaker)
            .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount)
            .resource_id(put.resource.to_string())
            .policy_name(&put.policy_name)
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(configuration);
        self.caller.write(PUT_POLICY, async { sent(request.send().await) }).await
    }

    async fn register_scalable_target(&self, register: &RegisterScalableTarget) -> PortResult<()> {
        let request = self
            .client
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Sagemaker)
            .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount)
            .resource_id(register.resource.to_string())
            .set_min_capacity(register.min_capacity)
            .set_max_capacity(register.max_capacity)
            .set_suspended_state(register.suspended.map(convert::suspended_to_aws));
        self.caller.write(REGISTER_TARGET, async { sent(request.send().await) }).await
    }

    async fn put_scheduled_action(&self, put: &PutScheduledAction) -> PortResult<()> {
        let floor = &put.floor;
        let sets = ScalableTargetAction::builder().min_capacity(floor.min).build();
        let request = self
            .client
            .put_scheduled_action()
            .service_namespace(ServiceNamespace::Sagemaker)
            .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount)
            .resource_id(put.resource.to_string())
            .scheduled_action_name(&floor.name)
            .schedule(&floor.schedule)
            .timezone(&floor.time_zone)
            .set_end_time(floor.ends_at.map(|end| DateTime::from_secs(end.timestamp())))
            .scalable_target_action(sets);
        self.caller.write(PUT_SCHEDULED_ACTION, async { sent(request.send().await) }).await
    }

    async fn tag_target(&self, tag: &TagTarget) -> PortResult<()> {
        let request = self
            .client
            .tag_resource()
            .resource_arn(&tag.target_arn)
            .set_tags(Some(tag.tags.clone().into_iter().collect()));
        self.caller.write(TAG_TARGET, async { sent(request.send().await) }).await
    }
}

/// The answer to a write: what AWS answers on success says nothing that a read-back does not.
fn sent<T, E>(answer: Result<T, SdkError<E, HttpResponse>>) -> Result<(), Failure>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    answer.map(drop).map_err(|error| Failure::of(Service::ApplicationAutoScaling, &error))
}

/// The whole configuration, as it will replace what AWS has: what is absent stays absent.
fn configuration(
    tracking: &TargetTracking,
) -> Result<TargetTrackingScalingPolicyConfiguration, String> {
    checks::target_value(tracking.target_value)?;
    let MetricSpec::Predefined { metric_type, resource_label } = &tracking.metric else {
        // The model keeps only a summary of those: sending one would lose what it summarises.
        return Err(format!("a policy on {} cannot be written", tracking.metric.summary()));
    };
    let predefined = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::from(metric_type.as_str()))
        .set_resource_label(resource_label.clone())
        .build()
        .map_err(|error| error.to_string())?;
    TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(tracking.target_value)
        .predefined_metric_specification(predefined)
        .set_scale_out_cooldown(tracking.scale_out_cooldown)
        .set_scale_in_cooldown(tracking.scale_in_cooldown)
        .set_disable_scale_in(tracking.disable_scale_in)
        .build()
        .map_err(|error| error.to_string())
}
