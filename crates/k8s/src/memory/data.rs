//! The keys of the `ConfigMap`: which are whole, which are not, and what goes where.

use std::collections::BTreeMap;

use setpoint_core::model::ids::{VariantId, VariantNames};
use setpoint_core::model::memory::VariantMemory;
use setpoint_core::model::pauses::Pauses;
use setpoint_core::model::record::{
    PAUSES, Record, SPENDING, end_stand_in, rest_of, unknown_pauses,
};
use setpoint_core::model::shared::Shared;
use setpoint_core::model::spending::Spending;
use setpoint_core::ports::SetAside;

const PREFIX: &str = "variant.";
/// What a key gets before it when its value cannot be read.
const ASIDE: &str = "set-aside.";
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
    /// The keys that cannot be read, why, and the variant, as far as the key names one.
    damaged: Vec<(String, String, Option<VariantId>)>,
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
                        data.damaged.push((key.clone(), why, None));
                    }
                }
            } else if key == SPENDING {
                match record(text).and_then(|record| record.read(SPENDING)) {
                    Ok(spending) => data.spending = spending,
                    Err(why) => data.damaged.push((key.clone(), why, None)),
                }
            } else if let Some(id) = variant_of(key) {
                data.take(key, id, text);
            }
        }
        Self { keys, ..data }.without_seen()
    }

    /// Where a person has removed what was set aside, what stood in for pauses that could not be
    /// read ends.
    fn without_seen(mut self) -> Self {
        let is_aside = |key: &str| self.keys.contains_key(&format!("{ASIDE}{key}"));
        let is_damaged = |key: &str| self.damaged.iter().any(|(damaged, ..)| damaged == key);
        if !is_aside(PAUSES) && !is_damaged(PAUSES) {
            self.pauses.end_stand_ins();
        }
        for (id, memory) in &mut self.variants {
            let key = key(id);
            if !is_aside(&key) && !is_damaged(&key) {
                end_stand_in(memory);
            }
        }
        self
    }

    fn take(&mut self, key: &str, id: Result<VariantId, String>, text: &str) {
        let id = match id {
            Ok(id) => id,
            Err(why) => return self.damaged.push((key.to_owned(), why, None)),
        };
        let found = record(text);
        let memory = found.as_ref().map_err(Clone::clone).and_then(|r| r.read(&id.to_string()));
        let memory = memory.unwrap_or_else(|why| {
            self.damaged.push((key.to_owned(), why, Some(id.clone())));
            found.map_or_else(|_| rest_of(&serde_json::Value::Null), |record| record.rest())
        });
        self.variants.insert(id, memory.into());
    }

    /// Moves what cannot be read below other keys, and puts what is left of it in its place.
    pub(super) fn set_damaged_aside(&mut self) {
        for (key, _, id) in std::mem::take(&mut self.damaged) {
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

    pub(super) fn extend(&mut self, changed: &[(String, String)]) {
        self.keys.extend(changed.iter().cloned());
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

    /// What could not be read, of the `ConfigMap` at this place.
    pub(super) fn reported(&self, place: &str) -> SetAside {
        let aside: Vec<&String> = self.keys.keys().filter(|key| key.starts_with(ASIDE)).collect();
        let records = aside.len() + self.damaged.len();
        let first = match (self.damaged.first(), aside.first()) {
            (Some((key, why, _)), _) => format!("{key} ({why})"),
            (None, Some(key)) => key.trim_start_matches(ASIDE).to_owned(),
            (None, None) => return SetAside::default(),
        };
        let words = if records == 1 { "key" } else { "keys" };
        let sentence = format!(
            "{records} {words} of the memory could not be read: {first}. {place} keeps what was \
             found below {ASIDE}*, from the next save on. The variants concerned start with an empty \
             memory: no raise for 24 hours, and a pause that could not be read holds. Remove those \
             keys when you have looked; that ends such a pause"
        );
        SetAside { records, sentence }
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
    use super::*;

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
            let reported = data.reported("configmap x/y");
            assert!(reported.records == 2 && reported.sentence.contains(words), "{reported:?}");
            data.set_damaged_aside();
            assert_eq!(data.keys[&format!("set-aside.{b}")], text);
            assert_eq!(data.keys["set-aside.variant.x"], "{}");
            // What is there instead is whole, and as many are reported.
            let again = Data::parse(data.keys);
            assert_eq!((again.reported("").records, again.damaged.len()), (2, 0));
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
    fn a_pause_that_could_not_be_read_ends_when_what_was_set_aside_is_removed() {
        let a = key(&id("a"));
        let mut data = data(&[(PAUSES, "?"), (&a, "?")]);
        let held = |data: &Data| (!data.pauses.is_empty(), data.variants[&id("a")].pause.is_some());
        assert_eq!(held(&data), (true, true));
        data.set_damaged_aside();
        let mut again = Data::parse(data.keys);
        assert_eq!(held(&again), (true, true));
        again.keys.remove(&format!("{ASIDE}{a}"));
        let mut again = Data::parse(again.keys);
        assert_eq!(held(&again), (true, false));
        again.keys.remove(&format!("{ASIDE}{PAUSES}"));
        assert_eq!(held(&Data::parse(again.keys)), (false, false));
    }
}
