//! `/api/v1/plan`: what `setpoint plan` would say, as of the last pass.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::api::not_encoded;
use super::problem::Problem;
use super::query::{Nothing, Strict};
use super::{App, leading};
use crate::model::time::Timestamp;
use crate::render::plan;

#[derive(Serialize)]
struct PlanAnswer {
    /// When the pass began.
    at: Option<Timestamp>,
    /// The diff for people, without colours.
    text: String,
    /// The same for programs.
    plan: serde_json::Value,
}

/// The plan of the last pass.
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Strict(Nothing {}): Strict<Nothing>,
) -> Result<Response, Problem> {
    let fleet = leading::status(&app)?;
    let made = tokio::task::spawn_blocking(move || {
        let text = plan::without_colours(&plan::text(&fleet));
        PlanAnswer { at: fleet.at, text, plan: plan::json(&fleet) }
    });
    Ok(match made.await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => not_encoded(&error.to_string()).into_response(),
    })
}
