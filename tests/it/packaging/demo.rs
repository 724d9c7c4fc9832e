//! Monitoring from end to end: the process of `setpoint demo`, a real Prometheus with the chart's rules
//! that scrapes it, and a real Alertmanager that tells a receiver.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::dashboards::{self, NAMES};
use super::monitoring::{PATIENCE, Running, Webhook, prometheus};
use super::{root, system_tool};

/// Virtual seconds in a second, and the virtual minutes of the story.
const SPEED: u64 = 90;
const MINUTES: u64 = 75;
/// The variant whose target value rests on an old load test, and the one that is set right.
const WRONG: &str = "search-ranker";
const RIGHT: &str = "fraud-scorer";

/// `setpoint demo --serve` as a process.
struct Demo {
    process: Child,
    said: Receiver<String>,
}

impl Demo {
    /// Starts it; with it comes where its metrics are.
    fn start() -> (Self, String) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_setpoint"))
            .args(["demo", "--serve", "--speed", &SPEED.to_string()])
            .args(["--minutes", &MINUTES.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The test may be over.
                let _ = sender.send(line);
            }
        });
        let demo = Self { process, said };
        let line = demo.says("/metrics", PATIENCE);
        let (_, address) = line.rsplit_once("http://").unwrap();
        (demo, address.trim_end_matches("/metrics").to_owned())
    }

    /// The next line with these words.
    fn says(&self, words: &str, within: Duration) -> String {
        let mut before = Vec::new();
        loop {
            match self.said.recv_timeout(within) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => before.push(line),
                Err(error) => panic!("the demo does not say {words:?} ({error}): {before:#?}"),
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The chart's rules for a world in which time runs faster than Prometheus's: each `for` is shorter by
/// that much, and now is when the daemon last looked.
fn hurried_rules() -> String {
    let rules = std::fs::read_to_string(root("helm/setpoint/rules/setpoint-alerts.yaml")).unwrap();
    let now = "scalar(max(setpoint_last_pass_timestamp_seconds))";
    let hurried = |line: &str| {
        let Some((before, time)) = line.split_once("for: ") else {
            return line.replace("time()", now);
        };
        let (number, unit) = time.split_at(time.len() - 1);
        let seconds = if unit == "h" { 3600 } else { 60 } * number.parse::<u64>().unwrap();
        format!("{before}for: {}s", seconds.div_ceil(SPEED))
    };
    rules.lines().map(|line| hurried(line) + "\n").collect()
}

#[test]
fn the_demo_fills_the_dashboards_and_raises_and_resolves_an_alert() {
    let test = "demo::the_demo_fills_the_dashboards_and_raises_and_resolves_an_alert";
    let Some(program) = prometheus(test) else { return };
    let Some(alertmanager) = system_tool(test, "prometheus-alertmanager") else { return };
    let webhook = Webhook::start();
    let alertmanager = Running::alertmanager(&alertmanager, &webhook);
    let (demo, metrics) = Demo::start();
    let prometheus = Running::prometheus(
        &program,
        &metrics,
        &hurried_rules(),
        &format!("'{}'", alertmanager.address),
    );

    // Above the capacity it is for some minutes only, too short for that alert's `for`.
    let alert = webhook.wait_for("SetpointTargetOver", "firing");
    assert_eq!(alert["labels"]["endpoint"], WRONG);
    assert_eq!(alert["labels"]["severity"], "warning");
    let description = alert["annotations"]["description"].as_str().unwrap();
    assert!(description.contains("the safe value is 5"), "{description}");
    // The demo has lowered the target value.
    webhook.wait_for("SetpointTargetOver", "resolved");
    demo.says("Still at", PATIENCE);

    let begun = format!("{}s", MINUTES * 60 / SPEED + PATIENCE.as_secs());
    let fired: BTreeSet<(String, String)> = prometheus
        .query(&format!("max_over_time(ALERTS{{alertstate=\"firing\"}}[{begun}])"))
        .iter()
        .map(|series| {
            let label = |name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
            (label("alertname"), label("endpoint"))
        })
        .collect();
    assert!(fired.iter().all(|(_, endpoint)| endpoint != RIGHT), "{fired:?}");
    // Before the first scrape, or when a busy machine misses one, it is absent.
    let of_the_process =
        fired.iter().filter(|(alert, at)| at.is_empty() && alert != "SetpointAbsent");
    assert_eq!(of_the_process.count(), 0, "{fired:?}");

    let mut wrong = Vec::new();
    for name in NAMES {
        let dashboard = dashboards::dashboard(name);
        for (panel, query) in dashboards::queries(&dashboard) {
            let expression = dashboards::filled(query["expr"].as_str().unwrap());
            let series = prometheus.query_since(&expression, &begun);
            let cannot = dashboards::NOT_OF_THE_DEMO.iter().any(|(of, _)| panel.starts_with(of));
            if series.is_empty() != cannot {
                wrong.push(format!("{name}, {panel}: {expression}: {} series", series.len()));
            } else if !cannot {
                dashboards::labels_of_the_legend_exist(query, &series);
            }
        }
        dashboards::variables_have_values(&dashboard, &prometheus);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
