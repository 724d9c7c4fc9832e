//! What is wrong with a configuration: all of it at once, each in one line.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::secret::without_passwords;
use crate::model::warning::ConfigWarning;

/// One thing that is wrong, and how it would be right. As JSON it has its sentence beside the parts,
/// as `problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, `environment SETPOINT__A__B` or `flag --x`.
    pub file: String,
    /// The line in the file, from 1.
    pub line: Option<u64>,
    /// The target that it is about, as `endpoint/variant`.
    pub target: Option<String>,
    /// The key path, such as `targets[3].objective.latency.threshold_ms`; empty when the whole
    /// file is meant.
    pub key: String,
    pub found: String,
    /// What is allowed; empty when `found` says it all.
    pub allowed: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of a key of the configuration as a whole, wherever it should have been set.
    pub fn of_key(key: &str, found: String, allowed: String) -> Self {
        Self::new("configuration", key, found, allowed)
    }

    /// A problem without a hint, at `origin`: a file with or without `:line`, a variable or a flag.
    pub(super) fn new(
        origin: impl Into<String>,
        key: impl Into<String>,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        let origin = origin.into();
        let (file, line) = split_origin(&origin);
        Self {
            file: file.to_owned(),
            line,
            target: None,
            key: key.into(),
            found: without_passwords(&found.into()),
            allowed: allowed.into(),
            hint: None,
        }
    }
}

/// The file of an origin such as `prod.yaml:12`, and its line. A variable or flag has none.
pub(super) fn split_origin(origin: &str) -> (&str, Option<u64>) {
    match origin.rsplit_once(':') {
        Some((file, line)) => line.parse().map_or((origin, None), |line| (file, Some(line))),
        None => (origin, None),
    }
}

/// The place of a message: the file and line, the target by its name, and the key as it is written
/// there. A place in a list is no way to find one of two hundred targets.
pub(super) fn place(file: &str, line: Option<u64>, target: Option<&str>, key: &str) -> String {
    let mut text = file.to_owned();
    if let Some(line) = line {
        text.push(':');
        text += &line.to_string();
    }
    let key = match (target, key.strip_prefix("targets[")) {
        (Some(target), listed) => {
            text += ": target ";
            text += target;
            listed.map_or(key, |rest| rest.split_once("].").map_or("", |(_, key)| key))
        }
        (None, _) => key,
    };
    if !key.is_empty() {
        text += ": ";
        text += key;
    }
    text
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&place(&self.file, self.line, self.target.as_deref(), &self.key))?;
        if self.allowed.is_empty() {
            write!(f, ": {}", self.found)?;
        } else {
            write!(f, ": found {}, allowed: {}", self.found, self.allowed)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("problem", &self.to_string())?;
        map.serialize_entry("file", &self.file)?;
        if let Some(line) = self.line {
            map.serialize_entry("line", &line)?;
        }
        if let Some(target) = &self.target {
            map.serialize_entry("target", target)?;
        }
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("found", &self.found)?;
        map.serialize_entry("allowed", &self.allowed)?;
        if let Some(hint) = &self.hint {
            map.serialize_entry("hint", hint)?;
        }
        map.end()
    }
}

/// A warning that is to be an error.
impl From<ConfigWarning> for Problem {
    fn from(warning: ConfigWarning) -> Self {
        let ConfigWarning { origin, target, key, sentence, .. } = warning;
        let origin = if origin.is_empty() { "configuration".to_owned() } else { origin };
        Self { target, ..Self::new(origin, key, sentence, "") }
    }
}

/// Everything that is wrong with a configuration. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct ConfigErrors {
    /// Each problem, in the order of the layers.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
