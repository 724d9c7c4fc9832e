//! As much of a Kubernetes API server as Leases, `ConfigMap`s and Events need: versions that guard
//! updates, 404 and 409, and a switch that cuts one client off.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};

/// What the server keeps; all its faces show the same.
#[derive(Default)]
pub(super) struct Store {
    objects: Mutex<BTreeMap<(String, String), Value>>,
    versions: Mutex<u64>,
    /// Updates that somebody else comes before, still to happen.
    pub(super) conflicts: Mutex<u32>,
}

impl Store {
    fn next_version(&self) -> String {
        let mut last = self.versions.lock().unwrap();
        *last += 1;
        last.to_string()
    }

    /// An object, such as `("leases", "setpoint")`.
    pub(super) fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(&(kind.to_owned(), name.to_owned())).cloned()
    }

    pub(super) fn put(&self, kind: &str, name: &str, mut object: Value) -> Value {
        object["metadata"]["name"] = json!(name);
        object["metadata"]["resourceVersion"] = json!(self.next_version());
        let key = (kind.to_owned(), name.to_owned());
        self.objects.lock().unwrap().insert(key, object.clone());
        object
    }

    pub(super) fn all(&self, kind: &str) -> Vec<Value> {
        let objects = self.objects.lock().unwrap();
        objects.iter().filter(|((k, _), _)| k == kind).map(|(_, v)| v.clone()).collect()
    }

    fn replace(&self, kind: &str, name: &str, object: Value) -> Response {
        let Some(old) = self.get(kind, name) else { return status(404) };
        let mut conflicts = self.conflicts.lock().unwrap();
        if *conflicts > 0 {
            *conflicts -= 1;
            self.put(kind, name, old);
            return status(409);
        }
        let given = &object["metadata"]["resourceVersion"];
        if !given.is_null() && *given != old["metadata"]["resourceVersion"] {
            return status(409);
        }
        Json(self.put(kind, name, object)).into_response()
    }
}

/// What one client talks to.
pub(super) struct Face {
    store: Arc<Store>,
    /// Requests get no answer.
    pub(super) cut_off: AtomicBool,
}

fn status(code: u16) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": if code == 409 { "Conflict" } else { "NotFound" }, "message": "refused",
    });
    (StatusCode::from_u16(code).unwrap(), Json(body)).into_response()
}

async fn handle(
    State(face): State<Arc<Face>>,
    method: Method,
    Path(path): Path<String>,
    body: axum::body::Bytes,
) -> Response {
    if face.cut_off.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(2);
    let kind = parts.next().unwrap_or_default().to_owned();
    let store = &face.store;
    let sent = || serde_json::from_slice::<Value>(&body).unwrap();
    match (method, parts.next()) {
        (Method::GET, Some(name)) => {
            store.get(&kind, name).map_or_else(|| status(404), |o| Json(o).into_response())
        }
        (Method::POST, None) => {
            let object = sent();
            let prefix = object["metadata"]["generateName"].as_str();
            let name = match object["metadata"]["name"].as_str() {
                Some(name) => name.to_owned(),
                None => format!("{}{}", prefix.unwrap(), store.next_version()),
            };
            if store.get(&kind, &name).is_some() {
                return status(409);
            }
            (StatusCode::CREATED, Json(store.put(&kind, &name, object))).into_response()
        }
        (Method::PUT, Some(name)) => store.replace(&kind, name, sent()),
        (Method::PATCH, Some(name)) => {
            let Some(mut object) = store.get(&kind, name) else { return status(404) };
            for (key, value) in sent().as_object().unwrap() {
                object[key] = value.clone();
            }
            Json(store.put(&kind, name, object)).into_response()
        }
        _ => status(404),
    }
}

/// Serves the store on a free port of loopback, until the runtime ends.
pub(super) async fn serve(store: Arc<Store>) -> (Arc<Face>, SocketAddr) {
    let face = Arc::new(Face { store, cut_off: AtomicBool::new(false) });
    let app = Router::new().route("/{*path}", any(handle)).with_state(Arc::clone(&face));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (face, address)
}

/// A client of the library for this address.
pub(super) fn cluster(address: SocketAddr) -> setpoint::k8s::Cluster {
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    let settings = setpoint::k8s::Settings {
        namespace: Some("ops".to_owned()),
        pod_name: Some("setpoint-0".to_owned()),
    };
    setpoint::k8s::Cluster::new(client, &settings)
}
