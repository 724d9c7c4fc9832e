//! What is due when, from the two cron expressions and the clock port.

use crate::metrics::PassKind;
use std::time::Duration;

use crate::config::Config;
use crate::model::time::Timestamp;

/// When the next passes are due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timetable {
    describe: Option<Timestamp>,
    telemetry: Option<Timestamp>,
    /// When these were computed: a clock that shows an earlier time has been set back since.
    computed_at: Timestamp,
}

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

    /// What the pass is counted under.
    pub(super) const fn kind(self) -> PassKind {
        if self.telemetry { PassKind::Telemetry } else { PassKind::Describe }
    }
}

impl Timetable {
    /// Everything is due at once: the state before the first pass.
    pub(super) const fn due_now() -> Self {
        let at_once = Some(Timestamp::MIN_UTC);
        Self { describe: at_once, telemetry: at_once, computed_at: Timestamp::MIN_UTC }
    }

    /// Takes a clock that was set back into account: what is due at a time that was computed from
    /// the wrong one would not come for as long as it was set back.
    pub(super) fn follow_clock(&mut self, config: &Config, now: Timestamp) {
        if now >= self.computed_at {
            return;
        }
        tracing::warn!(
            seconds = (self.computed_at - now).num_seconds(),
            "the clock was set back; the next passes are due by what it shows now"
        );
        let sooner = |before: Option<Timestamp>, next| before.min(next).or(next);
        let reconcile = &config.reconcile;
        self.describe = sooner(self.describe, reconcile.schedule.next_after(now));
        self.telemetry = sooner(self.telemetry, reconcile.telemetry_schedule.next_after(now));
        self.computed_at = now;
    }

    /// How long it is until the next pass is due; `None` when none ever is.
    pub(super) fn next_within(&self, now: Timestamp) -> Option<Duration> {
        let next = [self.describe, self.telemetry].into_iter().flatten().min()?;
        Some(next.signed_duration_since(now).to_std().unwrap_or_default())
    }

    pub(super) fn due(&self, now: Timestamp) -> Due {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        Due { describe: is_due(self.describe), telemetry: is_due(self.telemetry) }
    }

    /// After a pass that ended at `now`: whatever came due during it is coalesced into the next, which begins at once
    /// when this one had no time for all that it `has_more` to describe.
    pub(super) fn advance(
        &mut self,
        (done, has_more): (Due, bool),
        config: &Config,
        now: Timestamp,
    ) {
        let reconcile = &config.reconcile;
        // A telemetry pass makes the free calls too.
        self.describe = if has_more { Some(now) } else { reconcile.schedule.next_after(now) };
        if done.telemetry {
            self.telemetry = reconcile.telemetry_schedule.next_after(now);
        }
        self.computed_at = now;
    }

    /// The configuration has changed: a pass with it is due now.
    pub(super) fn reset(&mut self, config: &Config, now: Timestamp) {
        self.describe = Some(now);
        self.telemetry = config.reconcile.telemetry_schedule.next_after(now);
        self.computed_at = now;
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
        timetable.advance((due, false), &config, at("2026-11-23T12:04:30Z"));
        assert!(!timetable.due(at("2026-11-23T12:04:59Z")).any());
        let due = timetable.due(at("2026-11-23T12:05:00Z"));
        assert_eq!(due, Due { describe: true, telemetry: false });
        timetable.advance((due, false), &config, at("2026-11-23T12:05:01Z"));
        let due = timetable.due(at("2026-11-23T12:15:00Z"));
        assert_eq!(due, Due { describe: true, telemetry: true });
        // One that had no time for everything is followed by the next at once, which reads no paid metrics for that.
        let end = at("2026-11-23T12:16:01Z");
        timetable.advance((due, true), &config, end);
        assert_eq!(timetable.due(end), Due { describe: true, telemetry: false });
    }

    #[test]
    fn passes_go_on_when_the_clock_jumps_either_way() {
        let config = Config::from_yaml("{}").unwrap();
        let both = Due { describe: true, telemetry: true };
        let mut timetable = Timetable::due_now();
        timetable.advance((both, false), &config, at("2026-11-23T12:00:20Z"));
        assert_eq!(timetable.next_within(at("2026-11-23T12:00:20Z")).unwrap().as_secs(), 40);
        // Set back by an hour: the next minute and the next quarter of an hour are those of now.
        let back = at("2026-11-23T11:00:40Z");
        timetable.follow_clock(&config, back);
        assert!(!timetable.due(back).any());
        assert_eq!(timetable.next_within(back).unwrap().as_secs(), 20);
        let due = timetable.due(at("2026-11-23T11:01:00Z"));
        assert_eq!(due, Due { describe: true, telemetry: false });
        timetable.advance((due, false), &config, at("2026-11-23T11:01:01Z"));
        assert!(timetable.due(at("2026-11-23T11:15:00Z")).telemetry);
        // Set forward by a day: due at once, and no minute in between is made up for.
        let forward = at("2026-11-24T11:01:30Z");
        timetable.follow_clock(&config, forward);
        assert_eq!(timetable.due(forward), both);
        timetable.advance((both, false), &config, forward);
        assert_eq!(timetable.next_within(forward).unwrap().as_secs(), 30);
        // What was due before the clock was set back stays due.
        let mut timetable = Timetable::due_now();
        timetable.follow_clock(&config, back);
        assert_eq!(timetable.due(back), both);
    }
}
