//! What may have been meant by a name that nothing is called by.

use crate::model::ids::VariantId;
use crate::model::near::near_variants;
use crate::model::selector::Selector;

/// `, did you mean fraud-scorer/AllTraffic?`, or nothing.
pub(super) fn did_you_mean<'a>(
    meant: &Selector,
    known: impl Iterator<Item = &'a VariantId>,
) -> String {
    let near = near_variants(meant, known);
    if near.is_empty() { String::new() } else { format!(", did you mean {}?", near.join(" or ")) }
}
