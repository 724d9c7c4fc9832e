//! What replays of other choices go by: what is believed of capacity, and what a factor applies to.

use std::sync::Arc;

use crate::decide::safe_target::safe_target_at;
use crate::model::estimate::Estimate;
use crate::model::fit::Fit;
use crate::whatif::draws::{CapacityBelief, SIGMA_LOAD_TEST};

/// What is known of the capacity of one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityBasis {
    /// What is believed of it, without the fit.
    capacity: CapacityBelief,
    /// The fit that it comes from; absent where a load test says it.
    fit: Option<Arc<Fit>>,
    /// What a safety factor applies to, in invocations per minute per instance.
    pub base: f64,
    /// Whether production has shown it; otherwise a load test says so.
    pub is_measured: bool,
}

impl CapacityBasis {
    /// What an estimate says, else a valid load test, whose rate is in invocations per minute.
    pub fn of(estimate: &Estimate, tested: Option<f64>) -> Option<Self> {
        if estimate.verdict.is_two_sided()
            && let Some(capacity) = CapacityBelief::of(&estimate.capacity)
        {
            let base = estimate.capacity.q25.unwrap_or(capacity.median);
            let fit = estimate.fit.clone();
            return Some(Self { capacity, fit, base, is_measured: true });
        }
        // A load test may be wrong, and what is proven limits how far down.
        let tested = tested?;
        let base = safe_target_at(estimate, 1.0, Some(tested)).unwrap_or(tested);
        let capacity = CapacityBelief::new(base, SIGMA_LOAD_TEST)?;
        Some(Self { capacity, fit: None, base, is_measured: false })
    }

    /// What replays draw from. It takes a look at all of the fit, so only what replays asks for it.
    #[must_use]
    pub fn belief(self) -> CapacityBelief {
        match self.fit {
            Some(fit) => self.capacity.with_fit(fit),
            None => self.capacity,
        }
    }
}
