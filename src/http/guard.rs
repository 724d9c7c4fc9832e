//! What every request passes: the bound on requests in flight, the token, the time limit.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::problem::Problem;
use super::{App, COMMAND_TIMEOUT, REQUEST_TIMEOUT, auth};

const MAX_IN_FLIGHT: usize = 64;

/// Shared by all requests of a server.
#[derive(Clone)]
pub(super) struct Guard {
    permits: Arc<Semaphore>,
    token_file: Option<PathBuf>,
}

impl Guard {
    pub(super) fn new(app: &App) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            token_file: app.token_file.clone(),
        }
    }
}

/// Lets a request through, or says why not.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // A full house must not look like a dead process.
    let probe = matches!(path, "/healthz" | "/readyz");
    let Some(_permit) =
        (if probe { Some(None) } else { guard.permits.try_acquire().ok().map(Some) })
    else {
        let sentence = format!("{MAX_IN_FLIGHT} requests are being answered; try again");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence).into_response();
    };
    // By prefix rather than by route: a command that is added later cannot forget it.
    let command = path.starts_with("/-/");
    if command
        && let Err(problem) = auth::authorise(guard.token_file.as_deref(), request.headers()).await
    {
        return problem.into_response();
    }
    let limit = if command { COMMAND_TIMEOUT } else { REQUEST_TIMEOUT };
    let answer = tokio::time::timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|_elapsed| {
        let later = if command { "; what was asked may still be done" } else { "" };
        let sentence = format!("no answer within {} s{later}", limit.as_secs());
        Problem::new(StatusCode::GATEWAY_TIMEOUT, sentence).into_response()
    })
}

/// Nothing is to be kept, guessed at, framed or loaded from elsewhere.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
