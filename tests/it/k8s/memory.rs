//! The memory in a `ConfigMap`, against an API server that refuses what Kubernetes refuses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use setpoint::k8s::ConfigMapMemory;
use setpoint::model::fact::{Fact, Why};
use setpoint::model::goal::Pause;
use setpoint::model::ids::VariantId;
use setpoint::model::memory::VariantMemory;
use setpoint::model::pauses::Pauses;
use setpoint::model::selector::Selector;
use setpoint::model::time::Timestamp;
use setpoint::ports::{Keep, Leadership, Memory, MemoryError, Subject};
use setpoint::system::Alone;

use super::cluster::Cluster;
use super::meddler::Meddler;

fn id(endpoint: &str) -> VariantId {
    VariantId::of(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        endpoint.parse().unwrap(),
        "AllTraffic".parse().unwrap(),
    )
}

fn subject(endpoint: &str) -> Subject {
    Subject { id: id(endpoint), target: Fact::not_read_yet().into(), untouchable: None }
}

/// Keeps of a variant that it has been adopted.
async fn adopt(memory: &ConfigMapMemory, endpoint: &str) -> Result<(), MemoryError> {
    let adopted = VariantMemory { adopted: true, ..VariantMemory::default() };
    let keep = Keep { subject: subject(endpoint), memory: adopted.into(), urgent: true };
    memory.save(&[keep], &Alone).await.remove(&id(endpoint)).map_or(Ok(()), Err)
}

/// Which of `a` and `b` have been.
async fn adopted(memory: &ConfigMapMemory) -> Result<Vec<&'static str>, Why> {
    let mut all: BTreeMap<_, _> = memory.load(&[subject("a"), subject("b")], true).await;
    let mut found = Vec::new();
    for endpoint in ["a", "b"] {
        match all.remove(&id(endpoint)).unwrap() {
            Fact::Known(memory) if memory.adopted => found.push(endpoint),
            Fact::Known(_) => {}
            Fact::Unknown(why) => return Err(why),
        }
    }
    Ok(found)
}

async fn memory() -> (Cluster, Arc<Meddler>, ConfigMapMemory) {
    let cluster = Cluster::new();
    let (meddler, library) = Meddler::before(&cluster).await;
    (cluster, meddler, ConfigMapMemory::new(&library, "memory"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_loaded_and_other_keys_stay() {
    let (cluster, meddler, memory) = memory().await;
    assert_eq!(adopted(&memory).await.unwrap(), [""; 0], "it need not exist");
    adopt(&memory, "a").await.unwrap();
    let mut map = cluster.get("configmaps", "memory").unwrap();
    map["data"]["owner"] = json!("team-ml");
    cluster.put("configmaps", "memory", map);
    meddler.conflicts.store(3, Ordering::SeqCst);
    adopt(&memory, "b").await.unwrap();
    assert_eq!(adopted(&memory).await.unwrap(), ["a", "b"]);
    assert_eq!(cluster.get("configmaps", "memory").unwrap()["data"]["owner"], "team-ml");
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_of_many_have_a_key_of_their_own() {
    let (cluster, _, memory) = memory().await;
    assert!(memory.pauses().await.unwrap().is_empty() && memory.survives_restart());
    adopt(&memory, "a").await.unwrap();
    let until: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
    let mut pauses = Pauses::default();
    let pause = Pause { until, reason: "sale".to_owned() };
    pauses.add(Selector::default(), pause, until - chrono::TimeDelta::hours(1)).unwrap();
    memory.save_pauses(&pauses).await.unwrap();
    assert_eq!(memory.pauses().await.unwrap(), pauses);
    // Neither disturbs the other.
    adopt(&memory, "b").await.unwrap();
    assert_eq!(adopted(&memory).await.unwrap(), ["a", "b"]);
    assert_eq!(memory.pauses().await.unwrap(), pauses);
    // Where they cannot be read there may have been one: all is held until a person resumes.
    let mut map = cluster.get("configmaps", "memory").unwrap();
    let unknown = "{\"version\":9,\"memory\":7}";
    map["data"]["pauses"] = json!(unknown);
    cluster.put("configmaps", "memory", map.clone());
    let held = memory.pauses().await.unwrap();
    assert!(held.of(&id("b"), until).unwrap().reason.contains("setpoint resume"));
    assert_eq!(cluster.get("configmaps", "memory").unwrap()["data"], map["data"], "only looked");
    memory.save_pauses(&Pauses::default()).await.unwrap();
    assert!(memory.pauses().await.unwrap().is_empty());
    let map = cluster.get("configmaps", "memory").unwrap();
    assert_eq!(map["data"]["set-aside.pauses"], unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_never_comes_through_is_an_error() {
    let (cluster, meddler, memory) = memory().await;
    adopt(&memory, "a").await.unwrap();
    meddler.conflicts.store(1000, Ordering::SeqCst);
    let error = adopt(&memory, "b").await.unwrap_err();
    let place = format!("configmap {}/memory", cluster.namespace);
    assert!(error.to_string().contains(&place), "{error}");
    assert!(error.message.contains("5 times"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_is_set_aside_and_the_others_live() {
    let (cluster, _, memory) = memory().await;
    adopt(&memory, "a").await.unwrap();
    adopt(&memory, "b").await.unwrap();
    let key = "variant.123456789012.us-east-1.a.AllTraffic";
    let mut map = cluster.get("configmaps", "memory").unwrap();
    let bent = map["data"][key].as_str().unwrap().replace("\"raises\":[]", "\"raises\":null");
    map["data"][key] = json!(bent);
    cluster.put("configmaps", "memory", map);
    assert_eq!(adopted(&memory).await.unwrap(), ["b"]);
    let told = memory.set_aside();
    assert!(told.records == 1 && told.sentence.contains(key), "{told:?}");
    adopt(&memory, "b").await.unwrap();
    let map = cluster.get("configmaps", "memory").unwrap();
    assert_eq!(map["data"][format!("set-aside.{key}")], json!(bent));
    assert_eq!(adopted(&memory).await.unwrap(), ["b"]);
    // Told until somebody has removed the key.
    assert_eq!(memory.set_aside().records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_json_has_not_fails_its_variant_and_no_other() {
    let (_cluster, _, memory) = memory().await;
    let keep = |endpoint: &str, highest_applied: f64| {
        let highest_applied = Some(highest_applied);
        let memory = VariantMemory { adopted: true, highest_applied, ..VariantMemory::default() };
        Keep { subject: subject(endpoint), memory: memory.into(), urgent: true }
    };
    let failed = memory.save(&[keep("a", f64::INFINITY), keep("b", 600.0)], &Alone).await;
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&id("a")], "{failed:?}");
    assert_eq!(adopted(&memory).await.unwrap(), ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configmap_full_of_something_else_stays_as_it_is_and_another_is_made() {
    let (cluster, _, memory) = memory().await;
    let other = json!({"other": "x".repeat((1 << 20) - 50)});
    cluster.put("configmaps", "memory", json!({"data": other}));
    adopt(&memory, "a").await.unwrap();
    assert_eq!(adopted(&memory).await.unwrap(), ["a"]);
    assert_eq!(cluster.get("configmaps", "memory").unwrap()["data"], other);
    assert!(cluster.get("configmaps", "memory-part-1").is_some());
}

/// Leads for so many looks.
struct Leads(AtomicU32);

impl Leadership for Leads {
    fn may_write(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

/// A pass that overran has read what the next leader has changed since.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_leadership_saves_nothing() {
    let (_cluster, _meddler, memory) = memory().await;
    let adopted_one = VariantMemory { adopted: true, ..VariantMemory::default() };
    let keep = Keep { subject: subject("a"), memory: adopted_one.into(), urgent: true };
    let failed = memory.save(std::slice::from_ref(&keep), &Leads(AtomicU32::new(0))).await;
    assert!(failed[&id("a")].message.contains("leadership was lost"), "{failed:?}");
    assert_eq!(adopted(&memory).await.unwrap(), [""; 0]);
    let failed = memory.save(&[keep], &Leads(AtomicU32::new(1))).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(adopted(&memory).await.unwrap(), ["a"]);
}
