//! An open incident of another cause (rule 19 of `docs/safety.md`): bad minutes at loads that are
//! known to be fine.

use serde::{Deserialize, Serialize};

use super::grid::MinuteIndex;

/// Loads below this share of the proven lower bound are fine.
const FINE_SHARE: f64 = 0.7;
/// This many bad minutes ...
const BAD_MINUTES: u32 = 5;
/// ... among this many open an incident.
const AMONG_MINUTES: MinuteIndex = 15;
/// This many clean minutes close it.
const CLEAN_MINUTES: MinuteIndex = 30;
/// Bad minutes remembered for "is the objective being broken": as many as fit one word.
const RECENT_MINUTES: MinuteIndex = 30;

/// Follows bad minutes, one bit each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IncidentWatch {
    /// Bad minutes at fine loads, the newest in bit 0.
    fine_bad: u64,
    /// Bad minutes at any load.
    bad: u64,
    /// The minute of bit 0.
    newest: MinuteIndex,
    open_since: Option<MinuteIndex>,
}

impl IncidentWatch {
    /// Takes note of a judged period. `lower_bound` is the proven one, if there is any.
    pub(super) fn note(
        &mut self,
        at: MinuteIndex,
        span: MinuteIndex,
        (load, bad): (f64, bool),
        lower_bound: Option<f64>,
    ) {
        self.advance(at + span - 1);
        let fine = lower_bound.is_some_and(|lb| load < FINE_SHARE * lb);
        let bits = (1_u64 << span.clamp(1, 32)) - 1;
        if bad {
            self.bad |= bits;
        }
        if bad && fine {
            self.fine_bad |= bits;
        }
        let among = (1_u64 << AMONG_MINUTES) - 1;
        if self.open_since.is_none() && (self.fine_bad & among).count_ones() >= BAD_MINUTES {
            self.open_since = Some(at);
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: MinuteIndex) {
        let by = now - self.newest;
        if by <= 0 {
            return;
        }
        self.newest = now;
        let shift = |bits: u64| if by >= 64 { 0 } else { bits << by };
        self.fine_bad = shift(self.fine_bad);
        self.bad = shift(self.bad);
        if self.fine_bad & ((1_u64 << CLEAN_MINUTES) - 1) == 0 {
            self.open_since = None;
        }
    }

    pub(super) const fn open_since(&self) -> Option<MinuteIndex> {
        self.open_since
    }

    /// Bad minutes of the last half hour.
    pub(super) const fn recent_bad(&self) -> u32 {
        (self.bad & ((1_u64 << RECENT_MINUTES) - 1)).count_ones()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bad_minutes_at_fine_loads_open_and_thirty_clean_ones_close() {
        let mut watch = IncidentWatch::default();
        for at in 0..5 {
            assert_eq!(watch.open_since(), None);
            watch.note(1000 + 2 * at, 1, (300.0, true), Some(1000.0));
        }
        assert_eq!(watch.open_since(), Some(1008));
        watch.note(1037, 1, (300.0, false), Some(1000.0));
        assert_eq!(watch.open_since(), Some(1008));
        watch.note(1038, 1, (300.0, false), Some(1000.0));
        assert_eq!(watch.open_since(), None);
    }

    #[test]
    fn an_overload_is_no_incident() {
        let mut watch = IncidentWatch::default();
        for at in 0..20 {
            watch.note(1000 + at, 1, (900.0, true), Some(1000.0));
            watch.note(1000 + at, 1, (300.0, true), None);
        }
        assert_eq!(watch.open_since(), None);
        assert_eq!(watch.recent_bad(), 20);
    }
}
