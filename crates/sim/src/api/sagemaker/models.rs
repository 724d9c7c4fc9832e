//! The shapes of models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::epoch;
use setpoint_core::model::time::Timestamp;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeModelInput {
    pub model_name: String,
}

/// A container of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerDefinition {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `SingleModel` or `MultiModel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Where the weights are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_data_url: Option<String>,
    /// Its name within the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_hostname: Option<String>,
    /// The environment of its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
    /// Where the weights are, in the newer form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_data_source: Option<Value>,
    /// More weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_model_data_sources: Option<Value>,
    /// How many models share its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_model_config: Option<Value>,
    /// A package of the marketplace or of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_package_name: Option<String>,
    /// Which of the specifications of the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_specification_name: Option<String>,
    /// Where the image comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_config: Option<Value>,
    /// Where its own metrics are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_metrics_config: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeModelOutput {
    pub model_name: String,
    pub model_arn: String,
    /// Its only container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_container: Option<ContainerDefinition>,
    /// Several containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containers: Option<Vec<ContainerDefinition>>,
    /// When it was made.
    #[serde(with = "epoch")]
    pub creation_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role_arn: Option<String>,
    /// How requests pass through several containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_execution_config: Option<Value>,
    /// Whether containers reach no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_network_isolation: Option<bool>,
    /// The network of the containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateModelInput {
    pub model_name: String,
    /// Its only container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_container: Option<ContainerDefinition>,
    /// Several containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containers: Option<Vec<ContainerDefinition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role_arn: Option<String>,
    /// How requests pass through several containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_execution_config: Option<Value>,
    /// Whether containers reach no network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_network_isolation: Option<bool>,
    /// The network of the containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateModelOutput {
    pub model_arn: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteModelInput {
    pub model_name: String,
}
