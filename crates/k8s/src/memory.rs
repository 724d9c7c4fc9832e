//! What must be remembered, in `ConfigMap`s: one key for each variant.
//!
//! A key is `variant.ACCOUNT.REGION.ENDPOINT.VARIANT` (no part has a dot), its value the JSON of
//! `{"version": 1, "checksum": "…", "memory": ...}`; the pauses of more than one variant are below
//! `pauses`, and what CloudWatch has been asked for is below `spending`, in the same form. What cannot be read is
//! moved below `set-aside.KEY` when something is next saved. Other keys are somebody else's and stay as they are.
//!
//! One object holds 1 MiB. From three quarters of it on, further ones follow (docs/decisions/memory-in-parts.md). Of all of
//! them the process holds what they say, and reads again only those whose versions say that they have changed.

mod data;
mod objects;
mod part;
mod room;
mod save;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex};

use async_trait::async_trait;
use tokio::sync::Mutex;

use self::objects::Objects;
pub use self::objects::{PARTS_MAX, part_name};
use self::part::Part;
use self::save::{Change, What};
use super::connect::Cluster;
use setpoint_core::model::ids::VariantId;
use setpoint_core::model::memory::VariantMemory;
use setpoint_core::model::pauses::Pauses;
use setpoint_core::model::shared::Shared;
use setpoint_core::model::spending::Spending;
use setpoint_core::ports::{
    Keep, Leadership, Memories, Memory, MemoryError, SetAside, Subject, memories_of,
};

/// Remembers in `ConfigMap`s, which need not exist yet.
#[derive(Clone)]
pub struct ConfigMapMemory {
    objects: Objects,
    // One writer at a time within the process: accounts remember side by side, and would use up
    // each other's attempts.
    writing: Arc<Mutex<()>>,
    known: Arc<StdMutex<Known>>,
    /// The term of leadership, and the last one in which all parts were looked at that there may be.
    term: Arc<AtomicU64>,
    looked_in: Arc<AtomicU64>,
    /// Whether it has been said that the role does not allow further parts.
    warned: Arc<AtomicBool>,
}

/// What this process knows of the objects.
struct Known {
    /// Each as last read or written; absent when it never was.
    parts: Vec<Option<Arc<Part>>>,
    /// How many there have been. One that was deleted since is empty.
    used: usize,
    /// The part that each of these variants was sent to without a certain answer.
    sent: BTreeMap<VariantId, usize>,
    set_aside: SetAside,
}

impl ConfigMapMemory {
    /// Remembers in the `ConfigMap` of this name, and in those that follow it ([`part_name`]).
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        let known = Known {
            parts: vec![None; PARTS_MAX],
            used: 0,
            sent: BTreeMap::new(),
            set_aside: SetAside::default(),
        };
        Self {
            objects: Objects::new(cluster, name),
            writing: Arc::default(),
            known: Arc::new(StdMutex::new(known)),
            term: Arc::new(AtomicU64::new(1)),
            looked_in: Arc::default(),
            warned: Arc::default(),
        }
    }

    /// Puts one record there.
    async fn put_one(&self, what: What) -> Result<(), MemoryError> {
        let change = Change::new(what).map_err(|why| self.objects.error(0, why))?;
        self.put(&[change], None).await.into_values().next().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Memory for ConfigMapMemory {
    /// Always as fresh as asked for: what is held is looked at again.
    async fn load(&self, of: &[Subject], _fresh: bool) -> Memories {
        let found = self.view().await.map(|view| {
            let one = |id: &VariantId| Some((id.clone(), view.memory_of(id)?));
            of.iter().filter_map(|subject| one(&subject.id)).collect()
        });
        memories_of(of, found)
    }

    async fn save(
        &self,
        all: &[Keep],
        leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        let mut failed = BTreeMap::new();
        let mut changes = Vec::with_capacity(all.len());
        for Keep { subject: Subject { id, .. }, memory, .. } in all {
            // The others are not to suffer for one that cannot be kept.
            match Change::new(What::Variant(id.clone(), kept(memory))) {
                Ok(change) => changes.push(change),
                Err(why) => {
                    failed.insert(id.clone(), self.objects.error(0, why));
                }
            }
        }
        for (index, error) in self.put(&changes, Some(leadership)).await {
            failed.extend(changes[index].id().map(|id| (id.clone(), error)));
        }
        failed
    }

    fn begin_term(&self) {
        self.term.fetch_add(1, Ordering::AcqRel);
    }

    fn set_aside(&self) -> SetAside {
        self.known().set_aside.clone()
    }

    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError> {
        // A value that cannot be read is one of a variant all the same.
        Ok(self.view().await?.variants())
    }

    async fn pauses(&self) -> Result<Pauses, MemoryError> {
        Ok(self.first().await?.pauses_in_force())
    }

    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError> {
        self.put_one(What::Pauses(pauses.clone())).await
    }

    async fn spending(&self) -> Result<Spending, MemoryError> {
        Ok(self.first().await?.spending.clone())
    }

    async fn save_spending(&self, spending: &Spending) -> Result<(), MemoryError> {
        self.put_one(What::Spending(spending.clone())).await
    }

    fn keeps_spending(&self) -> bool {
        true
    }

    fn survives_restart(&self) -> bool {
        true
    }
}

/// As much of a memory as is kept: it reads back like this, and is held once with what is published.
fn kept(memory: &Shared<VariantMemory>) -> Shared<VariantMemory> {
    let mut memory = memory.clone();
    if memory.volatile.is_some() {
        memory.volatile = None;
    }
    memory
}
