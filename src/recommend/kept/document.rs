//! JSON and YAML as one kind of tree. CloudFormation's short tags become its long functions.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Tagged;

use super::Unread;

/// The largest file: the plan of a large Terraform state.
const MAX_BYTES: usize = 256 << 20;

/// Deeper than any template nests, or the schema in a custom resource definition.
const MAX_DEPTH: usize = 100;
/// The reader recurses, with some 30 KiB a level where nothing is optimized.
const STACK_BYTES: usize = 32 << 20;
/// More values than CloudFormation, or a whole cluster's manifests, have.
const MAX_NODES: usize = 4_000_000;

/// The documents of a text.
///
/// # Errors
/// When it is neither JSON nor YAML; with the line.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, Unread> {
    if text.len() > MAX_BYTES {
        return Err(Unread(format!("found {} bytes (read: up to 256 MiB)", text.len())));
    }
    let mut not_json = None;
    if text.trim_start().starts_with(['{', '[']) {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => return Ok(vec![value]),
            Err(error) => not_json = Some(error),
        }
    }
    let read = with_room(|| serde_saphyr::from_multiple_with_options::<Tree>(text, options()))?;
    let trees = read.map_err(|error| {
        // What begins like JSON is hardly ever YAML in the flow style.
        if let Some(error) = &not_json {
            return Unread(format!("found no JSON: {error}"));
        }
        let line = error.location().map(|place| place.line()).filter(|line| *line > 0);
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let error = error.to_string();
        let first = error.lines().next().unwrap_or_default().to_owned();
        Unread(format!("{line}found neither JSON nor YAML: {first} (read: {})", super::READ))
    })?;
    let values = trees.into_iter().map(|tree| tree.0);
    Ok(values.filter(|value| value.is_object() || value.is_array()).collect())
}

/// Does some work on a stack of its own.
fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Unread> {
    let no_room = |why: &str| Unread(format!("cannot be read: {why}"));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work);
        let thread = thread.map_err(|error| no_room(&error.to_string()))?;
        thread.join().map_err(|_| no_room("the reader of YAML has failed"))
    })
}

/// A file may come from anybody: neither nesting nor aliases within aliases end the process.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_recorded_anchor_events: MAX_NODES / 10,
            max_documents: MAX_NODES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
        },
        with_snippet: false,
    }
}

/// A tree whose tags are functions: `!Ref X` is `{"Ref": "X"}`.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(value, tag) = Tagged::<Plain>::deserialize(deserializer)?;
        let name = tag.as_deref().and_then(|tag| tag.strip_prefix('!'));
        let key = match name {
            Some("") | None => return Ok(Self(value.0)),
            Some(name @ ("Ref" | "Condition")) => name.to_owned(),
            Some(name) => format!("Fn::{name}"),
        };
        Ok(Self(Value::Object(Map::from_iter([(key, value.0)]))))
    }
}

struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Plain, A::Error> {
        let mut items = Vec::new();
        while let Some(Tree(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Plain(Value::Array(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let Tree(value) = map.next_value()?;
            entries.insert(key, value);
        }
        Ok(Plain(Value::Object(entries)))
    }
}
