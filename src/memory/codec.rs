//! A memory as the tags of a scalable target, and back.
//!
//! The memory is JSON, deflated, base64url, and cut into values of 256 characters under the keys
//! `setpoint:memory:0`, `:1` and so on. The first value begins with
//! `VERSION:COUNT:GENERATION:HASH:`. The hash covers all of it and the variant's name, so that a
//! set that is half written, damaged or somebody else's is an error and never another memory. One
//! that is whole and of a later version is read as far as it is known.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde_json::Value;

use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::shared::Shared;
use crate::model::stable_hash::fnv1a;

/// What the keys begin with.
pub const PREFIX: &str = "setpoint:memory:";
/// What the keys of a memory begin with that could not be read and was set aside.
pub const ASIDE: &str = "setpoint:set-aside:";
/// The version of the form.
const VERSION: &str = "1";
/// AWS's longest value of a tag, in characters.
const VALUE_MAX: usize = 256;
/// The most tags that a memory takes of AWS's 50: others have tags too.
const TAGS_MAX: usize = 8;
/// More than any memory is. What unpacks to more is no memory.
const JSON_BYTES_MAX: u64 = 64 * 1024;
/// What is left of the reason of a pause when there is no room for all of it, in characters.
const SHORT_REASON: usize = 60;

/// A memory found in tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Grows with each write of it.
    pub generation: u64,
    pub memory: VariantMemory,
}

/// The tags that hold a memory.
///
/// When there is no room for all of it, this is left out, in this order, until there is: since when
/// drift and the like have lasted (their alerts then count from the next start), the values
/// seen (rule 16 then starts over, which is slower), the end of a pause's reason, the oldest writes
/// (rule 10 then counts fewer; only limits of far more writes a day than the default come here).
///
/// # Errors
/// When there is no room even so, or it would not read back as it is.
pub fn encode(
    id: &VariantId,
    generation: u64,
    memory: &VariantMemory,
) -> Result<BTreeMap<String, String>, String> {
    let mut memory = kept(memory);
    loop {
        match pack(id, generation, &memory)? {
            Ok(tags) => return checked(id, tags, generation, memory),
            Err(length) => {
                let room = VALUE_MAX * TAGS_MAX;
                leave_something_out(&mut memory).ok_or_else(|| {
                    format!("it takes {length} characters, and {TAGS_MAX} tags hold {room}")
                })?;
            }
        }
    }
}

/// What tags are for: all that safety needs, without the estimator's journal, which is too large,
/// without what only tells people of the past, and without what only makes the next start quicker:
/// what a deleted endpoint config said, and since when a regime is known.
pub(super) fn kept(memory: &VariantMemory) -> VariantMemory {
    VariantMemory {
        journal: None,
        volatile: None,
        refused: None,
        settled: None,
        reset: None,
        at_min_since: None,
        known_config: None,
        known_regime: None,
        ..memory.clone()
    }
}

fn leave_something_out(memory: &mut VariantMemory) -> Option<()> {
    if !memory.lasting.is_empty() {
        memory.lasting = Shared::default();
        return Some(());
    }
    if !memory.seen.is_empty() {
        memory.seen = Shared::default();
        return Some(());
    }
    if !memory.written.is_empty() {
        memory.written.clear();
        return Some(());
    }
    if let Some(pause) = &mut memory.pause
        && pause.reason.chars().count() > SHORT_REASON
    {
        pause.reason = pause.reason.chars().take(SHORT_REASON - 3).chain("...".chars()).collect();
        return Some(());
    }
    if memory.writes.is_empty() {
        return None;
    }
    memory.writes.remove(0);
    Some(())
}

/// The tags, or how many characters there are when they are too many.
fn pack(
    id: &VariantId,
    generation: u64,
    memory: &VariantMemory,
) -> Result<Result<BTreeMap<String, String>, usize>, String> {
    let json = serde_json::to_value(memory).map_err(|error| error.to_string())?;
    let json = serde_json::to_vec(&without_empty(json)).map_err(|error| error.to_string())?;
    let payload = deflate(&json).map_err(|error| error.to_string())?;
    let payload = URL_SAFE_NO_PAD.encode(payload);
    // The header's length does not depend on the count, which has one digit.
    let length = header(id, VERSION, 1, generation, &payload).len() + payload.len();
    let count = length.div_ceil(VALUE_MAX);
    if count > TAGS_MAX {
        return Ok(Err(length));
    }
    let text = header(id, VERSION, count, generation, &payload) + &payload;
    let values = text.as_bytes().chunks(VALUE_MAX).enumerate();
    let tags = values.map(|(n, value)| (key(n), String::from_utf8_lossy(value).into_owned()));
    Ok(Ok(tags.collect()))
}

fn key(n: usize) -> String {
    format!("{PREFIX}{n}")
}

fn header(id: &VariantId, version: &str, count: usize, generation: u64, payload: &str) -> String {
    let fields = format!("{version}:{count}:{generation}:");
    let hash = fnv1a(format!("{id} {fields}{payload}").into_bytes());
    format!("{fields}{hash:016x}:")
}

/// Nothing is written that could not be read.
fn checked(
    id: &VariantId,
    tags: BTreeMap<String, String>,
    generation: u64,
    memory: VariantMemory,
) -> Result<BTreeMap<String, String>, String> {
    let found = decode(id, &tags)?;
    if found == Some(Found { generation, memory }) {
        Ok(tags)
    } else {
        Err("it holds a number that cannot be written down".to_owned())
    }
}

/// The memory in the tags of a target; none when none of them is of this form. Tags beyond the
/// count are of a longer memory from before, for nothing is ever untagged.
///
/// # Errors
/// When there is something, and it is not a whole memory of this variant.
pub fn decode(id: &VariantId, tags: &BTreeMap<String, String>) -> Result<Option<Found>, String> {
    let Some(first) = tags.get(&key(0)) else {
        let other = tags.keys().find(|key| key.starts_with(PREFIX));
        return other.map_or(Ok(None), |other| Err(format!("{other} is there, {} is not", key(0))));
    };
    let no_header = || format!("{} does not begin as a memory does", key(0));
    let fields: Vec<&str> = first.splitn(5, ':').collect();
    let [version, count, generation, hash, begin] = fields[..] else { return Err(no_header()) };
    let generation: u64 = generation.parse().map_err(|_| no_header())?;
    let count: usize = count.parse().map_err(|_| no_header())?;
    if !(1..=TAGS_MAX).contains(&count) {
        return Err(format!("it says that there are {count} tags (allowed: 1 to {TAGS_MAX})"));
    }
    let mut payload = begin.to_owned();
    for n in 1..count {
        let more = tags.get(&key(n)).ok_or_else(|| format!("{} is missing", key(n)))?;
        payload.push_str(more);
    }
    // The whole beginning is compared: another way to write the same number is another text.
    if !first.starts_with(&header(id, version, count, generation, &payload)) {
        if version != VERSION {
            return Err(format!("version {version:?} of the form, and only {VERSION} is known"));
        }
        return Err(format!("the checksum {hash} is not that of this memory of {id}"));
    }
    let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|error| error.to_string())?;
    let json = inflate(&bytes).map_err(|error| error.to_string())?;
    let memory = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    Ok(Some(Found { generation, memory }))
}

/// The tags of a memory, as found, under the keys of what is set aside.
pub(super) fn aside(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let ours = tags.iter().filter_map(|(key, value)| {
        let rest = key.strip_prefix(PREFIX)?;
        Some((format!("{ASIDE}{rest}"), value.clone()))
    });
    ours.take(TAGS_MAX).collect()
}

/// What is absent need not be said: every member of a memory has its default.
fn without_empty(json: Value) -> Value {
    let Value::Object(members) = json else { return json };
    let says_something = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    Value::Object(members.into_iter().filter(|(_, value)| says_something(value)).collect())
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn inflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut json = Vec::new();
    DeflateDecoder::new(bytes).take(JSON_BYTES_MAX).read_to_end(&mut json)?;
    Ok(json)
}

#[cfg(test)]
mod tests;
