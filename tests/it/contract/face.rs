//! What a face of the contract suite can do: give the ports, and arrange the world behind them.

use serde_json::{Value, json};
use setpoint::model::ids::ResourceId;
use setpoint::model::scaling::{MetricSpec, TargetTracking};
use setpoint::ports::{Aws, PutScalingPolicy, RegisterScalableTarget, Service};

/// The account of every face.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The region of every face.
pub(crate) const REGION: &str = "us-east-1";

/// Something that goes wrong from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The next call of the operation is throttled, and only that.
    ThrottledOnce,
    /// Every call is throttled.
    Throttled,
    /// Every call is refused by a `ValidationException` that names a missing permission.
    NotAuthorized,
    /// Every call is answered with HTTP 200 and nonsense.
    Garbage,
    /// `GetMetricData` answers `PartialData` and never completes it.
    PartialData,
}

/// One implementation of the ports and the world behind it.
pub(crate) trait Face: Send + Sync + 'static {
    /// Its name in the output.
    fn name(&self) -> &'static str;

    /// The ports under test.
    fn aws(&self) -> Aws;

    /// Calls an operation past the ports; the error is AWS's code.
    fn call(&self, service: Service, operation: &str, input: Value) -> Result<Value, String>;

    /// Makes something go wrong with an operation.
    fn trouble(&self, operation: &str, trouble: Trouble);

    /// Lets virtual time pass, where there is any, so that metrics and alarms exist.
    fn pass_time(&self, minutes: u32);

    /// Puts steady traffic on a variant, in invocations per minute.
    fn traffic(&self, resource: &ResourceId, per_minute: f64);

    /// Why a case cannot be asked of this face; none when it can.
    fn cannot(&self, case: &str) -> Option<&'static str>;
}

/// What most cases begin with.
impl dyn Face {
    /// Arranges by an operation that must succeed.
    pub(crate) fn arrange(&self, service: Service, operation: &str, input: Value) -> Value {
        self.call(service, operation, input)
            .unwrap_or_else(|error| panic!("arranging by {operation}: {error}"))
    }

    /// A model `NAME-model`, a config `NAME-config` and an endpoint with the variant `AllTraffic`
    /// of two instances.
    pub(crate) fn endpoint(&self, name: &str) -> ResourceId {
        self.model(&format!("{name}-model"));
        self.config(name);
        self.arrange(
            Service::SageMaker,
            "CreateEndpoint",
            json!({"EndpointName": name, "EndpointConfigName": format!("{name}-config")}),
        );
        self.pass_time(15);
        resource(name)
    }

    pub(crate) fn model(&self, name: &str) {
        self.arrange(
            Service::SageMaker,
            "CreateModel",
            json!({
                "ModelName": name,
                "ExecutionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/sagemaker"),
                "PrimaryContainer": {
                    "Image": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scorer:1"),
                },
            }),
        );
    }

    fn config(&self, name: &str) {
        self.arrange(
            Service::SageMaker,
            "CreateEndpointConfig",
            json!({
                "EndpointConfigName": format!("{name}-config"),
                "ProductionVariants": [{
                    "VariantName": "AllTraffic", "ModelName": format!("{name}-model"),
                    "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 2,
                    "InitialVariantWeight": 1.0,
                }],
            }),
        );
    }

    /// An endpoint with a scalable target of 1 to 4 instances.
    pub(crate) async fn target(&self, name: &str) -> ResourceId {
        let resource = self.endpoint(name);
        let register = register(&resource, Some(1), Some(4));
        self.aws().writes.register_scalable_target(&register).await.unwrap();
        resource
    }
}

pub(crate) fn resource(endpoint: &str) -> ResourceId {
    format!("endpoint/{endpoint}/variant/AllTraffic").parse().unwrap()
}

pub(crate) fn register(
    resource: &ResourceId,
    min_capacity: Option<i32>,
    max_capacity: Option<i32>,
) -> RegisterScalableTarget {
    RegisterScalableTarget {
        resource: resource.clone(),
        min_capacity,
        max_capacity,
        suspended: None,
    }
}

/// A policy on invocations per instance that states nothing but its target value.
pub(crate) fn put(resource: &ResourceId, name: &str, target_value: f64) -> PutScalingPolicy {
    PutScalingPolicy {
        resource: resource.clone(),
        policy_name: name.to_owned(),
        configuration: TargetTracking {
            target_value,
            metric: MetricSpec::invocations(),
            scale_out_cooldown: None,
            scale_in_cooldown: None,
            disable_scale_in: None,
        },
    }
}
