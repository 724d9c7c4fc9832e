//! How many replays of variants' weeks one pass may work out.

use super::HistoryWait;
use crate::variant::Work;

/// Those of one pass: a daemon comes round to the other variants in the passes that follow, so that
/// none takes long; a person waits for an answer that is whole.
pub(super) const fn of(wait: HistoryWait) -> Work {
    match wait {
        HistoryWait::For(_) => Work { floors: 1, factors: 5 },
        HistoryWait::All | HistoryWait::Until(_) => Work { floors: 20, factors: 100 },
    }
}
