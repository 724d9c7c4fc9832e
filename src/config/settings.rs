//! The sections of a validated configuration: plain values, no options that are defaults.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;

use super::schedule::Schedule;
use crate::model::goal::{Goal, MassChangeLimit};
use crate::model::ids::{AccountId, Region, Scope};
use crate::model::shard::Shard;

pub use super::raw::{DiscoveryTelemetry, LogFormat, MetricsVariants};

/// Where AWS is, and as whom to call it.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsSettings {
    /// The region; `None` leaves it to the SDK's chain.
    pub region: Option<Region>,
    /// The account that may be written to (rule 2).
    pub account_id: Option<AccountId>,
    /// Another place than AWS's own endpoints, for every service.
    pub endpoint_url: Option<String>,
    /// The profile of the AWS configuration files.
    pub profile: Option<String>,
    pub role_arn: Option<String>,
    /// Calls to Application Auto Scaling a second, for each region (rule 24).
    pub call_rate_per_second: f64,
    /// Writes a second, for each region (rule 24).
    pub write_rate_per_second: f64,
    /// Reads of SageMaker a second at first, for each region.
    pub sagemaker_call_rate_per_second: f64,
    /// Reads of SageMaker a second that they grow to at most while AWS throttles none.
    pub sagemaker_call_rate_max_per_second: f64,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long the one attempt of a write may take (rule 23).
    pub write_timeout: Duration,
    /// How long a call may take with its retries.
    pub operation_timeout: Duration,
    /// Attempts of a read, the first included.
    pub max_attempts: u32,
}

/// One account of several, and its regions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// The account, which may be written to (rule 2).
    pub account_id: AccountId,
    /// Its regions, at least one.
    pub regions: Vec<Region>,
    /// The role of this account to assume.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// The profile of the AWS configuration files; `None` leaves it to `aws.profile`.
    pub profile: Option<String>,
    /// Another place than AWS's own endpoints; `None` leaves it to `aws.endpoint_url`.
    pub endpoint_url: Option<String>,
}

impl AccountSettings {
    /// The account with each of its regions.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        let scope =
            |region: &Region| Scope { account_id: self.account_id.clone(), region: region.clone() };
        self.regions.iter().map(scope)
    }
}

/// Which accounts and regions are this process's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardingSettings {
    /// The shard that this process is; absent when there are several and none was named: what is read
    /// is then everything, and `run` does not begin.
    pub own: Option<Shard>,
    /// How many there are.
    pub total: u32,
    /// The shard of every account and region.
    pub assigned: BTreeMap<Scope, u32>,
}

impl ShardingSettings {
    /// Whether an account and region is this process's.
    pub fn has(&self, scope: &Scope) -> bool {
        let Some(own) = self.own else { return true };
        own.is_whole() || self.assigned.get(scope) == Some(&own.index())
    }

    /// How many accounts and regions each shard has.
    pub fn sizes(&self) -> Vec<usize> {
        let size = |shard| self.assigned.values().filter(|own| **own == shard).count();
        (0..self.total).map(size).collect()
    }
}

/// When passes run, and how far one may go.
#[derive(Debug, Clone, PartialEq)]
pub struct ReconcileSettings {
    /// The global switch (rule 10).
    pub enabled: bool,
    /// When a pass of free calls runs.
    pub schedule: Schedule,
    /// When a pass also reads the paid metrics.
    pub telemetry_schedule: Schedule,
    /// Variants in work at a time.
    pub concurrency: usize,
    /// The most by which a pass is delayed at random.
    pub jitter: Duration,
    /// When so many would change at once that a person must confirm (rule 9).
    pub mass_change: MassChangeLimit,
    /// The most writes to one variant in any hour (rule 10).
    pub writes_per_hour: u32,
    /// The most writes to one variant in any 24 hours (rule 10).
    pub writes_per_day: u32,
    /// How long a running pass may take to end at shutdown.
    pub shutdown_grace: Duration,
    /// How long a pass may take.
    pub pass_timeout: Duration,
}

/// What is read from CloudWatch, and what it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TelemetrySettings {
    /// How much history an estimate looks at.
    pub history: TimeDelta,
    /// The newest minutes, which CloudWatch has not completed, are left out.
    pub delay: TimeDelta,
    /// Older telemetry is stale: no target value is raised on it.
    pub max_age: TimeDelta,
    /// What CloudWatch may cost in a calendar month, in US dollars.
    pub budget_dollars_per_month: f64,
}

/// Variants that no target lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscoverySettings {
    /// Whether they are shown at all.
    pub enabled: bool,
    /// How often their paid metrics are read.
    pub telemetry: DiscoveryTelemetry,
}

/// What is remembered between passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    pub file: Option<PathBuf>,
    /// Whether it is kept in tags of the scalable targets.
    pub tags: bool,
}

/// The history of every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The file; `None` keeps it as long as the process lives.
    pub path: Option<PathBuf>,
    /// How long hours and events are kept.
    pub keep: TimeDelta,
    /// The most that the file may take, in bytes.
    pub bytes_max: u64,
}

/// What is used of Kubernetes; nothing when nothing is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesSettings {
    /// The Lease by which the one that writes is elected; without it this process is alone.
    pub lease_name: Option<String>,
    /// Its name as configured, from which those of all shards are made.
    pub lease_base: Option<String>,
    /// Where all of it is; `None` leaves it to `POD_NAMESPACE`, else to the credentials.
    pub namespace: Option<String>,
    /// For how long others respect a Lease that is not renewed.
    pub lease_duration: Duration,
    /// For how long after its last renewal a leader may begin to write.
    pub renew_deadline: Duration,
    /// Between two requests for the Lease.
    pub retry_period: Duration,
    /// The `ConfigMap` that what must be remembered is kept in.
    pub memory_configmap: Option<String>,
    /// Whether decisions are published as Kubernetes Events.
    pub events: bool,
    /// Whether the pod's label says if this process leads.
    pub role_label: bool,
}

impl KubernetesSettings {
    /// Whether anything is used of Kubernetes.
    pub const fn is_used(&self) -> bool {
        self.lease_name.is_some() || self.memory_configmap.is_some() || self.events
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// The file with the bearer token of everything below `/-/`.
    pub token_file: Option<PathBuf>,
    /// The names that the server answers to on a loopback address, beside its own.
    pub allowed_hosts: Vec<String>,
    /// The path that a proxy serves the pages under, without a `/` at its end; empty for none.
    pub base_path: String,
    /// The address of a dashboard about one variant, with places for its names.
    pub dashboard_url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// A level or the directives of `tracing-subscriber`'s `EnvFilter`; known to parse.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// Reads a log level or filter directives.
///
/// # Errors
/// What is wrong with them.
pub fn parse_level(level: &str) -> Result<tracing_subscriber::EnvFilter, String> {
    // To the filter a bare word that is no level is the name of a module: a typo of a level would
    // silently turn all logs off.
    let bare = level.split(',').map(str::trim).filter(|part| !part.contains(['=', '[']));
    for word in bare {
        word.parse::<tracing_subscriber::filter::LevelFilter>()
            .map_err(|_| format!("{word:?} is not a level"))?;
    }
    tracing_subscriber::EnvFilter::builder().parse(level).map_err(|error| error.to_string())
}

/// What `/metrics` exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Which variants have series of their own.
    pub variants: MetricsVariants,
    /// Above this many variants only the non-zero member of a closed set is exported.
    pub per_variant_limit: usize,
}

/// One entry of `targets`.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The file and the line in it, such as `prod.yaml:12`.
    pub origin: String,
    /// Its place among all targets of the files.
    pub(super) in_order: usize,
    /// Which variants it speaks of.
    pub pattern: super::pattern::TargetPattern,
    /// What is wanted of them, with `defaults` filled in; its mode is the one before the ceiling.
    pub goal: Goal,
}
