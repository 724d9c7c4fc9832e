//! The effective configuration as YAML, with the origin of each line on request.

use serde_json::Value;
use yaml_rust2::{Yaml, YamlEmitter};

use super::merge::Merged;
use super::schema::{Step, keys, schema};
use super::secret::without_passwords;

/// The merged layers as YAML that can be loaded again, but for the passwords of URLs, which are not
/// shown.
pub(super) fn to_yaml(merged: &Merged, origin: bool) -> String {
    let mut tree = merged.json();
    let targets = merged.targets.iter().map(|t| t.value.clone()).collect();
    if let Some(map) = tree.as_object_mut() {
        map.insert("targets".to_owned(), Value::Array(targets));
    }
    let mut out = Lines { merged, origin, text: String::new() };
    out.section(&tree, schema(), 0, &mut Vec::new());
    out.text
}

struct Lines<'a> {
    merged: &'a Merged,
    origin: bool,
    text: String,
}

impl Lines<'_> {
    /// The entries of a section, in the order of the schema.
    fn section(&mut self, value: &Value, node: &Value, depth: usize, path: &mut Vec<Step>) {
        for key in keys(node) {
            let Some(own) = value.get(key) else { continue };
            let below = &node["properties"][key];
            path.push(Step::Key(key.to_owned()));
            self.entry(&format!("{}{key}:", "  ".repeat(depth)), own, below, depth, path);
            path.pop();
        }
    }

    fn entry(
        &mut self,
        start: &str,
        value: &Value,
        node: &Value,
        depth: usize,
        path: &mut Vec<Step>,
    ) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.line(start, None);
                self.section(value, node, depth + 1, path);
            }
            // A list of plain values is shown in its line.
            Value::Array(items) if items.iter().any(Value::is_object) => {
                self.line(start, None);
                for (i, item) in items.iter().enumerate() {
                    path.push(Step::Index(i));
                    self.item(item, &node["items"], depth + 1, path);
                    path.pop();
                }
            }
            leaf => self.line(&format!("{start} {}", scalar(leaf)), Some(path)),
        }
    }

    /// One item of a list: its first line takes the dash instead of two spaces.
    fn item(&mut self, item: &Value, node: &Value, depth: usize, path: &mut Vec<Step>) {
        let at = self.text.len();
        self.section(item, node, depth + 1, path);
        let dash = at + depth * 2;
        self.text.replace_range(dash..=dash, "-");
    }

    fn line(&mut self, text: &str, leaf: Option<&[Step]>) {
        self.text.push_str(text);
        if let (true, Some(path)) = (self.origin, leaf) {
            let origin = match path {
                [Step::Key(list), Step::Index(i), key @ ..] if list == "targets" => {
                    self.merged.targets[*i].origin_of(key)
                }
                path => self.merged.origin(path),
            };
            self.text.push_str("  # ");
            self.text.push_str(&origin.replace('\n', " "));
        }
        self.text.push('\n');
    }
}

/// A plain value, quoted where YAML needs it.
fn scalar(value: &Value) -> String {
    let yaml = match value {
        Value::String(text) => Yaml::String(without_passwords(text)),
        // Numbers, booleans and empty collections are the same in JSON and YAML.
        other => return other.to_string(),
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = YamlEmitter::new(&mut text).dump(&yaml);
    text.trim_start_matches("---").trim().to_owned()
}
