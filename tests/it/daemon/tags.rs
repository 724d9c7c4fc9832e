//! The memory in tags, on the wire: what is sent, and what the next process finds.

use serde_json::{Value, json};
use setpoint::sim::api::Operation;

use super::process::{Daemon, Directory, Served, endpoint, everything, from_now, run, wait};
use crate::contract::recorder::WireRecorder;

const TAGS: &str = "{tags: true}";

/// Waits for some passes that find nothing to do.
fn passes(daemon: &Daemon) {
    for _ in 0..3 {
        let before = daemon.variant("scorer")["last_pass"].clone();
        daemon.until("scorer", "a pass", |view| view["last_pass"] != before);
    }
}

/// The tags of the only target.
fn tags(served: &Served) -> Value {
    served.sim.state()["variants"][0]["tags"].clone()
}

/// A pause of one variant; those of more have no tags to go to.
const PAUSE: &str = "/-/pause?endpoint=scorer&variant=AllTraffic";

#[test]
fn in_observe_no_tag_is_read_or_written() {
    let served = Served::of(&endpoint("scorer", 900.0));
    let recorder = WireRecorder::before(&served.url);
    let directory = Directory::new();
    let config = directory.configure_with(TAGS, &recorder.url(), &everything("observe"));
    let daemon = Daemon::ready(&config, &[]);
    // A pause of what is never written is kept by the process, and said to be.
    let pause = json!({"until": from_now(86_400), "reason": "a test"});
    let (status, body) = daemon.post(PAUSE, &pause);
    assert_eq!(status, 200, "{body}");
    let note = body["note"].as_str().unwrap();
    assert!(note.contains("ends with this process") && note.contains("observe"), "{note}");
    passes(&daemon);
    assert_eq!(daemon.variant("scorer")["memory"]["pause"]["reason"], "a test");
    assert_eq!(daemon.post("/-/reload", &Value::Null).0, 200);
    assert_eq!(daemon.post("/-/reconcile", &Value::Null).0, 200);
    // It holds when the mode changes while the process lives.
    directory.configure_with(TAGS, &recorder.url(), &everything("repair"));
    recorder.assert_only_reads();
    assert_eq!(daemon.post("/-/reload", &Value::Null).0, 200);
    daemon.until("scorer", "the pause", |view| view["decision"]["reason"] == "paused");
    assert_eq!(served.calls(Operation::PutScalingPolicy), 0);
    wait("the pause in the tags", || {
        tags(&served).as_object().is_some_and(|tags| !tags.is_empty()).then_some(())
    });
    assert_eq!(served.calls(Operation::UntagResource), 0);
}

#[test]
fn plan_and_apply_in_observe_tag_nothing() {
    let served = Served::of(&endpoint("scorer", 900.0));
    let recorder = WireRecorder::before(&served.url);
    let directory = Directory::new();
    let config = directory.configure_with(TAGS, &recorder.url(), &everything("observe"));
    assert_eq!(run(&["apply", "--yes", "--config", config.to_str().unwrap()]).0, Some(2));
    // A plan writes nothing in any mode; of a variant that may be written it reads the tags.
    directory.configure_with(TAGS, &recorder.url(), &everything("repair"));
    assert_eq!(run(&["plan", "--config", config.to_str().unwrap()]).0, Some(0));
    recorder.assert_only_reads();
    assert_eq!(served.calls(Operation::ListTagsForResource), 1, "{:?}", recorder.operations());
}

#[test]
fn with_foreign_credentials_nothing_is_tagged() {
    let served = Served::of(&endpoint("scorer", 900.0));
    let recorder = WireRecorder::before(&served.url);
    let directory = Directory::new();
    let config = directory.configure_with(TAGS, &recorder.url(), &everything("repair"));
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("123456789012", "210987654321")).unwrap();
    let daemon = Daemon::ready(&config, &[]);
    passes(&daemon);
    assert_eq!(daemon.variant("scorer")["decision"]["reason"], "wrong_account");
    let pause = json!({"until": from_now(86_400), "reason": "a test"});
    assert_eq!(daemon.post(PAUSE, &pause).0, 200);
    passes(&daemon);
    recorder.assert_only_reads();
}

#[test]
fn a_repair_sends_its_intent_its_result_and_no_other_tag_and_a_restart_remembers() {
    let served = Served::of(&endpoint("scorer", 600.0));
    let recorder = WireRecorder::before(&served.url);
    let directory = Directory::new();
    let config = directory.configure_with(TAGS, &recorder.url(), &everything("repair"));
    let mut daemon = Daemon::ready(&config, &[]);
    passes(&daemon);
    // Since when it is remembered, and the value held.
    assert_eq!(recorder.other_than_reads(), ["TagResource"]);
    served.change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    daemon.until("scorer", "the repair", |view| view["memory"]["last_write"]["after"] == 600.0);
    passes(&daemon);
    let writes = ["TagResource", "TagResource", "PutScalingPolicy", "TagResource"];
    assert_eq!(recorder.other_than_reads(), writes);
    let kept = daemon.variant("scorer")["memory"].clone();
    assert_eq!(kept["last_write"]["after"], 600.0);
    assert_eq!(kept["intent"], Value::Null);
    daemon.signal("-TERM");
    assert!(daemon.ended());

    let next = Daemon::ready(&config, &[]);
    passes(&next);
    let found = next.variant("scorer")["memory"].clone();
    for key in ["since", "adopted", "last_write", "last_attempt", "writes", "highest_applied"] {
        assert_eq!(found[key], kept[key], "{key}");
    }
    assert_eq!(recorder.other_than_reads(), writes, "nothing was new");
    // A person's pause is a tag, and outlives the process too.
    let pause = json!({"until": from_now(86_400), "reason": "a test"});
    let (status, body) = next.post(PAUSE, &pause);
    assert_eq!(
        (status, &body["survives_restart"], &body["note"]),
        (200, &json!(true), &Value::Null)
    );
    assert_eq!(recorder.other_than_reads().len(), 5);
    drop(next);
    served.change(json!({"edit_policy": {"variant": "scorer/AllTraffic", "target_value": 700.0}}));
    let third = Daemon::ready(&config, &[]);
    assert_eq!(third.variant("scorer")["decision"]["reason"], "paused");
}

#[test]
fn a_crash_between_intent_and_write_is_found_in_the_tags() {
    for (fault, writes) in [("answer_lost", 1), ("no_answer", 2)] {
        let served = Served::of(&endpoint("scorer", 700.0));
        served.fault(json!({"kind": fault, "operations": ["PutScalingPolicy"], "max_hits": 1,
            "for_seconds": 604_800, "because": "a process can die while it waits"}));
        let directory = Directory::new();
        let config = directory.configure_with(TAGS, &served.url, &everything("repair"));
        let mut daemon = Daemon::start(&config, &[]);
        wait("a write under way", || (served.calls(Operation::PutScalingPolicy) > 0).then_some(()));
        daemon.signal("-KILL");
        assert!(!daemon.ended());
        assert_eq!(served.calls(Operation::TagResource), 1, "the intent");

        let next = Daemon::ready(&config, &[]);
        next.until("scorer", "in sync", |view| view["standing"] == "in_sync");
        let view = next.variant("scorer");
        assert_eq!(view["memory"]["last_attempt"]["after"], 600.0, "{}", view["memory"]);
        assert_eq!(served.target_value("scorer"), Some(600.0));
        // What has landed is not written again, and what has not is, and is nobody's overwrite.
        assert_eq!(view["memory"]["foreign_overwrites"], json!({}), "{}", view["memory"]);
        passes(&next);
        assert_eq!(served.calls(Operation::PutScalingPolicy), writes, "{fault}");
    }
}
