//! What the readers of decisions make of a reason, so that none of them has a list of its own.

use serde::Serialize;

use super::ActionKind;

/// How far a note with a reason goes by itself; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reported {
    /// `explain` and the metric `setpoint_condition` have it.
    Explain,
    /// The plan and the page's filters too: a person wants to know it of a variant in sync as well.
    Plan,
    /// The log and Events too, once, when it begins: it happened to the variant.
    News,
}

/// How bad a finding of an audit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The variant does not scale, or does not when it has to.
    High,
    /// It scales, and probably not as somebody meant it.
    Medium,
    /// Worth a look.
    Low,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What a reason means to those who read decisions.
#[derive(Debug, Clone, Copy)]
pub struct Class {
    /// How far a note with it goes.
    pub reported: Reported,
    /// Whether a hold for it is part of how setpoint works, or what a person asked for. Any other
    /// hold is a warning.
    pub expected: bool,
    /// The actions of which it usually is the reason: their counters exist from the start. All
    /// pairs would be 400 series, most of them meaningless; another pair appears when it happens.
    pub usual: &'static [ActionKind],
    /// What ends it; absent where the sentence of the decision says so, or nothing is to end.
    pub ends: Option<&'static str>,
    /// What a note with it means for somebody who has configured nothing yet: the code of the
    /// finding, how bad it is, and what to do.
    pub audit: Option<(&'static str, Severity, &'static str)>,
    /// Whether there is a variant that serves production and scales.
    pub has_variant: bool,
}

/// The reason of a decision that changes nothing and holds nothing.
pub(super) const QUIET: Class = usual(&[ActionKind::None]);
/// Why a change waits.
pub(super) const HOLD: Class = usual(&[ActionKind::Hold]);
/// Worth knowing, and never itself the reason of a decision.
pub(super) const NOTE: Class = usual(&[]);
pub(super) const WRITES: &[ActionKind] = &[
    ActionKind::SetTarget,
    ActionKind::Repair,
    ActionKind::CreatePolicy,
    ActionKind::RegisterTarget,
];

pub(super) const fn usual(usual: &'static [ActionKind]) -> Class {
    let reported = Reported::Explain;
    Class { reported, expected: false, usual, ends: None, audit: None, has_variant: true }
}

impl Class {
    pub(super) const fn expected(self) -> Self {
        Self { expected: true, ..self }
    }

    pub(super) const fn plan(self) -> Self {
        Self { reported: Reported::Plan, ..self }
    }

    pub(super) const fn news(self) -> Self {
        Self { reported: Reported::News, ..self }
    }

    pub(super) const fn ends(self, sentence: &'static str) -> Self {
        Self { ends: Some(sentence), ..self }
    }

    pub(super) const fn audit(
        self,
        code: &'static str,
        severity: Severity,
        advice: &'static str,
    ) -> Self {
        Self { audit: Some((code, severity, advice)), ..self }
    }

    pub(super) const fn without_variant(self) -> Self {
        Self { has_variant: false, ..self }
    }

    /// Whether the plan and the page show a note with it.
    pub fn is_in_plan(&self) -> bool {
        self.reported >= Reported::Plan
    }

    /// Whether the log and Events report a note with it when it begins.
    pub fn is_news(&self) -> bool {
        self.reported >= Reported::News
    }
}
