//! SIGTERM and SIGKILL in the middle of a pass.

use serde_json::json;
use setpoint::sim::api::Operation;

use super::process::{Daemon, Directory, Served, endpoint, everything, wait};

/// Waits until the write is under way, which the world lets hang.
fn hanging_write(served: &Served) {
    wait("a write under way", || (served.calls(Operation::PutScalingPolicy) > 0).then_some(()));
}

#[test]
fn sigterm_lets_the_write_under_way_end_and_begins_no_other() {
    let served = Served::of(&format!("{}{}", endpoint("a", 700.0), endpoint("b", 700.0)));
    served.fault(json!({"kind": "answer_lost", "operations": ["PutScalingPolicy"], "max_hits": 1,
        "for_seconds": 604_800, "because": "networks lose packets"}));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let mut daemon = Daemon::start(&config, &[]);
    hanging_write(&served);
    daemon.signal("-TERM");
    assert!(daemon.ended(), "an orderly end: {}", daemon.log());
    assert_eq!(served.calls(Operation::PutScalingPolicy), 1, "no further write began");
    assert_eq!(served.target_value("a"), Some(600.0));
    assert_eq!(served.target_value("b"), Some(700.0));
    // The next process finds the landed write, and makes the other.
    let next = Daemon::ready(&config, &[]);
    wait("the other one", || (served.target_value("b") == Some(600.0)).then_some(()));
    next.until("b", "in sync", |view| view["standing"] == "in_sync");
    assert_eq!(served.calls(Operation::PutScalingPolicy), 2);
}

#[test]
fn kill_9_in_the_middle_of_a_write_leads_to_the_same_state_without_another_write() {
    let served = Served::of(&endpoint("scorer", 700.0));
    served.fault(json!({"kind": "answer_lost", "operations": ["PutScalingPolicy"], "max_hits": 1,
        "for_seconds": 604_800, "because": "a process can die while it waits for an answer"}));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let mut daemon = Daemon::start(&config, &[]);
    hanging_write(&served);
    daemon.signal("-KILL");
    assert!(!daemon.ended());
    let next = Daemon::ready(&config, &[]);
    next.until("scorer", "in sync", |view| view["standing"] == "in_sync");
    assert_eq!(next.post("/-/reconcile", &json!(null)).0, 200);
    assert_eq!(served.target_value("scorer"), Some(600.0));
    assert_eq!(served.calls(Operation::PutScalingPolicy), 1, "no extra write");
    let memory = next.variant("scorer");
    assert_eq!(memory["memory"]["last_attempt"]["after"], 600.0, "{}", memory["memory"]);
}

#[test]
fn kill_9_before_the_write_has_landed_leads_to_the_same_state_too() {
    let served = Served::of(&endpoint("scorer", 700.0));
    served.fault(json!({"kind": "no_answer", "operations": ["PutScalingPolicy"], "max_hits": 1,
        "for_seconds": 604_800, "because": "a process can die before AWS has heard it"}));
    let directory = Directory::new();
    let config = directory.configure(&served.url, &everything("repair"));
    let mut daemon = Daemon::start(&config, &[]);
    hanging_write(&served);
    daemon.signal("-KILL");
    assert!(!daemon.ended());
    let next = Daemon::ready(&config, &[]);
    next.until("scorer", "in sync", |view| view["standing"] == "in_sync");
    // What is in force is not what the write would have left, so the same write is made again.
    assert_eq!(served.target_value("scorer"), Some(600.0));
    assert_eq!(served.calls(Operation::PutScalingPolicy), 2);
}
