//! What changes only with an endpoint, read again when `ListEndpoints` says that it has changed,
//! and after a while even if not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use futures::{StreamExt, stream};

use crate::model::endpoint::{Endpoint, EndpointConfig, EndpointStatus, EndpointSummary, Model};
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::{EndpointName, VariantName};
use crate::model::time::Timestamp;
use crate::ports::Aws;

/// An endpoint is described again after this time even when nothing points to a change.
const DESCRIBED_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(15);

/// Everything remembered of the endpoints of a region between passes.
#[derive(Debug, Default)]
pub struct EndpointCache {
    endpoints: BTreeMap<EndpointName, Described>,
    /// By the config's name and the endpoint's creation and modification times: a config can be
    /// deleted and made again under its name, and only a deploy puts that into force.
    configs: BTreeMap<ConfigKey, Fact<Option<EndpointConfig>>>,
    models: BTreeMap<(String, ConfigKey), Fact<Option<Model>>>,
}

type ConfigKey = (String, Timestamp, Timestamp);

#[derive(Debug)]
struct Described {
    at: Timestamp,
    summary: EndpointSummary,
    endpoint: Fact<Option<Endpoint>>,
}

impl Described {
    fn is_due(&self, summary: &EndpointSummary, now: Timestamp) -> bool {
        // Within `Updating` the counts move without a new modification time.
        self.summary != *summary
            || summary.status != EndpointStatus::InService
            || self.endpoint.why().is_some()
            || self.is_settling()
            || now - self.at >= DESCRIBED_AGAIN_AFTER
    }

    fn is_settling(&self) -> bool {
        self.endpoint.known().and_then(Option::as_ref).is_some_and(|endpoint| {
            endpoint.variants.iter().any(|v| v.current_instances != v.desired_instances)
        })
    }
}

impl EndpointCache {
    /// Describes what is due, at most `concurrency` at a time. Returns the endpoints whose row in
    /// `ListEndpoints` has changed since they were last described.
    pub async fn refresh(
        &mut self,
        aws: &Aws,
        summaries: &BTreeMap<EndpointName, EndpointSummary>,
        wanted: &BTreeSet<EndpointName>,
        now: Timestamp,
        concurrency: usize,
    ) -> BTreeSet<EndpointName> {
        self.endpoints.retain(|name, _| summaries.contains_key(name));
        let changed = summaries
            .values()
            .filter(|s| self.endpoints.get(&s.name).is_some_and(|d| d.summary != **s))
            .map(|s| s.name.clone())
            .collect();
        let due: Vec<EndpointSummary> = summaries
            .values()
            .filter(|s| wanted.contains(&s.name))
            .filter(|s| self.endpoints.get(&s.name).is_none_or(|d| d.is_due(s, now)))
            .cloned()
            .collect();
        let described: Vec<(EndpointSummary, Fact<Option<Endpoint>>)> = stream::iter(due)
            .map(|summary| async {
                let endpoint = aws.endpoints.endpoint(&summary.name).await.into();
                (summary, endpoint)
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        for (summary, endpoint) in described {
            self.endpoints.insert(summary.name.clone(), Described { at: now, summary, endpoint });
        }
        self.refresh_configs(aws, concurrency).await;
        changed
    }

    /// Takes in what a look right before a write saw.
    pub fn update(
        &mut self,
        name: &EndpointName,
        endpoint: Fact<Option<Endpoint>>,
        now: Timestamp,
    ) {
        if let Some(described) = self.endpoints.get_mut(name) {
            described.at = now;
            described.endpoint = endpoint;
        }
    }

    async fn refresh_configs(&mut self, aws: &Aws, concurrency: usize) {
        let in_force: BTreeSet<ConfigKey> = self.known().map(config_key).collect();
        // A failed read is tried again on the next pass.
        self.configs.retain(|key, config| in_force.contains(key) && config.why().is_none());
        let missing: Vec<ConfigKey> =
            in_force.iter().filter(|key| !self.configs.contains_key(*key)).cloned().collect();
        // Endpoints that share a config share the call.
        let names: BTreeSet<String> = missing.iter().map(|key| key.0.clone()).collect();
        let read: BTreeMap<String, Fact<Option<EndpointConfig>>> = stream::iter(names)
            .map(|name| async {
                let config = aws.endpoints.endpoint_config(&name).await.into();
                (name, config)
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        let read = |key: &ConfigKey| read.get(&key.0).cloned().unwrap_or_else(Fact::not_read_yet);
        self.configs.extend(missing.into_iter().map(|key| (key.clone(), read(&key))));
        self.refresh_models(aws, concurrency).await;
    }

    async fn refresh_models(&mut self, aws: &Aws, concurrency: usize) {
        let mut in_use = BTreeSet::new();
        for (key, config) in &self.configs {
            let Some(config) = config.known().and_then(Option::as_ref) else { continue };
            for name in config.variants.iter().filter_map(|v| v.model_name.clone()) {
                in_use.insert((name, key.clone()));
            }
        }
        self.models.retain(|key, model| in_use.contains(key) && model.why().is_none());
        let missing: Vec<_> =
            in_use.into_iter().filter(|key| !self.models.contains_key(key)).collect();
        let names: BTreeSet<String> = missing.iter().map(|key| key.0.clone()).collect();
        let read: BTreeMap<String, Fact<Option<Model>>> = stream::iter(names)
            .map(|name| async {
                let model = aws.endpoints.model(&name).await.into();
                (name, model)
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        let read = |name: &String| read.get(name).cloned().unwrap_or_else(Fact::not_read_yet);
        self.models.extend(missing.into_iter().map(|key| (key.clone(), read(&key.0))));
    }

    /// The endpoints that are known to exist.
    pub fn known(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values().filter_map(|d| d.endpoint.known().and_then(Option::as_ref))
    }

    /// What is known of an endpoint that `ListEndpoints` lists.
    #[must_use]
    pub fn endpoint(&self, name: &EndpointName) -> Fact<Option<Endpoint>> {
        self.endpoints.get(name).map_or_else(Fact::not_read_yet, |d| d.endpoint.clone())
    }

    /// What is known of the config in force of an endpoint.
    #[must_use]
    pub fn config(&self, endpoint: &Endpoint) -> Fact<Option<EndpointConfig>> {
        self.configs.get(&config_key(endpoint)).cloned().unwrap_or_else(Fact::not_read_yet)
    }

    /// What is known of the model of a variant.
    #[must_use]
    pub fn model(&self, endpoint: &Endpoint, variant: &VariantName) -> Fact<Option<Model>> {
        let key = config_key(endpoint);
        let config = match self.configs.get(&key).map(Fact::as_ref) {
            None => return Fact::not_read_yet(),
            Some(Fact::Unknown(why)) => return Fact::Unknown(why),
            Some(Fact::Known(config)) => config.as_ref(),
        };
        let variant = config.and_then(|c| c.variant(variant));
        let Some(name) = variant.and_then(|v| v.model_name.clone()) else {
            return Fact::Unknown(Why::new(WhyKind::NotFound, "the variant names no model"));
        };
        self.models.get(&(name, key)).cloned().unwrap_or_else(Fact::not_read_yet)
    }
}

fn config_key(endpoint: &Endpoint) -> ConfigKey {
    (endpoint.config_name.clone(), endpoint.created_at, endpoint.modified_at)
}
