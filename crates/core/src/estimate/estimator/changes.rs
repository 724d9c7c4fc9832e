//! Changes of regime that nobody declared: found, undone, or a sign that latency wanders.

use super::super::assess::hand_on;
use super::super::book::Change;
use super::super::grid::{DAY, MinuteIndex};
use super::super::likelihood::Scratch;
use super::super::regime::Run;
use super::super::speed;
use super::Estimator;

/// An undeclared change needs a regime of this age before it.
const UNDECLARED_AGE_MIN: MinuteIndex = DAY;
/// A service whose medians lie within this of the older ones, in lg, is again what it was.
const SAME_AGAIN: f64 = 0.06;

impl Estimator {
    /// A run of suspicious hours is complete: a change, unless latency wanders anyway.
    pub(super) fn undeclared(&mut self, run: Run, now: MinuteIndex, scratch: &mut Scratch) -> bool {
        let record = &self.book.current;
        let too_young = now - record.start < UNDECLARED_AGE_MIN || run.begin < record.start;
        if too_young || now < self.known_until {
            return false;
        }
        if self.wanders_at(now) {
            self.book.still_wanders(now);
            return false;
        }
        // Light hours of one that may wander look like this: it is not taken for a faster one before that is known.
        if !run.slower && self.may_wander(now) {
            return false;
        }
        let record = &self.book.current;
        let (old, lg_ratio) = (record.id, record.lg_ratio);
        let keep = self.settings.refinements.wander_over_changes;
        if keep && record.is_undone(run.begin, run.slower) {
            return self.undo(run) || self.merge(now);
        }
        // The hours of the run no longer speak for the old regime.
        let first = run.from - run.from.rem_euclid(60);
        self.evidence.reassign(first, 0);
        let carried = hand_on(&self.question(now, lg_ratio), scratch);
        self.book.begin(run.begin, Change::Found { slower: run.slower, keep }, carried);
        let new = self.book.current.id;
        self.evidence.reassign(first, old);
        self.evidence.reassign(run.begin, new);
        self.hours.reassign(run.begin, old, new);
        self.after_switch();
        self.put_back();
        true
    }

    /// A change that nobody declared is undone: the service is again what it was before, which
    /// a wandering one is only by chance.
    fn undo(&mut self, run: Run) -> bool {
        let gone = self.book.current.id;
        let Some(back) = self.book.previous.as_ref().map(|previous| previous.id) else {
            return false;
        };
        let off = speed::since(&self.hours, back, gone, run.begin);
        if off.is_none_or(|off| off.abs() > SAME_AGAIN) || !self.book.undo(run.begin) {
            return false;
        }
        self.evidence.reassign(run.begin, back);
        self.hours.reassign(run.begin, gone, back);
        self.scatter.rename(gone, back);
        self.after_switch();
        self.put_back();
        true
    }

    /// The hours show that latency wanders: a change that was found before they did was none, and what it has
    /// carried over is of hours that count themselves.
    pub(super) fn believe_wander(&mut self, now: MinuteIndex) {
        self.book.is_seen_wandering(now);
        if now > self.known_until && self.book.is_found() {
            self.merge(now);
        }
    }

    /// Changes that nobody declared undid each other: there were none, latency wanders.
    fn merge(&mut self, now: MinuteIndex) -> bool {
        let Some((gone, kept)) = self.book.merge(now) else { return false };
        self.evidence.rename(gone, kept);
        self.hours.reassign(MinuteIndex::MIN, gone, kept);
        self.scatter.rename(gone, kept);
        self.after_switch();
        true
    }

    pub(super) fn after_switch(&mut self) {
        self.joining.forget();
        self.overloads.forget();
        let previous = self.book.previous.as_ref().map(|p| p.id);
        self.evidence.keep_only(self.book.current.id, previous, self.book.previous_from);
        self.hours.clear_suspicion();
        self.wander = (i64::MIN, None);
        self.settle_picture();
    }
}
