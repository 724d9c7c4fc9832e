//! The status page, the page of a variant, and the files that they load.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{RawQuery as Query, State};
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::uri::PathAndQuery;
use axum::response::{Html, IntoResponse};
use chrono::TimeDelta;

use super::api::{ScopeQuery, find};
use super::problem::Problem;
use super::query::{Names, Strict};
use super::{App, leading};
use crate::model::status::FleetStatus;
use crate::render::page::fleet::fleet_page;
use crate::render::page::query::{FleetQuery, RawQuery};
use crate::render::page::variant::variant_page;
use crate::render::page::{ASSETS_VERSION, Age, ICON, SCRIPT, STYLE, Site};
use crate::render::trouble::follower_page;
use crate::report::{Ask, DEFAULT_IDLE_DAYS, at_stake};

/// Without a version in its address, a file may be another one after an update: it is asked for again.
const KEPT_A_WHILE: &str = "max-age=600";
/// By the address of its version a file never changes; a year is the most that browsers keep one.
const KEPT_FOR_GOOD: &str = "max-age=31536000, immutable";

/// So much of the past is on a variant's page: as much as an estimate rests on.
const PAST_SHOWN: TimeDelta = TimeDelta::days(14);

/// The variants that are asked for, worst first unless told otherwise.
pub(super) async fn fleet(
    State(app): State<Arc<App>>,
    Strict(raw): Strict<RawQuery>,
) -> Result<Html<String>, Problem> {
    let query = FleetQuery::parse(raw).map_err(Problem::bad_request)?;
    if let Some(leader) = app.leading.follows() {
        return Ok(Html(follower_page(&app.site, &leader, "/")));
    }
    let fleet = app.status.fleet();
    page(move || {
        let ask = Ask {
            prices: &fleet.prices,
            idle_after: TimeDelta::days(i64::from(DEFAULT_IDLE_DAYS)),
        };
        let at_stake = at_stake(&fleet, ask).map(Arc::new);
        fleet_page(&Site { at_stake, ..site_now(&app, &fleet) }, &fleet, &query)
    })
    .await
}

/// A page, made where it may take its time: thousands of variants, or a picture from a slow disk, are too much
/// for a thread that others wait for.
async fn page(make: impl FnOnce() -> String + Send + 'static) -> Result<Html<String>, Problem> {
    tokio::task::spawn_blocking(make).await.map(Html).map_err(|error| {
        tracing::error!(%error, "a page could not be made");
        let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, format!("the page could not be made: {error}"))
    })
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
        return Ok(Html(follower_page(&app.site, &leader, path)));
    }
    let fleet = leading::status(&app)?;
    let status = find(&fleet, &endpoint, &variant, &scope)?;
    let now = status.last_pass;
    let history = app.history.history(&status.snapshot.id, now - PAST_SHOWN, now).await;
    let history = history.unwrap_or_else(|error| {
        // The page has the rest; what is wrong with the history is a banner of the fleet's page.
        tracing::warn!(%error, "a variant's page is shown without its past");
        None
    });
    page(move || variant_page(&site_now(&app, &fleet), &status, history.as_ref())).await
}

/// The site, with how old what it shows is now, and what it has cost.
fn site_now(app: &App, fleet: &FleetStatus) -> Site {
    let now = Instant::now();
    let seconds = app.health.since_last_beat(now).as_secs();
    let late = app.health.silent_too_long(now).is_some();
    let age = Some(Age { seconds, late });
    Site { age, month_cost: fleet.month_cost, saving: fleet.saving, ..app.site.clone() }
}

pub(super) async fn style(Query(query): Query) -> impl IntoResponse {
    file("text/css; charset=utf-8", STYLE, query.as_deref())
}

/// What refreshes them.
pub(super) async fn script(Query(query): Query) -> impl IntoResponse {
    file("text/javascript; charset=utf-8", SCRIPT, query.as_deref())
}

pub(super) async fn icon(Query(query): Query) -> impl IntoResponse {
    file("image/svg+xml", ICON, query.as_deref())
}

fn file(
    content_type: &'static str,
    content: &'static str,
    query: Option<&str>,
) -> ([(HeaderName, &'static str); 2], &'static str) {
    // While an update rolls out, a page of the other version may ask here: that is not kept for good.
    let version = query.and_then(|query| query.strip_prefix("v="));
    let own = version == Some(ASSETS_VERSION.as_str());
    let kept = if own { KEPT_FOR_GOOD } else { KEPT_A_WHILE };
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, kept)], content)
}
