//! Names that may have been meant by one that does not exist: one idea of "near" for keys, regions
//! and variants.

use super::ids::VariantId;
use super::selector::Selector;

/// How many names are offered.
const OFFERED: usize = 3;
/// The least similarity of a name worth offering, in [0, 1]: two typing errors in a short name.
const SIMILAR: f64 = 0.6;

/// How alike two names are, from 0 to 1. Names that differ only in case are the same.
fn similarity(wanted: &str, name: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase())
}

/// The names nearest to the one that was given, the nearest first, each once. A name that contains
/// it is near as well.
pub fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let part = |name: &str| !wanted.is_empty() && name.contains(wanted);
    let mut near: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (similarity(wanted, name), name))
        .filter(|(similarity, name)| *similarity >= SIMILAR || part(name))
        .collect();
    near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.cmp(other)));
    near.dedup();
    near.into_iter().take(OFFERED).map(|(_, name)| name).collect()
}

/// The one that was most probably meant.
pub fn nearest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let of = |name: &&'a str| (similarity(wanted, name), *name);
    let best = names.iter().map(of).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(similarity, _)| *similarity >= SIMILAR).map(|(_, name)| name)
}

/// The variants near to one that was asked for, as names in the form in which it was given:
/// `endpoint`, `endpoint/variant`, or with account and region.
pub fn near_variants<'a>(
    wanted: &Selector,
    known: impl Iterator<Item = &'a VariantId>,
) -> Vec<String> {
    if wanted.endpoint.is_none() {
        return Vec::new();
    }
    let wanted = wanted.to_string();
    let form = |id: &VariantId| match wanted.matches('/').count() {
        0 => id.endpoint.to_string(),
        1 => id.short(),
        _ => id.to_string(),
    };
    let names: Vec<String> = known.map(form).collect();
    near(&wanted, names.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        assert_eq!(nearest("treshold_ms", &["statistic", "threshold_ms"]), Some("threshold_ms"));
        assert_eq!(nearest("regoin", &["region", "profile"]), Some("region"));
        assert_eq!(nearest("banana", &["region", "profile"]), None);
        assert_eq!(near("Fraud", ["fraud", "fraud", "ads"]), ["fraud"]);
        assert_eq!(near("ranker", ["search-ranker", "ads"]), ["search-ranker"]);
        assert!(near("", ["ads"]).is_empty());
    }

    #[test]
    fn variants_are_offered_in_the_form_in_which_one_was_given() {
        let id = |endpoint: &str| {
            VariantId::of(
                "123456789012".parse().unwrap(),
                "us-east-1".parse().unwrap(),
                endpoint.parse().unwrap(),
                "AllTraffic".parse().unwrap(),
            )
        };
        let known = ["fraud-scorer", "fraud-scores", "search-ranker"].map(id);
        let ask = |json: &str| near_variants(&serde_json::from_str(json).unwrap(), known.iter());
        assert_eq!(
            ask(r#"{"endpoint": "Fraud-scorr", "variant": "AllTraffic"}"#),
            ["fraud-scorer/AllTraffic", "fraud-scores/AllTraffic"]
        );
        assert_eq!(ask(r#"{"endpoint": "ranker"}"#), ["search-ranker"]);
        assert_eq!(
            ask(r#"{"region": "eu-west-1", "endpoint": "search-ranker", "variant": "AllTraffic"}"#),
            ["123456789012/us-east-1/search-ranker/AllTraffic"]
        );
        assert!(ask(r#"{"endpoint": "zzz"}"#).is_empty());
    }
}
