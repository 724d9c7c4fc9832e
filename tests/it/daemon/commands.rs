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
    // The adoption is remembered: nothing but its five minutes holds the daemon's plan.
    served.change(json!({"delete_policy": {"variant": "a/AllTraffic"}}));
    let (code, out, _) = run(&["plan", "--detailed-exitcode", "--config", path]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("held: removing a policy is a step of some procedures"), "{out}");
    // A person who confirms does not wait.
    let (code, out, err) = run(&["apply", "--yes", "--config", path]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(served.target_value("a"), Some(600.0));
}
