//! Inputs and outputs of Application Auto Scaling: scaling activities and tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::epoch;
use setpoint_core::model::time::Timestamp;

shapes! {
    pub struct DescribeScalingActivitiesInput {
        pub service_namespace: String,
        pub resource_id: Option<String>,
        /// Only of this dimension; needs the resource too.
        pub scalable_dimension: Option<String>,
        pub max_results: Option<i32>,
        pub next_token: Option<String>,
        pub include_not_scaled_activities: Option<bool>,
    }

    /// Why AWS did not scale.
    pub struct NotScaledReason {
        pub code: String,
        pub max_capacity: Option<i32>,
        pub min_capacity: Option<i32>,
        pub current_capacity: Option<i32>,
    }

    /// A scaling activity, or a decision not to scale.
    pub struct ScalingActivity {
        pub activity_id: String,
        pub service_namespace: String,
        pub resource_id: String,
        pub scalable_dimension: String,
        pub description: String,
        pub cause: String,
        #[serde(with = "epoch")]
        pub start_time: Timestamp,
        #[serde(with = "epoch::option")]
        pub end_time: Option<Timestamp>,
        pub status_code: String,
        pub status_message: Option<String>,
        pub details: Option<String>,
        pub not_scaled_reasons: Option<Vec<NotScaledReason>>,
    }

    pub struct DescribeScalingActivitiesOutput {
        /// One page, newest first.
        pub scaling_activities: Vec<ScalingActivity>,
        pub next_token: Option<String>,
    }

    pub struct TagResourceInput {
        #[serde(rename = "ResourceARN")]
        pub resource_arn: String,
        pub tags: BTreeMap<String, String>,
    }

    pub struct UntagResourceInput {
        #[serde(rename = "ResourceARN")]
        pub resource_arn: String,
        pub tag_keys: Vec<String>,
    }

    pub struct ListTagsForResourceInput {
        #[serde(rename = "ResourceARN")]
        pub resource_arn: String,
    }

    pub struct ListTagsForResourceOutput {
        pub tags: BTreeMap<String, String>,
    }
}
