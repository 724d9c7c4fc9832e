//! Rule 9: one bad configuration must not become a fleet-wide change.

use std::collections::BTreeSet;

use crate::model::decision::Decision;
use crate::model::goal::MassChangeLimit;
use crate::model::ids::VariantId;
use crate::model::reason::Reason;
use crate::model::stable_hash::fnv1a;
use crate::model::status::MassChange;

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
    let limit = limit.limit(decisions.len());
    (changing.len() > limit).then(|| MassChange {
        plan_id: plan_id(&changing),
        variants: changing.iter().map(|d| d.variant.clone()).collect(),
        limit,
    })
}

/// Names a plan by what it does, not by when: the same plan a minute later is the same plan.
fn plan_id(changing: &[&&Decision]) -> String {
    let texts = changing.iter().flat_map(|decision| {
        let actions = decision.plan.actions.iter().map(super::plan::summary);
        std::iter::once(decision.variant.to_string()).chain(actions)
    });
    format!("{:016x}", fnv1a(texts.flat_map(String::into_bytes)))
}

/// Holds a decision because of a mass change: nothing is written, and it says so.
pub fn hold(decision: &mut Decision, mass_change: &MassChange) {
    if !mass_change.variants.contains(&decision.variant) {
        return;
    }
    let MassChange { plan_id, variants, limit } = mass_change;
    let variants = variants.len();
    let sentence = format!(
        "{variants} variants would change in one pass, more than {limit}; confirm plan {plan_id}"
    );
    decision.hold_all(Reason::MassChange, &sentence);
}
