//! Whether the two alarms of a target-tracking policy are as AWS makes them (rule 20).

use std::fmt;

use super::scaling::{Alarm, AlarmSide, AlarmState, ScalingPolicy};
use super::units::{TARGET_VALUE_TOLERANCE, human};

/// What is wrong with the alarms of a policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AlarmProblem {
    /// Neither is there.
    BothMissing,
    /// One is not there.
    Missing(AlarmSide),
    /// Somebody disabled its actions: it rings and nothing happens.
    ActionsDisabled(AlarmSide),
    /// `AlarmHigh` compares with another value than the policy's.
    ForeignThreshold {
        /// What the alarm compares with.
        alarm: f64,
        /// What the policy says.
        policy: f64,
    },
    /// It has no data to judge by; a problem only while `CloudWatch` has datapoints.
    InsufficientData(AlarmSide),
}

impl AlarmProblem {
    /// The first thing wrong with the alarms that belong to `policy`. `AlarmLow`'s threshold is
    /// not looked at: its 90 % is not documented.
    #[must_use]
    pub fn of(policy: &ScalingPolicy, alarms: &[Alarm]) -> Option<Self> {
        let own = |side: AlarmSide| alarms.iter().find(|a| belongs(policy, a, side));
        let tracking = policy.invocations_tracking()?;
        let (high, low) = (own(AlarmSide::High), own(AlarmSide::Low));
        match (high, low) {
            (None, None) => return Some(Self::BothMissing),
            (None, Some(_)) => return Some(Self::Missing(AlarmSide::High)),
            // AWS keeps no AlarmLow for a policy that may not scale in.
            (Some(_), None) if !tracking.scale_in_disabled() => {
                return Some(Self::Missing(AlarmSide::Low));
            }
            _ => {}
        }
        let both = [(AlarmSide::High, high), (AlarmSide::Low, low)];
        let first = |is: fn(&Alarm) -> bool| {
            both.iter().find(|(_, alarm)| alarm.is_some_and(is)).map(|(side, _)| *side)
        };
        if let Some(side) = first(|alarm| !alarm.actions_enabled) {
            return Some(Self::ActionsDisabled(side));
        }
        if let Some(alarm) = high.and_then(|alarm| alarm.threshold)
            && (alarm - tracking.target_value).abs() > TARGET_VALUE_TOLERANCE
        {
            return Some(Self::ForeignThreshold { alarm, policy: tracking.target_value });
        }
        first(|alarm| alarm.state == AlarmState::InsufficientData).map(Self::InsufficientData)
    }
}

/// Whether an alarm is the policy's on that side: AWS names it, or, where AWS does not say which are
/// the policy's, it is called as those of this variant are.
fn belongs(policy: &ScalingPolicy, alarm: &Alarm, side: AlarmSide) -> bool {
    let named = match &policy.alarm_names {
        Some(names) => names.contains(&alarm.name),
        None => alarm.resource().as_ref() == Some(&policy.resource),
    };
    named && alarm.side() == Some(side)
}

impl fmt::Display for AlarmProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BothMissing => f.write_str("both alarms are missing"),
            Self::Missing(side) => write!(f, "{} is missing", side.aws_name()),
            Self::ActionsDisabled(side) => {
                write!(f, "the actions of {} are disabled", side.aws_name())
            }
            Self::ForeignThreshold { alarm, policy } => write!(
                f,
                "AlarmHigh compares with {}, the policy says {}",
                human(*alarm),
                human(*policy)
            ),
            Self::InsufficientData(side) => write!(
                f,
                "{} says INSUFFICIENT_DATA while CloudWatch has datapoints",
                side.aws_name()
            ),
        }
    }
}
