//! What is told of variants that have one name in several accounts: nothing collides.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{A, Account, B, configure};
use crate::daemon::process::{Daemon, Directory, endpoint, everything, from_now, run, wait};

/// The same endpoint in two accounts, with another target value in each.
fn same_name() -> (Account, Account) {
    (
        Account::new(A, "us-east-1", &endpoint("scorer", 600.0)),
        Account::new(B, "us-east-1", &endpoint("scorer", 700.0)),
    )
}

#[test]
fn plan_names_account_and_region_where_there_are_several() {
    let (a, b) = same_name();
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &everything("repair"));
    let (code, out, err) = run(&["plan", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        out,
        "\
= 111111111111/us-east-1/scorer/AllTraffic  in sync; safety not known: no latency objective is configured
~ 222222222222/us-east-1/scorer/AllTraffic  (repair)  drift
    ~ target_value  700 -> 600
      safety        not known: no latency objective is configured
      instances     2 now
Plan: 1 to change, 1 in sync, 1 of them not known to be safe.
"
    );
    // With one account and region its name goes without saying.
    let config = configure(&directory, &[&b], &everything("repair"));
    let (_, out, _) = run(&["plan", "--config", config.to_str().unwrap()]);
    assert!(out.starts_with("~ scorer/AllTraffic  (repair)"), "{out}");
}

#[test]
fn metrics_api_log_and_memory_keep_accounts_apart() {
    let (a, b) = same_name();
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &everything("observe"));
    let daemon = Daemon::ready(&config, &[]);
    let series = "setpoint_configured_target_invocations_per_minute";
    for (account_id, value) in [(A, 600.0), (B, 700.0)] {
        let labels = [("account_id", account_id), ("region", "us-east-1"), ("endpoint", "scorer")];
        assert_eq!(daemon.metric(series, &labels), Some(value));
        let scope = &labels[..2];
        let cost = daemon.metric("setpoint_cloudwatch_cost_dollars_total", scope);
        assert!(cost.is_some(), "the cost of {account_id} is told from the start");
        let path = format!("/api/v1/variants/scorer/AllTraffic?account_id={account_id}");
        assert_eq!(daemon.json(&path)["targets"]["configured"], value);
    }
    let (status, body) = daemon.get("/api/v1/variants/scorer/AllTraffic");
    assert_eq!(status, 409, "{body}");
    assert!(body.contains("2 variants are called scorer/AllTraffic"), "{body}");
    assert_eq!(daemon.json("/api/v1/variants")["variants"].as_array().unwrap().len(), 2);
    // Every series that names an endpoint names where it is, and no two are the same.
    let text = daemon.get("/metrics").1;
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| line.contains("endpoint=\"")) {
        let name = line.rsplit_once(' ').unwrap().0;
        assert!(name.contains("account_id=\"") && name.contains("region=\""), "{line}");
        assert!(seen.insert(name), "twice: {line}");
    }
    assert!(seen.len() > 20, "{}", seen.len());
    // A pause of one is not one of the other.
    let until = from_now(86_400);
    let pause = json!({"until": until, "reason": "a test"});
    let path = format!("/-/pause?account_id={B}&endpoint=scorer&variant=AllTraffic");
    assert_eq!(daemon.post(&path, &pause).0, 200);
    let memory: Value =
        serde_json::from_slice(&std::fs::read(directory.memory()).unwrap()).unwrap();
    for entry in memory["variants"].as_array().unwrap() {
        assert_eq!(entry["memory"]["pause"].is_null(), entry["account_id"] != B, "{entry}");
    }
}

#[test]
fn log_lines_of_decisions_and_writes_say_where() {
    let (a, b) = same_name();
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    wait("the repair", || (b.served.target_value("scorer") == Some(600.0)).then_some(()));
    let lines = wait("the log of the write", || {
        let log = daemon.log();
        let lines: Vec<Value> =
            log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let is_write = |line: &Value| field(line, "operation") == "PutScalingPolicy";
        lines.iter().any(is_write).then_some(lines)
    });
    let told = |name: &str| -> BTreeSet<String> {
        let lines = lines.iter().filter(|line| !field(line, name).is_null());
        lines
            .inspect(|line| {
                assert_eq!(field(line, "region"), "us-east-1", "{line}");
                assert_eq!(field(line, "endpoint"), "scorer", "{line}");
            })
            .map(|line| field(line, "account_id").as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(told("action"), [A.to_owned(), B.to_owned()].into());
    assert_eq!(told("operation"), [B.to_owned()].into());
}

/// A field of a log line, wherever the format puts it.
fn field<'a>(line: &'a Value, name: &str) -> &'a Value {
    if line["fields"][name].is_null() { &line[name] } else { &line["fields"][name] }
}

#[test]
fn export_takes_the_account_and_region_that_is_meant() {
    let us = Account::new(A, "us-east-1", &endpoint("scorer", 600.0));
    let eu = Account::new(A, "eu-west-1", &endpoint("scorer", 600.0));
    let b = Account::new(B, "us-east-1", &endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = configure(&directory, &[&us, &eu, &b], "");
    let export = |flags: &[&str]| {
        let mut arguments =
            vec!["export", "--config", config.to_str().unwrap(), "--endpoint", "scorer"];
        arguments.extend(flags);
        let (code, _, err) = run(&arguments);
        (code, err)
    };
    let (code, err) = export(&[]);
    assert_eq!(code, Some(64), "{err}");
    let three = "several are meant: 111111111111/us-east-1, 111111111111/eu-west-1, \
                 222222222222/us-east-1 (say which with --account and --region)";
    assert!(err.contains(three), "{err}");
    let (code, err) = export(&["--account", A]);
    assert_eq!(code, Some(64), "{err}");
    let (code, err) = export(&["--account", "999999999999"]);
    assert_eq!(code, Some(64), "{err}");
    assert!(
        err.contains("no account and region of accounts is meant (it has 111111111111/us-east-1"),
        "{err}"
    );
    for account in [&us, &eu, &b] {
        assert!(account.recorder.operations().is_empty(), "nothing is sent before it is clear");
    }
    // The world has no traffic, which is told by the one that was asked.
    for (flags, asked) in [
        (&["--account", A, "--region", "eu-west-1"][..], &eu),
        (&["--region", "eu-west-1"], &eu),
        (&["--account", B], &b),
    ] {
        let before = asked.recorder.operations().len();
        let (code, err) = export(flags);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("CloudWatch has no datapoint"), "{err}");
        assert!(asked.recorder.operations().len() > before, "{flags:?}");
    }
    assert!(us.recorder.operations().is_empty());
}
