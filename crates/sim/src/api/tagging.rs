//! Inputs and outputs of the Resource Groups Tagging API and of SageMaker's tags, with AWS's member names.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// Only resources that have one of these values, or any where none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagFilter {
    pub key: String,
    pub values: Vec<String>,
}

shapes! {
    pub struct GetResourcesInput {
        /// Where the next page begins; empty for the first.
        pub pagination_token: Option<String>,
        /// All of them must hold.
        pub tag_filters: Vec<TagFilter>,
        pub resources_per_page: Option<i32>,
        /// Such as `sagemaker:endpoint`; all when empty.
        pub resource_type_filters: Vec<String>,
    }

    pub struct ResourceTagMapping {
        #[serde(rename = "ResourceARN")]
        pub resource_arn: String,
        pub tags: Vec<Tag>,
    }

    pub struct GetResourcesOutput {
        /// Empty on the last page.
        pub pagination_token: String,
        pub resource_tag_mapping_list: Vec<ResourceTagMapping>,
    }

    pub struct AddTagsInput {
        pub resource_arn: String,
        pub tags: Vec<Tag>,
    }

    pub struct AddTagsOutput {
        /// All tags that it has now.
        pub tags: Vec<Tag>,
    }

    pub struct DeleteTagsInput {
        pub resource_arn: String,
        pub tag_keys: Vec<String>,
    }
}
