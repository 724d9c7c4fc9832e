//! Endpoint configs and models over a restart: what AWS has said of them does not change while the
//! endpoint does not.

use serde::{Deserialize, Serialize};

use super::EndpointCache;
use super::cache::ConfigKey;
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
        for KeptConfig { key, mut config, deploy_hash, at } in kept.configs {
            if deploy_hash.len() != config.variants.len() || config.name != key.0 {
                continue;
            }
            for (variant, deploy_hash) in config.variants.iter_mut().zip(deploy_hash) {
                variant.deploy_hash = deploy_hash;
            }
            let read = Read::new("DescribeEndpointConfig", at);
            self.configs.entry(key).or_insert((Fact::Known(Some(config)).into(), read));
        }
        for KeptModel { key, mut model, deploy_hash, at } in kept.models {
            model.deploy_hash = deploy_hash;
            let read = Read::new("DescribeModel", at);
            let name = model.name.clone();
            self.models.entry((name, key)).or_insert((Fact::Known(Some(model)).into(), read));
        }
    }

    /// How many configs and models have been read: more than before means something to keep.
    pub const fn reads(&self) -> u64 {
        self.read_in_all
    }
}
