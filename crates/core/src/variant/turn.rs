//! One variant in one pass: what was read and is wanted, what was decided, what came of it, and what
//! is to be remembered of all that.

use crate::decide::remember::remember;
use crate::decide::{Rules, decide};
use crate::model::decision::{Action, Decision, Outcome, StepOutcome};
use crate::model::estimate::Estimate;
use crate::model::goal::Goal;
use crate::model::memory::VariantMemory;
use crate::model::reason::Field;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;

/// One variant in one pass. A write goes through it in this order: [`decide`](Self::decide),
/// [`began`](Self::began), the calls of the plan, [`ended`](Self::ended).
#[derive(Debug, Clone)]
pub struct Turn {
    pub goal: Shared<Goal>,
    pub snapshot: Box<Snapshot>,
    pub decision: Decision,
    outcome: Option<Outcome>,
    /// What is to be remembered after a write; absent when nothing was tried.
    after: Option<Shared<VariantMemory>>,
}

impl Turn {
    /// Decides about what was read, by what is known of capacity.
    pub fn decide(
        snapshot: Box<Snapshot>,
        goal: Shared<Goal>,
        estimate: &Shared<Estimate>,
        rules: &Rules,
        now: Timestamp,
    ) -> Self {
        let mut decision = decide(&snapshot, &goal, estimate, rules, now);
        decision.report.estimate.share(estimate);
        Self { goal, snapshot, decision, outcome: None, after: None }
    }

    /// Decides again, after `snapshot` was read again; the estimate is the same.
    pub fn decide_again(&mut self, rules: &Rules, now: Timestamp) {
        let estimate = &self.decision.report.estimate;
        self.decision = decide(&self.snapshot, &self.goal, estimate, rules, now);
    }

    /// Keeps what is the same as when the variant was last published once.
    pub fn share(&mut self, before: &VariantStatus) {
        self.goal.share(&before.goal);
        self.snapshot.share(&before.snapshot);
        self.decision.share(&before.decision);
    }

    /// Keeps what is the same as of another variant in this pass once: of most the same is known of their
    /// reaction, of factor and floors nothing, and the same rules hold.
    pub fn share_alike(&mut self, other: &Self) {
        self.decision.rules.share(&other.decision.rules);
        self.snapshot.reaction.share(&other.snapshot.reaction);
        self.snapshot.factor.share(&other.snapshot.factor);
        self.snapshot.floors.share(&other.snapshot.floors);
        // Modes that write have nothing to say of bolder ones.
        if let Some(report) = self.decision.report.own() {
            report.would.share(&other.decision.report.would);
        }
    }

    /// What is remembered before the plan is carried out: as if all of it had succeeded. A crash in
    /// between then finds a raise that may not have happened, instead of missing one that did.
    pub fn began(&self, now: Timestamp) -> VariantMemory {
        let success =
            |action: &Action| StepOutcome::success(action.operation(), "about to be written");
        let steps = self.decision.plan.actions.iter().map(success).collect();
        let mut memory = self.remembered(Some(&Outcome { steps }), now);
        // What the crash would leave behind must be told from somebody's overwrite.
        memory.intent = memory.last_attempt.filter(|attempt| attempt.at == now).map(Box::new);
        let floors = |action: &Action| matches!(action, Action::PutFloors { .. });
        if self.decision.plan.actions.iter().any(floors) {
            // A part of a set is neither the one before nor the one to come.
            memory.written.remove(&Field::Floors);
        }
        memory
    }

    /// The plan was carried out, or part of it: this came of it.
    pub fn ended(&mut self, outcome: Outcome, now: Timestamp) {
        self.after = Some(self.remembered(Some(&outcome), now).into());
        self.outcome = Some(outcome);
    }

    /// No write of the plan has begun.
    pub fn not_begun(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// What came of the plan; absent when nothing was tried.
    pub const fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Whether a write may have been made.
    pub const fn has_ended(&self) -> bool {
        self.after.is_some()
    }

    /// What is to be remembered of the pass.
    pub fn persisted(&self, now: Timestamp) -> Shared<VariantMemory> {
        self.after.clone().unwrap_or_else(|| self.remembered(None, now).into())
    }

    /// What is published of it.
    pub fn into_parts(self) -> (Shared<Goal>, Box<Snapshot>, Decision, Option<Outcome>) {
        (self.goal, self.snapshot, self.decision, self.outcome)
    }

    fn remembered(&self, outcome: Option<&Outcome>, now: Timestamp) -> VariantMemory {
        let nothing = VariantMemory::default();
        let before = self.snapshot.remembered().unwrap_or(&nothing);
        remember(before, (&self.snapshot, &self.goal), (&self.decision, outcome), now)
    }
}
