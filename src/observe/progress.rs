//! How far a long read has got: counted where it is read, looked at by whoever waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

/// One kind of thing that is read many times over.
#[derive(Debug, Default)]
pub struct Step {
    done: AtomicU64,
    of: AtomicU64,
}

impl Step {
    /// So many more are to be read.
    pub fn expect(&self, more: usize) {
        self.of.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// So many of them are not to be read after all.
    pub fn drop_out(&self, less: usize) {
        self.of.fetch_sub(less as u64, Ordering::Relaxed);
    }

    /// One of them has been read, or could not be.
    pub fn done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// How many have been read.
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Of how many, as far as is known by now.
    pub fn of(&self) -> u64 {
        self.of.load(Ordering::Relaxed)
    }

    /// Whether some are left.
    pub fn is_under_way(&self) -> bool {
        self.count() < self.of()
    }
}

/// The reads of a process that take long where there are many variants.
#[derive(Debug, Default)]
pub struct Progress {
    pub described: Step,
    /// Variants whose last day of metrics was read.
    pub last_day: Step,
    /// Variants whose whole history of metrics was read.
    pub history: Step,
    /// Days of one variant's metrics that were read.
    pub days: Step,
}
