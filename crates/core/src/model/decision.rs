//! A decision is data: what to write, what not to write, and why, field by field.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::estimate::Estimate;
use super::fact::WhyKind;
use super::goal::{LoadTestProblem, Mode};
use super::ids::VariantId;
use super::kept_floors::FloorPut;
use super::reason::{ActionKind, Field, Reason};
use super::rules::Rules;
use super::safety::SafetyReport;
use super::scaling::{ScalableTarget, ScheduledAction, TargetTracking};
use super::shared::Shared;
use super::time::Timestamp;

/// Everything one pass concluded about one variant. It feeds the log line, the metric labels, the
/// Kubernetes Event, the JSON API, the status page and `plan` alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Appears in the log and in the JSON API.
    pub id: String,
    pub at: Timestamp,
    pub variant: VariantId,
    /// What it was decided by, beside what was read and wanted.
    pub rules: Shared<Rules>,
    /// What to write, in order.
    pub plan: Plan,
    pub report: Shared<Report>,
    /// When a pass could come to another answer even if nothing changes; at the next tick if none.
    pub wake_at: Option<Timestamp>,
}

impl Decision {
    /// Keeps what is the same as in an earlier one once.
    pub fn share(&mut self, before: &Self) {
        self.rules.share(&before.rules);
        if self.variant == before.variant {
            before.variant.clone_into(&mut self.variant);
        }
        let (own, last) = (&self.report.estimate, &before.report.estimate);
        // What goes with an estimate is no part of the comparison.
        if own.is_one_with(last) || own.picture.is_like(&last.picture) && own.fit == last.fit {
            self.report.share(&before.report);
        }
        if !self.report.is_one_with(&before.report) {
            self.report.fields.share(&before.report.fields);
            self.report.would.share(&before.report.would);
        }
    }

    /// Holds everything that was to be written, for one reason that is not a field's own.
    pub fn hold_all(&mut self, reason: Reason, sentence: &str) {
        self.plan.actions.clear();
        let report = &mut *self.report;
        for field in report.fields.iter_mut().filter(|f| f.state == FieldState::Write) {
            field.state = FieldState::Held;
            field.reason = reason;
            field.sentence = sentence.into();
        }
        report.action = ActionKind::Hold;
        report.reason = reason;
        report.sentence = format!("{}, held: {sentence}", report.sentence);
    }
}

/// The writes of a decision, in the order they are made. Empty means keep still.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Registering comes before putting, and the policy before the floors that go with it.
    pub actions: Vec<Action>,
}

impl Plan {
    /// Whether nothing is written.
    pub const fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Whether all it does is to let floors that are in force end later: no instance is moved by it
    /// that would not be moved without it.
    pub fn only_renews(&self) -> bool {
        let renews = |action: &Action| matches!(action, Action::PutFloors { renews: true, .. });
        !self.is_empty() && self.actions.iter().all(renews)
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// `RegisterScalableTarget`: makes the target, or sets its min and max.
    RegisterTarget {
        /// Fewest instances to send; absent leaves it.
        min_capacity: Option<i32>,
        /// Most instances to send; absent leaves it.
        max_capacity: Option<i32>,
        /// Whether scaling is resumed (rule 12).
        unsuspend: bool,
        /// The target this was decided on; the write is dropped when AWS has another by then.
        /// Absent when there was none, so that the write makes it.
        expected: Option<ScalableTarget>,
        /// The current and desired instance counts this was decided on: AWS pulls the count into
        /// min and max, so the write is dropped when they have changed.
        expected_instances: Option<(u32, u32)>,
    },
    /// `PutScalingPolicy` with a whole configuration.
    PutPolicy {
        /// The existing name, or the conventional one for a new policy.
        policy_name: String,
        /// What to put. Unmanaged fields are carried over from the policy as it stands.
        configuration: TargetTracking,
        /// The policy this was decided on; the write is dropped when AWS has another by then.
        expected: Option<TargetTracking>,
        fields: Vec<Field>,
    },
    /// Several `PutScheduledAction`, which together change one thing: the floors that are kept.
    PutFloors {
        /// What to put, in this order: wherever it ends, min is given back in time.
        puts: Vec<FloorPut>,
        /// All scheduled actions of the variant this was decided on; nothing is written when AWS
        /// has others by then.
        expected: Vec<ScheduledAction>,
        /// By what number the set is recognised when all of it is written; absent when none is left.
        number: Option<f64>,
        /// Whether the floors stay as they are and only end later.
        renews: bool,
    },
}

impl Action {
    /// AWS's operation name.
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::RegisterTarget { .. } => "RegisterScalableTarget",
            Self::PutPolicy { .. } => "PutScalingPolicy",
            Self::PutFloors { .. } => "PutScheduledAction",
        }
    }
}

/// What a pass concluded, in words and numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The mode the decision was taken in.
    pub mode: Mode,
    /// Whether the configuration lists the variant.
    pub managed: bool,
    /// What is done, in one word.
    pub action: ActionKind,
    /// The reason that matters most.
    pub reason: Reason,
    /// The reason as a sentence ("wanted 480 -> 612, held: endpoint is Updating").
    pub sentence: String,
    /// Every field that was compared.
    pub fields: Shared<Vec<FieldReport>>,
    /// Facts worth knowing that hold or change nothing by themselves.
    pub notes: Box<[Note]>,
    /// Whether everything that is managed could be compared. False is never "in sync".
    pub comparable: bool,
    /// The value in force.
    pub configured_target: Option<f64>,
    /// Load-tested rate x safety factor x 60, while the load test is valid.
    pub formula_target: Option<f64>,
    /// Why the load test does not count.
    pub load_test_problem: Option<LoadTestProblem>,
    /// What the target value should be, before limits.
    pub safe_target: Option<f64>,
    /// The value that is wanted in this mode, after limits; what a write would set.
    pub wanted_target: Option<f64>,
    /// The value that is wanted in this mode in the end, when no limit stands in the way.
    pub desired_target: Option<f64>,
    /// Configured target over safe target.
    pub divergence: Option<f64>,
    /// The instance counts that a change of target value leads to.
    pub instances: Option<InstanceForecast>,
    pub estimate: Shared<Estimate>,
    /// Whether the value in force is safe, going by it: the second axis.
    pub safety: SafetyReport,
    /// In `observe`: what the bolder modes would do now, `repair` first.
    pub would: Shared<Vec<ModePreview>>,
}

impl Report {
    /// Every reason in it, the one that matters most first: of the decision, of each field that is
    /// not in sync, of each note.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> + '_ {
        let fields = self.fields.iter().filter(|field| field.state != FieldState::InSync);
        std::iter::once(self.reason)
            .chain(fields.map(|field| field.reason))
            .chain(self.notes.iter().map(|note| note.reason))
    }

    /// Whether everything managed was compared with something.
    pub fn is_compared(&self) -> bool {
        self.comparable && !self.lacks_comparison()
    }

    /// Whether a comparison that the configuration asks for is missing, although everything could
    /// be read: the load test that it names does not count (rule 5).
    pub fn lacks_comparison(&self) -> bool {
        self.managed && self.fields.iter().any(FieldReport::lacks_comparison)
    }
}

/// What another mode would do about a variant, decided on the same reads by the same code.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModePreview {
    pub mode: Mode,
    /// What it would do, in one word.
    pub action: ActionKind,
    /// The reason that would matter most.
    pub reason: Reason,
    /// The target value that it would write; absent when it would write none.
    pub target: Option<f64>,
    /// The target value that it would be on the way to.
    pub wanted: Option<f64>,
    /// What a person would have to settle first: adoption, the account.
    pub needs: Box<[Note]>,
    /// The whole, after "would" ("lower `target_value` 1500 -> 1050 on the way to 507").
    pub sentence: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldReport {
    pub field: Field,
    /// What AWS has, readable; absent when it does not exist or is unknown.
    pub actual: Option<Box<str>>,
    pub desired: Option<Box<str>>,
    /// The actual value as a number, to recognise it again in a later pass.
    #[serde(skip)]
    pub number: Option<f64>,
    /// The wanted target value that a write leads to, in one step or more; of the target value
    /// only.
    #[serde(skip)]
    pub wanted: Option<f64>,
    /// The outcome of the comparison.
    pub state: FieldState,
    pub reason: Reason,
    pub sentence: Box<str>,
}

impl FieldReport {
    /// Whether it should have been compared with a load test that does not count.
    pub const fn lacks_comparison(&self) -> bool {
        matches!(self.state, FieldState::Held | FieldState::NotCompared)
            && self.reason.is_load_test()
    }
}

/// The outcome of comparing a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldState {
    /// Equal.
    InSync,
    /// Differs and is written now.
    Write,
    /// Differs and is not written now.
    Held,
    /// Could not be compared.
    Unknown,
    /// There is nothing to compare it with (rule 5).
    NotCompared,
}

impl FieldState {
    /// Whether the field differs, held or not.
    pub const fn differs(self) -> bool {
        matches!(self, Self::Write | Self::Held)
    }
}

/// Something worth knowing, with its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub reason: Reason,
    pub sentence: Cow<'static, str>,
}

/// Instance counts before and after a change of target value (rule 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct InstanceForecast {
    pub now: Option<u32>,
    /// Needed at the present load with the wanted value.
    pub at_present_load: Option<u32>,
    /// Needed at the last day's peak with the value in force.
    pub at_peak_before: Option<u32>,
    /// Needed at the last day's peak with the wanted value.
    pub at_peak_after: Option<u32>,
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// One entry for each action that was tried or given up, in order.
    pub steps: Vec<StepOutcome>,
}

/// What became of one action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepOutcome {
    /// AWS's operation name.
    pub operation: &'static str,
    pub result: StepResult,
    /// The reason code, when it is not a plain success.
    pub reason: Option<Reason>,
    /// How AWS refused, when it certainly did not carry the write out. An error without it may
    /// have taken effect all the same.
    pub refused: Option<WhyKind>,
    pub sentence: String,
}

impl StepOutcome {
    /// A write that AWS shows.
    pub fn success(operation: &'static str, sentence: impl Into<String>) -> Self {
        let (result, sentence) = (StepResult::Success, sentence.into());
        Self { operation, result, reason: None, refused: None, sentence }
    }

    /// Something else, and why.
    pub fn other(
        operation: &'static str,
        result: StepResult,
        reason: Reason,
        sentence: impl Into<String>,
    ) -> Self {
        let sentence = sentence.into();
        Self { operation, result, reason: Some(reason), refused: None, sentence }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// Written, and the read-back shows it.
    Success,
    /// Written, and the read-back shows something else (rule 20).
    ReadBackDiffers,
    /// Not tried: leadership was lost, the world had changed, or an earlier step failed.
    Skipped,
    /// AWS refused, or did not answer.
    Error,
}
