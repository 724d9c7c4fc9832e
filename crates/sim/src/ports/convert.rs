//! AWS's records and the model's, both ways.

use chrono::DateTime;

use crate::api::{as_json, cloudtrail as ct, cloudwatch as cw, sagemaker as sm, scaling as aas};
use setpoint_core::model::checks;
use setpoint_core::model::deploy_hashes;
use setpoint_core::model::endpoint::{
    ConfigVariant, CrossRegionCap, Endpoint, EndpointConfig, EndpointStatus, EndpointSummary,
    Model, Routing, VariantSummary,
};
use setpoint_core::model::ids::{EndpointName, ResourceId, VariantName};
use setpoint_core::model::listing::Unreadable;
use setpoint_core::model::per_instance::InstanceId;
use setpoint_core::model::scaling::{
    Activity, ActivityStatus, Alarm, AlarmState, DIMENSION, MetricSpec, NotScaledReason,
    PolicyKind, ScalableTarget, ScalingPolicy, ScheduledAction, SuspendedState, TargetTracking,
};
use setpoint_core::model::time::Timestamp;
use setpoint_core::model::trail::TrailEvent;
use setpoint_core::ports::{
    ErrorKind, MetricQuery, PortError, PortResult, PutScalingPolicy, PutScheduledAction,
    RegisterScalableTarget, Service,
};

/// A row of a listing that passes the checks that AWS's rows pass.
fn row<T>(
    id: &str,
    read: impl FnOnce(ResourceId) -> T,
    check: impl FnOnce(&T) -> Result<(), String>,
) -> Result<T, Unreadable> {
    let resource: ResourceId = id
        .parse()
        .map_err(|_| Unreadable::nameless(format!("{id:?} is the name of no variant")))?;
    let about = resource.to_string();
    let read = read(resource);
    check(&read).map(|()| read).map_err(|why| Unreadable::of(about, why))
}

pub(super) fn target(t: aas::ScalableTarget) -> Result<ScalableTarget, Unreadable> {
    let id = t.resource_id.clone();
    let read = |resource| ScalableTarget {
        resource,
        min_capacity: t.min_capacity,
        max_capacity: t.max_capacity,
        suspended: SuspendedState {
            scale_in: t.suspended_state.dynamic_scaling_in_suspended.unwrap_or(false),
            scale_out: t.suspended_state.dynamic_scaling_out_suspended.unwrap_or(false),
            scheduled: t.suspended_state.scheduled_scaling_suspended.unwrap_or(false),
        },
        arn: t.scalable_target_arn,
        created_at: Some(t.creation_time),
    };
    row(&id, read, checks::target)
}

pub(super) fn policy(p: aas::ScalingPolicy) -> Result<ScalingPolicy, Unreadable> {
    let kind = match (p.policy_type.as_str(), p.target_tracking_scaling_policy_configuration) {
        ("TargetTrackingScaling", Some(tracking)) => {
            PolicyKind::TargetTracking(tracking_of(tracking))
        }
        ("StepScaling", _) => PolicyKind::Step,
        (other, _) => PolicyKind::Other(other.to_owned()),
    };
    let id = p.resource_id.clone();
    let read = |resource| ScalingPolicy {
        resource,
        name: p.policy_name,
        arn: Some(p.policy_arn),
        kind,
        alarm_names: Some(p.alarms.into_iter().map(|a| a.alarm_name.into()).collect()),
        created_at: Some(p.creation_time),
    };
    row(&id, read, checks::policy)
}

fn tracking_of(t: aas::TargetTrackingConfiguration) -> TargetTracking {
    let metric = match (t.predefined_metric_specification, t.customized_metric_specification) {
        (Some(spec), _) => MetricSpec::Predefined {
            metric_type: spec.predefined_metric_type,
            resource_label: spec.resource_label,
        },
        (None, Some(spec)) => MetricSpec::Customized(summary(&spec)),
        (None, None) => MetricSpec::Unknown,
    };
    TargetTracking {
        target_value: t.target_value,
        metric,
        scale_out_cooldown: t.scale_out_cooldown,
        scale_in_cooldown: t.scale_in_cooldown,
        disable_scale_in: t.disable_scale_in,
    }
}

fn summary(spec: &serde_json::Value) -> String {
    let text = |key: &str| spec.get(key).and_then(serde_json::Value::as_str).unwrap_or("?");
    if spec.get("Metrics").is_some() {
        return "metric math".to_owned();
    }
    format!("{} {} {}", text("Namespace"), text("MetricName"), text("Statistic"))
}

pub(super) fn action(a: aas::ScheduledAction) -> Result<ScheduledAction, Unreadable> {
    let id = a.resource_id.clone();
    let read = |resource| ScheduledAction {
        resource,
        name: a.scheduled_action_name,
        schedule: a.schedule,
        timezone: a.timezone,
        min_capacity: a.scalable_target_action.min_capacity,
        max_capacity: a.scalable_target_action.max_capacity,
        starts_at: a.start_time,
        ends_at: a.end_time,
        created_at: Some(a.creation_time),
    };
    row(&id, read, checks::scheduled_action)
}

pub(super) fn activity(a: aas::ScalingActivity) -> Activity {
    let status = match a.status_code.as_str() {
        "Pending" => ActivityStatus::Pending,
        "InProgress" => ActivityStatus::InProgress,
        "Successful" => ActivityStatus::Successful,
        "Overridden" => ActivityStatus::Overridden,
        "Unfulfilled" => ActivityStatus::Unfulfilled,
        "Failed" => ActivityStatus::Failed,
        other => ActivityStatus::Other(other.to_owned()),
    };
    let reason = |r: aas::NotScaledReason| NotScaledReason {
        code: r.code,
        max_capacity: r.max_capacity,
        min_capacity: r.min_capacity,
        current_capacity: r.current_capacity,
    };
    Activity {
        id: a.activity_id,
        status,
        started_at: a.start_time,
        ended_at: a.end_time,
        description: a.description,
        cause: a.cause,
        message: a.status_message,
        not_scaled_reasons: a.not_scaled_reasons.into_iter().flatten().map(reason).collect(),
    }
}

pub(super) fn put_policy(put: &PutScalingPolicy) -> PortResult<aas::PutScalingPolicyInput> {
    let c = &put.configuration;
    let MetricSpec::Predefined { metric_type, resource_label } = &c.metric else {
        return Err(PortError {
            kind: ErrorKind::Invalid,
            service: Service::ApplicationAutoScaling,
            operation: "PutScalingPolicy",
            code: None,
            message: format!("a policy on {} is never written", c.metric.summary()),
        });
    };
    Ok(aas::PutScalingPolicyInput {
        policy_name: put.policy_name.clone(),
        service_namespace: super::namespace(),
        resource_id: put.resource.to_string(),
        scalable_dimension: DIMENSION.to_owned(),
        policy_type: Some("TargetTrackingScaling".to_owned()),
        step_scaling_policy_configuration: None,
        target_tracking_scaling_policy_configuration: Some(aas::TargetTrackingConfiguration {
            target_value: c.target_value,
            predefined_metric_specification: Some(aas::PredefinedMetricSpecification {
                predefined_metric_type: metric_type.clone(),
                resource_label: resource_label.clone(),
            }),
            customized_metric_specification: None,
            scale_out_cooldown: c.scale_out_cooldown,
            scale_in_cooldown: c.scale_in_cooldown,
            disable_scale_in: c.disable_scale_in,
        }),
    })
}

pub(super) fn register(r: &RegisterScalableTarget) -> aas::RegisterScalableTargetInput {
    aas::RegisterScalableTargetInput {
        service_namespace: super::namespace(),
        resource_id: r.resource.to_string(),
        scalable_dimension: DIMENSION.to_owned(),
        min_capacity: r.min_capacity,
        max_capacity: r.max_capacity,
        role_arn: None,
        suspended_state: r.suspended.map(|s| aas::SuspendedState {
            dynamic_scaling_in_suspended: Some(s.scale_in),
            dynamic_scaling_out_suspended: Some(s.scale_out),
            scheduled_scaling_suspended: Some(s.scheduled),
        }),
        tags: None,
    }
}

pub(super) fn put_scheduled_action(put: &PutScheduledAction) -> aas::PutScheduledActionInput {
    let floor = put.floor.clone();
    aas::PutScheduledActionInput {
        service_namespace: super::namespace(),
        schedule: Some(floor.schedule),
        timezone: Some(floor.time_zone),
        scheduled_action_name: floor.name,
        resource_id: put.resource.to_string(),
        scalable_dimension: DIMENSION.to_owned(),
        start_time: None,
        end_time: floor.ends_at,
        scalable_target_action: Some(aas::ScalableTargetAction {
            min_capacity: Some(floor.min),
            max_capacity: None,
        }),
    }
}

pub(super) fn endpoint_summary(e: sm::EndpointSummary) -> Result<EndpointSummary, Unreadable> {
    let name = EndpointName::new(e.endpoint_name);
    Ok(EndpointSummary {
        name: name.map_err(|error| Unreadable::nameless(error.to_string()))?,
        status: EndpointStatus::parse(&e.endpoint_status),
        created_at: e.creation_time,
        modified_at: e.last_modified_time,
    })
}

pub(super) fn endpoint(e: sm::DescribeEndpointOutput) -> Option<Endpoint> {
    let pending = e.pending_deployment_summary;
    let shadows = e.shadow_production_variants.into_iter().flatten();
    Some(Endpoint {
        name: EndpointName::new(e.endpoint_name).ok()?,
        status: EndpointStatus::parse(&e.endpoint_status),
        config_name: e.endpoint_config_name,
        created_at: e.creation_time,
        modified_at: e.last_modified_time,
        variants: e.production_variants.into_iter().filter_map(variant).collect(),
        shadow_variants: shadows.filter_map(|v| VariantName::new(v.variant_name).ok()).collect(),
        deploy_in_progress: pending.is_some(),
        pending_config_name: pending.map(|p| p.endpoint_config_name),
        asynchronous: e.async_inference_config.is_some(),
        failure_reason: e.failure_reason,
        cross_region: e.cross_region_traffic_config.as_ref().and_then(|cap| {
            let number = |key: &str| u32::try_from(cap.get(key)?.as_u64()?).ok();
            Some(CrossRegionCap {
                invocations_per_second_per_instance: number("MaxInvocationsPerSecondPerInstance")?,
                percent: number("MaxCrossRegionPercentPerEndpoint")?,
            })
        }),
    })
}

fn variant(v: sm::ProductionVariantSummary) -> Option<VariantSummary> {
    let count = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
    Some(VariantSummary {
        name: VariantName::new(v.variant_name).ok()?,
        current_instances: count(v.current_instance_count),
        desired_instances: count(v.desired_instance_count),
        images: v.deployed_images.into_iter().map(|image| image.resolved_image).collect(),
        serverless: v.current_serverless_config.is_some(),
        instance_pools: false,
        managed_instance_scaling: v.managed_instance_scaling.is_some(),
        statuses: v.variant_status.into_iter().flatten().map(|s| s.status).collect(),
    })
}

pub(super) fn endpoint_config(c: sm::DescribeEndpointConfigOutput) -> EndpointConfig {
    let metrics = c.metrics_config.as_ref();
    let enhanced = metrics.and_then(|m| m.get("EnableEnhancedMetrics")?.as_bool()).unwrap_or(false);
    let frequency = |m: &serde_json::Value| {
        u32::try_from(m.get("MetricPublishFrequencyInSeconds")?.as_u64()?).ok()
    };
    let period = metrics.filter(|_| enhanced).map(|m| frequency(m).unwrap_or(60));
    let answer = as_json(&c);
    let variant = |v: sm::ProductionVariant| {
        let own = as_json(&v);
        let routing = v.routing_config.as_ref().and_then(|r| r.get("RoutingStrategy")?.as_str());
        Some(ConfigVariant {
            routing: routing.map(Routing::parse),
            deploy_hash: deploy_hashes::of_variant(&answer, &own),
            name: VariantName::new(v.variant_name).ok()?,
            model_name: v.model_name,
            instance_type: v.instance_type,
            serverless: v.serverless_config.is_some(),
            instance_pools: v.instance_pools.is_some(),
            managed_instance_scaling: v.managed_instance_scaling.is_some(),
        })
    };
    EndpointConfig {
        name: c.endpoint_config_name,
        created_at: c.creation_time,
        variants: c.production_variants.into_iter().filter_map(variant).collect(),
        asynchronous: c.async_inference_config.is_some(),
        metric_period_seconds: period,
    }
}

pub(super) fn model(m: sm::DescribeModelOutput) -> Model {
    let answer = as_json(&m);
    let all: Vec<_> =
        m.primary_container.into_iter().chain(m.containers.into_iter().flatten()).collect();
    Model {
        deploy_hash: deploy_hashes::of_model(&answer),
        name: m.model_name,
        containers: all.len(),
        multi_model: all.iter().any(|c| c.mode.as_deref() == Some("MultiModel")),
    }
}

pub(super) fn metric_data(
    queries: &[MetricQuery],
    from: Timestamp,
    to: Timestamp,
) -> cw::GetMetricDataInput {
    let dimension =
        |name: &str, value: &str| cw::Dimension { name: name.to_owned(), value: value.to_owned() };
    let of = |q: &MetricQuery| {
        let own = q.instance.as_ref().map(|id| dimension("InstanceId", id.as_str()));
        [
            dimension("EndpointName", q.resource.endpoint.as_str()),
            dimension("VariantName", q.resource.variant.as_str()),
        ]
        .into_iter()
        .chain(own)
        .collect()
    };
    let query = |(i, q): (usize, &MetricQuery)| cw::MetricDataQuery {
        id: format!("q{i}"),
        metric_stat: Some(cw::MetricStat {
            metric: cw::Metric {
                namespace: "AWS/SageMaker".to_owned(),
                metric_name: q.metric.name().to_owned(),
                dimensions: of(q),
            },
            period: q.period_seconds.cast_signed(),
            stat: q.metric.statistic().to_owned(),
            unit: None,
        }),
        ..Default::default()
    };
    cw::GetMetricDataInput {
        metric_data_queries: queries.iter().enumerate().map(query).collect(),
        start_time: from,
        end_time: to,
        next_token: None,
        scan_by: Some("TimestampAscending".to_owned()),
        max_datapoints: None,
    }
}

/// `ListMetrics` of the invocations of each instance.
pub(super) fn instances_of(of: &ResourceId, next_token: Option<String>) -> cw::ListMetricsInput {
    let filter = |name: &str, value: Option<&str>| cw::DimensionFilter {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    cw::ListMetricsInput {
        namespace: Some("AWS/SageMaker".to_owned()),
        metric_name: Some("Invocations".to_owned()),
        dimensions: vec![
            filter("EndpointName", Some(of.endpoint.as_str())),
            filter("VariantName", Some(of.variant.as_str())),
            filter("InstanceId", None),
        ],
        recently_active: Some("PT3H".to_owned()),
        next_token,
    }
}

/// The instance that a listed metric is of.
pub(super) fn instance(metric: &cw::Metric) -> Option<InstanceId> {
    let own = metric.dimensions.iter().find(|dimension| dimension.name == "InstanceId")?;
    InstanceId::new(&own.value).filter(|_| metric.dimensions.len() == 3)
}

pub(super) fn alarm(a: cw::MetricAlarm) -> Result<Alarm, Unreadable> {
    let read = Alarm {
        state: match a.state_value.as_str() {
            "OK" => AlarmState::Ok,
            "ALARM" => AlarmState::Alarm,
            "INSUFFICIENT_DATA" => AlarmState::InsufficientData,
            _ => AlarmState::Unknown,
        },
        name: a.alarm_name.into(),
        actions_enabled: a.actions_enabled,
        threshold: a.threshold,
        state_since: Some(a.state_updated_timestamp),
    };
    let about = read.resource().map(|resource| resource.to_string());
    checks::alarm(&read).map(|()| read).map_err(|why| Unreadable { about, why })
}

pub(super) fn trail_event(event: &ct::Event) -> Option<TrailEvent> {
    let whole: serde_json::Value = serde_json::from_str(&event.cloud_trail_event).ok()?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    Some(TrailEvent {
        at: DateTime::from_timestamp(event.event_time.timestamp(), 0)?,
        operation: event.event_name.clone(),
        resource: text(&whole["requestParameters"]["resourceId"]),
        actor: text(&whole["userIdentity"]["arn"])?,
        source: text(&whole["sourceIPAddress"]),
        refused: whole["errorCode"].is_string(),
    })
}
