//! The JSON schema (draft-07) of the configuration, generated from the raw types, and questions
//! to it: what does it say about a key, and how is that said to a person.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw::Raw;

/// The schema as a document. Every key is optional in a layer, and null is allowed nowhere.
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let settings = SchemaSettings::draft07().with(|s| s.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<Raw>().to_value();
        tidy(&mut schema);
        schema
    })
}

/// The schema as it is written to `config/schema.json`.
pub fn schema_json() -> String {
    // A `Value` holds nothing that cannot be written.
    let mut text = serde_json::to_string_pretty(schema()).unwrap_or_default();
    text.push('\n');
    text
}

/// Removes what schemars says for Rust's sake: null for `Option`, defaults (`config/default.yaml`
/// is the only place for them), and number formats that no validator knows.
fn tidy(node: &mut Value) {
    match node {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|t| t != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(options)) = map.get_mut("enum") {
                options.retain(|o| !o.is_null());
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|c| c.get("type").is_none_or(|t| t != "null"));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    for (key, value) in only {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            if map.contains_key("type") {
                map.remove("default");
                map.remove("format");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// One step of a path into a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// What the schema says about the value at a path, if anything.
pub(super) fn node_at(path: &[Step]) -> Option<&'static Value> {
    path.iter().try_fold(schema(), |node, step| match step {
        Step::Key(key) => node.get("properties")?.get(key),
        Step::Index(_) => node.get("items"),
    })
}

/// A path as people write it: `targets[3].objective`.
pub(super) fn key_path(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(i) => {
                use std::fmt::Write as _;
                // Writing to a string cannot fail.
                let _ = write!(text, "[{i}]");
            }
        }
    }
    text
}

/// Whether a schema node admits a JSON type.
pub(super) fn admits(node: &Value, kind: &str) -> bool {
    let by_type = match node.get("type") {
        Some(Value::String(t)) => t == kind || (kind == "integer" && t == "number"),
        Some(Value::Array(types)) => types.iter().any(|t| t == kind),
        _ => false,
    };
    by_type || choices(node).any(|choice| admits(choice, kind))
}

fn choices(node: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|key| node.get(key)?.as_array());
    lists.flatten()
}

/// What is allowed by a schema node, for a person.
pub(super) fn describe(node: &Value) -> String {
    let options: Vec<String> = words(node);
    if !options.is_empty() {
        return format!("one of {}", options.join(", "));
    }
    let several: Vec<String> = choices(node).map(describe).collect();
    if !several.is_empty() {
        return several.join(", or ").replace("one of auto", "auto");
    }
    let number = |key: &str| node.get(key).and_then(Value::as_f64).map(crate::model::units::human);
    let low = number("exclusiveMinimum")
        .map(|n| format!(" above {n}"))
        .or_else(|| number("minimum").map(|n| format!(" from {n}")));
    let high = match (&low, number("maximum")) {
        (Some(low), Some(n)) if low.starts_with(" above") => format!(" and at most {n}"),
        (Some(_), Some(n)) => format!(" to {n}"),
        (None, Some(n)) => format!(" up to {n}"),
        (_, None) => String::new(),
    };
    let range = low.unwrap_or_default() + &high;
    match node.get("type").and_then(Value::as_str) {
        Some("integer") => format!("a whole number{range}"),
        Some("number") => format!("a number{range}"),
        Some("boolean") => "true or false".to_owned(),
        Some("array") if number("minItems").is_some() => "a list of at least one".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => format!("a section with the keys {}", keys(node).join(", ")),
        Some("string") => match node.get("pattern").and_then(Value::as_str) {
            Some(pattern) => in_words(pattern).to_owned(),
            None if node.get("minLength").is_some() => "a text that is not empty".to_owned(),
            None => "a text".to_owned(),
        },
        _ => "what the schema says (setpoint config schema)".to_owned(),
    }
}

/// What a pattern of the schema asks for, for people: a regular expression explains nothing.
fn in_words(pattern: &str) -> &'static str {
    match pattern {
        "^[0-9]{12}$" => "a text of 12 digits, quoted",
        "^[a-z0-9-]{1,32}$" => "an AWS region, such as us-east-1",
        "^https?://[^\\s]+$" => "a URL, such as http://127.0.0.1:5000",
        "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$" => {
            "the ARN of a role, such as arn:aws:iam::123456789012:role/setpoint"
        }
        "^[a-zA-Z0-9_+=,.@:/-]+$" => {
            "an external id: 2 to 1224 letters, digits and any of _ + = , . @ : / -"
        }
        "^[a-z0-9]([-a-z0-9.]{0,241}[a-z0-9])?$" => {
            "a name in Kubernetes of at most 243 characters: lower-case letters, digits, hyphens and dots, such as \
             setpoint"
        }
        "^[a-z0-9]([-a-z0-9.]{0,233}[a-z0-9])?$" => {
            "a name in Kubernetes of at most 235 characters: lower-case letters, digits, hyphens and dots, such as \
             setpoint-memory"
        }
        "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" => {
            "a namespace: lower-case letters, digits and hyphens, such as monitoring"
        }
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => "a day as year-month-day, such as 2026-11-01",
        "^ml\\.[a-z0-9-]+\\.[a-z0-9-]+$" => "an instance type, such as ml.c5.xlarge",
        "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$" => {
            "the name of an endpoint config: 1 to 63 letters, digits and hyphens"
        }
        "^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$" => {
            "the name of a family: 1 to 128 letters, digits and any of . _ / -, beginning with a letter or digit"
        }
        _ => UNEXPLAINED,
    }
}

/// What is said of a pattern that nobody has put into words; a test finds it.
const UNEXPLAINED: &str = "a text of the form shown in config/default.yaml";

/// The members of an enumeration, whichever way schemars wrote it.
pub(super) fn words(node: &Value) -> Vec<String> {
    let plain = |v: &Value| v.as_str().map(str::to_owned);
    if let Some(options) = node.get("enum").and_then(Value::as_array) {
        return options.iter().filter_map(plain).collect();
    }
    if let Some(only) = node.get("const").and_then(Value::as_str) {
        return vec![only.to_owned()];
    }
    let Some(members) = node.get("oneOf").and_then(Value::as_array) else { return Vec::new() };
    members.iter().flat_map(words).collect()
}

/// The keys that a section may have, in their order.
pub(super) fn keys(node: &Value) -> Vec<&str> {
    let properties = node.get("properties").and_then(Value::as_object);
    properties.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_put_into_words() {
        fn patterns(node: &Value, found: &mut Vec<String>) {
            match node {
                Value::Object(map) => {
                    found.extend(map.get("pattern").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|below| patterns(below, found));
                }
                Value::Array(items) => items.iter().for_each(|below| patterns(below, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        patterns(schema(), &mut found);
        assert!(found.len() > 10, "{found:?}");
        for pattern in found {
            assert_ne!(in_words(&pattern), UNEXPLAINED, "{pattern}");
        }
    }
}
