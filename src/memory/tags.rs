//! What must be remembered, in tags of the scalable target: it needs no place of its own, and every
//! process that may write finds it (`docs/decisions/memory-in-tags.md`).
//!
//! Tags are read once, and again before a write; in between the process knows. They are written
//! when something has changed that safety needs, and only of variants that may be written to. All
//! else is kept in the process, as by [`super::ProcessMemory`]. What cannot be read for a while is
//! set aside, in tags of its own, with the next write.

mod damage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::{StreamExt, stream};

use super::changes::{Change, change};
use super::codec::{Found, encode, kept};
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::{Scope, VariantId};
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::model::record::end_stand_in;
use crate::model::scaling::ScalableTarget;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::ports::{
    Aws, Clock, Keep, Leadership, Memories, Memory, MemoryError, PortResult, SetAside, Subject,
    TagTarget, whole,
};
use damage::{Damage, Tagged};

/// Calls under way at once; the budget of the region spaces them.
const READS_AT_ONCE: usize = 8;
/// Writes of one save that go with no write of a policy or target: the first pass over a large
/// fleet must not spend the write budget on tags alone.
const UNHURRIED_MAX: usize = 20;
/// What changes all the time is written at most so often. Less than the hour of minutes that a
/// pass looks at, so that a watch (rule 21) that is taken up again misses none.
const PROGRESS_EVERY: TimeDelta = TimeDelta::minutes(30);
/// Tags that do not show what was written so recently are taken to be late, not gone.
const LATE: TimeDelta = TimeDelta::minutes(5);

/// Remembers in the tags of scalable targets, of any number of accounts and regions.
pub struct TagMemory {
    scopes: BTreeMap<Scope, Aws>,
    clock: Arc<dyn Clock>,
    known: Mutex<BTreeMap<VariantId, TagRecord>>,
    /// The pauses of more than one variant, which have no tags to go to.
    pauses: Mutex<Pauses>,
}

/// What the process knows of a variant.
#[derive(Debug, Default)]
struct TagRecord {
    /// The target whose tags hold it; absent while the process alone does.
    arn: Option<String>,
    /// Whether the tags have been read and no write of them is in doubt.
    read: bool,
    /// What the tags are known to hold.
    tagged: Option<VariantMemory>,
    /// The generation in the tags; 0 when they hold nothing.
    generation: u64,
    /// When this process first read them.
    read_at: Option<Timestamp>,
    /// When this process last wrote them.
    tagged_at: Option<Timestamp>,
    /// The newest.
    memory: VariantMemory,
    /// What is found in the tags and cannot be read.
    damage: Option<Damage>,
    /// Whether the tags hold something that was set aside.
    aside: bool,
}

impl TagRecord {
    fn has_read(&self, arn: &str) -> bool {
        self.read && self.arn.as_deref() == Some(arn)
    }

    /// Takes over what was found in the tags of a target.
    fn take_over(&mut self, arn: &str, found: Option<Found>, now: Timestamp) {
        let same = self.arn.as_deref() == Some(arn);
        let late = self.tagged_at.is_some_and(|at| now - at < LATE);
        match found {
            // Nobody else has written since: the process knows at least as much.
            Some(found) if same && found.generation <= self.generation => {}
            None if same && late => {}
            Some(Found { generation, memory }) => {
                // A person's pause that had no tags to go to until now.
                let pause = if self.arn.is_none() { self.memory.pause.take() } else { None };
                self.memory =
                    VariantMemory { pause: pause.or(memory.pause.clone()), ..memory.clone() };
                self.tagged = Some(memory);
                self.generation = generation;
            }
            None => {
                self.memory = reset(std::mem::take(&mut self.memory));
                self.tagged = None;
                self.generation = 0;
            }
        }
        if !same {
            self.read_at = Some(now);
            self.tagged_at = None;
        }
        self.arn = Some(arn.to_owned());
        self.read = true;
    }

    /// Takes note of tags that cannot be read; the error says so until they are set aside.
    fn find_damage(
        &mut self,
        arn: &str,
        found: Damage,
        now: Timestamp,
    ) -> Result<Option<Found>, Why> {
        let damage = found.again(self.damage.take());
        let (lasts, why) = (damage.lasts(now, LATE), damage.why(arn, LATE));
        let known_here = self.arn.as_deref() == Some(arn) && self.tagged.is_some();
        self.damage = Some(damage);
        if !lasts {
            return Err(Why::new(WhyKind::Garbage, why));
        }
        if known_here {
            self.memory = reset(std::mem::take(&mut self.memory));
            self.tagged = None;
        } else if self.arn.as_deref() != Some(arn) {
            let memory = reset(std::mem::take(&mut self.memory));
            let pause = memory.pause.clone().or(damage::rest().pause);
            self.memory = VariantMemory { pause, ..memory };
        }
        self.generation = 0;
        Ok(None)
    }

    /// The target is gone, and its tags with it.
    fn lose_target(&mut self) {
        if self.arn.is_some() {
            let memory = reset(std::mem::take(&mut self.memory));
            *self = Self { memory, ..Self::default() };
        }
    }

    fn change(&self) -> Change {
        change(self.tagged.as_ref(), &self.memory)
    }
}

/// What is left when the past is in doubt: all that holds writes back, nothing that allows them.
fn reset(memory: VariantMemory) -> VariantMemory {
    VariantMemory {
        since: None,
        adopted: false,
        highest_applied: None,
        last_applied: None,
        applied_factor: None,
        lowering: None,
        known_config: None,
        intent: None,
        ..memory
    }
}

impl TagMemory {
    /// Remembers in the tags of these accounts and regions.
    pub fn new(scopes: impl IntoIterator<Item = Aws>, clock: Arc<dyn Clock>) -> Self {
        let scopes = scopes.into_iter().map(|aws| (aws.scope.clone(), aws)).collect();
        Self { scopes, clock, known: Mutex::default(), pauses: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<VariantId, TagRecord>> {
        // Nothing is done under the lock that could leave half a record.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &VariantId, f: impl FnOnce(&mut TagRecord) -> T) -> T {
        f(self.known().entry(id.clone()).or_default())
    }

    fn aws(&self, id: &VariantId) -> Result<&Aws, Why> {
        self.scopes
            .get(&id.scope())
            .ok_or_else(|| Why::new(WhyKind::NotAsked, format!("no connection to {}", id.scope())))
    }

    /// What the tags hold; nothing if it has been damaged for so long that it is set aside.
    async fn read(&self, id: &VariantId, arn: &str) -> Result<Option<Found>, Why> {
        let tags = self.aws(id)?.scaling.tags(arn).await.map_err(Why::from)?;
        let Tagged { found, aside } = Tagged::of(id, &tags);
        let now = self.clock.now();
        self.with(id, |known| {
            known.aside = aside;
            match found {
                Ok(mut found) => {
                    known.damage = None;
                    // Tags that this process has just written may not be shown yet.
                    let late = known.tagged_at.is_some_and(|at| now - at < LATE);
                    if !aside && !late {
                        end_stand_in(&mut known.memory);
                        if let Some(found) = &mut found {
                            end_stand_in(&mut found.memory);
                        }
                    }
                    Ok(found)
                }
                Err(why) => known.find_damage(arn, Damage::new(&tags, now, why), now),
            }
        })
    }

    async fn recall(&self, subject: &Subject, fresh: bool) -> Fact<VariantMemory> {
        let id = &subject.id;
        if subject.untouchable.is_some() {
            return Fact::Known(self.with(id, |known| known.memory.clone()));
        }
        let arn = match &*subject.target {
            Fact::Known(target) => target.as_ref().and_then(|target| target.arn.clone()),
            Fact::Unknown(why) => match self.with(id, |known| known.arn.clone()) {
                Some(arn) => Some(arn),
                None => return Fact::Unknown(why.clone()),
            },
        };
        let Some(arn) = arn else {
            let volatile = self.why_volatile(subject);
            return Fact::Known(self.with(id, |known| {
                known.lose_target();
                VariantMemory { volatile, ..known.memory.clone() }
            }));
        };
        if fresh || !self.with(id, |known| known.has_read(&arn)) {
            match self.read(id, &arn).await {
                Ok(found) => {
                    let now = self.clock.now();
                    self.with(id, |known| known.take_over(&arn, found, now));
                }
                Err(why) => {
                    self.with(id, |known| known.read = false);
                    return Fact::Unknown(why);
                }
            }
        }
        Fact::Known(self.with(id, |known| known.memory.clone()))
    }

    /// The ARN to tag. What was registered since the target was read has one by now.
    async fn arn(&self, keep: &Keep) -> Result<Option<String>, Why> {
        let id = &keep.subject.id;
        match &*keep.subject.target {
            Fact::Known(Some(target)) => Ok(target.arn.clone()),
            Fact::Known(None) if keep.urgent => {
                Ok(find_target(self.aws(id)?, id).await.map_err(Why::from)?.and_then(|t| t.arn))
            }
            Fact::Known(None) => Ok(None),
            Fact::Unknown(why) => {
                self.with(id, |known| known.arn.clone()).map(Some).ok_or_else(|| why.clone())
            }
        }
    }

    /// Keeps one memory; `unhurried` counts the writes that could wait.
    async fn keep(
        &self,
        keep: &Keep,
        leadership: &dyn Leadership,
        unhurried: &mut usize,
    ) -> Result<(), Why> {
        let id = &keep.subject.id;
        let mut memory = VariantMemory { volatile: None, ..VariantMemory::clone(&keep.memory) };
        if keep.subject.untouchable.is_some() {
            self.with(id, |known| known.memory = memory);
            return Ok(());
        }
        let Some(arn) = self.arn(keep).await? else {
            self.with(id, |known| {
                known.lose_target();
                known.memory = memory;
            });
            return Ok(());
        };
        if !self.with(id, |known| known.has_read(&arn)) {
            self.begin_at(id, &arn, &mut memory).await?;
        }
        let now = self.clock.now();
        let (change, generation, recent) = self.with(id, |known| {
            known.memory = memory.clone();
            let last = known.tagged_at.max(known.read_at);
            let recent = last.is_some_and(|at| now - at < PROGRESS_EVERY);
            (known.change(), known.generation + 1, recent)
        });
        match change {
            Change::Nothing => return Ok(()),
            Change::Progress if recent && !keep.urgent => return Ok(()),
            _ if keep.urgent => {}
            // They stay behind, and the next pass goes on with them.
            _ if *unhurried >= UNHURRIED_MAX => return Ok(()),
            _ => *unhurried += 1,
        }
        self.write(id, arn, generation, &memory, leadership).await
    }

    /// Looks at tags that this process has not read. What is there and was not known is not
    /// overwritten; what is not there begins now.
    async fn begin_at(
        &self,
        id: &VariantId,
        arn: &str,
        memory: &mut VariantMemory,
    ) -> Result<(), Why> {
        let found = self.read(id, arn).await?;
        let now = self.clock.now();
        self.with(id, |known| {
            let before = (known.arn.clone(), known.generation);
            let empty = found.is_none();
            known.take_over(arn, found, now);
            if (known.arn.clone(), known.generation) == before {
                return Ok(());
            }
            if empty {
                memory.since = Some(now);
                return Ok(());
            }
            let why = "its tags hold what was not known when this was decided";
            Err(Why::new(WhyKind::Conflict, why))
        })
    }

    async fn write(
        &self,
        id: &VariantId,
        target_arn: String,
        generation: u64,
        memory: &VariantMemory,
        leadership: &dyn Leadership,
    ) -> Result<(), Why> {
        let invalid = |why| Why::new(WhyKind::Invalid, format!("the tags of {target_arn}: {why}"));
        let mut tags = encode(id, generation, memory).map_err(invalid)?;
        // With the same call: either both are there afterwards or neither.
        let aside = self.with(id, |known| known.damage.as_ref().map(Damage::aside));
        let sets_aside = aside.is_some();
        tags.extend(aside.unwrap_or_default());
        let writes = &self.aws(id)?.writes;
        if !leadership.may_write() {
            return Err(Why::new(WhyKind::Conflict, "leadership was lost; nothing was sent"));
        }
        // In doubt until there is an answer.
        self.with(id, |known| known.read = false);
        writes.tag_target(&TagTarget { target_arn, tags }).await.map_err(Why::from)?;
        let now = self.clock.now();
        self.with(id, |known| {
            known.read = true;
            known.tagged = Some(kept(memory));
            known.generation = generation;
            known.tagged_at = Some(now);
            known.aside |= sets_aside;
            known.damage = None;
        });
        Ok(())
    }
}

async fn find_target(aws: &Aws, id: &VariantId) -> PortResult<Option<ScalableTarget>> {
    let resource = id.resource();
    let of = std::slice::from_ref(&resource);
    let targets = whole("DescribeScalableTargets", aws.scaling.scalable_targets(Some(of)).await?)?;
    Ok(targets.into_iter().find(|target| target.resource == resource))
}

#[async_trait]
impl Memory for TagMemory {
    async fn load(&self, of: &[Subject], fresh: bool) -> Memories {
        // Owned, for a stream of borrowed ones cannot be sent to another thread.
        let recalled = stream::iter(of.to_vec()).map(|subject| async move {
            let memory = self.recall(&subject, fresh).await.map(Shared::from);
            (subject.id, memory)
        });
        recalled.buffer_unordered(READS_AT_ONCE).collect().await
    }

    async fn save(
        &self,
        all: &[Keep],
        leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        let mut failed = BTreeMap::new();
        let mut unhurried = 0;
        // One after the other, as all writes.
        for keep in all {
            if let Err(why) = self.keep(keep, leadership, &mut unhurried).await {
                let id = keep.subject.id.clone();
                let location = format!("in tags of {}", id.resource());
                failed.insert(id, MemoryError { location, message: why.message });
            }
        }
        failed
    }

    /// Tags are in AWS: of those that this process has not seen nobody can tell without it.
    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError> {
        Ok(self.known().keys().cloned().collect())
    }

    fn is_behind(&self, id: &VariantId) -> bool {
        let known = self.known();
        known.get(id).is_some_and(|known| known.arn.is_some() && known.change() != Change::Nothing)
    }

    fn set_aside(&self) -> SetAside {
        let known = self.known();
        let all = known.iter().filter(|(_, known)| known.aside || known.damage.is_some());
        let all: Vec<_> = all.map(|(id, known)| (id, known.damage.as_ref())).collect();
        damage::sentence(&all)
    }

    async fn pauses(&self) -> Result<Pauses, MemoryError> {
        Ok(self.pauses.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError> {
        pauses.clone_into(&mut *self.pauses.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    fn survives_restart(&self) -> bool {
        true
    }

    /// A tag is of one target: those of more than one variant have no place there.
    fn keeps_pauses(&self) -> bool {
        false
    }

    fn begin_term(&self) {
        let mut known = self.known();
        // Others may have written the tags; what no tag holds, nobody else can know.
        known.retain(|_, known| known.arn.is_none());
        for known in known.values_mut() {
            known.memory = reset(std::mem::take(&mut known.memory));
        }
    }

    fn why_volatile(&self, subject: &Subject) -> Option<String> {
        if let Some(why) = &subject.untouchable {
            return Some(why.clone());
        }
        match &*subject.target {
            Fact::Known(None) => Some("there is no scalable target to tag".to_owned()),
            Fact::Known(Some(target)) if target.arn.is_none() => Some(
                "the scalable target was registered before targets had ARNs, and cannot be tagged"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
