//! The shapes of STS's `AssumeRole`.

use serde::{Deserialize, Serialize};

use super::epoch;
use setpoint_core::model::time::Timestamp;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AssumeRoleInput {
    pub role_arn: String,
    pub role_session_name: String,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
    /// How long the session lasts: 900 to 43200, 3600 by default.
    pub duration_seconds: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRoleOutput {
    pub credentials: SessionCredentials,
    pub assumed_role_user: AssumedRoleUser,
}

/// Temporary keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionCredentials {
    pub access_key_id: String,
    /// The secret access key. It opens nothing: signatures are not verified.
    pub secret_access_key: String,
    /// The token that every request of the session carries.
    pub session_token: String,
    #[serde(with = "epoch")]
    pub expiration: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumedRoleUser {
    pub assumed_role_id: String,
    pub arn: String,
}
