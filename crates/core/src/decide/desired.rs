//! What should be in force, before any guard: only what the configuration states (rule 3).

use crate::model::estimate::Verdict;
use crate::model::factor::factor_in_use;
use crate::model::goal::LoadTestProblem;
use crate::model::reason::Reason;
use crate::model::scaling::MetricSpec;
use crate::model::units::{InvocationsPerMinute, SafetyFactor};

use super::case::Case;
use super::last_known::Described;
use super::{last_applied, probe, safe_target, step};

/// The desired state of one variant. `None` is not managed, and never drift.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Load-tested rate x safety factor x 60, while the load test is valid.
    pub formula: Option<f64>,
    /// Why the load test does not count.
    pub load_test_problem: Option<LoadTestProblem>,
    /// What the estimate says the target value should be, before limits.
    pub safe: Option<f64>,
    /// The target value wanted in this mode, within the owner's floor and ceiling.
    pub target_value: Option<f64>,
    /// What the wanted value follows from.
    pub source: Source,
    /// Whether the configuration means the policy to have a value, be there one to give it or not.
    pub wants_policy: bool,
    /// Fewest instances.
    pub min: Option<i32>,
    pub max: Option<i32>,
    /// Seconds after a scale-out.
    pub scale_out_cooldown: Option<i32>,
    /// Seconds after a scale-in.
    pub scale_in_cooldown: Option<i32>,
    pub disable_scale_in: Option<bool>,
}

/// What a wanted target value follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Formula,
    Estimate,
    /// What `setpoint` held in force before, while the estimate is too young to follow.
    LastApplied,
    /// A probe that begins or goes on.
    Probe,
    /// What was in force before a probe that is over.
    ProbeEnded,
    /// Nothing: the value in force is left alone.
    Nothing,
}

impl Desired {
    /// Whether anything of the policy is managed, so that a missing one matters.
    pub const fn manages_policy(&self) -> bool {
        self.wants_policy
            || self.target_value.is_some()
            || self.scale_out_cooldown.is_some()
            || self.scale_in_cooldown.is_some()
            || self.disable_scale_in.is_some()
    }

    /// The reason code of a change that follows from this desire.
    pub const fn change_reason(&self) -> Reason {
        match self.source {
            Source::Estimate => Reason::SafeTarget,
            Source::Probe => Reason::Probe,
            Source::ProbeEnded => Reason::ProbeEnded,
            Source::Formula | Source::LastApplied | Source::Nothing => Reason::Drift,
        }
    }

    /// The metric of a policy that has to be made.
    pub fn new_policy_metric() -> MetricSpec {
        MetricSpec::invocations()
    }
}

pub fn desired(case: &Case<'_>) -> Desired {
    let goal = case.goal;
    let (rate, load_test_problem) = match load_tested_rate(case) {
        Ok(rate) => (Some(rate), None),
        Err(problem) => (None, Some(problem)),
    };
    let formula = rate.map(|rate| rate * goal.safety_factor.get());
    let factor = factor(case);
    // The safe target uses the factor in use, which with `auto` is not the configured one.
    let formula_in_use = rate.map(|rate| rate * factor);
    let safe = safe_target::safe_target_at(case.estimate, factor, formula_in_use);
    let usual = wanted(case, factor, formula_in_use, formula);
    let (wanted, source) = with_probe(case, usual);
    Desired {
        formula,
        load_test_problem,
        safe,
        target_value: wanted.map(|value| within_owner_limits(case, value)),
        source,
        wants_policy: goal.managed && (goal.load_test.is_some() || case.follows_estimate()),
        min: goal.capacity.min,
        max: goal.capacity.max,
        scale_out_cooldown: goal.cooldown.scale_out_seconds,
        scale_in_cooldown: goal.cooldown.scale_in_seconds,
        disable_scale_in: goal.disable_scale_in,
    }
}

/// The safety factor in use: the configured one, or with `auto` the remembered one, which moves at
/// most once a week.
pub fn factor(case: &Case<'_>) -> f64 {
    factor_in_use(case.goal, Some(&case.memory))
}

/// The load-tested rate in invocations per minute, while the load test is valid (rule 5).
fn load_tested_rate(case: &Case<'_>) -> Result<f64, LoadTestProblem> {
    let test = case.goal.load_test.as_ref().ok_or(LoadTestProblem::Absent)?;
    Described::from(case.snapshot).check(Some(test), Some(&case.memory), case.now)?;
    // A product outside the double range is no number to write.
    let rate = test.max_rps.formula_target(SafetyFactor::ONE);
    rate.map(InvocationsPerMinute::get).map_err(|_| LoadTestProblem::Absent)
}

/// The value wanted in this mode, before the owner's limits.
fn wanted(
    case: &Case<'_>,
    factor: f64,
    formula_in_use: Option<f64>,
    formula: Option<f64>,
) -> (Option<f64>, Source) {
    let by_formula = formula.map_or((None, Source::Nothing), |v| (Some(v), Source::Formula));
    // Rule 21 goes before what the formula wants: production has shown that it is too much.
    if let Some(to) = super::verify::revert_to(case) {
        return (Some(to), Source::Estimate);
    }
    if !case.follows_estimate() {
        return by_formula;
    }
    let in_force = case.configured_target();
    if case.new_regime_until().is_some()
        && let Some(wanted) = drift_repaired(case, formula_in_use)
    {
        return wanted;
    }
    match safe_target::wanted_at(case.estimate, factor, formula_in_use, in_force) {
        // Down to a whole number: the estimate is not that precise.
        Ok(wanted) => (Some(step::whole(wanted, f64::floor)), Source::Estimate),
        // Without a verdict what is in force stays; only the formula of a valid load test may
        // lower it, and give a missing policy its value (rule 18).
        Err(_) => match (in_force, formula_in_use, case.estimate.verdict) {
            (None, Some(formula), _) => (Some(formula), Source::Formula),
            (Some(now), Some(formula), Verdict::Unobserved) if formula < now => {
                (Some(formula), Source::Formula)
            }
            _ => (None, Source::Nothing),
        },
    }
}

/// Rule 29: what a probe wants goes before what is wanted otherwise.
fn with_probe(case: &Case<'_>, usual: (Option<f64>, Source)) -> (Option<f64>, Source) {
    match probe::wanted(case, usual.0) {
        Some(probe::Wanted::Probe(value)) => (Some(value), Source::Probe),
        Some(probe::Wanted::PutBack(value)) => (Some(value), Source::ProbeEnded),
        None => usual,
    }
}

/// Rule 11a: while the estimate is not followed, drift is repaired all the same: what somebody else
/// has replaced comes back, and a missing policy gets what was held, or the formula.
fn drift_repaired(case: &Case<'_>, formula: Option<f64>) -> Option<(Option<f64>, Source)> {
    if let Some(replaced) = last_applied::replaced(case) {
        return Some((Some(replaced.value), Source::LastApplied));
    }
    let formula = formula.filter(|_| case.configured_target().is_none())?;
    Some((Some(formula), Source::Formula))
}

/// Clamps to the owner's floor and ceiling.
pub(super) fn within_owner_limits(case: &Case<'_>, value: f64) -> f64 {
    let limits = case.goal.target_value;
    let value = limits.floor.map_or(value, |floor| value.max(floor.get()));
    limits.ceiling.map_or(value, |ceiling| value.min(ceiling.get()))
}
