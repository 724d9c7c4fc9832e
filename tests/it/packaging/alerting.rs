//! The alert rules: their own tests in promtool.

use std::process::Command;

use super::{root, succeed, system_tool};

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    let test = "alerting::promtool_accepts_the_rules_and_their_tests_pass";
    let Some(promtool) = system_tool(test, "promtool") else { return };
    let rules = root("helm/setpoint/rules/setpoint-alerts.yaml");
    succeed(Command::new(&promtool).args(["check", "rules", "--lint-fatal"]).arg(rules));
    let cases = root("tests/prometheus/alerts.test.yaml");
    succeed(Command::new(&promtool).args(["test", "rules"]).arg(&cases));
    let cases = std::fs::read_to_string(cases).unwrap();
    for alert in super::documents::alerts() {
        let named = format!("alertname: {alert}\n    exp_alerts:");
        let asked: Vec<_> =
            cases.match_indices(&named).map(|(at, _)| &cases[at + named.len()..]).collect();
        let quiet = asked.iter().filter(|rest| rest.starts_with(" []\n")).count();
        assert!(quiet >= 1 && asked.len() > quiet, "{alert}: at least once quiet and once firing");
    }
}
