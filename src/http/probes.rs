//! `/healthz`, `/readyz` and `/metrics`: for machines that pass whatever parameters they like.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
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

/// Everything that is registered.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let registry = app.registry.clone();
    // Thousands of variants are too much for a thread that others wait for.
    let encoded = tokio::task::spawn_blocking(move || crate::metrics::text(&registry)).await;
    match encoded {
        Ok(Ok(text)) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> Response {
    tracing::error!(why, "metrics could not be encoded");
    let sentence = format!("metrics could not be encoded: {why}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response()
}
