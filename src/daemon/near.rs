//! What is said of a selection that holds no variant.

use crate::model::ids::VariantId;
use crate::model::near::near_variants;
use crate::model::selector::Selector;

/// The sentence for a selection that holds none of the known variants.
pub(super) fn nothing_matches<'a>(
    selector: &Selector,
    known: impl Iterator<Item = &'a VariantId> + Clone,
) -> String {
    if known.clone().next().is_none() {
        return format!("no variant matches {selector}: none is known yet");
    }
    let near = near_variants(selector, known);
    if near.is_empty() {
        return format!(
            "no variant matches {selector} (GET /api/v1/variants lists those that are known)"
        );
    }
    format!("no variant matches {selector}; near it: {}", near.join(", "))
}
