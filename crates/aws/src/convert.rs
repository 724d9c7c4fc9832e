//! The SDK's Application Auto Scaling and CloudWatch types to the model's, and back.
//!
//! The SDK puts a zero, an empty string or the epoch where AWS left out a required member; where
//! the model can say "absent", that is what becomes of it here.

use aws_sdk_applicationautoscaling::types as aas;
use aws_sdk_cloudwatch::types as cw;
use aws_smithy_types::DateTime;
use chrono::TimeZone as _;

use setpoint_core::model::checks;
use setpoint_core::model::ids::ResourceId;
use setpoint_core::model::listing::Unreadable;
use setpoint_core::model::scaling::{
    Activity, ActivityStatus, Alarm, AlarmState, DIMENSION, MetricSpec, NotScaledReason,
    PolicyKind, ScalableTarget, ScalingPolicy, ScheduledAction, SuspendedState, TargetTracking,
};
use setpoint_core::model::time::Timestamp;

/// An instant; none when it lies outside what the model can hold.
pub(super) fn timestamp(at: &DateTime) -> Option<Timestamp> {
    chrono::Utc.timestamp_opt(at.secs(), at.subsec_nanos()).single()
}

/// An instant that AWS must state; the epoch is what the SDK puts when it did not.
fn stated(at: &DateTime) -> Option<Timestamp> {
    if at.secs() == 0 { None } else { timestamp(at) }
}

/// A row of a listing; none when it is about another dimension.
type Row<T> = Option<Result<T, Unreadable>>;

/// A row about a variant: its name is read, and what became of it checked.
fn row<T>(
    dimension: &aas::ScalableDimension,
    id: &str,
    read: impl FnOnce(ResourceId) -> T,
    check: impl FnOnce(&T) -> Result<(), String>,
) -> Row<T> {
    if dimension.as_str() != DIMENSION {
        return None;
    }
    let Ok(resource) = id.parse::<ResourceId>() else {
        let why = format!("{:?} is the name of no variant", checks::text(id));
        return Some(Err(Unreadable::nameless(why)));
    };
    let about = resource.to_string();
    let read = read(resource);
    Some(match check(&read) {
        Ok(()) => Ok(read),
        Err(why) => Err(Unreadable::of(about, why)),
    })
}

pub(super) fn scalable_target(target: aas::ScalableTarget) -> Row<ScalableTarget> {
    let (dimension, id) = (target.scalable_dimension, target.resource_id);
    let read = |resource| ScalableTarget {
        resource,
        min_capacity: target.min_capacity,
        max_capacity: target.max_capacity,
        suspended: target.suspended_state.as_ref().map(suspended).unwrap_or_default(),
        arn: target.scalable_target_arn,
        created_at: stated(&target.creation_time),
    };
    row(&dimension, &id, read, checks::target)
}

fn suspended(state: &aas::SuspendedState) -> SuspendedState {
    SuspendedState {
        scale_in: state.dynamic_scaling_in_suspended.unwrap_or(false),
        scale_out: state.dynamic_scaling_out_suspended.unwrap_or(false),
        scheduled: state.scheduled_scaling_suspended.unwrap_or(false),
    }
}

pub(super) fn suspended_to_aws(state: SuspendedState) -> aas::SuspendedState {
    aas::SuspendedState::builder()
        .dynamic_scaling_in_suspended(state.scale_in)
        .dynamic_scaling_out_suspended(state.scale_out)
        .scheduled_scaling_suspended(state.scheduled)
        .build()
}

pub(super) fn scaling_policy(policy: aas::ScalingPolicy) -> Row<ScalingPolicy> {
    let (dimension, id) = (policy.scalable_dimension, policy.resource_id);
    let word = policy.policy_type.as_str().to_owned();
    let kind =
        match (policy.policy_type, policy.target_tracking_scaling_policy_configuration.as_ref()) {
            (aas::PolicyType::TargetTrackingScaling, Some(configuration)) => {
                PolicyKind::TargetTracking(target_tracking(configuration))
            }
            (aas::PolicyType::StepScaling, _) => PolicyKind::Step,
            _ => PolicyKind::Other(checks::text(&word)),
        };
    let name = policy.policy_name;
    let named = format!("the policy {:?}", checks::text(&name));
    let read = |resource| ScalingPolicy {
        resource,
        name,
        arn: Some(policy.policy_arn).filter(|arn| !arn.is_empty()),
        kind,
        alarm_names: policy
            .alarms
            .map(|alarms| fitting(alarms.into_iter().map(|alarm| alarm.alarm_name.into()))),
        created_at: stated(&policy.creation_time),
    };
    let check =
        |policy: &ScalingPolicy| checks::policy(policy).map_err(|why| format!("{named}: {why}"));
    row(&dimension, &id, read, check)
}

/// What is collected in the place of an answer, or without knowing how many there are, keeps all of its room,
/// and this stays: there are thousands.
pub(super) fn fitting<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.shrink_to_fit();
    items
}

fn target_tracking(
    configuration: &aas::TargetTrackingScalingPolicyConfiguration,
) -> TargetTracking {
    TargetTracking {
        target_value: configuration.target_value,
        metric: metric_spec(configuration),
        scale_out_cooldown: configuration.scale_out_cooldown,
        scale_in_cooldown: configuration.scale_in_cooldown,
        disable_scale_in: configuration.disable_scale_in,
    }
}

fn metric_spec(configuration: &aas::TargetTrackingScalingPolicyConfiguration) -> MetricSpec {
    match (
        &configuration.predefined_metric_specification,
        &configuration.customized_metric_specification,
    ) {
        (Some(predefined), None) => MetricSpec::Predefined {
            metric_type: predefined.predefined_metric_type.as_str().to_owned(),
            resource_label: predefined.resource_label.clone(),
        },
        (None, Some(customized)) => {
            MetricSpec::Customized(checks::text(&customized_summary(customized)))
        }
        _ => MetricSpec::Unknown,
    }
}

/// A customised metric as people read it: `Average CPUUtilization in /aws/sagemaker/Endpoints
/// {EndpointName=e, VariantName=v}`, or the expressions of metric math.
fn customized_summary(spec: &aas::CustomizedMetricSpecification) -> String {
    if let Some(metrics) = &spec.metrics {
        let parts: Vec<String> = metrics.iter().map(math_part).collect();
        return format!("metric math [{}]", parts.join("; "));
    }
    let statistic = spec.statistic.as_ref().map_or("?", aas::MetricStatistic::as_str);
    let name = spec.metric_name.as_deref().unwrap_or("?");
    let namespace = spec.namespace.as_deref().unwrap_or("?");
    let dimensions: Vec<String> =
        spec.dimensions().iter().map(|d| format!("{}={}", d.name, d.value)).collect();
    let unit = spec.unit.as_ref().map(|unit| format!(" in {unit}")).unwrap_or_default();
    format!("{statistic} of {namespace} {name} {{{}}}{unit}", dimensions.join(", "))
}

fn math_part(query: &aas::TargetTrackingMetricDataQuery) -> String {
    let returned = if query.return_data == Some(false) { "" } else { " (tracked)" };
    let what = match (&query.expression, &query.metric_stat) {
        (Some(expression), _) => expression.clone(),
        (None, Some(stat)) => {
            let metric = stat.metric.as_ref();
            let part = |text: Option<&str>| text.unwrap_or("?").to_owned();
            let namespace = part(metric.and_then(|m| m.namespace.as_deref()));
            let name = part(metric.and_then(|m| m.metric_name.as_deref()));
            format!("{} of {namespace} {name}", stat.stat)
        }
        (None, None) => "?".to_owned(),
    };
    format!("{} = {what}{returned}", query.id)
}

pub(super) fn scheduled_action(action: aas::ScheduledAction) -> Row<ScheduledAction> {
    let (dimension, id) = (action.scalable_dimension?, action.resource_id);
    let capacity = action.scalable_target_action.as_ref();
    let named = format!("the scheduled action {:?}", checks::text(&action.scheduled_action_name));
    let read = |resource| ScheduledAction {
        resource,
        min_capacity: capacity.and_then(|c| c.min_capacity),
        max_capacity: capacity.and_then(|c| c.max_capacity),
        name: action.scheduled_action_name,
        schedule: action.schedule,
        timezone: action.timezone,
        starts_at: action.start_time.as_ref().and_then(timestamp),
        ends_at: action.end_time.as_ref().and_then(timestamp),
        created_at: timestamp(&action.creation_time),
    };
    let check = |action: &ScheduledAction| {
        checks::scheduled_action(action).map_err(|why| format!("{named}: {why}"))
    };
    row(&dimension, &id, read, check)
}

/// None when AWS did not say when it began, for nothing can be done with such an activity.
pub(super) fn activity(activity: aas::ScalingActivity) -> Option<Activity> {
    let started_at = stated(&activity.start_time)?;
    Some(Activity {
        id: activity.activity_id,
        status: activity_status(&activity.status_code),
        started_at,
        ended_at: activity.end_time.as_ref().and_then(timestamp),
        description: checks::text(&activity.description),
        cause: checks::text(&activity.cause),
        message: activity.status_message.as_deref().map(checks::text),
        not_scaled_reasons: activity
            .not_scaled_reasons
            .into_iter()
            .flatten()
            .map(|reason| NotScaledReason {
                code: checks::text(&reason.code),
                max_capacity: reason.max_capacity,
                min_capacity: reason.min_capacity,
                current_capacity: reason.current_capacity,
            })
            .collect(),
    })
}

fn activity_status(code: &aas::ScalingActivityStatusCode) -> ActivityStatus {
    use aas::ScalingActivityStatusCode as Code;
    match code {
        Code::Pending => ActivityStatus::Pending,
        Code::InProgress => ActivityStatus::InProgress,
        Code::Successful => ActivityStatus::Successful,
        Code::Overridden => ActivityStatus::Overridden,
        Code::Unfulfilled => ActivityStatus::Unfulfilled,
        Code::Failed => ActivityStatus::Failed,
        other => ActivityStatus::Other(other.as_str().to_owned()),
    }
}

pub(super) fn alarm(alarm: cw::MetricAlarm) -> Result<Alarm, Unreadable> {
    let Some(name) = alarm.alarm_name else {
        return Err(Unreadable::nameless("an alarm without a name"));
    };
    let read = Alarm {
        name: name.into(),
        state: match alarm.state_value {
            Some(cw::StateValue::Ok) => AlarmState::Ok,
            Some(cw::StateValue::Alarm) => AlarmState::Alarm,
            Some(cw::StateValue::InsufficientData) => AlarmState::InsufficientData,
            _ => AlarmState::Unknown,
        },
        // AWS's default where it says nothing (PutMetricAlarm, ActionsEnabled).
        actions_enabled: alarm.actions_enabled.unwrap_or(true),
        threshold: alarm.threshold,
        state_since: alarm
            .state_transitioned_timestamp
            .or(alarm.state_updated_timestamp)
            .as_ref()
            .and_then(timestamp),
    };
    match checks::alarm(&read) {
        Ok(()) => Ok(read),
        Err(why) => {
            let about = read.resource().map(|resource| resource.to_string());
            Err(Unreadable { about, why: format!("the alarm {}: {why}", checks::text(&read.name)) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_are_kept() {
        assert_eq!(activity_status(&"Paused".into()), ActivityStatus::Other("Paused".to_owned()));
        let other = aas::ScalableDimension::from("sagemaker:variant:DesiredThing");
        assert_eq!(row(&other, "endpoint/e/variant/v", |r| r, |_| Ok(())), None);
    }

    #[test]
    fn what_the_sdk_made_up_is_absent() {
        assert_eq!(stated(&DateTime::from_secs(0)), None);
        assert_eq!(timestamp(&DateTime::from_secs(i64::MAX)), None);
    }

    #[test]
    fn customised_metrics_are_readable() {
        let cpu = aas::CustomizedMetricSpecification::builder()
            .metric_name("CPUUtilization")
            .namespace("/aws/sagemaker/Endpoints")
            .statistic(aas::MetricStatistic::Average)
            .dimensions(
                aas::MetricDimension::builder().name("EndpointName").value("e").build().unwrap(),
            )
            .build();
        assert_eq!(
            customized_summary(&cpu),
            "Average of /aws/sagemaker/Endpoints CPUUtilization {EndpointName=e}"
        );
        let math = aas::CustomizedMetricSpecification::builder()
            .metrics(
                aas::TargetTrackingMetricDataQuery::builder()
                    .id("m1")
                    .metric_stat(
                        aas::TargetTrackingMetricStat::builder()
                            .stat("Sum")
                            .metric(
                                aas::TargetTrackingMetric::builder()
                                    .namespace("AWS/SageMaker")
                                    .metric_name("Invocations")
                                    .build(),
                            )
                            .build()
                            .unwrap(),
                    )
                    .return_data(false)
                    .build()
                    .unwrap(),
            )
            .metrics(
                aas::TargetTrackingMetricDataQuery::builder()
                    .id("e1")
                    .expression("FILL(m1,REPEAT)")
                    .build()
                    .unwrap(),
            )
            .build();
        assert_eq!(
            customized_summary(&math),
            "metric math [m1 = Sum of AWS/SageMaker Invocations; e1 = FILL(m1,REPEAT) (tracked)]"
        );
    }
}
