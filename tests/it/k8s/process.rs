//! One `setpoint run`, with an API server face and an AWS of its own to talk to, so that each can
//! be cut off and each write is known to be its.

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

use super::api::{Face, Store, serve};

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
    pub(super) face: Arc<Face>,
    aws: Arc<Recorder>,
    log: PathBuf,
    http: String,
    token: PathBuf,
}

impl Replica {
    /// Starts one on the embedded AWS at `aws`.
    pub(super) async fn start(folder: &Path, name: &str, store: &Arc<Store>, aws: &str) -> Self {
        let (face, kubernetes) = serve(Arc::clone(store)).await;
        let recorder = Arc::new(Recorder { upstream: aws.to_owned(), writes: Mutex::default() });
        let app = Router::new().fallback(forward).with_state(Arc::clone(&recorder));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

        let (config, log) =
            (folder.join(format!("{name}.yaml")), folder.join(format!("{name}.log")));
        let kubeconfig = folder.join(format!("{name}.kubeconfig"));
        let token = folder.join("token");
        std::fs::write(&token, "open sesame").unwrap();
        std::fs::write(&config, configuration(proxy, &token)).unwrap();
        std::fs::write(&kubeconfig, kubeconfig_of(kubernetes)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_setpoint"))
            .args(["run", "--config", config.to_str().unwrap(), "--log-format", "json"])
            .env_clear()
            .env("KUBECONFIG", &kubeconfig)
            .env("POD_NAME", name)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let http = String::new();
        let mut replica = Self { child, face, aws: recorder, log, http, token };
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

    pub(super) fn leads(&self) -> bool {
        self.page("/metrics").contains("leader_election_master_status{name=\"setpoint\"} 1")
    }

    pub(super) fn follows(&self) -> bool {
        self.page("/metrics").contains("leader_election_master_status{name=\"setpoint\"} 0")
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

/// The renew deadline that replicas are configured with.
pub(super) const RENEW_DEADLINE: Duration = Duration::from_secs(3);

fn configuration(aws: SocketAddr, token: &Path) -> String {
    format!(
        r#"
aws: {{ region: us-east-1, account_id: "123456789012", endpoint_url: "http://{aws}",
       write_timeout_seconds: 1.5, write_rate_per_second: 2, call_rate_per_second: 100 }}
reconcile: {{ schedule: "* * * * * *", telemetry_schedule: "0 0 0 1 1 *", jitter_seconds: 0,
             mass_change: {{ min_variants: 1000 }} }}
telemetry: {{ budget_dollars_per_month: 0 }}
discovery: {{ telemetry: "off" }}
http: {{ listen: "127.0.0.1:0", token_file: {} }}
kubernetes: {{ lease_name: setpoint, namespace: ops, memory_configmap: memory, events: true,
              lease_duration_seconds: 5, renew_deadline_seconds: 3, retry_period_seconds: 0.5 }}
targets:
  - {{ endpoint: "endpoint-*", variant: "*", mode: repair, adopt: true,
      cooldown: {{ scale_out_seconds: 77 }} }}
"#,
        token.display()
    )
}

fn kubeconfig_of(server: SocketAddr) -> String {
    format!(
        r#"
apiVersion: v1
kind: Config
current-context: it
clusters: [{{ name: it, cluster: {{ server: "http://{server}" }} }}]
users: [{{ name: it, user: {{}} }}]
contexts: [{{ name: it, context: {{ cluster: it, user: it }} }}]
"#
    )
}
