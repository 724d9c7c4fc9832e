//! Tests of `config`: layers, strictness, problems, globs, and the commands over them.

mod bounds;
mod drops;
mod one_list;
mod warnings;
mod world;

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
    VariantId::of(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        endpoint.parse().unwrap(),
        variant.parse().unwrap(),
    )
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
    assert_eq!(goal.origin, "config.yaml:7");
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

#[test]
fn the_issue_and_example_files_are_valid() {
    let sources = Sources { files: vec!["config/example.yaml".into()], ..Sources::default() };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.targets.len(), 2);
    assert_eq!(config.freeze_windows.len(), 1);
}

#[test]
fn the_schema_file_is_up_to_date() {
    let written = std::fs::read_to_string("config/schema.json").unwrap();
    assert!(
        written == config::schema_json(),
        "run: cargo run -- config schema > config/schema.json"
    );
    assert_eq!(config::schema()["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(String::from_utf8(setpoint(&["config", "schema"]).stdout).unwrap(), written);
    // Nothing that helm 3 would not understand, and no null that would hide an empty key.
    for word in ["\"null\"", "$defs", "unevaluatedProperties"] {
        assert!(!written.contains(word), "{word}");
    }
}

#[test]
fn the_default_file_names_every_key() {
    fn keys(node: &serde_json::Value, found: &mut Vec<String>) {
        if let Some(properties) = node["properties"].as_object() {
            for (key, below) in properties {
                found.push(key.clone());
                keys(below, found);
            }
        }
        if !node["items"].is_null() {
            keys(&node["items"], found);
        }
    }
    let mut all = Vec::new();
    keys(config::schema(), &mut all);
    assert!(all.len() > 60, "{}", all.len());
    let named = |key: &String| {
        config::DEFAULT_YAML
            .lines()
            .any(|line| line.trim_start_matches([' ', '#', '-']).starts_with(&format!("{key}:")))
    };
    let missing: Vec<_> = all.iter().filter(|key| !named(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn layers_win_in_their_order_and_every_line_knows_its_origin() {
    let files = Files::new("layers");
    let a = files.write("a.yaml", "aws: {region: eu-west-1}\nhttp: {listen: '0.0.0.0:1'}\n");
    let b = files.write("b.yaml", "http: {listen: '0.0.0.0:2'}\nreconcile: {concurrency: 2}\n");
    let sources = Sources {
        files: vec![a.clone(), b.clone()],
        environment: env(&[
            ("SETPOINT__RECONCILE__CONCURRENCY", "3"),
            ("SETPOINT__AWS__ACCOUNT_ID", "000000000012"),
            ("SETPOINT__RECONCILE__ENABLED", "false"),
            ("SETPOINT__LOG__LEVEL", "debug"),
            ("SETPOINT_CONFIG", "/elsewhere"),
            ("PATH", "/bin"),
        ]),
        flags: vec![Flag { name: "--log-level", key: "log.level", value: "warn".to_owned() }],
    };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.aws.region.as_ref().unwrap().as_str(), "eu-west-1");
    assert_eq!(config.aws.account_id.as_ref().unwrap().as_str(), "000000000012");
    assert_eq!(config.http.listen.port(), 2);
    assert_eq!(config.reconcile.concurrency, 3);
    assert!(!config.reconcile.enabled);
    assert_eq!(config.log.level, "warn");
    let shown = config.to_yaml(true);
    for line in [
        format!("  region: eu-west-1  # {}:1", a.display()),
        format!("  listen: \"0.0.0.0:2\"  # {}:1", b.display()),
        "  concurrency: 3  # environment SETPOINT__RECONCILE__CONCURRENCY".to_owned(),
        "  level: warn  # flag --log-level".to_owned(),
        "  history_days: 14  # default.yaml".to_owned(),
    ] {
        assert!(shown.lines().any(|l| l == line), "{line:?} in\n{shown}");
    }
}

#[test]
fn a_password_in_a_url_is_neither_shown_nor_told() {
    let url = "https://me:s3cret@proxy.example:8443";
    let yaml = format!(
        "aws: {{endpoint_url: \"{url}\"}}\naccounts: [{{account_id: \"123456789012\", \
         regions: [us-east-1], endpoint_url: \"{url}/x\"}}]\nhttp: {{allowed_hosts: [a.example]}}\n"
    );
    let config = Config::from_yaml(&yaml).unwrap();
    assert_eq!(config.aws.endpoint_url.as_deref(), Some(url), "it is in force all the same");
    assert_eq!(config.http.allowed_hosts, ["a.example"]);
    let shown = config.to_yaml(true);
    assert_eq!(shown.matches("https://me:xxxxx@proxy.example:8443").count(), 2, "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
    let errors = Config::from_yaml("aws: {endpoint_url: \"ftp://me:s3cret@proxy\"}").unwrap_err();
    assert!(errors.to_string().contains("ftp://me:xxxxx@proxy"), "{errors}");
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    for origin in [false, true] {
        let shown = Config::from_yaml(ISSUE_EXAMPLE).unwrap().to_yaml(origin);
        let again = Config::from_yaml(&shown).unwrap();
        assert_eq!(again.to_yaml(false), Config::from_yaml(ISSUE_EXAMPLE).unwrap().to_yaml(false));
        assert_eq!(again.targets.len(), 1);
    }
}

#[test]
fn all_problems_of_all_layers_come_at_once() {
    let files = Files::new("problems");
    let a = files.write("a.yaml", "aws: {regoin: x, account_id: 123456789012}\n");
    let b = files
        .write("b.yaml", "targets:\n- endpoint: e\n  objective: {latency: {threshold_ms: fast}}\n");
    let sources = Sources {
        files: vec![a.clone(), b.clone(), files.0.join("missing.yaml")],
        environment: env(&[
            ("SETPOINT__RECONCILE__CONCURRENCY", "many"),
            ("SETPOINT__TARGETS__0__MODE", "auto"),
        ]),
        flags: vec![Flag { name: "--region", key: "aws.region", value: "Mars!".to_owned() }],
    };
    let found = lines(&Config::load(&sources).unwrap_err()).join("\n");
    let (a, b) = (a.display(), b.display());
    for part in [
        format!("{a}:1: aws.regoin: found an unknown key"),
        "did you mean region?".to_owned(),
        format!("{a}:1: aws.account_id: found 123456789012, allowed: a text of 12 digits"),
        format!(
            "{b}:3: target e: objective.latency.threshold_ms: found \"fast\", allowed: a number"
        ),
        format!("{b}:2: target e: variant: found nothing"),
        "missing.yaml: found ".to_owned(),
        "environment SETPOINT__RECONCILE__CONCURRENCY: reconcile.concurrency: found \"many\""
            .to_owned(),
        "environment SETPOINT__TARGETS__0__MODE".to_owned(),
        "lists cannot be set".to_owned(),
        "flag --region: aws.region: found \"Mars!\"".to_owned(),
    ] {
        assert!(found.contains(&part), "{part:?} in\n{found}");
    }
}

#[test]
fn a_syntax_error_names_its_line() {
    let found = problems("aws:\n  region: x\n bad\n");
    assert!(found[0].starts_with("config.yaml:3: found "), "{found:?}");
    assert!(problems("aws: {region: a, region: b}")[0].contains("the key region a second time"));
    assert_eq!(problems("- a\n- b\n").len(), 1);
    assert_eq!(problems("a: 1\n---\nb: 2\n").len(), 1);
}

#[test]
fn values_are_not_coerced() {
    for wrong in [
        "defaults: {safety_factor: true}",
        "defaults: {safety_factor: '0.5'}",
        "defaults: {safety_factor: 0}",
        "defaults: {safety_factor: 1.01}",
        "defaults: {safety_factor: .nan}",
        "defaults: {adopt: 1}",
        "defaults: {mode: Repair}",
        "reconcile: {concurrency: 1.5}",
        "reconcile: {enabled: }",
        "telemetry: {history_days: 16}",
        "aws: {account_id: '12345678901'}",
    ] {
        assert_eq!(problems(wrong).len(), 1, "{wrong}");
    }
    assert!(Config::from_yaml("defaults: {safety_factor: auto}").is_ok());
    assert!(Config::from_yaml("reconcile: {concurrency: 8.0}").is_ok());
    assert!(Config::from_yaml("").is_ok());
}

#[test]
fn hints_say_what_may_have_been_meant() {
    let hint = |yaml: &str| Config::from_yaml(yaml).unwrap_err().problems.remove(0).hint;
    assert_eq!(hint("defaults: {mode: reapir}").unwrap(), "did you mean repair?");
    assert_eq!(hint("aws: {account_id: 123456789012}").unwrap(), "put it in quotes");
    assert_eq!(hint("defaults: {safety_factor: 2}"), None);
}

#[test]
fn rules_between_keys_are_checked() {
    let target = "targets: [{endpoint: e, variant: v, ";
    for (wrong, key) in [
        (format!("{target}capacity: {{min: 3, max: 2}}}}]"), "target e/v: capacity.min"),
        (
            format!("{target}target_value: {{floor: 3, ceiling: 2}}}}]"),
            "target e/v: target_value.floor",
        ),
        (format!("{target}objective: {{latency: {{statistic: p99}}}}}}]"), "latency.threshold_ms"),
        (format!("{target}mode: auto}}]"), "target e/v: mode"),
        (format!("{target}load_test: {{max_rps: 1, date: 2026-02-30}}}}]"), "load_test.date"),
        (format!("{target}load_test: {{max_rps: 1, max_age_days: 3}}}}]"), "load_test.date"),
        (format!("{target}pause: {{until: soon, reason: x}}}}]"), "pause.until"),
        ("targets: [{endpoint: -e, variant: v}]".to_owned(), "target -e/v: endpoint"),
        ("targets: [{endpoint: e, variant: 'v_*'}]".to_owned(), "target e/v_*: variant"),
        ("targets: [{endpoint: e, variant: '[a'}]".to_owned(), "target e/[a: variant"),
        ("reconcile: {schedule: '* * * * *'}".to_owned(), "reconcile.schedule"),
        ("http: {listen: 'localhost:80'}".to_owned(), "http.listen"),
        ("http: {base_path: setpoint}".to_owned(), "http.base_path"),
        ("http: {base_path: '/a//b'}".to_owned(), "http.base_path"),
        ("http: {base_path: '/a/../b'}".to_owned(), "http.base_path"),
        ("http: {base_path: '/a\"b'}".to_owned(), "http.base_path"),
        ("http: {dashboard_url: 'javascript:alert(1)'}".to_owned(), "http.dashboard_url"),
        ("http: {dashboard_url: 'https://'}".to_owned(), "http.dashboard_url"),
        ("http: {dashboard_url: 'https://a:b@grafana.example/'}".to_owned(), "http.dashboard_url"),
        ("log: {level: verbose}".to_owned(), "log.level"),
        ("telemetry: {max_age_minutes: 3}".to_owned(), "telemetry.max_age_minutes"),
        (
            "kubernetes: {lease_name: a, renew_deadline_seconds: 15}".to_owned(),
            "kubernetes.renew_deadline_seconds",
        ),
        (
            "kubernetes: {lease_name: a, retry_period_seconds: 6}".to_owned(),
            "kubernetes.retry_period_seconds",
        ),
        (
            "{kubernetes: {lease_name: a}, aws: {write_timeout_seconds: 5}}".to_owned(),
            "aws.write_timeout_seconds",
        ),
        (
            "{kubernetes: {memory_configmap: a}, memory: {file: f}}".to_owned(),
            "kubernetes.memory_configmap",
        ),
        (
            // A shard and a part of its memory must still be names.
            format!("kubernetes: {{memory_configmap: {}}}", "a".repeat(236)),
            "kubernetes.memory_configmap",
        ),
        (format!("kubernetes: {{lease_name: {}}}", "a".repeat(244)), "kubernetes.lease_name"),
        (
            "memory: {file: f, tags: true}".to_owned(),
            "memory.tags: found a second place for the memory, allowed: only one of memory.tags \
             and memory.file",
        ),
        (
            "{kubernetes: {memory_configmap: a}, memory: {tags: true}}".to_owned(),
            "only one of memory.tags and kubernetes.memory_configmap",
        ),
        (
            "freeze_windows: [{schedule: '0 0 0 * * *', duration_minutes: 5, timezone: Mars/X}]"
                .to_owned(),
            "freeze_windows[0].timezone",
        ),
    ] {
        let found = problems(&wrong);
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert!(found[0].starts_with("config.yaml:1: ") && found[0].contains(key), "{found:?}");
    }
}

#[test]
fn targets_of_several_files_add_up_and_twice_is_an_error_naming_both() {
    let files = Files::new("targets");
    files.write("20.yaml", "targets: [{endpoint: b, variant: v}]");
    files.write("10.yaml", "targets: [{endpoint: a, variant: v}, {endpoint: a, variant: w}]");
    files.write("ignored.txt", "nonsense: 1");
    let sources = Sources { files: vec![files.0.clone()], ..Sources::default() };
    let config = Config::load(&sources).unwrap();
    let order: Vec<String> = config.targets.iter().map(|t| t.pattern.to_string()).collect();
    assert_eq!(order, ["a/v", "a/w", "b/v"]);

    files.write("30.yaml", "targets: [{endpoint: b, variant: v}]");
    let found = lines(&Config::load(&sources).unwrap_err());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("30.yaml:1: target b/v: endpoint: found b/v a second time"),
        "{found:?}"
    );
    assert!(found[0].contains("20.yaml:1"), "{found:?}");
}

#[test]
fn the_most_specific_target_wins() {
    let config = Config::from_yaml(
        "targets:\n\
         - {endpoint: '*', variant: '*'}\n\
         - {endpoint: 'fraud-*', variant: '*'}\n\
         - {endpoint: 'fraud-s*', variant: '*'}\n\
         - {endpoint: fraud-scorer, variant: '*'}\n\
         - {endpoint: 'fraud-*', variant: AllTraffic}\n\
         - {endpoint: fraud-scorer, variant: '*', region: us-east-1}\n\
         - {endpoint: 'tie-?', variant: '*'}\n\
         - {endpoint: 'tie-*', variant: '*'}\n",
    )
    .unwrap();
    let origin = |e: &str, v: &str| config.goal(&variant(e, v)).unwrap().origin;
    assert_eq!(origin("other", "x"), "config.yaml:2");
    assert_eq!(origin("fraud-x", "x"), "config.yaml:3");
    assert_eq!(origin("fraud-sx", "x"), "config.yaml:4");
    assert_eq!(origin("fraud-x", "AllTraffic"), "config.yaml:6");
    // The endpoint counts before the variant.
    assert_eq!(origin("fraud-scorer", "AllTraffic"), "config.yaml:7");
    assert_eq!(origin("tie-1", "x"), "config.yaml:8");
    let mut abroad = variant("fraud-scorer", "AllTraffic");
    abroad.region = "eu-west-1".parse().unwrap();
    assert_eq!(config.goal(&abroad).unwrap().origin, "config.yaml:5");
}

#[test]
fn two_equally_specific_targets_are_an_error_naming_both() {
    let yaml = "targets:\n- {endpoint: 'ab*', variant: v}\n- {endpoint: '*bc', variant: v}";
    let config = Config::from_yaml(yaml).unwrap();
    let message = config.goal(&variant("abc", "v")).unwrap_err().to_string();
    for part in ["config.yaml:2 (ab*/v)", "config.yaml:3 (*bc/v)", "abc"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(config.goal(&variant("abx", "v")).is_ok());
    assert!(config::matches(&config, &[variant("abc", "v")]).is_err());
}

#[test]
fn an_unlisted_variant_is_observed_and_managed_in_nothing() {
    let yaml = "aws: {account_id: '123456789012'}\n\
                defaults: {mode: auto, adopt: true, capacity: {min: 2}, disable_scale_in: true}\n";
    let goal = Config::from_yaml(yaml).unwrap().goal(&variant("e", "v")).unwrap();
    assert!(!goal.managed && !goal.adopt);
    assert_eq!((goal.mode, goal.origin.as_str()), (Mode::Observe, "discovery"));
    assert_eq!((goal.capacity.min, goal.disable_scale_in), (None, None));
}

#[test]
fn a_target_goes_before_the_defaults_key_by_key() {
    let config = Config::from_yaml(
        "defaults: {cooldown: {scale_out_seconds: 1, scale_in_seconds: 2}, safety_factor: auto}\n\
         targets:\n\
         - {endpoint: e, variant: v, cooldown: {scale_in_seconds: 9}, safety_factor: 0.7}\n\
         - {endpoint: f, variant: v, safety_factor_initial: 0.6}\n",
    )
    .unwrap();
    let goal = config.goal(&variant("e", "v")).unwrap();
    assert_eq!(goal.cooldown.scale_out_seconds, Some(1));
    assert_eq!(goal.cooldown.scale_in_seconds, Some(9));
    assert!(!goal.safety_factor_auto && (goal.safety_factor.get() - 0.7).abs() < 1e-12);
    let goal = config.goal(&variant("f", "v")).unwrap();
    assert!(goal.safety_factor_auto && (goal.safety_factor.get() - 0.6).abs() < 1e-12);
}

#[test]
fn the_check_command_exits_by_the_verdict() {
    let files = Files::new("check");
    let path = |p: &Path| p.to_str().unwrap().to_owned();
    let good = path(&files.write("good.yaml", ISSUE_EXAMPLE));
    let bad = path(&files.write("bad.yaml", "http: {lisen: x}\nlog: {format: xml}\n"));
    assert_eq!(setpoint(&["config", "check", "--config", &good]).status.code(), Some(0));
    let output = setpoint(&["config", "check", "--config", &good, "--config", &bad]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("did you mean listen?"), "{message}");
    assert!(message.contains("one of text, json"), "{message}");
}

#[test]
fn the_show_command_prints_what_each_target_matched() {
    let files = Files::new("show");
    let file = files
        .write("c.yaml", "targets: [{endpoint: 'a*', variant: '*'}, {endpoint: z, variant: v}]");
    let list = files.write("variants", "# known\na1/v\na2/w\nb/v\n");
    let args = ["config", "show", "--config", file.to_str().unwrap()];
    let output = setpoint(&[&args[..], &["--variants", list.to_str().unwrap()]].concat());
    let shown = String::from_utf8(output.stdout).unwrap();
    for line in ["(a*/*): a1/v, a2/w", "(z/v): nothing", "# no target (observed only): b/v"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(Config::from_yaml(&shown).is_ok());
}

#[test]
fn problems_are_json_for_the_reload_endpoint() {
    let errors = Config::from_yaml("http: {lisen: x}").unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json[0]["file"], "config.yaml");
    assert_eq!(json[0]["key"], "http.lisen");
    assert_eq!(json[0]["hint"], "did you mean listen?");
}
