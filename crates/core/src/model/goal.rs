//! What the configuration wants for one variant, resolved: no globs, no layers, no options that
//! are really defaults.

use chrono::{NaiveDate, TimeDelta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::floors::{FloorsGoal, FloorsMode};
use super::probe::ProbeGoal;
use super::series::Minute;
use super::time::{Timestamp, seconds};
use super::units::{InvocationsPerMinute, LatencyStatistic, RequestsPerSecond, SafetyFactor};

/// `objective.bad_minutes_per_week` of `config/default.yaml`, for goals that no file describes.
pub const BAD_MINUTES_PER_WEEK: f64 = 10.0;
/// `safe_change_grace_seconds` of `config/default.yaml` (rule 16), for the same.
pub const SAFE_CHANGE_GRACE: TimeDelta = TimeDelta::hours(4);

/// What `setpoint` may do about a variant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Report only, never write.
    Observe,
    /// Restore the desired policy; the formula target is the desired value.
    Repair,
    /// As `repair`, and the safe target is the desired value.
    Auto,
}

impl Mode {
    /// All of them, from careful to bold.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Repair, Self::Auto];

    /// The word used in configuration, labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Repair => "repair",
            Self::Auto => "auto",
        }
    }
}

/// The wish for one variant. Only what is stated here is managed (rule 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Where it comes from: the file and list position of the target, or `discovery`.
    pub origin: String,
    /// Whether the configuration lists the variant at all (rule 7).
    pub managed: bool,
    /// The mode, already lowered to the ceiling of `--mode`.
    pub mode: Mode,
    /// The load test, if there is one.
    pub load_test: Option<LoadTest>,
    /// The configured safety factor (with `auto`: the one to start from).
    pub safety_factor: SafetyFactor,
    /// Whether the factor is the one that a replay of the last weeks allows.
    pub safety_factor_auto: bool,
    /// The family whose load tests share their error, where the configuration names one.
    #[serde(default)]
    pub family: Option<String>,
    /// What counts as serving well.
    pub objective: Objective,
    /// The minutes a week that may break it: by this a replay chooses the safety factor.
    pub bad_minutes_per_week: f64,
    /// Fewest and most instances, if managed.
    pub capacity: CapacityGoal,
    /// Cooldowns, if managed.
    pub cooldown: CooldownGoal,
    /// Whether scale-in is disabled, if managed.
    pub disable_scale_in: Option<bool>,
    /// The floor and ceiling of any target value that is written.
    pub target_value: TargetValueLimits,
    /// Whether a policy that `setpoint` never wrote may be changed (rule 4).
    pub adopt: bool,
    /// Whether a suspended state is undone (rule 12).
    pub unsuspend: bool,
    /// Whether a registration may move instances (rule 17).
    pub allow_clamp: bool,
    /// How long a person's change in the safe direction is left alone (rule 16).
    #[serde(with = "seconds")]
    pub safe_change_grace: TimeDelta,
    /// How long a scalable target that vanished while its endpoint lives is left missing
    /// (rule 17a).
    #[serde(with = "seconds")]
    pub removed_target_grace: TimeDelta,
    /// How long a policy that vanished alone is left missing (rule 17a).
    #[serde(with = "seconds")]
    pub removed_policy_grace: TimeDelta,
    /// What probes may cost; absent where there are none.
    #[serde(default)]
    pub probe: Option<ProbeGoal>,
    /// Whether its instances are looked at one by one where an answer waits for that.
    #[serde(default)]
    pub per_instance: bool,
    /// What is done about scheduled floors.
    pub floors: FloorsGoal,
    /// Writes are held until then (`pause`).
    pub paused: Option<Pause>,
}

impl Goal {
    /// A goal that wants nothing: the variant is watched and never written. `origin` says why, such
    /// as that two targets of the configuration claim it.
    pub fn nothing(origin: String) -> Self {
        Self {
            origin,
            managed: false,
            mode: Mode::Observe,
            load_test: None,
            safety_factor: SafetyFactor::ONE,
            safety_factor_auto: false,
            family: None,
            objective: Objective { latency: None, error_rate_max: 1.0 },
            bad_minutes_per_week: 0.0,
            capacity: CapacityGoal::default(),
            cooldown: CooldownGoal::default(),
            disable_scale_in: None,
            target_value: TargetValueLimits::default(),
            adopt: false,
            unsuspend: false,
            allow_clamp: false,
            safe_change_grace: TimeDelta::zero(),
            removed_target_grace: TimeDelta::zero(),
            removed_policy_grace: TimeDelta::zero(),
            probe: None,
            per_instance: false,
            floors: FloorsGoal::OFF,
            paused: None,
        }
    }

    /// Whether the last weeks of the variant are replayed, for its safety factor and for floors.
    pub fn wants_replays(&self) -> bool {
        let asked_for = self.floors.mode != FloorsMode::Off || self.safety_factor_auto;
        self.managed && asked_for && self.objective.latency.is_some()
    }
}

/// A pass that would change more variants than [`Self::limit`] is held (rule 9).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MassChangeLimit {
    /// That many variants may always change.
    pub min_variants: usize,
    /// This share of the variants may change, in [0, 1].
    pub ratio: f64,
    /// By how much the share of the variants is lowered: what other shards may always change.
    pub withheld: usize,
}

impl MassChangeLimit {
    /// The most variants of `fleet` that one pass may change.
    #[must_use]
    pub fn limit(self, fleet: usize) -> usize {
        let share = (fleet as f64 * self.ratio).floor() as usize;
        self.min_variants.max(share.saturating_sub(self.withheld))
    }

    /// The limit of one shard of several, which may always change `min_variants` of those of the whole. It does
    /// not know how many variants the others have: lowered by what they may always change, all limits
    /// together are never above that of the whole, however the variants are spread.
    #[must_use]
    pub const fn share(self, min_variants: usize) -> Self {
        let withheld = self.min_variants.saturating_sub(min_variants);
        Self { min_variants, withheld, ..self }
    }
}

/// A pause asked for by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub until: Timestamp,
    pub reason: String,
}

/// Min and max instances as far as they are managed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityGoal {
    /// Fewest instances.
    pub min: Option<i32>,
    pub max: Option<i32>,
}

/// Cooldowns as far as they are managed, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CooldownGoal {
    /// After a scale-out.
    pub scale_out_seconds: Option<i32>,
    /// After a scale-in.
    pub scale_in_seconds: Option<i32>,
}

/// The owner's limits of any target value written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetValueLimits {
    /// Never below.
    pub floor: Option<InvocationsPerMinute>,
    /// Never above.
    pub ceiling: Option<InvocationsPerMinute>,
}

/// A load test of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadTest {
    /// The most requests per second that one instance served well.
    pub max_rps: RequestsPerSecond,
    /// When it was run.
    pub date: Option<NaiveDate>,
    /// On which instance type; a variant on another one invalidates it.
    pub instance_type: Option<String>,
    /// With which endpoint config; another one's model invalidates it.
    pub endpoint_config: Option<String>,
    /// For how many days it is valid.
    pub max_age_days: Option<u32>,
}

/// Why a load test does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadTestProblem {
    /// None is configured.
    Absent,
    /// Older than `max_age_days`.
    Expired,
    /// Run on another instance type.
    OtherInstanceType,
    /// Run with another endpoint config.
    OtherEndpointConfig,
    /// It names an instance type or endpoint config, and the variant's own is not known.
    CouldNotCompare,
}

impl LoadTestProblem {
    /// The word used in reasons and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::OtherInstanceType => "other_instance_type",
            Self::OtherEndpointConfig => "other_endpoint_config",
            Self::CouldNotCompare => "could_not_compare",
        }
    }
}

impl LoadTest {
    /// Whether the test still speaks for a variant (rule 5). `instance_type` and
    /// `endpoint_config` are the variant's own, absent when unknown.
    ///
    /// # Errors
    /// The first reason why it does not.
    pub fn check(
        &self,
        now: Timestamp,
        instance_type: Option<&str>,
        endpoint_config: Option<&str>,
    ) -> Result<(), LoadTestProblem> {
        if let (Some(date), Some(days)) = (self.date, self.max_age_days)
            && (now.date_naive() - date).num_days() > i64::from(days)
        {
            return Err(LoadTestProblem::Expired);
        }
        if let Some(tested) = &self.instance_type {
            match instance_type {
                None => return Err(LoadTestProblem::CouldNotCompare),
                Some(own) if own != tested => return Err(LoadTestProblem::OtherInstanceType),
                Some(_) => {}
            }
        }
        if let Some(tested) = &self.endpoint_config {
            match endpoint_config {
                None => return Err(LoadTestProblem::CouldNotCompare),
                Some(own) if own != tested => return Err(LoadTestProblem::OtherEndpointConfig),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// What counts as serving well: a minute breaks the objective when its latency statistic is above
/// the threshold or its share of 5XX answers above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The latency part; without it the variant's capacity is `unobserved` (`no_objective`).
    pub latency: Option<LatencyObjective>,
    /// The largest share of 5XX answers, in [0, 1].
    pub error_rate_max: f64,
}

impl Objective {
    /// Whether a minute breaks it; `None` when the minute has nothing to judge by.
    pub fn broken_by(&self, minute: &Minute) -> Option<bool> {
        self.is_broken(minute.latency_us, minute.errors_5xx, minute.invocations)
    }

    /// The same for a latency in microseconds, 5XX answers, and requests. A part that is absent, or
    /// a share of no requests, judges nothing.
    pub fn is_broken(
        &self,
        latency_us: Option<f64>,
        errors_5xx: Option<f64>,
        requests: Option<f64>,
    ) -> Option<bool> {
        let slow = self.latency.zip(latency_us).map(|(o, us)| us > o.threshold_us());
        let failing = errors_5xx
            .zip(requests.filter(|all| *all > 0.0))
            .map(|(errors, all)| errors / all > self.error_rate_max);
        match (slow, failing) {
            (None, None) => None,
            (slow, failing) => Some(slow == Some(true) || failing == Some(true)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatencyObjective {
    /// Which statistic of `ModelLatency`.
    pub statistic: LatencyStatistic,
    /// The most it may be, in milliseconds.
    pub threshold_ms: f64,
}

impl LatencyObjective {
    /// The threshold in CloudWatch's unit of `ModelLatency`.
    pub fn threshold_us(self) -> f64 {
        self.threshold_ms * 1000.0
    }
}
