//! Actual against desired, field by field. What is not managed is not compared; what is unknown
//! is neither equal nor different.

use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::goal::LoadTestProblem;
use crate::model::reason::{Field, Reason};
use crate::model::scaling::{MetricSpec, ScalingPolicy, SuspendedState};
use crate::model::stable_hash::fnv1a;
use crate::model::units::{human, same_value};

use super::case::Case;
use super::desired::Desired;
use super::{alarms, floors, notes};

/// One compared field.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub field: Field,
    /// What AWS has, readable; absent when it does not exist or is unknown.
    pub actual: Option<String>,
    pub desired: Option<String>,
    /// The actual value as a number, to recognise it again in a later pass.
    pub number: Option<f64>,
    /// How they compare.
    pub relation: Relation,
}

impl Comparison {
    /// The same, with the number that the actual value is recognised by.
    fn numbered(self, number: f64) -> Self {
        Self { number: Some(number), ..self }
    }
}

/// How actual and desired compare.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// AWS would behave the same.
    Equal,
    Differs(Difference),
    /// One of them is not known.
    Unknown(Why),
    /// Nothing says what is desired (rule 5).
    NotCompared {
        reason: Reason,
        sentence: String,
        /// Whether it differs from what was held last, which is reported and not repaired.
        differs: bool,
    },
}

/// A difference, as far as guards need to know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Whether what AWS has is the safer side: a lower target, a higher min or max, scale-in off
    /// (rule 16).
    pub actual_is_safer: bool,
}

impl Difference {
    /// Neither side is the safer one.
    pub const PLAIN: Self = Self { actual_is_safer: false };
}

/// Compares everything that is managed, and what is watched without being managed (suspended
/// scaling, alarms).
pub fn compare(case: &Case<'_>, desired: &Desired) -> Vec<Comparison> {
    if case.is_gone() || case.is_shadow() {
        return Vec::new();
    }
    let mut out = Vec::new();
    target_fields(case, desired, &mut out);
    policy_fields(case, desired, &mut out);
    out.extend(alarms::compare(case));
    out.extend(floors::compare(case));
    out
}

fn target_fields(case: &Case<'_>, desired: &Desired, out: &mut Vec<Comparison>) {
    let managed = desired.min.is_some() || desired.max.is_some();
    match &*case.snapshot.target {
        Fact::Unknown(why) => {
            if managed || desired.manages_policy() {
                out.push(unknown(Field::ScalableTarget, why));
            }
        }
        Fact::Known(None) => {
            if managed || desired.manages_policy() {
                let range = match (desired.min, desired.max) {
                    (Some(min), Some(max)) => format!("{min} to {max} instances"),
                    _ => "registered".to_owned(),
                };
                out.push(differs(Field::ScalableTarget, None, Some(range), Difference::PLAIN));
            }
        }
        Fact::Known(Some(target)) => {
            if let Some(min) = desired.min {
                out.push(integer(Field::MinCapacity, target.min_capacity, min, Safer::Higher));
            }
            if let Some(max) = desired.max {
                out.push(integer(Field::MaxCapacity, target.max_capacity, max, Safer::Higher));
            }
            out.push(suspended(target.suspended));
        }
    }
}

fn policy_fields(case: &Case<'_>, desired: &Desired, out: &mut Vec<Comparison>) {
    if let Some(why) = load_test_in_doubt(case, desired) {
        out.push(unknown(Field::TargetValue, &why));
    }
    if !desired.manages_policy() {
        // What nobody lists has nothing to be compared with, and nobody misses it.
        if case.goal.managed {
            match &*case.snapshot.policies {
                Fact::Unknown(why) => out.push(unknown(Field::Policy, why)),
                Fact::Known(_) => out.extend(
                    case.configured_target().map(|actual| not_compared(case, desired, actual)),
                ),
            }
        }
        return;
    }
    if let Fact::Unknown(why) = &*case.snapshot.policies {
        out.push(unknown(Field::Policy, why));
        return;
    }
    let Some(actual) = case.tracking() else {
        out.push(no_policy(case, desired));
        return;
    };
    out.extend(policy_name(case));
    out.extend(match desired.target_value {
        Some(value) => Some(target_value(actual.target_value, value)),
        None if load_test_in_doubt(case, desired).is_some() => None,
        None => Some(not_compared(case, desired, actual.target_value)),
    });
    if let Some(seconds) = desired.scale_out_cooldown {
        let actual = actual.scale_out_cooldown_seconds();
        out.push(integer(Field::ScaleOutCooldown, actual, seconds, Safer::Neither));
    }
    if let Some(seconds) = desired.scale_in_cooldown {
        let actual = actual.scale_in_cooldown_seconds();
        out.push(integer(Field::ScaleInCooldown, actual, seconds, Safer::Neither));
    }
    if let Some(disabled) = desired.disable_scale_in {
        let actual = actual.scale_in_disabled();
        let comparison = if actual == disabled {
            equal(Field::DisableScaleIn, actual.to_string())
        } else {
            let difference = Difference { actual_is_safer: actual };
            let (actual, desired) = (Some(actual.to_string()), Some(disabled.to_string()));
            differs(Field::DisableScaleIn, actual, desired, difference)
        };
        out.push(comparison.numbered(f64::from(u8::from(actual))));
    }
}

/// Why it is not known whether the load test counts, and with it what the target value should be.
fn load_test_in_doubt(case: &Case<'_>, desired: &Desired) -> Option<Why> {
    let in_doubt = desired.target_value.is_none()
        && desired.load_test_problem == Some(LoadTestProblem::CouldNotCompare);
    in_doubt.then(|| {
        let unread = case.snapshot.endpoint_config.why().cloned();
        unread.unwrap_or_else(|| {
            let message = "the endpoint config does not say what the load test is compared with";
            Why::new(WhyKind::NotFound, message)
        })
    })
}

/// Rule 5: a value that nothing states is left alone, which is not being in sync. What was held last
/// is the only thing left to compare it with.
fn not_compared(case: &Case<'_>, desired: &Desired, actual: f64) -> Comparison {
    let same = |other: f64| same_value(other, actual);
    if desired.formula.is_some_and(same) {
        return equal(Field::TargetValue, human(actual)).numbered(actual);
    }
    let (reason, why) = undesired(case, desired);
    let held = case.memory.last_applied.map(|held| held.value).filter(|held| !same(*held));
    let sentence = match held {
        Some(held) => format!("{why}; the last value, {}, is not restored", human(held)),
        None => why,
    };
    // What the configuration does not state at all is never drift.
    let stated = reason.is_load_test();
    Comparison {
        field: Field::TargetValue,
        actual: Some(human(actual)),
        desired: None,
        number: Some(actual),
        relation: Relation::NotCompared { reason, sentence, differs: held.is_some() && stated },
    }
}

/// Why nothing says what the target value should be.
fn undesired(case: &Case<'_>, desired: &Desired) -> (Reason, String) {
    let problem = desired.load_test_problem;
    if let Some((reason, why)) = problem.and_then(|problem| notes::load_test_problem(case, problem))
    {
        return (reason, why);
    }
    let verdict = case.estimate.verdict.as_str();
    match (case.follows_estimate(), problem) {
        (false, _) => (Reason::NotCompared, "no load test is configured".to_owned()),
        (true, Some(_)) => (
            Reason::VerdictTooWeak,
            format!("no load test is configured, and capacity is only {verdict}"),
        ),
        (true, None) => (
            Reason::VerdictTooWeak,
            format!("capacity is only {verdict}, and the load test does not call for less"),
        ),
    }
}

/// No policy tracks invocations per instance: it is missing, or its metric was replaced.
fn no_policy(case: &Case<'_>, desired: &Desired) -> Comparison {
    if let Some(replaced) = case.replaced_policy().and_then(ScalingPolicy::tracking) {
        let actual = replaced.metric.summary();
        // 53 bits of the hash are exact in a double.
        let number = (fnv1a(actual.bytes()) >> 11) as f64;
        let wanted = Some(MetricSpec::invocations().summary());
        return differs(Field::MetricSpecification, Some(actual), wanted, Difference::PLAIN)
            .numbered(number);
    }
    let wanted = desired.target_value.map_or_else(
        || "a policy on invocations per instance".to_owned(),
        |value| format!("target value {}", human(value)),
    );
    differs(Field::Policy, None, Some(wanted), Difference::PLAIN)
}

/// AWS cannot rename a policy: another name is another policy on the same metric.
fn policy_name(case: &Case<'_>) -> Option<Comparison> {
    let now = &case.policy()?.name;
    // What nobody has seen before has no other name.
    let before = case.memory.policy_name.as_ref().unwrap_or(now);
    Some(if now == before {
        equal(Field::PolicyName, now.clone())
    } else {
        let (actual, desired) = (Some(now.clone()), Some(before.clone()));
        differs(Field::PolicyName, actual, desired, Difference::PLAIN)
    })
}

fn suspended(state: SuspendedState) -> Comparison {
    let none = "not suspended".to_owned();
    let comparison = if state.any() {
        let actual = format!("{} suspended", state.words());
        differs(Field::Suspended, Some(actual), Some(none), Difference::PLAIN)
    } else {
        equal(Field::Suspended, none)
    };
    comparison.numbered(f64::from(state.bits()))
}

fn target_value(actual: f64, desired: f64) -> Comparison {
    let comparison = if same_value(actual, desired) {
        equal(Field::TargetValue, human(actual))
    } else {
        let difference = Difference { actual_is_safer: actual < desired };
        differs(Field::TargetValue, Some(human(actual)), Some(human(desired)), difference)
    };
    comparison.numbered(actual)
}

/// On which side a number is the safer one.
#[derive(Clone, Copy, PartialEq)]
enum Safer {
    Higher,
    Neither,
}

fn integer(field: Field, actual: i32, desired: i32, safer: Safer) -> Comparison {
    let comparison = if actual == desired {
        equal(field, actual.to_string())
    } else {
        let difference = Difference { actual_is_safer: safer == Safer::Higher && actual > desired };
        differs(field, Some(actual.to_string()), Some(desired.to_string()), difference)
    };
    comparison.numbered(f64::from(actual))
}

pub(super) fn equal(field: Field, value: String) -> Comparison {
    let desired = Some(value.clone());
    Comparison { field, actual: Some(value), desired, number: None, relation: Relation::Equal }
}

pub(super) fn differs(
    field: Field,
    actual: Option<String>,
    desired: Option<String>,
    difference: Difference,
) -> Comparison {
    Comparison { field, actual, desired, number: None, relation: Relation::Differs(difference) }
}

pub(super) fn unknown(field: Field, why: &Why) -> Comparison {
    let relation = Relation::Unknown(why.clone());
    Comparison { field, actual: None, desired: None, number: None, relation }
}
