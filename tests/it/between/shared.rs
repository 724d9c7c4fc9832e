//! What is the same is held once: of thousands of variants, a second copy is tens of MiB.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::stage::{Stage, of};

#[tokio::test]
async fn what_is_published_and_what_is_remembered_of_it_share_what_they_have_in_common() {
    let mut stage = Stage::of(&["a", "b"]);
    stage.pass(true).await;
    stage.leads.0.store(false, Ordering::Relaxed);
    stage.change(json!({"edit_policy": {"variant": "a/AllTraffic", "target_value": 700.0}}));
    let mut last = stage.pass(true).await;
    for _ in 0..3 {
        stage.sim.advance(900);
        last = stage.pass(true).await;
    }
    let (a, b) = (of(&last, "a"), of(&last, "b"));
    assert_eq!(a.lasting.drift.len(), 1, "{:?}", a.lasting);
    let remembered = a.snapshot.remembered().expect("what is remembered");
    assert!(a.lasting.is_one_with(&remembered.lasting));
    assert!(a.snapshot.factor.is_one_with(&b.snapshot.factor));
    assert!(a.snapshot.floors.is_one_with(&b.snapshot.floors));
    let policy = a.snapshot.policy().expect("a policy");
    let alarms = a.snapshot.alarms.known().expect("alarms");
    let names = policy.alarm_names.as_ref().expect("the names of its alarms");
    assert_eq!(names.len(), 2);
    for name in names {
        assert!(alarms.iter().any(|alarm| Arc::ptr_eq(&alarm.name, name)), "{name}");
    }
}
