//! What is known of the capacity of a variant before it is decided on: by its own telemetry, and then by
//! what its measured siblings say of its load test.

use chrono::TimeDelta;

use crate::decide::last_known::Described;
use crate::estimate::{Context, Families, Scratch};
use crate::model::estimate::Estimate;
use crate::model::goal::{Goal, LoadTestProblem};
use crate::model::shared::Shared;
use crate::model::siblings::family;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;

use super::Variant;

/// What was read of a variant and is wanted of it, and what is known of its capacity.
#[derive(Debug, Clone)]
pub struct Assessed {
    pub goal: Shared<Goal>,
    pub snapshot: Box<Snapshot>,
    /// What is known of capacity, by its own telemetry.
    pub estimate: Shared<Estimate>,
    /// The family whose load tests share their error; absent where it is not known, and of variants
    /// that are not managed.
    pub family: Option<String>,
    /// Capacity and load-tested rate, in invocations per minute, where production has measured what
    /// was load-tested.
    proved: Option<(f64, f64)>,
}

impl Assessed {
    /// Says what its load test was worth, if that was measured.
    pub fn add_to(&self, families: &mut Families) {
        if let (Some(family), Some((measured, load_tested))) = (&self.family, self.proved) {
            families.note(family.clone(), measured, load_tested);
        }
    }
}

impl Variant {
    /// Estimates capacity. `history` is how far back it goes by the configuration, and whether it is
    /// being read beside the passes.
    pub fn weigh(
        &mut self,
        (snapshot, goal): (Snapshot, Shared<Goal>),
        (history, is_being_read): (TimeDelta, bool),
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Assessed {
        let (problem, context) = Self::asked(&snapshot, &goal, now);
        // What is being read counts as not known, which is less than what nobody can read.
        let ratio = self.history_complete_ratio(history).or(is_being_read.then_some(0.0));
        let asked = (problem, context, ratio);
        let estimate = self.estimate(&goal, asked, scratch, now);
        let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
        let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
        let family =
            if goal.managed { family(&goal, endpoint, config, &snapshot.id.variant) } else { None };
        let test = goal.load_test.as_ref().filter(|_| problem.is_none() && !estimate.is_partial());
        let proved = test.and_then(|test| {
            let measured = estimate.capacity.estimate?;
            let is_sure = self.capacity.measures_load_test(&estimate, test);
            is_sure.then_some((measured, test.max_rps.per_minute()))
        });
        Assessed { goal, snapshot: snapshot.into(), estimate, family, proved }
    }

    /// What an estimate depends on beside telemetry: why the load test does not count, and what is
    /// configured.
    pub(super) fn asked(
        snapshot: &Snapshot,
        goal: &Goal,
        now: Timestamp,
    ) -> (Option<LoadTestProblem>, Context) {
        let test = goal.load_test.as_ref();
        let problem = Described::from(snapshot).check(test, snapshot.remembered(), now).err();
        let context = Context {
            configured_target: snapshot.tracking().map(|tracking| tracking.target_value),
            safety_factor: goal.safety_factor.get(),
        };
        (problem, context)
    }

    /// The estimate with what siblings say of the load test, where the limit was not seen.
    pub(super) fn with_siblings(
        &mut self,
        (mut estimate, family): (Shared<Estimate>, Option<&str>),
        families: &Families,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Shared<Estimate> {
        if let Some(siblings) = family.and_then(|family| families.of(family)) {
            self.capacity.hear_siblings(&mut estimate, siblings, scratch, now);
        }
        estimate
    }
}
