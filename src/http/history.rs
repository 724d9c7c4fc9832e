//! `/api/v1/variants/E/V/history`: how a variant was hour by hour, and what happened to it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde::Deserialize;

use super::api::{ScopeQuery, find};
use super::problem::Problem;
use super::query::{Names, Strict};
use super::{App, leading};
use crate::model::span::parse_since;

/// How far back it goes when nobody says.
const DEFAULT_SPAN: TimeDelta = TimeDelta::days(7);

/// Since when, and what tells variants of one name apart.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    since: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
}

pub(super) async fn history(
    State(app): State<Arc<App>>,
    Names(endpoint, variant): Names,
    Strict(query): Strict<HistoryQuery>,
) -> Result<Response, Problem> {
    let fleet = leading::status(&app)?;
    let scope = ScopeQuery { account_id: query.account_id, region: query.region };
    let id = find(&fleet, &endpoint, &variant, &scope)?.snapshot.id.clone();
    let now = fleet.at.unwrap_or_default();
    let since = match &query.since {
        None => now - DEFAULT_SPAN,
        Some(text) => parse_since(text, now).map_err(Problem::bad_request)?,
    };
    match app.history.history(&id, since, now).await {
        Ok(Some(history)) => Ok(Json(history).into_response()),
        Ok(None) => {
            let sentence = format!("nothing is kept of {id} yet; ask again after the next pass");
            Err(Problem::new(StatusCode::NOT_FOUND, sentence))
        }
        Err(error) => {
            let sentence = format!("the history cannot be read now: {error}");
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence))
        }
    }
}
