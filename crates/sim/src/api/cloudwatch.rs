//! Inputs and outputs of CloudWatch and STS, with AWS's member names.

use serde::{Deserialize, Serialize};

use super::epoch;
use setpoint_core::model::time::Timestamp;

/// An output without members.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Empty {}

/// A dimension of a metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Dimension {
    /// `EndpointName` or `VariantName`.
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Metric {
    /// `AWS/SageMaker`.
    pub namespace: String,
    pub metric_name: String,
    pub dimensions: Vec<Dimension>,
}

/// A statistic of a metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricStat {
    pub metric: Metric,
    /// Seconds.
    pub period: i32,
    /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or `p50` to `p99`.
    pub stat: String,
    /// Only with this unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// One query of `GetMetricData`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricDataQuery {
    /// Names the answer.
    pub id: String,
    /// The metric; expressions are not computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_stat: Option<MetricStat>,
    /// Refused with a `ValidationError`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether it is answered; true by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_data: Option<bool>,
    /// The owner; ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetMetricDataInput {
    /// At most 500.
    pub metric_data_queries: Vec<MetricDataQuery>,
    /// Inclusive.
    #[serde(with = "epoch")]
    pub start_time: Timestamp,
    /// Exclusive.
    #[serde(with = "epoch")]
    pub end_time: Timestamp,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    /// `TimestampDescending` (default) or `TimestampAscending`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan_by: Option<String>,
    /// At most 100,800 (default) a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_datapoints: Option<i32>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MessageData {
    pub code: String,
    /// Its text.
    pub value: String,
}

/// An answer, or a part of it: merge the pages by id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricDataResult {
    /// Of the query.
    pub id: String,
    /// Of the query, or the metric's name.
    pub label: String,
    /// Starts of periods.
    #[serde(with = "epoch::list")]
    pub timestamps: Vec<Timestamp>,
    /// As many values.
    pub values: Vec<f64>,
    /// `Complete`, `PartialData`, `InternalError` or `Forbidden`.
    pub status_code: String,
    /// About this answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<MessageData>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetMetricDataOutput {
    /// One page.
    pub metric_data_results: Vec<MetricDataResult>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
    /// About all.
    pub messages: Vec<MessageData>,
}

/// A dimension that a listed metric must have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DimensionFilter {
    pub name: String,
    /// With this value; with any when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListMetricsInput {
    /// Only in this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_name: Option<String>,
    /// Only with all of these.
    pub dimensions: Vec<DimensionFilter>,
    /// `PT3H`: only with datapoints in the last three hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recently_active: Option<String>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListMetricsOutput {
    /// One page.
    pub metrics: Vec<Metric>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAlarmsInput {
    /// Only with these names, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_names: Option<Vec<String>>,
    /// Only names that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_name_prefix: Option<String>,
    /// Ignored: all are metric alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_types: Option<Vec<String>>,
    /// Only in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_value: Option<String>,
    /// Only with such an action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_prefix: Option<String>,
    /// The page size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_records: Option<i32>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MetricAlarm {
    pub alarm_name: String,
    pub alarm_arn: String,
    /// AWS's warning not to edit it.
    pub alarm_description: String,
    /// Whether its actions run.
    pub actions_enabled: bool,
    /// The policy's ARN.
    pub alarm_actions: Vec<String>,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state_value: String,
    /// Why.
    pub state_reason: String,
    /// Since when.
    #[serde(with = "epoch")]
    pub state_updated_timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<String>,
    /// Of which variant.
    pub dimensions: Vec<Dimension>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<i32>,
    /// 3 or 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation_periods: Option<i32>,
    /// 3 or 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datapoints_to_alarm: Option<i32>,
    /// What it compares with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// How.
    pub comparison_operator: String,
    /// When it was put.
    #[serde(with = "epoch")]
    pub alarm_configuration_updated_timestamp: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAlarmsOutput {
    /// One page, by name.
    pub metric_alarms: Vec<MetricAlarm>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// The input of what takes alarm names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AlarmNamesInput {
    /// At most 100.
    pub alarm_names: Vec<String>,
}

/// The input of `PutMetricAlarm`, as far as an edit of a target-tracking alarm needs it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutMetricAlarmInput {
    /// Which alarm; it must exist.
    pub alarm_name: String,
    /// Whether its actions run; true when absent, as in AWS.
    pub actions_enabled: Option<bool>,
    /// What it compares with.
    pub threshold: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetAlarmStateInput {
    pub alarm_name: String,
    /// The new state.
    pub state_value: String,
    /// Why.
    pub state_reason: String,
    /// Ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason_data: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetCallerIdentityInput {}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetCallerIdentityOutput {
    /// The caller's id.
    pub user_id: String,
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}
