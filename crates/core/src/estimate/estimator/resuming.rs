//! Whether an estimator that was kept over a restart may go on.

use super::Estimator;
use crate::estimate::book::Book;
use crate::estimate::journal::Journal;
use crate::estimate::settings::EstimatorSettings;

impl Estimator {
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
