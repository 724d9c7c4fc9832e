//! Layers -> validated [`Config`].
//!
//! Each layer (embedded defaults, files, environment, flags) is loaded as it is written, checked
//! against the schema, and only then merged; what comes out is parsed into the model's types. Past
//! that gate nothing checks again. All problems of all layers are reported at once.

mod check;
mod drops;
mod environment;
mod layers;
mod lenient;
mod matching;
mod merge;
mod overlap;
pub mod pattern;
mod place;
mod problem;
mod prune;
mod raw;
mod resolve;
mod resolve_accounts;
mod resolve_kubernetes;
mod resolve_prices;
mod resolve_sharding;
mod resolve_target;
pub mod schedule;
mod schema;
mod secret;
pub mod settings;
mod show;
mod warn;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::goal::{Goal, Mode};
use crate::model::ids::Scope;
use crate::model::shard::ShardStatus;
use crate::model::status::FleetStatus;
use crate::model::time::Timestamp;
use crate::model::warning::ConfigWarning;

pub use drops::Dropped;
pub use layers::{DEFAULT_YAML, Env, Flag, Sources};
pub use lenient::http;
pub use matching::{AmbiguousTarget, Match, matches};
pub use place::{memory_place, store_place};
pub use problem::{ConfigErrors, Problem};
pub use resolve_prices::prices_of_file;
pub use schedule::{FreezeWindow, Schedule};
pub use schema::{schema, schema_json};
pub use settings::{
    AccountSettings, AwsSettings, DiscoverySettings, DiscoveryTelemetry, HttpSettings,
    KubernetesSettings, LogFormat, LogSettings, MemorySettings, MetricsSettings, MetricsVariants,
    ReconcileSettings, ShardingSettings, StoreConfig, Target, TelemetrySettings,
};

/// A validated configuration. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Config {
    inner: Arc<Inner>,
    mode_ceiling: Mode,
}

/// What an examination of a configuration found.
#[derive(Debug)]
pub struct Examined {
    /// The configuration without what is wrong with it; to be used only when nothing is. Absent
    /// when nothing can be made of it.
    config: Option<Config>,
    /// What is wrong with it.
    problems: Vec<Problem>,
}

impl Examined {
    /// The configuration, if nothing is wrong with it.
    ///
    /// # Errors
    /// Every problem.
    pub fn into_result(self) -> Result<Config, ConfigErrors> {
        match self {
            Self { config: Some(config), problems } if problems.is_empty() => Ok(config),
            Self { problems, .. } => Err(ConfigErrors { problems }),
        }
    }

    /// As much of it as could be read, which may be used only when there are no problems.
    pub const fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// What is wrong with it.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What can hardly be meant of what could be read.
    pub fn warnings(&self, now: Timestamp) -> Vec<ConfigWarning> {
        self.config.as_ref().map(|config| config.warnings(now, None)).unwrap_or_default()
    }
}

/// The sections of a [`Config`], which dereferences to them.
#[derive(Debug)]
pub struct Inner {
    /// Where AWS is, and as whom to call it.
    pub aws: AwsSettings,
    /// Several accounts, each with its regions; empty when `aws` alone decides.
    pub accounts: Vec<AccountSettings>,
    /// Which of them are this process's.
    pub sharding: ShardingSettings,
    /// When passes run, and how far one may go.
    pub reconcile: ReconcileSettings,
    /// What is read from CloudWatch, and what it may cost.
    pub telemetry: TelemetrySettings,
    /// Variants that no target lists.
    pub discovery: DiscoverySettings,
    /// What is remembered between passes.
    pub memory: MemorySettings,
    /// The history of every variant.
    pub store: StoreConfig,
    pub kubernetes: KubernetesSettings,
    pub http: HttpSettings,
    pub log: LogSettings,
    /// What `/metrics` exports.
    pub metrics: MetricsSettings,
    /// What an instance of each type costs, in dollars an hour.
    pub prices: Arc<BTreeMap<String, f64>>,
    /// Times in which nothing is written.
    pub freeze_windows: Vec<FreezeWindow>,
    /// What holds for variants that no target lists, as far as it concerns observing them.
    pub defaults: Goal,
    /// The listed variants, in the order of the files.
    pub targets: Vec<Target>,
    /// The merged layers, for `config show`.
    merged: merge::Merged,
}

impl std::ops::Deref for Config {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl Config {
    /// Loads, checks and merges all layers.
    ///
    /// # Errors
    /// Every problem of every layer, and every rule between keys that is broken, in one list.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        Self::examine(sources).into_result()
    }

    /// A configuration of the defaults and one YAML text, which messages call `config.yaml`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_yaml(text: &str) -> Result<Self, ConfigErrors> {
        Self::resolved(merge::merge_text("config.yaml", text)).into_result()
    }

    /// Everything that there is to say of a configuration, whether it can be used or not.
    pub fn examine(sources: &Sources) -> Examined {
        Self::resolved(merge::merge(sources))
    }

    fn resolved((merged, mut problems): (merge::Merged, Vec<Problem>)) -> Examined {
        let (inner, found) = resolve::resolve(merged);
        problems.extend(found);
        // By file in the order of the layers, and by line.
        let files: Vec<String> = problems.iter().map(|problem| problem.file.clone()).collect();
        let place = |file: &String| files.iter().position(|other| other == file);
        problems.sort_by_cached_key(|problem| (place(&problem.file), problem.line));
        let config = inner.map(|inner| Self { inner: Arc::new(inner), mode_ceiling: Mode::Auto });
        Examined { config, problems }
    }

    /// The same configuration in which no target goes beyond `ceiling`.
    #[must_use]
    pub fn with_mode_ceiling(mut self, ceiling: Mode) -> Self {
        self.mode_ceiling = self.mode_ceiling.min(ceiling);
        self
    }

    /// The accounts and regions of `accounts` that are this process's, in the order of the list; none when
    /// `aws` alone decides.
    pub fn scopes(&self) -> Vec<Scope> {
        let all = self.accounts.iter().flat_map(AccountSettings::scopes);
        all.filter(|scope| self.sharding.has(scope)).collect()
    }

    /// Which shard this process is and what its share is; absent when there is one process for everything,
    /// or when the number of the shard is not known.
    pub fn shard(&self) -> Option<ShardStatus> {
        let own = self.sharding.own.filter(|own| !own.is_whole())?;
        Some(ShardStatus {
            shard: own,
            scopes: self.scopes(),
            min_variants: self.reconcile.mass_change.min_variants,
            budget_dollars_per_month: self.telemetry.budget_dollars_per_month,
        })
    }

    /// The boldest mode that any target may have.
    pub const fn mode_ceiling(&self) -> Mode {
        self.mode_ceiling
    }

    /// The same configuration, with what can hardly be meant in it as errors.
    ///
    /// # Errors
    /// Every warning, as a problem.
    pub fn strict(self, now: Timestamp) -> Result<Self, ConfigErrors> {
        let problems: Vec<Problem> =
            self.warnings(now, None).into_iter().map(Problem::from).collect();
        if problems.is_empty() { Ok(self) } else { Err(ConfigErrors { problems }) }
    }

    /// Which of two globs wins where one is within the other: as it should be, and worth a look.
    pub fn notes(&self) -> Vec<String> {
        warn::notes(self)
    }

    /// What in it can be read and can hardly be meant, at `now`; with a fleet also what only the
    /// fleet shows. An account that is not the caller's comes first.
    pub fn warnings(&self, now: Timestamp, fleet: Option<&FleetStatus>) -> Vec<ConfigWarning> {
        warn::warnings(self, now, fleet)
    }

    /// The effective configuration as YAML that can be loaded again; with `origin` each line says
    /// which layer it comes from.
    pub fn to_yaml(&self, origin: bool) -> String {
        show::to_yaml(&self.merged, origin)
    }
}
