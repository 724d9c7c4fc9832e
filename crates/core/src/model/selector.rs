//! Which variants a person means.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, EndpointName, Region, Scope, VariantId, VariantName};

/// Which variants a command means. What is absent matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Only of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// Only of this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Only of this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// Only variants of this name; needs `endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantName>,
}

impl Selector {
    /// Whether the selection holds the variant.
    pub fn matches(&self, id: &VariantId) -> bool {
        self.account_id.as_ref().is_none_or(|wanted| *wanted == id.account_id)
            && self.region.as_ref().is_none_or(|wanted| *wanted == id.region)
            && self.endpoint.as_ref().is_none_or(|wanted| *wanted == id.endpoint)
            && self.variant.as_ref().is_none_or(|wanted| *wanted == id.variant)
    }

    /// Whether the selection may hold variants of the account and region.
    pub fn reaches(&self, scope: &Scope) -> bool {
        self.account_id.as_ref().is_none_or(|wanted| *wanted == scope.account_id)
            && self.region.as_ref().is_none_or(|wanted| *wanted == scope.region)
    }

    /// Whether all variants are meant.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether whatever the other selection holds, now or later, is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.compare(other, |own, other| own.is_none() || own == other)
    }

    /// Whether a variant may be in both selections.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.compare(other, |own, other| own.is_none() || other.is_none() || own == other)
    }

    fn compare(&self, other: &Self, fine: impl Fn(Option<&str>, Option<&str>) -> bool) -> bool {
        self.parts().into_iter().zip(other.parts()).all(|(own, other)| fine(own, other))
    }

    fn parts(&self) -> [Option<&str>; 4] {
        [
            self.account_id.as_ref().map(AccountId::as_str),
            self.region.as_ref().map(Region::as_str),
            self.endpoint.as_ref().map(EndpointName::as_str),
            self.variant.as_ref().map(VariantName::as_str),
        ]
    }
}

/// `all`, `ENDPOINT`, `ENDPOINT/VARIANT`, or those within an account or region with `*` for any.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [account, region, endpoint, variant] = self.parts();
        let within = account.is_some() || region.is_some();
        match (within, endpoint, variant) {
            (false, None, None) => f.write_str("all"),
            (false, Some(endpoint), None) => f.write_str(endpoint),
            (false, endpoint, Some(variant)) => {
                write!(f, "{}/{variant}", endpoint.unwrap_or("*"))
            }
            (true, endpoint, variant) => {
                let any = |part: Option<&str>| part.unwrap_or("*").to_owned();
                write!(f, "{}/{}/{}/{}", any(account), any(region), any(endpoint), any(variant))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: &str) -> Selector {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_wider_selection_covers_a_narrower_one_and_not_the_other_way_round() {
        let all = Selector::default();
        let endpoint = selector(r#"{"endpoint": "a"}"#);
        let variant = selector(r#"{"endpoint": "a", "variant": "v"}"#);
        let region = selector(r#"{"region": "us-east-1"}"#);
        let other = selector(r#"{"endpoint": "b"}"#);
        assert!(all.covers(&endpoint) && all.covers(&all) && endpoint.covers(&variant));
        assert!(!endpoint.covers(&all) && !variant.covers(&endpoint) && !endpoint.covers(&other));
        assert!(!region.covers(&endpoint) && region.overlaps(&endpoint));
        assert!(variant.overlaps(&all) && !other.overlaps(&variant));
    }

    #[test]
    fn a_selection_is_named_as_people_type_it() {
        for (json, name) in [
            ("{}", "all"),
            (r#"{"endpoint": "a"}"#, "a"),
            (r#"{"endpoint": "a", "variant": "v"}"#, "a/v"),
            (r#"{"region": "us-east-1", "endpoint": "a"}"#, "*/us-east-1/a/*"),
        ] {
            assert_eq!(selector(json).to_string(), name);
        }
    }
}
