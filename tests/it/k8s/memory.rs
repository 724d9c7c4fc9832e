//! The memory in a `ConfigMap`, against an API server that refuses what Kubernetes refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use setpoint::k8s::ConfigMapMemory;
use setpoint::model::fact::{Fact, Why};
use setpoint::model::goal::Pause;
use setpoint::model::ids::VariantId;
use setpoint::model::memory::VariantMemory;
use setpoint::model::pauses::Pauses;
use setpoint::model::selector::Selector;
use setpoint::model::time::Timestamp;
use setpoint::ports::{Keep, Memory, MemoryError, Subject};
use setpoint::system::Alone;

use super::api::{Store, cluster, serve};

fn id(endpoint: &str) -> VariantId {
    VariantId {
        account_id: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        endpoint: endpoint.parse().unwrap(),
        variant: "AllTraffic".parse().unwrap(),
    }
}

fn subject(endpoint: &str) -> Subject {
    Subject { id: id(endpoint), target: Fact::not_read_yet(), untouchable: None }
}

/// Keeps of a variant that it has been adopted.
async fn adopt(memory: &ConfigMapMemory, endpoint: &str) -> Result<(), MemoryError> {
    let adopted = VariantMemory { adopted: true, ..VariantMemory::default() };
    let keep = Keep { subject: subject(endpoint), memory: adopted, urgent: true };
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

async fn memory() -> (Arc<Store>, ConfigMapMemory) {
    let store = Arc::new(Store::default());
    let (_, address) = serve(Arc::clone(&store)).await;
    (store, ConfigMapMemory::new(&cluster(address), "memory"))
}

#[tokio::test]
async fn what_is_saved_is_loaded_and_other_keys_stay() {
    let (store, memory) = memory().await;
    assert_eq!(adopted(&memory).await.unwrap(), [""; 0], "it need not exist");
    adopt(&memory, "a").await.unwrap();
    let mut map = store.get("configmaps", "memory").unwrap();
    map["data"]["owner"] = json!("team-ml");
    store.put("configmaps", "memory", map);
    *store.conflicts.lock().unwrap() = 3;
    adopt(&memory, "b").await.unwrap();
    assert_eq!(adopted(&memory).await.unwrap(), ["a", "b"]);
    assert_eq!(store.get("configmaps", "memory").unwrap()["data"]["owner"], "team-ml");
}

#[tokio::test]
async fn pauses_of_many_have_a_key_of_their_own() {
    let (store, memory) = memory().await;
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
    // One of a later version is not understood, and stays.
    let mut map = store.get("configmaps", "memory").unwrap();
    map["data"]["pauses"] = json!("{\"version\":9,\"memory\":[]}");
    store.put("configmaps", "memory", map.clone());
    assert!(memory.pauses().await.unwrap_err().message.contains("version 9"));
    assert!(memory.save_pauses(&pauses).await.unwrap_err().message.contains("version 9"));
    assert_eq!(store.get("configmaps", "memory").unwrap()["data"], map["data"]);
}

#[tokio::test]
async fn a_save_that_never_comes_through_is_an_error() {
    let (store, memory) = memory().await;
    adopt(&memory, "a").await.unwrap();
    *store.conflicts.lock().unwrap() = 1000;
    let error = adopt(&memory, "b").await.unwrap_err();
    assert!(error.to_string().contains("configmap ops/memory"), "{error}");
    assert!(error.message.contains("5 times"), "{error}");
}

#[tokio::test]
async fn what_is_not_understood_is_an_error_and_stays() {
    let (store, memory) = memory().await;
    let key = "variant.123456789012.us-east-1.a.AllTraffic";
    let later = "{\"version\":9,\"memory\":[]}";
    store.put("configmaps", "memory", json!({"data": {key: later}}));
    assert!(adopted(&memory).await.unwrap_err().message.contains("version 9"));
    assert!(adopt(&memory, "a").await.unwrap_err().message.contains("version 9"));
    assert_eq!(store.get("configmaps", "memory").unwrap()["data"][key], later);
}

#[tokio::test]
async fn a_full_configmap_is_an_error_that_names_the_limit() {
    let (store, memory) = memory().await;
    store.put("configmaps", "memory", json!({"data": {"other": "x".repeat((1 << 20) - 50)}}));
    let error = adopt(&memory, "a").await.unwrap_err();
    assert!(error.message.contains("1048576"), "{error}");
    assert_eq!(adopted(&memory).await.unwrap(), [""; 0], "nothing was written");
}
