//! What comes in from AWS, before anything parses it: of bounded size, and with a mark where a
//! number is missing.
//!
//! The SDK's types have a zero where AWS left out a required number, and refuse a whole listing for
//! one number that is too large. Both are mended here, so that the checks of `model::checks` see
//! what AWS said, row by row.

mod whole;

use std::fmt;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

use setpoint_core::model::checks::NOT_STATED;

/// The largest answer that is read. The largest that AWS gives to what is asked here are 100,800
/// datapoints of `GetMetricData`, some 2 MiB.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// An answer of more than [`MAX_ANSWER_BYTES`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than {} MiB, which none of AWS's is", MAX_ANSWER_BYTES >> 20)]
pub(super) struct TooLarge;

/// The same HTTP client behind the border.
pub(super) fn guarded(http: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(Guarded(http))
}

#[derive(Debug)]
struct Guarded<T>(T);

impl HttpClient for Guarded<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Guarded(self.0.http_connector(settings, components)))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.validate_final_config(components, config)
    }
}

impl HttpConnector for Guarded<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let listing = Listing::of(target);
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { read(answer.await?, listing).await })
    }
}

/// Reads an answer whole.
async fn read(
    mut response: HttpResponse,
    listing: Option<Listing>,
) -> Result<HttpResponse, ConnectorError> {
    let announced = response.headers().get("content-length");
    let announced: Option<u64> = announced.and_then(|length| length.parse().ok());
    if announced.is_some_and(|n| n > MAX_ANSWER_BYTES as u64) {
        return Err(too_large());
    }
    let mut stream = ByteStream::new(std::mem::replace(response.body_mut(), SdkBody::taken()));
    let mut body = Vec::with_capacity(announced.unwrap_or(0) as usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| ConnectorError::io(error.into()))?;
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    if let Some(listing) = listing.filter(|_| response.status().is_success())
        && let Some(marked) = listing.mark(&body)
    {
        body = marked;
        response.headers_mut().remove("content-length");
    }
    *response.body_mut() = SdkBody::from(body);
    Ok(response)
}

fn too_large() -> ConnectorError {
    ConnectorError::other(TooLarge.into(), None)
}

/// A listing of Application Auto Scaling whose rows hold required numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    Targets,
    Policies,
    ScheduledActions,
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.member())
    }
}

impl Listing {
    fn of(target: &str) -> Option<Self> {
        match target.strip_prefix("AnyScaleFrontendService.")? {
            "DescribeScalableTargets" => Some(Self::Targets),
            "DescribeScalingPolicies" => Some(Self::Policies),
            "DescribeScheduledActions" => Some(Self::ScheduledActions),
            _ => None,
        }
    }

    const fn member(self) -> &'static str {
        match self {
            Self::Targets => "ScalableTargets",
            Self::Policies => "ScalingPolicies",
            Self::ScheduledActions => "ScheduledActions",
        }
    }

    /// The body with a mark wherever a row lacks a number that the SDK would make up, or has one
    /// that the SDK cannot hold. None when there is nothing to mark.
    fn mark(self, body: &[u8]) -> Option<Vec<u8>> {
        if self.is_whole(body) { None } else { self.marked(body) }
    }

    /// The same by the tree of the whole answer.
    fn marked(self, body: &[u8]) -> Option<Vec<u8>> {
        let mut answer: Value = serde_json::from_slice(body).ok()?;
        let mut marked = false;
        for row in answer.get_mut(self.member())?.as_array_mut()? {
            marked |= self.mark_row(row);
        }
        if marked { serde_json::to_vec(&answer).ok() } else { None }
    }

    fn mark_row(self, row: &mut Value) -> bool {
        match self {
            Self::Targets => integer(row, "MinCapacity", true) | integer(row, "MaxCapacity", true),
            Self::Policies => {
                let tracking = row.get_mut("TargetTrackingScalingPolicyConfiguration");
                tracking.filter(|tracking| tracking.is_object()).is_some_and(|tracking| {
                    number(tracking, "TargetValue")
                        | integer(tracking, "ScaleOutCooldown", false)
                        | integer(tracking, "ScaleInCooldown", false)
                })
            }
            Self::ScheduledActions => {
                let action =
                    row.get_mut("ScalableTargetAction").filter(|action| action.is_object());
                action.is_some_and(|action| {
                    integer(action, "MinCapacity", false) | integer(action, "MaxCapacity", false)
                })
            }
        }
    }
}

/// Marks a member that should be a whole number of 32 bits and is none.
fn integer(row: &mut Value, member: &str, required: bool) -> bool {
    let held = match row.get(member) {
        None | Some(Value::Null) => !required,
        Some(value) => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
    };
    if !held && row.is_object() {
        row[member] = NOT_STATED.into();
    }
    !held
}

/// Marks a member that should be a number and is none. The SDK reads these words as numbers.
fn number(row: &mut Value, member: &str) -> bool {
    let held = match row.get(member) {
        Some(Value::Number(_)) => true,
        Some(Value::String(word)) => ["NaN", "Infinity", "-Infinity"].contains(&word.as_str()),
        _ => false,
    };
    if !held && row.is_object() {
        row[member] = "NaN".into();
    }
    !held
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn marked(listing: Listing, body: &Value) -> Option<Value> {
        listing.mark(body.to_string().as_bytes()).map(|b| serde_json::from_slice(&b).unwrap())
    }

    #[test]
    fn what_is_missing_is_marked_and_the_rest_left_alone() {
        let body = json!({"ScalableTargets": [
            {"ResourceId": "a", "MinCapacity": 1, "MaxCapacity": 4},
            {"ResourceId": "b", "MinCapacity": null, "MaxCapacity": 1e10},
        ], "NextToken": "t"});
        let marked_body = marked(Listing::Targets, &body).unwrap();
        assert_eq!(marked_body["ScalableTargets"][0], body["ScalableTargets"][0]);
        assert_eq!(marked_body["ScalableTargets"][1]["MinCapacity"], NOT_STATED);
        assert_eq!(marked_body["ScalableTargets"][1]["MaxCapacity"], NOT_STATED);
        assert_eq!(marked_body["NextToken"], "t");
        let whole = json!({"ScalableTargets": [body["ScalableTargets"][0]]});
        assert_eq!(marked(Listing::Targets, &whole), None);
        assert_eq!(Listing::Targets.mark(b"<html>"), None);
    }

    #[test]
    fn optional_numbers_may_be_absent_and_no_nonsense() {
        let policy = |tracking: Value| json!({"ScalingPolicies": [{"TargetTrackingScalingPolicyConfiguration": tracking}]});
        let whole = policy(json!({"TargetValue": 600.0, "ScaleInCooldown": null}));
        assert_eq!(marked(Listing::Policies, &whole), None);
        let infinite = policy(json!({"TargetValue": "Infinity"}));
        assert_eq!(marked(Listing::Policies, &infinite), None, "the SDK reads that");
        for wrong in [json!({}), json!({"TargetValue": "many"}), json!({"TargetValue": null})] {
            let marked = marked(Listing::Policies, &policy(wrong)).unwrap();
            let tracking =
                &marked["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"];
            assert_eq!(tracking["TargetValue"], "NaN");
        }
        let step = json!({"ScalingPolicies": [{"PolicyType": "StepScaling"}]});
        assert_eq!(marked(Listing::Policies, &step), None);
        let action = json!({"ScheduledActions": [{"ScalableTargetAction": {"MinCapacity": 1.5}}]});
        assert!(marked(Listing::ScheduledActions, &action).is_some());
    }
}
