//! STS: who calls, and the sessions of roles.

use chrono::TimeDelta;

use super::World;
use crate::api::{ApiError, ApiResult, Operation, cloudwatch as cw, sts};
use setpoint_core::model::time::Timestamp;

/// AWS's default length of a session, in seconds.
const SESSION_SECONDS: u32 = 3600;
/// Sessions kept; the oldest go first.
const SESSIONS_MAX: usize = 1000;

/// A session that was given out.
#[derive(Debug, Clone)]
pub(super) struct Session {
    token: String,
    expires: Timestamp,
}

impl World {
    #[expect(clippy::unnecessary_wraps, reason = "all operations have this form")]
    pub(crate) fn get_caller_identity(
        &mut self,
        _input: &cw::GetCallerIdentityInput,
    ) -> ApiResult<cw::GetCallerIdentityOutput> {
        let account = self.settings.account_id.to_string();
        Ok(cw::GetCallerIdentityOutput {
            user_id: "AROASIMULATED:setpoint".to_owned(),
            arn: format!("arn:aws:sts::{account}:assumed-role/simulated/setpoint"),
            account,
        })
    }

    pub(crate) fn assume_role(
        &mut self,
        input: &sts::AssumeRoleInput,
    ) -> ApiResult<sts::AssumeRoleOutput> {
        let invalid = |what: &str| {
            let message = format!("1 validation error detected: {what}");
            Err(ApiError::new("ValidationError", message))
        };
        if input.role_session_name.is_empty() {
            return invalid("Value null at 'roleSessionName' failed to satisfy constraint");
        }
        if input.duration_seconds.is_some_and(|seconds| !(900..=43200).contains(&seconds)) {
            return invalid("Value at 'durationSeconds' must be from 900 to 43200");
        }
        let role = self.settings.role.clone();
        let asked = role.as_ref().and_then(|role| role.external_id.as_deref());
        let trusted = asked.is_none() || asked == input.external_id.as_deref();
        let account = self.settings.account_id.as_str();
        let name = input
            .role_arn
            .strip_prefix(&format!("arn:aws:iam::{account}:role/"))
            .filter(|name| !name.is_empty() && trusted);
        let Some(name) = name else {
            // AWS does not say whether the role is not there or does not trust the caller.
            return Err(ApiError::with_status(
                "AccessDenied",
                format!(
                    "User: arn:aws:sts::{account}:assumed-role/hub/setpoint is not authorized to \
                     perform: sts:AssumeRole on resource: {}",
                    input.role_arn
                ),
                403,
            ));
        };
        let seconds = role.and_then(|role| role.session_seconds).or(input.duration_seconds);
        let expires = self.now + TimeDelta::seconds(seconds.unwrap_or(SESSION_SECONDS).into());
        let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{}", input.role_session_name);
        let id = self.random.uuid();
        let token = format!("session-{id}");
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.pop_front();
        }
        self.sessions.push_back(Session { token: token.clone(), expires });
        Ok(sts::AssumeRoleOutput {
            credentials: sts::SessionCredentials {
                access_key_id: format!("ASIA{}", id[..8].to_uppercase()),
                secret_access_key: format!("secret-{id}"),
                session_token: token,
                expiration: expires,
            },
            assumed_role_user: sts::AssumedRoleUser {
                assumed_role_id: format!("AROASIMULATED:{}", input.role_session_name),
                arn,
            },
        })
    }

    /// Lets a request with this session token in, or not. Only an account that is reached by its
    /// role looks at tokens.
    pub(crate) fn authorize(&self, operation: Operation, token: Option<&str>) -> ApiResult<()> {
        if self.settings.role.is_none() || operation == Operation::AssumeRole {
            return Ok(());
        }
        let denied = |code: &str, message: String| Err(ApiError::with_status(code, message, 403));
        let Some(token) = token else {
            let account = &self.settings.account_id;
            let name = operation.as_str();
            return denied(
                "AccessDeniedException",
                format!("the caller is not authorized to perform: {name} in account {account}"),
            );
        };
        match self.sessions.iter().find(|session| session.token == token) {
            None => denied(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.".to_owned(),
            ),
            Some(session) if session.expires <= self.now => denied(
                "ExpiredTokenException",
                "The security token included in the request is expired".to_owned(),
            ),
            Some(_) => Ok(()),
        }
    }
}
