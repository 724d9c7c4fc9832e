//! What is known of one object of the memory: what its records say and how large they are, not their texts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use setpoint_core::model::ids::VariantId;
use setpoint_core::model::memory::VariantMemory;
use setpoint_core::model::pauses::Pauses;
use setpoint_core::model::record::{PAUSES, SPENDING};
use setpoint_core::model::shared::Shared;
use setpoint_core::model::spending::Spending;
use setpoint_core::ports::SetAside;

use super::data::{ASIDE, Data};

/// Says on the first object how many there may be, before there are: who may not look at one of them then knows
/// that something is missing.
pub(super) const PARTS_ANNOTATION: &str = "setpoint.dev/memory-parts";

/// Which object, in which state. The uid, because a version may come back when a cluster is restored.
#[derive(Debug, Clone)]
pub(super) struct Version {
    uid: Option<String>,
    resource: Option<String>,
}

impl Version {
    pub(super) fn of(metadata: &ObjectMeta) -> Self {
        Self { uid: metadata.uid.clone(), resource: metadata.resource_version.clone() }
    }

    /// Whether both are certainly one state of one object.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.resource.is_some() && self.resource == other.resource && self.uid == other.uid
    }
}

/// A record that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Damaged {
    pub(super) key: String,
    pub(super) why: String,
    /// The variant, as far as the key names one.
    pub(super) id: Option<VariantId>,
}

/// What is remembered of a variant in one object.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) memory: Shared<VariantMemory>,
    /// Of the key and its value.
    pub(super) bytes: usize,
}

/// One object, as it was last read or written; by default, that there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// Absent when there is no such object.
    pub(super) version: Option<Version>,
    /// How many parts it says there may be; only the first one says.
    pub(super) told: usize,
    pub(super) variants: BTreeMap<VariantId, Entry>,
    pub(super) pauses: Pauses,
    pub(super) spending: Spending,
    pub(super) damaged: Vec<Damaged>,
    /// The keys of what was set aside.
    pub(super) aside: BTreeSet<String>,
    /// Of all keys and values, those of others too.
    pub(super) bytes: usize,
    /// Of what was set aside, as much as may go when there is no room.
    pub(super) aside_bytes: usize,
    /// Of the record of the pauses, and of that of what CloudWatch was asked for.
    of_pauses: usize,
    of_spending: usize,
}

impl Part {
    pub(super) const fn exists(&self) -> bool {
        self.version.is_some()
    }

    /// Whether both are known to be one.
    pub(super) fn is(&self, version: Option<&Version>) -> bool {
        match (&self.version, version) {
            (None, None) => true,
            (Some(own), Some(other)) => own.is(other),
            _ => false,
        }
    }

    /// An object taken apart; what it still says as before is shared with that.
    pub(super) fn of(map: ConfigMap, before: Option<&Self>) -> Self {
        let shell = Shell::of(&map);
        let keys = map.data.unwrap_or_default();
        let nothing = Self::default();
        shell.around(&Data::parse_after(keys, before.unwrap_or(&nothing)))
    }

    /// The pauses of more than one variant. Where a person has removed what was set aside, what stood in for
    /// them ends.
    pub(super) fn pauses_in_force(&self) -> Pauses {
        let mut pauses = self.pauses.clone();
        if !self.waits_for(PAUSES) {
            pauses.end_stand_ins();
        }
        pauses
    }

    /// Of a record that is of no single variant.
    pub(super) fn bytes_of(&self, key: &str) -> usize {
        match key {
            PAUSES => self.of_pauses,
            SPENDING => self.of_spending,
            _ => 0,
        }
    }

    /// Whether a record of this key waits for a person to look at it.
    pub(super) fn waits_for(&self, key: &str) -> bool {
        self.damaged.iter().any(|damaged| damaged.key == key)
            || (!self.aside.is_empty() && self.aside.contains(&format!("{ASIDE}{key}")))
    }
}

/// An object but for its keys.
pub(super) struct Shell {
    version: Option<Version>,
    told: usize,
    /// Of what is binary in it, which is somebody else's.
    pub(super) binary: usize,
}

impl Shell {
    pub(super) fn of(map: &ConfigMap) -> Self {
        let annotations = map.metadata.annotations.as_ref();
        let told = annotations.and_then(|all| all.get(PARTS_ANNOTATION)?.parse().ok());
        let binary = map.binary_data.iter().flatten();
        Self {
            version: Some(Version::of(&map.metadata)),
            told: told.unwrap_or(0),
            binary: binary.map(|(key, value)| key.len() + value.0.len()).sum(),
        }
    }

    /// The part of these keys.
    pub(super) fn around(self, data: &Data) -> Part {
        let mut part = Part {
            version: self.version,
            told: self.told,
            pauses: data.pauses.clone(),
            spending: data.spending.clone(),
            damaged: data.damaged.clone(),
            bytes: self.binary + data.size(),
            of_pauses: data.bytes_of(PAUSES),
            of_spending: data.bytes_of(SPENDING),
            ..Part::default()
        };
        for (key, text) in &data.keys {
            if key.starts_with(ASIDE) {
                part.aside.insert(key.clone());
                part.aside_bytes += key.len() + text.len();
            }
        }
        for (id, memory) in &data.variants {
            let bytes = data.bytes_of(&super::data::key(id));
            part.variants.insert(id.clone(), Entry { memory: memory.clone(), bytes });
        }
        part
    }
}

/// What could not be read, of these parts at these places.
pub(super) fn reported<'a>(parts: impl Iterator<Item = (&'a Part, String)>) -> SetAside {
    let (mut records, mut first, mut places) = (0, None, Vec::new());
    for (part, place) in parts {
        if part.damaged.is_empty() && part.aside.is_empty() {
            continue;
        }
        records += part.damaged.len() + part.aside.len();
        places.push(place);
        // What still lies where it was found says why.
        let of_this = match (part.damaged.first(), part.aside.first()) {
            (Some(Damaged { key, why, .. }), _) => Some(format!("{key} ({why})")),
            (None, aside) => aside.map(|key| key.trim_start_matches(ASIDE).to_owned()),
        };
        first = first.or(of_this);
    }
    let Some(first) = first else { return SetAside::default() };
    let words = if records == 1 { "key" } else { "keys" };
    let keep = if places.len() == 1 { "keeps" } else { "keep" };
    let sentence = format!(
        "{records} {words} of the memory could not be read: {first}. {} {keep} what was \
         found below {ASIDE}*, from the next save on. The variants concerned start with an empty \
         memory: no raise for 24 hours, and a pause that could not be read holds. Remove those \
         keys when you have looked; that ends such a pause",
        places.join(" and ")
    );
    SetAside { records, sentence }
}
