//! From an operation's name and its JSON input to the world and back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::WireError;
use super::protocol::Call;
use crate::api::Sim;
use crate::api::{ApiError, ApiResult, Operation};

/// How a call ended when not with an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server refused it before the world saw it.
    Refused(WireError),
    /// The world's own error; some are never delivered.
    World(ApiError),
}

/// The operation that a call names.
///
/// # Errors
/// `UnknownOperationException`, with the operations there are.
pub(super) fn operation(call: &Call) -> Result<Operation, WireError> {
    Operation::parse(call.service, &call.operation).ok_or_else(|| {
        let of_service = Operation::ALL.iter().filter(|o| o.service() == call.service);
        let known: Vec<_> = of_service.map(|o| o.as_str()).collect();
        WireError::client(
            "UnknownOperationException",
            format!(
                "the embedded AWS does not serve {} {:?} (it serves: {})",
                call.service.as_str(),
                call.operation,
                known.join(", ")
            ),
        )
    })
}

/// Runs an operation.
///
/// # Errors
/// `SerializationException` for an input of the wrong shape, and all errors of the world.
pub(super) fn run(sim: &Sim, operation: Operation, mut input: Value) -> Result<Value, Failure> {
    // AWS takes a null for an absent member.
    drop_nulls(&mut input);
    macro_rules! table {
        ($($name:ident $method:ident)*) => {
            match operation {
                $(Operation::$name => typed(input, |input| sim.$method(input)),)*
            }
        };
    }
    table! {
        RegisterScalableTarget register_scalable_target
        DescribeScalableTargets describe_scalable_targets
        DeregisterScalableTarget deregister_scalable_target
        PutScalingPolicy put_scaling_policy
        DescribeScalingPolicies describe_scaling_policies
        DeleteScalingPolicy delete_scaling_policy
        PutScheduledAction put_scheduled_action
        DescribeScheduledActions describe_scheduled_actions
        DeleteScheduledAction delete_scheduled_action
        DescribeScalingActivities describe_scaling_activities
        TagResource tag_resource
        UntagResource untag_resource
        ListTagsForResource list_tags_for_resource
        ListEndpoints list_endpoints
        DescribeEndpoint describe_endpoint
        DescribeEndpointConfig describe_endpoint_config
        DescribeModel describe_model
        CreateModel create_model
        DeleteModel delete_model
        CreateEndpointConfig create_endpoint_config
        DeleteEndpointConfig delete_endpoint_config
        CreateEndpoint create_endpoint
        UpdateEndpoint update_endpoint
        UpdateEndpointWeightsAndCapacities update_endpoint_weights_and_capacities
        DeleteEndpoint delete_endpoint
        AddTags add_tags
        DeleteTags delete_tags
        GetResources get_resources
        LookupEvents lookup_events
        GetMetricData get_metric_data
        ListMetrics list_metrics
        DescribeAlarms describe_alarms
        DeleteAlarms delete_alarms
        DisableAlarmActions disable_alarm_actions
        EnableAlarmActions enable_alarm_actions
        PutMetricAlarm put_metric_alarm
        SetAlarmState set_alarm_state
        GetCallerIdentity get_caller_identity
        AssumeRole assume_role
    }
}

fn typed<I: DeserializeOwned, O: Serialize>(
    input: Value,
    call: impl FnOnce(&I) -> ApiResult<O>,
) -> Result<Value, Failure> {
    let input: I = serde_json::from_value(input)
        .map_err(|error| Failure::Refused(WireError::serialization(error.to_string())))?;
    let output = call(&input).map_err(Failure::World)?;
    serde_json::to_value(&output).map_err(|error| {
        let message = format!("the output cannot be spelled: {error}");
        Failure::World(ApiError::with_status("InternalFailure", message, 500))
    })
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
