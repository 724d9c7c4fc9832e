//! `plan` and `apply`: exit codes, adoption, and what is asked before a write.

use serde_json::json;

use super::process::{Directory, Served, endpoint, everything, run};

#[test]
fn plan_tells_by_its_exit_code_what_it_found() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let plan = |flags: &[&str]| {
        let mut arguments = vec!["plan", "--config", config.to_str().unwrap()];
        arguments.extend(flags);
        run(&arguments)
    };
    let (code, out, err) = plan(&["--detailed-exitcode"]);
    assert_eq!(code, Some(0), "{out}{err}");
    served.change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    let (code, out, _) = plan(&["--detailed-exitcode"]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("700 -> 600"), "{out}");
    let (code, out, _) = plan(&["--detailed-exitcode", "--mode", "observe"]);
    assert_eq!(code, Some(2), "held is a difference too: {out}");
    assert_eq!(plan(&[]).0, Some(0), "without the flag a difference is no failure");
    served.fault(json!({"kind": "deny", "operations": ["DescribeScalingPolicies"], "max_hits": 1,
        "for_seconds": 604_800, "because": "a role may lack a permission"}));
    let (code, out, _) = plan(&["--detailed-exitcode"]);
    assert_eq!(code, Some(3), "{out}");
    assert_eq!(served.sim.with_world(|world| world.writes()), 0, "plan does not write");
    directory.configure(&served.url, "surprise: 1\n");
    let (code, _, err) = plan(&["--detailed-exitcode"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("surprise"), "{err}");
}

/// Every call of these operations is refused for a week.
fn deny(served: &Served, operations: &[&str]) {
    for operation in operations {
        served.fault(json!({"kind": "deny", "operations": [operation], "max_hits": 100_000,
            "for_seconds": 604_800, "because": "a role may lack a permission"}));
    }
}

#[test]
fn an_account_that_refuses_everything_is_no_empty_one() {
    let served = Served::of(&endpoint("scorer", 700.0));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let path = config.to_str().unwrap();
    deny(&served, &["ListEndpoints", "DescribeEndpoint", "DescribeScalableTargets"]);
    deny(&served, &["DescribeScalingPolicies", "DescribeScheduledActions", "DescribeAlarms"]);
    for arguments in [
        &["plan", "--config", path][..],
        &["plan", "--detailed-exitcode", "--config", path],
        &["apply", "--yes", "--config", path],
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!(code, Some(3), "{arguments:?}: {out}{err}");
        assert!(out.contains("cannot be read: "), "{out}");
        let last = "Plan: no variants are known; 1 account and region could not be read.";
        assert!(out.contains(last), "{out}");
    }
    assert_eq!(served.sim.with_world(|world| world.writes()), 0);
}

#[test]
fn an_expired_load_test_is_a_comparison_that_is_missing() {
    let served = Served::of(&endpoint("scorer", 5000.0));
    let directory = Directory::new();
    let expired = "max_rps: 20, date: 2025-01-01, max_age_days: 180";
    let rest = everything("observe").replace("max_rps: 20", expired);
    let config = directory.configure(&served.url, &rest);
    let path = config.to_str().unwrap();
    let (code, out, err) = run(&["plan", "--detailed-exitcode", "--config", path]);
    assert_eq!(code, Some(3), "{out}{err}");
    let told = "? scorer/AllTraffic  not compared: the load test of 2025-01-01 has expired\n";
    assert!(out.starts_with(told) && out.ends_with("Plan: 1 not compared.\n"), "{out}");
    assert_eq!(run(&["plan", "--config", path]).0, Some(0), "everything could be read");
    let (code, out, _) = run(&["apply", "--yes", "--config", path]);
    assert_eq!(code, Some(3), "apply always says so: {out}");
}

#[test]
fn usage_errors_exit_64() {
    for arguments in [
        &["plan", "--surprise"][..],
        &["plan", "-o", "xml"],
        &["run", "--mode", "bold"],
        &["apply", "--config", "/dev/null"],
        &["dance"],
        &[],
    ] {
        let (code, _, err) = run(arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {err}");
        assert!(!err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn apply_adopts_and_repairs_and_then_has_nothing_to_do() {
    let names = ["a", "b", "c", "d"];
    let served = Served::of(&names.map(|name| endpoint(name, 700.0)).concat());
    let directory = Directory::new();
    let rest = everything("repair").replace("adopt: true", "adopt: false");
    let config = directory.configure(&served.url, &rest);
    let path = config.to_str().unwrap();
    // Nobody is there to ask.
    let (code, _, err) = run(&["apply", "--config", path]);
    assert_eq!(code, Some(64), "{err}");
    assert!(err.contains("--yes"), "{err}");
    assert_eq!(served.sim.with_world(|world| world.writes()), 0);
    let (code, out, err) = run(&["apply", "--yes", "--config", path]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(names.map(|name| served.target_value(name)), [Some(600.0); 4]);
    let (code, out, _) = run(&["apply", "--yes", "--config", path]);
    assert_eq!((code, out.contains("Nothing to write")), (Some(0), true), "{out}");
    // The adoption is remembered: the daemon's plan would now write by itself.
    served.change(json!({"delete_policy": {"variant": "a/AllTraffic"}}));
    let (code, out, _) = run(&["plan", "--detailed-exitcode", "--config", path]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("1 to create"), "{out}");
}
