//! What was reported hour by hour, for raises.

use super::super::assess::Assessment;
use super::super::grid::MinuteIndex;
use super::super::likelihood::Scratch;
use super::super::lows;
use super::super::wander::Wander;
use super::Estimator;
use super::resuming::CHECKS_BACK;

/// So long before the first check of a history that is read after a start its hours are looked at: as long as a raise
/// looks back (`decide/settling.rs`), and the hour in which that begins.
const LOOK_BACK: MinuteIndex = 60 * (6 + 1) - CHECKS_BACK;
/// The same, where latency wanders: all hours that are kept.
const LOOK_BACK_WHERE_IT_WANDERS: MinuteIndex = 60 * (lows::HOURS as MinuteIndex + 1) - CHECKS_BACK;
/// Hours between two looks. A look costs as much as an estimate, and a start has a fleet of variants to look at: one at
/// each of 25 hours doubled the CPU of reading a day of history.
const LOOK_EVERY: MinuteIndex = 2;

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
        let ahead = self.checks_from.saturating_sub(now);
        let is_due = (ahead / 60).rem_euclid(LOOK_EVERY) == 0;
        if now <= self.known_until || ahead > LOOK_BACK_WHERE_IT_WANDERS || !is_due {
            return;
        }
        let wanders = self.wander_at(now).is_some_and(Wander::is_over);
        if ahead > LOOK_BACK && !wanders {
            return;
        }
        let answer = self.assess(now, self.lg_ratio(now), scratch);
        self.note_low(&answer);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::estimate::{Context, EstimatorSettings};
    use crate::model::goal::{LatencyObjective, Objective};
    use crate::model::lows::{Lowest, lowest_since};
    use crate::model::series::Minute;
    use crate::model::time::Timestamp;
    use crate::model::units::LatencyStatistic;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// A day's load that goes beyond capacity at its peak.
    fn minute(n: i64) -> Minute {
        let load = (400.0 + 320.0 * (n as f64 / 1440.0 * std::f64::consts::TAU).sin()).round();
        let latency_us = if load > 690.0 { 400_000.0 } else { 60_000.0 };
        Minute {
            invocations: Some(2.0 * load),
            invocations_per_instance: Some(load),
            latency_us: Some(latency_us),
            latency_p50_us: Some(30_000.0),
            errors_5xx: Some(0.0),
            ..Minute::empty(at(n))
        }
    }

    /// A start in any minute of an hour knows the lowest of the hours that a raise looks back, and of no more than that.
    #[test]
    fn a_start_knows_the_hours_that_a_raise_looks_back() {
        let latency = LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 };
        let objective = Objective { latency: Some(latency), error_rate_max: 0.01 };
        let mut scratch = Scratch::new();
        for ends in [4 * 1440, 4 * 1440 + 17, 4 * 1440 + 59] {
            let mut estimator = Estimator::new(&EstimatorSettings::new(objective));
            estimator.back_fill_until(at(ends));
            let context = Context { configured_target: None, safety_factor: 0.7 };
            for n in 0..ends - 3 {
                estimator.push(&minute(n), &context, &mut scratch);
            }
            let estimate = estimator.evaluate(&mut scratch, at(ends), &context);
            let known = |hours: i64| lowest_since(&estimate.lows, at(ends - 60 * hours));
            let Lowest::Capacity(lowest) = known(6) else { panic!("{:?}", estimate.lows) };
            assert!(lowest <= 1.002 * estimate.capacity.q25.unwrap(), "{lowest}: {estimate:?}");
            assert!(!matches!(known(12), Lowest::Capacity(_)), "{:?}", estimate.lows);
        }
    }
}
