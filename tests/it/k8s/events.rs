//! Events, as an API server takes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use setpoint::k8s::{EventSettings, KubernetesEvents, Regarding};
use setpoint::ports::Events as _;

use super::cluster::Cluster;
use super::meddler::Meddler;
use crate::daemon::process::{Directory, Served, endpoint, everything, setpoint};
use crate::fixtures;

/// Waits until the only Event satisfies.
async fn the_event(cluster: &Cluster, satisfies: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let events = cluster.all("events");
        assert!(events.len() < 2, "{events:?}");
        match events.into_iter().find(&satisfies) {
            Some(event) => return event,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", cluster.all("events"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_is_counted_on_the_first() {
    let cluster = Cluster::new();
    let (_, library) = Meddler::before(&cluster).await;
    let settings = EventSettings {
        regarding: Regarding::Pod { name: "setpoint-0".to_owned(), uid: None },
        clock: Arc::new(setpoint::system::WallClock),
    };
    let events = KubernetesEvents::start(&library, &settings);
    let decision = fixtures::drifted("fraud-scorer").decision;
    events.publish(&decision, None);
    let first = the_event(&cluster, |_| true).await;
    assert_eq!((&first["reason"], &first["type"]), (&json!("Drift"), &json!("Warning")));
    assert_eq!(first["regarding"]["name"], "setpoint-0");
    assert_eq!(first["reportingController"], "setpoint");
    assert!(first["reportingInstance"].as_str().unwrap().starts_with("setpoint-0_"), "{first}");
    assert!(first["note"].as_str().unwrap().contains("fraud-scorer"), "{first}");
    assert!(first["series"].is_null(), "{first}");

    events.publish(&decision, None);
    let again = the_event(&cluster, |event| event["series"]["count"] == 2).await;
    let at =
        |value: &Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(at(&again["series"]["lastObservedTime"]) >= at(&first["eventTime"]), "{again}");
    assert_eq!(again["note"], first["note"]);
}

/// `setpoint run` that uses nothing of Kubernetes but Events, killed when dropped.
struct Run(std::process::Child);

impl Run {
    /// Starts it with this kubeconfig; what it says goes to the file.
    fn start(
        directory: &Directory,
        served: &Served,
        kubeconfig: &str,
        log: &std::path::Path,
    ) -> Self {
        let rest = format!("{}kubernetes: {{events: true}}\n", everything("repair"));
        let config = directory.configure(&served.url, &rest);
        let child = setpoint(&["run", "--config", config.to_str().unwrap()])
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", "setpoint-0")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .stdout(std::process::Stdio::null())
            .stderr(std::fs::File::create(log).unwrap())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An API server's address as a kubeconfig, which is where a pod's service account leads as well.
fn kubeconfig(directory: &Directory, server: std::net::SocketAddr) -> std::path::PathBuf {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": format!("http://{server}")}}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "ops"}}],
    });
    let path = directory.memory().with_file_name("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

#[test]
fn a_process_without_an_election_writes_events_too() {
    let cluster = Cluster::new();
    if cluster.installed.is_some() {
        // The replicas of the chart show it there.
        return;
    }
    let (served, directory) = (Served::of(&endpoint("fraud", 700.0)), Directory::new());
    let log = directory.memory().with_file_name("log");
    let kubeconfig = kubeconfig(&directory, cluster.address);
    let _run = Run::start(&directory, &served, kubeconfig.to_str().unwrap(), &log);
    until("an Event of the repair", || {
        let events = cluster.all("events");
        events.iter().any(|event| event["note"].as_str().is_some_and(|note| note.contains("fraud")))
    });
    let event = cluster.all("events").remove(0);
    assert_eq!(
        (&event["regarding"]["kind"], &event["regarding"]["name"]),
        (&json!("Pod"), &json!("setpoint-0"))
    );
    assert!(cluster.all("leases").is_empty() && cluster.all("configmaps").is_empty());
}

/// Events are news: without a way to the API server everything else goes on, and the log says why.
#[test]
fn a_process_that_cannot_write_events_repairs_all_the_same() {
    let (served, directory) = (Served::of(&endpoint("fraud", 700.0)), Directory::new());
    let log = directory.memory().with_file_name("log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    // No credentials at all, and an API server that nobody answers for.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for config in ["/nonexistent".to_owned(), kubeconfig(&directory, dead).display().to_string()] {
        served.change(json!({"edit_policy": {"variant": "fraud/AllTraffic", "target_value": 700}}));
        let run = Run::start(&directory, &served, &config, &log);
        until("the repair", || served.target_value("fraud") == Some(600.0));
        until("a line about Events", || said().contains("Event"));
        let said = said();
        assert_eq!(said.matches("\"WARN\"").count(), said.matches("Event").count(), "{said}");
        assert_eq!(said.matches("\"ERROR\"").count(), 0, "{said}");
        drop(run);
    }
}
