//! A real API server, and what stands in for the controllers and the kubelet that it comes without:
//! pods made from the chart's Deployment, with tokens of the chart's service account.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::cluster::{path, request};

/// The administrator's kubeconfig, when there is a real API server.
pub(super) fn kubeconfig() -> Option<PathBuf> {
    std::env::var_os("SETPOINT_TEST_KUBECONFIG").map(PathBuf::from)
}

/// A client that may do everything, and where the server listens.
pub(super) async fn admin(kubeconfig: &Path) -> (kube::Client, SocketAddr) {
    let read = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(read, &options).await.unwrap();
    let address = config.cluster_url.authority().unwrap().as_str().parse().unwrap();
    (kube::Client::try_from(config).unwrap(), address)
}

/// A client that may do what a service account may.
pub(super) async fn with_token(kubeconfig: &Path, token: String) -> kube::Client {
    let mut read = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let user = kube::config::AuthInfo { token: Some(token.into()), ..Default::default() };
    read.auth_infos[0].auth_info = Some(user);
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(read, &options).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

/// A name that no other test uses.
pub(super) fn new_namespace() -> String {
    static NAMESPACES: AtomicU32 = AtomicU32::new(0);
    let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
    format!("it-{}-{number}", std::process::id())
}

/// A namespace with its default service account, which a controller would make.
pub(super) async fn make_namespace(client: &kube::Client, name: &str) {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    request(client, "POST", "/api/v1/namespaces", Some(&object)).await.unwrap();
    let account = json!({"metadata": {"name": "default"}});
    request(client, "POST", &path("serviceaccounts", name, ""), Some(&account)).await.unwrap();
}

/// The real helm of `tests/setup`, talking to this server; a panic with its words when it fails.
pub(super) fn helm(kubeconfig: &Path, arguments: &[&str]) -> String {
    try_helm(kubeconfig, arguments).unwrap_or_else(|said| panic!("helm {arguments:?}: {said}"))
}

/// The same: what it prints, or what it says when it fails.
pub(super) fn try_helm(kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("SETPOINT_HELM").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/cache/bin/helm"),
        PathBuf::from,
    );
    let mut command = Command::new(program);
    command.args(arguments).arg("--kubeconfig").arg(kubeconfig);
    // Nobody's repositories or caches.
    let home = std::env::temp_dir().join("setpoint-helm");
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(variable, &home);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    Err(said.into_owned())
}

pub(super) fn chart() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/setpoint").display().to_string()
}

/// The chart, installed as the release `setpoint` with leader election.
pub(super) struct Installed {
    /// A directory of this installation.
    folder: PathBuf,
    /// The certificate of the server's authority.
    authority: String,
    /// The configuration as the chart has put it together.
    config: String,
    /// What a pod is made from.
    template: Value,
}

/// A pod that a process can be.
pub(super) struct Pod {
    /// The arguments of the container, with the real place of the configuration.
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// What is mounted at /var/run/secrets/kubernetes.io/serviceaccount.
    pub(super) account: PathBuf,
}

impl Installed {
    /// Makes the namespace and installs the chart into it.
    pub(super) async fn by_helm(client: &kube::Client, kubeconfig: &Path, namespace: &str) -> Self {
        make_namespace(client, namespace).await;
        let folder = std::env::temp_dir().join(format!("setpoint-{namespace}"));
        std::fs::create_dir_all(&folder).unwrap();
        let values = folder.join("values.json");
        std::fs::write(&values, values_of(&super::process::configuration()).to_string()).unwrap();
        let values = values.display().to_string();
        // Without somebody who runs the Job that checks the configuration nothing would be installed.
        let _jobs = super::jobs::Jobs::attend(kubeconfig, namespace);
        helm(
            kubeconfig,
            &["install", "setpoint", &chart(), "--namespace", namespace, "--values", &values],
        );
        let get = async |kind, name| {
            request(client, "GET", &path(kind, namespace, name), None).await.unwrap()
        };
        let config = get("configmaps", "setpoint-config").await;
        let deployment = get("deployments", "setpoint").await;
        assert_eq!(deployment["spec"]["replicas"], 2);
        let read = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
        let authority = read.clusters[0].cluster.as_ref().unwrap().certificate_authority.clone();
        Self {
            folder,
            authority: std::fs::read_to_string(authority.unwrap()).unwrap(),
            config: config["data"]["setpoint.yaml"].as_str().unwrap().to_owned(),
            template: deployment["spec"]["template"].clone(),
        }
    }

    /// Makes a pod, as the Deployment's controllers would, and prepares what a kubelet would.
    pub(super) async fn pod(&self, client: &kube::Client, namespace: &str, name: &str) -> Pod {
        let mut pod = self.template.clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["name"] = json!(name);
        let pod = request(client, "POST", &path("pods", namespace, ""), Some(&pod)).await.unwrap();
        let uid = pod["metadata"]["uid"].as_str().unwrap().to_owned();
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
        let token = token(client, namespace, account, Some((name, &uid))).await;

        let folder = self.folder.join(name);
        let (secret, config) = (folder.join("account"), folder.join("config"));
        std::fs::create_dir_all(&secret).unwrap();
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(secret.join("token"), token).unwrap();
        std::fs::write(secret.join("ca.crt"), &self.authority).unwrap();
        std::fs::write(secret.join("namespace"), namespace).unwrap();
        std::fs::write(config.join("setpoint.yaml"), &self.config).unwrap();

        let container = &pod["spec"]["containers"][0];
        let mounted = config.display().to_string();
        let arguments = container["args"].as_array().unwrap().iter();
        let arguments = arguments
            .map(|a| a.as_str().unwrap().replace("/etc/setpoint/config", &mounted))
            .collect();
        let environment = container["env"].as_array().unwrap().iter();
        let environment = environment
            .map(|variable| {
                let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                    // There is no kubelet that gives it an address.
                    Some("status.podIP") => &json!("127.0.0.1"),
                    Some(field) => &pod["metadata"][field.strip_prefix("metadata.").unwrap()],
                    None => &variable["value"],
                };
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&variable["name"]), text(value))
            })
            .collect();
        Pod { arguments, environment, account: secret }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A token of a service account, bound to a pod as a kubelet would have it.
pub(super) async fn token(
    client: &kube::Client,
    namespace: &str,
    account: &str,
    pod: Option<(&str, &str)>,
) -> String {
    let bound =
        pod.map(|(name, uid)| json!({"kind": "Pod", "apiVersion": "v1", "name": name, "uid": uid}));
    let asked = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600, "boundObjectRef": bound, "audiences": []},
    });
    let path = path("serviceaccounts", namespace, account) + "/token";
    let given = request(client, "POST", &path, Some(&asked)).await.unwrap();
    given["status"]["token"].as_str().unwrap().to_owned()
}

/// The chart's values: the tests' configuration and their Lease.
fn values_of(config: &Value) -> Value {
    json!({
        "replicaCount": 2,
        "leaderElection": {
            "enabled": true, "leaseName": "setpoint", "memoryConfigMap": "memory",
            "leaseDurationSeconds": 5, "renewDeadlineSeconds": 3, "retryPeriodSeconds": 0.5,
        },
        "config": config,
    })
}
