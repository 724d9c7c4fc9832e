//! The alert rules: their own tests in promtool, and one alert all the way to a receiver.

use std::process::Command;

use setpoint::model::estimate::Finding;

use super::monitoring::{Exporter, Running, Webhook, prometheus};
use super::{root, succeed, system_tool};
use crate::fixtures;

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

#[test]
fn an_alert_and_its_resolution_arrive() {
    let test = "alerting::an_alert_and_its_resolution_arrive";
    let Some(prometheus) = prometheus(test) else { return };
    let Some(alertmanager) = system_tool(test, "prometheus-alertmanager") else { return };
    let rules = std::fs::read_to_string(root("helm/setpoint/rules/setpoint-alerts.yaml")).unwrap();
    let hurried = rules.replace("for: 5m", "for: 1s");
    assert_ne!(rules, hurried);

    let mut bad = fixtures::drifted("fraud-scorer");
    bad.decision.report.estimate.findings = vec![Finding::AboveCapacity];
    let exporter = Exporter::start(fixtures::fleet(vec![bad]));
    let webhook = Webhook::start();
    let alertmanager = Running::alertmanager(&alertmanager, &webhook);
    let _prometheus = Running::prometheus(
        &prometheus,
        &exporter.target(),
        &hurried,
        &format!("'{}'", alertmanager.address),
    );

    let alert = webhook.wait_for("SetpointTargetAboveCapacity", "firing");
    assert_eq!(alert["labels"]["severity"], "critical");
    assert_eq!(alert["labels"]["endpoint"], "fraud-scorer");
    let description = alert["annotations"]["description"].as_str().unwrap();
    assert!(
        description.contains("aims at 900 ") && description.contains("at most 1410"),
        "{description}"
    );

    exporter.fleet.publish(fixtures::fleet(vec![fixtures::in_sync("fraud-scorer")]));
    webhook.wait_for("SetpointTargetAboveCapacity", "resolved");
}
