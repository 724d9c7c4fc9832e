//! The place of what is kept over a restart.

use async_trait::async_trait;

use crate::model::fact::Why;
use crate::model::ids::{Scope, VariantId};
use crate::model::time::Timestamp;

/// What is kept over a restart beside what must be remembered, so that only what is new is read again.
/// Losing it costs reads and nothing else. A record is replaced whole or not at all.
#[async_trait]
pub trait Evidence: Send + Sync {
    /// The records of these variants, in their order; nothing where none is kept.
    async fn records(&self, of: Vec<VariantId>) -> Result<Vec<Option<Vec<u8>>>, Why>;
    /// Keeps these records in the place of those before.
    async fn keep_records(
        &self,
        records: Vec<(VariantId, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<(), Why>;
    /// What AWS has answered that does not change, of a whole account and region.
    async fn described(&self, scope: &Scope) -> Result<Option<Vec<u8>>, Why>;
    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written now.
    async fn keep_described(&self, scope: &Scope, bytes: Vec<u8>) -> Result<(), Why>;
}
