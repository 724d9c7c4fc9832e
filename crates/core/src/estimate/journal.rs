//! The regime journal: what the telemetry of 14 days cannot tell again, in at most 2 KiB.
//!
//! An estimator that is restored from its journal and fed the last 14 days answers as one that
//! never stopped. Without it, it may only know less.

use serde::{Deserialize, Serialize};

use super::book::Book;
use super::grid::MinuteIndex;
use super::lows::Lows;

/// The version of the journal's form.
const VERSION: u32 = 1;

/// The remembered regimes of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    version: u32,
    /// The minute up to which it speaks.
    pub(super) until: MinuteIndex,
    pub(super) book: Book,
    /// The lowest that the last hours have reported. Without it, raises wait for those hours.
    #[serde(default, skip_serializing_if = "Lows::is_empty")]
    pub(super) lows: Lows,
}

/// A journal that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Not a journal.
    #[error("the regime journal cannot be read: {0}")]
    Malformed(String),
    /// Of another version of the program.
    #[error("the regime journal has version {found} (allowed: {VERSION})")]
    Version { found: u32 },
}

impl Journal {
    pub(super) const fn new(until: MinuteIndex, book: Book, lows: Lows) -> Self {
        Self { version: VERSION, until, book, lows }
    }

    /// Reads a journal.
    ///
    /// # Errors
    /// When the value is no journal, or of another version.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, JournalError> {
        let journal =
            Self::deserialize(value).map_err(|e| JournalError::Malformed(e.to_string()))?;
        if journal.version == VERSION {
            Ok(journal)
        } else {
            Err(JournalError::Version { found: journal.version })
        }
    }

    /// Writes a journal.
    ///
    /// # Errors
    /// Never in practice: all of its parts are plain numbers and texts.
    pub fn to_value(&self) -> Result<serde_json::Value, JournalError> {
        serde_json::to_value(self).map_err(|e| JournalError::Malformed(e.to_string()))
    }
}

/// Densities as text: two hexadecimal digits a point, equal neighbours counted.
pub(super) mod packed_text {
    use std::fmt::Write as _;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Most points that are read back: anything longer is no density of ours.
    const POINTS_MAX: usize = 1024;

    /// Each run of equal values: the value in hex, and `xN` when it is longer than one.
    pub(in super::super) fn serialize<S: Serializer>(v: &[u8], s: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * v.len());
        for run in v.chunk_by(|a, b| a == b) {
            let _ = write!(text, "{:02x}", run[0]);
            match run.len() {
                1 => {}
                2 => {
                    let _ = write!(text, "{:02x}", run[0]);
                }
                n => {
                    let _ = write!(text, "x{n}.");
                }
            }
        }
        s.serialize_str(&text)
    }

    /// The reverse.
    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(d)?;
        parse(&text).ok_or_else(|| D::Error::custom("a density that cannot be read"))
    }

    fn parse(text: &str) -> Option<Vec<u8>> {
        let mut rest = text;
        let mut values = Vec::new();
        while !rest.is_empty() {
            let digits = rest.get(..2)?;
            let value = u8::from_str_radix(digits, 16).ok()?;
            rest = rest.get(2..)?;
            let mut count = 1;
            if let Some(run) = rest.strip_prefix('x') {
                let (n, after) = run.split_once('.')?;
                count = n.parse::<usize>().ok()?;
                rest = after;
            }
            if values.len().checked_add(count)? > POINTS_MAX {
                return None;
            }
            values.resize(values.len() + count, value);
        }
        Some(values)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn nothing_but_a_density_is_read() {
            assert_eq!(super::parse("00ffx3.01"), Some(vec![0, 255, 255, 255, 1]));
            for wrong in ["0", "zz", "00x", "00x5", "00x99999.", "é0", "00x-1."] {
                assert_eq!(super::parse(wrong), None, "{wrong}");
            }
        }
    }
}
