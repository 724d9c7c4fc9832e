//! One AWS request: read, checked, run on the world, answered, or broken on purpose.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::Shared;
use super::dispatch::{self, Failure};
use super::error::WireError;
use super::fault::WireFaultKind;
use super::protocol::{self, Call, Protocol};
use crate::api::{ApiError, Delivery, Operation};
use setpoint_core::ports::Service;
use setpoint_serve::Connection;

/// Largest body of a request, compressed or not. 500 metric queries are some 200 kB.
const BODY_MAX: usize = 4 * 1024 * 1024;
/// How long an answer that never comes is awaited before the connection is reset.
const SILENCE_MAX: Duration = Duration::from_mins(2);

/// Serves any request that is not for `/_sim/`.
pub(super) async fn aws(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    request: Request,
) -> Response {
    let number = shared.requests.fetch_add(1, Ordering::Relaxed);
    let request_id = format!("00000000-0000-4000-8000-{number:012x}");
    let (parts, body) = request.into_parts();
    let reader = match protocol::detect(&parts.method, &parts.uri, &parts.headers) {
        Ok(reader) => reader,
        Err(error) => {
            return protocol::refusal(Protocol::Json11, Service::SageMaker, &request_id, &error);
        }
    };
    let (protocol, service) = (reader.protocol, reader.service());
    let refuse = |error: &WireError| protocol::refusal(protocol, service, &request_id, error);
    if !is_signed(&parts.headers) {
        return refuse(&WireError::unsigned());
    }
    let call = match read_body(&parts.headers, body).await.and_then(|body| reader.read(&body)) {
        Ok(call) => call,
        Err(error) => return refuse(&error),
    };
    match dispatch::operation(&call) {
        Ok(operation) => {
            if let Err(error) = shared.sim.authorize(operation, session_token(&parts.headers)) {
                return refuse(&WireError::from(&error));
            }
            let exchange = Exchange { shared, connection, protocol, operation, request_id };
            exchange.run(call).await
        }
        Err(error) => protocol::refusal(protocol, call.service, &request_id, &error),
    }
}

/// Signatures are not verified; that there is one proves that the client signs.
fn is_signed(headers: &HeaderMap) -> bool {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    authorization.is_some_and(|value| value.starts_with("AWS4-"))
}

/// The token of a session of a role, which temporary keys come with.
fn session_token(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-security-token").and_then(|value| value.to_str().ok())
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, WireError> {
    let too_large = || {
        WireError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLargeException",
            format!("the body is larger than {BODY_MAX} bytes"),
        )
    };
    let body = axum::body::to_bytes(body, BODY_MAX).await.map_err(|_| too_large())?;
    match headers.get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body),
        Some(b"gzip") => {
            let mut plain = Vec::new();
            // One byte more than allowed tells a body that is too large.
            let decoder = flate2::read::GzDecoder::new(&body[..]);
            decoder
                .take(BODY_MAX as u64 + 1)
                .read_to_end(&mut plain)
                .map_err(|error| WireError::serialization(format!("not gzip: {error}")))?;
            if plain.len() > BODY_MAX { Err(too_large()) } else { Ok(plain.into()) }
        }
        Some(other) => Err(WireError::serialization(format!(
            "content-encoding {:?} (allowed: gzip, identity)",
            String::from_utf8_lossy(other)
        ))),
    }
}

/// A request whose operation is known.
struct Exchange {
    shared: Arc<Shared>,
    connection: Connection,
    protocol: Protocol,
    operation: Operation,
    request_id: String,
}

/// What became of a call in the world.
enum CallOutcome {
    /// The world was asked; the wire fault breaks its answer.
    Answered(Result<Value, Failure>, Option<WireFaultKind>),
    /// A wire fault came first.
    Broken(WireFaultKind),
}

impl Exchange {
    async fn run(&self, call: Call) -> Response {
        let (shared, operation) = (Arc::clone(&self.shared), self.operation);
        // The world is behind a lock and may have minutes to catch up on.
        let ran = tokio::task::spawn_blocking(move || {
            shared.pacer.catch_up(&shared.sim);
            match shared.faults.next(operation, shared.sim.now()) {
                Some(
                    fault @ (WireFaultKind::ConnectionReset | WireFaultKind::ServiceUnavailable),
                ) => CallOutcome::Broken(fault),
                fault => {
                    CallOutcome::Answered(dispatch::run(&shared.sim, operation, call.input), fault)
                }
            }
        });
        match ran.await {
            Ok(CallOutcome::Answered(result, None)) => self.respond(result).await,
            Ok(CallOutcome::Answered(result, Some(_))) => {
                truncated(self.respond(result).await).await
            }
            Ok(CallOutcome::Broken(WireFaultKind::ServiceUnavailable)) => unavailable(),
            Ok(CallOutcome::Broken(_)) => self.reset(),
            Err(error) => {
                let message = format!("the embedded AWS failed: {error}");
                let error = ApiError::with_status("InternalFailure", message, 500);
                self.refuse(&WireError::from(&error))
            }
        }
    }

    async fn respond(&self, result: Result<Value, Failure>) -> Response {
        match result {
            Ok(output) => protocol::answer(
                self.protocol,
                self.operation.service(),
                self.operation.as_str(),
                &self.request_id,
                &output,
            ),
            Err(Failure::Refused(error)) => self.refuse(&error),
            Err(Failure::World(error)) => match error.delivery {
                Delivery::Answer => self.refuse(&WireError::from(&error)),
                Delivery::Silence => self.silence().await,
                Delivery::Garbage => {
                    protocol::garbage(self.protocol, &self.request_id, error.message)
                }
            },
        }
    }

    fn refuse(&self, error: &WireError) -> Response {
        protocol::refusal(self.protocol, self.operation.service(), &self.request_id, error)
    }

    /// Never answers, but not for ever: a client without a time-out must not hang a test.
    async fn silence(&self) -> Response {
        tokio::select! {
            () = tokio::time::sleep(SILENCE_MAX) => {}
            () = self.shared.stopped() => {}
        }
        self.reset()
    }

    fn reset(&self) -> Response {
        self.connection.reset();
        Response::default()
    }
}

fn unavailable() -> Response {
    let page = "<html><body><h1>503 Service Unavailable</h1></body></html>\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/html")], page).into_response()
}

/// The first half of an answer that promises to be whole; then the connection ends.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // The body is in memory already, so that reading it neither fails nor waits.
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, whole.len().into());
    let half = whole.slice(..whole.len() / 2);
    let end = async {
        // Lets the server send the first half before it learns of the end.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    };
    let chunks = stream::iter([Ok(half)]).chain(stream::once(end));
    Response::from_parts(parts, Body::from_stream(chunks))
}
