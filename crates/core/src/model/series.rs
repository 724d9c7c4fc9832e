//! Per-minute telemetry of one variant.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The most that counts as invocations per minute per instance: 16 million a second. More is a number that
/// some source made by dividing by nothing.
const LOAD_MAX: f64 = 1e9;

/// One minute (or longer period) of a variant, as CloudWatch has it. `None` is no datapoint, which
/// is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Minute {
    /// The start of the period.
    pub at: Timestamp,
    /// Its length in seconds: 60, 300 or 900.
    pub period_seconds: u32,
    /// `Invocations`, sum over the period.
    pub invocations: Option<f64>,
    /// `InvocationsPerInstance`, sum over the period.
    pub invocations_per_instance: Option<f64>,
    /// `ModelLatency` at the objective's statistic, in microseconds.
    pub latency_us: Option<f64>,
    /// `ModelLatency` p50, in microseconds.
    pub latency_p50_us: Option<f64>,
    /// `Invocation5XXErrors`, sum over the period.
    pub errors_5xx: Option<f64>,
    /// The instance count where the source states it; else `invocations` over
    /// `invocations_per_instance` says.
    pub instances: Option<f64>,
}

impl Minute {
    /// A minute without any datapoint.
    pub const fn empty(at: Timestamp) -> Self {
        Self {
            at,
            period_seconds: 60,
            invocations: None,
            invocations_per_instance: None,
            latency_us: None,
            latency_p50_us: None,
            errors_5xx: None,
            instances: None,
        }
    }

    pub fn end(&self) -> Timestamp {
        self.at + TimeDelta::seconds(i64::from(self.period_seconds))
    }

    /// Invocations per minute per instance; absent where the number cannot be one.
    pub fn load(&self) -> Option<f64> {
        let load = self.invocations_per_instance? * 60.0 / f64::from(self.period_seconds);
        (load <= LOAD_MAX).then_some(load)
    }

    /// The number of active instances: stated, or derived from the two sums.
    pub fn instance_count(&self) -> Option<f64> {
        if self.instances.is_some() {
            return self.instances;
        }
        match (self.invocations, self.invocations_per_instance) {
            (Some(all), Some(each)) if each > 0.0 && all > 0.0 => Some(all / each),
            _ => None,
        }
    }

    /// Whether no metric has a datapoint.
    pub const fn is_empty(&self) -> bool {
        self.invocations.is_none()
            && self.invocations_per_instance.is_none()
            && self.latency_us.is_none()
            && self.latency_p50_us.is_none()
            && self.errors_5xx.is_none()
    }
}

/// Minutes in time order, without two of the same start and period.
pub type Series = Vec<Minute>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_cannot_be_is_none() {
        let minute = |each: Option<f64>| Minute {
            invocations_per_instance: each,
            ..Minute::empty(Timestamp::default())
        };
        assert_eq!(minute(Some(1200.0)).load(), Some(1200.0));
        for odd in [None, Some(f64::NAN), Some(f64::INFINITY), Some(3e41)] {
            assert_eq!(minute(odd).load(), None, "{odd:?}");
        }
    }
}
