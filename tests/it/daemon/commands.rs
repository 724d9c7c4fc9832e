//! `plan` and `apply`: exit codes, adoption, and what is asked before a write.

use serde_json::json;

use super::process::{Directory, Served, endpoint, everything, run, setpoint, wait};

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
    // Of one variant without an objective of latency, once an hour as this configuration says.
    let month = "CloudWatch, with the daemon: $0.03 of $100.00 a month: 4 metrics in each of 720";
    assert!(err.contains(month) && !out.contains("CloudWatch"), "{out}{err}");
    // Without a target, the daemon reads what runs all the same, once an hour, and this command nothing.
    let empty = directory.token().with_file_name("empty.yaml");
    std::fs::write(&empty, format!("aws: {{region: us-east-1, endpoint_url: '{}'}}\n", served.url))
        .unwrap();
    let (_, _, err) = run(&["plan", "--config", empty.to_str().unwrap()]);
    assert!(err.contains("--metrics reads it for less than $0.01 (1 variant)."), "{err}");
    let hourly = "a month: 0 metrics in each of 2880 telemetry passes, and 4 metrics of unlisted variants each hour.";
    assert!(err.contains(hourly), "{err}");
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
fn endpoints_that_cannot_be_described_are_no_empty_account() {
    let served = Served::of(&endpoint("scorer", 700.0));
    let deregister = json!({"deregister": {"variant": "scorer/AllTraffic"}});
    let deregister = serde_json::from_value(deregister).unwrap();
    served.sim.with_world(|world| world.change(&deregister)).unwrap();
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let path = config.to_str().unwrap();
    deny(&served, &["DescribeEndpoint"]);
    for arguments in [
        &["plan", "--config", path][..],
        &["plan", "--detailed-exitcode", "--config", path],
        &["audit", "--config", path],
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!(code, Some(3), "{arguments:?}: {out}{err}");
        assert!(format!("{out}{err}").contains("1 endpoint could not be described"), "{out}{err}");
        assert!(!out.contains("is it the right account"), "{out}");
    }
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
    // The adoption is remembered: nothing but its five minutes holds the daemon's plan.
    served.change(json!({"delete_policy": {"variant": "a/AllTraffic"}}));
    let (code, out, _) = run(&["plan", "--detailed-exitcode", "--config", path]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("some procedures remove a policy"), "{out}");
    // A person who confirms does not wait.
    let (code, out, err) = run(&["apply", "--yes", "--config", path]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(served.target_value("a"), Some(600.0));
}

#[test]
fn apply_from_cron_lets_the_grace_of_a_safe_change_end() {
    let served = Served::of(&endpoint("scorer", 500.0));
    let directory = Directory::new();
    let rest =
        everything("repair").replace("adopt: true", "adopt: true, safe_change_grace_seconds: 5");
    let config = directory.configure(&served.url, &rest);
    let apply = || run(&["apply", "--yes", "--config", config.to_str().unwrap()]);
    // A lower target value is safe: it is left alone, and what was seen is remembered.
    let (_, out, err) = apply();
    assert!(
        out.contains("Nothing to write") && out.contains("leaves safe changes alone until"),
        "{out}{err}"
    );
    let memory = std::fs::read_to_string(directory.memory()).expect("a memory");
    assert!(memory.contains("\"seen\"") && memory.contains("500"), "{memory}");
    wait("the end of the grace", || {
        let (code, out, err) = apply();
        assert!(matches!(code, Some(0 | 2)), "{out}{err}");
        let raise = out.contains("500 -> ");
        assert!(raise || out.contains("Nothing to write"), "{out}{err}");
        // A raise needs telemetry, which this world has not: the grace is over all the same.
        (!out.contains("leaves safe changes alone until")).then_some(())
    });
}

/// A terminal of `script`, for the question; the answer comes after something has changed.
#[test]
fn a_yes_on_a_terminal_is_to_what_was_shown() {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    let Ok(found) = Command::new("script").arg("--version").output() else {
        println!("not asked: there is no `script` to make a terminal with");
        return;
    };
    assert!(found.status.success());
    let served = Served::of(&["a", "b", "c"].map(|name| endpoint(name, 600.0)).concat());
    for name in ["a", "b"] {
        let variant = format!("{name}/AllTraffic");
        served.change(json!({"edit_policy": {"variant": variant, "target_value": 700.0}}));
    }
    let directory = Directory::new();
    let rest = everything("repair").replace("adopt: true", "adopt: false");
    let config = directory.configure(&served.url, &rest);
    let command = setpoint(&["apply", "--config", config.to_str().unwrap()]);
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &words.join(" "), "/dev/null"]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    let mut child =
        terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a terminal");
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut told = String::new();
    let mut buffer = [0; 4096];
    while !told.contains("Only \"yes\" does.") {
        let n = output.read(&mut buffer).unwrap();
        assert!(n > 0, "it has ended: {told}");
        told.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    assert!(told.contains("Write to 2 variants?"), "{told}");
    served.change(json!({"edit_policy": {"variant": "b/AllTraffic", "target_value": 720.0}}));
    served.change(json!({"edit_policy": {"variant": "c/AllTraffic", "target_value": 700.0}}));
    input.write_all(b"yes\n").unwrap();
    output.read_to_string(&mut told).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(2), "{told}");
    let values = ["a", "b", "c"].map(|name| served.target_value(name));
    assert_eq!(values, [Some(600.0), Some(720.0), Some(700.0)], "{told}");
    assert!(told.contains("changed since you were asked: it is 720 -> 600 now"), "{told}");
    assert!(told.contains("700 -> 600: it was not in the plan that was confirmed"), "{told}");
}
