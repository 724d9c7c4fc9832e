//! A reload: the same sources are loaded again. One that takes the fleet out of setpoint's hands
//! waits for a person, for an empty file reads like the wish to do nothing any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::control::ReloadAnswer;
use super::{Daemon, Loader};
use crate::config::{Config, Dropped};
use crate::http::ControlError;
use crate::metrics::Metrics;
use crate::model::stable_hash::fnv1a;
use crate::model::status::FleetStatus;
use crate::model::time::Timestamp;
use crate::model::warning::{ConfigStatus, ConfigWarning, HeldReload};

/// How long reading the configuration may take: a pipe in the place of a file never ends.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The reason of a reload that waits.
const DROPS_TARGETS: &str = "config_drops_targets";

/// What the daemon keeps about its configuration, beside it.
#[derive(Debug, Default)]
pub(super) struct ConfigNews {
    /// The reload that waits for a confirmation.
    held: Option<HeldReload>,
    /// The warnings that the log has, without what was measured.
    said: BTreeSet<ConfigWarning>,
}

/// How a load ended.
enum Loaded {
    Good(Box<Config>),
    /// Why not, as the log has it and as JSON.
    Bad(String, Vec<serde_json::Value>),
}

impl Daemon {
    /// A bad file keeps the configuration that is in force, and so does one that drops many targets,
    /// unless it is the one that a person has `confirmed`.
    pub(super) async fn reload(&mut self, confirmed: Option<&str>) -> ReloadAnswer {
        let config = match load(Arc::clone(&self.parts.loader)).await {
            Loaded::Good(config) => *config,
            Loaded::Bad(sentence, problems) => {
                self.note_config(false);
                tracing::error!("configuration not reloaded, the old one stays: {sentence}");
                return Err(problems);
            }
        };
        let dropped = Dropped::between(&self.shared.config(), &config, &self.parts.fleet.get());
        let plan_id = plan_id(&config);
        if dropped.needs_confirmation() && confirmed != Some(plan_id.as_str()) {
            return Err(vec![self.hold(plan_id, dropped)]);
        }
        super::control::warn_of_what_needs_a_restart(&self.shared.config(), &config);
        // What was confirmed was another configuration's plan; the next pass is due now.
        self.consent.clear();
        self.timetable.reset(&config, self.parts.clock.now());
        self.shared.set_config(config);
        self.config_news = ConfigNews::default();
        self.note_config(true);
        tracing::info!(dropped = dropped.count, "configuration reloaded");
        self.log_config();
        Ok(())
    }

    fn hold(&mut self, plan_id: String, dropped: Dropped) -> serde_json::Value {
        let before = self.config_news.held.take().filter(|held| held.plan_id == plan_id);
        let held = HeldReload {
            plan_id,
            dropped: dropped.count,
            of: dropped.of,
            limit: if dropped.lists_nothing { 0 } else { dropped.limit },
            examples: dropped.examples,
            since: before.map_or_else(|| self.parts.clock.now(), |before| before.since),
        };
        tracing::warn!(
            reason = DROPS_TARGETS,
            plan_id = held.plan_id,
            "configuration held: {held}"
        );
        let answer = serde_json::json!({
            "problem": held.to_string(),
            "reason": DROPS_TARGETS,
            "plan_id": held.plan_id,
            "dropped": held.dropped,
            "of": held.of,
            "limit": held.limit,
            "examples": held.examples,
        });
        self.config_news.held = Some(held);
        self.note_config(false);
        self.log_config();
        answer
    }

    /// Loads the configuration that a person has seen to drop targets. Another one by now is held
    /// again: what was confirmed is what was shown.
    pub(super) async fn confirm_reload(&mut self, plan_id: &str) -> Result<(), ControlError> {
        match &self.config_news.held {
            Some(held) if held.plan_id == plan_id => {}
            Some(held) => {
                let waits = &held.plan_id;
                let sentence = format!("the configuration that waits is {waits}, not {plan_id}");
                return Err(ControlError::Conflict(sentence));
            }
            None => {
                let sentence = "no configuration waits for a confirmation".to_owned();
                return Err(ControlError::Conflict(sentence));
            }
        }
        let problems = match self.reload(Some(plan_id)).await {
            Ok(()) => return Ok(()),
            Err(problems) => problems,
        };
        let sentences = problems.iter().filter_map(|problem| problem["problem"].as_str());
        let sentences = sentences.collect::<Vec<_>>().join("\n");
        Err(ControlError::Conflict(format!(
            "the configuration is another than the one of {plan_id}, and nothing was loaded: {sentences}"
        )))
    }

    /// Takes what there is to say into the log, the metrics and what is published.
    pub(super) fn log_config(&mut self) {
        let before = self.parts.fleet.get();
        let mut fleet = FleetStatus::clone(&before);
        let (config, now) = (self.shared.config(), self.parts.clock.now());
        self.config_news.log(&config, now, &self.parts.metrics, &mut fleet);
        if fleet.config != before.config {
            self.parts.fleet.set(Arc::new(fleet));
        }
    }
}

impl ConfigNews {
    /// Puts what there is to say of the configuration into a status. The log has each warning once,
    /// as long as it lasts.
    pub(super) fn log(
        &mut self,
        config: &Config,
        now: Timestamp,
        metrics: &Metrics,
        fleet: &mut FleetStatus,
    ) {
        let seen = fleet.at.is_some().then_some(&*fleet);
        let warnings = config.warnings(now, seen);
        let before = std::mem::take(&mut self.said);
        for warning in &warnings {
            let lasting = warning.without_measurements();
            if !before.contains(&lasting) {
                tracing::warn!(code = warning.code, "configuration: {warning}");
            }
            self.said.insert(lasting);
        }
        fleet.prices = Arc::clone(&config.prices);
        fleet.shard = config.shard();
        fleet.config = ConfigStatus { warnings, held: self.held.clone() };
        metrics.process.set_config(config.targets.len(), &fleet.config);
    }
}

/// Reads files beside the task that answers and makes passes.
async fn load(loader: Loader) -> Loaded {
    let task = tokio::task::spawn_blocking(move || loader());
    let sentence = match tokio::time::timeout(LOAD_TIMEOUT, task).await {
        Ok(Ok(Ok(config))) => return Loaded::Good(Box::new(config)),
        Ok(Ok(Err(errors))) => {
            let json = |problem| serde_json::to_value(problem).unwrap_or_default();
            return Loaded::Bad(errors.to_string(), errors.problems.iter().map(json).collect());
        }
        Ok(Err(error)) => format!("reading the configuration failed: {error}"),
        Err(_) => {
            format!("reading the configuration took more than {} s", LOAD_TIMEOUT.as_secs())
        }
    };
    Loaded::Bad(sentence.clone(), vec![serde_json::json!({ "problem": sentence })])
}

/// What the ids of configurations begin with; those of mass changes are bare numbers.
const ID_PREFIX: &str = "config-";

/// Whether an id is that of a configuration.
pub(super) fn is_plan_id(plan_id: &str) -> bool {
    plan_id.starts_with(ID_PREFIX)
}

/// Names a configuration by what it says.
fn plan_id(config: &Config) -> String {
    format!("{ID_PREFIX}{:016x}", fnv1a(config.to_yaml(false).into_bytes()))
}
