//! Tests of `calibrate`: the finished binary over results of load tools, real ones and others.

use std::fmt::Write as _;
use std::process::{Command, Output};

use serde_json::Value;

fn setpoint(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/calibrate"));
    command.args(args).output().unwrap()
}

fn calibrate(args: &[&str]) -> Output {
    setpoint(&[&["calibrate"], args].concat())
}

fn found(args: &[&str]) -> Value {
    let output = calibrate(&[args, &["-o", "json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(args: &[&str]) -> String {
    let output = calibrate(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn written(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

const SLO: [&str; 2] = ["--slo", "p99=250ms"];

#[test]
fn each_tool_is_recognised_by_its_content_and_gives_its_rate() {
    for (file, tool, rate) in [
        ("k6-summary.json", "k6_summary", 20.0),
        ("locust_stats.csv", "locust_stats", 65.1),
        ("vegeta.json", "vegeta_json", 20.0),
        ("wrk.txt", "wrk", 99.1),
        ("wrk2.txt", "wrk2", 19.9),
        ("hey.txt", "hey", 98.6),
        ("ab.txt", "ab", 103.0),
        ("gatling-stats.json", "gatling", 20.0),
        ("genai-perf.json", "genai_perf", 20.0),
    ] {
        let found = found(&[file, SLO[0], SLO[1]]);
        assert_eq!(found["files"][0]["tool"], tool, "{file}");
        assert_eq!(found["max_rps"], rate, "{file}");
        assert_eq!(found["bound"], "at_least", "{file}");
        assert!(found["reasons"].as_array().unwrap().len() > 1, "{file}");
    }
}

#[test]
fn the_highest_step_of_a_stair_is_found_and_shown() {
    let found = found(&["locust_stats_history.csv", "--slo", "p99=60ms"]);
    assert_eq!(found["steps"].as_array().unwrap().len(), 6);
    assert_eq!(found["bound"], "between");
    assert_eq!(found["max_rps"], 90.2);
    assert_eq!(found["interval_rps"], serde_json::json!([81.8, 101.0]));
    assert_eq!(found["load_test"]["date"], "2026-11-28");
    let text = calibrate(&["locust_stats_history.csv", "--slo", "p99=60ms"]).stdout;
    let text = String::from_utf8(text).unwrap();
    for part in [
        "the highest good step",
        "one instance serves 90.2 requests/s well; at 101 it does not",
        "overstates production by 10 %",
        "2706 invocations per minute per instance",
        "load_test:\n  max_rps: 90.2\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_case_of_twenty_requests_a_second_gives_six_hundred() {
    for files in [&["vegeta.json", "vegeta.txt"][..], &["k6-summary.json"]] {
        let found = found(&[files, &SLO].concat());
        assert_eq!(found["target_value"], 600.0, "{files:?}");
    }
    let text = String::from_utf8(calibrate(&["vegeta.json", SLO[0], SLO[1]]).stdout).unwrap();
    for wrong in ["  10: ", "  30: ", "  1200: ", "  2400: "] {
        assert!(text.contains(wrong), "{wrong}\n{text}");
    }
}

#[test]
fn several_files_of_one_run_each_are_steps() {
    let between = found(&["vegeta.txt", "vegeta.json", SLO[0], SLO[1]]);
    assert_eq!(between["bound"], "between");
    assert_eq!(between["best_step"], 0);
    // 233 of 1800 answers were 503: an error, and no part of the rate.
    assert!(between["steps"][1]["why"].as_str().unwrap().contains("12.9 % errors"), "{between:#}");
    let hey = found(&["hey-q10.txt", "hey-q20.txt", "hey.txt", "--slo", "p99=75ms"]);
    assert_eq!(hey["steps"].as_array().unwrap().len(), 3);
    assert_eq!(hey["best_step"], 1, "{hey:#}");
}

#[test]
fn several_reports_in_one_file_are_steps_by_their_connections() {
    let found = found(&["wrk-four.txt", "--slo", "p99=100ms"]);
    let users: Vec<f64> =
        found["steps"].as_array().unwrap().iter().map(|s| s["users"].as_f64().unwrap()).collect();
    assert_eq!(users, [1.0, 2.0, 4.0, 16.0]);
    assert_eq!(found["best_step"], 2, "{found:#}");
    assert_eq!(found["bound"], "between");
}

#[test]
fn samples_and_periods_become_steps_whatever_tool_wrote_them() {
    for (file, tool, rate, why) in [
        ("jmeter.csv", "jmeter_csv", 8.0, "9.5 % errors"),
        ("jmeter.xml", "jmeter_xml", 8.0, "9.5 % errors"),
        ("artillery.json", "artillery", 20.0, "10 % errors"),
    ] {
        let found = found(&[file, SLO[0], SLO[1]]);
        assert_eq!(found["files"][0]["tool"], tool, "{file}");
        // Steps of 15 s: a request more or less in the window is 1 %.
        let off = (found["max_rps"].as_f64().unwrap() / rate - 1.0).abs();
        assert!(off < 0.02, "{file}: {found:#}");
        assert_eq!(found["bound"], "between", "{file}");
        let steps = found["steps"].as_array().unwrap();
        let found = steps.last().unwrap()["why"].as_str().unwrap();
        assert!(found.ends_with(why), "{file}: {found}");
    }
}

#[test]
fn answers_of_503_that_oha_calls_a_success_are_errors() {
    let error = refused(&["oha.json", SLO[0], SLO[1]]);
    assert!(error.contains("9.09 % errors"), "{error}");
    let found = found(&["oha.json", SLO[0], SLO[1], "--error-rate", "0.2"]);
    assert_eq!(found["max_rps"], 20.0);
}

#[test]
fn what_export_wrote_is_read_by_the_minute() {
    let mut text =
        "timestamp,invocations,invocations_per_instance,latency_p99_us,errors_5xx\n".to_owned();
    for (i, (n, us)) in [(600, 100_000), (1200, 200_000), (1800, 400_000)].iter().enumerate() {
        writeln!(text, "2026-11-03T10:0{i}:00Z,{n},{n},{us},0").unwrap();
    }
    let (_dir, path) = written("export.csv", &text);
    let found = found(&[&path, SLO[0], SLO[1]]);
    assert_eq!((&found["max_rps"], &found["target_value"]), (&20.0.into(), &600.0.into()));
    assert_eq!(found["files"][0]["tool"], "telemetry");
}

#[test]
fn a_recommender_job_is_per_minute_already() {
    let one = found(&["recommender.json", "--instance-type", "ml.c5.xlarge", SLO[0], SLO[1]]);
    assert_eq!((&one["max_rps"], &one["target_value"]), (&20.0.into(), &600.0.into()));
    assert_eq!(one["bound"], "maximum");
    assert_eq!(one["load_test"]["instance_type"], "ml.c5.xlarge");
    // 263596 is microseconds, whatever the page says: 264 ms, above the objective.
    let two = refused(&["recommender.json", "--instance-type", "ml.c5.2xlarge", SLO[0], SLO[1]]);
    assert!(two.contains("p99 264 ms, above 250 ms"), "{two}");
    let both = refused(&["recommender.json", SLO[0], SLO[1]]);
    assert!(both.contains("ml.c5.2xlarge, ml.c5.xlarge"), "{both}");
    assert!(both.contains("--instance-type"), "{both}");
}

/// Requests evenly spaced: 60 seconds at each rate, slower by the rate.
fn stair(line: impl Fn(f64, f64) -> String) -> String {
    let mut text = String::new();
    for (step, rate) in [10.0, 20.0, 30.0].into_iter().enumerate() {
        for i in 0..(rate as usize * 60) {
            let ms = if rate > 25.0 { 400.0 } else { 100.0 };
            let sent = 1_762_164_000.25 + step as f64 * 60.0 + i as f64 / rate;
            writeln!(text, "{}", line(sent, ms)).unwrap();
        }
    }
    text
}

fn rfc3339(seconds: f64) -> String {
    let nanos = ((seconds.fract() * 1e6).round() * 1e3) as u32;
    let time = chrono::DateTime::from_timestamp(seconds as i64, nanos.min(999_999_999)).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

#[test]
fn requests_one_by_one_become_steps() {
    let k6 = stair(|sent, ms| {
        let time = rfc3339(sent + ms / 1e3);
        format!(
            r#"{{"type":"Point","metric":"http_req_duration","data":{{"time":"{time}","value":{ms},"tags":{{"status":"200","expected_response":"true"}}}}}}"#
        )
    });
    let metric = r#"{"type":"Metric","data":{"type":"trend","contains":"time"},"metric":"http_req_duration"}"#;
    let vegeta = stair(|sent, ms| {
        let (time, ns) = (rfc3339(sent), ms * 1e6);
        format!(
            r#"{{"attack":"","seq":0,"code":200,"timestamp":"{time}","latency":{ns},"error":""}}"#
        )
    });
    let gatling = stair(|sent, ms| {
        let (start, end) = ((sent * 1e3).round(), (sent * 1e3).round() + ms.round());
        format!("REQUEST\t\tpredict\t{start}\t{end}\tOK\t ")
    });
    let run = "RUN\tbasic.Simulation\tbasic\t1762171200000\t \t3.9.5";
    for (tool, text) in [
        ("k6_json", format!("{metric}\n{k6}")),
        ("vegeta_results", vegeta),
        ("gatling_log", format!("{run}\nUSER\tusers\tSTART\t1762171200000\n{gatling}")),
    ] {
        let (_dir, path) = written("results", &text);
        let found = found(&[&path, SLO[0], SLO[1]]);
        assert_eq!(found["files"][0]["tool"], tool);
        assert_eq!(found["files"][0]["spacing"], "even", "{tool}");
        assert_eq!(found["max_rps"], 20.0, "{tool}: {found:#}");
        assert_eq!(found["target_value"], 600.0, "{tool}");
        assert_eq!(found["interval_rps"][1], 30.0, "{tool}");
        assert_eq!(found["load_test"]["date"], "2025-11-03", "{tool}");
        // A test that was stopped leaves half a line: what is whole counts, and it is said.
        let (_dir, path) = written("cut", &text[..text.len() - 20]);
        let cut = calibrate(&[&path, SLO[0], SLO[1]]);
        assert!(String::from_utf8_lossy(&cut.stdout).contains("in the middle of a line"), "{tool}");
    }
}

#[test]
fn a_gatling_log_of_any_version_is_read_or_refused_by_its_line() {
    // Until 3.3 the number of the user came first; KO is a bad answer.
    let line = |i: u64, status: &str| {
        let start = 1_762_171_200_000 + i * 50;
        format!("REQUEST\t7\t\tpredict\t{start}\t{}\t{status}\t \n", start + 20)
    };
    let old: String = (0..4000).map(|i| line(i, if i % 2 == 0 { "OK" } else { "KO" })).collect();
    let (_dir, path) = written("simulation.log", &old);
    let error = refused(&[&path, SLO[0], SLO[1]]);
    assert!(error.contains("50 % errors"), "{error}");
    for (text, words) in [
        ("RUN\ta\tb\t1\t \t3.9.5\nREQUEST\t\tx\tsoon\t2\tOK\t \n", "line 2: found"),
        ("RUN\ta\tb\t1\t \t3.9.5\nREQUEST\t\tx\t9\t2\tOK\t \n", "line 2: found"),
        ("RUN\ta\tb\t1\t \t3.9.5\n{\"latency\": 3}\n", "line 2: found"),
        ("RUN\ta\tb\t1\t \t3.9.5\nUSER\tu\tSTART\t1\n", "found no line REQUEST"),
    ] {
        let (_dir, path) = written("simulation.log", text);
        let error = refused(&[&path, SLO[0], SLO[1]]);
        assert!(error.contains(words), "{text:?}: {error}");
    }
}

#[test]
fn what_is_no_text_is_refused_with_what_to_read_instead() {
    let gob = b"\xff\xa1\xff\x81\x03\x01\x01\x06Result\x01\xff\x82\x00\x01\x0c\x01\x06Attack\x01\x0c\x00\x01\x03Seq\x01\x06\
\x00\x01\x09Timestamp\x01\xff\x84\x00\x01\x07Latency\x01\x04\x00\x01\x08BytesOut\x01\x06";
    let log = b"\x00\x00\x00\x00\x063.11.5\x00\x00\x00\x10basic.Simulation\xff\xfe";
    for (bytes, words) in [
        (&gob[..], "vegeta encode --to json"),
        (&log[..], "js/stats.json"),
        (&b"\x89PNG\r\n"[..], "byte 0: found something that is not text"),
    ] {
        let (_dir, path) = written("results", "");
        std::fs::write(&path, bytes).unwrap();
        let error = refused(&[&path]);
        assert!(error.contains(words) && error.contains(&path), "{error}");
    }
}

#[test]
fn a_percentile_that_is_not_there_is_not_made_up() {
    let error = refused(&["k6-summary-export.json", SLO[0], SLO[1]]);
    assert!(error.contains("has no p99 (found: avg, p50, p90, p95)"), "{error}");
    let error = refused(&["vegeta.json"]);
    assert!(error.contains("--slo p99=250ms"), "{error}");
    // 10 % of the answers failed, and k6 calls those its passes.
    let error = refused(&["k6-summary-export.json", "--slo", "p95=2s"]);
    assert!(error.contains("10 % errors"), "{error}");
    // The first second is warm-up; of the two requests after it one got a 503.
    let error = refused(&["k6.csv", "--slo", "p99=250ms"]);
    assert!(error.contains("50 % errors"), "{error}");
}

#[test]
fn several_instances_share_what_was_answered() {
    let found = found(&["vegeta.json", SLO[0], SLO[1], "--instances", "4"]);
    assert_eq!(found["max_rps"], 5.0);
}

#[test]
fn wrong_files_are_named_with_the_place_and_what_is_read() {
    let whole = include_str!("../calibrate/vegeta.json");
    for (text, parts) in [
        ("", &["the whole file: found nothing", "k6 summary JSON"][..]),
        ("a,b\n1,2\n", &["line 1: found \"a,b\"", "Locust"]),
        (&whole[..whole.len() / 2], &["line 1, column", "may not be all of it"]),
        (&whole.replace("\"rate\":20.016680567139283", "\"rate\":\"fast\""), &["key rate", "fast"]),
        ("{\"metrics\":{\"iterations\":{\"count\":1}}}", &["key metrics.http_reqs.rate"]),
        (
            "Timestamp,User Count,Type,Name,Total Request Count,Total Failure Count\n1,x,,Aggregated,1,0\n",
            &["line 2, column User Count", "\"x\""],
        ),
        ("Summary:\n  Slowest: 1\n  Requests/sec: 3\n", &["line Total:"]),
        (
            "{\"JobName\":\"j\",\"JobType\":\"Default\",\"Status\":\"FAILED\"}",
            &["key Status", "FAILED"],
        ),
    ] {
        let (_dir, path) = written("wrong", text);
        let error = refused(&[&path, SLO[0], SLO[1]]);
        assert!(error.starts_with(&format!("error: {path}: ")), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    let error = refused(&["no-such-file"]);
    assert!(error.contains("no-such-file: cannot open it"), "{error}");
}

#[test]
fn yaml_is_the_block_alone() {
    let output = calibrate(&[
        "vegeta.json",
        SLO[0],
        SLO[1],
        "-o",
        "yaml",
        "--instance-type",
        "ml.c5.xlarge",
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        "load_test:\n  max_rps: 20\n  date: 2026-11-03\n  instance_type: ml.c5.xlarge\n"
    );
}

#[test]
fn calculate_and_replay_point_here() {
    let output = setpoint(&["calculate", "wrk.txt"]);
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("setpoint calibrate wrk.txt"), "{error}");
    let output = setpoint(&["replay", "locust_stats_history.csv"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("a file of Locust stats_history.csv"), "{error}");
    assert!(error.contains("setpoint calibrate locust_stats_history.csv"), "{error}");
}
