//! Tests of `config`: layers, strictness, problems, globs, and the commands over them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use setpoint::config::{self, Config, ConfigErrors, Env, Flag, Sources};
use setpoint::model::goal::Mode;
use setpoint::model::ids::VariantId;

/// A directory of its own for each test, removed at the end.
struct Files(PathBuf);

impl Files {
    fn new(test: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("setpoint-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn variant(endpoint: &str, variant: &str) -> VariantId {
    VariantId {
        account_id: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        endpoint: endpoint.parse().unwrap(),
        variant: variant.parse().unwrap(),
    }
}

fn env(pairs: &[(&str, &str)]) -> Env {
    Env::Given(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

fn problems(yaml: &str) -> Vec<String> {
    lines(&Config::from_yaml(yaml).unwrap_err())
}

fn lines(errors: &ConfigErrors) -> Vec<String> {
    errors.problems.iter().map(ToString::to_string).collect()
}

fn setpoint(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_setpoint"));
    command.args(args).env_remove("SETPOINT_CONFIG").output().unwrap()
}

const ISSUE_EXAMPLE: &str = r#"
aws: {region: us-east-1, account_id: "123456789012"}
reconcile: {schedule: "0 * * * * *", telemetry_schedule: "0 */15 * * * *"}
http: {listen: "0.0.0.0:9090"}
defaults: {mode: observe, safety_factor: 0.5, objective: {error_rate_max: 0.01}}
targets:
  - endpoint: fraud-scorer
    variant: AllTraffic
    load_test: {max_rps: 20, date: 2026-11-01, instance_type: ml.c5.xlarge, max_age_days: 180}
    objective: {latency: {statistic: p99, threshold_ms: 250}}
    capacity: {min: 1, max: 20}
    cooldown: {scale_out_seconds: 60, scale_in_seconds: 300}
    mode: repair
    adopt: true
"#;

#[test]
fn the_defaults_alone_are_a_configuration() {
    let config = Config::load(&Sources::default()).unwrap();
    assert!(config.targets.is_empty());
    assert_eq!(config.defaults.mode, Mode::Observe);
    assert_eq!(config.reconcile.mass_change.limit(100), 10);
    assert_eq!(config.reconcile.mass_change.limit(5), 3);
    assert_eq!(config.defaults.objective.latency, None);
}

#[test]
fn a_target_becomes_a_goal() {
    let config = Config::from_yaml(ISSUE_EXAMPLE).unwrap();
    let goal = config.goal(&variant("fraud-scorer", "AllTraffic")).unwrap();
    assert!(goal.managed && goal.adopt);
    assert_eq!(goal.origin, "config.yaml: targets[0]");
    assert_eq!(goal.mode, Mode::Repair);
    assert_eq!((goal.capacity.min, goal.capacity.max), (Some(1), Some(20)));
    assert_eq!(goal.cooldown.scale_in_seconds, Some(300));
    assert_eq!(goal.disable_scale_in, None);
    assert!((goal.objective.error_rate_max - 0.01).abs() < 1e-12);
    assert!((goal.objective.latency.unwrap().threshold_us() - 250_000.0).abs() < 1e-9);
    assert!((goal.load_test.unwrap().max_rps.get() - 20.0).abs() < 1e-12);
    assert_eq!(goal.safe_change_grace.num_hours(), 4);
}

#[test]
fn the_mode_ceiling_lowers_and_never_raises() {
    let config = Config::from_yaml(ISSUE_EXAMPLE).unwrap();
    let id = variant("fraud-scorer", "AllTraffic");
    let mode = |c: &Config| c.goal(&id).unwrap().mode;
    assert_eq!(mode(&config.clone().with_mode_ceiling(Mode::Auto)), Mode::Repair);
    let lowered = config.with_mode_ceiling(Mode::Observe);
    assert_eq!(mode(&lowered), Mode::Observe);
    assert_eq!(mode(&lowered.with_mode_ceiling(Mode::Auto)), Mode::Observe);
}
