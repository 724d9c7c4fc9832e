//! The layers of a configuration: the embedded defaults, files, the environment and flags, each
//! loaded by the `config` crate as it is written, without coercion.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use config::{Map, Source, Value as Loaded, ValueKind};
use serde_json::Value;

use super::problem::Problem;
use super::schema::{Step, admits, describe, key_path, node_at};
use super::yaml::{self, Kind, Node};

/// The embedded defaults: the reference of every key.
pub const DEFAULT_YAML: &str = include_str!("../../config/default.yaml");

/// The name of the embedded defaults in messages.
pub(super) const DEFAULT_NAME: &str = "default.yaml";

/// Where a configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Files and directories, in the order in which they were given.
    pub files: Vec<PathBuf>,
    pub environment: Env,
    /// What flags set; they win over everything else.
    pub flags: Vec<Flag>,
}

/// Which environment variables are looked at.
#[derive(Debug, Clone, Default)]
pub enum Env {
    #[default]
    Nothing,
    Process,
    /// These.
    Given(BTreeMap<String, String>),
}

/// A key set by a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as it is typed, such as `--region`.
    pub name: &'static str,
    /// The key it sets, such as `aws.region`.
    pub key: &'static str,
    pub value: String,
}

/// One layer as it was written.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// The file, or what else it is.
    pub(super) name: String,
    pub(super) table: Map<String, Loaded>,
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Loaded>, config::ConfigError> {
        Ok(self.table.clone())
    }
}

impl Layer {
    pub(super) fn json(&self) -> Value {
        table_json(&self.table)
    }

    /// Where the value at a path comes from: its own origin, or that of the nearest one around it.
    pub(super) fn origin(&self, path: &[Step]) -> String {
        origin_in(&self.table, path).unwrap_or_else(|| self.name.clone())
    }
}

/// The origin of the deepest value on the way to `path`.
pub(super) fn origin_in(table: &Map<String, Loaded>, path: &[Step]) -> Option<String> {
    let Step::Key(first) = path.first()? else { return None };
    // A key that is missing belongs to whoever wrote its neighbours.
    let mut node = table.get(first).or_else(|| table.values().next())?;
    for step in &path[1..] {
        let next = match (&node.kind, step) {
            (ValueKind::Table(map), Step::Key(key)) => map.get(key),
            (ValueKind::Array(items), Step::Index(i)) => items.get(*i),
            _ => None,
        };
        match next {
            Some(next) => node = next,
            None => break,
        }
    }
    node.origin().map(str::to_owned)
}

/// A YAML text as a layer. `name` is what messages call it, with the line of each value.
pub(super) fn from_text(name: &str, text: &str) -> Result<Layer, Box<Problem>> {
    // Editors on Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at = |line: u64| format!("{name}:{line}");
    let node = yaml::parse(text).map_err(|error| {
        let origin = error.line.map_or_else(|| name.to_owned(), at);
        let allowed = "one valid YAML document of at most 16 MiB";
        Box::new(Problem::new(origin, "", error.message, allowed))
    })?;
    let found = match node.kind {
        Kind::Null => return Ok(Layer { name: name.to_owned(), table: Map::new() }),
        Kind::Table(entries) => {
            return Ok(Layer { name: name.to_owned(), table: table(entries, name) });
        }
        Kind::List(_) => "a list",
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => "a plain value",
    };
    let allowed = "a section with keys such as aws and targets";
    Err(Box::new(Problem::new(at(node.line), "", found, allowed)))
}

fn table(entries: Vec<(String, u64, Node)>, name: &str) -> Map<String, Loaded> {
    let entry = |(key, line, node): (String, u64, Node)| (key, loaded(node.kind, line, name));
    entries.into_iter().map(entry).collect()
}

/// The value as the `config` crate has it, said to come from its line of `name`.
fn loaded(kind: Kind, line: u64, name: &str) -> Loaded {
    let kind = match kind {
        Kind::Null => ValueKind::Nil,
        Kind::Bool(value) => ValueKind::Boolean(value),
        Kind::Int(value) => ValueKind::I64(value),
        Kind::Float(value) => ValueKind::Float(value),
        Kind::Text(value) => ValueKind::String(value),
        Kind::Table(entries) => ValueKind::Table(table(entries, name)),
        Kind::List(items) => ValueKind::Array(
            items.into_iter().map(|item| loaded(item.kind, item.line, name)).collect(),
        ),
    };
    // A line of the defaults helps nobody: they are in the program.
    let origin = if name == DEFAULT_NAME { name.to_owned() } else { format!("{name}:{line}") };
    Loaded::new(Some(&origin), kind)
}

/// The files of a path.
pub(super) struct Expanded {
    /// Itself, or a directory's `*.yaml` in name order.
    pub(super) files: Vec<PathBuf>,
    /// A directory's `*.yml`, which are not read.
    pub(super) passed_over: Vec<PathBuf>,
}

/// All files of a path: itself, or a directory's `*.yaml` in name order.
pub(super) fn expand(path: &Path) -> Result<Expanded, Box<Problem>> {
    let name = path.display().to_string();
    let failed = |error: std::io::Error| {
        Box::new(Problem::new(name.clone(), "", said(&error), "a readable file or directory"))
    };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(Expanded { files: vec![path.to_owned()], passed_over: Vec::new() });
    }
    let (mut files, mut passed_over) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        // Kubernetes mounts a ConfigMap with ..data beside the files; only *.yaml is ours.
        let ends = |end: &str| file.extension().is_some_and(|e| e == end) && file.is_file();
        if ends("yaml") {
            files.push(file);
        } else if ends("yml") {
            passed_over.push(file);
        }
    }
    files.sort();
    passed_over.sort();
    if files.is_empty() {
        let mut problem =
            Problem::new(name, "", "a directory without such files", "at least one *.yaml");
        if let Some(yml) = passed_over.first() {
            let yaml = yml.with_extension("yaml");
            problem.hint = Some(format!("rename {} to {}", yml.display(), yaml.display()));
        }
        return Err(Box::new(problem));
    }
    Ok(Expanded { files, passed_over })
}

pub(super) fn from_file(path: &Path) -> Result<Layer, Box<Problem>> {
    let name = path.display().to_string();
    let bytes = read(path).map_err(|error| {
        Box::new(Problem::new(name.clone(), "", said(&error), "a readable file in UTF-8"))
    })?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Box::new(Problem::new(name, "", "text in UTF-16", "text in UTF-8")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].split(|byte| *byte == b'\n').count();
        let origin = format!("{name}:{line}");
        Box::new(Problem::new(origin, "", "bytes that are not UTF-8", "text in UTF-8"))
    })?;
    from_text(&name, &text)
}

/// At most one byte more than a layer may have: the parser refuses the rest. A pipe in the file
/// system may have no writer, and opening it would wait for one; those that a shell makes (`<(...)`,
/// `/dev/stdin`) have one.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !path.starts_with("/dev") && std::fs::metadata(path)?.file_type().is_fifo() {
        return Err(std::io::Error::other("a pipe"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the system says, without its number.
fn said(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "a file that may not be read (permission denied)".to_owned(),
        _ => error.to_string(),
    }
}

pub(super) fn from_flags(flags: &[Flag]) -> (Layer, Vec<Problem>) {
    let (mut table, mut problems) = (Map::new(), Vec::new());
    for flag in flags {
        let origin = format!("flag {}", flag.name);
        set(&mut table, &mut problems, &origin, flag.key, &flag.value);
    }
    (Layer { name: "flag".to_owned(), table }, problems)
}

/// Puts the text of one variable or flag where its key says.
pub(super) fn set(
    table: &mut Map<String, Loaded>,
    problems: &mut Vec<Problem>,
    origin: &str,
    key: &str,
    text: &str,
) {
    let path: Vec<Step> = key.split('.').map(|part| Step::Key(part.to_owned())).collect();
    let shown = || Value::String(text.to_owned()).to_string();
    // Deepest part that the schema knows: below a list, or below a plain value, there is nothing.
    let known = (1..=path.len()).rev().find_map(|n| node_at(&path[..n]).map(|node| (n, node)));
    if let Some((_, node)) = known.filter(|(_, node)| admits(node, "array")) {
        let allowed = format!("{} in a file: lists cannot be set from here", describe(node));
        problems.push(Problem::new(origin, key_path(&path), shown(), allowed));
        return;
    }
    let node = known.filter(|(n, _)| *n == path.len()).map(|(_, node)| node);
    if let Some(node) = node.filter(|node| admits(node, "object")) {
        problems.push(Problem::new(origin, key_path(&path), shown(), describe(node)));
        return;
    }
    let kind = node.map_or_else(|| ValueKind::String(text.to_owned()), |node| typed(node, text));
    insert(table, &path, Loaded::new(Some(&origin.to_owned()), kind));
}

/// The text as the type that the schema wants; as text if it is none, which the check then reports.
fn typed(node: &Value, text: &str) -> ValueKind {
    let as_text = ValueKind::String(text.to_owned());
    if admits(node, "boolean")
        && let Ok(value) = text.parse::<bool>()
    {
        return ValueKind::Boolean(value);
    }
    if admits(node, "integer")
        && let Ok(value) = text.parse::<i64>()
    {
        return ValueKind::I64(value);
    }
    match text.parse::<f64>() {
        Ok(value) if admits(node, "number") && value.is_finite() => ValueKind::Float(value),
        _ => as_text,
    }
}

fn insert(table: &mut Map<String, Loaded>, path: &[Step], value: Loaded) {
    let Some(Step::Key(key)) = path.first() else { return };
    if path.len() == 1 {
        table.insert(key.clone(), value);
        return;
    }
    let origin = value.origin().map(str::to_owned);
    let section = table
        .entry(key.clone())
        .or_insert_with(|| Loaded::new(origin.as_ref(), ValueKind::Table(Map::new())));
    if !matches!(section.kind, ValueKind::Table(_)) {
        // Both A and A__B were set; the check reports what does not fit.
        *section = Loaded::new(origin.as_ref(), ValueKind::Table(Map::new()));
    }
    if let ValueKind::Table(inner) = &mut section.kind {
        insert(inner, &path[1..], value);
    }
}

/// A loaded table as JSON, keys in order.
pub(super) fn table_json(table: &Map<String, Loaded>) -> Value {
    let ordered: BTreeMap<&String, &Loaded> = table.iter().collect();
    Value::Object(ordered.into_iter().map(|(k, v)| (k.clone(), json(v))).collect())
}

/// A loaded value as JSON. 60.0 becomes 60: to JSON schema both are whole numbers.
pub(super) fn json(value: &Loaded) -> Value {
    /// Above this not every whole number has a double of its own.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match &value.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(v) => Value::Bool(*v),
        ValueKind::I64(v) => Value::from(*v),
        ValueKind::U64(v) => Value::from(*v),
        ValueKind::I128(v) => Value::String(v.to_string()),
        ValueKind::U128(v) => Value::String(v.to_string()),
        ValueKind::Float(v) if v.fract() == 0.0 && v.abs() < WHOLE_MAX => Value::from(*v as i64),
        ValueKind::Float(v) => {
            serde_json::Number::from_f64(*v).map_or(Value::String(v.to_string()), Value::Number)
        }
        ValueKind::String(v) => Value::String(v.clone()),
        ValueKind::Table(map) => table_json(map),
        ValueKind::Array(items) => Value::Array(items.iter().map(json).collect()),
    }
}
