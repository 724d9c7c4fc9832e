//! Checks one layer against the schema, before it is merged and before any coercion.

use std::sync::OnceLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::problem::Problem;
use super::schema::{Step, describe, key_path, keys, node_at, schema, words};

/// Everything in `layer` that the schema does not allow. `file` is what a problem names, given the
/// key path.
pub(super) fn check(layer: &Value, file: &dyn Fn(&[Step]) -> String) -> Vec<Problem> {
    let Some(validator) = validator() else {
        return vec![Problem::new("schema", "", "an invalid schema", "a draft-07 schema")];
    };
    let mut problems = Vec::new();
    for error in validator.iter_errors(layer) {
        let path = steps(error.instance_path().as_str(), layer);
        let node = node_at(&path).unwrap_or(&Value::Null);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for key in unexpected {
                    let mut at = path.clone();
                    at.push(Step::Key(key.clone()));
                    let known = keys(node);
                    let mut problem =
                        Problem::new(file(&at), key_path(&at), "an unknown key", known.join(", "));
                    problem.hint = closest(key, &known).map(|k| format!("did you mean {k}?"));
                    problems.push(problem);
                }
            }
            ValidationErrorKind::Required { property } => {
                let mut at = path.clone();
                at.push(Step::Key(property.as_str().unwrap_or_default().to_owned()));
                let allowed = node_at(&at).map(describe).unwrap_or_default();
                problems.push(Problem::new(file(&path), key_path(&at), "nothing", allowed));
            }
            _ => problems.push(wrong_value(file(&path), &path, error.instance(), node)),
        }
    }
    problems
}

fn wrong_value(file: String, path: &[Step], found: &Value, node: &Value) -> Problem {
    let mut problem = Problem::new(file, key_path(path), show(found), describe(node));
    if found.is_null() {
        problem.hint = Some("leave the key out to keep its default".to_owned());
    } else if found.is_number() && node.get("type").is_some_and(|t| t == "string") {
        problem.hint = Some("put it in quotes".to_owned());
    } else if let Some(text) = found.as_str() {
        let options = words(node);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        problem.hint = closest(text, &options).map(|k| format!("did you mean {k}?"));
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

/// The known word nearest to a mistyped one, if it is near enough to be meant.
fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known.iter().map(|k| (edit_distance(word, k), *k)).min()?;
    (best.0 <= 1 + word.chars().count() / 4).then_some(best.1)
}

/// How many letters must be put in, taken out or replaced to turn `a` into `b` (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(closest("treshold_ms", &["statistic", "threshold_ms"]), Some("threshold_ms"));
        assert_eq!(closest("regoin", &["region", "profile"]), Some("region"));
        assert_eq!(closest("banana", &["region", "profile"]), None);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
