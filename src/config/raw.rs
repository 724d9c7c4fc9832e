//! The configuration as it is written: every key optional, units in the key names. The JSON
//! schema is generated from these types, and each layer is checked against it before merging.

mod target;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use target::{
    PerInstance, RawLoadTest, RawPause, RawSafetyFactor, RawTarget, RawTargetSpec,
};

/// The configuration of `setpoint`. Every key is optional in a file: `config/default.yaml` has the
/// default of each.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "setpoint configuration")]
pub(super) struct Raw {
    /// Where AWS is, and as whom to call it.
    pub aws: RawAws,
    /// Several accounts and regions for one process, instead of the account, region and role of
    /// aws. A later file's list replaces an earlier one's.
    pub accounts: Vec<RawAccount>,
    /// Several processes that share out accounts.
    pub sharding: RawSharding,
    /// When passes run, and how far one may go.
    pub reconcile: RawReconcile,
    /// What is read from CloudWatch, and what it may cost.
    pub telemetry: RawTelemetry,
    /// Variants that no target lists.
    pub discovery: RawDiscovery,
    /// What is remembered between passes.
    pub memory: RawMemory,
    /// The history of every variant, for pages and people; nothing that is decided rests on it.
    pub store: RawStore,
    /// What is used of Kubernetes. Nothing is when nothing is named.
    pub kubernetes: RawKubernetes,
    /// The HTTP server.
    pub http: RawHttp,
    /// Logs, written to stderr.
    pub log: RawLog,
    /// What /metrics exports.
    pub metrics: RawMetrics,
    /// What an instance of each type costs, in dollars an hour: a map, or a YAML file that holds one.
    pub prices: Option<RawPrices>,
    /// Times in which nothing is written. A later file's list replaces an earlier one's.
    pub freeze_windows: Vec<RawFreezeWindow>,
    /// What holds for every target that does not say otherwise.
    pub defaults: RawTargetSpec,
    /// The variants to keep. The targets of several files add up.
    pub targets: Vec<RawTarget>,
}

/// Prices by instance type, or the file that holds them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawPrices {
    /// A file.
    File(#[schemars(length(min = 1))] String),
    /// Dollars an hour of each instance type.
    Map(BTreeMap<String, f64>),
}

/// Where AWS is, and as whom to call it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAws {
    /// The region; without it the AWS SDK's own chain decides (`AWS_REGION`, profile).
    #[schemars(regex(pattern = "^[a-z0-9-]{1,32}$"))]
    pub region: Option<String>,
    /// The account that may be written to: 12 digits, quoted. Nothing is written without it.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    pub account_id: Option<String>,
    /// Another place than AWS's own endpoints, for every service.
    #[schemars(regex(pattern = "^https?://[^\\s]+$"))]
    pub endpoint_url: Option<String>,
    /// The profile of the AWS configuration files.
    #[schemars(length(min = 1))]
    pub profile: Option<String>,
    /// The role to assume.
    #[schemars(regex(pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"))]
    pub role_arn: Option<String>,
    /// Calls to Application Auto Scaling a second, for each region.
    #[schemars(range(max = 100), extend("exclusiveMinimum" = 0))]
    pub call_rate_per_second: Option<f64>,
    /// Writes a second, for each region.
    #[schemars(range(max = 100), extend("exclusiveMinimum" = 0))]
    pub write_rate_per_second: Option<f64>,
    /// Reads of SageMaker a second at first, for each region; they grow while AWS throttles none.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub sagemaker_call_rate_per_second: Option<f64>,
    /// Reads of SageMaker a second that they grow to at most, for each region.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub sagemaker_call_rate_max_per_second: Option<f64>,
    /// How long to wait for a connection, in seconds.
    #[schemars(range(max = 300), extend("exclusiveMinimum" = 0))]
    pub connect_timeout_seconds: Option<f64>,
    /// How long one attempt of a call may take, in seconds.
    #[schemars(range(max = 300), extend("exclusiveMinimum" = 0))]
    pub attempt_timeout_seconds: Option<f64>,
    /// How long the one attempt of a write may take, in seconds.
    #[schemars(range(max = 60), extend("exclusiveMinimum" = 0))]
    pub write_timeout_seconds: Option<f64>,
    /// How long a call may take with its retries, in seconds.
    #[schemars(range(max = 900), extend("exclusiveMinimum" = 0))]
    pub operation_timeout_seconds: Option<f64>,
    /// Attempts of a read, the first included. Writes have one.
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: Option<u32>,
}

/// One account and its regions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    /// The account: 12 digits, quoted. It is also the one that may be written to.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    pub account_id: String,
    /// The regions; each is read and written by itself.
    #[schemars(length(min = 1), inner(regex(pattern = "^[a-z0-9-]{1,32}$")))]
    pub regions: Vec<String>,
    /// The role of this account to assume.
    #[serde(default)]
    #[schemars(regex(pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"))]
    pub role_arn: Option<String>,
    /// The external id that the role's trust policy asks for.
    #[serde(default)]
    #[schemars(length(min = 2, max = 1224), regex(pattern = "^[a-zA-Z0-9_+=,.@:/-]+$"))]
    pub external_id: Option<String>,
    /// The profile of the AWS configuration files; without it that of aws.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub profile: Option<String>,
    /// Another place than AWS's own endpoints, for every service (a VPC endpoint, a proxy, an
    /// emulator); without it that of aws.
    #[serde(default)]
    #[schemars(regex(pattern = "^https?://[^\\s]+$"))]
    pub endpoint_url: Option<String>,
}

/// Several processes that share out accounts: each account and region is one shard's.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSharding {
    /// The number of this process's shard, from 0; without it `run` takes it from the end of `POD_NAME`, the
    /// ordinal of a `StatefulSet`'s pod.
    #[schemars(range(min = 0, max = 999))]
    pub shard: Option<u32>,
    /// How many shards there are; at most as many as accounts has accounts and regions.
    #[schemars(range(min = 1, max = 1000))]
    pub total_shards: Option<u32>,
}

/// When passes run, and how far one may go.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawReconcile {
    /// The global switch: false and nothing is written anywhere.
    pub enabled: Option<bool>,
    /// When a pass runs: six cron fields, seconds first, in UTC.
    pub schedule: Option<String>,
    /// When a pass also reads the paid metrics: six cron fields, seconds first, in UTC.
    pub telemetry_schedule: Option<String>,
    /// Variants in work at a time.
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: Option<u32>,
    /// The most by which a pass is delayed at random, in seconds.
    #[schemars(range(min = 0, max = 3600))]
    pub jitter_seconds: Option<f64>,
    /// When so many would change at once that a person must confirm.
    pub mass_change: RawMassChange,
    /// The most writes to one variant.
    pub writes_per_variant: RawWritesPerVariant,
    /// How long a running pass may take to end at shutdown, in seconds.
    #[schemars(range(min = 0, max = 3600))]
    pub shutdown_grace_seconds: Option<f64>,
    /// How long a pass may take, in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub pass_timeout_seconds: Option<f64>,
}

/// A pass that would change more than `max(min_variants, ratio x variants)` is held.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMassChange {
    /// That many variants may always change.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub min_variants: Option<u32>,
    /// This share of the variants may change.
    #[schemars(range(min = 0, max = 1))]
    pub ratio: Option<f64>,
}

/// The most writes to one variant.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWritesPerVariant {
    /// In any hour.
    #[schemars(range(min = 1, max = 1000))]
    pub hour: Option<u32>,
    /// In any 24 hours.
    #[schemars(range(min = 1, max = 1000))]
    pub day: Option<u32>,
}

/// What is read from CloudWatch, and what it may cost.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTelemetry {
    /// How much history an estimate looks at, in days. CloudWatch keeps minutes for 15 days.
    #[schemars(range(min = 1, max = 15))]
    pub history_days: Option<u32>,
    /// The newest minutes, which CloudWatch has not completed, are left out.
    #[schemars(range(min = 1, max = 60))]
    pub delay_minutes: Option<u32>,
    /// Telemetry older than this many minutes is stale: no target value is raised on it.
    #[schemars(range(min = 1, max = 1440))]
    pub max_age_minutes: Option<u32>,
    /// Every how many minutes a steady variant is read: one about which nothing has changed for two
    /// hours, whose load is far from what it can serve. 0 reads every variant with each telemetry pass.
    #[schemars(range(min = 0, max = 1440))]
    pub steady_every_minutes: Option<u32>,
    /// What CloudWatch may cost in a calendar month, in US dollars; 0 reads no paid metrics.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub budget_dollars_per_month: Option<f64>,
}

/// Variants that no target lists: seen by free calls, never written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDiscovery {
    /// Whether unlisted variants are shown at all.
    pub enabled: Option<bool>,
    /// How often their paid metrics are read.
    pub telemetry: Option<DiscoveryTelemetry>,
}

/// How often the paid metrics of unlisted variants are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscoveryTelemetry {
    /// Never.
    Off,
    /// Once an hour.
    Hourly,
    /// As often as those of listed ones.
    Full,
}

/// What is remembered between passes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMemory {
    /// The file it is kept in; without it a restart forgets, and is slower for it.
    #[schemars(length(min = 1))]
    pub file: Option<String>,
    /// Whether it is kept in tags of the scalable targets instead. That needs two more
    /// permissions, and writes nothing of variants in observe.
    pub tags: Option<bool>,
}

/// The history of every variant, for pages and people; nothing that is decided rests on it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStore {
    /// The file it is kept in; without it the history lives as long as the process.
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// Days for which hours and events are kept.
    #[schemars(range(min = 1, max = 1000))]
    pub keep_days: Option<u32>,
    /// The most that the file may take, in MiB; the oldest days go first.
    #[schemars(range(min = 16, max = 1_048_576))]
    pub max_size_mb: Option<u32>,
}

/// What is used of Kubernetes: a Lease to elect the one that writes, a `ConfigMap`, Events.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKubernetes {
    /// The Lease by which several processes elect the one that writes; without it this one is alone. At most 243
    /// characters, because `-shard-999` may follow.
    #[schemars(regex(pattern = "^[a-z0-9]([-a-z0-9.]{0,241}[a-z0-9])?$"))]
    pub lease_name: Option<String>,
    /// Where the Lease, the `ConfigMap` and the Events are; without it `POD_NAMESPACE` decides, else
    /// the credentials.
    #[schemars(regex(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// For how long others respect a Lease that is not renewed, in whole seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub lease_duration_seconds: Option<u32>,
    /// For how long after its last renewal a leader may begin to write, in seconds.
    #[schemars(range(max = 3600), extend("exclusiveMinimum" = 0))]
    pub renew_deadline_seconds: Option<f64>,
    /// How long to wait between two requests for the Lease, in seconds.
    #[schemars(range(max = 600), extend("exclusiveMinimum" = 0))]
    pub retry_period_seconds: Option<f64>,
    /// The `ConfigMap` that what must be remembered is kept in, instead of memory.file or
    /// memory.tags. From three quarters of 1 MiB on, NAME-part-1 to NAME-part-31 follow. At most 235
    /// characters, because `-shard-999-part-31` may follow.
    #[schemars(regex(pattern = "^[a-z0-9]([-a-z0-9.]{0,233}[a-z0-9])?$"))]
    pub memory_configmap: Option<String>,
    /// Whether decisions are published as Kubernetes Events, on the pod if `POD_NAME` is set.
    pub events: Option<bool>,
    /// Whether the pod that `POD_NAME` names says by the label setpoint.dev/role whether it leads;
    /// only with a Lease. Needs the permission to patch pods.
    pub role_label: Option<bool>,
}

/// The HTTP server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHttp {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: Option<String>,
    /// The file with the bearer token of everything below /-/; without it they answer 403.
    #[schemars(length(min = 1))]
    pub token_file: Option<String>,
    /// The names, beside localhost and loopback addresses, that the server answers to while it
    /// listens on a loopback address: those of a reverse proxy that passes them on. On any other
    /// address it answers to all.
    pub allowed_hosts: Option<Vec<String>>,
    /// The path that a proxy serves the pages under, such as /setpoint; whether it leaves the prefix
    /// on or takes it off does not matter.
    pub base_path: Option<String>,
    /// The address of a dashboard about one variant, which its page links to, with `{account_id}`,
    /// `{region}`, `{endpoint}` and `{variant}` where its names go.
    pub dashboard_url: Option<String>,
}

/// Logs, written to stderr.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    /// A level (error, warn, info, debug, trace) or directives such as info,setpoint=debug.
    #[schemars(length(min = 1))]
    pub level: Option<String>,
    /// One line of text, or one JSON object, for each event.
    pub format: Option<LogFormat>,
}

/// The form of a log line.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl LogFormat {
    /// The word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Which variants have series of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricsVariants {
    /// All, up to 2,000 of them; above that those with something to say.
    Auto,
    /// All.
    All,
    /// Those that a target lists, and others with something to say.
    Listed,
    /// Those with something to say.
    Problems,
}

/// What /metrics exports.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMetrics {
    /// Which variants have series of their own; totals over the fleet are always there.
    pub variants: Option<MetricsVariants>,
    /// Above this many variants only the non-zero member of a closed set is exported.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub per_variant_limit: Option<u32>,
}

/// A time in which nothing is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFreezeWindow {
    /// When it begins: six cron fields, seconds first, in `timezone`.
    pub schedule: String,
    /// How long it lasts, in minutes.
    #[schemars(range(min = 1, max = 44640))]
    pub duration_minutes: u32,
    /// An IANA time zone; UTC when absent.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Whether lowering a target value, which is safe, goes on.
    #[serde(default)]
    pub allow_lowering: Option<bool>,
}
