//! What a process answers that has no variants to show: it follows another one, or its first pass has
//! not ended. An empty fleet would look like one without a problem.

use std::sync::Arc;

use axum::http::StatusCode;

use super::App;
use super::problem::Problem;
use crate::model::leader::Leader;
use crate::model::status::FleetStatus;

/// When to ask a follower again, in seconds: by then it may lead itself, or know who does (the
/// default of `kubernetes.lease_duration_seconds`).
const FOLLOWER_RETRY_SECONDS: u32 = 15;
/// When to ask again a process that makes its first pass, in seconds: a pass over a small fleet takes
/// as long.
const STARTING_RETRY_SECONDS: u32 = 5;

pub trait Leading: Send + Sync {
    /// The process that this one follows; absent while it leads itself.
    fn follows(&self) -> Option<Leader>;
}

pub(super) fn status(app: &App) -> Result<Arc<FleetStatus>, Problem> {
    if let Some(leader) = app.leading.follows() {
        let sentence = match (&leader.pod, &leader.url) {
            (Some(pod), Some(url)) => {
                format!("this process is a follower and shows nothing: {pod} leads, at {url}")
            }
            (Some(pod), None) => {
                format!("this process is a follower and shows nothing: {pod} leads")
            }
            (None, _) => {
                "this process is a follower and shows nothing: no leader is known".to_owned()
            }
        };
        let leader = serde_json::to_value(leader).unwrap_or_default();
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
            .with("leader", leader)
            .retry_after(FOLLOWER_RETRY_SECONDS));
    }
    let fleet = app.status.fleet();
    if fleet.at.is_none() {
        let sentence = "the first pass has not ended, so nothing is known yet";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
            .retry_after(STARTING_RETRY_SECONDS));
    }
    Ok(fleet)
}

/// When to ask a process again that cannot carry out a command now, in seconds.
pub(super) const COMMAND_RETRY_SECONDS: u32 = FOLLOWER_RETRY_SECONDS;
