//! What CloudTrail has recorded of who called AWS.

use serde::Serialize;

use super::time::Timestamp;

/// The most calls that a look into CloudTrail answers with: four pages of 50.
pub const TRAIL_MAX: usize = 200;

/// One call that changed something, as CloudTrail recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrailEvent {
    /// When AWS took it, to the second.
    pub at: Timestamp,
    /// Such as `PutScalingPolicy`.
    pub operation: String,
    /// The resource that it named, such as `endpoint/E/variant/V`; absent when it named none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The ARN of the user or of the role's session, or the service that called.
    pub actor: String,
    /// The address or the AWS service that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip)]
    pub refused: bool,
}
