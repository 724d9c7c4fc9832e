//! What a variant runs, as far as it can change capacity: two deploys with the same fingerprint are
//! the same service.
//!
//! The journal holds fingerprints, so their form is versioned: versions before this one wrote a
//! number (the model's name, the instance type and the images), this one writes a text. An old
//! number says nothing of what it did not cover, and is no reason for a new regime: it is replaced
//! where it equals the old fingerprint of what runs now ([`super::Estimator::recognise`]).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::stable_hash::fnv1a;

/// Identifies what a variant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fingerprint {
    /// As versions before 0.2 made it.
    Old(u64),
    /// As this version makes it.
    Service {
        /// The variant's own part of the endpoint config, and its images.
        own: u64,
        /// The containers of its model; absent when the model could not be read.
        containers: Option<u64>,
    },
}

impl Fingerprint {
    /// The fingerprint of a text that names all parts.
    pub fn of(text: &str) -> Self {
        Self::Service { own: fnv1a(text.bytes()), containers: None }
    }

    /// The fingerprint of a service, by the text that names all parts of its own, and the hash of
    /// its containers.
    pub fn service(own: &str, containers: Option<u64>) -> Self {
        Self::Service { own: fnv1a(own.bytes()), containers }
    }

    /// The fingerprint that versions before 0.2 made of the same service.
    pub fn old(model: Option<&str>, instance_type: Option<&str>, images: &[String]) -> Self {
        Self::Old(fnv1a(format!("{model:?} {instance_type:?} {images:?}").bytes()))
    }

    /// Whether both are the same service as far as both know. A model that could not be read is no
    /// difference.
    pub fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Old(one), Self::Old(two)) => one == two,
            (
                Self::Service { own, containers },
                Self::Service { own: other_own, containers: other_containers },
            ) => {
                let differ = containers.zip(other_containers).is_some_and(|(one, two)| one != two);
                own == other_own && !differ
            }
            _ => false,
        }
    }

    /// What both know together of the same service.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Service { own, containers },
                Self::Service { containers: other_containers, .. },
            ) => Self::Service { own, containers: containers.or(other_containers) },
            _ => self,
        }
    }
}

/// The mark of this version's form.
const FORM: &str = "2";

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return Hashes::from(*self).serialize(serializer);
        }
        match self {
            Self::Old(hash) => serializer.serialize_u64(*hash),
            Self::Service { own, containers: Some(containers) } => {
                serializer.collect_str(&format_args!("{FORM}:{own:016x}:{containers:016x}"))
            }
            Self::Service { own, containers: None } => {
                serializer.collect_str(&format_args!("{FORM}:{own:016x}"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Text(String),
        }
        if !deserializer.is_human_readable() {
            return Hashes::deserialize(deserializer).map(Self::from);
        }
        match Form::deserialize(deserializer)? {
            Form::Number(hash) => Ok(Self::Old(hash)),
            Form::Text(text) => parse(&text)
                .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a fingerprint"))),
        }
    }
}

/// The form between two looks at a variant, in which nobody reads it.
#[derive(Serialize, Deserialize)]
struct Hashes {
    is_old: bool,
    own: u64,
    containers: Option<u64>,
}

impl From<Fingerprint> for Hashes {
    fn from(fingerprint: Fingerprint) -> Self {
        match fingerprint {
            Fingerprint::Old(own) => Self { is_old: true, own, containers: None },
            Fingerprint::Service { own, containers } => Self { is_old: false, own, containers },
        }
    }
}

impl From<Hashes> for Fingerprint {
    fn from(Hashes { is_old, own, containers }: Hashes) -> Self {
        if is_old { Self::Old(own) } else { Self::Service { own, containers } }
    }
}

fn parse(text: &str) -> Option<Fingerprint> {
    let hash = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let mut parts = text.split(':');
    let form = parts.next()?;
    let own = hash(parts.next()?)?;
    let containers = parts.next().map(hash);
    let ends = parts.next().is_none() && form == FORM && containers != Some(None);
    ends.then_some(Fingerprint::Service { own, containers: containers.flatten() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_back() {
        for fingerprint in [
            Fingerprint::Old(17_000_000_000_000_000_000),
            Fingerprint::Service { own: 1, containers: None },
            Fingerprint::Service { own: u64::MAX, containers: Some(2) },
        ] {
            let value = serde_json::to_value(fingerprint).unwrap();
            assert_eq!(serde_json::from_value::<Fingerprint>(value).unwrap(), fingerprint);
        }
        for wrong in ["", "2", "2:", "2:zz", "3:01", "2:01:zz", "2:01:02:03"] {
            assert!(serde_json::from_value::<Fingerprint>(wrong.into()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_model_that_could_not_be_read_is_no_difference() {
        let known = |containers| Fingerprint::Service { own: 1, containers };
        assert!(known(Some(2)).is_same(known(None)));
        assert!(!known(Some(2)).is_same(known(Some(3))));
        assert!(!known(None).is_same(Fingerprint::Service { own: 2, containers: None }));
        assert_eq!(known(None).with(known(Some(2))), known(Some(2)));
    }
}
