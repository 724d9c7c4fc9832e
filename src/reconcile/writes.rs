//! From a plan to a write: look once more, remember what is about to be done, act, remember what
//! was done.

use std::sync::atomic::Ordering;

use futures::{StreamExt, stream};

use super::{Pass, PassInput, Reconciler, memory, rules};
use crate::act::{Hands, act};
use crate::decide::decide;
use crate::decide::remember::{Done, remember};
use crate::model::decision::{Action, Outcome, StepOutcome, StepResult};
use crate::model::endpoint::Endpoint;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::memory::VariantMemory;
use crate::model::reason::Reason;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Keep, MemoryError};

/// So many intents are remembered before their writes begin. Where keeping one is a write itself, a
/// large plan would otherwise be old before its first write.
const INTENTS_AT_ONCE: usize = 10;

impl Reconciler {
    /// Carries out every plan of a pass.
    pub(super) async fn act(&mut self, passes: &mut [Pass], input: &PassInput<'_>) {
        let planned: Vec<&mut Pass> =
            passes.iter_mut().filter(|pass| !pass.decision.plan.is_empty()).collect();
        if planned.is_empty() {
            return;
        }
        let mut planned = self.look_again(planned, input).await;
        while !planned.is_empty() {
            let rest = planned.split_off(planned.len().min(INTENTS_AT_ONCE));
            let remembered = self.remember_intents(planned, input).await;
            self.carry_out(remembered, input).await;
            planned = rest;
        }
    }

    /// Reads the endpoint, its activities and the memory anew and decides again: what was true at
    /// the beginning of the pass may be minutes old.
    async fn look_again<'p>(
        &mut self,
        planned: Vec<&'p mut Pass>,
        input: &PassInput<'_>,
    ) -> Vec<&'p mut Pass> {
        let mut remembered = self.load_memory_anew(&planned, input.settings).await;
        let now = self.clock.now();
        let aws = &self.aws;
        let looked: Vec<&mut Pass> = stream::iter(planned)
            .map(|pass| async {
                refresh(aws, &mut pass.snapshot, now).await;
                pass
            })
            .buffer_unordered(input.settings.concurrency.max(1))
            .collect()
            .await;
        let mut still_planned = Vec::new();
        for pass in looked {
            let id = pass.snapshot.id.clone();
            self.cache.update(&id.endpoint, pass.snapshot.endpoint.clone(), now);
            pass.snapshot.memory = remembered.remove(&id).unwrap_or_else(Fact::not_read_yet);
            let state = self.variants.entry(id).or_default();
            state.activities = pass.snapshot.activities.clone();
            state.activities_at = Some(now);
            let estimate = &pass.decision.report.estimate.clone();
            pass.decision = decide(&pass.snapshot, &pass.goal, estimate, &rules(input), now);
            if !pass.decision.plan.is_empty() {
                still_planned.push(pass);
            }
        }
        still_planned
    }

    /// Keeps what is about to be written, as if it had succeeded. A crash in between then finds a
    /// raise that may not have happened, instead of missing one that did.
    async fn remember_intents<'p>(
        &self,
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
            let done = done(pass, Some(&outcome), input.confirmed);
            let before = known_memory(&pass.snapshot);
            let mut memory = remember(&before, done, now);
            // What the crash would leave behind must be told from somebody's overwrite.
            memory.intent = memory.last_attempt.filter(|attempt| attempt.at == now);
            let subject = memory::subject(&pass.snapshot, &pass.goal, input.settings);
            intents.push(Keep { subject, memory, urgent: true });
        }
        let failed = self.memory.save(&intents, &*self.leadership).await;
        let mut remembered = Vec::with_capacity(planned.len());
        for pass in planned {
            match failed.get(&pass.snapshot.id) {
                None => remembered.push(pass),
                Some(error) => hold_unremembered(pass, error),
            }
        }
        remembered
    }

    async fn carry_out(&mut self, planned: Vec<&mut Pass>, input: &PassInput<'_>) {
        let hands = Hands { aws: &self.aws, clock: &*self.clock, leadership: &*self.leadership };
        // One after the other: AWS takes a write a second, and a queue of writes would wait beyond
        // the look at leadership that each of them begins with.
        let mut carried_out = Vec::with_capacity(planned.len());
        for pass in planned {
            let outcome = if input.stop.load(Ordering::Relaxed) {
                not_begun(&pass.decision.plan.actions)
            } else {
                act(&hands, &pass.decision).await
            };
            pass.outcome = Some(outcome);
            carried_out.push(pass);
        }
        let now = self.clock.now();
        for pass in carried_out {
            let before = known_memory(&pass.snapshot);
            let after = remember(&before, done(pass, pass.outcome.as_ref(), input.confirmed), now);
            pass.remembered = Some(after);
        }
    }

    /// Keeps what this pass has taught. A memory that could not be read is not overwritten.
    pub(super) async fn keep_memory(
        &mut self,
        passes: &[Pass],
        input: &PassInput<'_>,
        now: Timestamp,
    ) {
        if !input.act {
            return;
        }
        let mut changed = Vec::new();
        for pass in passes.iter().filter(|pass| pass.goal.managed) {
            let Fact::Known(before) = &pass.snapshot.memory else { continue };
            let mut after = pass
                .remembered
                .clone()
                .unwrap_or_else(|| remember(before, done(pass, None, false), now));
            let state = self.variants.get_mut(&pass.snapshot.id);
            if let Some(journal) = state.and_then(|state| state.capacity.journal(now)) {
                after.journal = Some(journal);
            }
            let urgent = pass.remembered.is_some();
            if after != *before || urgent || self.memory.is_behind(&pass.snapshot.id) {
                let subject = memory::subject_after(pass, input);
                changed.push(Keep { subject, memory: after, urgent });
            }
        }
        if changed.is_empty() {
            return;
        }
        // What goes with a write first: the others can wait for the next pass.
        changed.sort_by_key(|keep| !keep.urgent);
        let failed = self.memory.save(&changed, &*self.leadership).await;
        if let Some(error) = failed.values().next() {
            tracing::warn!(%error, variants = failed.len(), "could not remember this pass");
        }
    }
}

/// The look right before a write.
async fn refresh(aws: &Aws, snapshot: &mut Snapshot, now: Timestamp) {
    let resource = snapshot.id.resource();
    let (endpoint, activities) = tokio::join!(
        aws.endpoints.endpoint(&snapshot.id.endpoint),
        aws.scaling.scaling_activities(&resource),
    );
    let endpoint: Fact<Option<Endpoint>> = endpoint.into();
    let config_in_force = |e: &Fact<Option<Endpoint>>| {
        e.known().and_then(Option::as_ref).map(|e| e.config_name.clone())
    };
    if config_in_force(&endpoint) != config_in_force(&snapshot.endpoint) {
        let why = Why::new(WhyKind::NotReadYet, "another endpoint config came into force");
        snapshot.endpoint_config = Fact::Unknown(why);
    }
    snapshot.endpoint = endpoint;
    snapshot.activities = activities.into();
    snapshot.taken_at = now;
}

const fn done<'p>(pass: &'p Pass, outcome: Option<&'p Outcome>, confirmed: bool) -> Done<'p> {
    Done {
        snapshot: &pass.snapshot,
        goal: &pass.goal,
        decision: &pass.decision,
        outcome,
        confirmed,
    }
}

fn known_memory(snapshot: &Snapshot) -> VariantMemory {
    snapshot.memory.known().cloned().unwrap_or_default()
}

fn assumed(action: &Action) -> StepOutcome {
    StepOutcome {
        operation: action.operation(),
        result: StepResult::Success,
        sentence: "about to be written".to_owned(),
    }
}

fn not_begun(actions: &[Action]) -> Outcome {
    let skip = |action: &Action| StepOutcome {
        operation: action.operation(),
        result: StepResult::Skipped,
        sentence: "the process is stopping".to_owned(),
    };
    Outcome { steps: actions.iter().map(skip).collect() }
}

/// Without a memory of it nothing is written: the next start would be bolder than it may.
fn hold_unremembered(pass: &mut Pass, error: &MemoryError) {
    let sentence = format!("what is about to be written could not be remembered: {error}");
    pass.decision.hold_all(Reason::Unknown, &sentence);
}
