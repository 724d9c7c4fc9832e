//! What can be read and can hardly be meant.

use std::path::Path;

use setpoint::config::{Config, Sources};
use setpoint::model::time::Timestamp;

use super::{Files, env};

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn warnings(yaml: &str) -> Vec<(&'static str, String)> {
    let found = Config::from_yaml(yaml).unwrap().warnings(now(), None);
    found.into_iter().map(|warning| (warning.code, warning.to_string())).collect()
}

fn target(keys: &str) -> String {
    format!(
        "aws: {{account_id: \"123456789012\"}}\ntargets:\n- {{endpoint: e, variant: v, {keys}}}\n"
    )
}

#[test]
fn each_is_told_at_its_line_with_what_may_be_meant() {
    let latency = |ms: &str| {
        target(&format!("objective: {{latency: {{statistic: p99, threshold_ms: {ms}}}}}"))
    };
    let at = "config.yaml:3: target e/v: ";
    for (yaml, code, said) in [
        (latency("0.25"), "objective_too_short", format!("{at}objective.latency.threshold_ms: 0.25 ms is faster than any model answers; the unit is milliseconds (is 250 meant?)")),
        (latency("250000"), "objective_too_long", format!("{at}objective.latency.threshold_ms: 250000 ms is more than the 60 s after which SageMaker ends an invocation; the unit is milliseconds (is 250 meant?)")),
        (target("objective: {error_rate_max: 1}"), "error_rate_too_high", format!("{at}objective.error_rate_max: 1 lets 100 % of all answers be errors; it is a share (1 % is 0.01)")),
        (target("load_test: {max_rps: 20000}"), "rate_too_high", format!("{at}load_test.max_rps: 20000 requests a second are more than one instance serves; the unit is requests per second of one instance (is 20000 a minute meant, which is 333.3?)")),
        (target("load_test: {max_rps: 20, date: 2027-01-01}"), "load_test_in_the_future", format!("{at}load_test.date: 2027-01-01 is in the future: today is 2026-11-28")),
        (target("load_test: {max_rps: 20, date: 0206-01-01}"), "load_test_too_old", format!("{at}load_test.date: 0206-01-01 is before SageMaker existed")),
        (target("floors: keep, capacity: {min: 1}"), "floors_without_bounds", format!("{at}floors: keep needs capacity.min and capacity.max")),
        (target("capacity: {min: 0}"), "min_is_zero", format!("{at}capacity.min: 0 is not possible for a real-time variant")),
        (target("cooldown: {scale_in_seconds: 60000}"), "cooldown_too_long", format!("{at}cooldown.scale_in_seconds: 60000 s are 16.7 hours")),
        (target("pause: {until: 2026-11-28T11:59:59Z, reason: x}"), "pause_is_over", format!("{at}pause.until: 2026-11-28T11:59:59Z is past")),
        (target("mode: repair"), "nothing_to_repair", format!("{at}mode: repair has nothing to restore")),
        (target("mode: auto"), "auto_without_objective", format!("{at}mode: auto follows the measured capacity")),
        (target("load_test: {max_rps: 20}, target_value: {floor: 700}"), "floor_above_formula", format!("{at}target_value.floor: 700 is above the formula target 600")),
        (target("region: us-esat-1"), "region_unknown", "config.yaml:3: target e/v in us-esat-1: region: us-esat-1 is not a known region (did you mean us-east-1?)".to_owned()),
        ("aws: {region: us-east-11}\ntargets: [{endpoint: e, variant: v}]".to_owned(), "region_unknown", "config.yaml:1: aws.region: us-east-11 is not a known region (did you mean us-east-1?)".to_owned()),
        ("aws: {region: us-east-1}\ntargets: [{endpoint: e, variant: v, region: eu-west-1}]".to_owned(), "region_not_configured", "config.yaml:2: target e/v in eu-west-1: region: nothing connects to eu-west-1".to_owned()),
        ("freeze_windows: [{schedule: \"0 0 0 30 2 *\", duration_minutes: 5}]\ntargets: [{endpoint: e, variant: v}]".to_owned(), "schedule_never_comes", "config.yaml:1: freeze_windows[0].schedule: 0 0 0 30 2 * never comes".to_owned()),
        ("{}".to_owned(), "no_targets", "targets: the configuration lists no targets: everything is only observed".to_owned()),
        ("http: {token_file: /no/such/directory/token}\ntargets: [{endpoint: e, variant: v}]".to_owned(), "token_file_unusable", "config.yaml:1: http.token_file: /no/such/directory/token cannot exist (there is no directory /no/such/directory)".to_owned()),
    ] {
        let found = warnings(&yaml);
        assert!(found.iter().any(|(c, text)| *c == code && text.starts_with(&said)), "{said}\n{found:?}");
        let strict = Config::from_yaml(&yaml).unwrap().strict(now()).unwrap_err();
        assert!(strict.to_string().contains(&said), "{strict}");
    }
}

#[test]
fn what_is_meant_is_left_alone() {
    for yaml in [
        super::ISSUE_EXAMPLE.to_owned(),
        target("mode: repair, capacity: {min: 1}"),
        target("mode: auto, objective: {latency: {statistic: p99, threshold_ms: 1}}"),
        target("objective: {latency: {statistic: p99, threshold_ms: 60000}, error_rate_max: 0.5}"),
        target("cooldown: {scale_in_seconds: 10800}, pause: {until: 2026-11-28T12:00:01Z, reason: x}"),
        // Where the day begins first it is the 29th already.
        target("load_test: {max_rps: 20, date: 2026-11-29}, target_value: {floor: 600}"),
        "aws: {region: xx-new-9}\ntargets: [{endpoint: '*', variant: '*'}, {endpoint: 'a*', variant: '*'}]".to_owned(),
    ] {
        let found = warnings(&yaml);
        assert!(found.is_empty(), "{yaml}\n{found:?}");
        assert!(Config::from_yaml(&yaml).unwrap().strict(now()).is_ok());
    }
}

#[test]
fn what_the_defaults_say_is_told_once_for_all_targets() {
    let yaml = "defaults: {capacity: {min: 0}}\n\
                targets: [{endpoint: a, variant: v}, {endpoint: b, variant: v}, {endpoint: c, variant: v, capacity: {min: 0}}]";
    let found: Vec<String> = warnings(yaml).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("config.yaml:1: defaults.capacity.min: 0 is"), "{found:?}");
    assert!(found[1].starts_with("config.yaml:2: target c/v: capacity.min: 0 is"), "{found:?}");
}

#[test]
fn of_two_globs_the_one_that_gives_way_is_told() {
    let yaml = "targets:\n- {endpoint: 'fraud-*', variant: v}\n- {endpoint: '*-scorer', variant: v}\n\
                - {endpoint: 'fraud-s*', variant: w}\n- {endpoint: 'search-*', variant: v}\n";
    let found = warnings(yaml);
    let told: Vec<&String> =
        found.iter().filter(|(c, _)| *c == "globs_overlap").map(|(_, t)| t).collect();
    let [one] = told.as_slice() else { panic!("{found:?}") };
    assert!(
        one.starts_with(
            "config.yaml:2: target fraud-*/v: endpoint: *-scorer/v (config.yaml:3) goes before it"
        ),
        "{one}"
    );
    // As many letters on both sides: no variant that both match can be compared.
    let tie = found.iter().find(|(code, _)| *code == "globs_tie").unwrap();
    assert!(
        tie.1.starts_with(
            "config.yaml:5: target search-*/v: endpoint: *-scorer/v (config.yaml:3) says as much"
        ),
        "{tie:?}"
    );
    // A special case within a wider glob is what globs are for: worth a note.
    let nested =
        "targets:\n- {endpoint: 'fraud-*', variant: v}\n- {endpoint: 'fraud-s*', variant: v}\n";
    assert_eq!(warnings(nested), []);
    let notes = Config::from_yaml(nested).unwrap().notes();
    assert_eq!(
        notes,
        [
            "fraud-s*/v (config.yaml:3) goes before fraud-*/v (config.yaml:2) for the names that both match"
        ]
    );
}

#[test]
fn files_and_variables_that_are_passed_over_are_told() {
    let files = Files::new("yml");
    files.write("a.yaml", "targets: [{endpoint: e, variant: v}]");
    files.write("b.yml", "targets: [{endpoint: f, variant: v}]");
    let environment =
        env(&[("SETPOINT_AWS_REGION", "us-east-1"), ("SETPOINT_SERVICE_HOST", "10.0.0.1")]);
    let sources = Sources { files: vec![files.0.clone()], environment, flags: Vec::new() };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.targets.len(), 1);
    let found: Vec<String> = config.warnings(now(), None).iter().map(ToString::to_string).collect();
    let [yml, variable] = found.as_slice() else { panic!("{found:?}") };
    assert!(yml.contains("b.yml: it is not read") && yml.contains("b.yaml)"), "{yml}");
    assert!(variable.contains("did you mean SETPOINT__AWS__REGION?"), "{variable}");
    // With *.yml alone nothing would be read at all.
    std::fs::remove_file(files.0.join("a.yaml")).unwrap();
    let error = Config::load(&sources).unwrap_err().to_string();
    assert!(error.contains("b.yml to") && error.contains("b.yaml"), "{error}");
}

#[test]
fn the_page_has_every_code() {
    let page = std::fs::read_to_string("docs/configuration.md").unwrap();
    let listed: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let mut sources: Vec<std::path::PathBuf> = ["merge.rs", "environment.rs"]
        .iter()
        .map(|name| Path::new("src/config").join(name))
        .collect();
    sources
        .extend(std::fs::read_dir("src/config/warn").unwrap().map(|entry| entry.unwrap().path()));
    let text: String = sources.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for code in &listed {
        let here = text.contains(&format!("\"{code}\"")) || *code == "account_is_not_the_callers";
        assert!(here, "{code} is listed and never said");
    }
    // A code is said as a word in quotes, before the key or as a field.
    let said = text.split('"').skip(1).step_by(2).filter(|word| {
        word.trim_matches('_').contains('_')
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    });
    let known_keys = ["load_test", "disable_scale_in", "account_id"];
    for code in said.filter(|word| !known_keys.contains(word)) {
        assert!(listed.contains(&code), "{code} is said and not listed");
    }
}
