//! What the readers of all accounts and regions of a process share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::evidence::Keeping;
use super::progress::Progress;
use crate::compact::{MemoryShelf, Shelf};
use crate::estimate::Scratch;

/// Requests under way at once, of all accounts and regions of the process: each holds an answer of
/// up to 100,800 datapoints, 3 MiB while it is taken apart. Three that take a second each are what CloudWatch gives
/// (396,000 datapoints a second).
pub(super) const REQUESTS: usize = 3;

/// What all accounts and regions of a process share.
#[derive(Clone)]
pub struct Slots {
    pub(super) requests: Arc<Semaphore>,
    /// The estimator's tables.
    tables: Scratch,
    /// The estimator's buffers, for each request under way.
    scratches: Arc<Mutex<Vec<Scratch>>>,
    /// How far the long reads have got.
    pub progress: Arc<Progress>,
    /// What earlier processes have kept; absent where nothing is.
    pub keeping: Option<Arc<Keeping>>,
    /// Where estimators rest.
    pub shelf: Arc<dyn Shelf>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(REQUESTS)),
            tables: Scratch::new(),
            scratches: Arc::default(),
            progress: Arc::default(),
            keeping: None,
            shelf: Arc::new(MemoryShelf),
        }
    }
}

impl Slots {
    pub(super) fn take_scratch(&self) -> Scratch {
        self.spare().pop().unwrap_or_else(|| self.scratch())
    }

    /// Another scratch with the same tables, which take a third of a megabyte.
    pub(super) fn scratch(&self) -> Scratch {
        self.tables.another()
    }

    pub(super) fn give_back(&self, scratch: Scratch) {
        self.spare().push(scratch);
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
