//! The memory in a `ConfigMap`, against an API server that refuses what Kubernetes refuses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use setpoint::k8s::ConfigMapMemory;
use setpoint::model::ids::VariantId;
use setpoint::model::memory::VariantMemory;
use setpoint::ports::Memory;

use super::cluster::Cluster;
use super::meddler::Meddler;

fn id(endpoint: &str) -> VariantId {
    VariantId {
        account_id: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        endpoint: endpoint.parse().unwrap(),
        variant: "AllTraffic".parse().unwrap(),
    }
}

fn adopted(endpoint: &str) -> BTreeMap<VariantId, VariantMemory> {
    BTreeMap::from([(id(endpoint), VariantMemory { adopted: true, ..VariantMemory::default() })])
}

async fn memory() -> (Cluster, Arc<Meddler>, ConfigMapMemory) {
    let cluster = Cluster::new();
    let (meddler, library) = Meddler::before(&cluster).await;
    (cluster, meddler, ConfigMapMemory::new(&library, "memory"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_loaded_and_other_keys_stay() {
    let (cluster, meddler, memory) = memory().await;
    assert!(memory.load().await.unwrap().is_empty(), "it need not exist");
    memory.save(&adopted("a")).await.unwrap();
    let mut map = cluster.get("configmaps", "memory").unwrap();
    map["data"]["owner"] = json!("team-ml");
    cluster.put("configmaps", "memory", map);
    meddler.conflicts.store(3, Ordering::SeqCst);
    memory.save(&adopted("b")).await.unwrap();
    let all = memory.load().await.unwrap();
    assert!(all[&id("a")].adopted && all[&id("b")].adopted);
    assert_eq!(cluster.get("configmaps", "memory").unwrap()["data"]["owner"], "team-ml");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_never_comes_through_is_an_error() {
    let (cluster, meddler, memory) = memory().await;
    memory.save(&adopted("a")).await.unwrap();
    meddler.conflicts.store(1000, Ordering::SeqCst);
    let error = memory.save(&adopted("b")).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!("configmap {}/memory", cluster.namespace)),
        "{error}"
    );
    assert!(error.message.contains("5 times"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_an_error_and_stays() {
    let (cluster, _, memory) = memory().await;
    let key = "variant.123456789012.us-east-1.a.AllTraffic";
    let later = "{\"version\":9,\"memory\":[]}";
    cluster.put("configmaps", "memory", json!({"data": {key: later}}));
    assert!(memory.load().await.unwrap_err().message.contains("version 9"));
    assert!(memory.save(&adopted("a")).await.unwrap_err().message.contains("version 9"));
    assert_eq!(cluster.get("configmaps", "memory").unwrap()["data"][key], later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_configmap_is_an_error_that_names_the_limit() {
    let (cluster, _, memory) = memory().await;
    cluster.put("configmaps", "memory", json!({"data": {"other": "x".repeat((1 << 20) - 50)}}));
    let error = memory.save(&adopted("a")).await.unwrap_err();
    assert!(error.message.contains("1048576"), "{error}");
    assert!(memory.load().await.unwrap().is_empty(), "nothing was written");
}
