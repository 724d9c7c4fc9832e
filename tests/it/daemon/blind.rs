//! A daemon that cannot see says that it cannot: no subjects are not taken for no problems.

use serde_json::{Value, json};
use setpoint::ports::Service;

use super::process::{Daemon, Directory, Served, endpoint, everything, run, wait};
use crate::contract::moto::call_json;

/// The address of nobody.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

const SCOPE: [(&str, &str); 2] = [("account_id", "123456789012"), ("region", "us-east-1")];

/// Waits for so many more passes.
fn passes(daemon: &Daemon, more: usize) {
    for _ in 0..more {
        assert_eq!(daemon.post("/-/reconcile", &Value::Null).0, 200);
    }
}

#[test]
fn an_outage_with_nothing_but_a_wildcard_is_told_everywhere() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let refused = directory.configure(&nowhere(), &everything("repair"));
    let daemon = Daemon::ready(&refused, &[]);
    passes(&daemon, 3);
    let (status, ready) = daemon.get("/readyz");
    assert_eq!(status, 200);
    assert!(
        ready.starts_with("ready\nAccount 123456789012 in us-east-1 cannot be read: "),
        "{ready}"
    );
    let list = daemon.json("/api/v1/variants");
    assert_eq!(list["variants"], json!([]));
    let scope = &list["scopes"][0];
    assert_eq!((&scope["readable"], &scope["last_listing"]), (&json!(false), &Value::Null));
    assert_eq!(scope["why"]["kind"], "transient");
    let page = daemon.get("/").1;
    assert!(page.contains("Account 123456789012 in us-east-1 cannot be read"), "{page}");
    assert_eq!(daemon.metric("setpoint_scope_readable", &SCOPE), Some(0.0));
    let listing = "setpoint_scope_last_listing_timestamp_seconds";
    assert_eq!(daemon.metric(listing, &SCOPE), None);
    // The failures have a name, and no call that failed counts as one without.
    let calls = daemon.get("/metrics").1;
    let failed: Vec<&str> = calls
        .lines()
        .filter(|l| l.starts_with("setpoint_aws_calls_total{") && l.contains("status_code=\"0\""))
        .collect();
    assert!(failed.len() >= 5, "{failed:#?}");
    assert!(failed.iter().all(|l| l.contains("error_code=\"dispatch_failure\"")), "{failed:#?}");
    // Once, not in every pass.
    let told = |daemon: &Daemon| daemon.log().matches("cannot be read: ").count();
    assert_eq!(told(&daemon), 1, "{}", daemon.log());
    // A wide command says what it could not see; a narrow one does not say that there is no such.
    let (status, checked) = daemon.post("/-/reconcile", &Value::Null);
    assert_eq!((status, &checked["unreadable"][0]["region"]), (200, &json!("us-east-1")));
    let (status, error) = daemon.post("/-/reconcile?endpoint=scorer", &Value::Null);
    assert_eq!(status, 503);
    let error = error["error"].as_str().unwrap();
    assert!(error.ends_with(", but 123456789012/us-east-1 cannot be read now"), "{error}");
    let token = directory.token();
    let (code, out, _) =
        run(&["check", "all", "--url", daemon.url(), "--token-file", token.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{out}");
    assert!(out.starts_with("? 123456789012/us-east-1  cannot be read, and may have "), "{out}");

    // What AWS denies is told as what is refused on the way.
    for operation in ["ListEndpoints", "DescribeScalableTargets"] {
        served.fault(json!({"kind": "deny", "operations": [operation], "max_hits": 100_000,
            "for_seconds": 600, "because": "a role may lack it"}));
        let denied = Directory::new();
        let daemon = Daemon::ready(&denied.configure(&served.url, &everything("repair")), &[]);
        assert_eq!(daemon.metric("setpoint_scope_readable", &SCOPE), Some(0.0), "{operation}");
        assert!(daemon.get("/readyz").1.contains("AccessDenied"), "{operation}");
        served.sim.advance(601);
        wait("it to be read again", || {
            (daemon.metric("setpoint_scope_readable", &SCOPE) == Some(1.0)).then_some(())
        });
        assert_eq!(daemon.get("/readyz").1, "ready\n");
        assert!(daemon.metric(listing, &SCOPE).is_some());
        wait("the log to say so", || daemon.log().contains("can be read again").then_some(()));
    }
}

#[test]
fn a_restart_in_an_outage_forgets_no_variant() {
    for mode in ["observe", "repair"] {
        let served = Served::of(&format!("{}{}", endpoint("a", 600.0), endpoint("b", 600.0)));
        let directory = Directory::new();
        let config = directory.configure(&served.url, &everything(mode));
        let mut daemon = Daemon::ready(&config, &[]);
        assert_eq!(daemon.variant("b")["standing"], "in_sync");
        daemon.signal("-TERM");
        assert!(daemon.ended());
        directory.configure(&nowhere(), &everything(mode));
        let daemon = Daemon::ready(&config, &[]);
        for name in ["a", "b"] {
            let view = daemon.variant(name);
            assert_eq!(view["standing"], "unknown", "{mode}: {view}");
            assert_eq!(view["managed"], true);
            let labels = [("endpoint", name)];
            assert_eq!(daemon.metric("setpoint_comparable", &labels), Some(0.0), "{mode}");
            assert_eq!(daemon.metric("setpoint_managed", &labels), Some(1.0), "{mode}");
        }
        // plan is a process of its own, and remembers as much.
        let (_, out, _) = run(&["plan", "--config", config.to_str().unwrap()]);
        assert!(out.contains("a/AllTraffic") && out.contains("b/AllTraffic"), "{out}");
    }
}

#[test]
fn a_variant_that_was_seen_to_be_gone_does_not_come_back_in_an_outage() {
    let served = Served::of(&format!("{}{}", endpoint("kept", 600.0), endpoint("gone", 600.0)));
    let directory = Directory::new();
    let daemon = Daemon::ready(&directory.configure(&served.url, &everything("repair")), &[]);
    assert_eq!(daemon.variant("gone")["standing"], "in_sync");
    let gone = json!({"EndpointName": "gone"});
    call_json(&served.url, Service::SageMaker, "DeleteEndpoint", &gone).unwrap();
    served.sim.advance(600);
    let names = || -> Vec<String> {
        let list = daemon.json("/api/v1/variants");
        let all = list["variants"].as_array().unwrap().iter();
        all.map(|v| v["id"]["endpoint"].as_str().unwrap().to_owned()).collect()
    };
    wait("it to be gone", || (names() == ["kept"]).then_some(()));
    served.fault(json!({"kind": "deny", "operations": ["ListEndpoints"], "max_hits": 100_000,
        "for_seconds": 600, "because": "a role may lose it"}));
    wait("the outage", || {
        (daemon.metric("setpoint_scope_readable", &SCOPE) == Some(0.0)).then_some(())
    });
    assert_eq!(names(), ["kept"]);
    assert_eq!(daemon.variant("kept")["standing"], "unknown");
}

#[test]
fn a_broken_memory_is_told_everywhere_until_it_works_again() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let directory = Directory::new();
    let place = directory.memory().with_file_name("place");
    std::fs::create_dir(&place).unwrap();
    let file = place.join("memory.json");
    let memory = format!("{{file: {}}}", file.display());
    let config = directory.configure_with(&memory, &served.url, &everything("repair"));
    let check = || run(&["config", "check", "--config", config.to_str().unwrap()]);
    assert!(check().2.is_empty(), "{}", check().2);
    let daemon = Daemon::ready(&config, &[]);
    let is = |name: &str, value| (daemon.metric(name, &[]) == Some(value)).then_some(());
    wait("the first save", || is("setpoint_memory_writable", 1.0));
    assert_eq!(is("setpoint_memory_readable", 1.0), Some(()));
    assert!(daemon.metric("setpoint_memory_last_saved_timestamp_seconds", &[]).is_some());
    assert_eq!(daemon.get("/readyz").1, "ready\n");

    // Something else is in its place.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    wait("it to be unreadable", || is("setpoint_memory_readable", 0.0));
    served.change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    passes(&daemon, 3);
    assert_eq!(served.target_value("scorer"), Some(700.0), "nothing is written without it");
    for page in ["/", "/readyz"] {
        assert!(daemon.get(page).1.contains("The memory cannot be read: "), "{page}");
    }
    assert_ne!(daemon.json("/api/v1/variants")["memory"]["unread"], Value::Null);
    let log = daemon.log();
    assert_eq!(log.matches("the memory cannot be read").count(), 1, "{log}");
    assert!(check().2.contains("which is a directory"), "{}", check().2);
    std::fs::remove_dir(&file).unwrap();
    wait("it to be readable", || is("setpoint_memory_readable", 1.0));
    wait("the repair", || (served.target_value("scorer") == Some(600.0)).then_some(()));
    assert!(daemon.log().contains("the memory can be read again"), "{}", daemon.log());

    let unsaved = || daemon.log().matches("the memory cannot be saved").count();
    wait("it to be writable", || is("setpoint_memory_writable", 1.0));
    let before = unsaved();

    // Its directory is gone: there is nothing to read, and nothing can be kept.
    std::fs::remove_dir_all(&place).unwrap();
    wait("it to be unwritable", || is("setpoint_memory_writable", 0.0));
    served.change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    passes(&daemon, 3);
    assert_eq!(served.target_value("scorer"), Some(700.0), "nothing is written without it");
    assert!(daemon.get("/").1.contains("The memory cannot be saved: "));
    assert_eq!(unsaved(), before + 1, "{}", daemon.log());
    let (code, _, err) = check();
    assert_eq!(code, Some(0), "the configuration may be for another machine: {err}");
    assert!(err.contains(":2: memory.file: found ") && err.contains("cannot be used"), "{err}");
    std::fs::create_dir(&place).unwrap();
    wait("it to be writable", || is("setpoint_memory_writable", 1.0));
    assert!(daemon.log().contains("the memory can be saved again"), "{}", daemon.log());
}

#[test]
fn telemetry_that_cannot_be_read_is_told_once_and_when_it_is_over() {
    let served = Served::of(&endpoint("scorer", 600.0));
    served.fault(json!({"kind": "deny", "operations": ["GetMetricData"], "max_hits": 100_000,
        "for_seconds": 600, "because": "a role may lack it"}));
    let directory = Directory::new();
    let often = everything("repair").replace("\"0 0 * * * *\"", "\"* * * * * *\"");
    let daemon = Daemon::ready(&directory.configure(&served.url, &often), &[]);
    let made = [("kind", "telemetry"), ("result", "success")];
    wait("four reads", || {
        (daemon.metric("setpoint_passes_total", &made) >= Some(4.0)).then_some(())
    });
    let log = daemon.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("the telemetry of ")).collect();
    assert_eq!(told.len(), 1, "once, not in every pass: {log}");
    let line: Value = serde_json::from_str(told[0]).unwrap();
    let fields = line.get("fields").unwrap_or(&line);
    assert_eq!((&line["level"], &fields["kind"]), (&json!("WARN"), &json!("denied")), "{line}");
    assert_eq!(fields["operation"], "GetMetricData", "{line}");
    assert_eq!(fields["variants"], 1, "{line}");
    assert!(told[0].contains("scorer/AllTraffic could not be read: "), "{line}");
    assert!(told[0].contains("AccessDenied"), "{line}");
    assert!(told[0].contains("The next telemetry pass reads it again"), "{line}");
    served.sim.advance(601);
    wait("the log to say so", || {
        daemon.log().contains("no read of telemetry fails any more").then_some(())
    });
}
