//! The two alarms of a managed policy (rule 20). They are AWS's: never edited, only watched.

use chrono::TimeDelta;

use crate::model::fact::Fact;
use crate::model::reason::Field;
use crate::model::scaling::{Alarm, AlarmSide, AlarmState, ScalingPolicy, TargetTracking};
use crate::model::units::{TARGET_VALUE_TOLERANCE, human};

use super::case::Case;
use super::compare::{Comparison, Difference, Relation, differs, unknown};

/// After a write AWS needs a while until its alarms have data again.
const QUIET_AFTER_WRITE: TimeDelta = TimeDelta::minutes(30);

/// Compares the alarms with the policy they belong to; nothing to say without a policy.
#[must_use]
pub fn compare(case: &Case<'_>) -> Option<Comparison> {
    let policy = case.policy()?;
    let alarms = match &case.snapshot.alarms {
        Fact::Unknown(why) => return Some(unknown(Field::Alarms, why)),
        Fact::Known(alarms) => alarms,
    };
    let desired = "both alarms in place".to_owned();
    Some(match problem(case, policy, alarms) {
        Some(problem) => {
            let difference = Difference { actual: None, actual_is_safer: false };
            differs(Field::Alarms, Some(problem), Some(desired), difference)
        }
        None => Comparison {
            field: Field::Alarms,
            actual: Some(desired.clone()),
            desired: Some(desired),
            relation: Relation::Equal,
        },
    })
}

/// What is wrong with the alarms, as a fragment.
fn problem(case: &Case<'_>, policy: &ScalingPolicy, alarms: &[Alarm]) -> Option<String> {
    let own = |side: AlarmSide| {
        alarms.iter().find(|a| a.side() == Some(side) && policy.alarm_names.contains(&a.name))
    };
    let (high, low) = (own(AlarmSide::High), own(AlarmSide::Low));
    let scale_in_disabled =
        policy.invocations_tracking().is_some_and(TargetTracking::scale_in_disabled);
    match (high, low) {
        (None, None) => return Some("both alarms are missing".to_owned()),
        (None, Some(_)) => return Some("AlarmHigh is missing".to_owned()),
        // AWS keeps no AlarmLow for a policy that may not scale in.
        (Some(_), None) if !scale_in_disabled => return Some("AlarmLow is missing".to_owned()),
        _ => {}
    }
    for (alarm, word) in [(high, "AlarmHigh"), (low, "AlarmLow")] {
        let Some(alarm) = alarm else { continue };
        if !alarm.actions_enabled {
            return Some(format!("the actions of {word} are disabled"));
        }
        if alarm.state == AlarmState::InsufficientData && has_data(case) && !just_written(case) {
            return Some(format!("{word} says INSUFFICIENT_DATA while CloudWatch has datapoints"));
        }
    }
    // Only AlarmHigh's threshold is documented to be the target value.
    let threshold = high.and_then(|alarm| alarm.threshold)?;
    let target = case.configured_target()?;
    ((threshold - target).abs() > TARGET_VALUE_TOLERANCE).then(|| {
        format!("AlarmHigh compares with {}, the policy says {}", human(threshold), human(target))
    })
}

/// Whether CloudWatch has recent datapoints; without, `INSUFFICIENT_DATA` is what it should say.
fn has_data(case: &Case<'_>) -> bool {
    case.fresh_telemetry().is_ok()
}

fn just_written(case: &Case<'_>) -> bool {
    case.memory.writes.last().is_some_and(|at| case.now - *at < QUIET_AFTER_WRITE)
}
