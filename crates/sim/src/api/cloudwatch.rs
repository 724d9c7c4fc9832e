//! Inputs and outputs of CloudWatch and STS, with AWS's member names.

use serde::{Deserialize, Serialize};

use super::epoch;
use setpoint_core::model::time::Timestamp;

shapes! {
    /// An output without members.
    pub struct Empty {}

    pub struct Dimension {
        pub name: String,
        pub value: String,
    }

    pub struct Metric {
        pub namespace: String,
        pub metric_name: String,
        pub dimensions: Vec<Dimension>,
    }

    pub struct MetricStat {
        pub metric: Metric,
        /// Seconds.
        pub period: i32,
        /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or `p50` to `p99`.
        pub stat: String,
        /// Only with this unit.
        pub unit: Option<String>,
    }

    /// One query of `GetMetricData`.
    pub struct MetricDataQuery {
        pub id: String,
        /// The metric; expressions are not computed.
        pub metric_stat: Option<MetricStat>,
        /// Refused with a `ValidationError`.
        pub expression: Option<String>,
        pub label: Option<String>,
        /// Whether it is answered; true by default.
        pub return_data: Option<bool>,
        /// The owner; ignored.
        pub account_id: Option<String>,
    }

    pub struct GetMetricDataInput {
        /// At most 500.
        pub metric_data_queries: Vec<MetricDataQuery>,
        /// Inclusive.
        #[serde(with = "epoch")]
        pub start_time: Timestamp,
        /// Exclusive.
        #[serde(with = "epoch")]
        pub end_time: Timestamp,
        pub next_token: Option<String>,
        /// `TimestampDescending` (default) or `TimestampAscending`.
        pub scan_by: Option<String>,
        /// At most 100,800 (default) a page.
        pub max_datapoints: Option<i32>,
    }

    pub struct MessageData {
        pub code: String,
        pub value: String,
    }

    /// An answer, or a part of it: merge the pages by id.
    pub struct MetricDataResult {
        pub id: String,
        pub label: String,
        #[serde(with = "epoch::list")]
        pub timestamps: Vec<Timestamp>,
        pub values: Vec<f64>,
        /// `Complete`, `PartialData`, `InternalError` or `Forbidden`.
        pub status_code: String,
        pub messages: Option<Vec<MessageData>>,
    }

    pub struct GetMetricDataOutput {
        pub metric_data_results: Vec<MetricDataResult>,
        pub next_token: Option<String>,
        pub messages: Vec<MessageData>,
    }

    /// A dimension that a listed metric must have.
    pub struct DimensionFilter {
        pub name: String,
        /// With this value; with any when absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub value: Option<String>,
    }

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

    pub struct ListMetricsOutput {
        /// One page.
        pub metrics: Vec<Metric>,
        /// Where the next page begins.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub next_token: Option<String>,
    }

    pub struct DescribeAlarmsInput {
        /// Only with these names, at most 100.
        pub alarm_names: Option<Vec<String>>,
        pub alarm_name_prefix: Option<String>,
        /// Ignored: all are metric alarms.
        pub alarm_types: Option<Vec<String>>,
        pub state_value: Option<String>,
        pub action_prefix: Option<String>,
        pub max_records: Option<i32>,
        pub next_token: Option<String>,
    }

    pub struct MetricAlarm {
        pub alarm_name: String,
        pub alarm_arn: String,
        /// AWS's warning not to edit it.
        pub alarm_description: String,
        pub actions_enabled: bool,
        pub alarm_actions: Vec<String>,
        /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
        pub state_value: String,
        pub state_reason: String,
        #[serde(with = "epoch")]
        pub state_updated_timestamp: Timestamp,
        pub metric_name: Option<String>,
        pub namespace: Option<String>,
        pub statistic: Option<String>,
        pub dimensions: Vec<Dimension>,
        /// Seconds.
        pub period: Option<i32>,
        /// 3 or 15.
        pub evaluation_periods: Option<i32>,
        /// 3 or 15.
        pub datapoints_to_alarm: Option<i32>,
        pub threshold: Option<f64>,
        pub comparison_operator: String,
        #[serde(with = "epoch")]
        pub alarm_configuration_updated_timestamp: Timestamp,
    }

    pub struct DescribeAlarmsOutput {
        pub metric_alarms: Vec<MetricAlarm>,
        pub next_token: Option<String>,
    }

    /// The input of what takes alarm names.
    pub struct AlarmNamesInput {
        /// At most 100.
        pub alarm_names: Vec<String>,
    }

    /// The input of `PutMetricAlarm`, as far as an edit of a target-tracking alarm needs it.
    pub struct PutMetricAlarmInput {
        /// Which alarm; it must exist.
        pub alarm_name: String,
        /// Whether its actions run; true when absent, as in AWS.
        pub actions_enabled: Option<bool>,
        pub threshold: Option<f64>,
    }

    pub struct SetAlarmStateInput {
        pub alarm_name: String,
        pub state_value: String,
        pub state_reason: String,
        /// Ignored.
        pub state_reason_data: Option<String>,
    }

    pub struct GetCallerIdentityInput {}

    pub struct GetCallerIdentityOutput {
        pub user_id: String,
        pub account: String,
        pub arn: String,
    }
}
