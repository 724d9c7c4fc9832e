//! Endpoint configs and models over a restart: what AWS has said of them does not change while the
//! endpoint does not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EndpointCache;
use super::cache::{ConfigKey, Kept as Known};
use crate::model::endpoint::{EndpointConfig, Model};
use crate::model::fact::Fact;
use crate::model::reads::Read;
use crate::model::time::Timestamp;

/// What is understood of an answer is a matter of the version.
const FORM: (&str, u32) = (env!("CARGO_PKG_VERSION"), 1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    form: (String, u32),
    configs: Vec<KeptConfig>,
    models: Vec<KeptModel>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptConfig {
    key: ConfigKey,
    config: EndpointConfig,
    /// What JSON leaves out of each variant.
    deploy_hash: Vec<u64>,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptModel {
    key: ConfigKey,
    model: Model,
    deploy_hash: u64,
    at: Timestamp,
}

impl EndpointCache {
    /// What is known of configs and models, for a later process.
    pub fn kept(&self) -> Vec<u8> {
        let configs = self.configs.iter().filter_map(|(key, (config, read))| {
            let config = config.known()?.clone()?;
            let deploy_hash = config.variants.iter().map(|variant| variant.deploy_hash).collect();
            Some(KeptConfig { key: key.clone(), config, deploy_hash, at: read.at })
        });
        let models = self.models.iter().filter_map(|((_, key), (model, read))| {
            let model = model.known()?.clone()?;
            Some(KeptModel { key: key.clone(), deploy_hash: model.deploy_hash, model, at: read.at })
        });
        let (version, form) = FORM;
        let kept = Kept {
            form: (version.to_owned(), form),
            configs: configs.collect(),
            models: models.collect(),
        };
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// Takes up what an earlier process knew. It counts where the endpoint has not changed since.
    pub fn take_up(&mut self, bytes: &[u8]) {
        let Ok(kept) = serde_json::from_slice::<Kept>(bytes) else { return };
        let (version, form) = FORM;
        if kept.form != (version.to_owned(), form) {
            return;
        }
        // All at once, as when they were read; what this process has read itself goes before it.
        let configs = kept.configs.into_iter().filter_map(taken_up_config);
        let mut configs: BTreeMap<_, _> = configs.collect();
        configs.append(&mut self.configs);
        self.configs = configs;
        let mut models: BTreeMap<_, _> = kept.models.into_iter().map(taken_up_model).collect();
        models.append(&mut self.models);
        self.models = models;
    }

    /// How many configs and models have been read: more than before means something to keep.
    pub const fn reads(&self) -> u64 {
        self.read_in_all
    }
}

/// A config as it is kept in memory; nothing where it does not fit its name or its variants.
fn taken_up_config(kept: KeptConfig) -> Option<(ConfigKey, Known<EndpointConfig>)> {
    let KeptConfig { key, mut config, deploy_hash, at } = kept;
    if deploy_hash.len() != config.variants.len() || config.name != key.0 {
        return None;
    }
    for (variant, deploy_hash) in config.variants.iter_mut().zip(deploy_hash) {
        variant.deploy_hash = deploy_hash;
    }
    let read = Read::new("DescribeEndpointConfig", at);
    Some((key, (Fact::Known(Some(config)).into(), read)))
}

/// A model as it is kept in memory.
fn taken_up_model(kept: KeptModel) -> ((String, ConfigKey), Known<Model>) {
    let KeptModel { key, mut model, deploy_hash, at } = kept;
    model.deploy_hash = deploy_hash;
    let name = model.name.clone();
    ((name, key), (Fact::Known(Some(model)).into(), Read::new("DescribeModel", at)))
}
