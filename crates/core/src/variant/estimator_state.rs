//! What made the newest estimate of a variant, as a record of its decision carries it: with it, an
//! estimate from production is made once more on a laptop.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::compact;
use crate::estimate::{Estimator, Hourly, Scratch};
use crate::model::estimate::Estimate;
use crate::model::goal::Goal;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::status::EstimatorHandle;
use crate::model::time::Timestamp;

use super::Variant;
use super::capacity::{CapacityWatch, Change};
use super::resting::Held;
use super::resume::FORM;

/// An estimator with its evidence, and when it last estimated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EstimatorState {
    /// [`FORM`](super::resume::FORM): a record of another form is not estimated again.
    form: u32,
    at: Timestamp,
    state: Estimator,
    /// Deploys and updates of which no telemetry has come yet.
    changes: VecDeque<Change>,
}

/// What an estimate depends on beside the estimator at rest.
#[derive(Serialize, Deserialize)]
struct EstimateInputs {
    at: Timestamp,
    hourly: Hourly,
    changes: VecDeque<Change>,
}

impl Variant {
    /// What made the newest estimate, to be published with it; empty where there is none.
    pub fn estimator_handle(&self) -> EstimatorHandle {
        self.capacity.estimator_handle().unwrap_or_default()
    }
}

impl CapacityWatch {
    fn estimator_handle(&self) -> Option<EstimatorHandle> {
        let Held::Resting(resting) = self.estimator.as_ref()? else { return None };
        let (bytes, hourly) = resting.published();
        let inputs =
            EstimateInputs { at: self.answered_at()?, hourly, changes: self.changes.clone() };
        let inputs = compact::to_bytes(&inputs).ok()?;
        Some(EstimatorHandle { estimator: Arc::downgrade(bytes), inputs })
    }
}

impl EstimatorState {
    /// The estimator of a published variant. None where there is none, and from when newer telemetry has
    /// been read until that is published.
    pub fn of(handle: &EstimatorHandle) -> Option<Self> {
        let rested = handle.estimator.upgrade()?;
        let mut state: Estimator = compact::from_bytes(&rested.bytes()?).ok()?;
        let EstimateInputs { at, hourly, changes } = compact::from_bytes(&handle.inputs).ok()?;
        state.set_hourly(&hourly);
        Some(Self { form: FORM, at, state, changes })
    }

    /// Whether a record of an estimator is of the form that this version writes and reads.
    pub fn is_understood(record: &serde_json::Value) -> bool {
        record.get("form").and_then(serde_json::Value::as_u64) == Some(u64::from(FORM))
    }

    /// Estimates once more. `recorded` is the estimate that a decision made at `at` went by: it says what
    /// else was known than this variant.
    pub fn estimate(
        self,
        (snapshot, goal): (&Snapshot, &Goal),
        recorded: &Estimate,
        at: Timestamp,
    ) -> Shared<Estimate> {
        let mut scratch = Scratch::default();
        let capacity = CapacityWatch::recorded(self.state, self.changes, snapshot);
        let mut variant = Variant { capacity, ..Variant::default() };
        let (problem, context) = Variant::asked(snapshot, goal, at);
        let asked = (problem, context, recorded.history_complete_ratio);
        let mut estimate = variant.estimate(goal, asked, &mut scratch, self.at);
        if let Some(siblings) = recorded.siblings.as_deref().cloned() {
            variant.capacity.hear_siblings(&mut estimate, siblings, &mut scratch, at);
        }
        estimate
    }
}
