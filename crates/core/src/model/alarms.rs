//! Whether the two alarms of a target-tracking policy are as AWS makes them (rule 20).

use std::fmt;

use super::ids::ResourceId;
use super::scaling::{Alarm, AlarmSide, AlarmState, ScalingPolicy};
use super::units::{human, same_value};

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
    ForeignThreshold { alarm: f64, policy: f64 },
    /// It has no data to judge by; a problem only while `CloudWatch` has datapoints.
    InsufficientData(AlarmSide),
}

impl AlarmProblem {
    /// The first thing wrong with the alarms that belong to `policy`. `AlarmLow`'s threshold is
    /// not looked at: its 90 % is not documented.
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
            && !same_value(alarm, tracking.target_value)
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

/// `TargetTracking-endpoint/E/variant/V-AlarmHigh-UUID`: the variant and the side. A name may hold
/// `-AlarmHigh-` too, so the last one counts: a UUID has none.
pub(super) fn target_tracking_alarm(name: &str) -> Option<(ResourceId, AlarmSide)> {
    let rest = name.strip_prefix("TargetTracking-")?;
    let last = |side: AlarmSide| Some((rest.rfind(&format!("-{}-", side.aws_name()))?, side));
    let (end, side) = last(AlarmSide::High).max(last(AlarmSide::Low))?;
    Some((rest[..end].parse().ok()?, side))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(name: &str) -> Alarm {
        Alarm {
            name: name.into(),
            state: AlarmState::Ok,
            actions_enabled: true,
            threshold: None,
            state_since: None,
        }
    }

    #[test]
    fn an_alarm_names_its_variant_whatever_the_variant_is_called() {
        for (name, resource, side) in [
            (
                "endpoint/a-b/variant/All-Traffic-AlarmLow-0f3c",
                "endpoint/a-b/variant/All-Traffic",
                AlarmSide::Low,
            ),
            (
                "endpoint/a-AlarmHigh-b/variant/v-AlarmLow-0f3c",
                "endpoint/a-AlarmHigh-b/variant/v",
                AlarmSide::Low,
            ),
            (
                "endpoint/a-AlarmLow-b/variant/v-AlarmHigh-0f3c",
                "endpoint/a-AlarmLow-b/variant/v",
                AlarmSide::High,
            ),
            (
                "endpoint/e/variant/v-AlarmHigh-w-AlarmHigh-0f3c",
                "endpoint/e/variant/v-AlarmHigh-w",
                AlarmSide::High,
            ),
        ] {
            let alarm = alarm(&format!("TargetTracking-{name}"));
            assert_eq!(alarm.resource().map(|r| r.to_string()).as_deref(), Some(resource));
            assert_eq!(alarm.side(), Some(side), "{name}");
        }
        for other in ["TargetTracking-table/orders-AlarmHigh-1", "cpu-AlarmHigh-1"] {
            assert_eq!(alarm(other).resource(), None, "{other}");
        }
    }
}
