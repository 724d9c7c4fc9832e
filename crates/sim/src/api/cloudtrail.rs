//! Inputs and outputs of CloudTrail's `LookupEvents`, with AWS's member names.

use serde::{Deserialize, Serialize};

use super::epoch;
use setpoint_core::model::time::Timestamp;

/// What an event must have; AWS takes one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LookupAttribute {
    /// `EventName`; others are not served.
    pub attribute_key: String,
    pub attribute_value: String,
}

shapes! {
    pub struct LookupEventsInput {
        pub lookup_attributes: Vec<LookupAttribute>,
        #[serde(with = "epoch::option")]
        pub start_time: Option<Timestamp>,
        #[serde(with = "epoch::option")]
        pub end_time: Option<Timestamp>,
        pub max_results: Option<i32>,
        pub next_token: Option<String>,
    }

    pub struct Event {
        pub event_name: String,
        #[serde(with = "epoch")]
        pub event_time: Timestamp,
        /// The last part of the caller's ARN.
        pub username: String,
        /// The whole event as JSON, in a string.
        pub cloud_trail_event: String,
    }

    pub struct LookupEventsOutput {
        /// One page, newest first.
        pub events: Vec<Event>,
        pub next_token: Option<String>,
    }
}
