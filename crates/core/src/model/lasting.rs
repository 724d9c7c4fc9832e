//! Since when what holds of a variant has held: what an alert's clock counts from, so that a restart
//! of the process does not begin it again.

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize};

use super::estimate::Finding;
use super::memory::known_keys;
use super::reason::{Field, words};
use super::scaling::SuspendedState;
use super::time::Timestamp;

words! {
    /// A direction of scaling that can be suspended.
    Direction {
        /// Policies take instances away.
        ScaleIn = "scale_in",
        /// Policies add instances.
        ScaleOut = "scale_out",
        /// Scheduled actions set min and max.
        Scheduled = "scheduled",
    }
}

impl Direction {
    pub const fn is_in(self, suspended: SuspendedState) -> bool {
        match self {
            Self::ScaleIn => suspended.scale_in,
            Self::ScaleOut => suspended.scale_out,
            Self::Scheduled => suspended.scheduled,
        }
    }
}

/// Since when each state has been seen without a pass in between that saw its end. A pass that cannot
/// tell, because something could not be read, neither ends one nor begins one.
///
/// Of thousands of variants few have more than three entries, for which a tree would make room for eleven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lasting {
    /// The fields that differ from what is desired, held or not.
    #[serde(deserialize_with = "known", skip_serializing_if = "LiteMap::is_empty")]
    pub drift: LiteMap<Field, Timestamp>,
    /// The directions of scaling that are suspended.
    #[serde(deserialize_with = "known", skip_serializing_if = "LiteMap::is_empty")]
    pub suspended: LiteMap<Direction, Timestamp>,
    /// What the comparison with the measured capacity found.
    #[serde(deserialize_with = "known", skip_serializing_if = "LiteMap::is_empty")]
    pub findings: LiteMap<Finding, Timestamp>,
    /// The target value in force is known to be unsafe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_unsafe: Option<Timestamp>,
    /// Something differs, and none of it is written now, whatever the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Timestamp>,
    /// The configured load test does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_test_invalid: Option<Timestamp>,
}

impl Lasting {
    /// Whether nothing of note lasts.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn known<'de, D, K>(deserializer: D) -> Result<LiteMap<K, Timestamp>, D::Error>
where
    D: Deserializer<'de>,
    K: serde::de::DeserializeOwned + Ord,
{
    known_keys(deserializer).map(LiteMap::from_iter)
}
