//! How far a replayed decision may go at once: rule 8 of `docs/safety.md`, from the values that
//! the recording shows in force.

use chrono::TimeDelta;

use crate::decide::step::{
    DEAD_BAND, LOWERING_MAX, NEW_GROUND_MAX, NEW_GROUND_WINDOW, SCALE_IN_MAX, lowest_for,
    most_instances,
};
use crate::model::reason::Reason;
use crate::model::time::Timestamp;

/// A value shows in the recording some minutes after the evaluation that set it; an evaluation at
/// the same time of the next day must not take it for younger than a day.
const SHOWN_AFTER: TimeDelta = TimeDelta::minutes(10);

/// The target values that were in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct InForce {
    /// Every change: when, and the value from then on.
    changes: Vec<(Timestamp, f64)>,
    highest: f64,
}

impl InForce {
    /// Takes note of the value in force at `at`.
    pub(super) fn note(&mut self, at: Timestamp, value: f64) {
        if self.now().is_none_or(|now| (now - value).abs() > 1e-6) {
            self.changes.push((at, value));
            self.highest = self.highest.max(value);
        }
    }

    /// The value in force now.
    pub(super) fn now(&self) -> Option<f64> {
        self.changes.last().map(|c| c.1)
    }

    /// The highest value a raise may reach: 10 % above the highest one held a day ago, or what
    /// has been held already.
    fn ground(&self, now: Timestamp) -> f64 {
        let begin = now - NEW_GROUND_WINDOW + SHOWN_AFTER;
        let first_raise = self.changes.windows(2).find(|c| c[1].0 > begin && c[1].1 > c[0].1);
        let base = match first_raise {
            Some(raise) => {
                let until = raise[0].0;
                let held = self.changes.iter().take_while(|c| c.0 <= until).map(|c| c.1);
                held.fold(raise[0].1, f64::max)
            }
            None => self.highest,
        };
        (base * (1.0 + NEW_GROUND_MAX)).max(self.highest)
    }
}

/// A step towards the wanted value: the value to write, and the rule that cut it short.
pub(super) type Step = (f64, Option<Reason>);

/// How far to go from `from` towards `want`; `invocations` and `instances` are the present ones.
///
/// # Errors
/// The rule that holds the change.
pub(super) fn step(
    in_force: &InForce,
    (from, want): (f64, f64),
    (invocations, instances): (Option<f64>, Option<f64>),
    now: Timestamp,
) -> Result<Step, Reason> {
    if want < from {
        let by_load = invocations.zip(instances).map(|(load, run)| {
            let most = most_instances(run.round() as u32);
            // Instances that the value in force calls for already come anyway.
            lowest_for(load, most.max((load / from).ceil() as u32)).min(from)
        });
        let floor = by_load.unwrap_or(from * (1.0 - LOWERING_MAX));
        return match floor {
            _ if want >= floor => Ok((want, None)),
            _ if floor >= from => Err(Reason::LoweringStep),
            _ => Ok((floor, Some(Reason::LoweringStep))),
        };
    }
    let (mut to, mut cut) = (want, None);
    let ground = in_force.ground(now);
    if to > ground {
        (to, cut) = (ground, Some(Reason::NewGround));
    }
    let (Some(invocations), Some(instances)) = (invocations, instances) else {
        return Err(Reason::Stale);
    };
    let removable = (instances * SCALE_IN_MAX).floor().max(1.0);
    let keep = (instances - removable).round();
    if keep > 1.0 {
        // The fleet stays at `keep` or more while invocations / value > keep - 1.
        let limit = invocations / (keep - 1.0) * (1.0 - 1e-3);
        if to > limit {
            (to, cut) = (limit, Some(Reason::ScaleInStep));
        }
    }
    match cut {
        // A sliver of the way is not worth a write either.
        Some(reason) if to < from * (1.0 + DEAD_BAND) => Err(reason),
        _ => Ok((to, cut)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_000 + hour * 3600, 0).unwrap()
    }

    const MANY: (Option<f64>, Option<f64>) = (Some(50_000.0), Some(100.0));

    #[test]
    fn new_ground_is_taken_by_ten_per_cent_a_day() {
        let mut held = InForce::default();
        held.note(at(0), 500.0);
        assert_eq!(step(&held, (500.0, 800.0), MANY, at(6)).unwrap().1, Some(Reason::NewGround));
        assert!((step(&held, (500.0, 800.0), MANY, at(6)).unwrap().0 - 550.0).abs() < 1e-9);
        held.note(at(6), 550.0);
        assert_eq!(step(&held, (550.0, 800.0), MANY, at(12)), Err(Reason::NewGround));
        assert_eq!(step(&held, (550.0, 800.0), MANY, at(29)), Err(Reason::NewGround));
        assert!((step(&held, (550.0, 800.0), MANY, at(30)).unwrap().0 - 605.0).abs() < 1e-9);
    }

    #[test]
    fn ground_that_was_held_before_is_not_new() {
        let mut held = InForce::default();
        held.note(at(0), 600.0);
        held.note(at(30), 420.0);
        assert_eq!(step(&held, (420.0, 500.0), MANY, at(36)), Ok((500.0, None)));
    }

    #[test]
    fn a_raise_removes_a_fifth_of_the_instances_at_most() {
        let mut held = InForce::default();
        held.note(at(0), 900.0);
        held.note(at(1), 500.0);
        let (to, cut) = step(&held, (500.0, 900.0), (Some(5000.0), Some(10.0)), at(48)).unwrap();
        assert_eq!(cut, Some(Reason::ScaleInStep));
        assert_eq!((5000.0 / to).ceil(), 8.0);
        // One instance may always go, the last one never does.
        let (to, _) = step(&held, (500.0, 700.0), (Some(900.0), Some(2.0)), at(48)).unwrap();
        assert_eq!(to, 700.0);
    }

    #[test]
    fn a_lowering_goes_at_once_but_not_all_the_way_down() {
        let mut held = InForce::default();
        held.note(at(0), 500.0);
        assert_eq!(step(&held, (500.0, 400.0), MANY, at(1)), Ok((400.0, None)));
        // 50,000 on 100 instances: 130 may be called for.
        let cut = Some(Reason::LoweringStep);
        assert_eq!(step(&held, (500.0, 100.0), MANY, at(1)), Ok((385.0, cut)));
        assert_eq!(step(&held, (500.0, 100.0), (None, None), at(1)), Ok((350.0, cut)));
    }
}
