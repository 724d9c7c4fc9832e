//! `setpoint simulate serve` as a process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use setpoint::ports::Clock as _;

use super::support::{get, json_call, post};

/// The served process; killed when a test fails before its end.
pub(crate) struct Served {
    child: Child,
    pub(crate) url: String,
    pub(super) now: String,
}

impl Served {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_setpoint"))
            .args(["simulate", "serve"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let line: Value = serde_json::from_str(&line).expect("a JSON line");
        let text = |key: &str| line[key].as_str().expect("a string").to_owned();
        Self { url: text("endpoint_url"), now: text("now"), child }
    }

    /// Sends a signal and waits; the bound only ends a broken test.
    fn stop(mut self, signal: &str) -> bool {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
        while started.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().expect("a status") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not stop on {signal}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs to the end, which the bound enforces when the arguments are taken after all.
fn fails(arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_setpoint"))
        .args(["simulate", "serve"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let started = Instant::now();
    while child.try_wait().expect("a status").is_none() {
        if started.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output { status, stderr, .. } = child.wait_with_output().expect("the output");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn it_tells_its_url_serves_and_stops_when_told() {
    for signal in ["-TERM", "-INT"] {
        let served = Served::start(&["--step"]);
        assert!(served.url.starts_with("http://127.0.0.1:"), "{}", served.url);
        assert_eq!(get(&served.url, "/_sim/healthz").json()["now"], json!(served.now));
        let listed = json_call(&served.url, "SageMaker.ListEndpoints", &json!({}));
        assert!(!listed.json()["Endpoints"].as_array().expect("a list").is_empty());
        let answer = post(&served.url, "/_sim/advance?seconds=60", &[], b"");
        assert_ne!(answer.json()["now"], json!(served.now));
        assert!(served.stop(signal), "{signal} is an orderly end");
    }
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_one_another() {
    let truth = |seed| {
        let start = "2026-11-23T12:00:00Z";
        let served = Served::start(&["--step", "--seed", seed, "--start", start]);
        assert_eq!(served.now, start);
        post(&served.url, "/_sim/advance?seconds=600", &[], b"");
        get(&served.url, "/_sim/state").text()
    };
    assert_eq!(truth("7"), truth("7"));
    assert_ne!(truth("7"), truth("8"));
}

/// The smallest world that the documentation knows: it is of today, so that whoever looks at it by the
/// real clock finds nothing stale in it.
#[test]
fn a_world_begins_now_unless_it_says_when() {
    let file = std::env::temp_dir().join(format!("setpoint-smallest-{}.yaml", std::process::id()));
    std::fs::write(&file, "endpoints: [{name: fraud-scorer, variants: [{}]}]\n").expect("a file");
    let scenario = file.to_str().expect("a path").to_owned();
    for arguments in [&["--scenario", &scenario][..], &["--scenario", &scenario, "--start", "now"]]
    {
        let served = Served::start(arguments);
        let begun: chrono::DateTime<chrono::Utc> = served.now.parse().expect("a time");
        let ago = (setpoint::system::WallClock.now() - begun).num_seconds();
        assert!((0..60).contains(&ago), "{ago} s");
        let listed = json_call(&served.url, "SageMaker.ListEndpoints", &json!({}));
        assert_eq!(listed.json()["Endpoints"][0]["EndpointName"], "fraud-scorer");
    }
    std::fs::write(&file, "world: {start: 2026-11-23T12:00:00Z}\nendpoints: []\n").expect("a file");
    assert_eq!(Served::start(&["--scenario", &scenario]).now, "2026-11-23T12:00:00Z");
    std::fs::write(&file, "world: {start: noon}\n").expect("a file");
    let (code, stderr) = fails(&["--scenario", &scenario]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("\"noon\" (allowed: now, or a time such as"), "{stderr}");
    std::fs::remove_file(&file).expect("it was there");
}

#[test]
fn senseless_arguments_are_refused_with_what_is_allowed() {
    for (arguments, word) in [
        (&["--listen", "0.0.0.0:0"][..], "--allow-non-loopback"),
        (&["--speed", "0"], "above 0"),
        (&["--speed", "NaN"], "above 0"),
        (&["--speed", "2", "--step"], "cannot be used with"),
        (&["--listen", "localhost"], "--listen"),
        (&["--start", "noon"], "allowed: now"),
    ] {
        let (code, stderr) = fails(arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {stderr}");
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
    let (code, stderr) = fails(&["--scenario", "/nonexistent/fleet.yaml"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("/nonexistent/fleet.yaml"), "{stderr}");
}
