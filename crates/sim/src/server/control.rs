//! `/_sim/`: the world's own face: time, faults and the truth. No AWS.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use chrono::{SecondsFormat, TimeDelta};
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::Shared;
use super::fault::{WireFault, WireFaultKind};
use crate::fault::Fault;
use setpoint_core::model::time::Timestamp;

/// Most virtual seconds of one `POST /_sim/advance`: a week.
const ADVANCE_SECONDS_MAX: u32 = 7 * 86_400;
/// The virtual time after which a long advance lets others have the world for a moment.
const SLICE: TimeDelta = TimeDelta::minutes(10);

/// `GET /_sim/healthz`: answers without waiting for the world.
pub(super) async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    let now = *shared.sim.subscribe().borrow();
    Json(json!({"status": "ok", "now": spelled(now)})).into_response()
}

/// `GET /_sim/state`: the truth, how often each operation was called, the writes, the faults.
pub(super) async fn state(State(shared): State<Arc<Shared>>) -> Response {
    blocking(move || {
        shared.pacer.catch_up(&shared.sim);
        let mut state = shared.sim.state();
        if let Value::Object(members) = &mut state {
            members.insert("wire_faults".to_owned(), shared.faults.state());
            members.insert("speed".to_owned(), shared.pacer.speed().into());
        }
        Json(state).into_response()
    })
    .await
}

/// `POST /_sim/advance?seconds=N`: moves the world on, answers when it is there.
pub(super) async fn advance(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let seconds = match seconds_of(uri.query().unwrap_or_default()) {
        Ok(seconds) => seconds,
        Err(error) => return refusal(&error),
    };
    blocking(move || {
        let until = shared.sim.now() + TimeDelta::seconds(i64::from(seconds));
        let mut now = shared.sim.now();
        while now < until {
            shared.sim.run_until((now + SLICE).min(until));
            now += SLICE;
        }
        Json(json!({"now": spelled(shared.sim.now())})).into_response()
    })
    .await
}

fn seconds_of(query: &str) -> Result<u32, String> {
    let found = query.split('&').find_map(|pair| pair.strip_prefix("seconds="));
    let seconds = found.and_then(|text| text.parse().ok());
    seconds.filter(|s| (1..=ADVANCE_SECONDS_MAX).contains(s)).ok_or_else(|| {
        let found = found.unwrap_or("nothing");
        format!("seconds: found {found} (allowed: a whole number, 1 to {ADVANCE_SECONDS_MAX})")
    })
}

/// `POST /_sim/fault`: lets something go wrong, in the world or on the wire.
pub(super) async fn inject(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    blocking(move || {
        let injected = parse_fault(&body).and_then(|fault| match fault {
            Injected::Wire(fault) => shared.faults.inject(fault, shared.sim.now()),
            Injected::World(fault) => {
                shared.sim.inject(*fault);
                Ok(())
            }
        });
        match injected {
            Ok(()) => {
                Json(json!({"injected": true, "now": spelled(shared.sim.now())})).into_response()
            }
            Err(error) => refusal(&error),
        }
    })
    .await
}

enum Injected {
    Wire(WireFault),
    World(Box<Fault>),
}

fn parse_fault(body: &[u8]) -> Result<Injected, String> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| format!("the body is not JSON: {error} (allowed: one fault)"))?;
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    if WireFaultKind::WORDS.contains(&kind) {
        return serde_json::from_value(value)
            .map(Injected::Wire)
            .map_err(|error| format!("fault: {error}"));
    }
    let fault: Fault = serde_json::from_value(value).map_err(|error| {
        let wire = WireFaultKind::WORDS.join(", ");
        format!("fault: {error} (on the wire: {wire})")
    })?;
    fault.check().map_err(|error| error.to_string())?;
    Ok(Injected::World(Box::new(fault)))
}

/// Anything else under `/_sim/`.
pub(super) async fn not_found(uri: Uri) -> Response {
    let error = format!(
        "no {} (there are: GET /_sim/healthz, GET /_sim/state, POST /_sim/advance?seconds=N, \
         POST /_sim/fault)",
        uri.path()
    );
    (StatusCode::NOT_FOUND, Json(json!({"error": error}))).into_response()
}

fn refusal(error: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": error}))).into_response()
}

fn spelled(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Runs what waits for the world's lock away from the threads that serve.
async fn blocking(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let error = format!("the embedded AWS failed: {error}");
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": error}))).into_response()
    })
}
