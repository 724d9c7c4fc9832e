//! How many minutes were used and how many were left out, for which reason, by day.

use serde::{Deserialize, Serialize};

use crate::model::estimate::{DropReason, MinutesUsed};

use super::grid::{DAY, MinuteIndex, WINDOW};

const REASONS: [DropReason; 8] = [
    DropReason::Missing,
    DropReason::FewRequests,
    DropReason::ColdInstances,
    DropReason::ScaleChange,
    DropReason::CarryOver,
    DropReason::Deploy,
    DropReason::Unsteady,
    DropReason::Incident,
];

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    /// Its first minute, which fits half a word for four thousand years.
    start: i32,
    used: u16,
    dropped: [u16; REASONS.len()],
}

/// Counts of the days in the window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tally {
    days: Vec<Day>,
}

impl Tally {
    fn day(&mut self, at: MinuteIndex) -> &mut Day {
        let start = (at - at.rem_euclid(DAY)) as i32;
        let index = self.days.iter().rposition(|d| d.start == start).unwrap_or_else(|| {
            self.days.push(Day { start, ..Day::default() });
            self.days.len() - 1
        });
        &mut self.days[index]
    }

    /// One period was used.
    pub(super) fn used(&mut self, at: MinuteIndex) {
        let day = self.day(at);
        day.used = day.used.saturating_add(1);
    }

    /// Minutes were left out.
    pub(super) fn dropped(&mut self, at: MinuteIndex, minutes: u32, reason: DropReason) {
        let minutes = minutes.min(u32::from(u16::MAX)) as u16;
        let day = self.day(at);
        if let Some(i) = REASONS.iter().position(|r| *r == reason) {
            day.dropped[i] = day.dropped[i].saturating_add(minutes);
        }
    }

    /// A period that was used is not evidence after all.
    pub(super) fn moved(&mut self, at: MinuteIndex, reason: DropReason) {
        self.dropped(at, 1, reason);
        let day = self.day(at);
        day.used = day.used.saturating_sub(1);
    }

    /// The reverse.
    pub(super) fn moved_back(&mut self, at: MinuteIndex, reason: DropReason) {
        self.used(at);
        let day = self.day(at);
        if let Some(i) = REASONS.iter().position(|r| *r == reason) {
            day.dropped[i] = day.dropped[i].saturating_sub(1);
        }
    }

    /// Forgets what has left the window.
    pub(super) fn settle(&mut self, now: MinuteIndex) {
        self.days.retain(|d| MinuteIndex::from(d.start) >= now - WINDOW);
    }

    /// The counts of the window, when `used` of them belong to the present regime, and `broken` of
    /// those broke the objective.
    pub(super) fn summary(&self, used: u32, broken: u32) -> MinutesUsed {
        let dropped = REASONS.into_iter().enumerate().map(|(i, reason)| {
            (reason, self.days.iter().map(|day| u32::from(day.dropped[i])).sum::<u32>())
        });
        let all: u32 = self.days.iter().map(|d| u32::from(d.used)).sum();
        let others = (DropReason::OtherRegime, all.saturating_sub(used));
        let dropped = dropped.chain([others]).filter(|(_, count)| *count > 0).collect();
        MinutesUsed { used, broken, dropped }
    }

    pub(super) fn bytes(&self) -> usize {
        self.days.capacity() * size_of::<Day>()
    }
}
