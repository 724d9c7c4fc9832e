//! A recorder on the wire: a loopback proxy that notes every AWS operation that passes through it,
//! whoever sends it, and proves that nothing but reads did (rule 1 of the safety rules).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use tokio::sync::oneshot;

/// The largest body that is passed on.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The longest that the server behind may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The proxy; it ends with this value.
pub(crate) struct WireRecorder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _stop: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Wire {
    upstream: Arc<str>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl WireRecorder {
    /// Listens on a free port of loopback and passes everything on to `upstream`, a URL without a
    /// path. Runs on a thread of its own, so that it serves tests with and without a runtime.
    pub(crate) fn before(upstream: &str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let wire = Wire { upstream: upstream.trim_end_matches('/').into(), seen: seen.clone() };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let app = Router::new().fallback(pass_on).with_state(wire);
                tokio::select! {
                    served = axum::serve(listener, app) => served.unwrap(),
                    // Dropping the sender is the signal.
                    _ = stopped => {}
                }
            });
        });
        Self { address, seen, _stop: stop }
    }

    /// Where clients must connect to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The operations seen so far, in order. What is no AWS request is noted by method and path.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// What was seen beside Describe, List, Get and `AssumeRole` calls, in order.
    pub(crate) fn other_than_reads(&self) -> Vec<String> {
        self.operations().into_iter().filter(|operation| !is_read(operation)).collect()
    }

    /// Fails unless something was seen and all of it was Describe, List, Get or `AssumeRole` calls.
    pub(crate) fn assert_only_reads(&self) {
        assert!(!self.operations().is_empty(), "nothing passed the recorder: it proves nothing");
        let others = self.other_than_reads();
        assert!(others.is_empty(), "other calls than reads were sent: {others:?}");
    }
}

/// `AssumeRole` gives out keys and changes nothing. It is named in full: no other operation of STS
/// is meant.
fn is_read(operation: &str) -> bool {
    operation == "AssumeRole"
        || ["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb))
}

async fn pass_on(State(wire): State<Wire>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let name = operation(&parts.headers, parts.uri.path(), &body)
        .unwrap_or_else(|| format!("{} {path}", parts.method));
    wire.seen.lock().unwrap().push(name);
    let mut onward = axum::http::Request::builder()
        .method(parts.method)
        .uri(format!("{}{path}", wire.upstream))
        .body(body.to_vec())
        .unwrap();
    *onward.headers_mut() = without_hop_headers(&parts.headers);
    let answer = tokio::task::spawn_blocking(move || send(onward)).await.unwrap();
    answer.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(error));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

fn send(request: axum::http::Request<Vec<u8>>) -> Result<Response, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .allow_non_standard_methods(true)
        .build()
        .into();
    let mut answer = agent.run(request).map_err(|error| error.to_string())?;
    let body = answer.body_mut().read_to_vec().map_err(|error| error.to_string())?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = answer.status();
    *response.headers_mut() = without_hop_headers(answer.headers());
    Ok(response)
}

/// Headers of one connection, which the next one makes for itself.
fn without_hop_headers(headers: &HeaderMap<HeaderValue>) -> HeaderMap<HeaderValue> {
    let hop = ["connection", "content-length", "host", "keep-alive", "transfer-encoding"];
    let keep = |name: &HeaderName| !hop.contains(&name.as_str());
    headers.iter().filter(|(n, _)| keep(n)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// The name of the operation: awsJson's target header, RPC v2's path or Query's `Action`.
fn operation(headers: &HeaderMap<HeaderValue>, path: &str, body: &Bytes) -> Option<String> {
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return target.rsplit('.').next().map(str::to_owned);
    }
    if let Some((_, name)) = path.split_once("/operation/") {
        return Some(name.to_owned());
    }
    let text = std::str::from_utf8(body).ok()?;
    text.split('&').find_map(|pair| pair.strip_prefix("Action=")).map(str::to_owned)
}

#[test]
fn operations_are_known_in_every_protocol() {
    let mut headers = HeaderMap::new();
    let query = Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(operation(&headers, "/", &query).as_deref(), Some("GetCallerIdentity"));
    let path = "/service/GraniteServiceVersion20100801/operation/GetMetricData";
    assert_eq!(operation(&headers, path, &Bytes::new()).as_deref(), Some("GetMetricData"));
    headers.insert("x-amz-target", HeaderValue::from_static("SageMaker.ListEndpoints"));
    assert_eq!(operation(&headers, "/", &Bytes::new()).as_deref(), Some("ListEndpoints"));
}

#[test]
fn reads_are_told_from_writes() {
    for read in ["DescribeEndpoint", "ListTagsForResource", "GetMetricData", "AssumeRole"] {
        assert!(is_read(read), "{read}");
    }
    for other in [
        "PutScalingPolicy",
        "RegisterScalableTarget",
        "TagResource",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "assumerole",
        "POST /",
    ] {
        assert!(!is_read(other), "{other}");
    }
}
