//! CloudTrail: who changed what of a scalable target, 15 minutes later.

use std::collections::VecDeque;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;

use super::World;
use super::page::Paging;
use crate::api::cloudtrail as ct;
use crate::api::{ApiError, ApiResult, Operation};
use crate::scenario::Change;
use setpoint_core::model::time::Timestamp;

const EVENTS: Paging = Paging {
    operation: Operation::LookupEvents,
    default: 50,
    max: 50,
    member: "maxResults",
    bad_token: "InvalidNextTokenException",
};
/// AWS says that an event is there within 15 minutes, typically in 5; here it always takes the longest.
const DELAY: TimeDelta = TimeDelta::minutes(15);
/// The most events kept.
const KEPT: usize = 10_000;
/// Who makes the changes of a script.
const PERSON: &str = "user/person";
/// Who calls AWS's operations with any keys.
const KEYS: &str = "user/keys";

/// What happened, oldest first.
#[derive(Debug, Default)]
pub(super) struct Trail(VecDeque<Recorded>);

#[derive(Debug)]
struct Recorded {
    at: Timestamp,
    operation: &'static str,
    resource: Option<String>,
    /// The end of the caller's ARN.
    by: &'static str,
    error: Option<String>,
}

impl World {
    pub(super) fn note_call(
        &mut self,
        operation: Operation,
        input: &serde_json::Value,
        error: Option<String>,
    ) {
        let resource = input["ResourceId"].as_str().map(str::to_owned);
        self.note(operation.as_str(), resource, KEYS, error);
    }

    /// Notes a change that a script has made.
    pub(super) fn note_change(&mut self, change: &Change) {
        let (operation, variant) = match change {
            Change::EditPolicy { variant, .. } => ("PutScalingPolicy", variant),
            Change::DeletePolicy { variant } => ("DeleteScalingPolicy", variant),
            Change::EditTarget { variant, .. } => ("RegisterScalableTarget", variant),
            Change::Deregister { variant } => ("DeregisterScalableTarget", variant),
            _ => return,
        };
        let resource = super::scripts::resource_of(variant);
        self.note(operation, Some(resource), PERSON, None);
    }

    fn note(
        &mut self,
        operation: &'static str,
        resource: Option<String>,
        by: &'static str,
        error: Option<String>,
    ) {
        let trail = &mut self.trail.0;
        if trail.len() >= KEPT {
            trail.pop_front();
        }
        trail.push_back(Recorded { at: self.now, operation, resource, by, error });
    }

    pub(crate) fn lookup_events(
        &mut self,
        input: &ct::LookupEventsInput,
    ) -> ApiResult<ct::LookupEventsOutput> {
        let name = match input.lookup_attributes.as_slice() {
            [] => None,
            [one] if one.attribute_key == "EventName" => Some(one.attribute_value.as_str()),
            _ => {
                return Err(ApiError::new(
                    "InvalidLookupAttributesException",
                    "one lookup attribute, and of those only EventName is served here",
                ));
            }
        };
        let known_until = self.now - DELAY;
        let found = self.trail.0.iter().rev().filter(|event| {
            event.at <= known_until
                && name.is_none_or(|name| event.operation == name)
                // Whole seconds, as AWS keeps them.
                && input.start_time.is_none_or(|from| event.at.timestamp() >= from.timestamp())
                && input.end_time.is_none_or(|to| event.at.timestamp() <= to.timestamp())
        });
        let rows = found.map(|event| self.shown(event));
        let (events, next_token) =
            EVENTS.page(rows, input.max_results, input.next_token.as_deref())?;
        Ok(ct::LookupEventsOutput { events, next_token })
    }

    fn shown(&self, event: &Recorded) -> ct::Event {
        let account = &self.settings.account_id;
        let mut whole = json!({
            "eventVersion": "1.08",
            "userIdentity": {
                "type": "IAMUser",
                "arn": format!("arn:aws:iam::{account}:{}", event.by),
                "accountId": account.as_str(),
            },
            "eventTime": event.at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "eventSource": "autoscaling.amazonaws.com",
            "eventName": event.operation,
            "awsRegion": self.settings.region.as_str(),
            "sourceIPAddress": "192.0.2.1",
            "requestParameters": {"serviceNamespace": "sagemaker", "resourceId": event.resource},
        });
        if let Some(code) = &event.error {
            whole["errorCode"] = json!(code);
        }
        ct::Event {
            event_name: event.operation.to_owned(),
            event_time: event.at,
            username: event.by.rsplit('/').next().unwrap_or_default().to_owned(),
            cloud_trail_event: whole.to_string(),
        }
    }
}
