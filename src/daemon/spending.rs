//! What CloudWatch has cost in the month, kept over restarts: else each crash would begin the budget at
//! 0. Where it is kept is the memory's place, or the history's file where the memory has none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::model::spending::Spending;
use crate::model::time::Timestamp;
use crate::ports::Memory;
use crate::reconcile::CostMeter;
use crate::store::Store;

/// While a pass reads telemetry, a crash loses at most what was requested in so long.
const EVERY: Duration = Duration::from_secs(15);

/// Keeps it.
#[derive(Clone)]
pub(super) struct SpendingStore(Arc<Kept>);

struct Kept {
    memory: Arc<dyn Memory>,
    history: Store,
    /// What is known to be kept; absent before it has been read in this term.
    known: Mutex<Option<Spending>>,
}

/// A pass during which it is saved again and again.
pub(super) struct Saving {
    keeper: SpendingStore,
    cost: CostMeter,
    again: Option<JoinHandle<()>>,
}

impl SpendingStore {
    pub(super) fn new(memory: &Arc<dyn Memory>, history: &Store) -> Self {
        let (memory, history) = (Arc::clone(memory), history.clone());
        Self(Arc::new(Kept { memory, history, known: Mutex::default() }))
    }

    /// Another process may have led: what it has kept is to be read.
    pub(super) fn begin_term(&self) {
        *self.known() = None;
    }

    /// A pass begins: what was kept before counts, and what it requests will be kept.
    pub(super) async fn begin(&self, cost: &CostMeter, now: Timestamp) -> Saving {
        if self.known().is_none() {
            match self.load().await {
                Ok(kept) => {
                    cost.remember(&kept, now);
                    *self.known() = Some(kept);
                }
                // It is read again by the next pass; until then nothing is overwritten.
                Err(why) => tracing::warn!(why, "this month's CloudWatch cost is not known"),
            }
        }
        let (keeper, meter) = (self.clone(), cost.clone());
        let again = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                keeper.save(&meter).await;
            }
        });
        Saving { keeper: self.clone(), cost: cost.clone(), again: Some(again) }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Spending>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self) -> Result<Spending, String> {
        let Kept { memory, history, .. } = &*self.0;
        if memory.keeps_spending() {
            memory.spending().await.map_err(|error| error.to_string())
        } else if history.survives_restart() {
            history.spending().await.map_err(|error| error.to_string())
        } else {
            Ok(Spending::default())
        }
    }

    /// Keeps what was requested, if that is news.
    async fn save(&self, cost: &CostMeter) {
        let spending = cost.spending();
        if self.known().as_ref().is_none_or(|known| *known == spending) {
            return;
        }
        let Kept { memory, history, .. } = &*self.0;
        let saved = if memory.keeps_spending() {
            memory.save_spending(&spending).await.map_err(|error| error.to_string())
        } else if history.survives_restart() {
            history.keep_spending(&spending).await.map_err(|error| error.to_string())
        } else {
            Ok(())
        };
        match saved {
            Ok(()) => *self.known() = Some(spending),
            Err(why) => tracing::warn!(why, "this month's CloudWatch cost could not be kept"),
        }
    }
}

impl Saving {
    pub(super) async fn end(mut self) {
        if let Some(again) = self.again.take() {
            again.abort();
        }
        self.keeper.save(&self.cost).await;
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        if let Some(again) = self.again.take() {
            again.abort();
        }
    }
}
