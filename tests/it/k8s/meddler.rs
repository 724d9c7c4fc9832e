//! Somebody else, who writes to an object just before a client does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::cluster::{Cluster, request};
use super::real;

/// Hands requests on to the API server as the one they are from, and gets in their way when told.
pub(super) struct Meddler {
    /// Who the requests are from.
    client: kube::Client,
    /// Who writes in between.
    other: kube::Client,
    /// Updates that somebody else comes before, still to happen.
    pub(super) conflicts: AtomicU32,
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
        let meddler =
            Arc::new(Self { client, other: cluster.client(), conflicts: AtomicU32::new(0) });
        let app = Router::new().fallback(pass_on).with_state(Arc::clone(&meddler));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (meddler, library(address, &cluster.namespace))
    }
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
    let json = HeaderValue::from_static("application/json");
    let request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header(CONTENT_TYPE, headers.get(CONTENT_TYPE).cloned().unwrap_or(json))
        .body(body.to_vec())
        .unwrap();
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
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    let settings = setpoint::k8s::Settings {
        namespace: Some(namespace.to_owned()),
        pod_name: Some("setpoint-0".to_owned()),
    };
    setpoint::k8s::Cluster::new(client, &settings)
}
