//! The status page and the page of a variant.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::Html;
use serde::Deserialize;

use super::api::{ScopeQuery, find};
use super::problem::Problem;
use super::query::{Names, Strict};
use super::{App, leading};
use crate::render::Standing;
use crate::render::fleet_page::{Filter, fleet_page};
use crate::render::trouble::follower_page;
use crate::render::variant_page::variant_page;

/// What the form of the page sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetQuery {
    #[serde(default)]
    q: String,
    /// Empty is all.
    #[serde(default)]
    standing: String,
}

/// All variants, worst first.
pub(super) async fn fleet(
    State(app): State<Arc<App>>,
    Strict(query): Strict<FleetQuery>,
) -> Result<Html<String>, Problem> {
    let standing = Standing::ALL.into_iter().find(|standing| standing.as_str() == query.standing);
    if standing.is_none() && !query.standing.is_empty() {
        let allowed = Standing::ALL.map(Standing::as_str).join(", ");
        let found = query.standing;
        let sentence = format!("query: standing {found:?} is not one of {allowed}");
        return Err(Problem::bad_request(sentence));
    }
    if let Some(leader) = app.leading.follows() {
        return Ok(Html(follower_page(&leader, "/")));
    }
    let filter = Filter { text: query.q, standing };
    Ok(Html(fleet_page(&app.status.fleet(), &filter)))
}

/// The whole decision about one variant.
pub(super) async fn variant(
    State(app): State<Arc<App>>,
    Names(endpoint, variant): Names,
    Strict(scope): Strict<ScopeQuery>,
    uri: Uri,
) -> Result<Html<String>, Problem> {
    if let Some(leader) = app.leading.follows() {
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        return Ok(Html(follower_page(&leader, path)));
    }
    let status = find(&*leading::status(&app)?, &endpoint, &variant, &scope)?;
    Ok(Html(variant_page(&status)))
}
