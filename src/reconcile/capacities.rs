//! What is known of the capacity of each variant, before anything is decided: the measured ones say what
//! load tests of their family are worth, to others of any account and region.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{PassInput, Reconciler, Statuses};
use crate::estimate::Families;
use crate::model::goal::Goal;
use crate::model::ids::VariantId;
use crate::observe::Observed;
use crate::variant::{Assessed, Weeks};

/// A variant with what is known of it; nothing of one on which setpoint has failed. Each is on its own, so
/// that it is freed when it has been decided on: those of a fleet in one piece take tens of MiB.
pub(super) type Estimated = (VariantId, Option<(Box<Assessed>, Option<Weeks>)>);

impl Reconciler {
    /// Estimates the capacity of every variant that was seen, each by its own telemetry, and what the
    /// load tests of each family were worth.
    pub(super) fn estimate(
        &mut self,
        mut observed: Observed,
        input: &PassInput<'_>,
        last: &Statuses,
    ) -> (Vec<Estimated>, Families) {
        let wanted = observed.take_wanted();
        let mut families = Families::default();
        let mut estimated = Vec::with_capacity(wanted.len());
        for (id, goal) in wanted {
            let mut snapshot = self.reader.facts(&mut observed, &id);
            if let Some(before) = last.get(&id) {
                snapshot.share(&before.snapshot);
            }
            let weeks = observed.take_weeks(&id);
            let goal = goal.unwrap_or_else(|why| Goal::nothing(why).into());
            let history = (input.settings.history, self.reader.is_reading(&id));
            // A bug of ours in one variant leaves it unknown, and the others as they are.
            let assessed = catch_unwind(AssertUnwindSafe(|| {
                let variant = self.reader.variants.entry(id.clone()).or_default();
                let scratch = &mut self.reader.scratch;
                variant.weigh((snapshot, goal), history, scratch, observed.at)
            }));
            if let Ok(assessed) = &assessed {
                assessed.add_to(&mut families);
            }
            estimated.push((id, assessed.ok().map(|assessed| (Box::new(assessed), weeks))));
        }
        (estimated, families)
    }
}
