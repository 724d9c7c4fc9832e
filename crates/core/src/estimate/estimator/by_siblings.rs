//! The estimate where the limit was not seen, with what the siblings of a variant say of its load test.

use crate::model::estimate::{Capacity, Estimate, Verdict};
use crate::model::siblings::Siblings;
use crate::model::time::Timestamp;

use super::super::assess::{Question, assess};
use super::super::chain::LoadTestError;
use super::super::grid::minute_of;
use super::super::likelihood::Scratch;
use super::Estimator;

/// How the estimates of a variant and its load test go together, until it takes in more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadTested {
    /// Whether the load test counts.
    is_valid: bool,
    /// Whether nothing else was known before the telemetry.
    is_start: bool,
}

impl LoadTested {
    /// Whether siblings have something to say of this estimate: its limit was not seen, and it starts
    /// from a load test of what runs now. After a change of regime it starts from the one before.
    pub fn asks_siblings(self, estimate: &Estimate) -> bool {
        estimate.verdict == Verdict::AtLeast && self.is_valid && self.is_start
    }

    /// Whether the estimate says how far off the load test is: it was measured, and the load test is of
    /// what was measured. A load test without a date is taken for one of what ran when the data begin.
    pub fn is_measured_by(self, estimate: &Estimate, load_tested: Option<Timestamp>) -> bool {
        let of_this = estimate.regime.is_some_and(|regime| {
            self.is_start || load_tested.is_some_and(|date| date >= regime.started_at)
        });
        estimate.verdict == Verdict::Measured && of_this
    }
}

impl Estimator {
    /// How its estimates and its load test go together.
    pub fn load_tested(&self) -> LoadTested {
        LoadTested {
            is_valid: self.settings.valid_load_test().is_some(),
            is_start: self.starts_from_load_test(),
        }
    }

    /// Whether nothing was seen of what ran before, if anything did: an endpoint that was made within the
    /// history begins with its first deploy.
    fn starts_from_load_test(&self) -> bool {
        let carried = self.book.current.carried.as_ref();
        carried.is_none_or(|carried| carried.evidence.is_flat())
    }

    /// The capacity with the error that siblings' load tests had in place of the assumed one. The
    /// bound stays the variant's own, and so does the lower end.
    pub fn by_siblings(
        &self,
        own: &Capacity,
        siblings: &Siblings,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Capacity {
        let now = minute_of(now).max(self.newest);
        let load_test_error =
            Some(LoadTestError { mean: siblings.lg_mean, spread: siblings.lg_spread });
        let question = Question { load_test_error, ..self.question(now, self.lg_ratio(now)) };
        let helped = assess(&question, scratch).capacity;
        // What evidence proves goes before what siblings suggest.
        let above = |number: Option<f64>, least: Option<f64>| match (number, least) {
            (Some(number), Some(least)) => Some(number.max(least)),
            (number, _) => number,
        };
        let q25 = above(helped.q25, own.low);
        Capacity { q25, estimate: above(helped.estimate, q25), ..*own }
    }
}
