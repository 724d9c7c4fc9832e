//! The history's file as the place for what is kept over a restart.

use async_trait::async_trait;

use super::{Store, StoreError};
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::{Scope, VariantId};
use crate::model::time::Timestamp;
use crate::ports::Evidence;

/// The share of the file that records may take: the rest is for the history.
const SHARE: u64 = 2;

#[async_trait]
impl Evidence for Store {
    async fn records(&self, of: Vec<VariantId>) -> Result<Vec<Option<Vec<u8>>>, Why> {
        self.with(move |place| place.opened(|disk| disk.records(&of))).await.map_err(why)
    }

    async fn keep_records(
        &self,
        records: Vec<(VariantId, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<(), Why> {
        let kept = self.with(move |place| {
            let bytes_max = place.settings.bytes_max / SHARE;
            place.opened(|disk| disk.keep_records(&records, now, bytes_max))
        });
        kept.await.map_err(why)
    }

    async fn described(&self, scope: &Scope) -> Result<Option<Vec<u8>>, Why> {
        let scope = scope.clone();
        self.with(move |place| place.opened(|disk| disk.described(&scope))).await.map_err(why)
    }

    async fn keep_described(&self, scope: &Scope, bytes: Vec<u8>) -> Result<(), Why> {
        let scope = scope.clone();
        let kept = self.with(move |place| place.opened(|disk| disk.keep_described(&scope, &bytes)));
        kept.await.map_err(why)
    }
}

fn why(StoreError(sentence): StoreError) -> Why {
    Why::new(WhyKind::Transient, sentence)
}
