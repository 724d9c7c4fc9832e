//! Layers -> validated [`Config`].
//!
//! Each layer (embedded defaults, files, environment, flags) is loaded as it is written, checked
//! against the schema, and only then merged; what comes out is parsed into the model's types. Past
//! that gate nothing checks again. All problems of all layers are reported at once.

mod check;
mod layers;
mod lenient;
mod matching;
mod merge;
pub mod pattern;
mod problem;
mod raw;
mod resolve;
mod resolve_accounts;
mod resolve_kubernetes;
mod resolve_target;
pub mod schedule;
mod schema;
mod secret;
pub mod settings;
mod show;

use std::sync::Arc;

use crate::model::goal::Mode;
use crate::model::ids::Scope;

pub use layers::{DEFAULT_YAML, Env, Flag, Sources};
pub use lenient::http;
pub use matching::{AmbiguousTarget, Match, matches};
pub use problem::{ConfigErrors, Problem};
pub use schedule::{FreezeWindow, Schedule};
pub use schema::{schema, schema_json};
pub use settings::{
    AccountSettings, AwsSettings, DiscoverySettings, DiscoveryTelemetry, HttpSettings,
    KubernetesSettings, LogFormat, LogSettings, MemorySettings, MetricsSettings, ReconcileSettings,
    Target, TelemetrySettings, Wish,
};

/// A validated configuration. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Config {
    inner: Arc<Inner>,
    mode_ceiling: Mode,
}

/// The sections of a [`Config`], which dereferences to them.
#[derive(Debug)]
pub struct Inner {
    /// Where AWS is, and as whom to call it.
    pub aws: AwsSettings,
    /// Several accounts, each with its regions; empty when `aws` alone decides.
    pub accounts: Vec<AccountSettings>,
    /// When passes run, and how far one may go.
    pub reconcile: ReconcileSettings,
    /// What is read from CloudWatch, and what it may cost.
    pub telemetry: TelemetrySettings,
    /// Variants that no target lists.
    pub discovery: DiscoverySettings,
    /// What is remembered between passes.
    pub memory: MemorySettings,
    /// What is used of Kubernetes.
    pub kubernetes: KubernetesSettings,
    /// The HTTP server.
    pub http: HttpSettings,
    /// Logs.
    pub log: LogSettings,
    /// What `/metrics` exports.
    pub metrics: MetricsSettings,
    /// Times in which nothing is written.
    pub freeze_windows: Vec<FreezeWindow>,
    /// What holds for variants that no target lists, as far as it concerns observing them.
    pub defaults: Wish,
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
    /// Every problem of every layer; if there is none, every rule between keys that is broken.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        Self::resolve(merge::merge(sources)?)
    }

    /// A configuration of the defaults and one YAML text, which messages call `config.yaml`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_yaml(text: &str) -> Result<Self, ConfigErrors> {
        Self::resolve(merge::merge_text("config.yaml", text)?)
    }

    fn resolve(merged: merge::Merged) -> Result<Self, ConfigErrors> {
        let inner = resolve::resolve(merged)?;
        Ok(Self { inner: Arc::new(inner), mode_ceiling: Mode::Auto })
    }

    /// The same configuration in which no target goes beyond `ceiling`.
    #[must_use]
    pub fn with_mode_ceiling(mut self, ceiling: Mode) -> Self {
        self.mode_ceiling = self.mode_ceiling.min(ceiling);
        self
    }

    /// The accounts and regions of `accounts`, in its order; none when `aws` alone decides.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        self.accounts.iter().flat_map(AccountSettings::scopes).collect()
    }

    /// The boldest mode that any target may have.
    #[must_use]
    pub const fn mode_ceiling(&self) -> Mode {
        self.mode_ceiling
    }

    /// The effective configuration as YAML that can be loaded again; with `origin` each line says
    /// which layer it comes from.
    #[must_use]
    pub fn to_yaml(&self, origin: bool) -> String {
        show::to_yaml(&self.merged, origin)
    }
}
