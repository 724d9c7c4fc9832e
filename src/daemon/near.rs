//! What may have been meant by a name that no variant has.

use crate::model::ids::VariantId;
use crate::model::selector::Selector;

/// How many names are offered.
const OFFERED: usize = 3;
/// The least similarity of a name worth offering, in [0, 1].
const SIMILAR: f64 = 0.6;

/// The sentence for a selection that holds none of the known variants.
pub(super) fn nothing_matches<'a>(
    selector: &Selector,
    known: impl Iterator<Item = &'a VariantId>,
) -> String {
    let wanted = selector.to_string();
    // Names are compared in the form in which one was given.
    let form = |id: &VariantId| match wanted.matches('/').count() {
        0 => id.endpoint.to_string(),
        1 => id.short(),
        _ => id.to_string(),
    };
    let names: Vec<String> = known.map(form).collect();
    if names.is_empty() {
        return format!("no variant matches {wanted}: none is known yet");
    }
    let mut near: Vec<(f64, &String)> = names
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&wanted, name), name))
        .filter(|(similarity, name)| *similarity >= SIMILAR || name.contains(&wanted))
        .collect();
    near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.cmp(other)));
    near.dedup();
    let offered: Vec<&str> = near.iter().take(OFFERED).map(|(_, name)| name.as_str()).collect();
    if offered.is_empty() {
        return format!(
            "no variant matches {wanted} (GET /api/v1/variants lists those that are known)"
        );
    }
    format!("no variant matches {wanted}; near it: {}", offered.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(endpoint: &str) -> VariantId {
        VariantId {
            account_id: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            endpoint: endpoint.parse().unwrap(),
            variant: "AllTraffic".parse().unwrap(),
        }
    }

    #[test]
    fn names_that_are_near_are_offered_nearest_first() {
        let known = ["fraud-scorer", "fraud-scores", "search-ranker"].map(id);
        let ask = |json: &str| nothing_matches(&serde_json::from_str(json).unwrap(), known.iter());
        assert_eq!(
            ask(r#"{"endpoint": "fraud-scorr", "variant": "AllTraffic"}"#),
            "no variant matches fraud-scorr/AllTraffic; near it: fraud-scorer/AllTraffic, \
             fraud-scores/AllTraffic"
        );
        assert_eq!(
            ask(r#"{"endpoint": "ranker"}"#),
            "no variant matches ranker; near it: search-ranker"
        );
        assert_eq!(
            ask(r#"{"region": "eu-west-1", "endpoint": "search-ranker", "variant": "AllTraffic"}"#),
            "no variant matches */eu-west-1/search-ranker/AllTraffic; near it: \
             123456789012/us-east-1/search-ranker/AllTraffic"
        );
        assert_eq!(
            ask(r#"{"endpoint": "zzz"}"#),
            "no variant matches zzz (GET /api/v1/variants lists those that are known)"
        );
        assert_eq!(
            nothing_matches(&Selector::default(), std::iter::empty()),
            "no variant matches all: none is known yet"
        );
    }
}
