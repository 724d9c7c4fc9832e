//! As much of a Kubernetes API server as Leases, `ConfigMap`s, Events and pods need: versions that guard
//! updates, 404 and 409, metadata alone where that is asked for, and no `ConfigMap` above 1 MiB. What it does not
//! know (authorisation, validation) a real one is asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};

/// What the server keeps.
#[derive(Default)]
pub(super) struct Store {
    objects: Mutex<BTreeMap<(String, String), Value>>,
    versions: Mutex<u64>,
}

impl Store {
    fn next_version(&self) -> String {
        let mut last = self.versions.lock().unwrap();
        *last += 1;
        last.to_string()
    }

    fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(&(kind.to_owned(), name.to_owned())).cloned()
    }

    fn put(&self, kind: &str, name: &str, mut object: Value) -> Value {
        let version = self.next_version();
        object["metadata"]["name"] = json!(name);
        if kind == "configmaps" {
            // The state of one is remembered by this too.
            object["metadata"]["uid"] = match self.get(kind, name) {
                Some(old) => old["metadata"]["uid"].clone(),
                None => json!(format!("uid-{version}")),
            };
        }
        object["metadata"]["resourceVersion"] = json!(version);
        let key = (kind.to_owned(), name.to_owned());
        self.objects.lock().unwrap().insert(key, object.clone());
        object
    }

    fn take(&self, kind: &str, name: &str) -> Option<Value> {
        self.objects.lock().unwrap().remove(&(kind.to_owned(), name.to_owned()))
    }

    fn all(&self, kind: &str) -> Vec<Value> {
        let objects = self.objects.lock().unwrap();
        objects.iter().filter(|((k, _), _)| k == kind).map(|(_, v)| v.clone()).collect()
    }

    fn replace(&self, kind: &str, name: &str, object: Value) -> Response {
        let Some(old) = self.get(kind, name) else { return status(404) };
        let given = &object["metadata"]["resourceVersion"];
        if !given.is_null() && *given != old["metadata"]["resourceVersion"] {
            return status(409);
        }
        if is_too_large(kind, &object) {
            return status(422);
        }
        Json(self.put(kind, name, object)).into_response()
    }
}

/// What Kubernetes validates of a `ConfigMap` (`ValidateConfigMap`): its values have 1 MiB at most.
fn is_too_large(kind: &str, object: &Value) -> bool {
    let values = ["data", "binaryData"].into_iter().filter_map(|member| object[member].as_object());
    let sizes = values.flat_map(|all| all.values()).map(|value| value.as_str().unwrap().len());
    kind == "configmaps" && sizes.sum::<usize>() > 1 << 20
}

/// An object, or as much of it as was asked for.
fn found(object: &Value, headers: &HeaderMap) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    if !accepted.is_some_and(|accepted| accepted.contains("as=PartialObjectMetadata;")) {
        return Json(object).into_response();
    }
    let (kind, version) = ("PartialObjectMetadata", "meta.k8s.io/v1");
    let metadata = &object["metadata"];
    Json(json!({ "kind": kind, "apiVersion": version, "metadata": metadata })).into_response()
}

fn status(code: u16) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": match code { 409 => "Conflict", 422 => "Invalid", _ => "NotFound" },
        "message": "refused",
    });
    (StatusCode::from_u16(code).unwrap(), Json(body)).into_response()
}

async fn handle(
    State(store): State<Arc<Store>>,
    method: Method,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(2);
    let kind = parts.next().unwrap_or_default().to_owned();
    let sent = || serde_json::from_slice::<Value>(&body).unwrap();
    match (method, parts.next()) {
        (Method::GET, Some(name)) => {
            store.get(&kind, name).map_or_else(|| status(404), |object| found(&object, &headers))
        }
        (Method::GET, None) => {
            let items = store.all(&kind);
            Json(json!({ "metadata": {}, "items": items })).into_response()
        }
        (Method::POST, None) => {
            let object = sent();
            let prefix = object["metadata"]["generateName"].as_str();
            let name = match object["metadata"]["name"].as_str() {
                Some(name) => name.to_owned(),
                // The prefix itself must be a name, but for a dash at its end.
                None if prefix.unwrap().ends_with(|c: char| c != '-' && !c.is_alphanumeric()) => {
                    return status(422);
                }
                None => format!("{}{}", prefix.unwrap(), store.next_version()),
            };
            if store.get(&kind, &name).is_some() {
                return status(409);
            }
            if is_too_large(&kind, &object) {
                return status(422);
            }
            (StatusCode::CREATED, Json(store.put(&kind, &name, object))).into_response()
        }
        (Method::PUT, Some(name)) => store.replace(&kind, name, sent()),
        (Method::PATCH, Some(name)) => {
            let Some(mut object) = store.get(&kind, name) else { return status(404) };
            merge(&mut object, &sent());
            if is_too_large(&kind, &object) {
                return status(422);
            }
            Json(store.put(&kind, name, object)).into_response()
        }
        (Method::DELETE, Some(name)) => match store.take(&kind, name) {
            Some(object) => Json(object).into_response(),
            None => status(404),
        },
        _ => status(404),
    }
}

/// A JSON merge patch (RFC 7386), the only kind of patch that is sent here.
fn merge(object: &mut Value, patch: &Value) {
    let Some(members) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in members {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut object[key], value);
        }
    }
}

/// Serves the store on a free port of loopback, until the runtime ends.
pub(super) async fn serve(store: Arc<Store>) -> SocketAddr {
    let app = Router::new().route("/{*path}", any(handle)).with_state(store);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}
