//! Checks one layer against the schema, before it is merged and before any coercion.

use std::sync::OnceLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::environment;
use super::problem::Problem;
use super::schema::{Step, describe, key_path, keys, node_at, schema, words};
use crate::model::near::nearest;

/// The most problems of a layer that are reported: of ten thousand, all have one cause.
const MOST: usize = 100;

/// What the schema does not allow.
pub(super) struct Fault {
    /// Where it is.
    pub(super) path: Vec<Step>,
    /// What to say of it.
    pub(super) problem: Problem,
}

/// Everything in `layer` that the schema does not allow. `origin` is what a problem names, given
/// the key path.
pub(super) fn check(layer: &Value, origin: &dyn Fn(&[Step]) -> String) -> Vec<Fault> {
    let Some(validator) = validator() else {
        let problem = Problem::new("schema", "", "an invalid schema", "a draft-07 schema");
        return vec![Fault { path: Vec::new(), problem }];
    };
    let mut faults = Vec::new();
    let mut add = |path: Vec<Step>, problem: Problem| {
        let target = target_name(layer, &path);
        faults.push(Fault { path, problem: Problem { target, ..problem } });
    };
    let mut errors = validator.iter_errors(layer);
    for error in errors.by_ref().take(MOST) {
        let path = steps(error.instance_path().as_str(), layer);
        let node = node_at(&path).unwrap_or(&Value::Null);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for key in unexpected {
                    let mut at = path.clone();
                    at.push(Step::Key(key.clone()));
                    let problem = unknown_key(origin(&at), &at, key, node);
                    add(at, problem);
                }
            }
            ValidationErrorKind::Required { property } => {
                let mut at = path.clone();
                at.push(Step::Key(property.as_str().unwrap_or_default().to_owned()));
                let allowed = node_at(&at).map(describe).unwrap_or_default();
                add(at.clone(), Problem::new(origin(&path), key_path(&at), "nothing", allowed));
            }
            _ => add(path.clone(), wrong_value(origin(&path), &path, error.instance(), node)),
        }
    }
    if errors.next().is_some() {
        let found = format!("more problems than the first {MOST}");
        let problem =
            Problem::new(origin(&[]), "", found, "none (correct these to see the others)");
        faults.push(Fault { path: Vec::new(), problem });
    }
    faults
}

/// The name of the target that a path leads into, as `endpoint/variant`, as far as it has one.
fn target_name(layer: &Value, path: &[Step]) -> Option<String> {
    let [Step::Key(list), Step::Index(i), ..] = path else { return None };
    let target = layer.get(list)?.get(i)?;
    (list == "targets").then(|| name_of(target)).flatten()
}

/// The name of a target as it is written.
pub(super) fn name_of(target: &Value) -> Option<String> {
    let part = |key: &str| target.get(key).and_then(Value::as_str);
    match (part("endpoint"), part("variant")) {
        (Some(endpoint), Some(variant)) => Some(format!("{endpoint}/{variant}")),
        (Some(endpoint), None) => Some(endpoint.to_owned()),
        (None, _) => None,
    }
}

fn unknown_key(origin: String, at: &[Step], key: &str, node: &Value) -> Problem {
    let known = keys(node);
    let variable = origin.strip_prefix("environment SETPOINT__").and_then(environment::meant);
    let mut problem = Problem::new(origin, key_path(at), "an unknown key", known.join(", "));
    let near = nearest(key, &known).map(str::to_owned);
    problem.hint = variable.or(near).map(|near| format!("did you mean {near}?"));
    problem
}

fn wrong_value(file: String, path: &[Step], found: &Value, node: &Value) -> Problem {
    let mut problem = Problem::new(file, key_path(path), show(found), describe(node));
    if found.is_null() {
        problem.hint = Some("leave the key out to keep its default".to_owned());
    } else if found.is_number() && node.get("type").is_some_and(|t| t == "string") {
        let account = problem.key.ends_with("account_id") && problem.found.len() < 12;
        let lost = ", with the zeros that it begins with: a number has lost them";
        problem.hint = Some(format!("put it in quotes{}", if account { lost } else { "" }));
    } else if let Some(text) = found.as_str() {
        let options = words(node);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let near = nearest(text, &options).map(|k| format!("did you mean {k}?"));
        let quoted = || {
            let number = node.get("type").is_some_and(|t| t == "number" || t == "integer");
            (number && text.parse::<f64>().is_ok()).then(|| "write it without quotes".to_owned())
        };
        problem.hint = near.or_else(quoted);
    }
    problem
}

fn validator() -> Option<&'static Validator> {
    static VALIDATOR: OnceLock<Option<Validator>> = OnceLock::new();
    VALIDATOR.get_or_init(|| jsonschema::draft7::new(schema()).ok()).as_ref()
}

/// A value as the reader of a message recognises it, cut to a line.
pub(super) fn show(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::Object(_) => "a section".to_owned(),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() > 80 {
        text.chars().take(77).chain("...".chars()).collect()
    } else {
        text
    }
}

/// The steps of a JSON pointer; whether one is an index or a key depends on the document.
fn steps(pointer: &str, document: &Value) -> Vec<Step> {
    let mut node = document;
    let mut path = Vec::new();
    for part in pointer.split('/').skip(1) {
        let key = part.replace("~1", "/").replace("~0", "~");
        let (step, next) = if let (Value::Array(items), Ok(i)) = (node, key.parse::<usize>()) {
            (Step::Index(i), items.get(i))
        } else {
            let next = node.get(&key);
            (Step::Key(key), next)
        };
        path.push(step);
        node = next.unwrap_or(&Value::Null);
    }
    path
}
