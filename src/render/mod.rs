//! Text, JSON and HTML of decisions. Pure: a status goes in, a string or a JSON value comes out.

pub mod config_notes;
pub mod explain;
pub mod fit;
pub mod line;
pub mod page;
pub mod plan;
pub mod plot;
pub mod proof;
pub mod table;
pub mod trouble;
pub mod view;

use std::borrow::Cow;

use crate::model::decision::{FieldState, Report};
use crate::model::reason::{ActionKind, Reason};
use crate::model::status::VariantStatus;

/// Where a variant stands, in one word: how `plan`, the demo and the status page sort and mark it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Something managed could not be compared.
    Unknown,
    /// A missing policy or scalable target is being made.
    Create,
    /// Something is being changed.
    Change,
    /// Something differs and is not being changed now.
    Held,
    /// Nothing says what the target value should be, so that it was compared with nothing.
    NotCompared,
    /// Nothing differs.
    InSync,
    /// The configuration does not list it.
    Unmanaged,
}

impl Standing {
    /// All of them, worst first.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Create,
        Self::Change,
        Self::Held,
        Self::NotCompared,
        Self::InSync,
        Self::Unmanaged,
    ];

    /// Where a variant stands after this decision. A write goes before what is unknown: it is
    /// what happens.
    pub fn of(report: &Report) -> Self {
        let any = |wanted: FieldState| report.fields.iter().any(|field| field.state == wanted);
        match report.action {
            ActionKind::CreatePolicy | ActionKind::RegisterTarget => Self::Create,
            ActionKind::SetTarget | ActionKind::Repair => Self::Change,
            ActionKind::None | ActionKind::Hold if !report.comparable => Self::Unknown,
            ActionKind::None if report.reason == Reason::Shadow => Self::Unmanaged,
            ActionKind::None | ActionKind::Hold if report.lacks_comparison() => Self::NotCompared,
            ActionKind::None | ActionKind::Hold if any(FieldState::Held) => Self::Held,
            ActionKind::None | ActionKind::Hold if !report.managed => Self::Unmanaged,
            ActionKind::Hold => Self::Held,
            ActionKind::None if any(FieldState::NotCompared) => Self::NotCompared,
            ActionKind::None => Self::InSync,
        }
    }

    /// The sign that `plan` and the demo put before a variant.
    pub const fn sign(self) -> char {
        match self {
            Self::Unknown | Self::NotCompared => '?',
            Self::Create => '+',
            Self::Change => '~',
            Self::Held => '!',
            Self::InSync => '=',
            Self::Unmanaged => '.',
        }
    }

    /// The word used in JSON and as a filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Create => "create",
            Self::Change => "change",
            Self::Held => "held",
            Self::NotCompared => "not_compared",
            Self::InSync => "in_sync",
            Self::Unmanaged => "unmanaged",
        }
    }

    /// The words people read.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unknown => "could not be compared",
            Self::Create => "to create",
            Self::Change => "to change",
            Self::Held => "held",
            Self::NotCompared => "not compared",
            Self::InSync => "in sync",
            Self::Unmanaged => "not managed",
        }
    }
}

/// The sign before a variant. One that is as configured and known to be unsafe gets the sign of
/// what a person should look at.
pub fn sign(report: &Report) -> char {
    match Standing::of(report) {
        Standing::InSync | Standing::NotCompared if report.is_unsafe() => Standing::Held.sign(),
        standing => standing.sign(),
    }
}

/// The first axis in words beside the second one: what is unsafe is not called in sync.
pub fn standing_words(report: &Report) -> &'static str {
    match Standing::of(report) {
        Standing::InSync if report.is_unsafe() => "as configured",
        standing => standing.words(),
    }
}

/// Whether anything differs, held or not.
pub fn differs(report: &Report) -> bool {
    report.fields.iter().any(|field| field.state.differs())
        || !matches!(report.action, ActionKind::None | ActionKind::Hold)
}

/// How bad it is, lower being worse: what is unsafe, then what is not known, then what else was found.
pub const fn severity(is_unsafe: bool, compared: bool, found: bool) -> u8 {
    match (is_unsafe, compared, found) {
        (true, ..) => 0,
        (_, false, _) => 1,
        (_, _, true) => 2,
        _ => 3,
    }
}

/// A decision in one sentence, for a log line or an Event.
pub fn sentence(status: &VariantStatus) -> String {
    let report = &status.decision.report;
    format!(
        "{}: {} ({}): {}",
        status.snapshot.id.short(),
        report.action,
        report.reason,
        printable(&report.headline())
    )
}

/// Between which two values capacity is, each with the word before it; one of them may not be known.
fn interval_parts(low: Option<f64>, high: Option<f64>) -> Vec<(&'static str, Option<f64>)> {
    match (low, high) {
        (Some(_), None) => vec![("from ", low)],
        (None, Some(_)) => vec![("up to ", high)],
        _ => vec![("", low), (" to ", high)],
    }
}

/// Text from outside with control characters made visible, so that no message of a server can
/// move a terminal's cursor or forge a line.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Cow::Owned(text.chars().map(visible).collect())
}
