//! What an estimator is told: once at its start, and with every check.

use serde::{Deserialize, Serialize};

use crate::model::goal::{LoadTestProblem, Objective};
use crate::model::units::RequestsPerSecond;

use super::fingerprint::Fingerprint;

/// What an estimator knows of its variant beside the telemetry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimatorSettings {
    /// What counts as serving well. Without a latency objective everything is `unobserved`.
    pub objective: Objective,
    /// The load-tested rate, if a load test is configured.
    pub load_test: Option<RequestsPerSecond>,
    /// Why the load test does not count. An invalid one is no opinion to start from.
    pub load_test_problem: Option<LoadTestProblem>,
    /// What the variant runs at the beginning of the telemetry, if known.
    pub fingerprint: Option<Fingerprint>,
    /// What is done beyond the basic steps: all of it, except in a grade that tells what each is
    /// worth.
    pub refinements: Refinements,
}

/// Steps beyond the basic ones, each of which can be left out to see what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refinements {
    /// Four suspicious quarter-hours in a row are an undeclared change, as three hours are.
    pub quarter_hours: bool,
    /// Wander is judged over undeclared changes; two opposite ones are the same alarm.
    pub wander_over_changes: bool,
    /// Minutes of an incident of another cause are no evidence (`incident_minutes`).
    pub incidents_left_out: bool,
    /// `measured` takes good minutes below the estimate.
    pub good_minutes_below: bool,
    /// Capacity follows the ratio of medians by a power that is learned (`power`).
    pub learned_power: bool,
    /// Overloads tell of throughput, and throughput of the knee (`throughput`).
    pub throughput: bool,
    /// Evidence of a service that becomes slower is counted in today's units (`slowdown`).
    pub todays_units: bool,
    /// How much of the latency is queue is measured of a service that refuses requests (`throughput`).
    pub refusals: bool,
}

impl Refinements {
    pub const ALL: Self = Self {
        quarter_hours: true,
        wander_over_changes: true,
        incidents_left_out: true,
        good_minutes_below: true,
        learned_power: true,
        throughput: true,
        todays_units: true,
        refusals: true,
    };
    /// The basic steps alone.
    pub const NONE: Self = Self {
        quarter_hours: false,
        wander_over_changes: false,
        incidents_left_out: false,
        good_minutes_below: false,
        learned_power: false,
        throughput: false,
        todays_units: false,
        refusals: false,
    };
    pub const NAMES: [&'static str; 8] = [
        "quarter-hours",
        "wander-over-changes",
        "incidents-left-out",
        "good-minutes-below",
        "learned-power",
        "throughput",
        "todays-units",
        "refusals",
    ];

    /// All of these but the one of that name; other names change nothing.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        match name {
            "quarter-hours" => self.quarter_hours = false,
            "wander-over-changes" => self.wander_over_changes = false,
            "incidents-left-out" => self.incidents_left_out = false,
            "good-minutes-below" => self.good_minutes_below = false,
            "learned-power" => self.learned_power = false,
            "throughput" => self.throughput = false,
            "todays-units" => self.todays_units = false,
            "refusals" => self.refusals = false,
            _ => {}
        }
        self
    }
}

impl EstimatorSettings {
    /// Settings for an objective, without a load test.
    pub const fn new(objective: Objective) -> Self {
        Self {
            objective,
            load_test: None,
            load_test_problem: None,
            fingerprint: None,
            refinements: Refinements::ALL,
        }
    }

    /// The load-tested rate in invocations per minute, while the test is valid.
    pub fn valid_load_test(&self) -> Option<f64> {
        match self.load_test_problem {
            None => self.load_test.map(RequestsPerSecond::per_minute),
            Some(_) => None,
        }
    }
}

/// What the findings compare the capacity with.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Context {
    /// The target value in force, in invocations per minute per instance.
    pub configured_target: Option<f64>,
    /// The configured safety factor, never the automatic one.
    pub safety_factor: f64,
}

impl Context {
    /// The capacity that the configuration claims.
    pub fn implied_capacity(&self) -> Option<f64> {
        let target = self.configured_target?;
        (self.safety_factor > 0.0 && target > 0.0).then(|| target / self.safety_factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refinement_has_a_name() {
        let left = Refinements::NAMES.iter().fold(Refinements::ALL, |all, name| all.without(name));
        assert_eq!(left, Refinements::NONE);
        for name in Refinements::NAMES {
            assert_ne!(Refinements::ALL.without(name), Refinements::ALL, "{name}");
        }
    }
}
