//! What must be remembered, in a `ConfigMap`: one key for each variant.
//!
//! A key is `variant.ACCOUNT.REGION.ENDPOINT.VARIANT` (no part has a dot), its value the JSON of
//! `{"version": 1, "memory": ...}`; the pauses of more than one variant are below `pauses`, in the same
//! form. Other keys are somebody else's and stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::connect::Cluster;
use setpoint_core::model::ids::VariantId;
use setpoint_core::model::memory::VariantMemory;
use setpoint_core::model::pauses::Pauses;
use setpoint_core::ports::{
    Keep, Leadership, Memories, Memory, MemoryError, Subject, memories_of, none_kept,
};

/// The version of a value's form; one of a later form is not understood, and not overwritten.
const VERSION: u32 = 1;
const PREFIX: &str = "variant.";
/// The key of the pauses of more than one variant.
const PAUSES: &str = "pauses";
/// What Kubernetes allows for all keys and values of a `ConfigMap` together (1 MiB).
const BYTES_MAX: usize = 1 << 20;
/// How often a save is tried when others write in between.
const ATTEMPTS: u32 = 5;

/// Remembers in a `ConfigMap`, which need not exist yet.
#[derive(Clone)]
pub struct ConfigMapMemory {
    api: Api<ConfigMap>,
    namespace: String,
    name: String,
    // One writer at a time within the process: accounts remember side by side, and would use up
    // each other's attempts.
    writing: Arc<Mutex<()>>,
}

#[derive(Serialize, Deserialize)]
struct Value<M> {
    version: u32,
    memory: M,
}

impl ConfigMapMemory {
    /// Remembers in the `ConfigMap` of this name.
    #[must_use]
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        Self {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            namespace: cluster.namespace.clone(),
            name: name.to_owned(),
            writing: Arc::default(),
        }
    }

    fn error(&self, message: impl std::fmt::Display) -> MemoryError {
        let location = format!("configmap {}/{}", self.namespace, self.name);
        MemoryError { location, message: message.to_string() }
    }

    async fn read(&self) -> Result<Option<ConfigMap>, MemoryError> {
        self.api.get_opt(&self.name).await.map_err(|error| self.error(error))
    }

    /// Writes the map if nobody has written it since it was read; `false` if somebody has.
    async fn write(&self, map: &ConfigMap) -> Result<bool, MemoryError> {
        let params = PostParams::default();
        let written = if map.metadata.resource_version.is_some() {
            self.api.replace(&self.name, &params, map).await
        } else {
            self.api.create(&params, map).await
        };
        match written {
            Ok(_) => Ok(true),
            // 404: it was deleted since.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(self.error(error)),
        }
    }

    fn empty(&self) -> ConfigMap {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }
}

impl ConfigMapMemory {
    async fn load_all(&self) -> Result<BTreeMap<VariantId, VariantMemory>, MemoryError> {
        let map = self.read().await?;
        let data = map.and_then(|map| map.data).unwrap_or_default();
        decode(&data).map_err(|message| self.error(message))
    }

    async fn save_all(&self, changed: &[Keep]) -> Result<(), MemoryError> {
        let each = changed.iter().map(|keep| Ok((key(&keep.subject.id), encode(&keep.memory)?)));
        let each: Result<Vec<_>, serde_json::Error> = each.collect();
        self.put(&each.map_err(|error| self.error(error))?).await
    }

    /// Puts these keys there; the others stay.
    async fn put(&self, changed: &[(String, String)]) -> Result<(), MemoryError> {
        let _writing = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let mut map = self.read().await?.unwrap_or_else(|| self.empty());
            let mut data = map.data.take().unwrap_or_default();
            // What is not understood must not be lost by being replaced.
            decode(&data).map_err(|message| self.error(message))?;
            data.extend(changed.iter().cloned());
            let bytes = size(&data) + binary_size(&map);
            if bytes > BYTES_MAX {
                let message = format!(
                    "{bytes} bytes for {} keys, and a ConfigMap holds {BYTES_MAX}: remember fewer variants",
                    data.len()
                );
                return Err(self.error(message));
            }
            map.data = Some(data);
            if self.write(&map).await? {
                return Ok(());
            }
        }
        Err(self.error(format!("written by somebody else {ATTEMPTS} times in a row")))
    }
}

#[async_trait]
impl Memory for ConfigMapMemory {
    async fn load(&self, of: &[Subject], _fresh: bool) -> Memories {
        memories_of(of, self.load_all().await)
    }

    async fn save(
        &self,
        all: &[Keep],
        _leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        none_kept(all, self.save_all(all).await)
    }

    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError> {
        let data = self.read().await?.and_then(|map| map.data).unwrap_or_default();
        // The keys alone tell: a value that cannot be read is one of a variant all the same.
        Ok(data.keys().filter_map(|key| variant_of(key)?.ok()).collect())
    }

    async fn pauses(&self) -> Result<Pauses, MemoryError> {
        let data = self.read().await?.and_then(|map| map.data).unwrap_or_default();
        let text = data.get(PAUSES);
        let pauses = text.map(|text| decode_one(PAUSES, text)).transpose();
        Ok(pauses.map_err(|message| self.error(message))?.unwrap_or_default())
    }

    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError> {
        // What is not understood must not be lost by being replaced.
        self.pauses().await?;
        let text = encode(pauses).map_err(|error| self.error(error))?;
        self.put(&[(PAUSES.to_owned(), text)]).await
    }

    fn survives_restart(&self) -> bool {
        true
    }
}

fn key(id: &VariantId) -> String {
    let VariantId { account_id, region, endpoint, variant } = id;
    format!("{PREFIX}{account_id}.{region}.{endpoint}.{variant}")
}

/// The variant of a key of ours.
fn variant_of(key: &str) -> Option<Result<VariantId, String>> {
    let parts: Vec<&str> = key.strip_prefix(PREFIX)?.split('.').collect();
    let parsed = if let [account_id, region, endpoint, variant] = parts[..] {
        (|| {
            Some(VariantId {
                account_id: account_id.parse().ok()?,
                region: region.parse().ok()?,
                endpoint: endpoint.parse().ok()?,
                variant: variant.parse().ok()?,
            })
        })()
    } else {
        None
    };
    Some(parsed.ok_or_else(|| format!("key {key:?} names no variant")))
}

fn decode(data: &BTreeMap<String, String>) -> Result<BTreeMap<VariantId, VariantMemory>, String> {
    let mut all = BTreeMap::new();
    for (key, text) in data {
        let Some(id) = variant_of(key) else { continue };
        let memory = decode_one(key, text)?;
        all.insert(id?, memory);
    }
    Ok(all)
}

fn encode<M: Serialize>(memory: M) -> serde_json::Result<String> {
    serde_json::to_string(&Value { version: VERSION, memory })
}

fn decode_one<M: DeserializeOwned>(key: &str, text: &str) -> Result<M, String> {
    // The version first: what it says of the rest may be anything.
    let Value { version, memory } = serde_json::from_str::<Value<serde_json::Value>>(text)
        .map_err(|error| format!("key {key:?}: {error}"))?;
    if version != VERSION {
        return Err(format!("key {key:?} has version {version}, and only {VERSION} is understood"));
    }
    serde_json::from_value(memory).map_err(|error| format!("key {key:?}: {error}"))
}

fn size(data: &BTreeMap<String, String>) -> usize {
    data.iter().map(|(key, value)| key.len() + value.len()).sum()
}

fn binary_size(map: &ConfigMap) -> usize {
    let binary = map.binary_data.iter().flatten();
    binary.map(|(key, value)| key.len() + value.0.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> VariantId {
        VariantId {
            account_id: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            endpoint: "fraud-scorer".parse().unwrap(),
            variant: "AllTraffic".parse().unwrap(),
        }
    }

    fn data(key: &str, text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), text.to_owned())])
    }

    #[test]
    fn a_key_is_one_that_kubernetes_allows_and_leads_back_to_the_variant() {
        let key = key(&id());
        assert_eq!(key, "variant.123456789012.us-east-1.fraud-scorer.AllTraffic");
        assert_eq!(variant_of(&key).unwrap().unwrap(), id());
        assert!(variant_of("owner").is_none());
        assert!(variant_of("variant.123456789012.us-east-1.fraud-scorer").unwrap().is_err());
        assert!(variant_of("variant.1.us-east-1.fraud-scorer.AllTraffic").unwrap().is_err());
    }

    #[test]
    fn only_what_is_understood_is_read() {
        let good = r#"{"version":1,"memory":{"adopted":true}}"#;
        assert!(decode(&data(&key(&id()), good)).unwrap()[&id()].adopted);
        assert!(decode(&data("notes.txt", "anything")).unwrap().is_empty());
        for (text, word) in [
            (r#"{"version":2,"memory":7}"#, "version 2"),
            (r#"{"version":1,"memory":7}"#, "invalid type"),
            ("", "EOF"),
        ] {
            let why = decode(&data(&key(&id()), text)).unwrap_err();
            assert!(why.contains(word) && why.contains("fraud-scorer"), "{why}");
        }
    }
}
