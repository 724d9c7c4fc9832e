//! Which variants a target speaks of: names and globs, and which of two matching ones wins.

use globset::{Glob, GlobMatcher};

use super::overlap::{covers, meet, tokens};
use crate::model::ids::{AccountId, EndpointName, Region, ResourceId, VariantId, VariantName};

#[derive(Debug, Clone)]
pub struct NamePattern {
    text: String,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Exact,
    Glob(GlobMatcher),
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// How much a pattern says about a name; the greater wins. An exact name beats every glob, more
/// literal characters beat fewer, and with as many, more single-character wildcards do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct NameSpecificity {
    exact: bool,
    literals: usize,
    singles: usize,
}

impl NamePattern {
    /// Reads an endpoint's name or glob.
    pub fn endpoint(text: &str) -> Result<Self, String> {
        Self::new(text, |name| EndpointName::new(name).map(|_| ()).map_err(|e| e.to_string()))
    }

    /// Reads a variant's name or glob.
    pub fn variant(text: &str) -> Result<Self, String> {
        Self::new(text, |name| VariantName::new(name).map(|_| ()).map_err(|e| e.to_string()))
    }

    fn new(text: &str, check: impl Fn(&str) -> Result<(), String>) -> Result<Self, String> {
        let matcher = if text.contains(['*', '?', '[', ']', '{', '}']) {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-*?[]{},!".contains(c);
            if !text.chars().all(fine) {
                return Err("a glob of letters, digits, hyphens and *, ?, [ab], {a,b}".to_owned());
            }
            let glob = Glob::new(text).map_err(|error| format!("a glob ({})", error.kind()))?;
            Matcher::Glob(glob.compile_matcher())
        } else {
            check(text)?;
            Matcher::Exact
        };
        Ok(Self { text: text.to_owned(), matcher })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a plain name.
    pub const fn is_exact(&self) -> bool {
        matches!(self.matcher, Matcher::Exact)
    }

    pub fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Exact => self.text == name,
            Matcher::Glob(glob) => glob.is_match(name),
        }
    }

    /// Whether some name matches both. Of globs with choices, in brackets, that is not told: false.
    fn overlaps(&self, other: &Self) -> bool {
        match (tokens(&self.text), tokens(&other.text)) {
            (Some(one), Some(other)) => meet(&one, &other),
            _ => self.text == other.text,
        }
    }

    /// Whether every name that matches `other` matches this one. Of globs with choices false, unless
    /// they are the same or this is `*`.
    fn covers(&self, other: &Self) -> bool {
        let all = self.text == "*" || self.text == other.text;
        all || match (tokens(&self.text), tokens(&other.text)) {
            (Some(wide), Some(narrow)) => covers(&wide, &narrow),
            _ => other.is_exact() && self.matches(&other.text),
        }
    }

    fn specificity(&self) -> NameSpecificity {
        let (mut literals, mut singles) = (0, 0);
        // What stands in brackets is a choice, not a literal: [ab] is one character, {a,b} any of
        // several texts.
        let mut closing = None;
        for c in self.text.chars() {
            match (closing, c) {
                (Some(end), c) if c == end => closing = None,
                (Some(_), _) | (None, '*') => {}
                (None, '[') => {
                    closing = Some(']');
                    singles += 1;
                }
                (None, '{') => closing = Some('}'),
                (None, '?') => singles += 1,
                (None, _) => literals += 1,
            }
        }
        NameSpecificity { exact: self.is_exact(), literals, singles }
    }
}

/// The variants a target speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetPattern {
    pub endpoint: NamePattern,
    pub variant: NamePattern,
    /// Only in this account.
    pub account_id: Option<AccountId>,
    /// Only in this region.
    pub region: Option<Region>,
}

/// How much a target's pattern says, compared in the order of the fields: the endpoint first, then
/// the variant, then the account and the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    endpoint: NameSpecificity,
    variant: NameSpecificity,
    account_id: bool,
    region: bool,
}

impl TargetPattern {
    pub fn matches(&self, id: &VariantId) -> bool {
        self.account_id.as_ref().is_none_or(|own| *own == id.account_id)
            && self.region.as_ref().is_none_or(|own| *own == id.region)
            && self.endpoint.matches(id.endpoint.as_str())
            && self.variant.matches(id.variant.as_str())
    }

    /// Whether some variant matches both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        fn apart<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one != other)
        }
        !apart(self.account_id.as_ref(), other.account_id.as_ref())
            && !apart(self.region.as_ref(), other.region.as_ref())
            && self.endpoint.overlaps(&other.endpoint)
            && self.variant.overlaps(&other.variant)
    }

    /// Whether every variant that matches `other` matches this one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.account_id.as_ref().is_none_or(|own| other.account_id.as_ref() == Some(own))
            && self.region.as_ref().is_none_or(|own| other.region.as_ref() == Some(own))
            && self.endpoint.covers(&other.endpoint)
            && self.variant.covers(&other.variant)
    }

    /// The variant that is named without a wildcard, with the pattern itself.
    pub fn named(&self) -> Option<(ResourceId, &Self)> {
        let endpoint = EndpointName::new(self.endpoint.as_str()).ok()?;
        let variant = VariantName::new(self.variant.as_str()).ok()?;
        Some((ResourceId { endpoint, variant }, self))
    }

    /// How much the pattern says; of two that match a variant, the greater wins.
    pub fn specificity(&self) -> Specificity {
        Specificity {
            endpoint: self.endpoint.specificity(),
            variant: self.variant.specificity(),
            account_id: self.account_id.is_some(),
            region: self.region.is_some(),
        }
    }
}

impl std::fmt::Display for TargetPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.endpoint.text, self.variant.text)?;
        match (&self.account_id, &self.region) {
            (None, None) => Ok(()),
            (Some(account), None) => write!(f, " in {account}"),
            (None, Some(region)) => write!(f, " in {region}"),
            (Some(account), Some(region)) => write!(f, " in {account}/{region}"),
        }
    }
}
