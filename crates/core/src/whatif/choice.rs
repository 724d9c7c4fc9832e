//! A choice: how the instances of a variant are set.

use serde::Serialize;

use crate::model::scaling::{DEFAULT_COOLDOWN_SECONDS, TargetTracking};

use super::traffic::WEEK;

/// Minutes in a slot of scheduled floors.
pub const SLOT: usize = 60;
pub const SLOTS: usize = WEEK / SLOT;
/// Most instances that a simulation runs: the account's quotas are far below.
pub const INSTANCES_MAX: u32 = 10_000;
/// The safety factor that AWS recommends to start from: what other choices are compared with where
/// none is in force.
pub const CUSTOMARY: f64 = 0.5;

/// How the instances are set, and within which bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What sets them.
    pub scaling: Scaling,
    /// Fewest instances.
    pub min: u32,
    pub max: u32,
    /// Scheduled min capacities, which raise `min` and never exceed `max`.
    pub floors: Option<Floors>,
}

/// What sets the number of instances.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    Tracking(Tracking),
    /// A person: always so many (manual scaling).
    Fixed(u32),
}

/// A target-tracking policy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tracking {
    /// Invocations per minute per instance.
    pub target_value: f64,
    /// After a scale-out, in seconds.
    pub scale_out_cooldown: u32,
    /// After any scaling, before a scale-in, in seconds.
    pub scale_in_cooldown: u32,
    /// Whether instances are never removed.
    pub disable_scale_in: bool,
}

impl Tracking {
    /// A policy with AWS's default cooldowns.
    pub fn at(target_value: f64) -> Self {
        let cooldown = DEFAULT_COOLDOWN_SECONDS.unsigned_abs();
        Self {
            target_value,
            scale_out_cooldown: cooldown,
            scale_in_cooldown: cooldown,
            disable_scale_in: false,
        }
    }
}

impl From<&TargetTracking> for Tracking {
    fn from(policy: &TargetTracking) -> Self {
        Self {
            target_value: policy.target_value,
            scale_out_cooldown: policy.scale_out_cooldown_seconds().unsigned_abs(),
            scale_in_cooldown: policy.scale_in_cooldown_seconds().unsigned_abs(),
            disable_scale_in: policy.scale_in_disabled(),
        }
    }
}

impl Choice {
    /// Target tracking within bounds, without floors.
    pub fn tracking(tracking: Tracking, min: u32, max: u32) -> Self {
        Self { scaling: Scaling::Tracking(tracking), min, max, floors: None }
    }

    pub fn fixed(instances: u32) -> Self {
        let instances = instances.clamp(1, INSTANCES_MAX);
        let scaling = Scaling::Fixed(instances);
        Self { scaling, min: instances, max: instances, floors: None }
    }

    /// The policy; of a fixed count one with AWS's default cooldowns at this target value.
    pub fn policy(&self, target_value: f64) -> Tracking {
        match self.scaling {
            Scaling::Tracking(tracking) => tracking,
            Scaling::Fixed(_) => Tracking::at(target_value),
        }
    }

    /// The same with scheduled floors.
    #[must_use]
    pub fn with_floors(self, floors: Floors) -> Self {
        Self { floors: Some(floors), ..self }
    }
}

/// Min capacities by hour of the week (UTC), from Monday 00:00, each in force some minutes early, so
/// that the instances have started when the hour begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Floors {
    hours: Vec<u32>,
    lead_minutes: usize,
}

impl Floors {
    /// Floors for each hour of the week: as many as 168, the rest is without.
    pub fn new(mut hours: Vec<u32>, lead_minutes: usize) -> Self {
        hours.resize(SLOTS, 0);
        Self { hours, lead_minutes: lead_minutes.min(SLOT) }
    }

    /// The floor in a minute of the week: that of the hour, or of the next one if it begins soon.
    pub fn at(&self, minute_of_week: usize) -> u32 {
        let hour = |minute: usize| self.hours[minute % WEEK / SLOT];
        hour(minute_of_week).max(hour(minute_of_week + self.lead_minutes))
    }

    /// The floor of each hour of the week.
    pub fn hours(&self) -> &[u32] {
        &self.hours
    }

    /// How many minutes early a floor is in force.
    pub const fn lead_minutes(&self) -> usize {
        self.lead_minutes
    }
}
