//! The tags of endpoints, by the Resource Groups Tagging API: a call for 100 endpoints, where
//! `sagemaker:ListTags` takes one for each.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::call::{Call, Caller, Pages};
use super::error::Failure;
use super::sagemaker::JsonClient;
use setpoint_core::model::tags::EndpointTags;
use setpoint_core::ports::{PortResult, Service};

const GET_RESOURCES: Call = Call::new(Service::Tagging, "GetResources");
/// The longest listing that is read: 100,000 endpoints.
const MAX_PAGES: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    resource_tag_mapping_list: Vec<Row>,
    /// Empty on the last page.
    pagination_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(default)]
    tags: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    key: String,
    value: String,
}

/// All of them. A row that makes no sense is an error: what it hides would be taken for an endpoint
/// without tags.
pub(super) async fn of_endpoints(client: &JsonClient, caller: &Caller) -> PortResult<EndpointTags> {
    let mut all = EndpointTags::default();
    let mut pages = Pages::of(GET_RESOURCES, MAX_PAGES);
    let mut token: Option<String> = None;
    loop {
        let mut input =
            json!({"ResourcesPerPage": 100, "ResourceTypeFilters": ["sagemaker:endpoint"]});
        if let Some(token) = &token {
            input["PaginationToken"] = json!(token);
        }
        let attempt = || client.send::<Page>(GET_RESOURCES.operation, input.clone());
        let page = caller.read(GET_RESOURCES, attempt).await?;
        let count = page.resource_tag_mapping_list.len();
        for row in page.resource_tag_mapping_list {
            let Some(name) = name_of(&row.arn) else {
                let failure = Failure::garbage(format!("{:?} is not an endpoint's ARN", row.arn));
                return Err(failure.into_port_error(GET_RESOURCES.service, GET_RESOURCES.operation));
            };
            let tags: BTreeMap<String, String> =
                row.tags.into_iter().map(|pair| (pair.key, pair.value)).collect();
            all.insert(name, tags);
        }
        token = pages.turn(count, page.pagination_token.filter(|token| !token.is_empty()))?;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// `NAME` of `arn:aws:sagemaker:REGION:ACCOUNT:endpoint/NAME`.
fn name_of(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":endpoint/")?;
    Some(name).filter(|name| !name.is_empty() && !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn the_name_is_what_follows_the_kind() {
        assert_eq!(name_of("arn:aws:sagemaker:us-east-1:123456789012:endpoint/a-b"), Some("a-b"));
        assert_eq!(name_of("arn:aws:sagemaker:us-east-1:123456789012:model/a"), None);
        assert_eq!(name_of("arn:aws:sagemaker:us-east-1:123456789012:endpoint/"), None);
    }
}
