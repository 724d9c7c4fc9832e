//! Who called, by CloudTrail's `LookupEvents`: management events of the last 90 days.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Caller, Pages};
use super::sagemaker::JsonClient;
use setpoint_core::model::checks;
use setpoint_core::model::time::Timestamp;
use setpoint_core::model::trail::{TRAIL_MAX, TrailEvent};
use setpoint_core::ports::{PortResult, Service};

const LOOKUP_EVENTS: Call = Call::new(Service::CloudTrail, "LookupEvents");
/// AWS's largest page.
const PAGE: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    events: Vec<Row>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    /// The event as JSON, in a string.
    cloud_trail_event: Option<String>,
}

pub(super) async fn callers(
    client: &JsonClient,
    caller: &Caller,
    operation: &str,
    (from, to): (Timestamp, Timestamp),
) -> PortResult<Vec<TrailEvent>> {
    let mut all = Vec::new();
    let mut pages = Pages::of(LOOKUP_EVENTS, TRAIL_MAX / PAGE + 1);
    let mut token: Option<String> = None;
    loop {
        let mut input = json!({
            "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": operation}],
            "StartTime": from.timestamp(),
            "EndTime": to.timestamp(),
            "MaxResults": PAGE,
        });
        if let Some(token) = &token {
            input["NextToken"] = json!(token);
        }
        let attempt = || client.send::<Page>(LOOKUP_EVENTS.operation, input.clone());
        let page = caller.read(LOOKUP_EVENTS, attempt).await?;
        let count = page.events.len();
        let events = page.events.into_iter().filter_map(|row| row.cloud_trail_event);
        // One that makes no sense leaves a change without a name, as one that is missing does.
        all.extend(events.filter_map(|event| understood(&event)));
        if all.len() >= TRAIL_MAX {
            return Ok(all);
        }
        token = pages.turn(count, page.next_token)?;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// What an event says; nothing when it does not say who did what and when.
fn understood(event: &str) -> Option<TrailEvent> {
    let event: Value = serde_json::from_str(event).ok()?;
    let text = |value: &Value| value.as_str().map(checks::text);
    let who = &event["userIdentity"];
    let actor = [&who["arn"], &who["invokedBy"], &who["principalId"], &who["type"]];
    Some(TrailEvent {
        at: DateTime::parse_from_rfc3339(event["eventTime"].as_str()?).ok()?.to_utc(),
        operation: text(&event["eventName"])?,
        resource: text(&event["requestParameters"]["resourceId"]),
        actor: actor.into_iter().find_map(text)?,
        source: text(&event["sourceIPAddress"]),
        refused: event["errorCode"].is_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_cloudtrail_writes_it() {
        let event = json!({
            "eventVersion": "1.08",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::123456789012:assumed-role/admin/jane",
            },
            "eventTime": "2026-11-23T09:40:31Z",
            "eventSource": "autoscaling.amazonaws.com",
            "eventName": "PutScalingPolicy",
            "sourceIPAddress": "192.0.2.7",
            "requestParameters": {"resourceId": "endpoint/e/variant/AllTraffic"},
        });
        let read = understood(&event.to_string()).unwrap();
        assert_eq!(read.actor, "arn:aws:sts::123456789012:assumed-role/admin/jane");
        assert_eq!(read.resource.as_deref(), Some("endpoint/e/variant/AllTraffic"));
        assert_eq!((read.source.as_deref(), read.refused), (Some("192.0.2.7"), false));
        let by_a_service = json!({
            "userIdentity": {"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"},
            "eventTime": "2026-11-23T09:40:31Z", "eventName": "PutScalingPolicy",
            "errorCode": "ValidationException",
        });
        let read = understood(&by_a_service.to_string()).unwrap();
        assert_eq!((read.actor.as_str(), read.refused), ("cloudformation.amazonaws.com", true));
        assert_eq!(understood("{}"), None);
    }
}
