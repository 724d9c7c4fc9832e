//! How an endpoint of a scenario publishes metrics, and whether of each instance.

use serde::{Deserialize, Serialize};

use super::EndpointSpec;

/// `MetricsConfig` of an endpoint config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSpec {
    /// `EnableEnhancedMetrics`: each instance has metrics of its own.
    pub enhanced: bool,
    /// `MetricPublishFrequencyInSeconds`.
    #[serde(default = "sixty")]
    pub publish_seconds: u32,
}

fn sixty() -> u32 {
    60
}

pub(super) fn one() -> f64 {
    1.0
}

impl EndpointSpec {
    /// `MetricsConfig`, as AWS takes it; absent where nothing is stated.
    pub(crate) fn metrics_config(&self) -> Option<serde_json::Value> {
        let MetricsSpec { enhanced, publish_seconds } = self.metrics?;
        Some(serde_json::json!({
            "EnableEnhancedMetrics": enhanced,
            "MetricPublishFrequencyInSeconds": publish_seconds,
        }))
    }
}
