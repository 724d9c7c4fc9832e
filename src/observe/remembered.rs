//! What is remembered of the variants of one account and region, as a pass asks for it and keeps it,
//! and who keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::health::MemoryHealth;
use super::settings::Settings;
use crate::decide::write_permission::untouchable;
use crate::model::endpoint::Endpoint;
use crate::model::fact::{Fact, Why};
use crate::model::goal::Goal;
use crate::model::ids::{AccountId, Scope, VariantId};
use crate::model::keeper::MemoryWriter;
use crate::model::pauses::Pauses;
use crate::model::reads::Read;
use crate::model::scaling::ScalableTarget;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::status::MemoryStatus;
use crate::model::time::Timestamp;
use crate::ports::{Clock, Keep, Leadership, Memories, Memory, MemoryError, Subject};
use crate::variant::Variant;

/// What is kept of each variant between passes.
type Variants = BTreeMap<VariantId, Box<Variant>>;

/// The memory, as one account and region uses it.
pub struct Remembered {
    memory: Arc<dyn Memory>,
    clock: Arc<dyn Clock>,
    /// Names this process and term in what it keeps (rule 26).
    identity: Arc<str>,
    /// Pauses of more than one variant, as last read.
    pub pauses: Pauses,
    /// When what is remembered was last read.
    read: Option<Read>,
    /// Whether it can be read and saved.
    health: MemoryHealth,
    /// The variants of which a sign of another process is not remembered yet.
    signs: BTreeSet<VariantId>,
}

impl Remembered {
    /// Nothing has been read of it yet.
    pub fn new(memory: Arc<dyn Memory>, clock: Arc<dyn Clock>, identity: Arc<str>) -> Self {
        Self {
            memory,
            clock,
            identity,
            pauses: Pauses::default(),
            read: None,
            health: MemoryHealth::default(),
            signs: BTreeSet::new(),
        }
    }

    /// A pass begins: reads the pauses of more than one variant.
    pub async fn begin_pass(&mut self) -> Result<(), Why> {
        self.health.begin_pass();
        self.load_pauses().await
    }

    /// The pass has ended: whether the memory could be read and saved.
    pub fn end_pass(&mut self, now: Timestamp) -> MemoryStatus {
        self.health.end_pass(now)
    }

    /// When it was last read.
    pub const fn read(&self) -> Option<Read> {
        self.read
    }

    async fn load_pauses(&mut self) -> Result<(), Why> {
        match self.memory.pauses().await {
            Ok(pauses) => self.pauses = pauses,
            Err(error) => {
                let why = Why::from(error);
                self.health.not_read(&why);
                return Err(why);
            }
        }
        Ok(())
    }

    /// The variants of an account and region of which something is remembered.
    pub async fn variants_of(&mut self, scope: &Scope) -> Vec<VariantId> {
        let known = remembered_in(&*self.memory, scope).await;
        known.unwrap_or_else(|why| {
            self.health.not_read(&why);
            Vec::new()
        })
    }

    /// Reads what is remembered of these variants; `fresh` is right before a write.
    pub async fn load(
        &mut self,
        subjects: &[Subject],
        fresh: bool,
        pauses: Result<(), Why>,
        variants: &mut Variants,
    ) -> Memories {
        let mut memories = self.memory.load(subjects, fresh).await;
        self.health.loaded(subjects, &memories);
        for (id, memory) in &mut memories {
            if let Fact::Known(memory) = memory {
                let variant = variants.entry(id.clone()).or_default();
                if variant.keepers.note_read(memory, &self.identity) {
                    self.signs.insert(id.clone());
                }
            }
        }
        self.read = Some(Read::new("load", self.clock.now()));
        if let Err(why) = pauses {
            // Without the pauses nobody knows what may be written.
            for memory in memories.values_mut() {
                *memory = Fact::Unknown(why.clone());
            }
        }
        memories
    }

    /// The same, read again, of variants that are about to be written.
    pub async fn load_again(&mut self, of: &[Subject], variants: &mut Variants) -> Memories {
        let pauses = self.load_pauses().await;
        self.load(of, true, pauses, variants).await
    }

    /// Signs what is about to be kept (rule 26).
    pub fn sign(&self, now: Timestamp) -> MemoryWriter {
        MemoryWriter { id: self.identity.to_string(), at: now }
    }

    /// Whether something of a variant is to be kept whatever the pass has taught: it was not kept
    /// before, or a sign of another setpoint is for it to see as well.
    pub fn is_owed(&self, id: &VariantId) -> bool {
        self.is_sign(id) || self.memory.is_behind(id)
    }

    /// Whether a sign of another process was seen, which is not kept yet.
    pub fn is_sign(&self, id: &VariantId) -> bool {
        self.signs.contains(id)
    }

    /// Keeps these; what could not be kept, and why.
    pub async fn save(
        &mut self,
        keep: &[Keep],
        leadership: &dyn Leadership,
        variants: &mut Variants,
    ) -> BTreeMap<VariantId, MemoryError> {
        let failed = self.memory.save(keep, leadership).await;
        self.health.saved(failed.values());
        for Keep { subject, memory, .. } in keep {
            if !failed.contains_key(&subject.id)
                && let Some(variant) = variants.get_mut(&subject.id)
            {
                variant.keepers.note_kept(memory);
                self.signs.remove(&subject.id);
            }
        }
        failed
    }
}

/// The variants of an account and region of which something is remembered.
pub async fn remembered_in(memory: &dyn Memory, scope: &Scope) -> Result<Vec<VariantId>, Why> {
    let all = memory.remembered().await?;
    Ok(all.into_iter().filter(|id| id.scope() == *scope).collect())
}

/// A variant as a memory must know it.
pub fn subject(snapshot: &Snapshot, goal: &Goal, settings: &Settings) -> Subject {
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    let of = (endpoint, snapshot.target.clone());
    subject_of(&snapshot.id, of, Ok(goal), &snapshot.caller, settings)
}

/// The same of a variant that is being read.
pub(super) fn subject_of(
    id: &VariantId,
    (endpoint, target): (Option<&Endpoint>, Shared<Fact<Option<ScalableTarget>>>),
    goal: Result<&Goal, &String>,
    caller: &Fact<AccountId>,
    settings: &Settings,
) -> Subject {
    let shadow = endpoint.is_some_and(|e| e.shadow_variants.contains(&id.variant));
    let untouchable = match goal {
        _ if shadow => Some("it is a shadow variant".to_owned()),
        Err(claimed_twice) => Some(claimed_twice.clone()),
        Ok(goal) => {
            let allowed = settings.allowed_account(&id.scope());
            let account = (caller, allowed.as_ref(), &id.account_id);
            untouchable(goal, account, settings.enabled)
        }
    };
    Subject { id: id.clone(), target, untouchable }
}
