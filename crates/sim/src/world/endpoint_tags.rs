//! Tags of endpoints: SageMaker sets them, and the Resource Groups Tagging API lists them.

use std::collections::BTreeMap;

use super::World;
use super::endpoints::Endpoint;
use super::page::Paging;
use crate::api::tagging as rgt;
use crate::api::{ApiError, ApiResult, Operation, sagemaker as sm};

const RESOURCES: Paging = Paging {
    operation: Operation::GetResources,
    default: 50,
    max: 100,
    member: "resourcesPerPage",
    bad_token: "PaginationTokenExpiredException",
};
/// The only kind of resource here whose tags are kept for this API.
const KIND: &str = "sagemaker:endpoint";

fn listed(tags: &BTreeMap<String, String>) -> Vec<rgt::Tag> {
    let tag =
        |(key, value): (&String, &String)| rgt::Tag { key: key.clone(), value: value.clone() };
    tags.iter().map(tag).collect()
}

impl World {
    fn tagged_endpoint(&mut self, arn: &str) -> ApiResult<&mut Endpoint> {
        let names: Vec<String> = self.endpoints.keys().cloned().collect();
        let name = names.into_iter().find(|name| self.sagemaker_arn("endpoint", name) == arn);
        name.and_then(|name| self.endpoints.get_mut(&name)).ok_or_else(|| {
            ApiError::validation(format!("The resource {arn:?} does not exist or cannot be tagged"))
        })
    }

    pub(crate) fn add_tags(&mut self, input: &rgt::AddTagsInput) -> ApiResult<rgt::AddTagsOutput> {
        let more: BTreeMap<String, String> =
            input.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        let endpoint = self.tagged_endpoint(&input.resource_arn)?;
        super::tags::check(&endpoint.tags, &more)?;
        endpoint.tags.extend(more);
        Ok(rgt::AddTagsOutput { tags: listed(&endpoint.tags) })
    }

    pub(crate) fn delete_tags(&mut self, input: &rgt::DeleteTagsInput) -> ApiResult<sm::Empty> {
        let endpoint = self.tagged_endpoint(&input.resource_arn)?;
        endpoint.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(sm::Empty::default())
    }

    pub(crate) fn get_resources(
        &mut self,
        input: &rgt::GetResourcesInput,
    ) -> ApiResult<rgt::GetResourcesOutput> {
        let kinds = &input.resource_type_filters;
        let wanted =
            kinds.is_empty() || kinds.iter().any(|kind| kind == KIND || kind == "sagemaker");
        let has = |endpoint: &Endpoint, filter: &rgt::TagFilter| {
            endpoint
                .tags
                .get(&filter.key)
                .is_some_and(|value| filter.values.is_empty() || filter.values.contains(value))
        };
        // One that never had tags is not listed.
        let found = self.endpoints.values().filter(|e| wanted && !e.tags.is_empty());
        let found = found.filter(|e| input.tag_filters.iter().all(|filter| has(e, filter)));
        let rows = found.map(|e| rgt::ResourceTagMapping {
            resource_arn: self.sagemaker_arn("endpoint", &e.name),
            tags: listed(&e.tags),
        });
        let token = input.pagination_token.as_deref().filter(|token| !token.is_empty());
        let (resource_tag_mapping_list, next) =
            RESOURCES.page(rows, input.resources_per_page, token)?;
        let pagination_token = next.unwrap_or_default();
        Ok(rgt::GetResourcesOutput { pagination_token, resource_tag_mapping_list })
    }
}
