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

shapes! {
    /// An output without members.
    pub struct Empty {}

    pub struct ListEndpointsInput {
        /// `Name`, `CreationTime` (default) or `Status`.
        pub sort_by: Option<String>,
        /// `Ascending` or `Descending` (default).
        pub sort_order: Option<String>,
        pub next_token: Option<String>,
        pub max_results: Option<i32>,
        pub name_contains: Option<String>,
        pub status_equals: Option<String>,
        #[serde(with = "epoch::option")]
        pub creation_time_before: Option<Timestamp>,
        #[serde(with = "epoch::option")]
        pub creation_time_after: Option<Timestamp>,
        #[serde(with = "epoch::option")]
        pub last_modified_time_before: Option<Timestamp>,
        #[serde(with = "epoch::option")]
        pub last_modified_time_after: Option<Timestamp>,
    }

    /// One row of `ListEndpoints`.
    pub struct EndpointSummary {
        pub endpoint_name: String,
        pub endpoint_arn: String,
        #[serde(with = "epoch")]
        pub creation_time: Timestamp,
        #[serde(with = "epoch")]
        pub last_modified_time: Timestamp,
        pub endpoint_status: String,
    }

    pub struct ListEndpointsOutput {
        pub endpoints: Vec<EndpointSummary>,
        pub next_token: Option<String>,
    }

    pub struct DescribeEndpointInput {
        pub endpoint_name: String,
    }

    /// A container image in use.
    pub struct DeployedImage {
        pub specified_image: String,
        pub resolved_image: String,
        #[serde(with = "epoch::option")]
        pub resolution_time: Option<Timestamp>,
    }

    /// What a stage of a deploy says of a variant.
    pub struct VariantStatus {
        /// `Creating`, `Updating`, `Deleting`, `ActivatingTraffic` or `Baking`.
        pub status: String,
        pub status_message: Option<String>,
        #[serde(with = "epoch::option")]
        pub start_time: Option<Timestamp>,
    }

    /// A production variant of a running endpoint.
    pub struct ProductionVariantSummary {
        pub variant_name: String,
        pub deployed_images: Vec<DeployedImage>,
        pub current_weight: f64,
        pub desired_weight: f64,
        pub current_instance_count: Option<i32>,
        pub desired_instance_count: Option<i32>,
        pub variant_status: Option<Vec<VariantStatus>>,
        pub current_serverless_config: Option<Value>,
        pub managed_instance_scaling: Option<Value>,
        pub routing_config: Option<Value>,
    }

    /// A variant of the fleet that a deploy is bringing up.
    pub struct PendingProductionVariantSummary {
        pub variant_name: String,
        pub deployed_images: Vec<DeployedImage>,
        pub current_weight: f64,
        pub desired_weight: f64,
        pub current_instance_count: Option<i32>,
        pub desired_instance_count: Option<i32>,
        pub instance_type: Option<String>,
        pub variant_status: Option<Vec<VariantStatus>>,
    }

    /// A deploy under way.
    pub struct PendingDeploymentSummary {
        pub endpoint_config_name: String,
        pub production_variants: Vec<PendingProductionVariantSummary>,
        #[serde(with = "epoch::option")]
        pub start_time: Option<Timestamp>,
    }

    pub struct DescribeEndpointOutput {
        pub endpoint_name: String,
        pub endpoint_arn: String,
        pub endpoint_config_name: String,
        pub production_variants: Vec<ProductionVariantSummary>,
        pub endpoint_status: String,
        pub failure_reason: Option<String>,
        #[serde(with = "epoch")]
        pub creation_time: Timestamp,
        #[serde(with = "epoch")]
        pub last_modified_time: Timestamp,
        pub pending_deployment_summary: Option<PendingDeploymentSummary>,
        pub async_inference_config: Option<Value>,
        pub cross_region_traffic_config: Option<Value>,
        pub shadow_production_variants: Option<Vec<ProductionVariantSummary>>,
        pub metrics_config: Option<Value>,
    }

    /// A production variant of an endpoint config.
    pub struct ProductionVariant {
        pub variant_name: String,
        pub model_name: Option<String>,
        pub initial_instance_count: Option<i32>,
        pub instance_type: Option<String>,
        pub initial_variant_weight: Option<f64>,
        pub serverless_config: Option<Value>,
        pub managed_instance_scaling: Option<Value>,
        pub instance_pools: Option<Value>,
        pub routing_config: Option<Value>,
        pub accelerator_type: Option<String>,
        #[serde(rename = "VolumeSizeInGB")]
        pub volume_size_in_gb: Option<i32>,
        pub inference_ami_version: Option<String>,
        pub accelerator_partition_layouts: Option<Value>,
        pub core_dump_config: Option<Value>,
        pub capacity_reservation_config: Option<Value>,
        pub model_data_download_timeout_in_seconds: Option<i32>,
        pub container_startup_health_check_timeout_in_seconds: Option<i32>,
        #[serde(rename = "EnableSSMAccess")]
        pub enable_ssm_access: Option<bool>,
    }

    pub struct DescribeEndpointConfigInput {
        pub endpoint_config_name: String,
    }

    pub struct DescribeEndpointConfigOutput {
        pub endpoint_config_name: String,
        pub endpoint_config_arn: String,
        pub production_variants: Vec<ProductionVariant>,
        #[serde(with = "epoch")]
        pub creation_time: Timestamp,
        pub async_inference_config: Option<Value>,
        pub cross_region_traffic_config: Option<Value>,
        pub shadow_production_variants: Option<Vec<ProductionVariant>>,
        pub metrics_config: Option<Value>,
        pub data_capture_config: Option<Value>,
        pub explainer_config: Option<Value>,
        pub kms_key_id: Option<String>,
        pub enable_network_isolation: Option<bool>,
        pub vpc_config: Option<Value>,
    }

    pub struct CreateEndpointConfigInput {
        pub endpoint_config_name: String,
        pub production_variants: Vec<ProductionVariant>,
        pub async_inference_config: Option<Value>,
        pub cross_region_traffic_config: Option<Value>,
        pub shadow_production_variants: Option<Vec<ProductionVariant>>,
        pub metrics_config: Option<Value>,
        pub data_capture_config: Option<Value>,
        pub explainer_config: Option<Value>,
        pub kms_key_id: Option<String>,
        pub enable_network_isolation: Option<bool>,
        pub vpc_config: Option<Value>,
    }

    pub struct CreateEndpointConfigOutput {
        pub endpoint_config_arn: String,
    }

    pub struct CreateEndpointInput {
        pub endpoint_name: String,
        pub endpoint_config_name: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tags: Vec<super::tagging::Tag>,
    }

    /// The output of what makes or changes an endpoint.
    pub struct EndpointArnOutput {
        pub endpoint_arn: String,
    }

    pub struct UpdateEndpointInput {
        pub endpoint_name: String,
        pub endpoint_config_name: String,
        /// Whether instance counts and weights are kept; false by default.
        pub retain_all_variant_properties: Option<bool>,
        pub exclude_retained_variant_properties: Option<Vec<Value>>,
    }

    pub struct DesiredWeightAndCapacity {
        pub variant_name: String,
        pub desired_weight: Option<f64>,
        pub desired_instance_count: Option<i32>,
    }

    pub struct UpdateEndpointWeightsAndCapacitiesInput {
        pub endpoint_name: String,
        pub desired_weights_and_capacities: Vec<DesiredWeightAndCapacity>,
    }

    pub struct DeleteEndpointConfigInput {
        pub endpoint_config_name: String,
    }

    pub struct DeleteEndpointInput {
        pub endpoint_name: String,
    }
}
