//! Tags of scalable targets, within AWS's limits. They go with their target, and no description
//! of it shows them.

use std::collections::BTreeMap;

use super::World;
use super::targets::Target;
use crate::api::scaling as aas;
use crate::api::{ApiError, ApiResult};

/// The most tags that a resource has.
const TAGS_MAX: usize = 50;
/// The longest key, in characters.
const KEY_MAX: usize = 128;
/// The longest value, in characters.
const VALUE_MAX: usize = 256;

/// What AWS keeps for itself, in any case.
const RESERVED: &str = "aws:";

/// `aws tag restrictions`: letters, digits and spaces of any script, and these.
fn is_allowed(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c))
}

/// Refuses tags that AWS would refuse, before any of them is set.
pub(super) fn check(
    before: &BTreeMap<String, String>,
    more: &BTreeMap<String, String>,
) -> ApiResult<()> {
    for (key, value) in more {
        let length = key.chars().count();
        if !(1..=KEY_MAX).contains(&length) || !is_allowed(key) {
            return Err(ApiError::validation(format!(
                "Value {key:?} at 'tags' failed to satisfy constraint: a key has 1 to {KEY_MAX} \
                 letters, digits, spaces and + - = . _ : / @"
            )));
        }
        if key.to_ascii_lowercase().starts_with(RESERVED) {
            return Err(ApiError::validation(format!("{key:?}: aws: is reserved for AWS's own")));
        }
        if value.chars().count() > VALUE_MAX || !is_allowed(value) {
            return Err(ApiError::validation(format!(
                "Value {value:?} of {key:?} at 'tags' failed to satisfy constraint: a value has at \
                 most {VALUE_MAX} letters, digits, spaces and + - = . _ : / @"
            )));
        }
    }
    let new = more.keys().filter(|key| !before.contains_key(*key)).count();
    if before.len() + new > TAGS_MAX {
        let message = format!("a resource has at most {TAGS_MAX} tags");
        return Err(ApiError::new("TooManyTagsException", message));
    }
    Ok(())
}

impl World {
    fn target_by_arn(&mut self, arn: &str) -> ApiResult<&mut Target> {
        self.targets.values_mut().find(|t| t.arn.as_deref() == Some(arn)).ok_or_else(|| {
            ApiError::new(
                "ResourceNotFoundException",
                format!("The resource {arn:?} doesn't exist"),
            )
        })
    }

    pub(crate) fn tag_resource(&mut self, input: &aas::TagResourceInput) -> ApiResult<aas::Empty> {
        let target = self.target_by_arn(&input.resource_arn)?;
        check(&target.tags, &input.tags)?;
        target.tags.extend(input.tags.clone());
        Ok(aas::Empty {})
    }

    pub(crate) fn untag_resource(
        &mut self,
        input: &aas::UntagResourceInput,
    ) -> ApiResult<aas::Empty> {
        let target = self.target_by_arn(&input.resource_arn)?;
        target.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(aas::Empty {})
    }

    pub(crate) fn list_tags_for_resource(
        &mut self,
        input: &aas::ListTagsForResourceInput,
    ) -> ApiResult<aas::ListTagsForResourceOutput> {
        let tags = self.target_by_arn(&input.resource_arn)?.tags.clone();
        Ok(aas::ListTagsForResourceOutput { tags })
    }
}
