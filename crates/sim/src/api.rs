//! The AWS operations over the world: what both faces (ports and server) call, so that they cannot
//! differ. One method an operation; inputs and outputs have AWS's members in `snake_case` and
//! (de)serialize as AWS JSON (`PascalCase`, times as epoch seconds, absent members left out).

/// Inputs and outputs as AWS JSON has them: members in `PascalCase`, and the default of what is absent.
macro_rules! shapes {
    ($($(#[$meta:meta])* pub struct $name:ident { $($members:tt)* })*) => { $(
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        $(#[$meta])*
        pub struct $name { $($members)* }
    )* };
}

mod activities;
pub mod cloudtrail;
pub mod cloudwatch;
pub(crate) mod epoch;
pub mod sagemaker;
pub mod scaling;
pub mod sts;
pub mod tagging;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::fault::Fault;
use super::world::World;
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::Service;

use cloudtrail as ct;
use cloudwatch as cw;
use sagemaker as sm;
use scaling as aas;
use tagging as rgt;

/// The embedded AWS: one account and region on a virtual clock. Cheap to clone; all clones share
/// one world.
#[derive(Clone)]
pub struct Sim {
    world: Arc<Mutex<World>>,
    now: watch::Sender<Timestamp>,
}

/// What AWS answers when it does not answer with an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's error code, such as `ValidationException`.
    pub code: String,
    pub message: String,
    /// The HTTP status that goes with it.
    pub http_status: u16,
    /// Whether an answer is sent at all, and whether it can be read.
    pub delivery: Delivery,
}

/// How an answer reaches the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As a well-formed error.
    Answer,
    /// Never: the server must keep the connection open and send nothing (until it is closed); the
    /// ports answer with a time-out. The operation may have taken effect.
    Silence,
    /// As `http_status` (200) with `message` as a body that cannot be parsed.
    Garbage,
}

impl ApiError {
    /// An error with HTTP status 400, as all of Application Auto Scaling's are.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_status(code, message, 400)
    }

    /// An error with another status.
    pub fn with_status(code: impl Into<String>, message: impl Into<String>, http: u16) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            http_status: http,
            delivery: Delivery::Answer,
        }
    }

    /// `ValidationException`.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }
}

pub type ApiResult<T> = Result<T, ApiError>;

/// Makes [`Operation`] and the methods of [`Sim`] from one table.
macro_rules! operations {
    ($($(#[$doc:meta])* $service:ident $effect:ident $name:ident $method:ident($input:ty) -> $output:ty;)*) => {
        /// An operation of one of the six services.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation { $($(#[$doc])* $name,)* }

        impl Operation {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// AWS's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            pub const fn service(self) -> Service {
                match self { $(Self::$name => Service::$service,)* }
            }

            /// Whether it changes anything.
            pub const fn is_write(self) -> bool {
                match self { $(Self::$name => operations!(@$effect),)* }
            }
        }

        impl Sim {
            $($(#[$doc])*
            ///
            /// # Errors
            /// AWS's errors for this operation, throttling and injected faults.
            pub fn $method(&self, input: &$input) -> ApiResult<$output> {
                let mut world = self.lock();
                let gate = world.call(Operation::$name)?;
                let result = world.$method(input);
                world.finish(Operation::$name, gate, input, result)
            })*

            /// Runs any operation, its input and output as AWS JSON.
            ///
            /// # Errors
            /// Outside, when the input has not the operation's shape; inside, AWS's.
            pub(crate) fn run(&self, operation: Operation, input: Value) -> Result<ApiResult<Value>, serde_json::Error> {
                match operation {
                    $(Operation::$name => {
                        Ok(self.$method(&serde_json::from_value(input)?).map(|output| as_json(&output)))
                    })*
                }
            }
        }
    };
    (@read) => { false };
    (@write) => { true };
}

operations! {
    ApplicationAutoScaling write RegisterScalableTarget register_scalable_target(aas::RegisterScalableTargetInput) -> aas::RegisterScalableTargetOutput;
    /// `DescribeScalableTargets`, 1 to 50 a page, 50 by default.
    ApplicationAutoScaling read DescribeScalableTargets describe_scalable_targets(aas::DescribeScalableTargetsInput) -> aas::DescribeScalableTargetsOutput;
    /// `DeregisterScalableTarget`: drops policies, alarms and scheduled actions too.
    ApplicationAutoScaling write DeregisterScalableTarget deregister_scalable_target(aas::DeregisterScalableTargetInput) -> aas::Empty;
    ApplicationAutoScaling write PutScalingPolicy put_scaling_policy(aas::PutScalingPolicyInput) -> aas::PutScalingPolicyOutput;
    /// `DescribeScalingPolicies`, 1 to 10 a page, 10 by default.
    ApplicationAutoScaling read DescribeScalingPolicies describe_scaling_policies(aas::DescribeScalingPoliciesInput) -> aas::DescribeScalingPoliciesOutput;
    ApplicationAutoScaling write DeleteScalingPolicy delete_scaling_policy(aas::DeleteScalingPolicyInput) -> aas::Empty;
    ApplicationAutoScaling write PutScheduledAction put_scheduled_action(aas::PutScheduledActionInput) -> aas::Empty;
    /// `DescribeScheduledActions`, 1 to 50 a page, 50 by default.
    ApplicationAutoScaling read DescribeScheduledActions describe_scheduled_actions(aas::DescribeScheduledActionsInput) -> aas::DescribeScheduledActionsOutput;
    ApplicationAutoScaling write DeleteScheduledAction delete_scheduled_action(aas::DeleteScheduledActionInput) -> aas::Empty;
    /// `DescribeScalingActivities`, newest first, 1 to 50 a page, 50 by default.
    ApplicationAutoScaling read DescribeScalingActivities describe_scaling_activities(aas::DescribeScalingActivitiesInput) -> aas::DescribeScalingActivitiesOutput;
    /// `TagResource`, by the ARN of a scalable target.
    ApplicationAutoScaling write TagResource tag_resource(aas::TagResourceInput) -> aas::Empty;
    ApplicationAutoScaling write UntagResource untag_resource(aas::UntagResourceInput) -> aas::Empty;
    ApplicationAutoScaling read ListTagsForResource list_tags_for_resource(aas::ListTagsForResourceInput) -> aas::ListTagsForResourceOutput;

    /// `ListEndpoints`, 1 to 100 a page, 10 by default.
    SageMaker read ListEndpoints list_endpoints(sm::ListEndpointsInput) -> sm::ListEndpointsOutput;
    SageMaker read DescribeEndpoint describe_endpoint(sm::DescribeEndpointInput) -> sm::DescribeEndpointOutput;
    SageMaker read DescribeEndpointConfig describe_endpoint_config(sm::DescribeEndpointConfigInput) -> sm::DescribeEndpointConfigOutput;
    SageMaker read DescribeModel describe_model(sm::DescribeModelInput) -> sm::DescribeModelOutput;
    SageMaker write CreateModel create_model(sm::CreateModelInput) -> sm::CreateModelOutput;
    /// `DeleteModel`: endpoints that run it go on.
    SageMaker write DeleteModel delete_model(sm::DeleteModelInput) -> sm::Empty;
    SageMaker write CreateEndpointConfig create_endpoint_config(sm::CreateEndpointConfigInput) -> sm::CreateEndpointConfigOutput;
    /// `DeleteEndpointConfig`: endpoints that run with it go on.
    SageMaker write DeleteEndpointConfig delete_endpoint_config(sm::DeleteEndpointConfigInput) -> sm::Empty;
    SageMaker write CreateEndpoint create_endpoint(sm::CreateEndpointInput) -> sm::EndpointArnOutput;
    /// `UpdateEndpoint`: a blue/green deploy.
    SageMaker write UpdateEndpoint update_endpoint(sm::UpdateEndpointInput) -> sm::EndpointArnOutput;
    SageMaker write UpdateEndpointWeightsAndCapacities update_endpoint_weights_and_capacities(sm::UpdateEndpointWeightsAndCapacitiesInput) -> sm::EndpointArnOutput;
    /// `DeleteEndpoint`: deregisters its variants too.
    SageMaker write DeleteEndpoint delete_endpoint(sm::DeleteEndpointInput) -> sm::Empty;
    /// `AddTags`, of endpoints.
    SageMaker write AddTags add_tags(rgt::AddTagsInput) -> rgt::AddTagsOutput;
    SageMaker write DeleteTags delete_tags(rgt::DeleteTagsInput) -> sm::Empty;

    /// `GetResources`, 1 to 100 a page, 50 by default: endpoints only.
    Tagging read GetResources get_resources(rgt::GetResourcesInput) -> rgt::GetResourcesOutput;

    /// `GetMetricData`: at most 500 queries, paged by `MaxDatapoints` (100,800 by default).
    CloudWatch read GetMetricData get_metric_data(cw::GetMetricDataInput) -> cw::GetMetricDataOutput;
    /// `ListMetrics`, 500 a page.
    CloudWatch read ListMetrics list_metrics(cw::ListMetricsInput) -> cw::ListMetricsOutput;
    /// `DescribeAlarms`, 1 to 100 a page, 50 by default.
    CloudWatch read DescribeAlarms describe_alarms(cw::DescribeAlarmsInput) -> cw::DescribeAlarmsOutput;
    /// `DeleteAlarms`, as a person breaks a policy by hand.
    CloudWatch write DeleteAlarms delete_alarms(cw::AlarmNamesInput) -> cw::Empty;
    CloudWatch write DisableAlarmActions disable_alarm_actions(cw::AlarmNamesInput) -> cw::Empty;
    CloudWatch write EnableAlarmActions enable_alarm_actions(cw::AlarmNamesInput) -> cw::Empty;
    /// `PutMetricAlarm` of an alarm that exists, as a person edits it by hand.
    CloudWatch write PutMetricAlarm put_metric_alarm(cw::PutMetricAlarmInput) -> cw::Empty;
    /// `SetAlarmState`: holds until the next evaluation.
    CloudWatch write SetAlarmState set_alarm_state(cw::SetAlarmStateInput) -> cw::Empty;

    /// `LookupEvents`, 1 to 50 a page, 50 by default: what changed a scalable target, 15 minutes later.
    CloudTrail read LookupEvents lookup_events(ct::LookupEventsInput) -> ct::LookupEventsOutput;

    Sts read GetCallerIdentity get_caller_identity(cw::GetCallerIdentityInput) -> cw::GetCallerIdentityOutput;
    /// `AssumeRole`: it gives out keys and changes nothing.
    Sts read AssumeRole assume_role(sts::AssumeRoleInput) -> sts::AssumeRoleOutput;
}

/// As AWS spells it: absent members are left out.
pub fn as_json(of: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(of).unwrap_or_default();
    drop_nulls(&mut value);
    value
}

pub(crate) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

impl Operation {
    /// The operation of that service with that AWS name.
    pub fn parse(service: Service, name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|o| o.service() == service && o.as_str() == name)
    }
}

impl Sim {
    /// Puts a handle on a world.
    pub fn new(world: World) -> Self {
        let (now, _) = watch::channel(world.now());
        Self { world: Arc::new(Mutex::new(world)), now }
    }

    /// The virtual time.
    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// Lets a request of this session in, or not (the server's; the ports have no credentials).
    ///
    /// # Errors
    /// AWS's, when the account is reached by a role and the token is not of a session under way.
    pub fn authorize(&self, operation: Operation, token: Option<&str>) -> ApiResult<()> {
        self.lock().authorize(operation, token)
    }

    /// Moves the world on to `until`; does nothing when it is there already.
    pub fn run_until(&self, until: Timestamp) {
        let now = {
            let mut world = self.lock();
            world.run_until(until);
            world.now()
        };
        self.now.send_replace(now);
    }

    /// Moves the world on by some virtual seconds and tells the time then.
    pub fn advance(&self, seconds: u32) -> Timestamp {
        let until = self.now() + chrono::TimeDelta::seconds(i64::from(seconds));
        self.run_until(until);
        until
    }

    /// Tells of every move of the clock, so that a sleeper can wait for an instant.
    pub fn subscribe(&self) -> watch::Receiver<Timestamp> {
        self.now.subscribe()
    }

    /// Lets something go wrong from now on, within the fault's bounds.
    pub fn inject(&self, fault: Fault) {
        self.lock().inject(fault);
    }

    /// The truth, the variants, the call counts, the writes, the faults: `GET /_sim/state`.
    pub fn state(&self) -> serde_json::Value {
        self.lock().state()
    }

    /// Looks into or changes the world directly, past the gate: for scenarios and tests.
    pub fn with_world<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut self.lock())
    }

    /// A panic in one caller must not take the world from the others.
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
