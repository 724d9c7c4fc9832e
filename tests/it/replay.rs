//! Tests of `setpoint replay` and `simulate grade`: the contract of the command line, what is
//! wrong with a file, published data, and the bar on a small fixed set.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use serde_json::Value;
use setpoint::model::goal::{LatencyObjective, Objective};
use setpoint::model::units::{LatencyStatistic, RequestsPerSecond, SafetyFactor};
use setpoint::replay::{ReplaySettings, csv, replay};

const HEADER: &str = "timestamp,invocations,invocations_per_instance,latency_p50_us,latency_p99_us,\
                      errors_5xx,endpoint_config,configured_target";

fn temporary(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn setpoint(file: &Path, flags: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_setpoint");
    Command::new(binary).arg("replay").arg(file).args(flags).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Minutes of a service with a knee near 1,000 a minute, slower from `slow_from` on.
pub(crate) fn recording(minutes: i64, slow_from: i64) -> String {
    let mut text = format!("{HEADER}\n");
    for i in 0..minutes {
        let at = chrono::DateTime::from_timestamp(1_764_547_200 + i * 60, 0).unwrap();
        let slow = if i >= slow_from { 1.4 } else { 1.0 };
        let wave = 620.0 + 90.0 * (i as f64 / 229.0).sin() + ((i * 37) % 41) as f64;
        let load = if i % 240 < 7 { 1.75 * wave } else { wave };
        let over = load * slow * (1.0 + 0.05 * ((i * 7919) % 17 - 8) as f64 / 8.0) > 1030.0;
        let p99 = if over { 400_000.0 } else { 120_000.0 };
        let p50 = 20_000.0 * slow * (1.0 + 0.01 * ((i * 31) % 7) as f64);
        let config = if i >= slow_from { "v2" } else { "v1" };
        let stamp = at.format("%Y-%m-%dT%H:%M:%SZ");
        let _ = writeln!(text, "{stamp},{},{load},{p50},{p99},0,{config},", load * 5.0);
    }
    text
}

const FLAGS: [&str; 8] =
    ["--slo", "p99=250ms", "--max-rps", "16", "--safety-factor", "0.7", "-o", "json"];

#[test]
fn json_lines_have_exactly_the_documented_fields() {
    let file = temporary("contract.csv", &recording(2 * 1440, 1440 + 123));
    let lines = lines(&setpoint(&file, &FLAGS));
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for line in &lines {
        assert_eq!(
            keys(line),
            [
                "at",
                "verdict",
                "capacity",
                "safe_target",
                "configured_target",
                "divergence",
                "alarms",
                "regime",
                "minutes",
                "decision"
            ]
        );
        let capacity = ["estimate", "low", "q25", "high", "lower_bound"];
        assert_eq!(keys(&line["capacity"]), capacity);
        assert_eq!(keys(&line["regime"]), ["started_at", "declared", "speed_ratio"]);
        assert_eq!(keys(&line["minutes"]), ["used", "broken", "dropped"]);
        assert_eq!(keys(&line["decision"]), ["action", "target_value", "reason"]);
    }
    // The recording states no target value, so that each decision is as good as carried out.
    assert_eq!(lines[0]["configured_target"], 672.0);
    for pair in lines.windows(2) {
        assert_eq!(pair[1]["configured_target"], pair[0]["decision"]["target_value"], "{pair:?}");
    }
    let at: Vec<&str> = lines.iter().map(|l| l["at"].as_str().unwrap()).collect();
    for due in ["2025-12-01T06:00:00Z", "2025-12-01T12:00:00Z", "2025-12-02T18:00:00Z"] {
        assert!(at.contains(&due), "{due} in {at:?}");
    }
    assert_eq!(*at.last().unwrap(), "2025-12-03T00:03:00Z", "when the last minute is known");
    assert!(at.is_sorted_by(|a, b| a < b));
}

#[test]
fn a_finding_prints_a_line_of_its_own_when_it_is_raised() {
    // Nobody carries anything out.
    let stated = recording(2 * 1440, 1440 + 123).replace(",\n", ",672\n");
    let file =
        temporary("raised.csv", &stated.replace("configured_target,672", "configured_target"));
    let lines = lines(&setpoint(&file, &FLAGS));
    let has =
        |line: &&Value, alarm: &str| line["alarms"].as_array().unwrap().iter().any(|a| a == alarm);
    let slower = lines.iter().find(|l| has(l, "slower")).unwrap();
    // Deployed at 02:03 on the second day; the check 40 minutes later is seen by the next read of
    // telemetry, which knows the minutes up to 02:57.
    assert_eq!(slower["at"], "2025-12-02T03:00:00Z");
    assert_eq!(slower["regime"]["started_at"], "2025-12-02T02:13:00Z");
    assert_eq!(slower["regime"]["declared"], true);
    let over = lines.iter().find(|l| has(l, "over")).unwrap();
    assert!(over["at"].as_str().unwrap() <= "2025-12-02T03:15:00Z", "{over}");
    // Nothing moves in the hour after a deploy.
    assert_eq!(slower["decision"]["reason"], "new_regime");
    let deployed = |l: &&Value| l["at"].as_str().unwrap() > "2025-12-02T02:03:00Z";
    let mut written =
        lines.iter().filter(deployed).filter(|l| l["decision"]["action"] == "set_target");
    let first = written.next().unwrap();
    assert!(first["at"].as_str().unwrap() >= "2025-12-02T03:03:00Z", "{first}");
    let target = first["decision"]["target_value"].as_f64().unwrap();
    assert!((470.0..672.0).contains(&target), "{first}");
}

#[test]
fn a_bound_that_does_not_exist_is_null() {
    let quiet: String = recording(1440, i64::MAX)
        .lines()
        .filter(|line| !line.contains(",400000,"))
        .fold(String::new(), |all, line| all + line + "\n");
    let file = temporary("quiet.csv", &quiet);
    let lines = lines(&setpoint(&file, &["--slo", "p99=250ms", "-o", "json"]));
    let last = lines.last().unwrap();
    assert_eq!(last["verdict"], "at_least");
    for absent in ["estimate", "q25", "high"] {
        assert!(last["capacity"][absent].is_null(), "{absent} of {last}");
    }
    assert!(last["capacity"]["lower_bound"].is_number());
    assert!(last["safe_target"].is_null() && last["configured_target"].is_null());
    assert_eq!(last["decision"]["reason"], "no_value");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let row = "2026-01-01T00:00:00Z,900,900,1,1,0,,";
    let next = "2026-01-01T00:01:00Z,900,900,1,1,0,,";
    for (text, expected) in [
        (String::new(), "wrong.csv is empty"),
        (format!("{HEADER}\n"), "no rows"),
        ("timestamp,invocations\n".to_owned(), "no column invocations_per_instance"),
        (format!("{HEADER},errors_5xx\n{row},0"), "column errors_5xx occurs twice"),
        (
            format!("{HEADER}\n{row}\n2026-01-01T00:01:00Z,many,900,1,1,0,,"),
            "line 3, column invocations: found \"many\" (allowed: a number from 0",
        ),
        (
            format!("{HEADER}\n2026-01-01T00:00:00Z,900,-1,1,1,0,,"),
            "line 2, column invocations_per_instance: found \"-1\"",
        ),
        (
            format!("{HEADER}\nyesterday,900,900,1,1,0,,"),
            "line 2, column timestamp: found \"yesterday\" (allowed: an RFC 3339 time",
        ),
        (format!("{HEADER}\n{row}\n{row}"), "line 3, column timestamp: a second row for"),
        (format!("{HEADER}\n{next}\n{row}"), "line 3, column timestamp: 2026-01-01T00:00:00"),
        (format!("{HEADER}\n{row},extra"), "line: 2"),
        (
            format!("{HEADER},period_seconds\n{row},120"),
            "column period_seconds: found \"120\" (allowed: 60, 300 or 900)",
        ),
    ] {
        let file = temporary("wrong.csv", &text);
        let output = setpoint(&file, &["--slo", "p99=250ms"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(message.contains(expected), "{message} should contain {expected}");
        assert!(message.contains("wrong.csv"), "{message}");
    }
    let output = setpoint(Path::new("absent.csv"), &["--slo", "p99=250"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn the_report_needs_nothing_else() {
    let file = temporary("report.csv", &recording(2 * 1440, 1440 + 123));
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    let flags = ["--slo", "p99=250ms", "--report", report.to_str().unwrap()];
    assert!(setpoint(&file, &flags).status.success());
    let page = std::fs::read_to_string(report).unwrap();
    // Each of the two plots for a wide screen and for a phone, and the verdicts.
    assert_eq!(page.matches("<svg class=\"plot").count(), 4);
    for part in ["objective: p99 250 ms", "line capacity\"", "class=\"strip\"", "measured"] {
        assert!(page.contains(part), "{part}");
    }
    // First what was found, in a sentence.
    let text = page.split("<body>").nth(1).unwrap();
    let said = text.find("<p class=\"lead\">one instance serves ").unwrap();
    assert!(said < text.find("class=\"tile").unwrap() && said < text.find("<svg").unwrap());
    // Of two days of evaluations a line for each change.
    let lines = page.matches("<li>").count();
    assert!((1..20).contains(&lines), "{lines} lines");
    assert!(page.contains("evaluations that say the same"), "{text}");
    for foreign in ["<script", "http:", "https:", "NaN", "-inf", ">inf<"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

/// Replays a growing recording, in which a person carries out each decision a minute later; answers
/// with each value written.
#[test]
fn raises_onto_new_ground_take_ten_per_cent_a_day_as_the_recording_shows() {
    let base = recording(4 * 1440, i64::MAX);
    let mut rows: Vec<String> = base.lines().map(str::to_owned).collect();
    let mut target = 400.0;
    let mut written = Vec::new();
    // The header is line 0, and the value in force begins the minute.
    let _ = write!(rows[1], "{target}");
    for quarter in 1..=16_usize {
        let pass = quarter * 360;
        for row in rows.iter_mut().take(pass + 2).skip(pass - 358) {
            let _ = write!(row, "{target}");
        }
        // What is known at the pass.
        let file = temporary("growing.csv", &rows[..=pass - 3].join("\n"));
        let lines = lines(&setpoint(&file, &FLAGS));
        let decision = &lines.last().unwrap()["decision"];
        if decision["action"] == "set_target" {
            target = decision["target_value"].as_f64().unwrap();
            written.push((quarter, target));
        }
    }
    assert!(written.len() >= 3, "{written:?}");
    for pair in written.windows(2) {
        assert!(pair[1].1 <= pair[0].1 * 1.1 + 0.01, "{written:?}");
        assert!(pair[1].0 - pair[0].0 >= 4, "a day between two raises: {written:?}");
    }
}

/// What the hours reported is part of the estimate, so that passes which are rarer than those hours raise too.
#[test]
fn a_raise_is_decided_on_however_seldom_somebody_looks() {
    let base = recording(4 * 1440, i64::MAX);
    let mut rows: Vec<String> = base.lines().map(str::to_owned).collect();
    for row in rows.iter_mut().skip(1) {
        row.push_str("400");
    }
    let file = temporary("seldom.csv", &rows.join("\n"));
    for every in ["1h", "12h", "36h"] {
        let flags = [&FLAGS[..], &["--every", every]].concat();
        let lines = lines(&setpoint(&file, &flags));
        let raises = lines.iter().filter(|line| {
            line["decision"]["action"] == "set_target"
                && line["decision"]["target_value"].as_f64() > Some(400.0)
        });
        assert!(raises.count() > 0, "{every}: {:#?}", lines.last());
    }
}

/// Published measurements beside the checkout; they are not part of it.
#[expect(clippy::print_stdout, reason = "names what is skipped")]
fn published(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: {} is not beside the checkout", path.display());
    }
    text
}

/// Load steps as minutes: `(minutes, load, p50 ms, p99 ms, errors)` each.
fn as_minutes(steps: &[(f64, f64, f64, f64, f64)]) -> String {
    let mut text = format!("{HEADER}\n");
    let mut minute = 0;
    for (minutes, load, p50, p99, errors) in steps {
        for _ in 0..minutes.round().max(1.0) as i64 {
            let at = chrono::DateTime::from_timestamp(1_764_547_200 + minute * 60, 0).unwrap();
            let (p50, p99) = (p50 * 1000.0, p99 * 1000.0);
            let stamp = at.format("%Y-%m-%dT%H:%M:%SZ");
            let _ = writeln!(text, "{stamp},{load},{load},{p50},{p99},{},,", errors / minutes);
            minute += 1;
        }
    }
    text
}

fn table(text: &str) -> Vec<std::collections::BTreeMap<String, f64>> {
    let mut rows = text.lines();
    let names: Vec<&str> = rows.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = names.iter().zip(line.split(','));
        cells.filter_map(|(n, c)| Some(((*n).to_owned(), c.parse().ok()?))).collect()
    };
    rows.map(row).collect()
}

#[test]
fn the_published_load_test_of_a_sagemaker_instance_gives_the_published_answer() {
    let Some(steps) = published("intuit/steps.csv") else { return };
    let steps: Vec<_> = table(&steps)
        .iter()
        .map(|s| (s["total"] / (s["tps"] * 60.0), s["tps"] * 60.0, s["p50"], s["p99"], s["ko"]))
        .collect();
    let file = temporary("intuit.csv", &as_minutes(&steps));
    let flags = ["--slo", "p99=400ms", "--error-rate-max", "0.0001", "-o", "json"];
    let lines = lines(&setpoint(&file, &flags));
    let last = lines.last().unwrap();
    let capacity = last["capacity"]["estimate"].as_f64().unwrap();
    assert!((12_000.0..18_000.0).contains(&capacity), "{last}");
}

#[test]
fn censored_runs_prove_a_lower_bound_only() {
    for name in ["node_mysql-2.11.1.csv", "node_mysql2-1.0.0-rc13.csv"] {
        let Some(runs) = published(&format!("wrk2/{name}")) else { return };
        let runs: Vec<_> =
            table(&runs).iter().map(|r| (5.0, r["rps"] * 60.0, r["p50"], r["p99"], 0.0)).collect();
        let file = temporary(name, &as_minutes(&runs));
        let lines = lines(&setpoint(&file, &["--slo", "p99=20ms", "-o", "json"]));
        let last = lines.last().unwrap();
        assert_eq!(last["verdict"], "at_least", "{name}");
        let bound = last["capacity"]["lower_bound"].as_f64().unwrap();
        assert!(bound > 0.9 * 12_000.0 * 60.0 && bound < 12_000.0 * 60.0, "{name}: {bound}");
    }
}

/// The bar on a small fixed set of runs over the embedded AWS; the whole set is a command.
#[tokio::test]
async fn the_bar_holds_on_a_fixed_set() {
    use setpoint::estimate::Refinements;
    use setpoint::grade::{Class, cases, grade, summarise};
    let mut graded = Vec::new();
    for case in cases(&[Class::Quiet, Class::Bursting, Class::Saturating], 0..4) {
        graded.push(grade(&case, Refinements::ALL, Refinements::NONE).await.unwrap());
    }
    let quiet = summarise(&graded, Class::Quiet, 168).unwrap();
    assert_eq!((quiet.full.known, quiet.full.too_high), (0, 0), "{quiet:?}");
    for class in [Class::Bursting, Class::Saturating] {
        let week = summarise(&graded, class, 168).unwrap();
        let full = &week.full;
        assert_eq!((full.known, full.too_high), (week.runs, 0), "{week:?}");
        assert!(full.error.0 <= 0.04 && full.error.1 <= 0.10, "{week:?}");
        assert!(full.error.0 < week.load_test.0 && full.error.0 < week.highest_good.0);
        assert_eq!(full.false_divergences, 0.0, "{week:?}");
    }
}

fn settings() -> ReplaySettings {
    let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
    ReplaySettings {
        objective: Objective { latency: Some(latency), error_rate_max: 0.01 },
        max_rps: Some(RequestsPerSecond::new(20.0).unwrap()),
        safety_factor: SafetyFactor::new(0.5).unwrap(),
        configured_target: None,
        made_at: None,
        from: None,
        every: chrono::TimeDelta::minutes(10),
        refinements: setpoint::estimate::Refinements::ALL,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in "(timestamp|invocations|[0-9TZ:.,-]{0,12}|\\PC{0,4}|[,\n\"]){0,40}") {
        let _ = csv::read("x", format!("{HEADER}\n{text}").as_bytes(), LatencyStatistic::P99);
        let _ = csv::read("x", text.as_bytes(), LatencyStatistic::P99);
    }

    #[test]
    fn no_numbers_make_the_estimator_panic(
        rows in proptest::collection::vec(
            (0_i64..200_000, prop_oneof![Just(0.0), 0.0..1e4_f64, Just(1e15)],
             prop_oneof![Just(0.0), 1e-9..1e4_f64, Just(1e15)], 0.0..1e9_f64, 0.0..1e6_f64,
             0_u8..4, 0_u8..8),
            1..120),
    ) {
        let mut rows = rows;
        rows.sort_by_key(|r| r.0);
        rows.dedup_by_key(|r| r.0);
        let mut text = format!("{HEADER},period_seconds\n");
        for (minute, all, each, p50, p99, config, gap) in rows {
            let at = chrono::DateTime::from_timestamp(minute * 60, 0).unwrap().to_rfc3339();
            let cell = |n: u8, v: f64| if gap == n { String::new() } else { v.to_string() };
            let period = if minute % 15 == 0 && gap > 5 { "900" } else { "60" };
            let _ = writeln!(text, "{at},{},{},{},{},0,c{config},{},{period}",
                cell(1, all), cell(2, each), cell(3, p50), cell(4, p99), cell(5, p99 + 1.0));
        }
        let recording = csv::read("x", text.as_bytes(), LatencyStatistic::P99).unwrap();
        let mut told = 0;
        replay(&recording.rows, &settings(), |evaluation| {
            told += 1;
            if let Some(target) = evaluation.decided.target_value {
                assert!(target.is_finite() && target > 0.0);
            }
        });
        prop_assert!(told > 0);
    }
}
