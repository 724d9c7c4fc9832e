//! Checks all layers, then merges them with the `config` crate; `targets` add up.

use config::{Config as Merger, Map, Value as Loaded, ValueKind};
use serde_json::Value;

use super::check::{check, name_of};
use super::environment::{self, from_environment};
use super::layers::{
    DEFAULT_NAME, DEFAULT_YAML, Env, Layer, Sources, expand, from_file, from_flags, from_text,
    json, origin_in, table_json,
};
use super::problem::{Problem, split_origin};
use super::prune::{STAND_IN, UnreadableKeys, prune};
use super::schema::Step;
use crate::model::warning::ConfigWarning;

/// All layers as one tree; every value in it knows its origin.
#[derive(Debug, Clone, Default)]
pub(super) struct Merged {
    /// Everything but the targets.
    pub(super) table: Map<String, Loaded>,
    /// The targets of all layers, each with its file and place there.
    pub(super) targets: Vec<MergedTarget>,
    /// What was taken out because the schema does not allow it.
    pub(super) spoiled: UnreadableKeys,
    /// What is strange about files and variables.
    pub(super) warnings: Vec<ConfigWarning>,
}

#[derive(Debug, Clone)]
pub(super) struct MergedTarget {
    pub(super) file: String,
    /// Its place in the file's list, from 0.
    pub(super) index: usize,
    /// What was written, each value with its line.
    loaded: Loaded,
    /// The same as JSON.
    pub(super) value: Value,
}

impl MergedTarget {
    /// The file and line, as messages name them.
    pub(super) fn origin(&self) -> String {
        self.loaded.origin().unwrap_or(DEFAULT_NAME).to_owned()
    }

    /// The file and line of a key of it, or of the nearest one around it.
    pub(super) fn origin_of(&self, path: &[Step]) -> String {
        let ValueKind::Table(table) = &self.loaded.kind else { return self.origin() };
        let known = matches!(path.first(), Some(Step::Key(key)) if table.contains_key(key));
        let origin = known.then(|| origin_in(table, path)).flatten();
        origin.unwrap_or_else(|| self.origin())
    }

    /// Whether it says something of a key itself.
    pub(super) fn says(&self, path: &[Step]) -> bool {
        !path.is_empty() && says(&self.value, path)
    }

    /// What it is called: `endpoint/variant`, as it is written.
    pub(super) fn name(&self) -> Option<String> {
        name_of(&self.value).filter(|_| !self.has_stand_in())
    }

    /// Whether its name was not understood.
    pub(super) fn has_stand_in(&self) -> bool {
        ["endpoint", "variant"].iter().any(|key| self.value[key] == STAND_IN)
    }
}

impl Merged {
    /// Everything but the targets, as JSON.
    pub(super) fn json(&self) -> Value {
        table_json(&self.table)
    }

    /// Whether some layer says something of a key.
    pub(super) fn says(&self, path: &[Step]) -> bool {
        says(&self.json(), path)
    }

    /// Which layer, and which line of it, the value at a key path came from.
    pub(super) fn origin(&self, path: &[Step]) -> String {
        origin_in(&self.table, path).unwrap_or_else(|| DEFAULT_NAME.to_owned())
    }
}

fn says(value: &Value, path: &[Step]) -> bool {
    let below = |value, step: &Step| match step {
        Step::Key(key) => Value::get(value, key),
        Step::Index(i) => Value::get(value, i),
    };
    path.iter().try_fold(value, below).is_some()
}

/// Loads, checks and merges: what can be used, and every problem of every layer.
pub(super) fn merge(sources: &Sources) -> (Merged, Vec<Problem>) {
    let Read { layers, problems, mut warnings } = read(sources);
    warnings.extend(environment::warnings(&sources.environment));
    finish(layers, problems, warnings)
}

/// What was read of some sources.
pub(super) struct Read {
    /// All layers that can be read.
    pub(super) layers: Vec<Layer>,
    /// What is wrong with the others.
    pub(super) problems: Vec<Problem>,
    /// What is strange about files.
    warnings: Vec<ConfigWarning>,
}

/// Reads all layers.
pub(super) fn read(sources: &Sources) -> Read {
    let mut all = Read { layers: Vec::new(), problems: Vec::new(), warnings: Vec::new() };
    all.add(from_text(DEFAULT_NAME, DEFAULT_YAML));
    for path in &sources.files {
        match expand(path) {
            Ok(expanded) => {
                expanded.files.iter().for_each(|file| all.add(from_file(file)));
                all.warnings.extend(expanded.passed_over.iter().map(|yml| ConfigWarning {
                    code: "file_not_read",
                    origin: yml.display().to_string(),
                    target: None,
                    key: String::new(),
                    sentence: format!(
                        "it is not read: of a directory only *.yaml is (rename it to {})",
                        yml.with_extension("yaml").display()
                    ),
                }));
            }
            Err(problem) => all.problems.push(*problem),
        }
    }
    for (layer, found) in [from_environment(&sources.environment), from_flags(&sources.flags)] {
        all.problems.extend(found);
        all.layers.push(layer);
    }
    all
}

impl Read {
    fn add(&mut self, layer: Result<Layer, Box<Problem>>) {
        match layer {
            Ok(layer) => self.layers.push(layer),
            Err(problem) => self.problems.push(*problem),
        }
    }
}

/// The defaults and one text.
pub(super) fn merge_text(name: &str, text: &str) -> (Merged, Vec<Problem>) {
    let mut all = Read { layers: Vec::new(), problems: Vec::new(), warnings: Vec::new() };
    all.add(from_text(DEFAULT_NAME, DEFAULT_YAML));
    all.add(from_text(name, text));
    finish(all.layers, all.problems, environment::warnings(&Env::Nothing))
}

fn finish(
    layers: Vec<Layer>,
    mut problems: Vec<Problem>,
    warnings: Vec<ConfigWarning>,
) -> (Merged, Vec<Problem>) {
    let mut merged = Merged { warnings, ..Merged::default() };
    merged.spoiled.layer_missing = !problems.is_empty();
    let mut builder = Merger::builder();
    for mut layer in layers {
        let faults = check(&layer.json(), &|path| layer.origin(path));
        let (paths, found): (Vec<_>, Vec<_>) =
            faults.into_iter().map(|fault| (fault.path, fault.problem)).unzip();
        problems.extend(found);
        prune(&mut layer.table, &layer.name, &paths, &mut merged.spoiled);
        if let Some(Loaded { kind: ValueKind::Array(items), .. }) = layer.table.remove("targets") {
            merged.targets.extend(items.into_iter().enumerate().filter_map(target));
        }
        builder = builder.add_source(layer);
    }
    let table = builder.build().and_then(|tree| tree.cache.into_table());
    match table {
        Ok(table) => merged.table = table,
        Err(error) => {
            let allowed = "layers that can be merged";
            problems.push(Problem::new("configuration", "", error.to_string(), allowed));
        }
    }
    (merged, problems)
}

/// A target, unless it was taken out.
fn target((index, loaded): (usize, Loaded)) -> Option<MergedTarget> {
    if loaded.kind == ValueKind::Nil {
        return None;
    }
    let file = split_origin(loaded.origin().unwrap_or(DEFAULT_NAME)).0.to_owned();
    let value = json(&loaded);
    Some(MergedTarget { file, index, loaded, value })
}
