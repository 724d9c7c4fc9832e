//! The variants whose telemetry could not be read when it was last asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::unknown::broken;
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::VariantId;
use crate::model::status::TelemetryUnread;

/// Those of one account and region, and why.
#[derive(Debug, Default)]
pub struct Unmeasured(BTreeMap<VariantId, Arc<Why>>);

impl Unmeasured {
    /// It was read, or is not asked for any more.
    pub(super) fn forget(&mut self, id: &VariantId) {
        self.0.remove(id);
    }

    /// It was asked for and did not come.
    pub(super) fn note(&mut self, id: &VariantId, why: &Why) {
        // What the budget forbids, and what a bug of ours has cost, is said elsewhere.
        if matches!(why.kind, WhyKind::NotAsked | WhyKind::NotReadYet) || *why == broken() {
            self.forget(id);
            return;
        }
        // In an outage it is the same of all of them.
        let known = self.0.values().next().filter(|known| ***known == *why).cloned();
        self.0.insert(id.clone(), known.unwrap_or_else(|| Arc::new(why.clone())));
    }

    /// Forgets variants that are no longer there.
    pub(super) fn retain(&mut self, wanted: impl Fn(&VariantId) -> bool) {
        self.0.retain(|id, _| wanted(id));
    }

    /// What there is to say of them; nothing where there are none.
    pub fn status(&self) -> Option<TelemetryUnread> {
        let (first, why) = self.0.first_key_value()?;
        let (first, why) = (first.clone(), Why::clone(why));
        Some(TelemetryUnread { variants: self.0.len(), first, why })
    }
}
