//! `/healthz`, `/readyz` and `/metrics`: for machines that pass whatever parameters they like.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::Problem;
use crate::render::trouble::troubles;

/// Whether passes come to their ends.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Response {
    match app.health.silent_too_long(Instant::now()) {
        None => (StatusCode::OK, "alive\n").into_response(),
        Some(silence) => {
            let sentence = format!("no pass has ended for {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, sentence).into_response()
        }
    }
}

/// Whether the process can do its work.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let (ready, sentence) = app.health.readiness().answer();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = format!("{sentence}\n");
    // It stays ready: another process would see no more, and without a pod nobody says it.
    if ready {
        for trouble in troubles(&app.status.fleet()) {
            let _ = writeln!(body, "{trouble}");
        }
    }
    (status, body).into_response()
}

/// Everything that is registered, compressed for whoever takes that: Prometheus does.
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let exposition = Arc::clone(&app.exposition);
    let compressed = takes_gzip(&headers);
    // Thousands of variants are too much for a thread that others wait for.
    let encoded = tokio::task::spawn_blocking(move || {
        if compressed {
            return exposition.gzip().map(Body::from);
        }
        exposition.pieces().map(|pieces| Body::from_stream(futures::stream::iter(pieces)))
    });
    let encoded = encoded.await.map(|made| made.map_err(|error| error.to_string()));
    let body = match encoded {
        Ok(Ok(body)) => body,
        Ok(Err(why)) => return failed(&why),
        Err(error) => return failed(&error.to_string()),
    };
    let headers = [(CONTENT_TYPE, prometheus::TEXT_FORMAT), (VARY, "accept-encoding")];
    if compressed {
        (headers, [(CONTENT_ENCODING, "gzip")], body).into_response()
    } else {
        (headers, body).into_response()
    }
}

/// Whether the client takes gzip, by `Accept-Encoding` (RFC 9110, section 12.5.3). What is named counts
/// more than `*`, and a weight of 0 is a refusal.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let (mut named, mut any) = (None, None);
    for coding in codings {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f64>);
        let wanted = weight.is_ok_and(|weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") => named = Some(wanted),
            "*" => any = Some(wanted),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

fn failed(why: &str) -> Response {
    tracing::error!(why, "metrics could not be encoded");
    let sentence = format!("metrics could not be encoded: {why}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response()
}
