//! The API server of a test: the one in this process, or a real one, in a namespace of its own, when
//! `SETPOINT_TEST_KUBECONFIG` names it (tests/full/kubernetes does).

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::api::{Store, serve};
use super::real::Installed;

/// Where the objects of one test are.
pub(super) struct Cluster {
    runtime: Option<tokio::runtime::Runtime>,
    client: kube::Client,
    pub(super) namespace: String,
    /// Where the API server listens.
    pub(super) address: SocketAddr,
    /// What the chart has installed; nothing in the server of this process, which asks nobody who it is.
    pub(super) installed: Option<Installed>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let made = if let Some(kubeconfig) = super::real::kubeconfig() {
            let (client, address) = wait(&runtime, super::real::admin(&kubeconfig));
            let namespace = super::real::new_namespace();
            let installed = wait(&runtime, Installed::by_helm(&client, &kubeconfig, &namespace));
            (client, namespace, address, Some(installed))
        } else {
            let address = wait(&runtime, serve(Arc::new(Store::default())));
            let client = wait(&runtime, async { client_of(address) });
            (client, "ops".to_owned(), address, None)
        };
        let (client, namespace, address, installed) = made;
        Self { runtime: Some(runtime), client, namespace, address, installed }
    }

    /// A client that may do everything.
    pub(super) fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Waits for something that talks to the server.
    pub(super) fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        wait(self.runtime.as_ref().unwrap(), future)
    }

    /// An object, such as `("leases", "setpoint")`.
    pub(super) fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let path = path(kind, &self.namespace, name);
        match self.wait(request(&self.client, "GET", &path, None)) {
            Ok(object) => Some(object),
            Err(404) => None,
            Err(code) => panic!("GET {path}: {code}"),
        }
    }

    /// Makes or replaces an object.
    pub(super) fn put(&self, kind: &str, name: &str, mut object: Value) {
        let (api_version, kind_name) = match kind {
            "leases" => ("coordination.k8s.io/v1", "Lease"),
            "pods" => ("v1", "Pod"),
            _ => ("v1", "ConfigMap"),
        };
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind_name);
        object["metadata"]["name"] = json!(name);
        let (method, path) = match self.get(kind, name) {
            Some(_) => ("PUT", path(kind, &self.namespace, name)),
            None => ("POST", path(kind, &self.namespace, "")),
        };
        self.wait(request(&self.client, method, &path, Some(&object)))
            .unwrap_or_else(|code| panic!("{method} {path}: {code}"));
    }

    pub(super) fn delete(&self, kind: &str, name: &str) {
        let path = path(kind, &self.namespace, name);
        let deleted = self.wait(request(&self.client, "DELETE", &path, None));
        deleted.unwrap_or_else(|code| panic!("DELETE {path}: {code}"));
    }

    pub(super) fn all(&self, kind: &str) -> Vec<Value> {
        let path = path(kind, &self.namespace, "");
        let list = self.wait(request(&self.client, "GET", &path, None));
        list.unwrap_or_else(|code| panic!("GET {path}: {code}"))["items"]
            .as_array()
            .unwrap()
            .clone()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may happen in another runtime, which must not be held up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs it to its end there, whatever runtime this thread is in.
fn wait<T: Send>(runtime: &tokio::runtime::Runtime, future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join().unwrap())
}

/// A client of the server in this process.
fn client_of(address: SocketAddr) -> kube::Client {
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    kube::Client::try_from(config).unwrap()
}

/// The path of an object, or of all of a kind when the name is empty.
pub(super) fn path(kind: &str, namespace: &str, name: &str) -> String {
    let group = match kind {
        "leases" => "apis/coordination.k8s.io/v1",
        "events" => "apis/events.k8s.io/v1",
        "deployments" | "statefulsets" => "apis/apps/v1",
        "roles" | "rolebindings" => "apis/rbac.authorization.k8s.io/v1",
        "networkpolicies" | "ingresses" => "apis/networking.k8s.io/v1",
        "jobs" => "apis/batch/v1",
        "httproutes" => "apis/gateway.networking.k8s.io/v1",
        "poddisruptionbudgets" => "apis/policy/v1beta1",
        "servicemonitors" | "prometheusrules" => "apis/monitoring.coreos.com/v1",
        _ => "api/v1",
    };
    let slash = if name.is_empty() { "" } else { "/" };
    format!("/{group}/namespaces/{namespace}/{kind}{slash}{name}")
}

/// One request; the status code when it fails.
pub(super) async fn request(
    client: &kube::Client,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, u16> {
    let bytes = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
    let content =
        if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content)
        .body(bytes)
        .unwrap();
    client.request::<Value>(request).await.map_err(|error| match error {
        kube::Error::Api(status) => status.code,
        other => panic!("{method} {path}: {other}"),
    })
}
