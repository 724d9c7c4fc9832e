//! Tests of `calculate`: the finished binary's text, JSON and exit codes.

use std::process::{Command, Output};

use serde_json::{Value, json};

fn calculate(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
    command.arg("calculate").args(args).output().unwrap()
}

fn example(check: &str) -> (i32, Value) {
    let args = ["--max-rps", "20", "--safety-factor", "0.5", "-o", "json", "--check", check];
    let output = calculate(&args);
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_text_shows_the_steps() {
    let output = calculate(&["--max-rps", "20", "--safety-factor", "0.5"]);
    assert_eq!(output.status.code(), Some(0));
    expect_test::expect![[r"
        20 RPS x 0.5 = 10 RPS
        10 RPS x 60 = 600 invocations per minute per instance
        target value: 600

        Choosing the factor: 0.5 to 0.7 for a first production deployment, higher when the traffic is predictable.
    "]]
    .assert_eq(&String::from_utf8(output.stdout).unwrap());
}

#[test]
fn the_json_has_the_documented_keys() {
    let output = calculate(&["--max-rps", "20", "--safety-factor", "0.5", "-o", "json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = json!({
        "max_rps": 20, "safety_factor": 0.5, "usable_rps": 10, "target_value": 600, "check": null,
    });
    assert_eq!(found, expected);
}

#[test]
fn a_right_number_passes_the_check() {
    let (code, found) = example("600");
    assert_eq!(code, 0);
    assert_eq!(found["check"], json!({"value": 600, "ok": true, "mistake": null}));
}

#[test]
fn wrong_numbers_are_named() {
    for (value, mistake) in [
        ("10", "minute_forgotten"),
        ("20", "rps_typed"),
        ("300", "factor_twice"),
        ("1200", "factor_forgotten"),
        ("2400", "factor_inverted"),
        ("30", "rate_forgotten"),
        ("36000", "per_hour"),
        ("601", "unknown"),
    ] {
        let (code, found) = example(value);
        assert_eq!(code, 2, "{value}");
        assert_eq!(found["check"]["ok"], json!(false), "{value}");
        assert_eq!(found["check"]["mistake"], json!(mistake), "{value}");
    }
}

#[test]
fn numbers_outside_their_range_are_usage_errors() {
    for wrong in ["0", "-1", "NaN", "inf", "-inf", "many", ""] {
        for args in [
            ["--max-rps", wrong, "--safety-factor", "0.5"].as_slice(),
            &["--max-rps", "20", "--safety-factor", wrong],
            &["--max-rps", "20", "--safety-factor", "0.5", "--check", wrong],
        ] {
            let output = calculate(args);
            assert_eq!(output.status.code(), Some(64), "{args:?}");
            assert!(output.stdout.is_empty(), "{args:?}");
            assert!(!output.stderr.is_empty(), "{args:?}");
        }
    }
    let output = calculate(&["--max-rps", "20", "--safety-factor", "1.01"]);
    assert_eq!(output.status.code(), Some(64));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("--safety-factor: 1.01"), "{message}");
    assert!(message.contains("at most 1"), "{message}");
}

#[test]
fn a_rate_that_no_instance_serves_is_refused_in_one_line() {
    let output = calculate(&["--max-rps", "1e308", "--safety-factor", "0.5"]);
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("1e308 is not a rate of one instance"), "{error}");
    assert!(error.lines().all(|line| line.len() < 200), "{error}");
}

#[test]
fn a_word_in_place_of_a_number_is_told_what_is_allowed() {
    for (flag, allowed) in [
        ("--max-rps", "requests per second, such as 20"),
        ("--safety-factor", "above 0 and at most 1, such as 0.5"),
        ("--check", "invocations per minute, such as 600"),
    ] {
        let value = |own: &str, fine: &'static str| if own == flag { "twenty" } else { fine };
        let output = calculate(&[
            "--max-rps",
            value("--max-rps", "20"),
            "--safety-factor",
            value("--safety-factor", "0.5"),
            "--check",
            value("--check", "600"),
        ]);
        assert_eq!(output.status.code(), Some(64), "{flag}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("twenty") && error.contains(flag), "{error}");
        assert!(error.contains(&format!("it is not a number (allowed: {allowed})")), "{error}");
    }
}
