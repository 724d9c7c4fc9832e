//! The path that a proxy serves everything under. What comes under it is answered as what comes
//! without: a proxy may leave the prefix on or take it off, and Prometheus and probes never have it.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::map_request_with_state;

/// These routes, under the base path too. The prefix goes before anything looks at the path: what
/// needs a token under `/-/` needs it under the prefix.
pub(super) fn under(base_path: &str, routes: Router) -> Router {
    if base_path.is_empty() {
        return routes;
    }
    Router::new()
        .fallback_service(routes)
        .layer(map_request_with_state(base_path.to_owned(), without_prefix))
}

async fn without_prefix(State(base_path): State<String>, mut request: Request) -> Request {
    if let Some(uri) = stripped(request.uri(), &base_path) {
        *request.uri_mut() = uri;
    }
    request
}

/// The address without the prefix; none where it does not have it.
fn stripped(uri: &Uri, base_path: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(base_path)?;
    // `/setpointer` is not below `/setpoint`.
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let path = if rest.is_empty() { "/" } else { rest };
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_taken_off_once_and_only_where_it_is_one() {
        let strip = |path: &str| {
            let uri: Uri = path.parse().unwrap();
            stripped(&uri, "/ops/setpoint").map(|uri| uri.to_string())
        };
        assert_eq!(strip("/ops/setpoint").as_deref(), Some("/"));
        assert_eq!(strip("/ops/setpoint?q=a").as_deref(), Some("/?q=a"));
        assert_eq!(strip("/ops/setpoint/").as_deref(), Some("/"));
        assert_eq!(strip("/ops/setpoint/-/pause?x=1").as_deref(), Some("/-/pause?x=1"));
        let twice = "/ops/setpoint/ops/setpoint/x";
        assert_eq!(strip(twice).as_deref(), Some("/ops/setpoint/x"));
        for other in ["/", "/metrics", "/ops/setpointer", "/ops", "/OPS/setpoint"] {
            assert_eq!(strip(other), None, "{other}");
        }
    }
}
