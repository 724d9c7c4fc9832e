//! What is remembered, as a pass asks for it, and who keeps it.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::Freeze;
use crate::model::decision::StepResult;
use crate::model::fact::{Fact, Why};
use crate::model::goal::{Goal, Mode};
use crate::model::ids::{AccountId, ResourceId, Scope, VariantId};
use crate::model::keeper::Keeper;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::observe::Sweep;
use crate::ports::{Keep, Memories, Memory, MemoryError, Subject};

use super::{PassInput, Purpose, Reconciler, Settings};
use crate::variant::Turn;

impl Reconciler {
    /// The pauses of more than one variant, or why they are not known.
    pub(super) async fn load_pauses(&mut self) -> Result<(), Why> {
        match self.memory.pauses().await {
            Ok(pauses) => self.pauses = pauses,
            Err(error) => {
                let why = Why::from(error);
                self.memory_health.not_read(&why);
                return Err(why);
            }
        }
        Ok(())
    }

    /// The variants of this account and region of which something is remembered.
    pub(super) async fn remembered(&mut self) -> Vec<VariantId> {
        let known = remembered_in(&*self.memory, &self.aws.scope).await;
        known.unwrap_or_else(|why| {
            self.memory_health.not_read(&why);
            Vec::new()
        })
    }

    /// The variants that were known before and that this sweep may not have seen: half a view must
    /// not make variants vanish. After a restart nothing but the memory knows of them.
    pub(super) async fn unseen(&mut self, sweep: &Sweep) -> BTreeSet<ResourceId> {
        if sweep.endpoints.known().is_some() && sweep.targets.known().is_some() {
            self.listed = true;
            return BTreeSet::new();
        }
        let mut unseen: BTreeSet<ResourceId> =
            self.variants.keys().map(VariantId::resource).collect();
        if !self.listed {
            let here = self.remembered().await.into_iter();
            unseen.extend(here.map(|id| id.resource()));
        }
        unseen
    }

    /// What is remembered of these variants, or why it is not known.
    pub(super) async fn load_memory(
        &mut self,
        sweep: &Sweep,
        wanted: &[(VariantId, Result<Goal, String>)],
        settings: &Settings,
        pauses: Result<(), Why>,
    ) -> Memories {
        let subject = |(id, goal): &(VariantId, Result<Goal, String>)| {
            let endpoint = self.cache.endpoint(&id.endpoint);
            let endpoint = endpoint.known().and_then(Option::as_ref);
            let shadow = endpoint.is_some_and(|e| e.shadow_variants.contains(&id.variant));
            let untouchable = match goal {
                Ok(_) if shadow => Some("it is a shadow variant"),
                Ok(goal) => untouchable(id, goal, &sweep.caller, settings),
                Err(_) => Some("two targets of the configuration claim it"),
            };
            let target = sweep.target(&id.resource());
            Subject { id: id.clone(), target, untouchable }
        };
        let subjects: Vec<Subject> = wanted.iter().map(subject).collect();
        self.load(&subjects, false, pauses).await
    }

    async fn load(
        &mut self,
        subjects: &[Subject],
        fresh: bool,
        pauses: Result<(), Why>,
    ) -> Memories {
        let mut memories = self.memory.load(subjects, fresh).await;
        self.memory_health.loaded(subjects, &memories);
        for (id, memory) in &mut memories {
            if let Fact::Known(memory) = memory {
                self.note_keeper(id, memory);
            }
        }
        self.memory_read = Some(Read::new("load", self.clock.now()));
        if let Err(why) = pauses {
            // Without the pauses nobody knows what may be written.
            for memory in memories.values_mut() {
                *memory = Fact::Unknown(why.clone());
            }
        }
        memories
    }

    /// Looks whether another process keeps the same memory while this one does (rule 26).
    fn note_keeper(&mut self, id: &VariantId, memory: &mut VariantMemory) {
        let variant = self.variants.entry(id.clone()).or_default();
        if variant.keepers.note_read(memory, &self.identity) {
            self.signs.insert(id.clone());
        }
    }

    /// Signs what is about to be kept. A command is no process that goes on writing.
    pub(super) fn sign(&self, input: &PassInput<'_>, now: Timestamp) -> Option<Keeper> {
        let goes_on = matches!(input.purpose, Purpose::Reconcile(_));
        goes_on.then(|| Keeper { id: self.identity.to_string(), at: now })
    }

    /// Takes note of what was kept: seeing it again is no sign of anybody.
    pub(super) fn note_kept(&mut self, kept: &[Keep], failed: &BTreeMap<VariantId, MemoryError>) {
        for Keep { subject, memory, .. } in kept {
            if !failed.contains_key(&subject.id)
                && let Some(variant) = self.variants.get_mut(&subject.id)
            {
                variant.keepers.note_kept(memory);
                self.signs.remove(&subject.id);
            }
        }
    }

    /// The same, read again, of variants that are about to be written.
    pub(super) async fn reload_memory(
        &mut self,
        planned: &[&mut Turn],
        settings: &Settings,
    ) -> Memories {
        let subjects: Vec<Subject> =
            planned.iter().map(|turn| subject(&turn.snapshot, &turn.goal, settings)).collect();
        let pauses = self.load_pauses().await;
        self.load(&subjects, true, pauses).await
    }
}

/// The variants of an account and region of which something is remembered, or why that is not known.
pub(super) async fn remembered_in(
    memory: &dyn Memory,
    scope: &Scope,
) -> Result<Vec<VariantId>, Why> {
    let all = memory.remembered().await?;
    Ok(all.into_iter().filter(|id| id.scope() == *scope).collect())
}

/// A variant as a memory must know it.
pub fn subject(snapshot: &Snapshot, goal: &Goal, settings: &Settings) -> Subject {
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let shadow = endpoint.is_some_and(|e| e.shadow_variants.contains(&snapshot.id.variant));
    Subject {
        id: snapshot.id.clone(),
        target: snapshot.target.clone(),
        untouchable: if shadow {
            Some("it is a shadow variant")
        } else {
            untouchable(&snapshot.id, goal, &snapshot.caller, settings)
        },
    }
}

/// Why nothing at all may be written of a variant. The guards of `decide` say the same of each
/// field, at greater length; this is for a memory that is kept in AWS.
fn untouchable(
    id: &VariantId,
    goal: &Goal,
    caller: &Fact<AccountId>,
    settings: &Settings,
) -> Option<&'static str> {
    let own_account = super::allowed_account(settings, &id.scope())
        .is_some_and(|allowed| caller.known() == Some(&allowed) && allowed == id.account_id);
    if !goal.managed {
        Some("the configuration does not list it")
    } else if goal.mode == Mode::Observe {
        Some("its mode is observe")
    } else if !own_account {
        Some("the credentials are not known to be of the configured account_id")
    } else if !settings.enabled {
        Some("reconcile.enabled is false")
    } else {
        None
    }
}

/// After a pass: what was not written because of a freeze window or a stop is no time for the tags
/// of it either; nor is the time while a person is being asked.
pub(super) fn subject_after(turn: &Turn, input: &PassInput<'_>, waits: bool) -> Subject {
    let mut subject = subject(&turn.snapshot, &turn.goal, input.settings);
    let steps = turn.outcome().into_iter().flat_map(|outcome| &outcome.steps);
    let wrote = steps.clone().any(|step| step.result != StepResult::Skipped);
    if !wrote && subject.untouchable.is_none() {
        let freeze: Option<&Freeze> = input.freeze;
        subject.untouchable = if input.stop.load(std::sync::atomic::Ordering::Relaxed) {
            Some("no further write begins")
        } else if waits {
            Some("the plan waits for a person's answer")
        } else {
            freeze.map(|_| "a freeze window is open")
        };
    }
    subject
}
