//! State as a few bytes: what is kept of thousands of variants between two looks at each of them.
//!
//! A form of serde without names, for the memory of this process alone: whole numbers take as many
//! bytes as they need, and a field that is left out takes a bit. It is lossless, and it holds only
//! together with the types that it was made of, so that nothing on a disk or a wire is in it.

mod read;
pub(crate) mod varint;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is wrong with bytes that say nothing, or with a value that has no form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CompactError(String);

impl serde::ser::Error for CompactError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for CompactError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A value as bytes.
///
/// # Errors
/// When its type has no form: one of more than 64 fields, or one that must see names to be read.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Result<Box<[u8]>, CompactError> {
    let mut writer = write::Writer::default();
    value.serialize(&mut writer)?;
    Ok(writer.bytes.into_boxed_slice())
}

/// The value of these bytes.
///
/// # Errors
/// When they are of another type.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CompactError> {
    let mut reader = read::Reader { rest: bytes };
    let value = T::deserialize(&mut reader)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(CompactError("more bytes than one value".to_owned()))
    }
}

#[cfg(test)]
mod tests;
