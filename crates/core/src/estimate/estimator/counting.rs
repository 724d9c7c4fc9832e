//! Which observations become evidence: all but those of an incident of another cause.

use crate::model::estimate::DropReason;

use super::super::grid::{MinuteIndex, bin_at, level_at};
use super::super::incident_minutes::{FINE_BINS, FINE_FOR, Fate};
use super::super::low_traffic::Observation;
use super::super::throughput::Seen;
use super::Estimator;

/// The share of the proven lower bound below which a load overloads nothing.
const OVERLOAD_SHARE: f64 = 0.7;

impl Estimator {
    /// Takes note of a minute for what it says of overloads. A load well below what is proven to be fine
    /// overloads nothing; before anything is proven, each may.
    pub(super) fn note_overload(
        &mut self,
        (at, span): (MinuteIndex, MinuteIndex),
        load: f64,
        bad: Option<bool>,
    ) {
        let may = self.lower_bound.is_none_or(|bound| load > OVERLOAD_SHARE * bound);
        if span == 1 {
            self.overloads.note(at, load, bad, may);
        }
    }

    /// Counts an observation as evidence, unless it belongs to an incident of another cause.
    pub(super) fn count(&mut self, o: &Observation, regime: u8) {
        let looks = self.settings.refinements.incidents_left_out;
        let known = o.at < self.known_until;
        let fate = if !looks {
            Fate::Counts
        } else if !o.bad {
            self.bad_run.finish();
            Fate::Counts
        } else {
            self.bad_run.note(o.at, o.span, o.load, o.lg_p50)
        };
        let left_out = match fate {
            // The journal knows what became of it, and the history before it is not here.
            _ if known => looks && o.bad && self.book.in_incident(o.at),
            Fate::LeftOut => true,
            Fate::Judge => self.is_incident(o.at, regime),
            Fate::PutBack => {
                self.put_back();
                false
            }
            Fate::Counts => false,
        };
        if left_out {
            self.leave_out(o, regime, known);
            return;
        }
        self.tally.used(o.at);
        if self.book.counts(o.at, regime) {
            self.evidence.add(o.at, regime, bin_at(o.lg_load), o.bad);
            if self.settings.refinements.throughput {
                self.show(o, regime);
            }
        }
    }

    /// Takes note of what a minute shows of throughput.
    fn show(&mut self, o: &Observation, regime: u8) {
        let seen = self.overload.note(o);
        let shown = self.evidence.shown(o.at, regime);
        shown.add(&seen);
        if !o.bad {
            shown.add_calm(level_at(o.lg_load), o.lg_over);
        }
    }

    /// Takes note of what a bad minute shows of throughput that is no evidence itself.
    pub(super) fn show_overload(&mut self, o: &Observation) {
        let Some(regime) = self.book.regime_at(o.at) else { return };
        if o.bad && self.book.counts(o.at, regime) && self.settings.refinements.throughput {
            let Seen { pairs, .. } = self.overload.note(o);
            if pairs != [None; 2] {
                let seen = Seen { pairs, ..Seen::default() };
                self.evidence.shown(o.at, regime).add(&seen);
            }
        }
    }

    /// Whether the bad minutes in a row that lead up to now are of another cause. Where latency
    /// wanders, heavy hours look like that and are the ones that matter.
    fn is_incident(&mut self, now: MinuteIndex, regime: u8) -> bool {
        let low = self.bad_run.bin();
        let seen = self.evidence.seen(regime, now - FINE_FOR, low..=low + FINE_BINS);
        if !self.bad_run.was_fine(seen) || self.wanders_at(now) {
            return false;
        }
        let hour = self.bad_run.stretch().0.div_euclid(60);
        self.bad_run.jumped(&self.hours.table(regime, hour))
    }

    /// Leaves a bad minute out, and with the first one also those of its run that were counted.
    fn leave_out(&mut self, o: &Observation, regime: u8, known: bool) {
        if !self.bad_run.is_foreign() {
            self.bad_run.leave_out();
            if !known {
                let counted: Vec<_> = self.bad_run.minutes().filter(|m| m.0 < o.at).collect();
                for (at, bin) in counted {
                    self.evidence.take_bad(at, regime, bin);
                    self.tally.moved(at, DropReason::Incident);
                }
            }
        }
        self.tally.dropped(o.at, 1, DropReason::Incident);
        if !known {
            self.book.note_incident(self.bad_run.stretch());
        }
    }

    /// What was left out counts after all: the service has changed.
    pub(super) fn put_back(&mut self) {
        if !self.bad_run.is_foreign() {
            return;
        }
        let minutes: Vec<_> = self.bad_run.minutes().collect();
        for (at, bin) in minutes {
            self.tally.moved_back(at, DropReason::Incident);
            if let Some(regime) = self.book.regime_at(at).filter(|r| self.book.counts(at, *r)) {
                self.evidence.add(at, regime, bin, true);
            }
        }
        self.book.no_incident(self.bad_run.stretch().0);
        self.bad_run.give_up();
    }
}
