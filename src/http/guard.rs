//! What every request passes: the bound on requests in flight, the token, the time limit.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::auth::Token;
use super::local;
use super::problem::Problem;
use super::{App, COMMAND_TIMEOUT, REQUEST_TIMEOUT};
use crate::serve::Connection;

const MAX_IN_FLIGHT: usize = 64;
/// The metrics of thousands of variants are megabytes, made once a pass: scrapes wait for each
/// other, and never for pages.
const SCRAPES_IN_FLIGHT: usize = 2;

/// Shared by all requests of a server.
#[derive(Clone)]
pub(super) struct Guard {
    permits: Arc<Semaphore>,
    scrapes: Arc<Semaphore>,
    token: Arc<Token>,
}

impl Guard {
    pub(super) fn new(app: &App) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            scrapes: Arc::new(Semaphore::new(SCRAPES_IN_FLIGHT)),
            token: Arc::new(Token::new(app.token_file.clone())),
        }
    }
}

/// The paths that machines must always have an answer of: a full house must not look like a dead
/// process.
pub(super) fn is_vital(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Lets a request through, or says why not.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // By prefix rather than by route: a command that is added later cannot forget it.
    let command = path.starts_with("/-/");
    // Before there is a place for it: whoever guesses is kept waiting, and nobody else.
    let connection = request.extensions().get::<Connection>();
    let from = connection.map(|connection| connection.peer().ip());
    if command
        && !local::may_look(&request, from)
        && let Err(problem) = guard.token.authorise(request.headers(), from).await
    {
        return problem.into_response();
    }
    let limit = if command { COMMAND_TIMEOUT } else { REQUEST_TIMEOUT };
    let (vital, scrape) = (is_vital(path), path == "/metrics");
    let answer = async {
        let _permit = match (vital, scrape) {
            (true, false) => None,
            (true, true) => guard.scrapes.acquire().await.ok(),
            (false, _) => match guard.permits.try_acquire() {
                Ok(permit) => Some(permit),
                Err(_) => return too_many_requests(),
            },
        };
        next.run(request).await
    };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_elapsed| {
        let later = if command { "; what was asked may still be done" } else { "" };
        let sentence = format!("no answer within {} s{later}", limit.as_secs());
        Problem::new(StatusCode::GATEWAY_TIMEOUT, sentence).into_response()
    })
}

fn too_many_requests() -> Response {
    let sentence = format!("{MAX_IN_FLIGHT} requests are being answered; try again");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, sentence).into_response()
}

/// Nothing is to be kept unless it says so itself, guessed at, framed or loaded from elsewhere.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
