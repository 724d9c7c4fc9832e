//! Inputs and outputs of SageMaker, with AWS's member names.

mod models;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::epoch;
use setpoint_core::model::time::Timestamp;

pub use models::{
    ContainerDefinition, CreateModelInput, CreateModelOutput, DeleteModelInput, DescribeModelInput,
    DescribeModelOutput,
};

/// An output without members.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Empty {}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListEndpointsInput {
    /// `Name`, `CreationTime` (default) or `Status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_by: Option<String>,
    /// `Ascending` or `Descending` (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_order: Option<String>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    /// The page size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i32>,
    /// Only names with this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// Only with this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_equals: Option<String>,
    /// Only made before.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub creation_time_before: Option<Timestamp>,
    /// Only made after.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub creation_time_after: Option<Timestamp>,
    /// Only changed before.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub last_modified_time_before: Option<Timestamp>,
    /// Only changed after.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub last_modified_time_after: Option<Timestamp>,
}

/// One row of `ListEndpoints`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointSummary {
    pub endpoint_name: String,
    pub endpoint_arn: String,
    /// When it was made.
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
    /// When it last changed.
    #[serde(with = "epoch")]
    pub last_modified_time: Timestamp,
    pub endpoint_status: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListEndpointsOutput {
    /// One page.
    pub endpoints: Vec<EndpointSummary>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeEndpointInput {
    pub endpoint_name: String,
}

/// A container image in use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeployedImage {
    /// As the model names it.
    pub specified_image: String,
    /// With its digest.
    pub resolved_image: String,
    /// When it was resolved.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub resolution_time: Option<Timestamp>,
}

/// What a stage of a deploy says of a variant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VariantStatus {
    /// `Creating`, `Updating`, `Deleting`, `ActivatingTraffic` or `Baking`.
    pub status: String,
    /// More on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// Since when.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
}

/// A production variant of a running endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ProductionVariantSummary {
    pub variant_name: String,
    /// The images in use.
    pub deployed_images: Vec<DeployedImage>,
    pub current_weight: f64,
    /// The weight wanted.
    pub desired_weight: f64,
    /// Instances in service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_instance_count: Option<i32>,
    /// Instances wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_instance_count: Option<i32>,
    /// Stages of a deploy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_status: Option<Vec<VariantStatus>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_serverless_config: Option<Value>,
    /// Instances managed by SageMaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_instance_scaling: Option<Value>,
    /// How requests are spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_config: Option<Value>,
}

/// A variant of the fleet that a deploy is bringing up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PendingProductionVariantSummary {
    pub variant_name: String,
    pub deployed_images: Vec<DeployedImage>,
    pub current_weight: f64,
    /// The weight wanted.
    pub desired_weight: f64,
    /// Instances up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_instance_count: Option<i32>,
    /// Instances wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_instance_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Stages of the deploy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_status: Option<Vec<VariantStatus>>,
}

/// A deploy under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PendingDeploymentSummary {
    /// Where it leads.
    pub endpoint_config_name: String,
    /// The new fleet.
    pub production_variants: Vec<PendingProductionVariantSummary>,
    /// Since when.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeEndpointOutput {
    pub endpoint_name: String,
    pub endpoint_arn: String,
    /// The config in force.
    pub endpoint_config_name: String,
    pub production_variants: Vec<ProductionVariantSummary>,
    pub endpoint_status: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was made.
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
    /// When it last changed.
    #[serde(with = "epoch")]
    pub last_modified_time: Timestamp,
    /// A deploy under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_deployment_summary: Option<PendingDeploymentSummary>,
    /// Asynchronous endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_inference_config: Option<Value>,
    /// The cap on traffic from other regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_region_traffic_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_production_variants: Option<Vec<ProductionVariantSummary>>,
    /// How often metrics are published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_config: Option<Value>,
}

/// A production variant of an endpoint config.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ProductionVariant {
    pub variant_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// Instances at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_instance_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_variant_weight: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serverless_config: Option<Value>,
    /// Instances managed by SageMaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_instance_scaling: Option<Value>,
    /// Mixed instance types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_pools: Option<Value>,
    /// How requests are spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_config: Option<Value>,
    /// An accelerator beside the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accelerator_type: Option<String>,
    /// The size of the storage volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "VolumeSizeInGB")]
    pub volume_size_in_gb: Option<i32>,
    /// The image of the instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_ami_version: Option<String>,
    /// How accelerators are divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accelerator_partition_layouts: Option<Value>,
    /// Where memory is dumped to when a container crashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_dump_config: Option<Value>,
    /// Reserved capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_reservation_config: Option<Value>,
    /// How long the model data may take to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_data_download_timeout_in_seconds: Option<i32>,
    /// How long a container may take to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_startup_health_check_timeout_in_seconds: Option<i32>,
    /// Whether people may log in to instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "EnableSSMAccess")]
    pub enable_ssm_access: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeEndpointConfigInput {
    pub endpoint_config_name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeEndpointConfigOutput {
    pub endpoint_config_name: String,
    pub endpoint_config_arn: String,
    pub production_variants: Vec<ProductionVariant>,
    /// When it was made.
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
    /// Asynchronous endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_inference_config: Option<Value>,
    /// The cap on traffic from other regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_region_traffic_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_production_variants: Option<Vec<ProductionVariant>>,
    /// How often metrics are published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_config: Option<Value>,
    /// What of requests and answers is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_capture_config: Option<Value>,
    /// Explanations beside predictions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explainer_config: Option<Value>,
    /// The key of the storage volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Whether containers reach no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_network_isolation: Option<bool>,
    /// The network of the instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateEndpointConfigInput {
    pub endpoint_config_name: String,
    pub production_variants: Vec<ProductionVariant>,
    /// Asynchronous endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_inference_config: Option<Value>,
    /// The cap on traffic from other regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_region_traffic_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_production_variants: Option<Vec<ProductionVariant>>,
    /// How often metrics are published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_config: Option<Value>,
    /// What of requests and answers is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_capture_config: Option<Value>,
    /// Explanations beside predictions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explainer_config: Option<Value>,
    /// The key of the storage volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Whether containers reach no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_network_isolation: Option<bool>,
    /// The network of the instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateEndpointConfigOutput {
    pub endpoint_config_arn: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateEndpointInput {
    pub endpoint_name: String,
    pub endpoint_config_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<super::tagging::Tag>,
}

/// The output of what makes or changes an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointArnOutput {
    pub endpoint_arn: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateEndpointInput {
    pub endpoint_name: String,
    /// The new config.
    pub endpoint_config_name: String,
    /// Whether instance counts and weights are kept; false by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_all_variant_properties: Option<bool>,
    /// What is not kept after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_retained_variant_properties: Option<Vec<Value>>,
}

/// What is wanted of a variant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DesiredWeightAndCapacity {
    pub variant_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_weight: Option<f64>,
    /// Its instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_instance_count: Option<i32>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateEndpointWeightsAndCapacitiesInput {
    pub endpoint_name: String,
    /// What is wanted.
    pub desired_weights_and_capacities: Vec<DesiredWeightAndCapacity>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteEndpointConfigInput {
    pub endpoint_config_name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteEndpointInput {
    pub endpoint_name: String,
}
