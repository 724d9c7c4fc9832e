//! Rule 1 on the wire, and that everything that tells of a variant tells the same.

use serde_json::{Value, json};
use setpoint::ports::Service;

use super::process::{Daemon, Directory, Served, endpoint, everything, from_now, run, wait};
use crate::contract::moto::call_json;
use crate::contract::recorder::WireRecorder;

/// One in sync, one that has drifted, one without a policy, one without a scalable target.
fn mixed() -> Served {
    let served = Served::of(&format!(
        "{}{}{}{}",
        endpoint("right", 600.0),
        endpoint("high", 900.0),
        endpoint("bare", 600.0),
        endpoint("lost", 600.0),
    ));
    served.change(json!({"delete_policy": {"variant": "bare/AllTraffic"}}));
    served.change(json!({"deregister": {"variant": "lost/AllTraffic"}}));
    served
}

#[test]
fn in_observe_nothing_but_reads_is_sent_through_reload_and_restart() {
    let served = mixed();
    let recorder = WireRecorder::before(&served.url);
    let directory = Directory::new();
    let config = directory.configure(&recorder.url(), &everything("observe"));
    let passes = |daemon: &Daemon, what: &str| {
        let before = daemon.variant("high")["last_pass"].clone();
        daemon.until("high", what, |view| view["last_pass"] != before);
    };
    for start in ["first", "restarted"] {
        let mut daemon = Daemon::ready(&config, &[]);
        assert_eq!(daemon.variant("high")["decision"]["reason"], "observe", "{start}");
        // People and pipelines do what they do; it must not tempt anybody.
        served.change(json!({"edit_policy": {"variant": "high/AllTraffic", "target_value": 1200.0,
            "disable_scale_in": true}}));
        passes(&daemon, "a pass after an edit");
        assert_eq!(daemon.post("/-/reload", &Value::Null).0, 200);
        passes(&daemon, "a pass after a reload");
        daemon.signal("-HUP");
        assert_eq!(daemon.post("/-/reconcile", &Value::Null).0, 200);
        let until = from_now(3600);
        assert_eq!(daemon.post("/-/pause", &json!({"until": until, "reason": "a test"})).0, 200);
        assert_eq!(daemon.post("/-/resume", &Value::Null).0, 200);
        passes(&daemon, "a pass after a resume");
        daemon.signal("-TERM");
        assert!(daemon.ended(), "{}", daemon.log());
    }
    // What a person must type to write does not write in observe either.
    let path = config.to_str().unwrap();
    assert_eq!(run(&["plan", "--config", path]).0, Some(0));
    let (code, out, _) = run(&["apply", "--yes", "--config", path]);
    assert_eq!((code, out.contains("Nothing to write")), (Some(2), true), "{out}");
    // The mode of the command line is a ceiling.
    directory.configure(&recorder.url(), &everything("repair"));
    let (code, out, _) = run(&["apply", "--yes", "--mode", "observe", "--config", path]);
    assert_eq!((code, out.contains("Nothing to write")), (Some(2), true), "{out}");
    recorder.assert_only_reads();
    let seen = recorder.operations();
    for read in ["GetCallerIdentity", "GetMetricData", "DescribeScalingPolicies", "ListEndpoints"] {
        assert!(seen.iter().any(|operation| operation == read), "{read} was never sent");
    }
}

#[test]
fn the_api_the_metrics_and_the_plan_agree() {
    let served = mixed();
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("observe"));
    let daemon = Daemon::ready(&config, &[]);
    let listed = daemon.json("/api/v1/variants");
    let (code, plan, stderr) = run(&["plan", "-o", "json", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let variants = listed["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 4);
    for (view, planned) in variants.iter().zip(plan["variants"].as_array().unwrap()) {
        let name = view["id"]["endpoint"].as_str().unwrap();
        assert_eq!(view["id"], planned["id"]);
        for key in ["standing", "comparable", "mode", "managed", "targets", "instances"] {
            assert_eq!(view[key], planned[key], "{name}: {key}");
        }
        for key in ["action", "reason", "sentence", "fields"] {
            assert_eq!(view["decision"][key], planned["decision"][key], "{name}: {key}");
        }
        let labels = [("endpoint", name), ("variant", "AllTraffic")];
        for (series, told) in [
            ("setpoint_configured_target_invocations_per_minute", &view["targets"]["configured"]),
            ("setpoint_formula_target_invocations_per_minute", &view["targets"]["formula"]),
            ("setpoint_safe_target_invocations_per_minute", &view["targets"]["safe"]),
            ("setpoint_min_instances", &view["instances"]["min"]),
        ] {
            // A number that does not exist is an absent series, never 0 or NaN.
            assert_eq!(daemon.metric(series, &labels), told.as_f64(), "{name}: {series}");
        }
        let mut decision = labels.to_vec();
        let action = view["decision"]["action"].as_str().unwrap();
        let reason = view["decision"]["reason"].as_str().unwrap();
        decision.extend([("action", action), ("reason", reason)]);
        assert_eq!(daemon.metric("setpoint_decision_info", &decision), Some(1.0), "{name}");
        let comparable = view["comparable"].as_bool().map(|is| f64::from(u8::from(is)));
        assert_eq!(daemon.metric("setpoint_comparable", &labels), comparable, "{name}");
    }
    let standings: Vec<&Value> = variants.iter().map(|view| &view["standing"]).collect();
    assert_eq!(standings, ["held", "held", "held", "in_sync"]);
}

#[test]
fn an_unreachable_aws_at_the_start_is_unknown_and_no_reason_to_end() {
    // A port that nothing listens on any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let directory = Directory::new();
    let named = "targets: [{endpoint: scorer, variant: AllTraffic, mode: repair, load_test: {max_rps: 20}}]\n";
    let rest = format!("{}{named}", super::process::EVERY_SECOND);
    let config = directory.configure(&format!("http://127.0.0.1:{port}"), &rest);
    let mut daemon = Daemon::ready(&config, &[]);
    assert_eq!(daemon.get("/healthz").0, 200);
    let view = daemon.variant("scorer");
    assert_eq!(view["standing"], "unknown", "{view}");
    assert_eq!(view["comparable"], false);
    assert!(!view["unknown"].as_array().unwrap().is_empty());
    let labels = [("endpoint", "scorer")];
    assert_eq!(daemon.metric("setpoint_comparable", &labels), Some(0.0));
    let configured = daemon.metric("setpoint_configured_target_invocations_per_minute", &labels);
    assert_eq!(configured, None, "unknown is not zero");
    daemon.signal("-TERM");
    assert!(daemon.ended());
}

#[test]
fn one_variant_that_cannot_be_read_does_not_stop_the_others() {
    let served = Served::of(&format!("{}{}", endpoint("bad", 900.0), endpoint("good", 700.0)));
    served.fault(json!({"kind": "deny", "operations": ["DescribeEndpoint"], "max_hits": 1,
        "for_seconds": 604_800, "because": "a role may be limited to some endpoints"}));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let daemon = Daemon::ready(&config, &[]);
    wait("both to be repaired", || {
        let values = ["bad", "good"].map(|name| served.target_value(name));
        // 900 goes by 30 % a write, and the next one waits.
        (values == [Some(630.0), Some(600.0)]).then_some(())
    });
    daemon.until("good", "the good one to be in sync", |view| view["standing"] == "in_sync");
}

#[test]
fn what_happens_to_a_variant_is_told_once_and_of_listed_ones_only() {
    let served = Served::of(&format!("{}{}", endpoint("listed", 600.0), endpoint("stray", 600.0)));
    let directory = Directory::new();
    let target = "targets: [{endpoint: listed, variant: '*', load_test: {max_rps: 20}}]\n";
    let daemon = Daemon::ready(&directory.configure(&served.url, target), &[]);
    for name in ["listed", "stray"] {
        let surge = json!({
            "ServiceNamespace": "sagemaker", "PolicyName": "surge",
            "ResourceId": format!("endpoint/{name}/variant/AllTraffic"),
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "PolicyType": "StepScaling",
            "StepScalingPolicyConfiguration": {"AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]},
        });
        let service = Service::ApplicationAutoScaling;
        call_json(&served.url, service, "PutScalingPolicy", &surge).unwrap();
    }
    for _ in 0..3 {
        assert_eq!(daemon.post("/-/reconcile", &Value::Null).0, 200);
    }
    for name in ["listed", "stray"] {
        let labels = [("endpoint", name), ("reason", "competing_policy")];
        assert_eq!(daemon.metric("setpoint_condition", &labels), Some(1.0), "{name}");
    }
    let log = daemon.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("competing_policy")).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("\"listed\"") && told[0].contains("surge (step scaling)"), "{told:?}");
}
