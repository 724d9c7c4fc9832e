//! How long the phases of a pass took.

use std::time::Duration;

/// A phase of a pass. They follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// AWS is read.
    Observe,
    /// What was read is judged.
    Decide,
    /// What was decided is written.
    Act,
    /// What must be remembered is saved.
    Remember,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Observe, Self::Decide, Self::Act, Self::Remember];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Decide => "decide",
            Self::Act => "act",
            Self::Remember => "remember",
        }
    }
}

/// How long each took, by the monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhaseTimes([Duration; 4]);

impl PhaseTimes {
    /// How long this one took.
    pub const fn of(&self, phase: Phase) -> Duration {
        self.0[phase as usize]
    }

    pub(super) const fn set(&mut self, phase: Phase, took: Duration) {
        self.0[phase as usize] = took;
    }
}
