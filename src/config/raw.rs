//! The configuration as it is written: every key optional, units in the key names. The JSON
//! schema is generated from these types, and each layer is checked against it before merging.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::goal::Mode;
use crate::model::units::LatencyStatistic;

/// The configuration of `setpoint`. Every key is optional in a file: `config/default.yaml` has the
/// default of each.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "setpoint configuration")]
pub(super) struct Raw {
    /// Where AWS is, and as whom to call it.
    pub aws: RawAws,
    /// When passes run, and how far one may go.
    pub reconcile: RawReconcile,
    /// What is read from CloudWatch, and what it may cost.
    pub telemetry: RawTelemetry,
    /// Variants that no target lists.
    pub discovery: RawDiscovery,
    /// What is remembered between passes.
    pub memory: RawMemory,
    /// The HTTP server.
    pub http: RawHttp,
    /// Logs, written to stderr.
    pub log: RawLog,
    /// What /metrics exports.
    pub metrics: RawMetrics,
    /// Times in which nothing is written. A later file's list replaces an earlier one's.
    pub freeze_windows: Vec<RawFreezeWindow>,
    /// What holds for every target that does not say otherwise.
    pub defaults: RawWish,
    /// The variants to keep. The targets of several files add up.
    pub targets: Vec<RawTarget>,
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
    /// How long to wait for a connection, in seconds.
    #[schemars(range(max = 300), extend("exclusiveMinimum" = 0))]
    pub connect_timeout_seconds: Option<f64>,
    /// How long one attempt of a call may take, in seconds.
    #[schemars(range(max = 300), extend("exclusiveMinimum" = 0))]
    pub attempt_timeout_seconds: Option<f64>,
    /// How long a call may take with its retries, in seconds.
    #[schemars(range(max = 900), extend("exclusiveMinimum" = 0))]
    pub operation_timeout_seconds: Option<f64>,
    /// Attempts of a read, the first included. Writes have one.
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: Option<u32>,
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
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// What /metrics exports.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMetrics {
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

/// What is wanted of a variant.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWish {
    /// What setpoint may do: say (observe), restore (repair), or also follow the safe target (auto).
    pub mode: Option<Mode>,
    /// The share of capacity to aim at, or auto: it follows the measured growth of demand.
    pub safety_factor: Option<RawSafetyFactor>,
    /// The factor to start from when `safety_factor` is auto.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub safety_factor_initial: Option<f64>,
    /// What counts as serving well.
    pub objective: RawObjective,
    /// Fewest and most instances; what is not stated is not managed.
    pub capacity: RawCapacity,
    /// Cooldowns; what is not stated is not managed.
    pub cooldown: RawCooldown,
    /// Whether the policy may not scale in; not managed when absent.
    pub disable_scale_in: Option<bool>,
    /// Limits of any target value written.
    pub target_value: RawTargetValue,
    /// Whether a policy that setpoint has never written may be changed.
    pub adopt: Option<bool>,
    /// Whether suspended scaling is resumed.
    pub unsuspend: Option<bool>,
    /// Whether registering min and max may move instances.
    pub allow_clamp: Option<bool>,
    /// How long a person's change in the safe direction is left alone, in seconds.
    #[schemars(range(min = 0, max = 2_592_000))]
    pub safe_change_grace_seconds: Option<u32>,
}

/// A number above 0 and at most 1, or the word auto.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawSafetyFactor {
    /// A fixed factor.
    Fixed(#[schemars(range(max = 1), extend("exclusiveMinimum" = 0))] f64),
    /// It follows the measured growth of demand.
    Auto(Auto),
}

/// The word auto.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Auto {
    /// It follows the measured growth of demand.
    Auto,
}

/// What counts as serving well.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawObjective {
    /// The latency part. There is none by default: without it capacity is unobserved.
    pub latency: RawLatency,
    /// The largest share of 5XX answers.
    #[schemars(range(min = 0, max = 1))]
    pub error_rate_max: Option<f64>,
}

/// A limit of `ModelLatency`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLatency {
    /// Which statistic of `ModelLatency`.
    pub statistic: Option<LatencyStatistic>,
    /// The most it may be, in milliseconds.
    #[schemars(range(max = 3_600_000), extend("exclusiveMinimum" = 0))]
    pub threshold_ms: Option<f64>,
}

/// Instances of a variant.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCapacity {
    /// Fewest instances.
    #[schemars(range(min = 0, max = 10_000))]
    pub min: Option<i32>,
    /// Most instances.
    #[schemars(range(min = 1, max = 10_000))]
    pub max: Option<i32>,
}

/// Waits of a policy after it has scaled.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCooldown {
    /// After a scale-out, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub scale_out_seconds: Option<i32>,
    /// After a scale-in, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub scale_in_seconds: Option<i32>,
}

/// Limits of any target value written, in invocations per minute per instance.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTargetValue {
    /// Never below.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub floor: Option<f64>,
    /// Never above.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub ceiling: Option<f64>,
}

/// One variant, or those whose names match.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    /// The endpoint: a name, or a glob with *, ?, [ab] or {a,b}.
    pub endpoint: String,
    /// The variant: a name, or a glob with *, ?, [ab] or {a,b}.
    pub variant: String,
    /// Only in this account.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    pub account_id: Option<String>,
    /// Only in this region.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9-]{1,32}$"))]
    pub region: Option<String>,
    /// A load test of one instance. Without one there is no formula target.
    #[serde(default)]
    pub load_test: Option<RawLoadTest>,
    /// Writes are held until then.
    #[serde(default)]
    pub pause: Option<RawPause>,
    /// What setpoint may do: say (observe), restore (repair), or also follow the safe target (auto).
    #[serde(default)]
    pub mode: Option<Mode>,
    /// The share of capacity to aim at, or auto: it follows the measured growth of demand.
    #[serde(default)]
    pub safety_factor: Option<RawSafetyFactor>,
    /// The factor to start from when `safety_factor` is auto.
    #[serde(default)]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub safety_factor_initial: Option<f64>,
    /// What counts as serving well.
    #[serde(default)]
    pub objective: RawObjective,
    /// Fewest and most instances; what is not stated is not managed.
    #[serde(default)]
    pub capacity: RawCapacity,
    /// Cooldowns; what is not stated is not managed.
    #[serde(default)]
    pub cooldown: RawCooldown,
    /// Whether the policy may not scale in; not managed when absent.
    #[serde(default)]
    pub disable_scale_in: Option<bool>,
    /// Limits of any target value written.
    #[serde(default)]
    pub target_value: RawTargetValue,
    /// Whether a policy that setpoint has never written may be changed.
    #[serde(default)]
    pub adopt: Option<bool>,
    /// Whether suspended scaling is resumed.
    #[serde(default)]
    pub unsuspend: Option<bool>,
    /// Whether registering min and max may move instances.
    #[serde(default)]
    pub allow_clamp: Option<bool>,
    /// How long a person's change in the safe direction is left alone, in seconds.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub safe_change_grace_seconds: Option<u32>,
}

/// A load test of one instance.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLoadTest {
    /// The most requests per second that one instance served well.
    #[schemars(range(max = 1_000_000), extend("exclusiveMinimum" = 0))]
    pub max_rps: f64,
    /// When it was run, as year-month-day.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub date: Option<String>,
    /// On which instance type, such as ml.c5.xlarge.
    #[serde(default)]
    #[schemars(regex(pattern = "^ml\\.[a-z0-9-]+\\.[a-z0-9-]+$"))]
    pub instance_type: Option<String>,
    /// With which endpoint config.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"))]
    pub endpoint_config: Option<String>,
    /// For how many days it is valid; for ever when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 36500))]
    pub max_age_days: Option<u32>,
}

/// A pause asked for by a person.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPause {
    /// Until when: RFC 3339, such as 2026-12-01T00:00:00Z.
    pub until: String,
    /// Why.
    #[schemars(length(min = 1))]
    pub reason: String,
}

impl RawTarget {
    /// The target's wish, with `defaults` where it says nothing.
    pub(super) fn wish(&self, defaults: &RawWish) -> RawWish {
        let d = defaults;
        RawWish {
            mode: self.mode.or(d.mode),
            safety_factor: self.safety_factor.or(d.safety_factor),
            safety_factor_initial: self.safety_factor_initial.or(d.safety_factor_initial),
            objective: RawObjective {
                latency: RawLatency {
                    statistic: self.objective.latency.statistic.or(d.objective.latency.statistic),
                    threshold_ms: (self.objective.latency.threshold_ms)
                        .or(d.objective.latency.threshold_ms),
                },
                error_rate_max: self.objective.error_rate_max.or(d.objective.error_rate_max),
            },
            capacity: RawCapacity {
                min: self.capacity.min.or(d.capacity.min),
                max: self.capacity.max.or(d.capacity.max),
            },
            cooldown: RawCooldown {
                scale_out_seconds: self.cooldown.scale_out_seconds.or(d.cooldown.scale_out_seconds),
                scale_in_seconds: self.cooldown.scale_in_seconds.or(d.cooldown.scale_in_seconds),
            },
            disable_scale_in: self.disable_scale_in.or(d.disable_scale_in),
            target_value: RawTargetValue {
                floor: self.target_value.floor.or(d.target_value.floor),
                ceiling: self.target_value.ceiling.or(d.target_value.ceiling),
            },
            adopt: self.adopt.or(d.adopt),
            unsuspend: self.unsuspend.or(d.unsuspend),
            allow_clamp: self.allow_clamp.or(d.allow_clamp),
            safe_change_grace_seconds: (self.safe_change_grace_seconds)
                .or(d.safe_change_grace_seconds),
        }
    }
}
