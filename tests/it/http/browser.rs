//! The pages in a real browser: no error in its console, no request to another origin, nothing wide on a
//! phone, nothing serious by axe, the same without JavaScript.

#![expect(clippy::print_stdout, reason = "what was not tested must be seen")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use chrono::TimeDelta;
use setpoint::http::Site;
use setpoint::model::status::FleetStatus;
use setpoint::model::time::Timestamp;

use super::server::Fixture;
use crate::fixtures;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The browser and the Python environment that `tests/setup` installs. None, with a line that says so,
/// where they are not; in CI that is a failure.
fn tools() -> Option<PathBuf> {
    let python = root(".ci/cache/venv/bin/python");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let chromium = std::env::split_paths(&path).any(|dir| dir.join("chromium").exists());
    let playwright = root(".ci/cache/venv/bin/playwright").exists();
    if chromium && playwright {
        return Some(python);
    }
    let missing = "chromium or playwright is missing (run tests/setup)";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
    println!("skipped: http::browser: {missing}");
    None
}

/// Of a kind each, many times over.
fn many(count: usize) -> FleetStatus {
    let kinds: Vec<_> = fixtures::mixed_fleet().variants.values().cloned().collect();
    let variants = (0..count).map(|n| {
        let mut status = (*kinds[n % kinds.len()]).clone();
        status.snapshot.id = fixtures::id(&format!("endpoint-with-a-long-name-{n:05}"));
        status
    });
    FleetStatus { ..fixtures::fleet(variants.collect()) }
}

/// With prices, and with a past of two days in which the reaction was measured.
fn filled() -> Fixture {
    let mut fleet = fixtures::mixed_fleet();
    fleet.prices = Arc::new([("ml.c5.xlarge".to_owned(), 0.204)].into());
    fleet.month_cost = Some(3.21);
    let before = |hours: i64| {
        let mut then = fleet.clone();
        let at = |now: Timestamp| now - TimeDelta::hours(hours);
        then.at = fleet.at.map(at);
        for status in then.variants.values_mut() {
            let status = Arc::make_mut(status);
            status.last_pass = at(status.last_pass);
            status.decision.at = at(status.decision.at);
        }
        then
    };
    let past = (1..48).rev().map(before).collect();
    let fixture = Fixture::start_after(past, Site::default(), fleet, None);
    let (_, page) = fixture.get("/variants/fraud-scorer/AllTraffic");
    for part in ["<h2>Over time</h2>", "<h2>Instances over time</h2>", "id=\"reaction\""] {
        assert!(page.contains(part), "{part}");
    }
    fixture
}

/// The reports that people keep as files: of a replay, of other choices, and of what a fleet wastes.
fn reports(folder: &Path) -> Vec<String> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let recording = path("recording.csv");
    std::fs::write(&recording, crate::replay::recording(2 * 1440, 1440 + 123)).unwrap();
    for (command, flag, name) in [("replay", "--report", "replay"), ("whatif", "--html", "whatif")]
    {
        let page = path(&format!("{name}.html"));
        let arguments = [command, &recording, "--slo", "p99=250ms", flag, &page];
        let output = Command::new(env!("CARGO_BIN_EXE_setpoint")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::write(path("waste.html"), crate::report::page()).unwrap();
    ["replay", "whatif", "waste"]
        .map(|name| format!("report-{name}*=file://{}", path(&format!("{name}.html"))))
        .to_vec()
}

#[test]
fn a_browser_finds_nothing_wrong() {
    let Some(python) = tools() else { return };
    let base_path = "/ops/setpoint".to_owned();
    let site = Site { base_path, ..Site::default() };
    let mixed = Fixture::start_at(site, fixtures::mixed_fleet(), None);
    let (thousand, ten) = (Fixture::start(many(1000), None), Fixture::start(many(10_000), None));
    let blind = Fixture::start(fixtures::blind_fleet(), None);
    let page = |name: &str, fixture: &Fixture, path: &str| format!("{name}={}", fixture.url(path));
    let mut pages = vec![
        page("fleet*", &mixed, "/ops/setpoint/"),
        page("thousand", &thousand, "/"),
        page("ten-thousand", &ten, "/?sort=-divergence&page=40"),
        page("filtered", &mixed, "/?safety=unsafe&finding=over&q=%22%3E%3Cscript%3E"),
        page("empty", &mixed, "/?q=nothing-is-called-this"),
        page("blind", &blind, "/"),
    ];
    for (name, endpoint) in
        [("variant*", "fraud-scorer"), ("unread", "payments"), ("new", "recreated")]
    {
        let path = format!("/ops/setpoint/variants/{endpoint}/AllTraffic");
        pages.push(page(name, &mixed, &path));
    }
    let filled = filled();
    pages.push(page("priced", &filled, "/?sort=-money"));
    pages.push(page("past*", &filled, "/variants/fraud-scorer/AllTraffic"));
    let folder = tempfile::tempdir().unwrap();
    pages.extend(reports(folder.path()));
    let mut command = Command::new(python);
    command.arg(root("tests/browser/check.py"));
    if let Some(directory) = std::env::var_os("SETPOINT_SCREENSHOTS") {
        command.arg("--screenshots").arg(directory);
    }
    let output = command.args(&pages).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complains = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complains}");
    let views = pages.len() * 2 + 6 * 4;
    let expected = format!("{{\"pages\": {}, \"views\": {views}, \"wrong\": 0}}\n", pages.len());
    assert_eq!(said, expected);
}
