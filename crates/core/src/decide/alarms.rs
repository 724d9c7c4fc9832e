//! The two alarms of a managed policy (rule 20). They are AWS's and never edited: what is wrong with
//! them is mended by putting the policy again, at most once a day.

use chrono::TimeDelta;

use crate::model::alarms::AlarmProblem;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::reason::{Field, Reason};

use super::case::Case;
use super::checks::Hold;
use super::compare::{Comparison, Difference, differs, equal, unknown};

/// After a write AWS needs a while until its alarms have data again.
const BLIND_AFTER_WRITE: TimeDelta = TimeDelta::minutes(30);
/// After a write AWS may still be making its alarms, and listings may show those from before.
const SETTLING_AFTER_WRITE: TimeDelta = TimeDelta::minutes(5);
/// Putting the policy again to fix its alarms happens at most so often.
pub const REPAIRED_EVERY: TimeDelta = TimeDelta::hours(24);

/// Compares the alarms with the policy they belong to; nothing to say without a policy.
pub fn compare(case: &Case<'_>) -> Option<Comparison> {
    case.policy()?;
    if let Fact::Unknown(why) = &*case.snapshot.alarms {
        return Some(unknown(Field::Alarms, why));
    }
    let desired = "both alarms in place".to_owned();
    Some(match problem(case) {
        // What AWS does not say is not absent.
        Some(AlarmProblem::BothMissing | AlarmProblem::Missing(_))
            if case.policy()?.alarm_names.is_none() =>
        {
            let sentence = "AWS does not say which alarms belong to the policy, and setpoint cannot \
                            find both by name";
            unknown(Field::Alarms, &Why::new(WhyKind::NotFound, sentence))
        }
        Some(problem) => {
            let actual = Some(problem.to_string());
            differs(Field::Alarms, actual, Some(desired), Difference::PLAIN)
        }
        None => equal(Field::Alarms, desired),
    })
}

/// What is wrong with the alarms, as far as that is known.
fn problem(case: &Case<'_>) -> Option<AlarmProblem> {
    let (policy, alarms) = (case.policy()?, case.snapshot.alarms.known()?);
    AlarmProblem::of(policy, alarms).filter(|problem| {
        // Without datapoints INSUFFICIENT_DATA is what an alarm should say.
        !matches!(problem, AlarmProblem::InsufficientData(_))
            || (case.fresh_telemetry().is_ok()
                && !written_within(case, BLIND_AFTER_WRITE)
                && policy.created_at.is_none_or(|at| case.now - at >= BLIND_AFTER_WRITE))
    })
}

fn written_within(case: &Case<'_>, span: TimeDelta) -> bool {
    case.memory.writes.last().is_some_and(|at| case.now - *at < span)
}

/// Why the policy is not put again now to fix its alarms.
pub(super) fn hold(case: &Case<'_>, manages_policy: bool) -> Option<Hold> {
    if !manages_policy {
        let sentence = "the configuration manages no field of the policy that they belong to";
        return Some(Hold::new(Reason::Alarms, sentence));
    }
    if let Some(at) = case.memory.alarms_repaired_at
        && case.now - at < REPAIRED_EVERY
    {
        let until = at + REPAIRED_EVERY;
        let sentence = format!(
            "setpoint rewrote the policy to repair them at {}, and does so at most once in 24 hours",
            at.format("%FT%TZ")
        );
        return Some(Hold::until(Reason::AlarmNotRepairable, sentence, until));
    }
    let last = case.memory.writes.last().filter(|_| written_within(case, SETTLING_AFTER_WRITE))?;
    let until = *last + SETTLING_AFTER_WRITE;
    let sentence = format!("AWS may still be creating them, until {}", until.format("%FT%TZ"));
    Some(Hold::until(Reason::Alarms, sentence, until))
}
