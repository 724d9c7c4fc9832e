//! A file that a command makes, and never over one that is there unless that is asked for.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::CliError;

pub(super) struct NewFile {
    path: PathBuf,
    force: bool,
}

impl NewFile {
    /// The file at `path`, which must not be there unless `force`.
    ///
    /// # Errors
    /// When it is there: said before any work is done.
    pub(super) fn at(path: &Path, force: bool) -> Result<Self, CliError> {
        if !force && path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        Ok(Self { path: path.to_owned(), force })
    }

    /// Writes it whole.
    ///
    /// # Errors
    /// When it has been made meanwhile, or cannot be written.
    pub(super) fn write(self, text: &str) -> Result<(), CliError> {
        let mut options = OpenOptions::new();
        options.write(true);
        if self.force {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let written = options.open(&self.path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(&self.path),
            _ => CliError::failed(format!("cannot write {}: {error}", self.path.display())),
        })
    }
}

fn exists(path: &Path) -> CliError {
    CliError::failed(format!("{} exists (--force replaces it)", path.display()))
}
