//! How an estimator begins after a restart: from its journal, or as it was kept, where it may go on.

use super::Estimator;
use crate::estimate::book::Book;
use crate::estimate::grid::{MinuteIndex, minute_of};
use crate::estimate::journal::Journal;
use crate::estimate::settings::EstimatorSettings;
use crate::model::time::Timestamp;

/// Findings need this much history of checks.
pub(super) const CHECKS_BACK: MinuteIndex = 120;

impl Estimator {
    /// An estimator that knows the regimes of before. Feed it the last 14 days next.
    pub fn restore(settings: &EstimatorSettings, journal: &Journal) -> Self {
        let mut estimator = Self::new(settings);
        estimator.book = journal.book.clone();
        estimator.known_until = journal.until;
        estimator.checks_from = journal.until - CHECKS_BACK;
        estimator.lows = journal.lows.restored();
        estimator
    }

    /// Skips checks of findings long before `until`, for a cheap back-fill of history.
    pub fn back_fill_until(&mut self, until: Timestamp) {
        self.checks_from = minute_of(until) - CHECKS_BACK;
    }

    /// Whether it would be the same if it were begun by these settings. The load test may differ: it
    /// weighs in at the next evaluation.
    pub fn is_made_by(&self, settings: &EstimatorSettings) -> bool {
        let EstimatorSettings {
            objective,
            load_test: _,
            load_test_problem: _,
            fingerprint,
            refinements,
        } = settings;
        let own = &self.settings;
        own.objective == *objective
            && own.fingerprint == *fingerprint
            && own.refinements == *refinements
    }

    /// Whether a journal speaks of later minutes and of another regime: a process that has run since
    /// knows more of what happened. One that cannot be read says nothing.
    pub fn is_outdated_by(&self, journal: &serde_json::Value) -> bool {
        let Ok(journal) = Journal::from_value(journal) else { return false };
        let of = |book: &Book| (book.current.id, book.current.start);
        journal.until > self.newest && of(&journal.book) != of(&self.book)
    }
}
