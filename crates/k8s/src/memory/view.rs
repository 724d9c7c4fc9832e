//! Looking at all parts: what they are remembered to hold, unless their versions say that they have changed.
//!
//! A record moves to a higher part only, and is there before it goes from the lower one. So whoever looks at one
//! part after the other, upwards, sees each record; whoever looks at several at once and finds none of them
//! changed sees what the last look saw. When one has changed, they are looked at once more, upwards.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError};

use futures::StreamExt;
use futures::stream;
use setpoint_core::model::ids::VariantId;
use setpoint_core::model::memory::VariantMemory;
use setpoint_core::model::record::{end_stand_in, stands_in};
use setpoint_core::model::shared::Shared;
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::MemoryError;

use super::data;
use super::objects::{Failures, PARTS_MAX, Trouble};
use super::part::{Damaged, Entry, Part, reported};
use super::{ConfigMapMemory, Known};

/// How many parts are asked for at once. Each that has changed takes a few MiB while it is taken apart.
const AT_ONCE: usize = 4;

type Looked = Result<Arc<Part>, Trouble>;

/// The parts as one look saw them, from the first to the last that exists.
pub(super) struct View {
    parts: Vec<Seen>,
}

pub(super) struct Seen {
    pub(super) part: Arc<Part>,
    /// Why this is what was known before, when it cannot be read now.
    pub(super) stale: Option<MemoryError>,
}

/// Which of several copies counts: one that waits for a person, for it may have been a pause, then the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    waits: bool,
    kept_at: Option<Timestamp>,
}

impl Rank {
    pub(super) fn of(memory: &VariantMemory, id: &VariantId, damaged: &[Damaged]) -> Self {
        let is_damaged = damaged.iter().any(|damaged| damaged.id.as_ref() == Some(id));
        let waits = is_damaged || memory.pause.as_ref().is_some_and(stands_in);
        Self { waits, kept_at: memory.keeper.as_ref().map(|keeper| keeper.at) }
    }
}

impl View {
    /// The first part alone, for what is always there.
    pub(super) fn of_first(part: Arc<Part>) -> Self {
        Self { parts: vec![Seen { part, stale: None }] }
    }

    pub(super) fn at(&self, index: usize) -> Option<&Seen> {
        self.parts.get(index)
    }

    /// How many parts there are, to the last that exists or is spoken of.
    pub(super) const fn len(&self) -> usize {
        self.parts.len()
    }

    /// Puts in what a part is now.
    pub(super) fn set(&mut self, index: usize, part: Arc<Part>) {
        while self.parts.len() <= index {
            self.parts.push(Seen { part: Arc::default(), stale: None });
        }
        self.parts[index] = Seen { part, stale: None };
    }

    /// How many parts there may be, by what the first one says.
    pub(super) fn told(&self) -> usize {
        self.parts.first().map_or(0, |first| first.part.told)
    }

    /// Where a variant is remembered: of several copies the one that was kept last, by the process that signed it;
    /// without such a sign the higher one.
    pub(super) fn find(&self, id: &VariantId) -> Option<(usize, &Entry)> {
        let parts = self.parts.iter().enumerate();
        let copies =
            parts.filter_map(|(index, seen)| Some((index, seen, seen.part.variants.get(id)?)));
        let newest =
            copies.max_by_key(|(_, seen, entry)| Rank::of(&entry.memory, id, &seen.part.damaged));
        newest.map(|(index, _, entry)| (index, entry))
    }

    /// Whether another part, which can be read, has a newer copy of a variant than the one of this rank in this part.
    pub(super) fn has_newer(&self, (index, own): (usize, Rank), id: &VariantId) -> bool {
        self.parts.iter().enumerate().any(|(at, seen)| {
            let copy =
                || Some(Rank::of(&seen.part.variants.get(id)?.memory, id, &seen.part.damaged));
            at != index
                && seen.stale.is_none()
                && copy().is_some_and(|rank| (rank, at) > (own, index))
        })
    }

    /// What is remembered of a variant. Where a person has removed what was set aside, what stood in for a pause
    /// that could not be read ends.
    pub(super) fn memory_of(&self, id: &VariantId) -> Option<Shared<VariantMemory>> {
        let mut memory = self.find(id)?.1.memory.clone();
        if memory.pause.as_ref().is_some_and(stands_in) {
            let key = data::key(id);
            // It stays where it was set aside when its variant moves.
            if !self.parts.iter().any(|seen| seen.part.waits_for(&key)) {
                end_stand_in(&mut memory);
            }
        }
        Some(memory)
    }

    /// All variants of which something is remembered.
    pub(super) fn variants(&self) -> BTreeSet<VariantId> {
        self.parts.iter().flat_map(|seen| seen.part.variants.keys().cloned()).collect()
    }

    /// Why a part cannot be read, if one cannot.
    pub(super) fn first_unreadable(&self) -> Option<MemoryError> {
        self.parts.iter().find_map(|seen| seen.stale.clone())
    }

    /// How many variants are remembered, and in how many bytes of how many objects.
    pub(super) fn extent(&self) -> (usize, usize, usize) {
        let parts = || self.parts.iter().map(|seen| &seen.part).filter(|part| part.exists());
        let variants = parts().map(|part| part.variants.len()).sum();
        (variants, parts().map(|part| part.bytes).sum(), parts().count())
    }
}

impl ConfigMapMemory {
    /// The first part, which alone has what is of no single variant.
    pub(super) async fn first(&self) -> Result<Arc<Part>, MemoryError> {
        let before = self.known().parts.first().cloned().flatten();
        let looked = self.look(0, before.clone()).await;
        self.take_note(std::slice::from_ref(&looked), &[before]);
        looked.map_err(|trouble| trouble.error().clone())
    }

    /// All parts as they are now.
    ///
    /// # Errors
    /// When one of them cannot be read: what it holds is not known then.
    pub(super) async fn view(&self) -> Result<View, MemoryError> {
        self.view_with(|_| None).await
    }

    /// The same for a save, which goes on with what was known of a part that cannot be read now.
    pub(super) async fn view_to_save(&self) -> Result<View, MemoryError> {
        let before = self.known().parts.clone();
        self.view_with(|index| before.get(index).cloned().flatten()).await
    }

    async fn view_with(
        &self,
        instead: impl Fn(usize) -> Option<Arc<Part>> + Send,
    ) -> Result<View, MemoryError> {
        // In a new term another process may have made parts that this one has not heard of.
        let term = self.term.load(Ordering::Acquire);
        let everything = self.looked_in.load(Ordering::Acquire) != term;
        let (before, used) = {
            let known = self.known();
            (known.parts.clone(), known.used.max(1))
        };
        let count = if everything { PARTS_MAX } else { used };
        let mut seen = self.look_at_once(0, count, &before).await;
        let end = |seen: &[Looked]| {
            // What may exist and did not answer counts; what the role forbids and nobody speaks of does not.
            let counts = |looked: &Looked| match looked {
                Ok(part) => part.exists(),
                Err(Trouble::Forbidden(_)) => false,
                Err(_) => true,
            };
            let last = seen.iter().rposition(counts).map_or(0, |last| last + 1);
            last.max(told(seen)).max(used).min(PARTS_MAX)
        };
        if end(&seen) > seen.len() {
            seen.extend(self.look_at_once(seen.len(), end(&seen), &before).await);
        }
        let forbidden = seen.iter().skip(end(&seen)).find_map(|looked| match looked {
            Err(trouble @ Trouble::Forbidden(_)) => Some(trouble.error().clone()),
            _ => None,
        });
        seen.truncate(end(&seen));
        if seen.len() > 1 && has_changed(&seen, &before) {
            self.look_upwards(&mut seen, &before).await;
        }
        self.take_note(&seen, &before);
        if let Some(error) = forbidden {
            self.warn_of_the_role(&error);
        }
        let mut parts = Vec::with_capacity(seen.len());
        for (index, looked) in seen.into_iter().enumerate() {
            parts.push(match looked {
                Ok(part) => Seen { part, stale: None },
                Err(trouble) => {
                    let error = trouble.error().clone();
                    let part = instead(index).ok_or_else(|| error.clone())?;
                    Seen { part, stale: Some(error) }
                }
            });
        }
        if parts.iter().all(|seen| seen.stale.is_none()) {
            self.looked_in.store(term, Ordering::Release);
        }
        Ok(View { parts })
    }

    /// Several parts at a time. When there is no answer for one, or the server fails for two, the others are not asked
    /// for: each would be waited for as long.
    async fn look_at_once(
        &self,
        from: usize,
        to: usize,
        before: &[Option<Arc<Part>>],
    ) -> Vec<Looked> {
        let lost = Arc::new(OnceLock::<Trouble>::new());
        let failures = Arc::new(Failures::default());
        // Owned, for a stream of borrowed ones cannot be sent to another thread.
        let all: Vec<_> = (from..to).map(|at| (at, before.get(at).cloned().flatten())).collect();
        let looking = stream::iter(all).map(|(index, before)| {
            let (memory, lost, failures) = (self.clone(), Arc::clone(&lost), Arc::clone(&failures));
            async move {
                if let Some(trouble) = lost.get() {
                    return Err(trouble.clone());
                }
                let looked = memory.look(index, before).await;
                if let Err(trouble) = &looked
                    && failures.note(trouble)
                {
                    let _ = lost.set(trouble.clone());
                }
                looked
            }
        });
        looking.buffered(AT_ONCE).collect().await
    }

    /// One part after the other, until there is none and none is spoken of.
    async fn look_upwards(&self, seen: &mut Vec<Looked>, before: &[Option<Arc<Part>>]) {
        let failures = Failures::default();
        for index in 0..PARTS_MAX {
            let known = match seen.get(index) {
                Some(Ok(part)) => Some(Arc::clone(part)),
                _ => before.get(index).cloned().flatten(),
            };
            // Behind the last one there is nothing, as a rule.
            let known = known.or_else(|| Some(Arc::default()));
            let looked = self.look(index, known).await;
            let lost = looked.as_ref().is_err_and(|trouble| failures.note(trouble));
            if let Some(place) = seen.get_mut(index) {
                *place = looked;
                if lost {
                    return;
                }
                continue;
            }
            match &looked {
                Ok(part) if !part.exists() && index >= told(seen) => return,
                Err(Trouble::Forbidden(_)) if index >= told(seen) => return,
                _ => seen.push(looked),
            }
        }
    }

    /// A part as it is now. Only its version is asked for while that is as before.
    async fn look(&self, index: usize, before: Option<Arc<Part>>) -> Looked {
        if let Some(before) = &before {
            let version = self.objects.version(index).await?;
            if before.is(version.as_ref()) {
                return Ok(Arc::clone(before));
            }
            // A save of this process may have put it there in the meantime.
            let latest = self.known().parts.get(index).cloned().flatten();
            if let Some(latest) = latest.filter(|latest| latest.is(version.as_ref())) {
                return Ok(latest);
            }
            if version.is_none() {
                return Ok(Arc::default());
            }
        }
        let found = self.objects.get(index).await?;
        Ok(found.map_or_else(Arc::default, |map| Arc::new(Part::of(map, before.as_deref()))))
    }

    /// Keeps what was seen, but for parts of which more has become known since the look began.
    fn take_note(&self, seen: &[Looked], before: &[Option<Arc<Part>>]) {
        for (index, looked) in seen.iter().enumerate() {
            let Ok(part) = looked else { continue };
            let is_as_before = {
                let known = self.known();
                match (known.parts.get(index).and_then(Option::as_ref), before.get(index)) {
                    (Some(known), Some(Some(before))) => Arc::ptr_eq(known, before),
                    (None, _) => true,
                    _ => false,
                }
            };
            if is_as_before {
                self.remember(index, part);
            }
        }
        self.note_set_aside();
    }

    /// Keeps what a part is now.
    pub(super) fn remember(&self, index: usize, part: &Arc<Part>) {
        let mut known = self.known();
        if part.exists() {
            known.used = known.used.max(index + 1);
        }
        if let Some(place) = known.parts.get_mut(index) {
            *place = Some(Arc::clone(part));
        }
    }

    pub(super) fn note_set_aside(&self) {
        let mut known = self.known();
        let parts = known.parts.iter().enumerate();
        let parts = parts.filter_map(|(index, part)| Some((&**part.as_ref()?, index)));
        let found = reported(parts.map(|(part, index)| (part, self.objects.place(index))));
        if found.records > known.set_aside.records {
            let name = self.objects.name_of(0);
            tracing::warn!(configmap = name, records = found.records, "{}", found.sentence);
        }
        known.set_aside = found;
    }

    /// Says once that the role is one for a single object.
    fn warn_of_the_role(&self, error: &MemoryError) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                configmap = self.objects.name_of(0),
                %error,
                "the memory has room for one ConfigMap only: {}. Add them to the role",
                self.missing_permission()
            );
        }
    }

    /// What a role of one's own must allow.
    pub(super) fn missing_permission(&self) -> String {
        let (first, last) = (self.objects.name_of(1), self.objects.name_of(PARTS_MAX - 1));
        format!("the role does not allow getting and updating the ConfigMaps {first} to {last}")
    }

    pub(super) fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many parts the first one says there may be.
fn told(seen: &[Looked]) -> usize {
    seen.first().and_then(|first| first.as_ref().ok()).map_or(0, |first| first.told)
}

/// Whether one of these is not what was known of it.
fn has_changed(seen: &[Looked], before: &[Option<Arc<Part>>]) -> bool {
    seen.iter().zip(before).any(|(looked, before)| match (looked, before) {
        (Ok(part), Some(before)) => !Arc::ptr_eq(part, before),
        (Ok(part), None) => part.exists(),
        (Err(_), _) => false,
    })
}
