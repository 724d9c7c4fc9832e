//! How it goes with what is kept over a restart.

use std::collections::BTreeMap;

use serde::Serialize;

use super::time::Timestamp;

/// Why a record is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NotResumed {
    /// It cannot be read.
    Damaged,
    /// Another version of setpoint wrote it, in another form.
    OtherForm,
    OtherVariant,
    /// It ends before the history that is read begins.
    TooOld,
    /// It ends after now: a clock was set back.
    Ahead,
    /// It begins after the history that is read.
    TooShort,
    /// It was judged by another objective, or by another estimator.
    OtherSettings,
    /// The endpoint runs something else now.
    Deploy,
    /// A process that ran since has remembered another regime.
    OtherRegime,
}

impl NotResumed {
    pub const ALL: [Self; 9] = [
        Self::Damaged,
        Self::OtherForm,
        Self::OtherVariant,
        Self::TooOld,
        Self::Ahead,
        Self::TooShort,
        Self::OtherSettings,
        Self::Deploy,
        Self::OtherRegime,
    ];

    /// The word in metrics, JSON and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::OtherForm => "other_form",
            Self::OtherVariant => "other_variant",
            Self::TooOld => "too_old",
            Self::Ahead => "ahead",
            Self::TooShort => "too_short",
            Self::OtherSettings => "other_settings",
            Self::Deploy => "deploy",
            Self::OtherRegime => "other_regime",
        }
    }
}

/// Counts since the process began, or since it last became the leader.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EvidenceStatus {
    /// Variants that went on where an earlier process had ended.
    pub resumed: u64,
    /// Variants whose record did not fit, by reason: their whole history was read.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Records that were written.
    pub kept: u64,
    /// When one was last written.
    pub last_kept: Option<Timestamp>,
    /// Why records cannot be written or read.
    pub trouble: Option<String>,
}
