//! Actual against desired, field by field. What is not managed is not compared; what is unknown
//! is neither equal nor different.

use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::goal::LoadTestProblem;
use crate::model::reason::Field;
use crate::model::units::{TARGET_VALUE_TOLERANCE, human};

use super::alarms;
use super::case::Case;
use super::desired::Desired;

/// One compared field.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Which field.
    pub field: Field,
    /// What AWS has, readable; absent when it does not exist or is unknown.
    pub actual: Option<String>,
    /// What is desired, readable.
    pub desired: Option<String>,
    /// How they compare.
    pub relation: Relation,
}

/// How actual and desired compare.
#[derive(Debug, Clone, PartialEq)]
pub enum Relation {
    /// AWS would behave the same.
    Equal,
    /// They differ.
    Differs(Difference),
    /// One of them is not known.
    Unknown(Why),
}

/// A difference, as far as guards need to know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The actual value as a number, to recognise it again.
    pub actual: Option<f64>,
    /// Whether what AWS has is the safer side: a lower target, a higher min or max, scale-in off
    /// (rule 16).
    pub actual_is_safer: bool,
}

impl Difference {
    /// Something is missing or is no number.
    const PLAIN: Self = Self { actual: None, actual_is_safer: false };
}

/// Compares everything that is managed, and what is watched without being managed (suspended
/// scaling, alarms).
#[must_use]
pub fn compare(case: &Case<'_>, desired: &Desired) -> Vec<Comparison> {
    if case.is_gone() || case.is_shadow() {
        return Vec::new();
    }
    let mut out = Vec::new();
    target_fields(case, desired, &mut out);
    policy_fields(case, desired, &mut out);
    out.extend(alarms::compare(case));
    out
}

fn target_fields(case: &Case<'_>, desired: &Desired, out: &mut Vec<Comparison>) {
    let managed = desired.min.is_some() || desired.max.is_some();
    match &case.snapshot.target {
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
            let suspended = target.suspended;
            out.push(if suspended.any() {
                let mut directions = Vec::new();
                for (is, word) in [
                    (suspended.scale_in, "scale-in"),
                    (suspended.scale_out, "scale-out"),
                    (suspended.scheduled, "scheduled scaling"),
                ] {
                    if is {
                        directions.push(word);
                    }
                }
                let actual = format!("{} suspended", directions.join(", "));
                let desired = Some("not suspended".to_owned());
                differs(Field::Suspended, Some(actual), desired, Difference::PLAIN)
            } else {
                equal(Field::Suspended, "not suspended".to_owned())
            });
        }
    }
}

fn policy_fields(case: &Case<'_>, desired: &Desired, out: &mut Vec<Comparison>) {
    if let Some(why) = load_test_in_doubt(case, desired) {
        out.push(unknown(Field::TargetValue, &why));
    }
    if !desired.manages_policy() {
        return;
    }
    if let Fact::Unknown(why) = &case.snapshot.policies {
        out.push(unknown(Field::Policy, why));
        return;
    }
    let Some(actual) = case.tracking() else {
        let wanted = desired.target_value.map_or_else(
            || "a policy on invocations per instance".to_owned(),
            |value| format!("target value {}", human(value)),
        );
        out.push(differs(Field::Policy, None, Some(wanted), Difference::PLAIN));
        return;
    };
    if let Some(value) = desired.target_value {
        out.push(target_value(actual.target_value, value));
    }
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
        out.push(if actual == disabled {
            equal(Field::DisableScaleIn, actual.to_string())
        } else {
            let difference =
                Difference { actual: Some(f64::from(u8::from(actual))), actual_is_safer: actual };
            let (actual, desired) = (Some(actual.to_string()), Some(disabled.to_string()));
            differs(Field::DisableScaleIn, actual, desired, difference)
        });
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

fn target_value(actual: f64, desired: f64) -> Comparison {
    if (actual - desired).abs() <= TARGET_VALUE_TOLERANCE {
        return equal(Field::TargetValue, human(actual));
    }
    let difference = Difference { actual: Some(actual), actual_is_safer: actual < desired };
    differs(Field::TargetValue, Some(human(actual)), Some(human(desired)), difference)
}

/// On which side a number is the safer one.
#[derive(Clone, Copy, PartialEq)]
enum Safer {
    Higher,
    Neither,
}

fn integer(field: Field, actual: i32, desired: i32, safer: Safer) -> Comparison {
    if actual == desired {
        return equal(field, actual.to_string());
    }
    let difference = Difference {
        actual: Some(f64::from(actual)),
        actual_is_safer: safer == Safer::Higher && actual > desired,
    };
    differs(field, Some(actual.to_string()), Some(desired.to_string()), difference)
}

fn equal(field: Field, value: String) -> Comparison {
    let desired = Some(value.clone());
    Comparison { field, actual: Some(value), desired, relation: Relation::Equal }
}

pub(super) fn differs(
    field: Field,
    actual: Option<String>,
    desired: Option<String>,
    difference: Difference,
) -> Comparison {
    Comparison { field, actual, desired, relation: Relation::Differs(difference) }
}

pub(super) fn unknown(field: Field, why: &Why) -> Comparison {
    let relation = Relation::Unknown(why.clone());
    Comparison { field, actual: None, desired: None, relation }
}
