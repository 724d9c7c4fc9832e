//! Somebody else, who writes to an object just before a client does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::cluster::{Cluster, request};
use super::real;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Passes,
    /// It passes two seconds later.
    Delayed,
    /// It is answered with this status, and goes no further.
    Refused(u16),
    /// It is carried out, and its answer is lost.
    Unanswered,
    /// It gets lost on the way, and arrives when it is let go.
    Held,
}

/// A request to an object: its method (`META` for a `GET` of the metadata alone) and the object's name.
pub(super) type Asked = (String, String);
/// Decides about a request.
pub(super) type Rule = Box<dyn FnMut(&str, &str) -> Fate + Send>;

/// Hands requests on to the API server as the one they are from, and gets in their way when told.
pub(super) struct Meddler {
    /// Who the requests are from.
    client: kube::Client,
    /// Who writes in between.
    other: kube::Client,
    /// Updates that somebody else comes before, still to happen.
    pub(super) conflicts: AtomicU32,
    rule: Mutex<Option<Rule>>,
    asked: Mutex<Vec<Asked>>,
    held: Mutex<Vec<http::Request<Vec<u8>>>>,
}

impl Meddler {
    /// Stands before this cluster, as the chart's service account when there is one; the client is
    /// what the library gets.
    pub(super) async fn before(cluster: &Cluster) -> (Arc<Self>, setpoint::k8s::Cluster) {
        let client = match real::kubeconfig() {
            Some(kubeconfig) => {
                let token =
                    real::token(&cluster.client(), &cluster.namespace, "setpoint", None).await;
                real::with_token(&kubeconfig, token).await
            }
            None => cluster.client(),
        };
        let meddler = Arc::new(Self {
            client,
            other: cluster.client(),
            conflicts: AtomicU32::new(0),
            rule: Mutex::default(),
            asked: Mutex::default(),
            held: Mutex::default(),
        });
        let app = Router::new().fallback(pass_on).with_state(Arc::clone(&meddler));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (meddler, library(address, &cluster.namespace))
    }

    /// From now on this decides what happens to each request, by its method and the object's name.
    pub(super) fn rule(&self, rule: impl FnMut(&str, &str) -> Fate + Send + 'static) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// From now on all pass.
    pub(super) fn stand_back(&self) {
        *self.rule.lock().unwrap() = None;
    }

    /// What has been asked for since this was last asked.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Lets what was held go; the status of each.
    pub(super) async fn let_go(&self) -> Vec<u16> {
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        let mut found = Vec::new();
        for request in held {
            let answer = self.client.request::<serde_json::Value>(request).await;
            found.push(match answer {
                Ok(_) => 200,
                Err(kube::Error::Api(status)) => status.code,
                Err(error) => panic!("{error}"),
            });
        }
        found
    }

    fn fate(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Fate {
        let partial = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
        let partial = partial.is_some_and(|accepted| accepted.contains("PartialObjectMetadata"));
        let method = if partial { "META" } else { method.as_str() };
        let name = match method {
            "POST" => {
                let object: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
                object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
            }
            _ => uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
        };
        let fate = self.rule.lock().unwrap().as_mut().map(|rule| rule(method, &name));
        self.asked.lock().unwrap().push((method.to_owned(), name));
        fate.unwrap_or(Fate::Passes)
    }
}

fn refusal(code: u16) -> Response {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": "Meddled", "message": "a meddler is in the way",
    });
    (StatusCode::from_u16(code).unwrap(), axum::Json(status)).into_response()
}

async fn pass_on(
    State(meddler): State<Arc<Meddler>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method == Method::PUT {
        let one_less = |left: u32| left.checked_sub(1);
        let comes_before =
            meddler.conflicts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        if comes_before.is_ok() {
            touch(&meddler.other, uri.path()).await;
        }
    }
    let fate = meddler.fate(&method, &uri, &headers, &body);
    let json = HeaderValue::from_static("application/json");
    let header = |name| headers.get(name).unwrap_or(&json).clone();
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header(CONTENT_TYPE, header(CONTENT_TYPE))
        .header(ACCEPT, header(ACCEPT))
        .body(body.to_vec())
        .unwrap();
    match fate {
        Fate::Passes => {}
        Fate::Delayed => tokio::time::sleep(std::time::Duration::from_secs(2)).await,
        Fate::Refused(code) => return refusal(code),
        Fate::Unanswered => {
            let _ = meddler.client.request::<serde_json::Value>(request).await;
            return refusal(504);
        }
        Fate::Held => {
            meddler.held.lock().unwrap().push(request);
            return refusal(504);
        }
    }
    match meddler.client.request::<serde_json::Value>(request).await {
        Ok(value) => axum::Json(value).into_response(),
        Err(kube::Error::Api(status)) => {
            (StatusCode::from_u16(status.code).unwrap(), axum::Json(status)).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Writes an object so that its version is another one.
async fn touch(client: &kube::Client, path: &str) {
    let mut object = request(client, "GET", path, None).await.unwrap();
    let before = object["metadata"]["annotations"]["touched"].as_str().unwrap_or_default();
    object["metadata"]["annotations"]["touched"] = format!("{before}.").into();
    request(client, "PUT", path, Some(&object)).await.unwrap();
}

/// A client of the library for this address.
fn library(address: SocketAddr, namespace: &str) -> setpoint::k8s::Cluster {
    let mut config = kube::Config::new(format!("http://{address}").parse().unwrap());
    // As `connect` does.
    config.default_retry = false;
    let client = kube::Client::try_from(config).unwrap();
    let settings = setpoint::k8s::Settings {
        namespace: Some(namespace.to_owned()),
        pod_name: Some("setpoint-0".to_owned()),
    };
    setpoint::k8s::Cluster::new(client, &settings)
}
