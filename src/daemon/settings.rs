//! The configuration -> what passes need of it.

use std::sync::Arc;

use crate::config::{Config, DiscoveryTelemetry as Configured};
use crate::model::goal::Goal;
use crate::model::ids::{ResourceId, Scope, VariantId};
use crate::reconcile::{DiscoveryTelemetry, Goals, HistoryWait, Named, Settings};

/// The process-wide part of the configuration, as passes take it.
pub fn pass_settings(config: &Config) -> Settings {
    let reconcile = &config.reconcile;
    Settings {
        account_id: config.aws.account_id.clone(),
        scopes: config.scopes(),
        // reconcile.pass_timeout_seconds: an account that does not answer may use up half of it, so
        // that as much is left to act in the others before no further write begins.
        observe_timeout: reconcile.pass_timeout / 2,
        // A command shows all there is.
        sweep_wait: None,
        // 20 s of 300 s, which is 40 calls: with the listings of 500 variants a pass ends within a minute.
        activities_timeout: reconcile.pass_timeout / 15,
        enabled: reconcile.enabled,
        concurrency: reconcile.concurrency,
        mass_change: reconcile.mass_change,
        writes_per_hour: reconcile.writes_per_hour as usize,
        writes_per_day: reconcile.writes_per_day as usize,
        history: config.telemetry.history,
        history_wait: HistoryWait::All,
        last_day_first_above: usize::MAX,
        delay: config.telemetry.delay,
        telemetry_max_age: config.telemetry.max_age,
        steady_every: config.telemetry.steady_every,
        budget_dollars: Some(config.telemetry.budget_dollars_per_month),
        discovery: config.discovery.enabled,
        discovery_telemetry: match config.discovery.telemetry {
            Configured::Off => DiscoveryTelemetry::Off,
            Configured::Hourly => DiscoveryTelemetry::Hourly,
            Configured::Full => DiscoveryTelemetry::Full,
        },
    }
}

impl Goals for Config {
    fn goal(&self, id: &VariantId) -> Result<Goal, String> {
        Self::goal(self, id).map_err(|error| error.to_string())
    }

    fn named(&self, scopes: &[Scope]) -> Vec<Named> {
        let named = self.targets.iter().filter_map(|target| target.pattern.named());
        // One that another shard may have is not missing when it is not here.
        let elsewhere = |pattern: &crate::config::pattern::TargetPattern, resource: &ResourceId| {
            let mut others = self.sharding.assigned.keys().filter(|of| !self.sharding.has(of));
            others.any(|scope| pattern.matches(&VariantId::new(scope, resource)))
        };
        named
            .filter(|(resource, pattern)| !elsewhere(pattern, resource))
            .map(|(resource, pattern)| {
                let matches = |scope: &&Scope| pattern.matches(&VariantId::new(scope, &resource));
                let scopes = scopes.iter().filter(matches).cloned().collect();
                Named { resource, scopes }
            })
            .filter(|named| !named.scopes.is_empty())
            .collect()
    }

    fn shared(&self) -> Arc<dyn Goals> {
        Arc::new(self.clone())
    }
}
