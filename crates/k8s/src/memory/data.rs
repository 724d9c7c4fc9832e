//! The keys of one `ConfigMap` while they are read or written: which are whole, which are not, and what goes
//! where.

use std::collections::BTreeMap;

use setpoint_core::model::ids::{VariantId, VariantNames};
use setpoint_core::model::memory::VariantMemory;
use setpoint_core::model::pauses::Pauses;
use setpoint_core::model::record::{PAUSES, Record, SPENDING, rest_of, unknown_pauses};
use setpoint_core::model::shared::Shared;
use setpoint_core::model::spending::Spending;

use super::part::{Damaged, Part};

const PREFIX: &str = "variant.";
/// What a key gets before it when its value cannot be read.
pub(super) const ASIDE: &str = "set-aside.";
/// In place of the text of what was set aside, when the `ConfigMap` has no room for it.
const NO_ROOM: &str = "dropped: the ConfigMap was full";

/// The keys and values, and what they mean.
#[derive(Debug, Default)]
pub(super) struct Data {
    pub(super) keys: BTreeMap<String, String>,
    pub(super) variants: BTreeMap<VariantId, Shared<VariantMemory>>,
    pub(super) pauses: Pauses,
    /// What CloudWatch has been asked for.
    pub(super) spending: Spending,
    pub(super) damaged: Vec<Damaged>,
}

impl Data {
    pub(super) fn parse(keys: BTreeMap<String, String>) -> Self {
        let mut data = Self::default();
        for (key, text) in &keys {
            if key == PAUSES {
                match record(text).and_then(|record| record.read(PAUSES)) {
                    Ok(pauses) => data.pauses = pauses,
                    Err(why) => {
                        data.pauses = unknown_pauses();
                        data.found_damaged(key, why, None);
                    }
                }
            } else if key == SPENDING {
                match record(text).and_then(|record| record.read(SPENDING)) {
                    Ok(spending) => data.spending = spending,
                    Err(why) => data.found_damaged(key, why, None),
                }
            } else if let Some(id) = variant_of(key) {
                data.take(key, id, text);
            }
        }
        Self { keys, ..data }
    }

    /// The same; what it still says as before is shared with that.
    pub(super) fn parse_after(keys: BTreeMap<String, String>, before: &Part) -> Self {
        let mut data = Self::parse(keys);
        for (id, memory) in &mut data.variants {
            if let Some(entry) = before.variants.get(id) {
                memory.share(&entry.memory);
            }
        }
        data
    }

    /// The keys of a part that has been taken apart before.
    pub(super) fn known(keys: BTreeMap<String, String>, part: &Part) -> Self {
        let variants = part.variants.iter().map(|(id, entry)| (id.clone(), entry.memory.clone()));
        Self {
            keys,
            variants: variants.collect(),
            pauses: part.pauses.clone(),
            spending: part.spending.clone(),
            damaged: part.damaged.clone(),
        }
    }

    fn found_damaged(&mut self, key: &str, why: String, id: Option<VariantId>) {
        self.damaged.push(Damaged { key: key.to_owned(), why, id });
    }

    fn take(&mut self, key: &str, id: Result<VariantId, String>, text: &str) {
        let id = match id {
            Ok(id) => id,
            Err(why) => return self.found_damaged(key, why, None),
        };
        let found = record(text);
        let memory = found.as_ref().map_err(Clone::clone).and_then(|r| r.read(&id.to_string()));
        let memory = memory.unwrap_or_else(|why| {
            self.found_damaged(key, why, Some(id.clone()));
            found.map_or_else(|_| rest_of(&serde_json::Value::Null), |record| record.rest())
        });
        self.variants.insert(id, memory.into());
    }

    /// Moves what cannot be read below other keys, and puts what is left of it in its place.
    pub(super) fn set_damaged_aside(&mut self) {
        for Damaged { key, id, .. } in std::mem::take(&mut self.damaged) {
            let Some(text) = self.keys.remove(&key) else { continue };
            let rest = match &id {
                Some(id) => self.variants.get(id).map(|memory| Record::of_variant(id, memory)),
                None if key == PAUSES => Some(Record::of(PAUSES, &self.pauses)),
                None => None,
            };
            if let Some(rest) = rest.and_then(Result::ok).and_then(|rest| encode(&rest).ok()) {
                self.keys.insert(key.clone(), rest);
            }
            self.keys.insert(format!("{ASIDE}{key}"), text);
        }
    }

    /// Forgets a variant here: another part remembers it.
    pub(super) fn remove(&mut self, id: &VariantId) {
        let key = key(id);
        self.damaged.retain(|damaged| damaged.key != key);
        self.keys.remove(&key);
        self.variants.remove(id);
    }

    /// What was set aside goes before anything that is needed.
    pub(super) fn make_room(&mut self, bytes_max: usize) {
        let mut total = self.size();
        for (key, value) in &mut self.keys {
            // The key stays: that it goes is how a person says that the loss has been seen.
            if key.starts_with(ASIDE) && total > bytes_max && value != NO_ROOM {
                tracing::warn!(key, "no room for what was set aside; its text is dropped");
                total = (total + NO_ROOM.len()).saturating_sub(value.len());
                NO_ROOM.clone_into(value);
            }
        }
        while self.size() > bytes_max {
            let Some(key) = self.keys.keys().find(|key| key.starts_with(ASIDE)).cloned() else {
                return;
            };
            tracing::warn!(key, "no room for what was set aside; it is dropped");
            self.keys.remove(&key);
        }
    }

    pub(super) fn size(&self) -> usize {
        self.keys.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    /// Of a key and its value; none where there is no such key.
    pub(super) fn bytes_of(&self, key: &str) -> usize {
        self.keys.get(key).map_or(0, |text| key.len() + text.len())
    }
}

pub(super) fn key(id: &VariantId) -> String {
    let VariantNames { account_id, region, endpoint, variant } = &**id;
    format!("{PREFIX}{account_id}.{region}.{endpoint}.{variant}")
}

/// The variant of a key of ours.
pub(super) fn variant_of(key: &str) -> Option<Result<VariantId, String>> {
    let parsed = VariantId::parse(key.strip_prefix(PREFIX)?, '.');
    Some(parsed.ok_or_else(|| "the key names no variant".to_owned()))
}

pub(super) fn encode(record: &Record) -> Result<String, String> {
    serde_json::to_string(record).map_err(|error| error.to_string())
}

fn record(text: &str) -> Result<Record, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::part::{Shell, reported};
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use setpoint_core::ports::SetAside;

    fn id(endpoint: &str) -> VariantId {
        VariantId::of(
            "123456789012".parse().unwrap(),
            "us-east-1".parse().unwrap(),
            endpoint.parse().unwrap(),
            "AllTraffic".parse().unwrap(),
        )
    }

    fn data(all: &[(&str, &str)]) -> Data {
        Data::parse(all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn part(data: &Data) -> Part {
        Shell::of(&ConfigMap::default()).around(data)
    }

    fn told(data: &Data) -> SetAside {
        reported([(&part(data), "configmap x/y".to_owned())].into_iter())
    }

    #[test]
    fn a_key_is_one_that_kubernetes_allows_and_leads_back_to_the_variant() {
        let id = id("fraud-scorer");
        let key = key(&id);
        assert_eq!(key, "variant.123456789012.us-east-1.fraud-scorer.AllTraffic");
        assert_eq!(variant_of(&key).unwrap().unwrap(), id);
        assert!(variant_of("owner").is_none());
        assert!(variant_of("variant.123456789012.us-east-1.fraud-scorer").unwrap().is_err());
        assert!(variant_of("variant.1.us-east-1.fraud-scorer.AllTraffic").unwrap().is_err());
    }

    #[test]
    fn what_is_whole_is_read_beside_what_is_not() {
        let good = r#"{"version":1,"memory":{"adopted":true}}"#;
        let (a, b) = (key(&id("a")), key(&id("b")));
        assert!(data(&[("notes.txt", "anything")]).variants.is_empty());
        for (text, words) in [
            (r#"{"version":2,"memory":7}"#, "version 2"),
            (r#"{"version":1,"memory":7}"#, "invalid type"),
            (r#"{"version":1,"checksum":"0","memory":{"adopted":true}}"#, "checksum"),
            ("", "EOF"),
        ] {
            let mut data = data(&[(&a, good), (&b, text), ("variant.x", "{}")]);
            assert!(data.variants[&id("a")].adopted && !data.variants[&id("b")].adopted);
            let reported = told(&data);
            assert!(reported.records == 2 && reported.sentence.contains(words), "{reported:?}");
            data.set_damaged_aside();
            assert_eq!(data.keys[&format!("set-aside.{b}")], text);
            assert_eq!(data.keys["set-aside.variant.x"], "{}");
            // What is there instead is whole, and as many are reported.
            let again = Data::parse(data.keys);
            assert_eq!((told(&again).records, again.damaged.len()), (2, 0));
            assert_eq!(again.variants[&id("b")], data.variants[&id("b")]);
        }
    }

    #[test]
    fn what_was_set_aside_makes_room() {
        let long = "x".repeat(100);
        let mut data = data(&[("set-aside.a", &long), ("set-aside.b", &long), ("owner", &long)]);
        data.make_room(260);
        // The keys stay, as long as they can: removing them is a person's word that they have looked.
        assert_eq!(data.keys["set-aside.a"], NO_ROOM);
        assert_eq!(data.keys["set-aside.b"], long);
        data.make_room(50);
        assert_eq!(data.keys.keys().collect::<Vec<_>>(), ["owner"]);
    }

    #[test]
    fn pauses_that_could_not_be_read_end_when_what_was_set_aside_is_removed() {
        let mut data = data(&[(PAUSES, "?")]);
        let held = |data: &Data| !part(data).pauses_in_force().is_empty();
        assert!(held(&data));
        data.set_damaged_aside();
        let mut again = Data::parse(data.keys);
        assert!(held(&again));
        again.keys.remove(&format!("{ASIDE}{PAUSES}"));
        assert!(!held(&Data::parse(again.keys)));
    }
}
