//! The commands under `/-/`. The guard has checked the token before any of these run.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::query::{Body, Nothing, Strict};
use super::{App, PauseRequest, Selector};
use crate::model::fact::Why;
use crate::model::ids::{AccountId, Region, Scope};
use crate::model::time::Timestamp;
use crate::render::proof::Checked;

/// The longest reason of a pause, in characters.
const MAX_REASON: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseBody {
    until: Timestamp,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmBody {
    plan_id: String,
}

/// Loads the configuration again.
pub(super) async fn reload(
    State(app): State<Arc<App>>,
    Strict(Nothing {}): Strict<Nothing>,
) -> Result<Response, Problem> {
    app.control.reload().await.map_err(|problems| {
        let sentence = "the configuration was not loaded; the one before stays in force";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, sentence).with("problems", problems)
    })?;
    Ok(done())
}

/// What a pass that was asked for came to, with the proof.
#[derive(Serialize)]
struct CheckedList<'a> {
    began_at: Timestamp,
    variants: Vec<Checked<'a>>,
    /// The accounts and regions that could not be listed: what is asked for may not be all there is.
    unreadable: Vec<Unreadable<'a>>,
}

#[derive(Serialize)]
struct Unreadable<'a> {
    account_id: &'a AccountId,
    region: &'a Region,
    why: &'a Why,
}

/// Makes a pass now, and proves it.
pub(super) async fn reconcile(
    State(app): State<Arc<App>>,
    Strict(selector): Strict<Selector>,
) -> Result<Response, Problem> {
    let made = app.control.reconcile(&checked(selector)?).await?;
    let began_at = made.began_at;
    let variants = made.variants.iter().map(|status| Checked::of(status, began_at)).collect();
    let unreadable = made.unreadable.iter().map(|(Scope { account_id, region }, why)| Unreadable {
        account_id,
        region,
        why,
    });
    let unreadable = unreadable.collect();
    Ok(Json(CheckedList { began_at, variants, unreadable }).into_response())
}

/// Holds writes until a time.
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    Strict(selector): Strict<Selector>,
    Body(PauseBody { until, reason }): Body<PauseBody>,
) -> Result<Response, Problem> {
    let length = reason.chars().count();
    if reason.trim().is_empty() || length > MAX_REASON {
        let sentence = format!("body: reason has {length} characters (allowed: 1 to {MAX_REASON})");
        return Err(Problem::bad_request(sentence));
    }
    let request = PauseRequest { selector: checked(selector)?, until, reason };
    Ok(done_with(app.control.pause(&request).await?))
}

/// Ends a pause.
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Strict(selector): Strict<Selector>,
) -> Result<Response, Problem> {
    Ok(done_with(app.control.resume(&checked(selector)?).await?))
}

/// Lets a held plan for many variants go ahead, as it was shown.
pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    Strict(Nothing {}): Strict<Nothing>,
    Body(ConfirmBody { plan_id }): Body<ConfirmBody>,
) -> Result<Response, Problem> {
    Ok(done_with(app.control.confirm(&plan_id).await?))
}

/// A variant name alone would mean every `AllTraffic` there is.
fn checked(selector: Selector) -> Result<Selector, Problem> {
    if selector.variant.is_some() && selector.endpoint.is_none() {
        return Err(Problem::bad_request("query: variant needs endpoint"));
    }
    Ok(selector)
}

/// `{"ok": true}` and what the command came to.
fn done_with(came_to: impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Done<T> {
        ok: bool,
        #[serde(flatten)]
        came_to: T,
    }
    Json(Done { ok: true, came_to }).into_response()
}

fn done() -> Response {
    Json(serde_json::json!({ "ok": true })).into_response()
}
