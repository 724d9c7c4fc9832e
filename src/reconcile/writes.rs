//! From a plan to a write: look once more, remember what is about to be done, act, remember what
//! was done.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;

use futures::{FutureExt, StreamExt, stream};

use super::{PassInput, Purpose, Reconciler, memory, rules};
use crate::act::{Hands, act};
use crate::decide::Rules;
use crate::decide::rails::Before;
use crate::model::decision::{Action, Outcome, StepOutcome, StepResult};
use crate::model::endpoint::Endpoint;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::reads::Read;
use crate::model::reason::{Field, Reason};
use crate::model::scaling::alarm_prefix;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::observe::bounded::soon;
use crate::ports::{Aws, Clock, Keep, MemoryError};
use crate::variant::Turn;

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
    pub(super) async fn act(&mut self, passes: &mut [Turn], input: &PassInput<'_>) {
        let mut waiting: Vec<&mut Turn> =
            passes.iter_mut().filter(|turn| !turn.decision.plan.is_empty()).collect();
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
        planned: Vec<&'p mut Turn>,
        input: &PassInput<'_>,
    ) -> Vec<&'p mut Turn> {
        let mut remembered = self.reload_memory(&planned, input.settings).await;
        let now = self.clock.now();
        let (aws, clock) = (&self.aws, &*self.clock);
        let looked: Vec<&mut Turn> = stream::iter(planned)
            .map(|turn| async {
                refresh((aws, clock), turn, now).await;
                turn
            })
            // In order: the writes are made one after the other, and which comes first is no accident.
            .buffered(input.settings.concurrency.max(1))
            .collect()
            .await;
        let mut still_planned = Vec::new();
        for turn in looked {
            let id = turn.snapshot.id.clone();
            if let Some(read) = turn.snapshot.reads.endpoint {
                self.cache.update(&id.endpoint, turn.snapshot.endpoint.clone(), read);
            }
            self.pauses.hold(&id, &mut turn.goal, now);
            turn.snapshot.reads.memory = self.memory_read;
            turn.snapshot.memory = remembered.remove(&id).unwrap_or_else(Fact::not_read_yet);
            let activities = turn.snapshot.activities.clone();
            let read = turn.snapshot.reads.activities;
            self.variants.entry(id.clone()).or_default().activities.note(activities, read, now);
            let may_probe = turn.decision.rules.may_probe;
            turn.decide_again(&Rules { may_probe, ..self.rules(input, &id) }, now);
            if !turn.decision.plan.is_empty() {
                still_planned.push(turn);
            }
        }
        still_planned
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
        let mut intents = Vec::new();
        for turn in &planned {
            let mut memory = turn.began(now);
            memory.keeper = self.sign(input, now);
            let subject = memory::subject(&turn.snapshot, &turn.goal, input.settings);
            intents.push(Keep { subject, memory, urgent: true });
        }
        let failed = self.memory.save(&intents, &*self.leadership).await;
        self.memory_health.saved(failed.values());
        self.note_kept(&intents, &failed);
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
        let hands = Hands { aws: &self.aws, clock: &*self.clock, leadership: &*self.leadership };
        // One after the other: AWS takes a write a second, and a queue of writes would wait beyond
        // the look at leadership that each of them begins with.
        let mut bucket_empty = false;
        for turn in planned {
            let actions = &turn.decision.plan.actions;
            let outcome = if input.stop.load(Ordering::Relaxed) {
                skipped(actions, Reason::NotLeader, STOPPED)
            } else if bucket_empty {
                skipped(actions, Reason::CallBudget, THROTTLED)
            } else {
                // A bug of ours in one write ends neither the process nor the other writes.
                let rules = rules(input, &turn.snapshot.id);
                let before = Before {
                    snapshot: &turn.snapshot,
                    goal: &turn.goal,
                    estimate: &turn.decision.report.estimate,
                    rules: &rules,
                    now: self.clock.now(),
                };
                let acted = act(&hands, &turn.decision, &before);
                let acted = AssertUnwindSafe(acted).catch_unwind().await;
                acted.unwrap_or_else(|_| broken(actions))
            };
            bucket_empty |= throttled(&outcome);
            turn.ended(outcome, self.clock.now());
        }
        bucket_empty
    }

    /// Keeps what this pass has taught. A memory that could not be read is not overwritten. While
    /// the plan `waits` for a person's answer, nothing goes to AWS for it.
    pub(super) async fn keep_memory(
        &mut self,
        passes: &[Turn],
        input: &PassInput<'_>,
        waits: bool,
        now: Timestamp,
    ) {
        if !input.purpose.remembers() {
            return;
        }
        let mut changed = Vec::new();
        for turn in passes.iter().filter(|turn| turn.goal.managed) {
            let Fact::Known(before) = &turn.snapshot.memory else { continue };
            let mut after = turn.persisted(now);
            let variant = self.variants.get_mut(&turn.snapshot.id);
            if let Some(journal) = variant.and_then(|variant| variant.journal(now)) {
                after.journal = Some(journal.into());
            }
            // A sign of another setpoint is for it to see as well.
            let urgent = turn.has_ended() || self.signs.contains(&turn.snapshot.id);
            if after != *before || urgent || self.memory.is_behind(&turn.snapshot.id) {
                after.keeper = self.sign(input, now);
                let subject = memory::subject_after(turn, input, waits);
                changed.push(Keep { subject, memory: after, urgent });
            }
        }
        if changed.is_empty() {
            return;
        }
        // What goes with a write first: the others can wait for the next turn.
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
async fn refresh((aws, clock): (&Aws, &dyn Clock), turn: &mut Turn, now: Timestamp) {
    let mends_alarms = turn.decision.plan.actions.iter().any(
        |action| matches!(action, Action::PutPolicy { fields, .. } if fields.contains(&Field::Alarms)),
    );
    let snapshot = &mut turn.snapshot;
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
