//! What is due when, from the two cron expressions and the clock port.

use crate::config::Config;
use crate::model::time::Timestamp;

/// When the next passes are due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timetable {
    describe: Option<Timestamp>,
    telemetry: Option<Timestamp>,
}

/// What is due now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// The free Describe calls.
    pub describe: bool,
    /// The paid metrics.
    pub telemetry: bool,
}

impl Due {
    /// Whether a pass is due at all.
    pub(super) const fn any(self) -> bool {
        self.describe || self.telemetry
    }
}

impl Timetable {
    /// Everything is due at once: the state before the first pass.
    pub(super) const fn due_now() -> Self {
        Self { describe: Some(Timestamp::MIN_UTC), telemetry: Some(Timestamp::MIN_UTC) }
    }

    /// What is due.
    pub(super) fn due(&self, now: Timestamp) -> Due {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        Due { describe: is_due(self.describe), telemetry: is_due(self.telemetry) }
    }

    /// After a pass that ended at `now`: whatever came due during it is coalesced into the next.
    pub(super) fn advance(&mut self, done: Due, config: &Config, now: Timestamp) {
        let reconcile = &config.reconcile;
        // A telemetry pass makes the free calls too.
        self.describe = reconcile.schedule.next_after(now);
        if done.telemetry {
            self.telemetry = reconcile.telemetry_schedule.next_after(now);
        }
    }

    /// The configuration has changed: a pass with it is due now.
    pub(super) fn reset(&mut self, config: &Config, now: Timestamp) {
        self.describe = Some(now);
        self.telemetry = config.reconcile.telemetry_schedule.next_after(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn ticks_during_a_pass_become_one() {
        let config = Config::from_yaml("{}").unwrap();
        let mut timetable = Timetable::due_now();
        let start = at("2026-11-23T12:00:30Z");
        let due = timetable.due(start);
        assert_eq!(due, Due { describe: true, telemetry: true });
        // The pass took four minutes: the minutes in between are not made up for.
        timetable.advance(due, &config, at("2026-11-23T12:04:30Z"));
        assert!(!timetable.due(at("2026-11-23T12:04:59Z")).any());
        let due = timetable.due(at("2026-11-23T12:05:00Z"));
        assert_eq!(due, Due { describe: true, telemetry: false });
        timetable.advance(due, &config, at("2026-11-23T12:05:01Z"));
        let due = timetable.due(at("2026-11-23T12:15:00Z"));
        assert_eq!(due, Due { describe: true, telemetry: true });
    }
}
