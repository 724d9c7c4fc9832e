//! From a plan to a write: look once more, remember what is about to be done, act, remember what
//! was done.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;

use futures::{FutureExt, StreamExt, stream};

use super::{Pass, PassInput, Purpose, Reconciler, memory, rules};
use crate::act::{Hands, act};
use crate::decide::decide;
use crate::decide::rails::Before;
use crate::decide::remember::{Done, remember};
use crate::model::decision::{Action, Outcome, StepOutcome, StepResult};
use crate::model::endpoint::Endpoint;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::reason::{Field, Reason};
use crate::model::scaling::alarm_prefix;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::observe::bounded::soon;
use crate::ports::{Aws, Clock, Keep, MemoryError};

/// So many variants are looked at, and their intents remembered, before their writes begin. Where
/// keeping one is a write itself, a large plan would otherwise be old before its first write.
const AT_ONCE: usize = 10;

/// Why a write that was planned does not begin.
const STOPPED: &str =
    "no further write begins: the process stops, the pass overran, or leadership was lost";

/// As above, when AWS's bucket is empty.
const THROTTLED: &str = "AWS throttles the writes of this region; the next pass goes on";

impl Reconciler {
    /// Carries out every plan of a pass, a few variants at a time: what is written has been looked at
    /// moments before, and a fleet of writes does not spend its budget on looking.
    pub(super) async fn act(&mut self, passes: &mut [Pass], input: &PassInput<'_>) {
        let mut waiting: Vec<&mut Pass> =
            passes.iter_mut().filter(|pass| !pass.decision.plan.is_empty()).collect();
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

    /// Reads the endpoint, its activities and the memory again and decides again: what was true at
    /// the beginning of the pass may be minutes old.
    async fn look_again<'p>(
        &mut self,
        planned: Vec<&'p mut Pass>,
        input: &PassInput<'_>,
    ) -> Vec<&'p mut Pass> {
        let mut remembered = self.reload_memory(&planned, input.settings).await;
        let now = self.clock.now();
        let (aws, clock) = (&self.aws, &*self.clock);
        let looked: Vec<&mut Pass> = stream::iter(planned)
            .map(|pass| async {
                refresh((aws, clock), pass, now).await;
                pass
            })
            // In order: the writes are made one after the other, and which comes first is no accident.
            .buffered(input.settings.concurrency.max(1))
            .collect()
            .await;
        let mut still_planned = Vec::new();
        for pass in looked {
            let id = pass.snapshot.id.clone();
            if let Some(read) = pass.snapshot.reads.endpoint {
                self.cache.update(&id.endpoint, pass.snapshot.endpoint.clone(), read);
            }
            self.pauses.hold(&id, &mut pass.goal, now);
            pass.snapshot.reads.memory = self.memory_read;
            pass.snapshot.memory = remembered.remove(&id).unwrap_or_else(Fact::not_read_yet);
            let state = self.variants.entry(id).or_default();
            state.activities = pass.snapshot.activities.clone();
            state.activities_at = Some(now);
            state.activities_read = pass.snapshot.reads.activities;
            let estimate = &pass.decision.report.estimate.clone();
            pass.decision =
                decide(&pass.snapshot, &pass.goal, estimate, &rules(input, &pass.snapshot.id), now);
            if !pass.decision.plan.is_empty() {
                still_planned.push(pass);
            }
        }
        still_planned
    }

    /// Keeps what is about to be written, as if it had succeeded. A crash in between then finds a
    /// raise that may not have happened, instead of missing one that did.
    async fn remember_intents<'p>(
        &mut self,
        planned: Vec<&'p mut Pass>,
        input: &PassInput<'_>,
    ) -> Vec<&'p mut Pass> {
        if input.stop.load(Ordering::Relaxed) {
            return planned;
        }
        let now = self.clock.now();
        let mut intents = Vec::new();
        for pass in &planned {
            let steps = pass.decision.plan.actions.iter().map(assumed).collect();
            let outcome = Outcome { steps };
            let done = done(pass, Some(&outcome), input);
            let before = known_memory(&pass.snapshot);
            let mut memory = remember(&before, done, now);
            // What the crash would leave behind must be told from somebody's overwrite.
            memory.intent = memory.last_attempt.filter(|attempt| attempt.at == now);
            memory.keeper = self.sign(input, now);
            let subject = memory::subject(&pass.snapshot, &pass.goal, input.settings);
            intents.push(Keep { subject, memory, urgent: true });
        }
        let failed = self.memory.save(&intents, &*self.leadership).await;
        self.memory_health.saved(failed.values());
        self.note_kept(&intents, &failed);
        let mut remembered = Vec::with_capacity(planned.len());
        for pass in planned {
            match failed.get(&pass.snapshot.id) {
                None => remembered.push(pass),
                Some(error) => hold_unremembered(pass, error),
            }
        }
        remembered
    }

    /// Whether AWS's bucket was found empty.
    async fn carry_out(&mut self, planned: Vec<&mut Pass>, input: &PassInput<'_>) -> bool {
        let hands = Hands { aws: &self.aws, clock: &*self.clock, leadership: &*self.leadership };
        // One after the other: AWS takes a write a second, and a queue of writes would wait beyond
        // the look at leadership that each of them begins with.
        let mut bucket_empty = false;
        for pass in planned {
            let actions = &pass.decision.plan.actions;
            let outcome = if input.stop.load(Ordering::Relaxed) {
                skipped(actions, Reason::NotLeader, STOPPED)
            } else if bucket_empty {
                skipped(actions, Reason::CallBudget, THROTTLED)
            } else {
                // A bug of ours in one write ends neither the process nor the other writes.
                let rules = rules(input, &pass.snapshot.id);
                let before = Before {
                    snapshot: &pass.snapshot,
                    goal: &pass.goal,
                    estimate: &pass.decision.report.estimate,
                    rules: &rules,
                    now: self.clock.now(),
                };
                let acted = act(&hands, &pass.decision, &before);
                let acted = AssertUnwindSafe(acted).catch_unwind().await;
                acted.unwrap_or_else(|_| broken(actions))
            };
            bucket_empty |= throttled(&outcome);
            let before = known_memory(&pass.snapshot);
            let done = done(pass, Some(&outcome), input);
            pass.remembered = Some(remember(&before, done, self.clock.now()));
            pass.outcome = Some(outcome);
        }
        bucket_empty
    }

    /// Keeps what this pass has taught. A memory that could not be read is not overwritten. While
    /// the plan `waits` for a person's answer, nothing goes to AWS for it.
    pub(super) async fn keep_memory(
        &mut self,
        passes: &[Pass],
        input: &PassInput<'_>,
        waits: bool,
        now: Timestamp,
    ) {
        if !input.purpose.remembers() {
            return;
        }
        let mut changed = Vec::new();
        for pass in passes.iter().filter(|pass| pass.goal.managed) {
            let Fact::Known(before) = &pass.snapshot.memory else { continue };
            let mut after = pass
                .remembered
                .clone()
                .unwrap_or_else(|| remember(before, done(pass, None, input), now));
            let state = self.variants.get_mut(&pass.snapshot.id);
            if let Some(journal) = state.and_then(|state| state.variant.journal(now)) {
                after.journal = Some(journal.into());
            }
            // A sign of another setpoint is for it to see as well.
            let urgent = pass.remembered.is_some() || self.signs.contains(&pass.snapshot.id);
            if after != *before || urgent || self.memory.is_behind(&pass.snapshot.id) {
                after.keeper = self.sign(input, now);
                let subject = memory::subject_after(pass, input, waits);
                changed.push(Keep { subject, memory: after, urgent });
            }
        }
        if changed.is_empty() {
            return;
        }
        // What goes with a write first: the others can wait for the next pass.
        changed.sort_by_key(|keep| !keep.urgent);
        let failed = self.memory.save(&changed, &*self.leadership).await;
        self.memory_health.saved(failed.values());
        self.note_kept(&changed, &failed);
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

/// The look right before a write. Alarms are read again only when they are what it is about.
async fn refresh((aws, clock): (&Aws, &dyn Clock), pass: &mut Pass, now: Timestamp) {
    let mends_alarms = pass.decision.plan.actions.iter().any(
        |action| matches!(action, Action::PutPolicy { fields, .. } if fields.contains(&Field::Alarms)),
    );
    let snapshot = &mut pass.snapshot;
    let resource = snapshot.id.resource();
    if mends_alarms {
        snapshot.alarms = match aws.metrics.alarms(&alarm_prefix(&resource)).await {
            Ok(alarms) => alarms.into_fact("DescribeAlarms"),
            Err(error) => Fact::Unknown(error.into()),
        };
        snapshot.reads.alarms = Some(Read::new("DescribeAlarms", clock.now()));
    }
    let (endpoint, activities) = tokio::join!(
        // One that hangs holds up no write of another variant.
        soon("DescribeEndpoint", aws.endpoints.endpoint(&snapshot.id.endpoint)),
        aws.scaling.scaling_activities(&resource),
    );
    let endpoint: Fact<Option<Endpoint>> = match endpoint {
        Ok(endpoint) => endpoint.into(),
        Err(late) => Fact::Unknown(late),
    };
    let config_in_force = |e: &Fact<Option<Endpoint>>| {
        e.known().and_then(Option::as_ref).map(|e| e.config_name.clone())
    };
    if config_in_force(&endpoint) != config_in_force(&snapshot.endpoint) {
        let why = Why::new(WhyKind::NotReadYet, "another endpoint config came into force");
        snapshot.endpoint_config = Fact::Unknown(why);
    }
    snapshot.endpoint = endpoint;
    snapshot.activities = activities.map(Shared::from).into();
    let answered = clock.now();
    snapshot.reads.endpoint = Some(Read::new("DescribeEndpoint", answered));
    snapshot.reads.activities = Some(Read::new("DescribeScalingActivities", answered));
    snapshot.taken_at = now;
}

fn done<'p>(pass: &'p Pass, outcome: Option<&'p Outcome>, input: &PassInput<'_>) -> Done<'p> {
    Done {
        snapshot: &pass.snapshot,
        goal: &pass.goal,
        decision: &pass.decision,
        outcome,
        confirmed: input.purpose.has_confirmed(&pass.snapshot.id),
    }
}

fn known_memory(snapshot: &Snapshot) -> VariantMemory {
    snapshot.memory.known().cloned().unwrap_or_default()
}

fn assumed(action: &Action) -> StepOutcome {
    StepOutcome::success(action.operation(), "about to be written")
}

fn not_begun(planned: Vec<&mut Pass>, reason: Reason, sentence: &str) {
    for pass in planned {
        pass.outcome = Some(skipped(&pass.decision.plan.actions, reason, sentence));
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
fn hold_unremembered(pass: &mut Pass, error: &MemoryError) {
    let sentence = format!("what is about to be written could not be remembered: {error}");
    pass.decision.hold_all(Reason::Unknown, &sentence);
}
