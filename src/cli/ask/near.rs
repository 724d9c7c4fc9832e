//! What may have been meant by a name that nothing is called by.

use crate::model::ids::VariantId;
use crate::model::selector::Selector;

/// How alike two names must be, from 0 (nothing in common) to 1 (the same), to be worth a word.
const ALIKE: f64 = 0.85;
/// So many are told.
const MOST: usize = 3;

/// `, did you mean fraud-scorer/AllTraffic?`, or nothing.
pub(super) fn did_you_mean<'a>(
    meant: &Selector,
    known: impl Iterator<Item = &'a VariantId>,
) -> String {
    let Some(endpoint) = &meant.endpoint else { return String::new() };
    let asked = match &meant.variant {
        Some(variant) => format!("{endpoint}/{variant}"),
        None => endpoint.to_string(),
    };
    let mut near: Vec<(f64, String)> = known
        .map(|id| {
            let own = if meant.variant.is_some() { id.short() } else { id.endpoint.to_string() };
            (alike(&asked, &own), own)
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    let names: Vec<String> = near.into_iter().take(MOST).map(|(_, name)| name).collect();
    if names.is_empty() { String::new() } else { format!(", did you mean {}?", names.join(" or ")) }
}

fn alike(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(&a.to_ascii_lowercase(), &b.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::super::selector;
    use super::*;
    use crate::model::ids::{AccountId, Region, ResourceId, Scope};

    #[test]
    fn near_names_are_told_and_far_ones_are_not() {
        let scope = Scope {
            account_id: AccountId::new("123456789012").unwrap(),
            region: Region::new("us-east-1").unwrap(),
        };
        let ids: Vec<VariantId> = ["fraud-scorer", "fraud-scores", "ads"]
            .iter()
            .map(|name| {
                format!("endpoint/{name}/variant/AllTraffic").parse::<ResourceId>().unwrap()
            })
            .map(|resource| VariantId::new(&scope, &resource))
            .collect();
        let of = |text: &str| did_you_mean(&selector(text).unwrap(), ids.iter());
        assert_eq!(of("fraud-scorr"), ", did you mean fraud-scorer or fraud-scores?");
        assert_eq!(
            of("Fraud-Scorer/AllTrafic"),
            ", did you mean fraud-scorer/AllTraffic or fraud-scores/AllTraffic?"
        );
        assert_eq!(of("payments"), "");
        assert_eq!(of("all"), "");
    }
}
