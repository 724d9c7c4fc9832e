//! Of several copies of a record the newest counts, and what cannot be had is no reason to forget or to ask on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::TimeDelta;
use serde_json::json;
use setpoint::k8s::{PARTS_MAX, part_name};
use setpoint::model::fact::Fact;
use setpoint::model::keeper::MemoryWriter;
use setpoint::model::memory::VariantMemory;
use setpoint::model::time::Timestamp;
use setpoint::ports::{Keep, Memory};
use setpoint::system::Alone;

use super::cluster::Cluster;
use super::meddler::Fate;
use super::memory_parts::{Process, id, keep, key, objects, of_size, subject, where_is};

/// A record of so many KiB that was kept so many seconds after the beginning, which its mark says as well.
fn kept(endpoint: &str, kib: usize, seconds: u32) -> Keep {
    let begin: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
    let at = begin + TimeDelta::seconds(seconds.into());
    let keeper = Some(MemoryWriter { id: "process".to_owned(), at }.into());
    keep(endpoint, VariantMemory { keeper, ..of_size(kib << 10, seconds) })
}

async fn save(process: &Process, all: &[(&str, usize, u32)]) -> Vec<String> {
    let all: Vec<Keep> = all.iter().map(|(of, kib, at)| kept(of, *kib, *at)).collect();
    let failed = process.memory.save(&all, &Alone).await;
    failed.into_values().map(|error| error.to_string()).collect()
}

const NOTHING: [String; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_has_kept_in_the_first_part_counts_when_it_is_newer() {
    // It knows the first object only.
    let other = Cluster::new();
    assert_eq!(save(&Process::of(&other).await, &[("c", 2, 9)]).await, NOTHING);
    let text = other.get("configmaps", "memory").unwrap()["data"][key("c")].clone();
    let cluster = Cluster::new();
    let process = Process::of(&cluster).await;
    let all = [("a", 300, 1), ("b", 300, 1), ("c", 300, 1)];
    assert_eq!(save(&process, &all).await, NOTHING);
    assert_eq!(where_is(&cluster, "c"), ["memory-part-1"]);
    let mut map = cluster.get("configmaps", "memory").unwrap();
    map["data"][key("c")] = text;
    cluster.put("configmaps", "memory", map);
    let forward = Process::of(&cluster).await;
    assert_eq!(forward.marks(&["c"]).await.unwrap(), [9]);
    // It stays there, and the older copy goes with the next write of its part.
    assert_eq!(save(&forward, &[("c", 3, 10), ("d", 400, 10)]).await, NOTHING);
    assert_eq!(where_is(&cluster, "c"), ["memory"]);
    assert_eq!(forward.marks(&["c", "d"]).await.unwrap(), [10, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_of_an_older_leader_does_not_win() {
    let cluster = Cluster::new();
    let old = Process::of(&cluster).await;
    assert_eq!(save(&old, &[("a", 300, 1), ("b", 300, 1)]).await, NOTHING);
    old.meddler.rule(|method, name| match (method, name) {
        ("POST", "memory-part-1") => Fate::Held,
        _ => Fate::Passes,
    });
    save(&old, &[("c", 300, 2)]).await;
    let new = Process::of(&cluster).await;
    assert_eq!(save(&new, &[("c", 20, 5)]).await, NOTHING);
    old.meddler.let_go().await;
    assert_eq!(where_is(&cluster, "c"), ["memory", "memory-part-1"], "both have arrived");
    assert_eq!(new.marks(&["c"]).await.unwrap(), [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_that_moves_is_set_aside_and_its_pause_holds() {
    let cluster = Cluster::new();
    let process = Process::of(&cluster).await;
    assert_eq!(save(&process, &[("a", 300, 1), ("b", 3, 1)]).await, NOTHING);
    assert_eq!(save(&process, &[("a", 956, 2)]).await, NOTHING);
    let mut map = cluster.get("configmaps", "memory").unwrap();
    map["data"][key("b")] = json!("?");
    cluster.put("configmaps", "memory", map);
    let memory = |found: Fact<_>| found.known().cloned().unwrap();
    let load =
        async || memory(process.memory.load(&[subject("b")], true).await.remove(&id("b")).unwrap());
    let found = load().await;
    assert!(found.pause.is_some(), "a pause that could not be read holds");
    let larger =
        VariantMemory { policy_name: Some("x".repeat(2300)), ..VariantMemory::clone(&found) };
    assert_eq!(process.memory.save(&[keep("b", larger)], &Alone).await, BTreeMap::new());
    assert_eq!(where_is(&cluster, "b"), ["memory-part-1"]);
    assert_eq!(load().await.pause, found.pause);
    assert_eq!(objects(&cluster)["memory"]["data"][format!("set-aside.{}", key("b"))], "?");
    assert_eq!(process.memory.set_aside().records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_further_part_may_be_made_the_first_is_used_to_its_end() {
    let cluster = Cluster::new();
    let process = Process::of(&cluster).await;
    assert_eq!(save(&process, &[("a", 300, 1), ("b", 300, 1)]).await, NOTHING);
    // A quota or an admission policy: it may be looked for, and not made.
    process.meddler.rule(|method, name| match (method, name) {
        ("POST", "memory-part-1") => Fate::Refused(403),
        _ => Fate::Passes,
    });
    assert_eq!(save(&process, &[("c", 200, 1)]).await, NOTHING);
    assert_eq!(where_is(&cluster, "c"), ["memory"]);
    let failed = save(&process, &[("d", 300, 1)]).await;
    let says = |words: &str| failed.iter().all(|error| error.contains(words));
    assert!(
        failed.len() == 1 && says("a further one is refused") && says("memory-part-31"),
        "{failed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_is_not_asked_for_every_part_and_is_no_lack_of_room() {
    let cluster = Cluster::new();
    for part in 0..PARTS_MAX {
        cluster.put("configmaps", &part_name("memory", part), json!({"data": {"other": "x"}}));
    }
    let process = Process::of(&cluster).await;
    process.marks(&["a"]).await.unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    process.meddler.rule(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Fate::Refused(500)
    });
    assert!(process.marks(&["a"]).await.is_err());
    assert!(count.load(Ordering::Relaxed) < 10, "{count:?}");
    let failed = save(&process, &[("a", 1, 1)]).await;
    assert!(failed.len() == 1 && !failed[0].contains("room"), "{failed:?}");
}
