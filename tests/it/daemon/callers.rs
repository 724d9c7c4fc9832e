//! The names of foreign hands, looked up in CloudTrail by whoever asks and by no daemon.

use serde_json::{Value, json};
use setpoint::sim::api::Operation;

use super::process::{Daemon, Directory, Served, endpoint, everything, run};

#[test]
fn a_foreign_hand_gets_a_name_when_somebody_asks() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("observe"));
    let daemon = Daemon::ready(&config, &[]);
    let check = || {
        let token = directory.token();
        let asked = ["check", "scorer/AllTraffic", "--url", daemon.url(), "--token-file"];
        run(&[&asked[..], &[token.to_str().unwrap()]].concat()).0
    };
    let edit = json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}});
    served.change(edit);
    assert_eq!(check(), Some(2));
    let ask = |more: &[&str]| {
        let asked =
            ["history", "scorer/AllTraffic", "--cloudtrail", "--config", config.to_str().unwrap()];
        let (code, out, err) = run(&[&asked[..], more, &["--url", daemon.url()]].concat());
        assert_eq!(code, Some(0), "{out}{err}");
        (out, err)
    };
    let (out, _) = ask(&[]);
    assert!(out.contains("target_value 600 -> 700; CloudTrail does not know yet by whom"), "{out}");
    served.sim.advance(16 * 60);
    let (out, _) = ask(&[]);
    let by = "by arn:aws:iam::123456789012:user/person from 192.0.2.1 (PutScalingPolicy at ";
    assert!(out.contains(by), "{out}");
    let (out, _) = ask(&["-o", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["callers"][0]["field"], "target_value", "{json}");
    assert_eq!(json["callers"][0]["calls"].as_array().unwrap().len(), 1, "{json}");
    let (out, _) = ask(&["-o", "csv"]);
    assert!(out.lines().next().unwrap().ends_with(",callers"), "{out}");
    assert!(out.contains(",arn:aws:iam::123456789012:user/person"), "{out}");
    // Without the permission the history is shown, and the note says what is missing.
    served.fault(json!({
        "kind": "deny", "operations": ["LookupEvents"], "because": "the role has iam/observe.json alone",
    }));
    let (out, err) = ask(&[]);
    assert!(out.contains("target_value 600 -> 700\n"), "{out}");
    assert!(
        err.contains("CloudTrail was not read") && err.contains("iam/cloudtrail.json"),
        "{err}"
    );
    // The daemon itself never asks.
    let asked = served.calls(Operation::LookupEvents);
    assert_eq!(check(), Some(2));
    assert_eq!(served.calls(Operation::LookupEvents), asked);
}
