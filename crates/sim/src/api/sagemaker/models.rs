//! The shapes of models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::epoch;
use setpoint_core::model::time::Timestamp;

shapes! {
    pub struct DescribeModelInput {
        pub model_name: String,
    }

    pub struct ContainerDefinition {
        pub image: Option<String>,
        /// `SingleModel` or `MultiModel`.
        pub mode: Option<String>,
        pub model_data_url: Option<String>,
        pub container_hostname: Option<String>,
        pub environment: Option<BTreeMap<String, String>>,
        pub model_data_source: Option<Value>,
        pub additional_model_data_sources: Option<Value>,
        pub multi_model_config: Option<Value>,
        pub model_package_name: Option<String>,
        pub inference_specification_name: Option<String>,
        pub image_config: Option<Value>,
        pub container_metrics_config: Option<Value>,
    }

    pub struct DescribeModelOutput {
        pub model_name: String,
        pub model_arn: String,
        pub primary_container: Option<ContainerDefinition>,
        pub containers: Option<Vec<ContainerDefinition>>,
        #[serde(with = "epoch")]
        pub creation_time: Timestamp,
        pub execution_role_arn: Option<String>,
        pub inference_execution_config: Option<Value>,
        pub enable_network_isolation: Option<bool>,
        pub vpc_config: Option<Value>,
    }

    pub struct CreateModelInput {
        pub model_name: String,
        pub primary_container: Option<ContainerDefinition>,
        pub containers: Option<Vec<ContainerDefinition>>,
        pub execution_role_arn: Option<String>,
        pub inference_execution_config: Option<Value>,
        pub enable_network_isolation: Option<bool>,
        pub vpc_config: Option<Value>,
    }

    pub struct CreateModelOutput {
        pub model_arn: String,
    }

    pub struct DeleteModelInput {
        pub model_name: String,
    }
}
