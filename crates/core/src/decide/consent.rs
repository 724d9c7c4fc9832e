//! Rule 4a: a yes is bound to what was shown. The one place that answers whether a change is
//! confirmed, and that holds everything else back where only what was shown may be written.

use crate::model::consent::{Shown, ShownField};
use crate::model::decision::FieldState;
use crate::model::reason::{Field, Reason};
use crate::model::units::same_value;

use super::case::Case;
use super::checks::{Hold, Judged, held};
use super::compare::Comparison;
use super::desired::{Desired, Source};
use super::plan;
use super::step::DEAD_BAND;

pub use crate::model::rules::Confirmed;

/// Whether a person has been shown this very change and has confirmed it.
pub fn is_confirmed(case: &Case<'_>, comparison: &Comparison) -> bool {
    match &case.rules.confirmed {
        Confirmed::Nothing => false,
        Confirmed::Asking => true,
        Confirmed::Only(shown) => {
            let now = as_shown(comparison);
            let policy = case.policy().or_else(|| case.replaced_policy());
            let same_policy = policy.is_none_or(|policy| {
                shown.policy_name.as_ref().is_none_or(|name| *name == policy.name)
            });
            same_policy && shown.field(comparison.field).is_some_and(|then| then.is_still(&now))
        }
    }
}

/// The value to go to where a target value has been confirmed: the one that was shown, as long as
/// it still lies on the way to what is wanted.
pub fn shown_step(case: &Case<'_>, desired: &Desired, comparison: &Comparison) -> Option<f64> {
    let Confirmed::Only(shown) = &case.rules.confirmed else { return None };
    if !is_confirmed(case, comparison) {
        return None;
    }
    let (from, want) = (case.configured_target()?, desired.target_value?);
    let to = shown.target_value?;
    let on_the_way = (from.min(want)..=from.max(want)).contains(&to);
    // An estimate moves from minute to minute. A difference that is not worth a write of its own
    // is no reason to ask again.
    let near = desired.source == Source::Estimate
        && (to > from) == (want > from)
        && (to / want - 1.0).abs() < DEAD_BAND;
    (on_the_way || near || same_value(to, want)).then_some(to)
}

/// Where only what was shown may be written, holds the rest.
pub(super) fn hold_what_was_not_shown(case: &Case<'_>, desired: &Desired, judged: &mut [Judged]) {
    let Confirmed::Only(shown) = &case.rules.confirmed else { return };
    let writes = judged.iter().filter(|j| j.state == FieldState::Write);
    let fields = writes.map(|j| as_shown(&j.comparison)).collect();
    let now = Shown::new(fields, &plan::plan(case, desired, judged));
    for judged in judged.iter_mut().filter(|j| j.state == FieldState::Write) {
        let field = judged.comparison.field;
        if !shown.allows(field, &now) {
            let hold = Hold::new(Reason::NotAsShown, sentence(shown, &now, field));
            *judged = held(judged.comparison.clone(), hold);
        }
    }
}

fn as_shown(comparison: &Comparison) -> ShownField {
    ShownField {
        field: comparison.field,
        actual: comparison.actual.clone(),
        number: comparison.number,
        desired: comparison.desired.clone(),
    }
}

fn sentence(shown: &Shown, now: &Shown, field: Field) -> String {
    let (then, found) = (shown.change(field), now.change(field));
    match (then, found) {
        (None, _) => "it was not in the plan that was confirmed".to_owned(),
        // The same values: what differs is what would become of the instances, or the policy.
        (Some(then), Some(found)) if then == found => match (shown.moves, now.moves) {
            (before, after) if before != after => {
                "changed since you were asked: it would move other instances now".to_owned()
            }
            _ => "changed since you were asked: the policy is another one".to_owned(),
        },
        (Some(then), _) => format!("changed since you were asked: it was {then}"),
    }
}
