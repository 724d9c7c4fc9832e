//! Rule 9: one bad configuration must not become a fleet-wide change.

use std::collections::BTreeSet;

use crate::model::decision::{Decision, FieldState};
use crate::model::ids::VariantId;
use crate::model::reason::{ActionKind, Reason};
use crate::model::status::MassChange;

/// How many variants may change in one pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MassChangeLimit {
    /// This many always may.
    pub min_variants: usize,
    /// This share of all variants may.
    pub ratio: f64,
}

impl MassChangeLimit {
    /// The limit for a fleet of that size.
    #[must_use]
    pub fn of(self, fleet: usize) -> usize {
        self.min_variants.max((fleet as f64 * self.ratio).floor() as usize)
    }
}

/// Finds a mass change among the decisions of one pass. Variants that a person has approved do not
/// count: what was confirmed may take several passes.
#[must_use]
pub fn mass_change(
    decisions: &[&Decision],
    limit: MassChangeLimit,
    approved: &BTreeSet<VariantId>,
) -> Option<MassChange> {
    let changing: Vec<&&Decision> =
        decisions.iter().filter(|d| !d.plan.is_empty() && !approved.contains(&d.variant)).collect();
    let limit = limit.of(decisions.len());
    (changing.len() > limit).then(|| MassChange {
        plan_id: plan_id(&changing),
        variants: changing.iter().map(|d| d.variant.clone()).collect(),
        limit,
    })
}

/// Names a plan by what it does, not by when: the same plan a minute later is the same plan.
fn plan_id(changing: &[&&Decision]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |text: &str| {
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for decision in changing {
        mix(&decision.variant.to_string());
        for action in &decision.plan.actions {
            mix(&super::plan::summary(action));
        }
    }
    format!("{hash:016x}")
}

/// Holds a decision because of a mass change: nothing is written, and it says so.
pub fn hold(decision: &mut Decision, mass_change: &MassChange) {
    if !mass_change.variants.contains(&decision.variant) {
        return;
    }
    decision.plan.actions.clear();
    let MassChange { plan_id, variants, limit } = mass_change;
    let variants = variants.len();
    let sentence = format!(
        "{variants} variants would change in one pass, more than {limit}; confirm plan {plan_id}"
    );
    let report = &mut decision.report;
    for field in report.fields.iter_mut().filter(|f| f.state == FieldState::Write) {
        field.state = FieldState::Held;
        field.reason = Reason::MassChange;
        field.sentence.clone_from(&sentence);
    }
    report.action = ActionKind::Hold;
    report.reason = Reason::MassChange;
    report.sentence = format!("{}, held: {sentence}", report.sentence);
}
