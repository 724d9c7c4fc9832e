//! A real Prometheus and a real Alertmanager on loopback, and what they talk to: a `/metrics` page
//! of a fixture and a receiver of alerts. All end with their values.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use prometheus::Registry;
use serde_json::Value;
use setpoint::metrics::{Metrics, PassKind, PassResult, Shown, text};
use setpoint::model::decision::{Outcome, StepOutcome};
use setpoint::model::status::FleetStatus;
use setpoint::model::warning::ConfigStatus;
use setpoint::ports::{CallObserver as _, CallRecord, ErrorKind, Service};
use setpoint::reconcile::Phase;

use super::Scratch;
use crate::fixtures;
use crate::metrics::Published;

/// The longest wait for anything here, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks again until there is an answer; a panic that names it when there is none in time.
pub(super) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(PAUSE);
    }
}

/// An HTTP server of one thread that answers each request by a function of its body.
struct Answering {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Answering {
    fn start(mut answer: impl FnMut(String) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                // A peer that goes away in the middle asks again.
                let _ = stream.and_then(|stream| respond(&stream, &mut answer));
            }
        });
        Self { address, over }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread; it may have ended.
        let _ = TcpStream::connect(self.address);
    }
}

fn respond(stream: &TcpStream, answer: &mut impl FnMut(String) -> String) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = answer(String::from_utf8_lossy(&body).into_owned());
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    )
}

/// A `/metrics` page of a fixture, whose counters move with every scrape.
pub(super) struct Exporter {
    server: Answering,
}

impl Exporter {
    pub(super) fn start(fleet: FleetStatus) -> Self {
        let fleet = Published::new(fleet);
        let metrics = Metrics::register(Registry::new(), fleet, Shown::up_to(2000)).unwrap();
        metrics.process.set_budget(Some(100.0));
        metrics.process.config_loaded(Some(fixtures::noon()));
        metrics.process.set_config(6, &ConfigStatus::default());
        metrics.process.set_leader(true);
        let server = Answering::start(move |_| {
            move_counters(&metrics);
            text(&metrics).unwrap()
        });
        Self { server }
    }

    pub(super) fn target(&self) -> String {
        self.server.address.to_string()
    }
}

fn move_counters(metrics: &Metrics) {
    metrics.process.decided(&fixtures::drifted("a").decision);
    metrics.process.decided(&fixtures::held("a").decision);
    metrics.process.acted(&Outcome { steps: vec![StepOutcome::success("PutScalingPolicy", "")] });
    for result in [PassResult::Success, PassResult::Error] {
        metrics.process.pass_ended(PassKind::Describe, result);
    }
    for phase in Phase::ALL {
        metrics.process.phase_took(phase.as_str(), Duration::from_secs(1));
    }
    let failures = [
        ("", None),
        ("ThrottlingException", Some(ErrorKind::Throttled)),
        ("AccessDeniedException", Some(ErrorKind::Denied)),
    ];
    for (error_code, error) in failures {
        metrics.calls.called(&CallRecord {
            scope: fixtures::scope(),
            service: Service::CloudWatch,
            operation: "GetMetricData",
            status_code: if error.is_some() { 400 } else { 200 },
            error_code: error_code.to_owned(),
            error,
            duration: Duration::from_millis(120),
            retries: 1,
            metrics_requested: 500,
        });
    }
}

/// Receives what Alertmanager sends.
pub(super) struct Webhook {
    server: Answering,
    received: Receiver<Value>,
}

impl Webhook {
    pub(super) fn start() -> Self {
        let (sender, received): (Sender<Value>, _) = channel();
        let server = Answering::start(move |body| {
            // What is no JSON wakes the server at its end.
            if let Ok(json) = serde_json::from_str(&body) {
                let _ = sender.send(json);
            }
            String::new()
        });
        Self { server, received }
    }

    /// Waits for an alert of this name in this state (`firing`, `resolved`).
    pub(super) fn wait_for(&self, name: &str, status: &str) -> Value {
        eventually(&format!("{name} {status}"), || {
            let groups: Vec<Value> = self.received.try_iter().collect();
            let mut alerts = groups.iter().flat_map(|group| group["alerts"].as_array().unwrap());
            alerts.find(|a| a["labels"]["alertname"] == name && a["status"] == status).cloned()
        })
    }
}

/// A server of another project, on loopback.
pub(super) struct Running {
    process: Child,
    pub(super) address: String,
    _files: Scratch,
}

impl Running {
    /// Starts it on a port that was free a moment ago; should somebody take it, another is tried.
    fn start(name: &str, config: &str, arguments: impl Fn(&str, &Path) -> Command) -> Self {
        for _ in 0..5 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap().to_string();
            drop(listener);
            let files = Scratch::new(&format!("{name}-{}", address.replace(':', "-")));
            files.write("config.yml", config);
            let log = std::fs::File::create(files.0.join("log")).unwrap();
            let mut command = arguments(&address, &files.0);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            let process = command.spawn().unwrap();
            let mut running = Self { process, address, _files: files };
            let ready = format!("http://{}/-/ready", running.address);
            let answered = eventually(name, || {
                let ended = running.process.try_wait().unwrap().is_some();
                let answered = ureq::get(&ready).call().is_ok();
                (ended || answered).then_some(answered && !ended)
            });
            if answered {
                return running;
            }
        }
        panic!("{name} did not start");
    }

    /// A Prometheus that scrapes this page every second, with rules and an Alertmanager or without.
    pub(super) fn prometheus(program: &Path, scraped: &str, rules: &str, alerts_to: &str) -> Self {
        let files = Scratch::new(&format!("rules-{}", scraped.replace(':', "-")));
        let rules_file = files.write("rules.yml", rules);
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             scrape_configs:\n\
             - job_name: setpoint\n  static_configs: [{{targets: ['{scraped}'], labels: {{cluster: test}}}}]\n\
             rule_files: ['{}']\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: [{alerts_to}]}}]}}]}}\n",
            rules_file.display()
        );
        let running = Self::start("prometheus", &config, |address, files| {
            let mut command = Command::new(program);
            command
                .arg(format!("--config.file={}", files.join("config.yml").display()))
                .arg(format!("--storage.tsdb.path={}", files.join("data").display()))
                .arg(format!("--web.listen-address={address}"));
            command
        });
        drop(files);
        running
    }

    /// An Alertmanager that passes everything on at once.
    pub(super) fn alertmanager(program: &Path, to: &Webhook) -> Self {
        Self::alertmanager_with(program, to, "")
    }

    /// The same with more of a configuration.
    pub(super) fn alertmanager_with(program: &Path, to: &Webhook, more: &str) -> Self {
        let config = format!(
            "route: {{receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s, \
             repeat_interval: 1h}}\n\
             receivers: [{{name: test, webhook_configs: [{{url: 'http://{}/', send_resolved: \
             true}}]}}]\n{more}",
            to.server.address
        );
        Self::start("alertmanager", &config, |address, files| {
            let mut command = Command::new(program);
            command
                .arg(format!("--config.file={}", files.join("config.yml").display()))
                .arg(format!("--storage.path={}", files.join("data").display()))
                .arg(format!("--web.listen-address={address}"))
                .arg("--cluster.listen-address=");
            command
        })
    }

    /// The alerts that an Alertmanager has and tells: none that is inhibited.
    pub(super) fn alerts(&self) -> Vec<Value> {
        let url = format!("http://{}/api/v2/alerts?inhibited=false", self.address);
        ureq::get(url).call().unwrap().body_mut().read_json().unwrap()
    }

    /// The answer to an instant query; a panic with Prometheus's words when it cannot be parsed.
    pub(super) fn query(&self, expression: &str) -> Vec<Value> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("http://{}/api/v1/query", self.address);
        let mut response = agent.get(url).query("query", expression).call().unwrap();
        let answer: Value = response.body_mut().read_json().unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        match &answer["data"]["result"] {
            Value::Array(series) => series.clone(),
            other => panic!("{expression}: {other}"),
        }
    }

    /// The series that an expression has had at any second since so long ago.
    pub(super) fn query_since(&self, expression: &str, ago: &str) -> Vec<Value> {
        self.query(&format!("max_over_time(({expression})[{ago}:1s])"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Prometheus itself.
pub(super) fn prometheus(test: &str) -> Option<PathBuf> {
    super::system_tool(test, "prometheus")
}
