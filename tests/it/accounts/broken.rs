//! An account that cannot be read is told of, stops nobody, and delays nobody for long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{A, Account, B, configure};
use crate::daemon::process::{Daemon, Directory, endpoint, run, wait};

/// A look may take two seconds.
const PASSES: &str = "reconcile: {schedule: \"* * * * * *\", telemetry_schedule: \"0 0 * * * *\", \
                      jitter_seconds: 0, pass_timeout_seconds: 4}\n\
                      telemetry: {history_days: 1}\n";

/// Every variant, and one of the second account that is named.
fn targets(mode: &str) -> String {
    format!(
        "{PASSES}defaults: {{mode: {mode}, adopt: true}}\ntargets:\n\
         - {{endpoint: \"*\", variant: \"*\", load_test: {{max_rps: 20}}}}\n\
         - {{endpoint: named, variant: AllTraffic, account_id: \"{B}\", load_test: {{max_rps: 20}}}}\n"
    )
}

fn of(daemon: &Daemon, account_id: &str, endpoint: &str) -> Value {
    daemon.json(&format!("/api/v1/variants/{endpoint}/AllTraffic?account_id={account_id}"))
}

/// Nothing answers, for ten minutes of the world.
fn silence(account: &Account) {
    account.served.fault(json!({"kind": "no_answer", "max_hits": 100_000, "for_seconds": 600,
        "because": "an account may be cut off"}));
}

#[test]
fn denied_credentials_are_told_for_each_variant_and_the_others_are_repaired() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 700.0));
    let b = Account::in_world(
        B,
        "us-east-1",
        ", role: {external_id: right}",
        &endpoint("named", 700.0),
    )
    .with(", role_arn: \"arn:aws:iam::222222222222:role/setpoint\", external_id: wrong");
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &targets("repair"));
    let path = config.to_str().unwrap();
    let (code, out, err) = run(&["apply", "--yes", "--config", path]);
    assert_eq!(code, Some(3), "what was not read is not done: {out}{err}");
    assert_eq!(a.served.target_value("scorer"), Some(600.0));
    assert_eq!(b.writes(), [""; 0]);
    let (code, out, _) = run(&["plan", "-o", "json", "--detailed-exitcode", "--config", path]);
    assert_eq!(code, Some(3), "{out}");
    let plan: Value = serde_json::from_str(&out).unwrap();
    let named =
        plan["variants"].as_array().unwrap().iter().find(|v| v["id"]["endpoint"] == "named");
    let named = named.unwrap_or_else(|| panic!("the named variant is not told of: {out}"));
    assert_eq!(named["standing"], "unknown");
    assert_eq!(named["decision"]["reason"], "could_not_compare");
    let sentence = named["decision"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("account 222222222222 in us-east-1: "), "{sentence}");
    assert!(sentence.contains("AccessDenied"), "{sentence}");
    assert_eq!(plan["unread"][0]["account_id"], B);
    let (_, out, _) = run(&["plan", "--config", path]);
    assert!(
        out.contains("? 222222222222/us-east-1  cannot be read: account 222222222222"),
        "{out}"
    );
    // The daemon starts with it, and is ready.
    let daemon = Daemon::ready(&config, &[]);
    assert_eq!(of(&daemon, B, "named")["standing"], "unknown");
    assert_eq!(of(&daemon, A, "scorer")["standing"], "in_sync");
    assert!(daemon.log().contains("cannot be read: account 222222222222"), "{}", daemon.log());
}

#[test]
fn an_account_that_never_answers_delays_the_others_by_no_more_than_the_limit() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 700.0));
    let b = Account::new(B, "us-east-1", &endpoint("scorer", 700.0));
    silence(&b);
    let directory = Directory::new();
    // Calls would wait far longer than the look may.
    let config = configure(&directory, &[&a, &b], &targets("repair"));
    let patient = std::fs::read_to_string(&config).unwrap().replace(
        "attempt_timeout_seconds: 4, operation_timeout_seconds: 4",
        "attempt_timeout_seconds: 50, operation_timeout_seconds: 50",
    );
    std::fs::write(&config, patient).unwrap();
    let path = config.to_str().unwrap();
    let began = Instant::now();
    let (code, out, err) = run(&["plan", "--config", path]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(code, Some(3), "without a flag, too: {err}");
    let named = out.lines().find(|line| line.starts_with("? 222222222222/us-east-1/named/"));
    let told = "could not be compared: account 222222222222 in us-east-1: not read within 2 s";
    assert!(named.is_some_and(|line| line.ends_with(told)), "{out}");
    let (code, out, err) = run(&["apply", "--yes", "--config", path]);
    assert_eq!(code, Some(3), "{out}{err}");
    assert_eq!(a.served.target_value("scorer"), Some(600.0));
    assert_eq!(b.writes(), [""; 0]);
}

#[test]
fn what_was_known_of_an_account_stays_while_it_is_silent_and_comes_back() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 600.0));
    let b = Account::new(B, "us-east-1", &endpoint("scorer", 600.0));
    let directory = Directory::new();
    let daemon = Daemon::ready(&configure(&directory, &[&a, &b], &targets("repair")), &[]);
    assert_eq!(of(&daemon, B, "scorer")["standing"], "in_sync");
    silence(&b);
    let edit = json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}});
    for account in [&a, &b] {
        account.served.change(edit.clone());
    }
    wait("the first account to be repaired", || {
        (a.served.target_value("scorer") == Some(600.0)).then_some(())
    });
    let view = wait("the second to be told as unknown", || {
        Some(of(&daemon, B, "scorer")).filter(|view| view["standing"] == "unknown")
    });
    assert_eq!(view["comparable"], false);
    assert_eq!(view["decision"]["reason"], "could_not_compare", "{view}");
    let sentence = view["decision"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("account 222222222222 in us-east-1: "), "{sentence}");
    let labels = [("account_id", B), ("endpoint", "scorer")];
    assert_eq!(daemon.metric("setpoint_comparable", &labels), Some(0.0));
    let configured = "setpoint_configured_target_invocations_per_minute";
    assert_eq!(daemon.metric(configured, &labels), None, "unknown is not zero");
    assert_eq!(b.writes(), [""; 0]);
    // The named one that is not there is told of all the time.
    assert_eq!(of(&daemon, B, "named")["comparable"], false);
    b.served.sim.advance(601);
    wait("the second account to be repaired", || {
        (b.served.target_value("scorer") == Some(600.0)).then_some(())
    });
    wait("it to be in sync", || (of(&daemon, B, "scorer")["standing"] == "in_sync").then_some(()));
    assert!(daemon.log().contains("can be read again"), "{}", daemon.log());
}

#[test]
fn what_is_remembered_of_a_silent_account_is_told_after_a_restart() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 600.0));
    let b = Account::new(B, "us-east-1", &endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &targets("repair"));
    let mut daemon = Daemon::ready(&config, &[]);
    assert_eq!(of(&daemon, B, "scorer")["standing"], "in_sync");
    daemon.signal("-TERM");
    assert!(daemon.ended());
    silence(&b);
    // Calls would wait far longer than the look may.
    let patient = std::fs::read_to_string(&config).unwrap().replace(
        "attempt_timeout_seconds: 4, operation_timeout_seconds: 4",
        "attempt_timeout_seconds: 50, operation_timeout_seconds: 50",
    );
    std::fs::write(&config, patient).unwrap();
    let daemon = Daemon::ready(&config, &[]);
    assert_eq!(of(&daemon, A, "scorer")["standing"], "in_sync");
    let view = of(&daemon, B, "scorer");
    assert_eq!(view["standing"], "unknown", "{view}");
    let readable = |account| daemon.metric("setpoint_scope_readable", &[("account_id", account)]);
    assert_eq!((readable(A), readable(B)), (Some(1.0), Some(0.0)));
    let ready = daemon.get("/readyz").1;
    let told = "ready\nAccount 222222222222 in us-east-1 cannot be read: not read within ";
    assert!(ready.starts_with(told), "{ready}");
}
