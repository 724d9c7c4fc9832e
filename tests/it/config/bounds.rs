//! A file from whoever may edit a `ConfigMap` neither ends nor stalls the process.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{Files, setpoint};

/// Far above what reading takes, far below what it takes without a bound.
const SOON: Duration = Duration::from_secs(30);

fn refused(name: &str, text: &str, said: &str) {
    let files = Files::new(name);
    let file = files.write("c.yaml", text);
    let began = Instant::now();
    let output = setpoint(&["config", "check", "--config", file.to_str().unwrap()]);
    let err = String::from_utf8(output.stderr).unwrap();
    // An abort has no code.
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains(said), "{err}");
    assert!(err.len() < 1000, "{} bytes", err.len());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn nesting_is_bounded() {
    let said = "more than 32 levels of nesting";
    refused("lists", &format!("targets: {}", "[".repeat(100_000)), said);
    refused("sections", &"{a: ".repeat(50_000), said);
    let mut blocks = String::new();
    for depth in 0..400 {
        let _ = writeln!(blocks, "{}a:", " ".repeat(depth));
    }
    refused("blocks", &blocks, said);
    let dashes = format!("targets:\n  {}x\n", "- ".repeat(20_000));
    refused("dashes", &dashes, said);
}

#[test]
fn what_aliases_stand_for_is_bounded() {
    let mut laughs = "a: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let below = vec![format!("*a{}", level - 1); 9].join(",");
        let _ = writeln!(laughs, "b{level}: &a{level} [{below}]");
    }
    refused("laughs", &laughs, "more than 1000000 values");
    let many = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(2000), "*a,".repeat(2000));
    refused("many", &many, "more than 1000000 values");
}

#[test]
fn one_anchor_for_many_targets_is_fine() {
    let mut text = "defaults: &d {capacity: {min: 1, max: 9}}\ntargets:\n".to_owned();
    for i in 0..500 {
        let _ = writeln!(text, "- {{<<: *d, endpoint: e{i}, variant: v}}");
    }
    let config = setpoint::config::Config::from_yaml(&text).unwrap();
    assert_eq!(config.targets.len(), 500);
    assert!(config.targets.iter().all(|target| target.goal.capacity.max == Some(9)));
}

/// Opening one waits for a writer, and no time limit of a command would end that.
#[test]
fn a_pipe_without_a_writer_is_refused_at_once() {
    let files = Files::new("pipe");
    let file = files.write("c.yaml", "");
    std::fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    for command in [&["config", "check"][..], &["plan", "--timeout", "3"]] {
        let output = setpoint(&[command, &["--config", file.to_str().unwrap()]].concat());
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains("found a pipe, allowed: a readable file"), "{err}");
    }
}

/// Goals that no file describes (those of a recording) state these, and so does the file.
#[test]
fn what_the_code_takes_for_the_defaults_is_what_the_file_says() {
    use setpoint::model::goal::{BAD_MINUTES_PER_WEEK, SAFE_CHANGE_GRACE};
    let config =
        setpoint::config::Config::from_yaml("targets: [{endpoint: e, variant: v}]").unwrap();
    let goal = &config.targets[0].goal;
    assert_eq!(goal.bad_minutes_per_week, BAD_MINUTES_PER_WEEK);
    assert_eq!(goal.safe_change_grace, SAFE_CHANGE_GRACE);
}

/// A configuration of before the key was there is taken as it is: what is read seldom is never stale.
#[test]
fn steady_variants_are_read_before_their_telemetry_is_stale() {
    let of = |text: &str| setpoint::config::Config::from_yaml(text).unwrap().telemetry.steady_every;
    let minutes = chrono::TimeDelta::minutes;
    assert_eq!(of("telemetry: {}"), minutes(30));
    assert_eq!(of("telemetry: {max_age_minutes: 20}"), minutes(17));
    assert_eq!(of("telemetry: {steady_every_minutes: 0}"), minutes(0));
}
