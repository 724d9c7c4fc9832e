//! How many replays of a variant's weeks one pass may work out.

use super::settings::HistoryWait;

/// What is left of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    /// Variants whose floors may still be worked out.
    pub(super) floors: u32,
    /// Variants whose safety factor may; it takes a tenth of what floors do.
    pub(super) factors: u32,
}

impl Work {
    /// That of one pass: a daemon comes round to the others in those that follow, and no pass of its
    /// takes long; a person waits for an answer that is whole.
    pub(super) const fn of(wait: HistoryWait) -> Self {
        match wait {
            HistoryWait::For(_) => Self { floors: 1, factors: 5 },
            HistoryWait::All | HistoryWait::Until(_) => Self { floors: 20, factors: 100 },
        }
    }
}
