//! Checks all layers, then merges them with the `config` crate; `targets` add up.

use config::{Config as Merger, Map, Value as Loaded, ValueKind};
use serde_json::Value;

use super::check::check;
use super::layers::{
    DEFAULT_NAME, DEFAULT_YAML, Layer, Sources, expand, from_environment, from_file, from_flags,
    from_text, json, origin_in, table_json,
};
use super::problem::{ConfigErrors, Problem};
use super::schema::Step;

/// All layers as one tree; every value in it knows its origin.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// Everything but the targets.
    pub(super) table: Map<String, Loaded>,
    /// The targets of all layers, each with its file and place there.
    pub(super) targets: Vec<MergedTarget>,
}

/// A target as it was written.
#[derive(Debug, Clone)]
pub(super) struct MergedTarget {
    /// The file.
    pub(super) file: String,
    /// Its place in the file's list, from 0.
    pub(super) index: usize,
    /// What was written.
    pub(super) value: Value,
}

impl MergedTarget {
    /// The file and place, as messages name them.
    pub(super) fn origin(&self) -> String {
        format!("{}: targets[{}]", self.file, self.index)
    }
}

impl Merged {
    /// Everything but the targets, as JSON.
    pub(super) fn json(&self) -> Value {
        table_json(&self.table)
    }

    /// Which layer the value at a key path came from.
    pub(super) fn origin(&self, path: &[Step]) -> String {
        origin_in(&self.table, path).unwrap_or_else(|| DEFAULT_NAME.to_owned())
    }
}

/// Loads, checks and merges.
///
/// # Errors
/// Every problem of every layer.
pub(super) fn merge(sources: &Sources) -> Result<Merged, ConfigErrors> {
    let (layers, problems) = layers(sources);
    finish(layers, problems)
}

/// All layers that can be read, and what is wrong with the others.
pub(super) fn layers(sources: &Sources) -> (Vec<Layer>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut layers = Vec::new();
    let mut add = |layer: Result<Layer, Problem>, problems: &mut Vec<Problem>| match layer {
        Ok(layer) => layers.push(layer),
        Err(problem) => problems.push(problem),
    };
    add(from_text(DEFAULT_NAME, DEFAULT_YAML), &mut problems);
    for path in &sources.files {
        match expand(path) {
            Ok(files) => {
                for file in files {
                    add(from_file(&file), &mut problems);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    for (layer, found) in [from_environment(&sources.environment), from_flags(&sources.flags)] {
        problems.extend(found);
        add(Ok(layer), &mut problems);
    }
    (layers, problems)
}

/// The defaults and one text.
///
/// # Errors
/// As [`merge`].
pub(super) fn merge_text(name: &str, text: &str) -> Result<Merged, ConfigErrors> {
    let (mut layers, mut problems) = (Vec::new(), Vec::new());
    for layer in [from_text(DEFAULT_NAME, DEFAULT_YAML), from_text(name, text)] {
        match layer {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    finish(layers, problems)
}

fn finish(layers: Vec<Layer>, mut problems: Vec<Problem>) -> Result<Merged, ConfigErrors> {
    for layer in &layers {
        problems.extend(check(&layer.json(), &|path| layer.origin(path)));
    }
    if !problems.is_empty() {
        return Err(ConfigErrors { problems });
    }
    let mut targets = Vec::new();
    let mut merger = Merger::builder();
    for mut layer in layers {
        if let Some(Loaded { kind: ValueKind::Array(items), .. }) = layer.table.remove("targets") {
            for (index, item) in items.iter().enumerate() {
                let file = item.origin().unwrap_or(DEFAULT_NAME).to_owned();
                targets.push(MergedTarget { file, index, value: json(item) });
            }
        }
        merger = merger.add_source(layer);
    }
    let failed = |message: String| {
        let problem = Problem::new("configuration", "", message, "layers that can be merged");
        ConfigErrors { problems: vec![problem] }
    };
    let tree = merger.build().map_err(|error| failed(error.to_string()))?;
    let table = tree.cache.into_table().map_err(|error| failed(error.to_string()))?;
    Ok(Merged { table, targets })
}
