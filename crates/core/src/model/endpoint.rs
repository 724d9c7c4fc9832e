//! What SageMaker says of an endpoint, its configuration and its models.

use serde::{Deserialize, Serialize};

use super::ids::{EndpointName, VariantName};
use super::time::Timestamp;

/// One row of `ListEndpoints`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointSummary {
    pub name: EndpointName,
    pub status: EndpointStatus,
    /// When it was made; a new time under an old name is a recreated endpoint.
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// Failed after it had been in service.
    OutOfService,
    /// Being made.
    Creating,
    /// Being updated, by a deploy or by the auto scaler itself.
    Updating,
    /// In maintenance by AWS; cannot be updated, scaled or deleted.
    SystemUpdating,
    RollingBack,
    InService,
    Deleting,
    Failed,
    /// An update failed and its rollback too.
    UpdateRollbackFailed,
    /// A word of a newer API.
    Other(String),
}

impl EndpointStatus {
    /// Reads AWS's word; one that this version does not know is kept.
    pub fn parse(word: &str) -> Self {
        match word {
            "OutOfService" => Self::OutOfService,
            "Creating" => Self::Creating,
            "Updating" => Self::Updating,
            "SystemUpdating" => Self::SystemUpdating,
            "RollingBack" => Self::RollingBack,
            "InService" => Self::InService,
            "Deleting" => Self::Deleting,
            "Failed" => Self::Failed,
            "UpdateRollbackFailed" => Self::UpdateRollbackFailed,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::OutOfService => "OutOfService",
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::SystemUpdating => "SystemUpdating",
            Self::RollingBack => "RollingBack",
            Self::InService => "InService",
            Self::Deleting => "Deleting",
            Self::Failed => "Failed",
            Self::UpdateRollbackFailed => "UpdateRollbackFailed",
            Self::Other(word) => word,
        }
    }
}

/// `DescribeEndpoint`, as far as `setpoint` needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    pub name: EndpointName,
    pub status: EndpointStatus,
    /// The endpoint config in force.
    pub config_name: String,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub variants: Vec<VariantSummary>,
    /// The names of the shadow variants, which are never managed.
    pub shadow_variants: Vec<VariantName>,
    /// The endpoint config that a deploy in progress leads to.
    pub pending_config_name: Option<String>,
    /// Whether a deploy is in progress (`PendingDeploymentSummary` is present).
    pub deploy_in_progress: bool,
    pub asynchronous: bool,
    /// Why it failed, in AWS's words.
    pub failure_reason: Option<String>,
    /// The cap on traffic from other regions (`CrossRegionTrafficConfig`), where there is one.
    pub cross_region: Option<CrossRegionCap>,
}

/// How much traffic an endpoint takes from inference routers in other regions: a share of what its
/// instances are said to serve. All its variants share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossRegionCap {
    /// `MaxInvocationsPerSecondPerInstance`: what one instance is said to serve.
    pub invocations_per_second_per_instance: u32,
    /// `MaxCrossRegionPercentPerEndpoint`, 1 to 100.
    pub percent: u32,
}

impl Endpoint {
    /// Why nothing is to be written of it: a deploy is in progress, or it neither serves nor scales (rule 11).
    pub fn unsettled(&self) -> Option<String> {
        if self.deploy_in_progress {
            let to = self.pending_config_name.as_deref().unwrap_or("another endpoint config");
            return Some(format!("a deploy to {to} is in progress"));
        }
        match &self.status {
            EndpointStatus::InService | EndpointStatus::Updating => None,
            other => Some(format!("the endpoint is {}", other.as_str())),
        }
    }

    /// One in service since it was made, with one variant and nothing else to say of it.
    pub fn in_service(
        name: EndpointName,
        config_name: String,
        created_at: Timestamp,
        variant: VariantSummary,
    ) -> Self {
        Self {
            name,
            status: EndpointStatus::InService,
            config_name,
            created_at,
            modified_at: created_at,
            variants: vec![variant],
            shadow_variants: Vec::new(),
            pending_config_name: None,
            deploy_in_progress: false,
            asynchronous: false,
            failure_reason: None,
            cross_region: None,
        }
    }

    /// Whether it is being made and shows no variants yet.
    pub fn is_in_the_making(&self) -> bool {
        self.status == EndpointStatus::Creating && self.variants.is_empty()
    }

    /// Whether all its instances run the endpoint config in force, as far as AWS says so. During a deploy two fleets
    /// serve, and out of service it is not known what the next one will be.
    pub const fn runs_its_config(&self) -> bool {
        let is_up = matches!(self.status, EndpointStatus::InService | EndpointStatus::Updating);
        is_up && !self.deploy_in_progress
    }

    pub fn variant(&self, name: &VariantName) -> Option<&VariantSummary> {
        self.variants.iter().find(|v| v.name == *name)
    }
}

/// A production variant as `DescribeEndpoint` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantSummary {
    pub name: VariantName,
    /// Instances in service. Absent for serverless variants.
    pub current_instances: Option<u32>,
    pub desired_instances: Option<u32>,
    /// The images in use, resolved to digests, in order: part of the regime's fingerprint.
    pub images: Vec<String>,
    pub serverless: bool,
    pub instance_pools: bool,
    /// Whether SageMaker manages the instances (inference components).
    pub managed_instance_scaling: bool,
    /// What each stage of a deploy says of it, in AWS's words.
    pub statuses: Vec<String>,
}

impl VariantSummary {
    /// A plain one, with so many instances in service and wanted.
    pub const fn plain(name: VariantName, current: Option<u32>, desired: Option<u32>) -> Self {
        Self {
            name,
            current_instances: current,
            desired_instances: desired,
            images: Vec::new(),
            serverless: false,
            instance_pools: false,
            managed_instance_scaling: false,
            statuses: Vec::new(),
        }
    }
}

/// `DescribeEndpointConfig`, as far as `setpoint` needs it. AWS never changes one, but one can be
/// deleted and made again under its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointConfig {
    pub name: String,
    /// When it was made: a lower bound of when a deploy with it can have begun.
    pub created_at: Timestamp,
    pub variants: Vec<ConfigVariant>,
    pub asynchronous: bool,
    /// Seconds between published metrics where enhanced metrics are on: then that applies to
    /// invocations, and instances have metrics of their own. Absent without.
    pub metric_period_seconds: Option<u32>,
}

impl EndpointConfig {
    pub fn variant(&self, name: &VariantName) -> Option<&ConfigVariant> {
        self.variants.iter().find(|v| v.name == *name)
    }
}

/// A production variant of an endpoint config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigVariant {
    pub name: VariantName,
    /// The model; absent for inference components.
    pub model_name: Option<String>,
    /// The instance type; absent for serverless variants and instance pools.
    pub instance_type: Option<String>,
    pub serverless: bool,
    pub instance_pools: bool,
    pub managed_instance_scaling: bool,
    /// How requests are spread over the instances (`RoutingStrategy`); absent when the config does
    /// not say.
    pub routing: Option<Routing>,
    /// Everything in it, and in the config around it, that can change capacity, as a hash
    /// ([`super::deploy_hashes::of_variant`]).
    #[serde(skip)]
    pub deploy_hash: u64,
}

/// How an endpoint spreads requests over the instances of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// To an instance with few requests under way.
    LeastOutstandingRequests,
    /// To any instance.
    Random,
    /// Requests with the same prompt prefix to the same instance.
    PrefixAware,
    /// To an instance that holds the start of the prompt in its cache.
    KvAware,
    /// A word of a newer API.
    Other(String),
}

impl Routing {
    /// Reads AWS's word; one that this version does not know is kept.
    pub fn parse(word: &str) -> Self {
        match word {
            "LEAST_OUTSTANDING_REQUESTS" => Self::LeastOutstandingRequests,
            "RANDOM" => Self::Random,
            "PREFIX_AWARE" => Self::PrefixAware,
            "KV_AWARE" => Self::KvAware,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::LeastOutstandingRequests => "LEAST_OUTSTANDING_REQUESTS",
            Self::Random => "RANDOM",
            Self::PrefixAware => "PREFIX_AWARE",
            Self::KvAware => "KV_AWARE",
            Self::Other(word) => word,
        }
    }

    /// Whether instances get unequal shares of the load by design, so that the load of an average
    /// instance says less of the busiest one.
    pub const fn is_uneven(&self) -> bool {
        matches!(self, Self::PrefixAware | Self::KvAware)
    }
}

/// `DescribeModel`, as far as `setpoint` needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    pub name: String,
    pub containers: usize,
    /// Whether a container hosts many models.
    pub multi_model: bool,
    /// Everything in its containers that can change capacity, as a hash
    /// ([`super::deploy_hashes::of_model`]).
    #[serde(skip)]
    pub deploy_hash: u64,
}

/// What kind of variant it is; on all but `Standard` the metric cannot work or one number has no
/// meaning (rule 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariantKind {
    /// A real-time variant on one instance type with one model: what `setpoint` is for.
    Standard,
    /// An asynchronous endpoint: `InvocationsPerInstance` is not published.
    Asynchronous,
    /// Serverless: no instances.
    Serverless,
    /// Hosts inference components, which scale copies.
    InferenceComponents,
    /// Mixed instance types.
    InstancePools,
    /// Many models in one container.
    MultiModel,
    MultiContainer,
    /// A burstable instance type, which cannot be registered.
    Burstable,
}

impl VariantKind {
    /// Why the kind cannot be managed; none for `Standard`.
    pub const fn unsupported_because(self) -> Option<&'static str> {
        match self {
            Self::Standard => None,
            Self::Asynchronous => {
                Some("asynchronous endpoints do not publish InvocationsPerInstance")
            }
            Self::Serverless => Some("serverless variants have no instances to scale"),
            Self::InferenceComponents => {
                Some("endpoints with inference components scale copies, not instances")
            }
            Self::InstancePools => {
                Some("one target value has no meaning for a mix of instance types")
            }
            Self::MultiModel => {
                Some("one target value has no meaning for many models in one container")
            }
            Self::MultiContainer => {
                Some("one target value has no meaning for several containers with their own load")
            }
            Self::Burstable => Some("burstable (T family) instances cannot be auto scaled"),
        }
    }
}
