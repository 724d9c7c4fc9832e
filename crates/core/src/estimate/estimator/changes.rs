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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use crate::estimate::{Context, Estimator, EstimatorSettings, Fingerprint, Scratch};
    use crate::model::goal::{LatencyObjective, Objective};
    use crate::model::series::Minute;
    use crate::model::time::Timestamp;
    use crate::model::units::LatencyStatistic;

    fn minute(index: i64, slower: f64) -> Minute {
        let wave = 500.0 + 80.0 * (index as f64 / 229.0).sin();
        let load = wave * if index % 240 < 8 { 2.1 } else { 1.0 };
        let over = load > 1040.0 / slower.powf(2.5);
        Minute {
            invocations: Some(load * 5.0),
            invocations_per_instance: Some(load),
            latency_us: Some(if over { 400_000.0 } else { 90_000.0 }),
            latency_p50_us: Some(20_000.0 * slower),
            errors_5xx: Some(0.0),
            ..Minute::empty(Timestamp::UNIX_EPOCH + TimeDelta::minutes(index))
        }
    }

    /// A regime keeps nothing of a change after it that is taken back: the first one is as fast as itself.
    #[test]
    fn the_speed_of_a_change_that_is_taken_back_goes_with_it() {
        let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
        let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
        let fingerprint = Some(Fingerprint::of("v1"));
        let settings = EstimatorSettings { fingerprint, ..EstimatorSettings::new(objective) };
        let (mut estimator, mut scratch) = (Estimator::new(&settings), Scratch::new());
        let context = Context { configured_target: Some(600.0), safety_factor: 0.7 };
        let mut was_found = false;
        for index in 0..60 * 60 {
            let swings = 1.0 + 0.4 * (index as f64 / 720.0 * std::f64::consts::TAU).sin();
            let slower = match index / 60 {
                0..36 => 1.0,
                36..41 => 1.3,
                _ => swings,
            };
            estimator.push(&minute(index, slower), &context, &mut scratch);
            was_found |= estimator.book.is_found();
            if estimator.book.is_first() {
                assert_eq!(estimator.book.current.lg_ratio, None, "hour {}", index / 60);
            }
        }
        assert!(was_found && estimator.book.is_first());
    }
}
