//! The form of the file: a JSON document with a line for each variant, so that what is damaged in
//! one line leaves the others readable.
//!
//! ```text
//! {"version":2,
//! "pauses":{"version":1,"checksum":"…","memory":[…]},
//! "spending":{"version":1,"checksum":"…","memory":{…}},
//! "variants":[
//! {"account_id":"…","region":"…","endpoint":"…","variant":"…","checksum":"…","memory":{…}},
//! …
//! ]}
//! ```
//!
//! Version 1 had no checksums, and was one document of many lines.

use std::collections::BTreeMap;
use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::ids::{AccountId, EndpointName, Region, VariantId, VariantName, VariantNames};
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::model::record::{
    PAUSES, Record, SPENDING, end_stand_in, rest_of, stands_in, unknown_pauses,
};
use crate::model::shared::Shared;
use crate::model::spending::Spending;

/// The version of the document. One of a later form is read as far as it is known.
pub(super) const VERSION: u32 = 2;
/// How a line of a variant begins.
const ENTRY: &str = "{\"account_id\":";
/// How the line of the pauses begins.
const PAUSES_MEMBER: &str = "\"pauses\":";
/// How the line of what CloudWatch has been asked for begins.
const SPENDING_MEMBER: &str = "\"spending\":";
/// The most records that are kept beside the memory: the newest.
const ASIDE_MAX: usize = 1000;

/// This program never leaves an empty file: somebody else did, or a file system that lost it.
const EMPTY: &str = "it is empty, and setpoint never leaves it so: what it held is lost, pauses \
                     included. Put a copy back, or remove the file to begin with an empty memory \
                     (no raise for 24 hours)";

/// What the file holds.
#[derive(Debug, Default, Clone)]
pub(super) struct Document {
    /// Of more than one variant.
    pub(super) pauses: Pauses,
    pub(super) variants: BTreeMap<VariantId, Shared<VariantMemory>>,
    /// What CloudWatch has been asked for.
    pub(super) spending: Spending,
    /// What could not be read.
    pub(super) damaged: Vec<Aside>,
    /// The whole of a file of a later version, and which.
    pub(super) newer: Option<(u32, Vec<u8>)>,
}

/// A record that could not be read, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Aside {
    /// Which variant, as far as that could be read.
    pub(super) of: String,
    /// What is wrong with it.
    pub(super) why: String,
    /// Its text.
    pub(super) found: String,
}

impl Aside {
    /// The records of the file beside the memory. What is no record there is passed over.
    pub(super) fn parse(content: &[u8]) -> Vec<Self> {
        let lines = content.split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// The file beside the memory with more records.
    pub(super) fn add(before: &[u8], more: &[Self]) -> Vec<u8> {
        let mut all = Self::parse(before);
        all.extend_from_slice(more);
        let newest = all.len().saturating_sub(ASIDE_MAX);
        let line = |aside: &Self| serde_json::to_string(aside).unwrap_or_default() + "\n";
        all[newest..].iter().map(line).collect::<String>().into_bytes()
    }
}

#[derive(Deserialize)]
struct Outer<'a> {
    version: u32,
    #[serde(borrow)]
    pauses: Option<&'a RawValue>,
    #[serde(borrow)]
    spending: Option<&'a RawValue>,
    #[serde(borrow, default)]
    variants: Vec<&'a RawValue>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    account_id: AccountId,
    region: Region,
    endpoint: EndpointName,
    variant: VariantName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    memory: Box<RawValue>,
}

impl Document {
    /// Reads a file; of one that is damaged, all that is whole.
    ///
    /// # Errors
    /// When it is no memory at all: it may be a file that matters to somebody else.
    pub(super) fn parse(content: Vec<u8>) -> Result<Self, String> {
        if content.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
            return Err(EMPTY.to_owned());
        }
        let text = String::from_utf8_lossy(&content);
        let mut document = Self::default();
        let mut later = None;
        match serde_json::from_str::<Outer<'_>>(&text) {
            Ok(outer) => {
                for entry in outer.variants {
                    document.take(entry.get(), outer.version);
                }
                if let Some(pauses) = outer.pauses {
                    document.take_pauses(pauses.get());
                }
                if let Some(spending) = outer.spending {
                    document.take_spending(spending.get());
                }
                later = Some(outer.version).filter(|version| *version > VERSION);
            }
            Err(error) => document.rescue(&text, &error.to_string())?,
        }
        document.newer = later.map(|version| (version, content));
        Ok(document)
    }

    /// Takes the entry of a variant.
    fn take(&mut self, text: &str, version: u32) {
        let entry = match serde_json::from_str::<Entry>(text) {
            Ok(entry) => entry,
            Err(error) => return self.set_aside(text, &error.to_string()),
        };
        let Entry { account_id, region, endpoint, variant, checksum, memory } = entry;
        let id = VariantId::of(account_id, region, endpoint, variant);
        let record = Record::found(version.saturating_sub(1), checksum, memory);
        match record.read(&id.to_string()) {
            Ok(memory) => {
                self.variants.insert(id, memory);
            }
            Err(why) => self.set_aside(text, &why),
        }
    }

    /// Sets an entry aside; what holds writes back stays with its variant, if that can be read.
    fn set_aside(&mut self, text: &str, why: &str) {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let id = serde_json::from_value::<VariantId>(value.clone()).ok().or_else(|| named_by(text));
        let of = id.as_ref().map_or_else(|| "an entry".to_owned(), ToString::to_string);
        self.damaged.push(Aside { of, why: why.to_owned(), found: text.to_owned() });
        if let Some(id) = id {
            let rest = rest_of(value.get("memory").unwrap_or(&Value::Null));
            self.variants.insert(id, rest.into());
        }
    }

    fn take_pauses(&mut self, text: &str) {
        // Version 1 had the bare list.
        let read = if text.starts_with('[') {
            serde_json::from_str(text).map_err(|error| error.to_string())
        } else {
            serde_json::from_str::<Record>(text)
                .map_err(|error| error.to_string())
                .and_then(|record| record.read(PAUSES))
        };
        match read {
            Ok(pauses) => self.pauses = pauses,
            Err(why) => self.lose_pauses(text, why),
        }
    }

    /// What cannot be read is counted again from nothing, and said as any damage is.
    fn take_spending(&mut self, text: &str) {
        let record = serde_json::from_str::<Record>(text).map_err(|error| error.to_string());
        match record.and_then(|record| record.read(SPENDING)) {
            Ok(spending) => self.spending = spending,
            Err(why) => {
                let (of, found) = (SPENDING.to_owned(), text.to_owned());
                self.damaged.push(Aside { of, why, found });
            }
        }
    }

    fn lose_pauses(&mut self, found: &str, why: String) {
        self.pauses = unknown_pauses();
        self.damaged.push(Aside { of: PAUSES.to_owned(), why, found: found.to_owned() });
    }

    /// Reads a document that is not whole, line by line.
    fn rescue(&mut self, text: &str, why: &str) -> Result<(), String> {
        let lines = || text.lines().map(|line| line.trim().trim_end_matches(','));
        let mut ours = false;
        for line in lines().filter(|line| line.starts_with(ENTRY)) {
            ours = true;
            self.take(line, 0);
        }
        if let Some(spending) = lines().find_map(|line| line.strip_prefix(SPENDING_MEMBER)) {
            self.take_spending(spending);
        }
        if let Some(pauses) = lines().find_map(|line| line.strip_prefix(PAUSES_MEMBER)) {
            self.take_pauses(pauses);
        } else {
            if !ours && !looks_like_ours(text) {
                return Err(format!(
                    "it is not a memory of setpoint: {why} (move it away, or set memory.file to \
                     another path)"
                ));
            }
            self.lose_pauses(text, why.to_owned());
        }
        Ok(())
    }

    /// A person has looked at what was set aside and has removed it: what stood in for pauses that
    /// could not be read ends.
    pub(super) fn end_stand_ins(&mut self) {
        self.pauses.end_stand_ins();
        // The others are shared with whoever knows them, and stay so.
        let held = |memory: &Shared<VariantMemory>| memory.pause.as_ref().is_some_and(stands_in);
        self.variants.values_mut().filter(|memory| held(memory)).for_each(|m| end_stand_in(m));
    }

    pub(super) fn write(&self, to: &mut dyn Write) -> std::io::Result<()> {
        writeln!(to, "{{\"version\":{VERSION},")?;
        // What does not read back has been refused before it came here.
        if let Ok(pauses) = Record::of(PAUSES, &self.pauses)
            && let Ok(pauses) = serde_json::to_string(&pauses)
        {
            writeln!(to, "{PAUSES_MEMBER}{pauses},")?;
        }
        if self.spending != Spending::default()
            && let Ok(spending) = Record::of(SPENDING, &self.spending)
            && let Ok(spending) = serde_json::to_string(&spending)
        {
            writeln!(to, "{SPENDING_MEMBER}{spending},")?;
        }
        to.write_all(b"\"variants\":[")?;
        let mut separator = "\n";
        for (id, memory) in &self.variants {
            let Some(entry) = entry(id, memory) else { continue };
            write!(to, "{separator}{entry}")?;
            separator = ",\n";
        }
        to.write_all(b"\n]}\n")
    }

    /// Whether it is no more than what was read: nothing waits to be set aside.
    pub(super) const fn is_plain(&self) -> bool {
        self.damaged.is_empty() && self.newer.is_none()
    }
}

fn entry(id: &VariantId, memory: &VariantMemory) -> Option<String> {
    // What does not read back has been refused before it came here.
    let record = Record::of_checked(&id.to_string(), memory).ok()?;
    let VariantNames { account_id, region, endpoint, variant } = VariantNames::clone(id);
    let checksum = record.checksum().map(str::to_owned);
    let memory = RawValue::from_string(record.text().to_owned()).ok()?;
    serde_json::to_string(&Entry { account_id, region, endpoint, variant, checksum, memory }).ok()
}

/// The variant that the beginning of a line names which is not whole.
fn named_by(line: &str) -> Option<VariantId> {
    let (names, _) = line.split_once(",\"checksum\"").or_else(|| line.split_once(",\"memory\""))?;
    serde_json::from_str(&format!("{names}}}")).ok()
}

/// Whether a text that is not JSON was once the beginning of a memory.
fn looks_like_ours(text: &str) -> bool {
    let start: String = text.chars().filter(|c| !c.is_whitespace()).take(12).collect();
    start.starts_with("{\"version\":")
}
