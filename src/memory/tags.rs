//! What must be remembered, in tags of the scalable target: it needs no place of its own, and every
//! process that may write finds it (`docs/decisions/memory-in-tags.md`).
//!
//! Tags are read once, and again before a write; in between the process knows. They are written
//! when something has changed that safety needs, and only of variants that may be written to. All
//! else is kept in the process, as by [`super::ProcessMemory`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::{StreamExt, stream};

use super::changes::{Change, change};
use super::codec::{Found, PREFIX, decode, encode, kept};
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::{Scope, VariantId};
use crate::model::memory::VariantMemory;
use crate::model::pauses::Pauses;
use crate::model::scaling::ScalableTarget;
use crate::model::time::Timestamp;
use crate::ports::{
    Aws, Clock, Keep, Leadership, Memories, Memory, MemoryError, PortResult, Subject, TagTarget,
};

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
    known: Mutex<BTreeMap<VariantId, Known>>,
    /// The pauses of more than one variant, which have no tags to go to.
    pauses: Mutex<Pauses>,
}

/// What the process knows of a variant.
#[derive(Debug, Default)]
struct Known {
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
}

impl Known {
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
                self.memory = begun_anew(std::mem::take(&mut self.memory));
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

    /// The target is gone, and its tags with it.
    fn lose_target(&mut self) {
        if self.arn.is_some() {
            let memory = begun_anew(std::mem::take(&mut self.memory));
            *self = Self { memory, ..Self::default() };
        }
    }

    fn change(&self) -> Change {
        change(self.tagged.as_ref(), &self.memory)
    }
}

/// What is left when the past is in doubt: all that holds writes back, nothing that allows them.
fn begun_anew(memory: VariantMemory) -> VariantMemory {
    VariantMemory {
        since: None,
        adopted: false,
        highest_held: None,
        last_held: None,
        lowering: None,
        known_config: None,
        intent: None,
        ..memory
    }
}

impl TagMemory {
    /// Remembers in the tags of these accounts and regions.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Aws>, clock: Arc<dyn Clock>) -> Self {
        let scopes = scopes.into_iter().map(|aws| (aws.scope.clone(), aws)).collect();
        Self { scopes, clock, known: Mutex::default(), pauses: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<VariantId, Known>> {
        // Nothing is done under the lock that could leave half a record.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &VariantId, f: impl FnOnce(&mut Known) -> T) -> T {
        f(self.known().entry(id.clone()).or_default())
    }

    fn aws(&self, id: &VariantId) -> Result<&Aws, Why> {
        self.scopes
            .get(&id.scope())
            .ok_or_else(|| Why::new(WhyKind::NotAsked, format!("no connection to {}", id.scope())))
    }

    async fn read(&self, id: &VariantId, arn: &str) -> Result<Option<Found>, Why> {
        let tags = self.aws(id)?.scaling.tags(arn).await.map_err(Why::from)?;
        decode(id, &tags).map_err(|why| {
            let undo = format!("remove its {PREFIX}* tags to begin anew");
            Why::new(WhyKind::Garbage, format!("the tags of {arn}: {why} ({undo})"))
        })
    }

    async fn recall(&self, subject: &Subject, fresh: bool) -> Fact<VariantMemory> {
        let id = &subject.id;
        if subject.untouchable.is_some() {
            return Fact::Known(self.with(id, |known| known.memory.clone()));
        }
        let arn = match &subject.target {
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
        match &keep.subject.target {
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
        let mut memory = VariantMemory { volatile: None, ..keep.memory.clone() };
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
        let tags = encode(id, generation, memory).map_err(invalid)?;
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
        });
        Ok(())
    }
}

async fn find_target(aws: &Aws, id: &VariantId) -> PortResult<Option<ScalableTarget>> {
    let resource = id.resource();
    let targets = aws.scaling.scalable_targets(Some(std::slice::from_ref(&resource))).await?;
    Ok(targets.into_iter().find(|target| target.resource == resource))
}

#[async_trait]
impl Memory for TagMemory {
    async fn load(&self, of: &[Subject], fresh: bool) -> Memories {
        // Owned, for a stream of borrowed ones cannot be sent to another thread.
        let recalled = stream::iter(of.to_vec()).map(|subject| async move {
            let memory = self.recall(&subject, fresh).await;
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

    fn is_behind(&self, id: &VariantId) -> bool {
        let known = self.known();
        known.get(id).is_some_and(|known| known.arn.is_some() && known.change() != Change::Nothing)
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
            known.memory = begun_anew(std::mem::take(&mut known.memory));
        }
    }

    fn why_volatile(&self, subject: &Subject) -> Option<String> {
        if let Some(why) = subject.untouchable {
            return Some(why.to_owned());
        }
        match &subject.target {
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
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/0a";

    fn at(minute: i64) -> Timestamp {
        chrono::DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn found(generation: u64, highest_held: f64) -> Found {
        let highest_held = Some(highest_held);
        Found { generation, memory: VariantMemory { highest_held, ..VariantMemory::default() } }
    }

    fn known() -> Known {
        let mut known = Known::default();
        known.take_over(ARN, Some(found(3, 600.0)), at(0));
        known.tagged_at = Some(at(0));
        known.memory.adopted = true;
        known.memory.since = Some(at(0));
        known
    }

    #[test]
    fn tags_that_are_late_do_not_take_back_what_is_known() {
        let mut late = known();
        for older in [found(3, 1.0), found(2, 1.0)] {
            late.take_over(ARN, Some(older), at(9));
            assert_eq!((late.memory.highest_held, late.generation), (Some(600.0), 3));
        }
        late.take_over(ARN, None, at(1));
        assert!(late.memory.adopted, "written a minute ago: not shown yet");
        late.take_over(ARN, Some(found(4, 700.0)), at(2));
        assert_eq!((late.memory.highest_held, late.generation), (Some(700.0), 4));
    }

    #[test]
    fn tags_that_are_gone_leave_only_what_holds_writes_back() {
        let pause = crate::model::goal::Pause { until: at(99), reason: "a test".into() };
        let forgetting: [fn(&mut Known); 3] = [
            |known| known.take_over(ARN, None, at(10)),
            |known| known.take_over("another target's", None, at(1)),
            Known::lose_target,
        ];
        for forget in forgetting {
            let mut known = known();
            known.memory.pause = Some(pause.clone());
            known.memory.raises_held_until = Some(at(50));
            forget(&mut known);
            let VariantMemory { since, adopted, highest_held, .. } = known.memory;
            assert_eq!((since, adopted, highest_held), (None, false, None));
            assert_eq!(known.memory.pause, Some(pause.clone()));
            assert_eq!(known.memory.raises_held_until, Some(at(50)));
            assert_eq!((known.tagged, known.generation), (None, 0));
        }
    }

    #[test]
    fn a_pause_that_had_no_tags_to_go_to_is_not_lost_when_there_are_some() {
        let pause = crate::model::goal::Pause { until: at(99), reason: "a test".into() };
        let mut known = Known::default();
        known.memory.pause = Some(pause.clone());
        known.take_over(ARN, Some(found(3, 600.0)), at(0));
        assert_eq!(
            (known.memory.pause.clone(), known.memory.highest_held),
            (Some(pause), Some(600.0))
        );
        assert_eq!(known.change(), Change::News, "it is still to be written");
    }
}
