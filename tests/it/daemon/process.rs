//! A served world, the binary on it, and bounded waits.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use setpoint::ports::Clock as _;
use setpoint::sim::api::Operation;
use setpoint::sim::server::{Pace, Server};
use setpoint::sim::{Scenario, Sim};
use setpoint::system::WallClock;
use tokio::runtime::Runtime;

/// The longest that anything may take; it only ends broken tests.
const LIMIT: Duration = Duration::from_mins(1);
/// The token of the commands.
pub(crate) const TOKEN: &str = "open sesame";

/// Waits until `done` gives something.
pub(crate) fn wait<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(started.elapsed() < LIMIT, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A world on loopback whose time stands at the wall clock's.
pub(crate) struct Served {
    pub(crate) sim: Sim,
    pub(crate) url: String,
    _server: Server,
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

impl Served {
    /// A world of these endpoints (YAML, one each), half an hour old.
    pub(crate) fn of(endpoints: &str) -> Self {
        Self::in_world("{}", endpoints)
    }

    /// The same in a world of these settings (YAML, in one line).
    pub(crate) fn in_world(settings: &str, endpoints: &str) -> Self {
        let text = format!("world: {settings}\nendpoints:\n{endpoints}");
        let mut scenario = Scenario::parse(&text, "the world").unwrap();
        scenario.begin_at(WallClock.now() - chrono::TimeDelta::minutes(30));
        let sim = scenario.build().unwrap();
        sim.advance(30 * 60);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime().block_on(Server::start(sim.clone(), listen, Pace::Step)).unwrap();
        Self { sim, url: server.endpoint_url(), _server: server }
    }

    pub(crate) fn calls(&self, operation: Operation) -> u64 {
        self.sim.with_world(|world| world.calls(operation))
    }

    /// The target value in force.
    pub(crate) fn target_value(&self, endpoint: &str) -> Option<f64> {
        let state = self.sim.state();
        let resource = format!("endpoint/{endpoint}/variant/AllTraffic");
        let variants = state["variants"].as_array().cloned().unwrap_or_default();
        let variant = variants.into_iter().find(|v| v["resource"] == resource.as_str())?;
        let policies = variant["policies"].as_object().cloned().unwrap_or_default();
        policies.values().find_map(|policy| policy["TargetValue"].as_f64())
    }

    /// An event of the world, as YAML of scenarios would spell it.
    pub(crate) fn change(&self, change: Value) {
        let change = serde_json::from_value(change).unwrap();
        self.sim.with_world(|world| world.change(&change)).unwrap();
    }

    pub(crate) fn fault(&self, fault: Value) {
        self.sim.inject(serde_json::from_value(fault).unwrap());
    }
}

/// An endpoint with a policy, as a line of [`Served::of`].
pub(crate) fn endpoint(name: &str, target_value: f64) -> String {
    format!(
        "  - {{name: {name}, variants: [{{target: {{min: 1, max: 8, policy: {{target_value: {target_value}}}}}}}]}}\n"
    )
}

/// So many seconds from now, as the API takes it.
pub(crate) fn from_now(seconds: i64) -> String {
    (WallClock.now() + chrono::TimeDelta::seconds(seconds)).to_rfc3339()
}

/// A directory that goes with its value.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("setpoint-daemon-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("token"), TOKEN).unwrap();
        Self(path)
    }

    /// Writes the configuration: this process-wide part for `url`, then `rest`.
    pub(crate) fn configure(&self, url: &str, rest: &str) -> PathBuf {
        let memory = format!("{{file: {}}}", self.memory().display());
        self.configure_with(&memory, url, rest)
    }

    /// The same, with what must be remembered kept as `memory` says.
    pub(super) fn configure_with(&self, memory: &str, url: &str, rest: &str) -> PathBuf {
        self.write_with(
            memory,
            &format!(
                "aws: {{region: us-east-1, account_id: \"123456789012\", endpoint_url: \"{url}\", \
                 call_rate_per_second: 100, write_rate_per_second: 100, connect_timeout_seconds: 2, \
                 attempt_timeout_seconds: 2, operation_timeout_seconds: 3, max_attempts: 1}}\n{rest}"
            ),
        )
    }

    /// Writes the configuration: where it answers, remembers and logs, then `rest`.
    pub(crate) fn write(&self, rest: &str) -> PathBuf {
        self.write_with(&format!("{{file: {}}}", self.memory().display()), rest)
    }

    fn write_with(&self, memory: &str, rest: &str) -> PathBuf {
        let token = self.0.join("token");
        let text = format!(
            "http: {{listen: \"127.0.0.1:0\", token_file: {}}}\n\
             memory: {memory}\nlog: {{format: json, level: info}}\n{rest}",
            token.display(),
        );
        let path = self.0.join("setpoint.yaml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What is remembered.
    pub(crate) fn memory(&self) -> PathBuf {
        self.0.join("memory.json")
    }
}

impl Directory {
    /// The file with the token of the commands.
    pub(super) fn token(&self) -> PathBuf {
        self.0.join("token")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A pass every second.
pub(crate) const EVERY_SECOND: &str = "reconcile: {schedule: \"* * * * * *\", telemetry_schedule: \"0 0 * * * *\", jitter_seconds: 0}\n";

/// All variants, in this mode, at 600.
pub(crate) fn everything(mode: &str) -> String {
    format!(
        "{EVERY_SECOND}telemetry: {{history_days: 1}}\ndefaults: {{mode: {mode}, adopt: true}}\ntargets: [{{endpoint: \"*\", variant: \"*\", load_test: {{max_rps: 20}}, capacity: {{min: 1, max: 8}}}}]\n"
    )
}

/// The binary with nothing of this machine's AWS configuration.
pub(crate) fn setpoint(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
    for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end: exit code, stdout, stderr.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut child = setpoint(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let out = drain(child.stdout.take().unwrap());
    let err = drain(child.stderr.take().unwrap());
    let status = wait("the command to end", || child.try_wait().unwrap());
    (status.code(), out.join().unwrap(), err.join().unwrap())
}

/// Reads a pipe to its end beside whoever waits for the process.
fn drain(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text).unwrap_or_default()
    })
}

/// `setpoint run`, killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// Starts it and waits until it listens.
    pub(crate) fn start(config: &Path, flags: &[&str]) -> Self {
        let mut arguments = vec!["run", "--config", config.to_str().unwrap()];
        arguments.extend(flags);
        let mut child = setpoint(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (pipe, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut daemon = Self { child, url: String::new(), log };
        let address = wait("the address it listens on", || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?} {:?}", daemon.log.lock().unwrap());
            daemon.log.lock().unwrap().iter().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                let fields = &line["fields"];
                let http = fields["http"].as_str().or_else(|| line["http"].as_str())?;
                Some(http.to_owned())
            })
        });
        daemon.url = format!("http://{address}");
        daemon
    }

    /// Starts it with this stderr, so that nothing of it is read, and waits for its first pass.
    pub(super) fn unheard(config: &Path, flags: &[&str], stderr: Stdio) -> Self {
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let text = std::fs::read_to_string(config).unwrap();
        std::fs::write(config, text.replacen("127.0.0.1:0", &address.to_string(), 1)).unwrap();
        let mut arguments = vec!["run", "--config", config.to_str().unwrap()];
        arguments.extend(flags);
        let child =
            setpoint(&arguments).stdout(Stdio::null()).stderr(stderr).spawn().expect("it starts");
        let mut daemon = Self { child, url: format!("http://{address}"), log: Arc::default() };
        wait("the first pass", || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}");
            std::net::TcpStream::connect(address).ok()?;
            (daemon.get("/readyz").0 == 200).then_some(())
        });
        daemon
    }

    /// The reading end of its stderr.
    pub(super) fn stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().unwrap()
    }

    /// Starts it and waits for its first pass.
    pub(crate) fn ready(config: &Path, flags: &[&str]) -> Self {
        let daemon = Self::start(config, flags);
        wait("the first pass", || (daemon.get("/readyz").0 == 200).then_some(()));
        daemon
    }

    /// Status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        answer(agent().get(format!("{}{path}", self.url)).call())
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Status and body of a command with the token.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_as(Some(TOKEN), path, body)
    }

    pub(crate) fn post_as(&self, token: Option<&str>, path: &str, body: &Value) -> (u16, Value) {
        let mut request = agent().post(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = answer(request.send(text));
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The API's view of the only variant of an endpoint.
    pub(crate) fn variant(&self, endpoint: &str) -> Value {
        self.json(&format!("/api/v1/variants/{endpoint}/AllTraffic"))
    }

    /// Waits until the view of a variant is as wanted.
    pub(crate) fn until(&self, endpoint: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait(what, || Some(self.variant(endpoint)).filter(|view| is(view)))
    }

    /// The value of a series, by its name and some of its labels.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let text = self.get("/metrics").1;
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let line = text.lines().find(|line| {
            let is_it = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
            is_it && labels.iter().all(|label| line.contains(label))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
    }

    /// Waits for its end; whether it was an orderly one.
    pub(crate) fn ended(&mut self) -> bool {
        let child = &mut self.child;
        wait("the process to end", || child.try_wait().unwrap()).success()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(LIMIT))
        .build()
        .into()
}

fn answer(response: Result<http::Response<ureq::Body>, ureq::Error>) -> (u16, String) {
    let mut response = response.expect("an answer");
    let body = response.body_mut().read_to_string().expect("a body");
    (response.status().as_u16(), body)
}
