//! THINK: snapshot, goal and estimate -> decision. Pure: no clock, no I/O, no logging, no
//! randomness, and it never fails.
//!
//! The order is always the same: derive the facts ([`case`]), say what is desired ([`desired`]),
//! compare field by field ([`compare`]), run every difference through the ordered guards
//! (`guards`, [`step`]), put the survivors into a plan, and check that once more ([`rails`]). What may be written when is
//! `docs/safety.md`; each guard names its rule.
//!
//! Architecture invariant: a guard can only take a write away. Nothing after [`compare`] adds one.

pub mod alarms;
pub mod case;
pub mod checks;
pub mod compare;
mod conditions;
pub mod consent;
pub mod desired;
mod floors;
pub mod forecast;
mod guards;
mod history;
pub mod kind;
pub mod last_applied;
pub mod last_known;
pub mod lasting;
mod lowering;
pub mod mass_change;
mod mode_preview;
pub mod new_regime;
pub mod notes;
mod per_instance;
pub mod plan;
pub mod probe;
mod proven;
pub mod rails;
pub mod remember;
mod removed;
pub mod report;
pub mod safe_target;
pub mod safety;
pub mod scheduled;
mod settling;
pub mod step;
pub mod verify;
pub mod watch;
pub mod write_permission;

use crate::model::decision::Decision;
use crate::model::estimate::Estimate;
use crate::model::goal::Goal;
use crate::model::ids::VariantId;
use crate::model::reason::Reason;
use crate::model::snapshot::Snapshot;
use crate::model::stable_hash::fnv1a;
use crate::model::time::Timestamp;

use case::Case;

pub use crate::model::rules::{Freeze, Rules};

/// Decides what to do about one variant.
pub fn decide(
    snapshot: &Snapshot,
    goal: &Goal,
    estimate: &Estimate,
    rules: &Rules,
    now: Timestamp,
) -> Decision {
    let mut decision = decide_in_its_mode(snapshot, goal, estimate, rules, now);
    hold_what_breaches(&mut decision, &rails::Before { snapshot, goal, estimate, rules, now });
    decision.report.would = mode_preview::mode_preview(snapshot, goal, estimate, rules, now).into();
    decision
}

/// A plan of which one write breaches a rail is not carried out at all: what else that bug has done
/// to it nobody knows.
fn hold_what_breaches(decision: &mut Decision, before: &rails::Before<'_>) {
    let breach = decision.plan.actions.iter().find_map(|action| {
        let breach = rails::rails(before, action).err()?;
        Some(format!("a bug of setpoint, {breach} ({})", plan::summary(action)))
    });
    if let Some(sentence) = breach {
        decision.hold_all(Reason::Rails, &sentence);
    }
}

/// Decides in the mode of the goal.
fn decide_in_its_mode(
    snapshot: &Snapshot,
    goal: &Goal,
    estimate: &Estimate,
    rules: &Rules,
    now: Timestamp,
) -> Decision {
    let case = Case::new(snapshot, goal, estimate, rules, now);
    let desired = desired::desired(&case);
    let compared = compare::compare(&case, &desired);
    let judged = checks::judge(&case, &desired, compared);
    let plan = plan::plan(&case, &desired, &judged);
    let wake_at = judged.iter().filter_map(|j| j.wake_at).filter(|at| *at > now).min();
    let report = report::report(&case, &desired, &judged, &plan);
    Decision {
        id: decision_id(&snapshot.id, now),
        at: now,
        variant: snapshot.id.clone(),
        rules: rules.clone().into(),
        plan,
        report: report.into(),
        wake_at,
    }
}

/// Names a decision: its instant and a hash of the variant, the same in log and JSON.
fn decision_id(variant: &VariantId, now: Timestamp) -> String {
    let hash = fnv1a(variant.to_string().bytes());
    format!("{}-{:08x}", now.format("%Y%m%dT%H%M%SZ"), hash >> 32)
}
