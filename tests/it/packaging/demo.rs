//! Monitoring from end to end: the process of `setpoint demo`, a real Prometheus with the chart's rules
//! that scrapes it, and a real Alertmanager that tells a receiver.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use setpoint::ports::Clock as _;
use setpoint::system::WallClock;

use super::dashboards::{self, NAMES};
use super::monitoring::{PATIENCE, Running, Webhook, eventually, prometheus};
use super::{root, system_tool};

/// Virtual seconds in a second, and the fewest virtual minutes of the story.
const SPEED: u64 = 90;
const MINUTES: u64 = 75;

/// The minutes of the story that ends now and begins 20 minutes after a whole or half hour. The estimator
/// looks at a finding every half hour of the data: a story that began right before one of them would end
/// a finding before it has stood for as long as its alert asks.
fn minutes() -> u64 {
    let now = WallClock.now().timestamp() as u64 / 60;
    MINUTES + ((now - MINUTES) % 30 + 10) % 30
}

/// The variant whose target value rests on an old load test, and the one that is set right.
const WRONG: &str = "search-ranker";
const RIGHT: &str = "fraud-scorer";
/// What stays unsafe at the end of the story: a slower model of a variant in `observe`, an endpoint that was
/// away for minutes, and the estimate that is still followed in steps.
const CHANGED: [&str; 3] = ["doc-embedder", "price-estimator", WRONG];

/// `setpoint demo --serve` as a process.
struct Demo {
    process: Child,
    said: Receiver<String>,
    all: Arc<Mutex<Vec<String>>>,
}

impl Demo {
    /// Starts it; with it comes where its metrics are.
    fn start() -> (Self, String) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_setpoint"))
            .args(["demo", "--serve", "--speed", &SPEED.to_string()])
            .args(["--minutes", &minutes().to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, said) = channel();
        let all = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&all);
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line.clone());
                // The test may be over.
                let _ = sender.send(line);
            }
        });
        let demo = Self { process, said, all };
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

/// The chart's rules without patience, by the real time: what would fire if it stayed as it is.
fn impatient_rules() -> String {
    let rules = std::fs::read_to_string(root("helm/setpoint/rules/setpoint-alerts.yaml")).unwrap();
    let impatient =
        |line: &str| line.split_once("for: ").map(|(before, _)| format!("{before}for: 0s\n"));
    rules.lines().map(|line| impatient(line).unwrap_or_else(|| format!("{line}\n"))).collect()
}

/// The alerts that have fired, each with its endpoint.
fn fired(prometheus: &Running, since: &str) -> BTreeSet<(String, String)> {
    let firing = format!("max_over_time(ALERTS{{alertstate=\"firing\"}}[{since}])");
    let series = prometheus.query(&firing);
    let label =
        |series: &Value, name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
    series.iter().map(|s| (label(s, "alertname"), label(s, "endpoint"))).collect()
}

/// The demo after its story, in the present: what is right stays quiet, without patience and by the real time.
fn nothing_fires_of_what_is_right(program: &Path, metrics: &str) {
    let prometheus = Running::prometheus(program, metrics, &impatient_rules(), "");
    eventually("ten scrapes", || {
        let scrapes = prometheus.query("count_over_time(setpoint_build_info[1m]) >= 10");
        (!scrapes.is_empty()).then_some(())
    });
    // Accelerated time may end some seconds ahead of the present.
    eventually("the demo in the present", || {
        let ages = prometheus.query("time() - max(setpoint_last_pass_timestamp_seconds)");
        let age: f64 = ages[0]["value"][1].as_str().unwrap().parse().unwrap();
        (-5.0..90.0).contains(&age).then_some(())
    });
    let fired = fired(&prometheus, "1m");
    let expected = |(alert, endpoint): &&(String, String)| {
        // Before the first scrape it is absent.
        alert == "SetpointAbsent" || CHANGED.contains(&endpoint.as_str())
    };
    let wrong: Vec<_> = fired.iter().filter(|one| !expected(one)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// What the README shows of the demo is what it says, but for the numbers, which depend on the machine.
fn the_readme_shows_what_it_says(demo: &Demo) {
    let numberless = |line: &str| -> String {
        let words = line.split_whitespace().map(|word| {
            let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '(');
            if is_number { "N".to_owned() } else { word.replace(|c: char| c.is_ascii_digit(), "N") }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let said: BTreeSet<String> =
        demo.all.lock().unwrap().iter().map(|line| numberless(line)).collect();
    let shown = super::links::sample("demo");
    assert!(shown.len() > 8, "{shown:#?}");
    let invented: Vec<_> = shown.iter().filter(|line| !said.contains(&numberless(line))).collect();
    assert!(
        invented.is_empty(),
        "the README shows what the demo does not say: {invented:#?} {said:#?}"
    );
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

    let begun = format!("{}s", (MINUTES + 30) * 60 / SPEED + PATIENCE.as_secs());
    let fired = fired(&prometheus, &begun);
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
    nothing_fires_of_what_is_right(&program, &metrics);
    the_readme_shows_what_it_says(&demo);
}
