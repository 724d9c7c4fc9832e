//! Where what rests of thousands of variants lies.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

/// Bytes that were put away. Whoever has them shares them; with the last of these they are gone.
pub trait Rested: Debug + Send + Sync {
    /// The bytes; nothing where they cannot be had back: what they were made of is then read again.
    fn bytes(&self) -> Option<Cow<'_, [u8]>>;
    /// How many bytes of memory they take.
    fn in_memory(&self) -> usize;
    /// Whether they are somewhere else than in memory.
    fn is_away(&self) -> bool {
        false
    }
}

/// Takes bytes that nobody looks at now. They live as long as the process.
pub trait Shelf: Debug + Send + Sync {
    /// Puts them away. Where there is no room, they stay in memory.
    fn put(&self, bytes: Box<[u8]>) -> Arc<dyn Rested>;
}

/// Memory, without a limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryShelf;

impl Shelf for MemoryShelf {
    fn put(&self, bytes: Box<[u8]>) -> Arc<dyn Rested> {
        Arc::new(bytes)
    }
}

impl Rested for Box<[u8]> {
    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self))
    }

    fn in_memory(&self) -> usize {
        self.len()
    }
}
