//! What was reported hour by hour, for raises.

use super::super::assess::Assessment;
use super::super::grid::MinuteIndex;
use super::super::likelihood::Scratch;
use super::super::lows;
use super::Estimator;
use super::resuming::CHECKS_BACK;

/// So long before the first check of a history that is read after a start its hours are looked at: all that are kept,
/// and the one in which they begin.
const LOOK_BACK: MinuteIndex = 60 * (lows::HOURS as MinuteIndex + 1) - CHECKS_BACK;

impl Estimator {
    /// Takes note of what is reported now, unless the journal that it was restored from knows of it: its regimes
    /// are those of its end.
    pub(super) fn note_low(&mut self, answer: &Assessment) {
        if self.newest > self.known_until {
            self.lows.note(self.newest, answer.verdict, &answer.capacity);
        }
    }

    /// Of an hour of the history before the first check: what would have been reported.
    pub(super) fn look_back(&mut self, scratch: &mut Scratch) {
        let now = self.newest;
        if now <= self.known_until || now < self.checks_from.saturating_sub(LOOK_BACK) {
            return;
        }
        self.wander_at(now);
        let answer = self.assess(now, self.lg_ratio(now), scratch);
        self.note_low(&answer);
    }
}
