//! The place of what must be remembered between passes.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::Leadership;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::model::scaling::ScalableTarget;
use crate::model::shared::Shared;
use crate::model::spending::Spending;

/// A failure to read or keep what is remembered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("memory {location}: {message}")]
pub struct MemoryError {
    /// Where it is kept.
    pub location: String,
    /// What went wrong.
    pub message: String,
}

impl From<MemoryError> for Why {
    fn from(error: MemoryError) -> Self {
        Self::new(WhyKind::Transient, error.to_string())
    }
}

/// The error of a save that leadership was lost before.
pub const LEADERSHIP_LOST: &str = "leadership was lost; nothing was saved";

/// What is remembered of each variant, or why it is not known. A variant without a past has an
/// empty memory.
pub type Memories = BTreeMap<VariantId, Fact<Shared<VariantMemory>>>;

/// A variant that is remembered, with what a memory in AWS must know of it: there the rules of
/// writing hold for the memory too.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub id: VariantId,
    /// Its scalable target as last read.
    pub target: Shared<Fact<Option<ScalableTarget>>>,
    /// Why nothing of it may be written in AWS, if so (rules 1, 2, 7 and 10).
    pub untouchable: Option<String>,
}

/// What is to be remembered of a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Keep {
    pub subject: Subject,
    pub memory: Shared<VariantMemory>,
    /// Whether it goes with a write, or was asked for: kept at once or an error.
    pub urgent: bool,
}

/// Records of a memory that could not be read. Each is kept beside the memory as it was found, and
/// its variant begins again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetAside {
    /// How many there are.
    pub records: usize,
    /// Where they are, what is wrong with the first and what to do; empty when there are none.
    pub sentence: String,
}

/// What must be remembered between passes.
#[async_trait]
pub trait Memory: Send + Sync {
    /// What is remembered of these variants. `fresh` before a write: what others may have kept
    /// since must be seen.
    async fn load(&self, of: &[Subject], fresh: bool) -> Memories;
    /// Remembers these variants; others are left as they are. Tells which could not be kept.
    /// Leadership is asked for right before each write: whoever leads by then keeps records of its own in the same
    /// place, and what a pass that overran has read is older than those.
    async fn save(
        &self,
        all: &[Keep],
        leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError>;
    /// The variants of which something is remembered, as far as that can be told without AWS: while
    /// an account and region cannot be listed, nothing else says after a restart that they exist.
    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError>;
    /// Whether less is kept of a variant than was told, so that it must be told again.
    fn is_behind(&self, _id: &VariantId) -> bool {
        false
    }
    /// A term of leadership begins: what others may have kept since must be seen.
    fn begin_term(&self) {}
    /// Why what is kept of a variant ends with this process, where it should not.
    fn why_volatile(&self, _subject: &Subject) -> Option<String> {
        None
    }
    /// The records that could not be read, as of the last load. Cheap: nothing is read for it.
    fn set_aside(&self) -> SetAside {
        SetAside::default()
    }
    /// The pauses of more than one variant.
    async fn pauses(&self) -> Result<Pauses, MemoryError>;
    /// Remembers these pauses in place of those before.
    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError>;
    /// What CloudWatch has been asked for, as last kept; nothing where it is not kept.
    async fn spending(&self) -> Result<Spending, MemoryError> {
        Ok(Spending::default())
    }
    /// Remembers it in place of what was there.
    async fn save_spending(&self, _spending: &Spending) -> Result<(), MemoryError> {
        Ok(())
    }
    /// Whether what CloudWatch has been asked for outlives this process here.
    fn keeps_spending(&self) -> bool {
        false
    }
    /// Whether it outlives this process.
    fn survives_restart(&self) -> bool;
    /// Whether the pauses of more than one variant outlive this process.
    fn keeps_pauses(&self) -> bool {
        self.survives_restart()
    }
}

/// The same answer or failure for each of some variants: where all are kept in one place.
pub fn memories_of(
    of: &[Subject],
    all: Result<BTreeMap<VariantId, Shared<VariantMemory>>, MemoryError>,
) -> Memories {
    let mut all: Fact<BTreeMap<_, _>> = all.into();
    // Of which nothing is remembered, all begin with the same.
    let nothing = Shared::<VariantMemory>::default();
    let mut one = |id: &VariantId| match &mut all {
        Fact::Known(all) => Fact::Known(all.remove(id).unwrap_or_else(|| nothing.clone())),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    };
    of.iter().map(|subject| (subject.id.clone(), one(&subject.id))).collect()
}
