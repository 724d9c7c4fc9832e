//! What is known of the capacity of each variant, before anything is decided: the measured ones say what
//! load tests of their family are worth, to others of any account and region.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Observed, PassInput, Reconciler, readings};
use crate::decide::known::load_test;
use crate::estimate::Families;
use crate::model::estimate::Estimate;
use crate::model::fact::Fact;
use crate::model::goal::Goal;
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::siblings::family;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::observe::Sweep;

/// A variant with what is known of it; nothing of one on which setpoint has failed.
pub(super) type Estimated = (VariantId, Option<Weighed>);

/// What is known of a variant, before it is decided on.
pub(super) struct Weighed {
    pub goal: Goal,
    pub snapshot: Snapshot,
    pub estimate: Estimate,
    /// The family whose load tests share their error; absent where its load test does not count.
    pub family: Option<String>,
}

impl Reconciler {
    /// Estimates the capacity of every variant that was seen, each by its own telemetry, and what the
    /// load tests of each family were worth.
    pub(super) fn estimate(
        &mut self,
        observed: Observed,
        input: &PassInput<'_>,
    ) -> (Vec<Estimated>, Families) {
        let Observed { at, sweep, mut remembered, wanted } = observed;
        let mut families = Families::default();
        let mut estimated = Vec::with_capacity(wanted.len());
        for (id, goal) in wanted {
            // A bug of ours in one variant leaves it unknown, and the others as they are.
            let weighed = catch_unwind(AssertUnwindSafe(|| {
                let memory = remembered.remove(&id).unwrap_or_else(Fact::not_read_yet);
                let snapshot = self.snapshot(&sweep, memory, &id, at);
                let goal = goal.unwrap_or_else(Goal::nothing);
                self.weigh((&sweep, snapshot, goal), &mut families, input, at)
            }));
            estimated.push((id, weighed.ok()));
        }
        (estimated, families)
    }

    fn weigh(
        &mut self,
        (sweep, snapshot, goal): (&Sweep, Snapshot, Goal),
        families: &mut Families,
        input: &PassInput<'_>,
        now: Timestamp,
    ) -> Weighed {
        let nothing = VariantMemory::default();
        let remembered = snapshot.memory.known().unwrap_or(&nothing);
        let problem = load_test(&snapshot, remembered, goal.load_test.as_ref(), now).err();
        let context = readings::context(sweep, &snapshot.id, &goal);
        let state = self.variants.entry(snapshot.id.clone()).or_default();
        let mut estimate = state.variant.estimate(&goal, problem, context, &mut self.scratch, now);
        // What is being read counts as not known, which is less than what nobody can read.
        let ratio = state.variant.history_complete_ratio(input.settings.history);
        let being_read = self.history.is_reading(&snapshot.id);
        estimate.history_complete_ratio = ratio.or(being_read.then_some(0.0));
        let family = if problem.is_none() && goal.managed { of(&goal, &snapshot) } else { None };
        let proved = state.variant.proves_load_test(&goal, &estimate);
        if let (Some(family), Some((measured, load_tested))) = (&family, proved) {
            families.note(family.clone(), measured, load_tested);
        }
        Weighed { goal, snapshot, estimate, family }
    }
}

fn of(goal: &Goal, snapshot: &Snapshot) -> Option<String> {
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
    family(goal, endpoint, config, &snapshot.id.variant)
}
