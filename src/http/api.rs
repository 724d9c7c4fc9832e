//! What the last pass knew and decided about one variant, and what is made of all of them, in the
//! shape of `docs/api.md`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::query::{Names, Nothing, Strict};
use super::{App, leading};
use crate::model::ids::VariantId;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::recommend::Recommendation;
use crate::render::explain::Explanation;
use crate::render::trouble::{ScopeView, scopes};
use crate::render::view::VariantDetail;
use crate::report::{Ask, DEFAULT_IDLE_DAYS, Report, report as make_report};

/// What tells variants of one name apart.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeQuery {
    pub(super) account_id: Option<String>,
    pub(super) region: Option<String>,
}

fn encoded(body: Result<serde_json::Result<Vec<u8>>, tokio::task::JoinError>) -> Response {
    match body {
        Ok(Ok(body)) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Ok(Err(error)) => not_encoded(&error.to_string()).into_response(),
        Err(error) => not_encoded(&error.to_string()).into_response(),
    }
}

/// After how many days without an invocation a variant is called idle.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    idle_days: Option<u16>,
}

#[derive(Serialize)]
struct ReportAnswer<'a> {
    report: Report,
    scopes: Vec<ScopeView<'a>>,
}

/// What the fleet wastes and risks.
pub(super) async fn report(
    State(app): State<Arc<App>>,
    Strict(query): Strict<ReportQuery>,
) -> Result<Response, Problem> {
    let fleet = leading::status(&app)?;
    let days = i64::from(query.idle_days.unwrap_or(DEFAULT_IDLE_DAYS));
    let encode = move || {
        let ask = Ask { prices: &fleet.prices, idle_after: TimeDelta::days(days) };
        let answer =
            ReportAnswer { report: make_report(&fleet, ask, |_| true), scopes: scopes(&fleet) };
        serde_json::to_vec(&answer)
    };
    Ok(encoded(tokio::task::spawn_blocking(encode).await))
}

#[derive(Serialize)]
struct RecommendationList<'a> {
    recommendations: Vec<Recommendation>,
    scopes: Vec<ScopeView<'a>>,
}

/// What the scaling of each variant should be, in the order of their ids.
pub(super) async fn recommendations(
    State(app): State<Arc<App>>,
    Strict(Nothing {}): Strict<Nothing>,
) -> Result<Response, Problem> {
    let fleet = leading::status(&app)?;
    let encode = move || {
        let all = fleet.variants.values().map(|status| Recommendation::of(status)).collect();
        let scopes = scopes(&fleet);
        serde_json::to_vec(&RecommendationList { recommendations: all, scopes })
    };
    Ok(encoded(tokio::task::spawn_blocking(encode).await))
}

/// One variant, in full.
pub(super) async fn variant(
    State(app): State<Arc<App>>,
    Names(endpoint, variant): Names,
    Strict(scope): Strict<ScopeQuery>,
) -> Result<Response, Problem> {
    let status = find(&*leading::status(&app)?, &endpoint, &variant, &scope)?;
    // The estimator may lie on a disk, which may be slow.
    let encode = move || serde_json::to_vec(&VariantDetail::of(&status));
    Ok(encoded(tokio::task::spawn_blocking(encode).await))
}

/// Why one variant is as it is, step by step.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Names(endpoint, variant): Names,
    Strict(scope): Strict<ScopeQuery>,
) -> Result<Response, Problem> {
    let status = find(&*leading::status(&app)?, &endpoint, &variant, &scope)?;
    Ok(Json(Explanation::of(&status)).into_response())
}

/// The one variant of that name.
pub(super) fn find(
    fleet: &FleetStatus,
    endpoint: &str,
    variant: &str,
    scope: &ScopeQuery,
) -> Result<Arc<VariantStatus>, Problem> {
    let fits = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|w| w == own);
    let matches = |id: &VariantId| {
        id.endpoint.as_str() == endpoint
            && id.variant.as_str() == variant
            && fits(&scope.account_id, id.account_id.as_str())
            && fits(&scope.region, id.region.as_str())
    };
    let found: Vec<(&VariantId, &Arc<VariantStatus>)> =
        fleet.variants.iter().filter(|(id, _)| matches(id)).collect();
    match found.as_slice() {
        [(_, status)] => Ok(Arc::clone(status)),
        [] => Err(not_found(fleet, endpoint, variant, scope)),
        several => {
            let candidates: Vec<serde_json::Value> =
                several.iter().filter_map(|(id, _)| serde_json::to_value(id).ok()).collect();
            let sentence = format!(
                "{} variants are called {endpoint}/{variant}; add account_id or region",
                several.len()
            );
            Err(Problem::new(StatusCode::CONFLICT, sentence).with("candidates", candidates))
        }
    }
}

/// Where an account and region that it may be in cannot be read, nobody knows whether it exists.
fn not_found(fleet: &FleetStatus, endpoint: &str, variant: &str, wanted: &ScopeQuery) -> Problem {
    let fits = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|w| w == own);
    let unreadable: Vec<String> = fleet
        .unreadable()
        .filter(|(scope, _)| {
            fits(&wanted.account_id, scope.account_id.as_str())
                && fits(&wanted.region, scope.region.as_str())
        })
        .map(|(scope, _)| scope.to_string())
        .collect();
    let mut sentence =
        format!("no variant {endpoint}/{variant} is known; /api/v1/variants lists all");
    if !unreadable.is_empty() {
        let unreadable = unreadable.join(", ");
        sentence = format!("{sentence}. It may exist all the same: {unreadable} cannot be read");
    }
    if let Some(shard) = &fleet.shard {
        sentence = format!("{sentence}. Another shard may have it: {}", shard.whose());
    }
    Problem::new(StatusCode::NOT_FOUND, sentence)
}

/// A bug of ours.
pub(super) fn not_encoded(why: &str) -> Problem {
    tracing::error!(why, "an answer could not be encoded");
    let sentence = format!("the answer could not be encoded: {why}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
}
