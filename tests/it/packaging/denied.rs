//! A denied account of a hundred variants: the daemon as a process, a real Prometheus with the chart's
//! rules, a real Alertmanager with the inhibition that the runbooks advise. One cause is few alerts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::monitoring::{Running, Webhook, eventually, prometheus};
use super::{root, system_tool};
use crate::daemon::process::{Daemon, Directory, Served, endpoint, everything};

const VARIANTS: usize = 100;
/// Most alerts of one cause.
const MOST: usize = 3;

/// The chart's rules without patience, as if what is had been so for a day.
fn rules_of_tomorrow() -> String {
    let rules = std::fs::read_to_string(root("helm/setpoint/rules/setpoint-alerts.yaml")).unwrap();
    let hurried = |line: &str| match line.split_once("for: ") {
        Some((before, _)) => format!("{before}for: 0s\n"),
        None => line.replace("time()", "(time() + 86400)") + "\n",
    };
    rules.lines().map(hurried).collect()
}

/// The `inhibit_rules` of the runbooks' page.
fn inhibition() -> String {
    let page = std::fs::read_to_string(root("docs/runbooks/README.md")).unwrap();
    let (_, rules) = page.split_once("\ninhibit_rules:\n").unwrap();
    let (rules, _) = rules.split_once("```").unwrap();
    format!("inhibit_rules:\n{rules}")
}

fn names(alerts: &[Value], labels: &str) -> BTreeSet<String> {
    alerts.iter().map(|alert| alert[labels]["alertname"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_denied_account_of_a_hundred_variants_is_three_alerts() {
    let test = "denied::a_denied_account_of_a_hundred_variants_is_three_alerts";
    let Some(program) = prometheus(test) else { return };
    let Some(alertmanager) = system_tool(test, "prometheus-alertmanager") else { return };
    let endpoints: String = (0..VARIANTS).map(|n| endpoint(&format!("fraud-{n}"), 600.0)).collect();
    let (served, directory) = (Served::of(&endpoints), Directory::new());
    let daemon = Daemon::ready(&directory.configure(&served.url, &everything("repair")), &[]);
    let managed = daemon.get("/metrics").1.matches("\nsetpoint_managed{").count();
    assert_eq!(managed, VARIANTS);

    served.fault(json!({
        "kind": "deny", "because": "the role has lost its policy", "max_hits": 100_000, "for_seconds": 604_800,
    }));
    eventually("the account is not readable", || {
        (daemon.metric("setpoint_scope_readable", &[]) == Some(0.0)).then_some(())
    });
    let webhook = Webhook::start();
    let alertmanager = Running::alertmanager_with(&alertmanager, &webhook, &inhibition());
    let to = format!("'{}'", alertmanager.address);
    let scraped = daemon.url().trim_start_matches("http://").to_owned();
    let prometheus = Running::prometheus(&program, &scraped, &rules_of_tomorrow(), &to);
    eventually("twenty scrapes", || {
        let often = prometheus.query("count_over_time(setpoint_build_info[1m]) >= 20");
        (!often.is_empty()).then_some(())
    });

    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}");
    let fired = names(&firing, "metric");
    assert!(fired.contains("SetpointScopeUnreadable"), "{fired:?}");
    assert!(firing.len() <= MOST, "{} alerts: {firing:#?}", firing.len());

    // Whoever follows the runbooks' advice is told of the cause, and of nothing that follows from it.
    let told = eventually("Alertmanager has them", || {
        let told = alertmanager.alerts();
        names(&told, "labels").contains("SetpointScopeUnreadable").then_some(told)
    });
    assert!(told.len() < MOST, "{told:#?}");
    assert!(!names(&told, "labels").contains("SetpointPassesFailing"), "{told:#?}");
    webhook.wait_for("SetpointScopeUnreadable", "firing");
}
