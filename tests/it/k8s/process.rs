//! One `setpoint run`, with a way to the API server and an AWS of its own, so that each can be cut
//! off and each write is known to be its.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::link::Link;

/// The bound of every wait: it only ends a broken test.
const LONG: Duration = Duration::from_mins(1);

/// Hands requests on to the embedded AWS and keeps when writes came.
pub(super) struct Recorder {
    upstream: String,
    writes: Mutex<Vec<Instant>>,
}

async fn forward(
    State(recorder): State<Arc<Recorder>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|t| t.to_str().ok()).unwrap_or_default();
    if target.ends_with("PutScalingPolicy") || target.ends_with("RegisterScalableTarget") {
        recorder.writes.lock().unwrap().push(Instant::now());
    }
    let url = format!("{}{uri}", recorder.upstream);
    let answered = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = agent.post(url);
        let skip = ["host", "content-length", "connection"];
        for (name, value) in headers.iter().filter(|(name, _)| !skip.contains(&name.as_str())) {
            request = request.header(name, value);
        }
        let mut response = request.send(&body[..])?;
        let body = response.body_mut().read_to_vec()?;
        Ok::<_, ureq::Error>((response.status(), response.headers().clone(), body))
    });
    match answered.await.unwrap() {
        Ok((status, headers, body)) => {
            let kept = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
            let kept = kept.filter(|(name, _)| {
                !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection")
            });
            (status, kept.collect::<HeaderMap>(), body).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// A running process.
pub(super) struct Replica {
    child: Child,
    /// Its way to the API server.
    pub(super) link: Link,
    aws: Arc<Recorder>,
    /// Its way to AWS.
    proxy: String,
    log: PathBuf,
    http: String,
    token: PathBuf,
}

impl Replica {
    /// Starts one on the embedded AWS at `aws`.
    pub(super) async fn start(folder: &Path, name: &str, cluster: &Cluster, aws: &str) -> Self {
        Self::configured(folder, name, cluster, aws, &json!({})).await
    }

    /// The same, outside a pod of the chart with these sections instead of those of [`configuration`].
    pub(super) async fn configured(
        folder: &Path,
        name: &str,
        cluster: &Cluster,
        aws: &str,
        sections: &Value,
    ) -> Self {
        let way = Link::to(cluster.address).await;
        let recorder = Arc::new(Recorder { upstream: aws.to_owned(), writes: Mutex::default() });
        let app = Router::new().fallback(forward).with_state(Arc::clone(&recorder));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

        let token = folder.join("token");
        std::fs::write(&token, "open sesame").unwrap();
        let log = folder.join(format!("{name}.log"));
        let mut command = match &cluster.installed {
            Some(_) => as_pod(cluster, name, way.address),
            None => by_itself(folder, name, cluster, way.address, sections),
        };
        let child = command
            .env("SETPOINT__AWS__ENDPOINT_URL", format!("http://{proxy}"))
            .env("SETPOINT__HTTP__LISTEN", "127.0.0.1:0")
            .env("SETPOINT__HTTP__TOKEN_FILE", &token)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let http = String::new();
        let proxy = format!("http://{proxy}");
        let mut replica = Self { child, link: way, aws: recorder, proxy, log, http, token };
        let address = |log: String| {
            let line = log.lines().find(|line| line.contains("\"running\""))?.to_owned();
            let at = line.find("127.0.0.1:")?;
            Some(line[at..].split('"').next()?.to_owned())
        };
        replica.wait("it runs", |r| address(r.log()).is_some());
        replica.http = address(replica.log()).unwrap();
        replica
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A page, or nothing when it does not answer.
    pub(super) fn page(&self, path: &str) -> String {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(5)))
            .build()
            .into();
        let answer = agent.get(format!("http://{}{path}", self.http)).call();
        answer.ok().and_then(|mut a| a.body_mut().read_to_string().ok()).unwrap_or_default()
    }

    /// Gives a command, as a person in the pod would: exit code, stdout, stderr.
    pub(super) fn command(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let url = format!("http://{}", self.http);
        let output = Command::new(env!("CARGO_BIN_EXE_setpoint"))
            .args(words)
            .args(["--url", &url, "--token-file", self.token.to_str().unwrap()])
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Gives a command that looks for itself, with the configuration and environment of the process: exit code, stdout,
    /// stderr.
    pub(super) fn on_its_own(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
        let place = |kind: &str| self.log.with_extension(format!("{kind}.yaml"));
        let output = command
            .env_clear()
            .args(words)
            .arg("--config")
            .arg(place("config"))
            .env("KUBECONFIG", place("kubeconfig"))
            .env("SETPOINT__AWS__ENDPOINT_URL", &self.proxy)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Where it serves its pages.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The status of a page.
    pub(super) fn status(&self, path: &str) -> u16 {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        agent.get(format!("{}{path}", self.url())).call().unwrap().status().as_u16()
    }

    /// What it says of its leadership, as `"0"` or `"1"`.
    fn leader_status(&self) -> Option<&'static str> {
        let page = self.page("/metrics");
        let mut lines = page.lines();
        let line = lines.find(|line| line.starts_with("leader_election_master_status{"))?;
        ["0", "1"].into_iter().find(|status| line.ends_with(&format!(" {status}")))
    }

    pub(super) fn leads(&self) -> bool {
        self.leader_status() == Some("1")
    }

    pub(super) fn follows(&self) -> bool {
        self.leader_status() == Some("0")
    }

    /// Whether it shows figures of variants.
    pub(super) fn shows_variants(&self) -> bool {
        self.page("/metrics").contains("variant=\"AllTraffic\"")
    }

    /// When its writes came.
    pub(super) fn writes(&self) -> Vec<Instant> {
        self.aws.writes.lock().unwrap().clone()
    }

    pub(super) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for the process to end.
    pub(super) fn ended(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < LONG {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end:\n{}", self.log());
    }

    /// Waits until something holds.
    pub(super) fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < LONG, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process outside a cluster, with a kubeconfig.
fn by_itself(
    folder: &Path,
    name: &str,
    cluster: &Cluster,
    server: SocketAddr,
    sections: &Value,
) -> Command {
    let mut config = configuration();
    for (section, value) in sections.as_object().unwrap() {
        config[section] = value.clone();
    }
    config["log"] = json!({"format": "json"});
    config["kubernetes"] = json!({
        "lease_name": "setpoint", "namespace": cluster.namespace, "memory_configmap": "memory",
        "events": true, "lease_duration_seconds": 5, "renew_deadline_seconds": 3,
        "retry_period_seconds": 0.5,
    });
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": format!("http://{server}")}}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    });
    let write = |kind: &str, value: &Value| {
        let path = folder.join(format!("{name}.{kind}.yaml"));
        // JSON is YAML.
        std::fs::write(&path, value.to_string()).unwrap();
        path
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
    command.env_clear().args(["run", "--config"]).arg(write("config", &config));
    command.env("KUBECONFIG", write("kubeconfig", &kubeconfig)).env("POD_NAME", name);
    command.env("POD_IP", "127.0.0.1");
    // As the Deployment's controllers would have made it.
    cluster.put("pods", name, json!({"metadata": {"labels": {"app": "setpoint"}}}));
    command
}

/// The process as the container of a pod of the chart: its arguments, environment, configuration and
/// service account, where a pod has them. Mounting needs a name space of its own, and root.
fn as_pod(cluster: &Cluster, name: &str, server: SocketAddr) -> Command {
    let installed = cluster.installed.as_ref().unwrap();
    let client = cluster.client();
    let pod = cluster.wait(installed.pod(&client, &cluster.namespace, name));
    let script = "mount -t tmpfs tmpfs /run && mkdir -p \"$1\" && mount --bind \"$0\" \"$1\" \
                  && shift && exec \"$@\"";
    let mut command = Command::new("/usr/bin/unshare");
    command.env_clear().args(["--mount", "/bin/sh", "-c", script]).arg(&pod.account);
    command.arg("/run/secrets/kubernetes.io/serviceaccount");
    command.arg(env!("CARGO_BIN_EXE_setpoint")).args(&pod.arguments).envs(pod.environment);
    command.env("KUBERNETES_SERVICE_HOST", server.ip().to_string());
    command.env("KUBERNETES_SERVICE_PORT", server.port().to_string());
    command
}

/// The lease duration, the renew deadline and the retry period that replicas are configured with.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(5);
pub(super) const RENEW_DEADLINE: Duration = Duration::from_secs(3);
pub(super) const RETRY_PERIOD: Duration = Duration::from_millis(500);

/// Everything of the configuration but Kubernetes.
pub(super) fn configuration() -> Value {
    json!({
        "aws": {
            "region": "us-east-1", "account_id": "123456789012", "write_timeout_seconds": 1.5,
            "write_rate_per_second": 2, "call_rate_per_second": 100,
        },
        "reconcile": {
            "schedule": "* * * * * *", "telemetry_schedule": "0 0 0 1 1 *", "jitter_seconds": 0,
            "mass_change": {"min_variants": 1000},
        },
        "telemetry": {"budget_dollars_per_month": 0},
        "discovery": {"telemetry": "off"},
        "targets": [{
            "endpoint": "endpoint-*", "variant": "*", "mode": "repair", "adopt": true,
            "cooldown": {"scale_out_seconds": 77},
        }],
    })
}
