//! Tags of endpoints, by which people select them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::ids::EndpointName;

/// The tags of the endpoints of one account and region; an endpoint without tags is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointTags(BTreeMap<String, BTreeMap<String, String>>);

impl EndpointTags {
    /// Takes in the tags of one endpoint. SageMaker writes names in ARNs in lower case, and no two
    /// endpoints of an account and region have names that differ in case alone.
    pub fn insert(&mut self, endpoint: &str, tags: BTreeMap<String, String>) {
        self.0.insert(endpoint.to_ascii_lowercase(), tags);
    }

    pub fn has(&self, endpoint: &EndpointName, tag: &Tag) -> bool {
        let tags = self.0.get(&endpoint.as_str().to_ascii_lowercase());
        tags.and_then(|tags| tags.get(&tag.key)).is_some_and(|value| *value == tag.value)
    }

    /// The values that a key has, each once, in order.
    pub fn values(&self, key: &str) -> Vec<&str> {
        let mut values: Vec<&str> =
            self.0.values().filter_map(|tags| tags.get(key)).map(String::as_str).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// A tag with its value, `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// 0 to 256 characters.
    pub value: String,
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("{text:?} is not a tag (allowed: KEY=VALUE, such as team=ranking)")),
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_whatever_the_case_of_its_arn() {
        let mut tags = EndpointTags::default();
        tags.insert("ads-ranker", [("team".to_owned(), "ranking".to_owned())].into());
        let has = |name: &str, tag: &str| {
            tags.has(&EndpointName::new(name).unwrap(), &tag.parse().unwrap())
        };
        assert!(has("Ads-Ranker", "team=ranking"));
        assert!(!has("Ads-Ranker", "team=Ranking"), "values keep their case");
        assert!(!has("other", "team=ranking") && !has("ads-ranker", "owner=ranking"));
        assert_eq!(tags.values("team"), ["ranking"]);
    }

    #[test]
    fn a_tag_needs_a_key_and_may_have_an_empty_value() {
        assert_eq!("setpoint:owner=a=b".parse::<Tag>().unwrap().value, "a=b");
        assert_eq!("k=".parse::<Tag>().unwrap().to_string(), "k=");
        assert!("=v".parse::<Tag>().is_err() && "team".parse::<Tag>().is_err());
    }
}
