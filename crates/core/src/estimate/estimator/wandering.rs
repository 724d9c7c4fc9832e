//! Whether latency at equal load wanders, as far as that is known of the hour.

use super::super::grid::MinuteIndex;
use super::super::wander::{Wander, wander};
use super::Estimator;

impl Estimator {
    /// What the hours show, worked out once an hour.
    pub(super) fn wander_at(&mut self, now: MinuteIndex) -> Option<Wander> {
        let hour = now.div_euclid(60);
        if self.wander.0 != hour {
            self.wander = (hour, wander(&self.hours, self.stretch(), now));
        }
        self.wander.1
    }

    /// Whether latency wanders, by what is known of this hour.
    pub(super) fn wanders(&self, now: MinuteIndex) -> bool {
        self.wander.1.is_some_and(Wander::is_over) || self.book.wanders(now)
    }

    pub(super) fn wanders_at(&mut self, now: MinuteIndex) -> bool {
        self.wander_at(now);
        self.wanders(now)
    }

    /// Whether it wanders, or it is too early to say that it does not.
    pub(super) fn may_wander(&self, now: MinuteIndex) -> bool {
        let doubts = self.settings.refinements.wander_over_changes;
        self.wanders(now) || doubts && self.wander.1.is_some_and(Wander::is_doubtful)
    }
}
