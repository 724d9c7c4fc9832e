//! What is written where, and what is not.

use serde_json::{Value, json};

use super::{A, Account, B, configure};
use crate::daemon::process::{Daemon, Directory, EVERY_SECOND, endpoint, everything, run, wait};

/// The target value of the one endpoint of these tests.
fn value(account: &Account) -> Option<f64> {
    account.served.target_value("scorer")
}

#[test]
fn one_apply_repairs_two_accounts_and_writes_nowhere_else() {
    let (high, fine) = (endpoint("scorer", 700.0), endpoint("scorer", 600.0));
    let a_us = Account::new(A, "us-east-1", &high);
    let a_eu = Account::new(A, "eu-west-1", &fine);
    let b_us = Account::new(B, "us-east-1", &fine);
    let b_eu = Account::new(B, "eu-west-1", &high);
    let directory = Directory::new();
    let all = [&a_us, &a_eu, &b_us, &b_eu];
    let config = configure(&directory, &all, &everything("repair"));
    let (code, out, err) = run(&["apply", "--yes", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(all.map(value), [Some(600.0); 4]);
    assert_eq!(a_us.writes(), ["PutScalingPolicy"]);
    assert_eq!(b_eu.writes(), ["PutScalingPolicy"]);
    assert!(a_eu.writes().is_empty() && b_us.writes().is_empty());
    for line in [
        format!("{A}/us-east-1/scorer/AllTraffic  PutScalingPolicy"),
        format!("{B}/eu-west-1/scorer/AllTraffic  PutScalingPolicy"),
    ] {
        assert!(out.contains(&line), "{line} in\n{out}");
    }
    // What was written is remembered for the variants it was written to, and for no other.
    let memory: Value =
        serde_json::from_slice(&std::fs::read(directory.memory()).unwrap()).unwrap();
    let written: Vec<(&str, &str)> = memory["variants"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| !entry["memory"]["last_write"].is_null())
        .map(|entry| (entry["account_id"].as_str().unwrap(), entry["region"].as_str().unwrap()))
        .collect();
    assert_eq!(written, [(A, "us-east-1"), (B, "eu-west-1")], "{memory:#}");
}

#[test]
fn credentials_of_another_account_write_nothing_while_the_others_are_repaired() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 700.0));
    // The configuration says B, and the keys are of a third.
    let both = endpoint("scorer", 700.0) + &endpoint("ranker", 900.0);
    let strange = Account::new("333333333333", "us-east-1", &both).called(B);
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &strange], &everything("repair"));
    let path = config.to_str().unwrap();
    let (code, out, err) = run(&["apply", "--yes", "--config", path]);
    assert_eq!(code, Some(2), "what is held is not done: {out}{err}");
    assert_eq!(value(&a), Some(600.0));
    assert_eq!(strange.writes(), [""; 0]);
    assert_eq!(value(&strange), Some(700.0));
    let (_, out, _) = run(&["plan", "-o", "json", "--config", path]);
    let plan: Value = serde_json::from_str(&out).unwrap();
    let of_b: Vec<(&Value, &Value)> = plan["variants"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|view| view["id"]["account_id"] == B)
        .map(|view| (&view["decision"]["reason"], &view["decision"]["sentence"]))
        .collect();
    assert_eq!(of_b.len(), 2, "{out}");
    for (reason, sentence) in of_b {
        assert_eq!(reason, "wrong_account");
        let told =
            "the credentials are of account 333333333333, the configuration allows 222222222222";
        assert!(sentence.as_str().unwrap().contains(told), "{sentence}");
    }
}

/// A daemon over two accounts of two endpoints each, all four at 700.
fn four_drifted(directory: &Directory) -> (Account, Account, Daemon) {
    let two = |x: &str, y: &str| endpoint(x, 700.0) + &endpoint(y, 700.0);
    let a = Account::new(A, "us-east-1", &two("scorer", "ranker"));
    let b = Account::new(B, "us-east-1", &two("scorer", "ads"));
    let config = configure(directory, &[&a, &b], &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    (a, b, daemon)
}

#[test]
fn a_mass_change_is_one_of_all_accounts_together() {
    // Two in each are few, four of the fleet are more than the three that may always change.
    let directory = Directory::new();
    let (a, b, daemon) = four_drifted(&directory);
    let listed = daemon.json("/api/v1/variants");
    let variants = listed["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 4);
    for view in variants {
        assert_eq!(view["decision"]["reason"], "mass_change", "{view}");
        let sentence = view["decision"]["sentence"].as_str().unwrap();
        assert!(sentence.contains("4 variants would change in one pass"), "{sentence}");
    }
    wait("a second pass", || {
        let again = daemon.json("/api/v1/variants");
        (listed["variants"][0]["last_pass"] != again["variants"][0]["last_pass"]).then_some(())
    });
    assert!(a.writes().is_empty() && b.writes().is_empty());
    let sentence = variants[0]["decision"]["sentence"].as_str().unwrap();
    let plan_id = sentence.rsplit(' ').next().unwrap();
    assert_eq!(daemon.post("/-/confirm", &json!({ "plan_id": plan_id })).0, 200);
    for (account, names) in [(&a, ["scorer", "ranker"]), (&b, ["scorer", "ads"])] {
        wait("what was confirmed", || {
            let values = names.map(|name| account.served.target_value(name));
            (values == [Some(600.0); 2]).then_some(())
        });
    }
}

#[test]
fn an_account_taken_off_the_list_by_a_reload_is_written_no_more() {
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 600.0));
    let b = Account::new(B, "us-east-1", &endpoint("scorer", 600.0));
    let directory = Directory::new();
    let rest = everything("repair");
    let daemon = Daemon::ready(&configure(&directory, &[&a, &b], &rest), &[]);
    configure(&directory, &[&a], &rest);
    assert_eq!(daemon.post("/-/reload", &Value::Null).0, 200);
    let edit = json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}});
    b.served.change(edit.clone());
    a.served.change(edit);
    wait("the one that is left to be repaired", || (value(&a) == Some(600.0)).then_some(()));
    let path = format!("/api/v1/variants/scorer/AllTraffic?account_id={B}");
    wait("the other to be held", || {
        (daemon.json(&path)["decision"]["reason"] == "wrong_account").then_some(())
    });
    assert!(b.writes().is_empty());
    assert!(daemon.log().contains("accounts has changed"), "{}", daemon.log());
}

#[test]
fn in_observe_no_account_gets_anything_but_reads() {
    let role = "arn:aws:iam::222222222222:role/setpoint";
    let a = Account::new(A, "us-east-1", &endpoint("scorer", 700.0));
    let b = Account::in_world(B, "us-east-1", ", role: {external_id: x7}", &endpoint("s", 700.0))
        .with(&format!(", role_arn: \"{role}\", external_id: x7"));
    let directory = Directory::new();
    let config = configure(&directory, &[&a, &b], &everything("observe"));
    let mut daemon = Daemon::ready(&config, &[]);
    daemon.until("s", "the second account to be read", |view| view["comparable"] == true);
    daemon.signal("-TERM");
    assert!(daemon.ended());
    let (code, out, _) = run(&["apply", "--yes", "--config", config.to_str().unwrap()]);
    assert_eq!((code, out.contains("Nothing to write")), (Some(2), true), "{out}");
    for account in [&a, &b] {
        account.recorder.assert_only_reads();
    }
    assert!(b.recorder.operations().iter().any(|operation| operation == "AssumeRole"));
    // The schedule of these tests is what makes the passes.
    assert!(EVERY_SECOND.contains("* * * * * *"));
}
