//! What is wanted of variants, as it is written: `defaults` and `targets`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::floors::FloorsMode;
use crate::model::goal::Mode;
use crate::model::units::LatencyStatistic;

/// What is wanted of a variant.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawTargetSpec {
    /// What setpoint may do: say (observe), restore (repair), or also follow the safe target (auto).
    pub mode: Option<Mode>,
    /// The share of capacity to aim at, or auto: the highest that a replay of the last
    /// weeks allows.
    pub safety_factor: Option<RawSafetyFactor>,
    /// The factor to start from when `safety_factor` is auto.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub safety_factor_initial: Option<f64>,
    /// The family of variants whose load tests share their error. By default those of the same image and
    /// instance type.
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"))]
    pub family: Option<String>,
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
    /// How long a scalable target that vanished while its endpoint lives is left missing, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub removed_target_grace_seconds: Option<u32>,
    /// How long a policy that vanished alone is left missing, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub removed_policy_grace_seconds: Option<u32>,
    /// Whether the instances of a variant are looked at one by one while its capacity is not measured or
    /// something is wrong with it: where enhanced metrics are on, at CloudWatch's price of 4 metrics for
    /// each instance and look.
    pub per_instance: Option<PerInstance>,
    /// Probes, in mode auto: raises of the target value for an hour, for the load to show what an
    /// instance serves. None where nothing is stated.
    pub probe: RawProbe,
    /// Scheduled min capacities ahead of the week's ramps: not looked for (off), shown where they would pay (propose), or kept in AWS as scheduled actions where they pay with the target value in force (keep).
    pub floors: Option<FloorsMode>,
    /// The time zone of the week by which floors are scheduled: an IANA name, such as Europe/Berlin.
    pub floors_time_zone: Option<String>,
}

/// A number above 0 and at most 1, or the word auto.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum RawSafetyFactor {
    /// A fixed factor.
    Fixed(#[schemars(range(max = 1), extend("exclusiveMinimum" = 0))] f64),
    /// The highest that a replay of the last weeks allows.
    Auto(Auto),
}

/// The word auto.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Auto {
    /// The highest that a replay of the last weeks allows.
    Auto,
}

/// Whether instances are looked at one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum PerInstance {
    /// They are not.
    Off,
    /// Where an answer waits for that.
    Auto,
}

/// What probes may cost.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawProbe {
    /// Minutes that may break the objective in probes, in any 7 days; from so many on none begins. 0 is
    /// the same as nothing.
    #[schemars(range(min = 0, max = 60))]
    pub bad_minutes_per_week: Option<f64>,
}

/// What counts as serving well.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawObjective {
    /// The latency part. There is none by default: without it capacity is unobserved.
    pub latency: RawLatency,
    /// The largest share of 5XX answers.
    #[schemars(range(min = 0, max = 1))]
    pub error_rate_max: Option<f64>,
    /// The minutes a week that may break it. A replay of the variant's own last weeks chooses the
    /// safety factor by it, where that is auto, and advises one elsewhere.
    #[schemars(range(min = 0, max = 10080))]
    pub bad_minutes_per_week: Option<f64>,
}

/// A limit of `ModelLatency`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawLatency {
    /// Which statistic of `ModelLatency`.
    pub statistic: Option<LatencyStatistic>,
    /// The most it may be, in milliseconds.
    #[schemars(range(max = 3_600_000), extend("exclusiveMinimum" = 0))]
    pub threshold_ms: Option<f64>,
}

/// Instances of a variant.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawCapacity {
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
pub(in crate::config) struct RawCooldown {
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
pub(in crate::config) struct RawTargetValue {
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
pub(in crate::config) struct RawTarget {
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
    /// The share of capacity to aim at, or auto: the highest that a replay of the last
    /// weeks allows.
    #[serde(default)]
    pub safety_factor: Option<RawSafetyFactor>,
    /// The factor to start from when `safety_factor` is auto.
    #[serde(default)]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub safety_factor_initial: Option<f64>,
    /// The family of variants whose load tests share their error. By default those of the same image and
    /// instance type.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"))]
    pub family: Option<String>,
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
    /// How long a scalable target that vanished while its endpoint lives is left missing, in seconds.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86_400))]
    pub removed_target_grace_seconds: Option<u32>,
    /// How long a policy that vanished alone is left missing, in seconds.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86_400))]
    pub removed_policy_grace_seconds: Option<u32>,
    /// Whether the instances of a variant are looked at one by one while its capacity is not measured or
    /// something is wrong with it: where enhanced metrics are on, at CloudWatch's price of 4 metrics for
    /// each instance and look.
    #[serde(default)]
    pub per_instance: Option<PerInstance>,
    /// Probes, in mode auto: raises of the target value for an hour, for the load to show what an
    /// instance serves. None where nothing is stated.
    #[serde(default)]
    pub probe: RawProbe,
    /// Scheduled min capacities ahead of the week's ramps: not looked for (off), shown where they would pay (propose), or kept in AWS as scheduled actions where they pay with the target value in force (keep).
    #[serde(default)]
    pub floors: Option<FloorsMode>,
    /// The time zone of the week by which floors are scheduled: an IANA name, such as Europe/Berlin.
    #[serde(default)]
    pub floors_time_zone: Option<String>,
}

/// A load test of one instance.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawLoadTest {
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
pub(in crate::config) struct RawPause {
    /// Until when: RFC 3339, such as 2026-12-01T00:00:00Z.
    pub until: String,
    /// Why.
    #[schemars(length(min = 1))]
    pub reason: String,
}

impl RawTarget {
    /// What the target wants, with `defaults` where it says nothing.
    pub(in crate::config) fn spec(&self, defaults: &RawTargetSpec) -> RawTargetSpec {
        let d = defaults;
        RawTargetSpec {
            mode: self.mode.or(d.mode),
            safety_factor: self.safety_factor.or(d.safety_factor),
            safety_factor_initial: self.safety_factor_initial.or(d.safety_factor_initial),
            family: self.family.clone().or_else(|| d.family.clone()),
            objective: RawObjective {
                latency: RawLatency {
                    statistic: self.objective.latency.statistic.or(d.objective.latency.statistic),
                    threshold_ms: (self.objective.latency.threshold_ms)
                        .or(d.objective.latency.threshold_ms),
                },
                error_rate_max: self.objective.error_rate_max.or(d.objective.error_rate_max),
                bad_minutes_per_week: (self.objective.bad_minutes_per_week)
                    .or(d.objective.bad_minutes_per_week),
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
            removed_target_grace_seconds: (self.removed_target_grace_seconds)
                .or(d.removed_target_grace_seconds),
            removed_policy_grace_seconds: (self.removed_policy_grace_seconds)
                .or(d.removed_policy_grace_seconds),
            per_instance: self.per_instance.or(d.per_instance),
            probe: RawProbe {
                bad_minutes_per_week: (self.probe.bad_minutes_per_week)
                    .or(d.probe.bad_minutes_per_week),
            },
            floors: self.floors.or(d.floors),
            floors_time_zone: (self.floors_time_zone.clone())
                .or_else(|| d.floors_time_zone.clone()),
        }
    }
}
