//! What an estimator is told: once at its start, and with every check.

use crate::model::goal::{LoadTestProblem, Objective};
use crate::model::units::RequestsPerSecond;

use super::fingerprint::Fingerprint;

/// What an estimator knows of its variant beside the telemetry.
#[derive(Debug, Clone, PartialEq)]
pub struct EstimatorSettings {
    /// What counts as serving well. Without a latency objective everything is `unobserved`.
    pub objective: Objective,
    /// The load-tested rate, if a load test is configured.
    pub load_test: Option<RequestsPerSecond>,
    /// Why the load test does not count. An invalid one is no opinion to start from.
    pub load_test_problem: Option<LoadTestProblem>,
    /// What the variant runs at the beginning of the telemetry, if known.
    pub fingerprint: Option<Fingerprint>,
    /// Minutes from a growth of demand to instances that serve it: alarm and start-up.
    pub reaction_minutes: u32,
}

impl EstimatorSettings {
    /// Settings for an objective, without a load test.
    #[must_use]
    pub const fn new(objective: Objective) -> Self {
        Self {
            objective,
            load_test: None,
            load_test_problem: None,
            fingerprint: None,
            reaction_minutes: super::advice::REACTION_MINUTES,
        }
    }

    /// The load-tested rate in invocations per minute, while the test is valid.
    #[must_use]
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
    #[must_use]
    pub fn implied_capacity(&self) -> Option<f64> {
        let target = self.configured_target?;
        (self.safety_factor > 0.0 && target > 0.0).then(|| target / self.safety_factor)
    }
}
