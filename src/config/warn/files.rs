//! Files that cannot be there: the token, and the memory.

use std::path::Path;

use super::super::{Config, memory_place};
use super::of_key;
use crate::model::warning::ConfigWarning;

/// What is strange about the files that are named.
pub(super) fn warnings(config: &Config) -> Option<ConfigWarning> {
    let path = config.http.token_file.as_deref()?;
    let why = unusable(path)?;
    let sentence = format!("{} {why}: every command below /-/ is refused", path.display());
    Some(of_key(config, "token_file_unusable", "http.token_file", sentence))
}

impl Config {
    /// What is wrong with the place of `memory.file`, on this machine and for this user: it costs a
    /// file made for a moment, and is for commands that run where the daemon will.
    pub fn memory_place(&self) -> Option<ConfigWarning> {
        let sentence = memory_place(self.memory.file.as_deref()?)?;
        let sentence = sentence.strip_prefix("memory.file: ").unwrap_or(&sentence).to_owned();
        Some(of_key(self, "memory_place_unusable", "memory.file", sentence))
    }
}

/// Why no token can ever be read from a path.
fn unusable(path: &Path) -> Option<String> {
    if let Ok(found) = std::fs::metadata(path) {
        return if found.is_dir() {
            Some("is a directory".to_owned())
        } else if found.is_file() && found.len() == 0 {
            Some("is empty".to_owned())
        } else {
            None
        };
    }
    // It may be made later, but not in a directory that is not there.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    match std::fs::metadata(parent) {
        Ok(found) if found.is_dir() => Some("does not exist".to_owned()),
        Ok(_) => Some(format!("cannot exist ({} is not a directory)", parent.display())),
        Err(_) => Some(format!("cannot exist (there is no directory {})", parent.display())),
    }
}
