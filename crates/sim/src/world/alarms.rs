//! CloudWatch alarms of target tracking, and who the caller is.

use super::World;
use super::page::Paging;
use crate::api::cloudwatch as cw;
use crate::api::scaling::TargetTrackingConfiguration;
use crate::api::{ApiError, ApiResult, Operation};
use setpoint_core::model::scaling::{AlarmSide, AlarmState};
use setpoint_core::model::time::Timestamp;

/// An alarm that Application Auto Scaling keeps for a policy.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) name: String,
    pub(super) resource: String,
    pub(super) policy_arn: String,
    pub(super) side: AlarmSide,
    pub(super) threshold: f64,
    /// Whether it watches `InvocationsPerInstance`, which this world computes.
    pub(super) watches_invocations: bool,
    pub(super) state: AlarmState,
    pub(super) since: Timestamp,
    pub(super) configured_at: Timestamp,
    pub(super) actions_enabled: bool,
    pub(super) reason: String,
}

impl Alarm {
    /// A new alarm: `INSUFFICIENT_DATA` until its first evaluation.
    pub(super) fn for_policy(
        name: &str,
        resource: &str,
        policy_arn: &str,
        tracking: &TargetTrackingConfiguration,
        now: Timestamp,
    ) -> Self {
        let low = name.contains("-AlarmLow-");
        let mut alarm = Self {
            name: name.to_owned(),
            resource: resource.to_owned(),
            policy_arn: policy_arn.to_owned(),
            side: if low { AlarmSide::Low } else { AlarmSide::High },
            threshold: 0.0,
            watches_invocations: false,
            state: AlarmState::InsufficientData,
            since: now,
            configured_at: now,
            actions_enabled: true,
            reason: "Unchecked: Initial alarm creation".to_owned(),
        };
        alarm.configure(tracking, now);
        alarm
    }

    /// Takes over the policy's target value.
    pub(super) fn configure(&mut self, tracking: &TargetTrackingConfiguration, now: Timestamp) {
        let share = if self.side == AlarmSide::Low { 0.9 } else { 1.0 };
        self.threshold = tracking.target_value * share;
        self.watches_invocations =
            tracking.predefined_metric_specification.as_ref().is_some_and(|spec| {
                spec.predefined_metric_type
                    == setpoint_core::model::scaling::INVOCATIONS_PER_INSTANCE
            });
        self.actions_enabled = true;
        self.configured_at = now;
    }

    /// How many minutes it looks at; all of them must breach.
    pub(super) const fn periods(&self) -> u8 {
        match self.side {
            AlarmSide::High => 3,
            AlarmSide::Low => 15,
        }
    }

    /// The state that the newest minutes lead to.
    pub(super) fn judge(&self, newest: &[Option<f64>]) -> AlarmState {
        let breaches = |value: f64| match self.side {
            AlarmSide::High => value > self.threshold,
            AlarmSide::Low => value < self.threshold,
        };
        if newest.iter().all(Option::is_none) {
            AlarmState::InsufficientData
        } else if newest.iter().flatten().any(|value| !breaches(*value)) {
            AlarmState::Ok
        } else if newest.len() == usize::from(self.periods()) && newest.iter().all(Option::is_some)
        {
            AlarmState::Alarm
        } else {
            // All that is there breaches, but some is missing: it stays as it is.
            self.state
        }
    }

    /// Moves to a state, remembering since when.
    pub(super) fn set(&mut self, state: AlarmState, reason: String, now: Timestamp) {
        if self.state != state {
            self.state = state;
            self.since = now;
            self.reason = reason;
        }
    }

    fn described(&self, arn: String) -> cw::MetricAlarm {
        let periods = i32::from(self.periods());
        let dimension = |name: &str, value: &str| cw::Dimension {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let parts: Vec<&str> = self.resource.split('/').collect();
        let dimensions = match parts.as_slice() {
            ["endpoint", endpoint, "variant", variant] => {
                vec![dimension("EndpointName", endpoint), dimension("VariantName", variant)]
            }
            _ => Vec::new(),
        };
        let metric = self.watches_invocations.then(|| "InvocationsPerInstance".to_owned());
        cw::MetricAlarm {
            alarm_name: self.name.clone(),
            alarm_arn: arn,
            alarm_description: format!(
                "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}.",
                self.policy_arn
            ),
            actions_enabled: self.actions_enabled,
            alarm_actions: vec![self.policy_arn.clone()],
            state_value: state_word(self.state).to_owned(),
            state_reason: self.reason.clone(),
            state_updated_timestamp: self.since,
            namespace: metric.as_ref().map(|_| "AWS/SageMaker".to_owned()),
            statistic: metric.as_ref().map(|_| "Sum".to_owned()),
            metric_name: metric,
            dimensions,
            period: Some(60),
            evaluation_periods: Some(periods),
            datapoints_to_alarm: Some(periods),
            threshold: Some(self.threshold),
            comparison_operator: match self.side {
                AlarmSide::High => "GreaterThanThreshold",
                AlarmSide::Low => "LessThanThreshold",
            }
            .to_owned(),
            alarm_configuration_updated_timestamp: self.configured_at,
        }
    }
}

pub(super) const fn state_word(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Ok => "OK",
        AlarmState::Alarm => "ALARM",
        AlarmState::InsufficientData | AlarmState::Unknown => "INSUFFICIENT_DATA",
    }
}

const ALARMS: Paging = Paging {
    operation: Operation::DescribeAlarms,
    default: 50,
    max: 100,
    member: "maxRecords",
    bad_token: "InvalidNextToken",
};

impl World {
    pub(crate) fn describe_alarms(
        &mut self,
        input: &cw::DescribeAlarmsInput,
    ) -> ApiResult<cw::DescribeAlarmsOutput> {
        let names = input.alarm_names.as_deref().filter(|names| !names.is_empty());
        let prefix = input.alarm_name_prefix.as_deref();
        if names.is_some() && prefix.is_some() {
            return Err(ApiError::new(
                "InvalidParameterCombination",
                "AlarmNames and AlarmNamePrefix cannot both be given",
            ));
        }
        let rows = self
            .alarms
            .values()
            .filter(|a| names.is_none_or(|names| names.contains(&a.name)))
            .filter(|a| prefix.is_none_or(|prefix| a.name.starts_with(prefix)))
            .filter(|a| input.state_value.as_deref().is_none_or(|s| s == state_word(a.state)))
            .filter(|a| input.action_prefix.as_ref().is_none_or(|p| a.policy_arn.starts_with(p)))
            .map(|a| a.described(self.arn("cloudwatch", &format!("alarm:{}", a.name))));
        let (metric_alarms, next_token) =
            ALARMS.page(rows, input.max_records, input.next_token.as_deref())?;
        Ok(cw::DescribeAlarmsOutput { metric_alarms, next_token })
    }

    pub(crate) fn delete_alarms(&mut self, input: &cw::AlarmNamesInput) -> ApiResult<cw::Empty> {
        self.require_alarms(&input.alarm_names)?;
        for name in &input.alarm_names {
            self.alarms.remove(name);
        }
        Ok(cw::Empty {})
    }

    fn require_alarms(&self, names: &[String]) -> ApiResult<()> {
        match names.iter().find(|name| !self.alarms.contains_key(*name)) {
            Some(name) => Err(ApiError::with_status(
                "ResourceNotFound",
                format!("The alarm {name:?} does not exist"),
                404,
            )),
            None => Ok(()),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "all operations have this form")]
    pub(crate) fn disable_alarm_actions(
        &mut self,
        input: &cw::AlarmNamesInput,
    ) -> ApiResult<cw::Empty> {
        Ok(self.enable_actions(&input.alarm_names, false))
    }

    #[expect(clippy::unnecessary_wraps, reason = "all operations have this form")]
    pub(crate) fn enable_alarm_actions(
        &mut self,
        input: &cw::AlarmNamesInput,
    ) -> ApiResult<cw::Empty> {
        Ok(self.enable_actions(&input.alarm_names, true))
    }

    fn enable_actions(&mut self, names: &[String], enabled: bool) -> cw::Empty {
        for name in names {
            if let Some(alarm) = self.alarms.get_mut(name) {
                alarm.actions_enabled = enabled;
            }
        }
        cw::Empty {}
    }

    /// Only alarms of target-tracking policies exist here, and a person may edit those.
    pub(crate) fn put_metric_alarm(
        &mut self,
        input: &cw::PutMetricAlarmInput,
    ) -> ApiResult<cw::Empty> {
        self.require_alarms(std::slice::from_ref(&input.alarm_name))?;
        let now = self.now;
        if let Some(alarm) = self.alarms.get_mut(&input.alarm_name) {
            alarm.threshold = input
                .threshold
                .filter(|threshold| threshold.is_finite())
                .ok_or_else(|| ApiError::validation("Threshold is required"))?;
            alarm.actions_enabled = input.actions_enabled.unwrap_or(true);
            alarm.configured_at = now;
        }
        Ok(cw::Empty {})
    }

    pub(crate) fn set_alarm_state(
        &mut self,
        input: &cw::SetAlarmStateInput,
    ) -> ApiResult<cw::Empty> {
        self.require_alarms(std::slice::from_ref(&input.alarm_name))?;
        let state = match input.state_value.as_str() {
            "OK" => AlarmState::Ok,
            "ALARM" => AlarmState::Alarm,
            "INSUFFICIENT_DATA" => AlarmState::InsufficientData,
            other => return Err(ApiError::validation(format!("no such alarm state: {other:?}"))),
        };
        let now = self.now;
        if let Some(alarm) = self.alarms.get_mut(&input.alarm_name) {
            alarm.set(state, input.state_reason.clone(), now);
        }
        Ok(cw::Empty {})
    }
}
