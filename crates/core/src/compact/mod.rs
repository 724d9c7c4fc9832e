//! State as a few bytes: what is kept of thousands of variants between two looks at each of them.
//!
//! A form of serde without names, for the memory of this process alone: whole numbers take as many
//! bytes as they need, and a field that is left out takes a bit. It is lossless, and it holds only
//! together with the types that it was made of, so that nothing on a disk or a wire is in it.

mod read;
mod shelf;
pub(crate) mod varint;
mod write;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use shelf::{MemoryShelf, Rested, Shelf};

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
    // A copy of the size that it has: cut short in its place, it would leave the rest of its room behind it as a hole
    // that the next one does not fit in, and these are replaced by the thousand in each pass.
    Ok(writer.bytes.as_slice().into())
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

/// A value that is kept as its bytes, and made where somebody looks at it. A copy shares them.
#[derive(Debug)]
pub struct Packed<T> {
    bytes: Option<Arc<dyn Rested>>,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Default> Packed<T> {
    /// The value. What cannot be had back from a shelf is as if it had never been: for what is only shown.
    pub fn get(&self) -> T {
        self.try_get().unwrap_or_default()
    }

    /// The value; nothing where it cannot be had back from a shelf.
    pub fn try_get(&self) -> Option<T> {
        match &self.bytes {
            Some(rested) => from_bytes(&rested.bytes()?).ok(),
            None => Some(T::default()),
        }
    }
}

impl<T> Packed<T> {
    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.bytes.as_ref().map_or(0, |rested| rested.in_memory())
    }

    /// Whether the two are one.
    pub fn is_one_with(&self, other: &Self) -> bool {
        match (&self.bytes, &other.bytes) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Puts the bytes away: nobody looks at them for now.
    pub fn rest(&mut self, on: &dyn Shelf) {
        if let Some(rested) = self.bytes.as_mut().filter(|rested| !rested.is_away())
            && let Some(bytes) = rested.bytes()
        {
            let away = on.put(bytes.into_owned().into_boxed_slice());
            *rested = away;
        }
    }
}

impl<T: Serialize> From<&T> for Packed<T> {
    fn from(value: &T) -> Self {
        let rested = |bytes| Arc::new(bytes) as Arc<dyn Rested>;
        Self { bytes: to_bytes(value).ok().map(rested), of: PhantomData }
    }
}

impl<T> Default for Packed<T> {
    fn default() -> Self {
        Self { bytes: None, of: PhantomData }
    }
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), of: PhantomData }
    }
}

impl<T> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |of: &Self| of.bytes.as_ref().map(|rested| rested.bytes().map(Cow::into_owned));
        self.is_one_with(other) || bytes(self) == bytes(other)
    }
}

#[cfg(test)]
mod tests;
