//! From a plan to a write: look once more, remember what is about to be done, act, remember what
//! was done.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use futures::FutureExt;

use super::{PassInput, Purpose, Reconciler, subject};
use crate::act::{Writer, act};
use crate::decide::Rules;
use crate::decide::rails::Before;
use crate::model::decision::{Action, Outcome, StepOutcome, StepResult};
use crate::model::fact::{Fact, WhyKind};
use crate::model::ids::VariantId;
use crate::model::keeper::MemoryWriter;
use crate::model::reason::Reason;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::observe::Reader;
use crate::observe::unknown::BROKEN;
use crate::ports::{Keep, MemoryError, Subject};
use crate::variant::Turn;

/// So many variants are looked at, and their intents remembered, before their writes begin. Where
/// keeping one is a write itself, a large plan would otherwise be old before its first write.
const AT_ONCE: usize = 10;

/// Why a write that was planned does not begin.
const STOPPED: &str =
    "no further write begins: the process stops, the pass overran, or leadership was lost";

/// As above, when AWS's bucket is empty.
const THROTTLED: &str = "AWS throttles writes in this region; the next pass continues";

impl Reconciler {
    /// Carries out every plan of a pass, a few variants at a time: what is written has been looked at
    /// moments before, and a fleet of writes does not spend its budget on looking.
    pub(super) async fn act(&mut self, turns: &mut [Box<Turn>], input: &PassInput<'_>) {
        let mut waiting: Vec<&mut Turn> = turns
            .iter_mut()
            .map(|turn| &mut **turn)
            .filter(|turn| !turn.decision.plan.is_empty())
            .collect();
        let mut bucket_empty = false;
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(AT_ONCE));
            let planned = std::mem::replace(&mut waiting, rest);
            if input.stop.load(Ordering::Relaxed) {
                not_begun(planned, Reason::NotLeader, STOPPED);
            } else if bucket_empty {
                not_begun(planned, Reason::CallBudget, THROTTLED);
            } else {
                let planned = self.look_again(planned, input).await;
                let planned = self.remember_intents(planned, input).await;
                bucket_empty = self.carry_out(planned, input).await;
            }
        }
    }

    /// Reads again what is about to be written, and decides again.
    async fn look_again<'p>(
        &mut self,
        mut planned: Vec<&'p mut Turn>,
        input: &PassInput<'_>,
    ) -> Vec<&'p mut Turn> {
        let now = self.reader.read_again(&mut planned, input.settings).await;
        for turn in &mut planned {
            let may_probe = turn.decision.rules.may_probe;
            let rules = Rules { may_probe, ..self.rules(input, &turn.snapshot.id, now) };
            // A bug of ours in one variant ends no write of another one.
            let decided = catch_unwind(AssertUnwindSafe(|| turn.decide_again(&rules, now)));
            if decided.is_err() {
                turn.decision.hold_all(Reason::Unknown, BROKEN);
                self.reader.distrust(&turn.snapshot.id);
            }
        }
        planned.retain(|turn| !turn.decision.plan.is_empty());
        planned
    }

    /// Keeps what is about to be written. What cannot be kept is not written.
    async fn remember_intents<'p>(
        &mut self,
        planned: Vec<&'p mut Turn>,
        input: &PassInput<'_>,
    ) -> Vec<&'p mut Turn> {
        if input.stop.load(Ordering::Relaxed) {
            return planned;
        }
        let now = self.clock.now();
        let keeper = self.signature(input, now);
        let mut intents = Vec::new();
        for turn in &planned {
            let mut memory = turn.began(now);
            memory.keeper.clone_from(&keeper);
            let subject = subject(&turn.snapshot, &turn.goal, input.settings);
            intents.push(Keep { subject, memory: memory.into(), urgent: true });
        }
        let failed = self.keep(&intents).await;
        let mut remembered = Vec::with_capacity(planned.len());
        for turn in planned {
            match failed.get(&turn.snapshot.id) {
                None => remembered.push(turn),
                Some(error) => hold_unremembered(turn, error),
            }
        }
        remembered
    }

    /// Whether AWS's bucket was found empty.
    async fn carry_out(&mut self, planned: Vec<&mut Turn>, input: &PassInput<'_>) -> bool {
        let writer = Writer { aws: &self.aws, clock: &*self.clock, leadership: &*self.leadership };
        // One after the other: AWS takes a write a second, and a queue of writes would wait beyond
        // the look at leadership that each of them begins with.
        let mut bucket_empty = false;
        for turn in planned {
            let actions = &turn.decision.plan.actions;
            let rules = input.rules(&turn.snapshot.id, self.clock.now());
            let outcome = if input.stop.load(Ordering::Relaxed) {
                skipped(actions, Reason::NotLeader, STOPPED)
            } else if bucket_empty {
                skipped(actions, Reason::CallBudget, THROTTLED)
            } else if let Some(frozen) = has_frozen(turn, &rules, self.clock.now()) {
                skipped(actions, Reason::Frozen, &frozen)
            } else {
                // A bug of ours in one write ends neither the process nor the other writes.
                let before = Before {
                    snapshot: &turn.snapshot,
                    goal: &turn.goal,
                    estimate: &turn.decision.report.estimate,
                    rules: &rules,
                    now: self.clock.now(),
                };
                let acted = act(&writer, &turn.decision, &before);
                let acted = AssertUnwindSafe(acted).catch_unwind().await;
                acted.unwrap_or_else(|_| broken(actions))
            };
            bucket_empty |= throttled(&outcome);
            turn.ended(outcome, self.clock.now());
        }
        bucket_empty
    }

    async fn keep(&mut self, keep: &[Keep]) -> BTreeMap<VariantId, MemoryError> {
        let Reader { remembered, variants, .. } = &mut self.reader;
        remembered.save(keep, &*self.leadership, variants).await
    }

    /// Signs what is about to be kept. A command is no process that goes on writing.
    fn signature(&self, input: &PassInput<'_>, now: Timestamp) -> Option<Shared<MemoryWriter>> {
        let goes_on = matches!(input.purpose, Purpose::Reconcile(_));
        goes_on.then(|| self.reader.remembered.sign(now).into())
    }

    /// Keeps what this pass has taught. A memory that could not be read is not overwritten. While
    /// the plan `waits` for a person's answer, nothing goes to AWS for it.
    pub(super) async fn keep_memory(
        &mut self,
        turns: &[Box<Turn>],
        input: &PassInput<'_>,
        waits: bool,
        now: Timestamp,
    ) {
        // Another process may lead by now, and what it keeps is newer than what this pass has read. What was about to be
        // written is remembered.
        if !input.purpose.remembers() || !self.leadership.may_write() {
            return;
        }
        let keeper = self.signature(input, now);
        let mut changed = Vec::new();
        for turn in turns.iter().filter(|turn| turn.goal.managed) {
            let Fact::Known(before) = &turn.snapshot.memory else { continue };
            let mut after = turn.persisted(now);
            let variant = self.reader.variants.get_mut(&turn.snapshot.id);
            if let Some(journal) =
                variant.and_then(|variant| variant.journal(&turn.snapshot.id, now))
            {
                after.journal = Some(journal);
            }
            let remembered = &self.reader.remembered;
            let urgent = turn.has_ended() || remembered.is_sign(&turn.snapshot.id);
            if after != *before || urgent || remembered.is_owed(&turn.snapshot.id) {
                after.keeper.clone_from(&keeper);
                let subject = subject_after(turn, input, waits, self.clock.now());
                changed.push(Keep { subject, memory: after, urgent });
            }
        }
        if changed.is_empty() {
            return;
        }
        // What goes with a write first: the others can wait for the next turn.
        changed.sort_by_key(|keep| !keep.urgent);
        let failed = self.keep(&changed).await;
        if let Some(error) = failed.values().next() {
            // The daemon says it again and again while it lasts; a person who has confirmed one pass
            // sees no other.
            let variants = failed.len();
            if matches!(input.purpose, Purpose::Apply(_)) {
                tracing::warn!(%error, variants, "could not remember this pass");
            } else {
                tracing::debug!(%error, variants, "could not remember this pass");
            }
        }
    }
}

/// Why a freeze window that has opened since a plan was decided on forbids it, if it does.
fn has_frozen(turn: &Turn, rules: &Rules, now: Timestamp) -> Option<String> {
    let freeze = rules.freeze.as_ref().filter(|_| rules.freeze != turn.decision.rules.freeze)?;
    let until = freeze.until.format("%FT%TZ");
    let decided = Rules::clone(&turn.decision.rules);
    let mut again = turn.clone();
    again.decide_again(&Rules { freeze: rules.freeze.clone(), ..decided }, now);
    let holds = again.decision.plan.is_empty();
    holds.then(|| format!("a freeze window has opened since it was decided on, until {until}"))
}

fn not_begun(planned: Vec<&mut Turn>, reason: Reason, sentence: &str) {
    for turn in planned {
        turn.not_begun(skipped(&turn.decision.plan.actions, reason, sentence));
    }
}

fn skipped(actions: &[Action], reason: Reason, sentence: &str) -> Outcome {
    let skip = |action: &Action| {
        StepOutcome::other(action.operation(), StepResult::Skipped, reason, sentence)
    };
    Outcome { steps: actions.iter().map(skip).collect() }
}

/// A write that failed within setpoint: it may have been sent.
fn broken(actions: &[Action]) -> Outcome {
    let sentence = "setpoint failed in the middle of it, a bug; AWS may have carried it out";
    let step = |action: &Action| {
        let (result, reason) = (StepResult::Error, Reason::WriteFailed);
        StepOutcome::other(action.operation(), result, reason, sentence)
    };
    Outcome { steps: actions.iter().map(step).collect() }
}

/// AWS's bucket is shared by everybody in the account: when it is empty, the rest of the pass keeps
/// off it, and the next pass goes on.
fn throttled(outcome: &Outcome) -> bool {
    outcome.steps.iter().any(|step| step.refused == Some(WhyKind::Throttled))
}

/// Without a memory of it nothing is written: the next start would be bolder than it may.
fn hold_unremembered(turn: &mut Turn, error: &MemoryError) {
    let sentence = format!("what is about to be written could not be remembered: {error}");
    turn.decision.hold_all(Reason::Unknown, &sentence);
}

/// A variant as its memory must know it after a pass. While a freeze window or a stop has kept setpoint from
/// writing, and while a person is being asked, its tags are not written either.
fn subject_after(turn: &Turn, input: &PassInput<'_>, waits: bool, now: Timestamp) -> Subject {
    let mut subject = subject(&turn.snapshot, &turn.goal, input.settings);
    let mut steps = turn.outcome().into_iter().flat_map(|outcome| &outcome.steps);
    let wrote = steps.any(|step| step.result != StepResult::Skipped);
    if !wrote && subject.untouchable.is_none() {
        let why = if input.stop.load(Ordering::Relaxed) {
            Some("no further write begins")
        } else if waits {
            Some("the plan waits for a person's answer")
        } else {
            let freeze = input.freeze.and_then(|open| open(now));
            freeze.map(|_| "a freeze window is open")
        };
        subject.untouchable = why.map(str::to_owned);
    }
    subject
}
