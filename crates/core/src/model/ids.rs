//! Names and identities, checked where they enter so that nothing behind them has to.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A string that is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {what} (allowed: {allowed})")]
pub struct InvalidName {
    what: &'static str,
    found: String,
    allowed: &'static str,
}

/// SageMaker's rule for endpoint and variant names: `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}`
/// (`EndpointName` and `VariantName` in the SageMaker API reference).
fn is_sagemaker_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends_fine = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && ends_fine(bytes.first())
        && ends_fine(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

fn is_account_id(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())
}

fn is_region(region: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&region.len()) && region.bytes().all(fine)
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $allowed:literal, $check:ident) => {
        $(#[$doc])*
        ///
        /// A copy shares the text: every pass over thousands of variants makes many.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a name.
            ///
            /// # Errors
            /// When the text breaks the rule for this kind of name; the error states the rule.
            pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
                let found = name.into();
                if $check(&found) {
                    Ok(Self(found.into()))
                } else {
                    Err(InvalidName { what: $what, found, allowed: $allowed })
                }
            }

            /// The name as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(s: &str) -> Result<Self, InvalidName> {
                Self::new(s)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(s: String) -> Result<Self, InvalidName> {
                Self::new(s)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name_type!(
    /// The 12 digits of an AWS account.
    AccountId, "an AWS account id", "12 digits", is_account_id
);
name_type!(
    /// An AWS region, such as `us-east-1`.
    Region, "an AWS region", "lower-case letters, digits and hyphens", is_region
);
name_type!(
    EndpointName,
    "an endpoint name",
    "1 to 63 letters, digits and hyphens, no hyphen at either end",
    is_sagemaker_name
);
name_type!(
    /// The name of a production variant of an endpoint.
    VariantName, "a variant name",
    "1 to 63 letters, digits and hyphens, no hyphen at either end", is_sagemaker_name
);

/// An account and a region: the scope of every AWS call, quota and cost counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    pub account_id: AccountId,
    pub region: Region,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account_id, self.region)
    }
}

/// What scales: one variant of one endpoint in one account and region. A copy shares the names: each of thousands
/// of variants is named in a dozen places, and eight bytes there are enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VariantId(Arc<VariantNames>);

/// The names of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VariantNames {
    /// The account the endpoint lives in.
    pub account_id: AccountId,
    /// The region the endpoint lives in.
    pub region: Region,
    pub endpoint: EndpointName,
    pub variant: VariantName,
}

impl VariantId {
    /// The variant of these names.
    pub fn of(
        account_id: AccountId,
        region: Region,
        endpoint: EndpointName,
        variant: VariantName,
    ) -> Self {
        Self(Arc::new(VariantNames { account_id, region, endpoint, variant }))
    }

    /// The variant whose four names stand in this order with a separator between them, such as
    /// `123456789012/us-east-1/ENDPOINT/VARIANT`; none where one of them is no name or is missing.
    pub fn parse(text: &str, separator: char) -> Option<Self> {
        let names: Vec<&str> = text.split(separator).collect();
        let [account_id, region, endpoint, variant] = names[..] else { return None };
        Some(Self::of(
            account_id.parse().ok()?,
            region.parse().ok()?,
            endpoint.parse().ok()?,
            variant.parse().ok()?,
        ))
    }

    /// Puts a variant of a scope together.
    pub fn new(scope: &Scope, resource: &ResourceId) -> Self {
        Self::of(
            scope.account_id.clone(),
            scope.region.clone(),
            resource.endpoint.clone(),
            resource.variant.clone(),
        )
    }

    pub fn scope(&self) -> Scope {
        Scope { account_id: self.account_id.clone(), region: self.region.clone() }
    }

    /// The name Application Auto Scaling knows the variant by.
    pub fn resource(&self) -> ResourceId {
        ResourceId { endpoint: self.endpoint.clone(), variant: self.variant.clone() }
    }

    /// `endpoint/variant`, the form that people type and read where the scope is clear.
    pub fn short(&self) -> String {
        format!("{}/{}", self.endpoint, self.variant)
    }
}

impl Deref for VariantId {
    type Target = VariantNames;

    fn deref(&self) -> &VariantNames {
        &self.0
    }
}

/// A change is made to a copy of its own.
impl DerefMut for VariantId {
    fn deref_mut(&mut self) -> &mut VariantNames {
        Arc::make_mut(&mut self.0)
    }
}

impl Serialize for VariantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for VariantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        VariantNames::deserialize(deserializer).map(|names| Self(Arc::new(names)))
    }
}

impl fmt::Display for VariantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.account_id, self.region, self.endpoint, self.variant)
    }
}

/// Application Auto Scaling's name of a variant: `endpoint/E/variant/V`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    pub endpoint: EndpointName,
    pub variant: VariantName,
}

impl ResourceId {
    /// What stands for a variant in a record that names it elsewhere.
    pub(super) fn unnamed() -> Self {
        let name = || "-".into();
        Self { endpoint: EndpointName(name()), variant: VariantName(name()) }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint/{}/variant/{}", self.endpoint, self.variant)
    }
}

impl FromStr for ResourceId {
    type Err = InvalidName;

    fn from_str(s: &str) -> Result<Self, InvalidName> {
        let parts: Vec<&str> = s.split('/').collect();
        // Names hold no '/', so the form is unambiguous.
        match parts.as_slice() {
            ["endpoint", endpoint, "variant", variant] => {
                Ok(Self { endpoint: endpoint.parse()?, variant: variant.parse()? })
            }
            _ => Err(InvalidName {
                what: "a resource id of a SageMaker variant",
                found: s.to_owned(),
                allowed: "endpoint/ENDPOINT/variant/VARIANT",
            }),
        }
    }
}
