//! A variant on which setpoint itself has failed: it is unknown for a pass, and the others are as
//! they are.

use super::{PassInput, Reconciler, unread};
use crate::estimate::Scratch;
use crate::model::estimate::Estimate;
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::VariantId;
use crate::model::time::Timestamp;
use crate::variant::Turn;

/// What is said of a variant on which setpoint has failed.
const BROKEN: &str = "setpoint failed on this variant, a bug; the log has the place";

pub(super) fn why() -> Why {
    Why::new(WhyKind::Garbage, BROKEN)
}

impl Reconciler {
    /// A variant on which setpoint has failed. What was estimated of it may be half a truth.
    pub(super) fn broken(
        &mut self,
        id: VariantId,
        input: &PassInput<'_>,
        now: Timestamp,
    ) -> Option<Turn> {
        self.distrust(&id);
        unread::turn(id, &why(), &Estimate::unobserved(BROKEN), input, now)
    }

    pub(super) fn distrust(&mut self, id: &VariantId) {
        self.scratch = Scratch::new();
        if let Some(variant) = self.variants.get_mut(id) {
            variant.distrust(why());
        }
    }
}
