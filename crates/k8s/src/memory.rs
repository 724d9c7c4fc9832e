//! What must be remembered, in a `ConfigMap`: one key for each variant.
//!
//! A key is `variant.ACCOUNT.REGION.ENDPOINT.VARIANT` (no part has a dot), its value the JSON of
//! `{"version": 1, "checksum": "…", "memory": ...}`; the pauses of more than one variant are below
//! `pauses`, and what CloudWatch has been asked for is below `spending`, in the same form. What cannot be read is moved below `set-aside.KEY` when something is
//! next saved. Other keys are somebody else's and stay as they are.

mod data;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::Mutex;

use self::data::Data;
use super::connect::Cluster;
use setpoint_core::model::ids::VariantId;
use setpoint_core::model::pauses::Pauses;
use setpoint_core::model::record::{PAUSES, Record, SPENDING};
use setpoint_core::model::spending::Spending;
use setpoint_core::ports::{
    Keep, Leadership, Memories, Memory, MemoryError, SetAside, Subject, memories_of,
};

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
    set_aside: Arc<StdMutex<SetAside>>,
}

impl ConfigMapMemory {
    /// Remembers in the `ConfigMap` of this name.
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        Self {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            namespace: cluster.namespace.clone(),
            name: name.to_owned(),
            writing: Arc::default(),
            set_aside: Arc::default(),
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
    async fn load_all(&self) -> Result<Data, MemoryError> {
        let data = self.read().await?.and_then(|map| map.data).unwrap_or_default();
        let data = Data::parse(data);
        self.note_set_aside(&data);
        Ok(data)
    }

    fn note_set_aside(&self, data: &Data) {
        let found = data.reported(&format!("configmap {}/{}", self.namespace, self.name));
        let mut known = self.set_aside.lock().unwrap_or_else(PoisonError::into_inner);
        if found.records > known.records {
            tracing::warn!(configmap = self.name, records = found.records, "{}", found.sentence);
        }
        *known = found;
    }

    /// Puts these keys there; the others stay, but for what cannot be read.
    async fn put(&self, changed: &[(String, String)]) -> Result<(), MemoryError> {
        let _writing = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let mut map = self.read().await?.unwrap_or_else(|| self.empty());
            let mut data = Data::parse(map.data.take().unwrap_or_default());
            data.set_damaged_aside();
            data.extend(changed);
            let binary = binary_size(&map);
            data.make_room(BYTES_MAX.saturating_sub(binary));
            let bytes = data.size() + binary;
            if bytes > BYTES_MAX {
                let message = format!(
                    "{bytes} bytes for {} keys, and a ConfigMap holds {BYTES_MAX}: remember fewer variants",
                    data.keys.len()
                );
                return Err(self.error(message));
            }
            map.data = Some(data.keys.clone());
            if self.write(&map).await? {
                self.note_set_aside(&data);
                return Ok(());
            }
        }
        Err(self.error(format!("written by somebody else {ATTEMPTS} times in a row")))
    }
}

#[async_trait]
impl Memory for ConfigMapMemory {
    async fn load(&self, of: &[Subject], _fresh: bool) -> Memories {
        memories_of(of, self.load_all().await.map(|data| data.variants))
    }

    async fn save(
        &self,
        all: &[Keep],
        _leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        let mut failed = BTreeMap::new();
        let mut changed = Vec::with_capacity(all.len());
        let mut ids = Vec::with_capacity(all.len());
        for Keep { subject: Subject { id, .. }, memory, .. } in all {
            // The others are not to suffer for one that cannot be kept.
            match Record::of_variant(id, memory).and_then(|record| data::encode(&record)) {
                Ok(text) => {
                    changed.push((data::key(id), text));
                    ids.push(id.clone());
                }
                Err(why) => {
                    failed.insert(id.clone(), self.error(why));
                }
            }
        }
        if let Err(error) = self.put(&changed).await {
            failed.extend(ids.into_iter().map(|id| (id, error.clone())));
        }
        failed
    }

    fn set_aside(&self) -> SetAside {
        self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError> {
        let data = self.read().await?.and_then(|map| map.data).unwrap_or_default();
        // The keys alone tell: a value that cannot be read is one of a variant all the same.
        Ok(data.keys().filter_map(|key| data::variant_of(key)?.ok()).collect())
    }

    async fn pauses(&self) -> Result<Pauses, MemoryError> {
        Ok(self.load_all().await?.pauses)
    }

    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError> {
        let record = Record::of(PAUSES, pauses).and_then(|record| data::encode(&record));
        let text = record.map_err(|why| self.error(why))?;
        self.put(&[(PAUSES.to_owned(), text)]).await
    }

    async fn spending(&self) -> Result<Spending, MemoryError> {
        Ok(self.load_all().await?.spending)
    }

    async fn save_spending(&self, spending: &Spending) -> Result<(), MemoryError> {
        let record = Record::of(SPENDING, spending).and_then(|record| data::encode(&record));
        let text = record.map_err(|why| self.error(why))?;
        self.put(&[(SPENDING.to_owned(), text)]).await
    }

    fn keeps_spending(&self) -> bool {
        true
    }

    fn survives_restart(&self) -> bool {
        true
    }
}

fn binary_size(map: &ConfigMap) -> usize {
    let binary = map.binary_data.iter().flatten();
    binary.map(|(key, value)| key.len() + value.0.len()).sum()
}
