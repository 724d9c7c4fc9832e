//! Rule 9: one bad configuration must not become a fleet-wide change.

use crate::model::consent::{Consent, Shown};
use crate::model::decision::Decision;
use crate::model::goal::MassChangeLimit;
use crate::model::reason::Reason;
use crate::model::stable_hash::fnv1a;
use crate::model::status::MassChange;

use super::probe;

/// Finds a mass change among the decisions of one pass. What a person has confirmed does not count;
/// it may take several passes.
pub fn mass_change(
    decisions: &[&Decision],
    limit: MassChangeLimit,
    consent: &Consent,
) -> Option<MassChange> {
    // What ends a probe puts back what was in force before it: no configuration has made it. Floors that
    // only end later change nothing: a fleet's would fall due together after a freeze.
    let counts = |d: &&&Decision| {
        let changes = !d.plan.only_renews() && !probe::only_puts_back(d);
        !d.plan.is_empty() && changes && !consent.covers(d)
    };
    let changing: Vec<&&Decision> = decisions.iter().filter(counts).collect();
    let limit = limit.limit(decisions.len());
    (changing.len() > limit).then(|| MassChange {
        plan_id: plan_id(&changing),
        variants: changing.iter().map(|d| d.variant.clone()).collect(),
        shown: Consent::to(changing.iter().map(|decision| **decision)),
        limit,
    })
}

/// Names a plan by what it changes from what to what, not by when: the same plan a minute later is
/// the same plan, and one that begins elsewhere is another.
fn plan_id(changing: &[&&Decision]) -> String {
    let texts = changing.iter().flat_map(|decision| {
        let actions = decision.plan.actions.iter().map(super::plan::summary);
        let shown = Shown::of(decision);
        let fields: Vec<String> =
            shown.fields.iter().filter_map(|field| shown.change(field.field)).collect();
        std::iter::once(decision.variant.to_string()).chain(actions).chain(fields)
    });
    format!("{:016x}", fnv1a(texts.flat_map(String::into_bytes)))
}

/// Holds a decision because of a mass change: nothing is written, and it says so.
pub fn hold(decision: &mut Decision, mass_change: &MassChange) {
    if !mass_change.variants.contains(&decision.variant) {
        return;
    }
    let MassChange { plan_id, variants, limit, .. } = mass_change;
    let variants = variants.len();
    let sentence = format!(
        "{variants} variants would change in one pass, more than {limit}; confirm plan {plan_id}"
    );
    decision.hold_all(Reason::MassChange, &sentence);
}
