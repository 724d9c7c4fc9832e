//! Why a file cannot be read: which file, where in it, what was found and what is read.

/// A file that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}: found {found} (read: {read})")]
pub struct Problem {
    pub file: String,
    /// The line, key or column.
    pub place: String,
    /// What is there.
    pub found: String,
    pub read: String,
}

impl Problem {
    /// Something at a place.
    pub fn new(
        file: &str,
        place: impl Into<String>,
        found: impl Into<String>,
        read: impl Into<String>,
    ) -> Self {
        Self { file: file.to_owned(), place: place.into(), found: found.into(), read: read.into() }
    }

    /// Text that was found, shortened so that a line of a megabyte stays readable.
    pub fn quoted(text: &str) -> String {
        let short: String = text.chars().take(60).collect();
        if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
    }
}
