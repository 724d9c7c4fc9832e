//! Inputs and outputs of Application Auto Scaling: scaling activities and tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::epoch;
use setpoint_core::model::time::Timestamp;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalingActivitiesInput {
    /// `sagemaker`.
    pub service_namespace: String,
    /// Only of this resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Only of this dimension; needs the resource too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalable_dimension: Option<String>,
    /// The page size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<i32>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    /// Whether decisions not to scale are listed too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_not_scaled_activities: Option<bool>,
}

/// Why AWS did not scale.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NotScaledReason {
    /// AWS's code.
    pub code: String,
    /// The max then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_capacity: Option<i32>,
    /// The min then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<i32>,
    /// The count then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_capacity: Option<i32>,
}

/// A scaling activity, or a decision not to scale.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ScalingActivity {
    pub activity_id: String,
    /// `sagemaker`.
    pub service_namespace: String,
    /// `endpoint/E/variant/V`.
    pub resource_id: String,
    /// `sagemaker:variant:DesiredInstanceCount`.
    pub scalable_dimension: String,
    /// What it does.
    pub description: String,
    /// What caused it.
    pub cause: String,
    /// When it began.
    #[serde(with = "epoch")]
    pub start_time: Timestamp,
    /// When it ended.
    #[serde(with = "epoch::option", skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// Its state.
    pub status_code: String,
    /// More on the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// Nothing so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// Why AWS did not scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_scaled_reasons: Option<Vec<NotScaledReason>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeScalingActivitiesOutput {
    /// One page, newest first.
    pub scaling_activities: Vec<ScalingActivity>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagResourceInput {
    /// The ARN of a scalable target.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
    /// Tags to set.
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UntagResourceInput {
    /// The ARN of a scalable target.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
    /// Tags to remove.
    pub tag_keys: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListTagsForResourceInput {
    /// The ARN of a scalable target.
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListTagsForResourceOutput {
    pub tags: BTreeMap<String, String>,
}
