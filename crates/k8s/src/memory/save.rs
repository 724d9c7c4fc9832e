//! Writing what has changed: only the parts that it is in, the highest first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use setpoint_core::model::ids::VariantId;
use setpoint_core::model::memory::VariantMemory;
use setpoint_core::model::pauses::Pauses;
use setpoint_core::model::record::{PAUSES, Record, SPENDING};
use setpoint_core::model::shared::Shared;
use setpoint_core::model::spending::Spending;
use setpoint_core::ports::{LEADERSHIP_LOST, Leadership, MemoryError};

use super::ConfigMapMemory;
use super::data::{self, Data};
use super::objects::{BYTES_MAX, Failures, PARTS_MAX, Sent, Trouble};
use super::part::{PARTS_ANNOTATION, Part, Shell, Version};
use super::room::{Room, Wanted, places};
use super::view::{Rank, View};

/// How often a save is tried when others write in between.
const ATTEMPTS: u32 = 5;
/// After how many writes without an answer, or failures after the first, the other parts are not tried: each is waited
/// for as long.
const OUTAGES_MAX: u32 = 2;

/// More than what stands in for a record that cannot be read.
const STAND_IN: usize = 2048;

/// What is to be written.
pub(super) enum What {
    Variant(VariantId, Shared<VariantMemory>),
    Pauses(Pauses),
    Spending(Spending),
}

/// A record that is to be written. Its text is made when its part is.
pub(super) struct Change {
    what: What,
    key: String,
    /// Of the key and its value.
    bytes: usize,
}

impl Change {
    /// A change that is known to read back.
    ///
    /// # Errors
    /// When it would not.
    pub(super) fn new(what: What) -> Result<Self, String> {
        let (key, record) = match &what {
            What::Variant(id, memory) => (data::key(id), Record::of_variant(id, memory)?),
            What::Pauses(pauses) => (PAUSES.to_owned(), Record::of(PAUSES, pauses)?),
            What::Spending(spending) => (SPENDING.to_owned(), Record::of(SPENDING, spending)?),
        };
        let bytes = key.len() + data::encode(&record)?.len();
        Ok(Self { what, key, bytes })
    }

    pub(super) const fn id(&self) -> Option<&VariantId> {
        if let What::Variant(id, _) = &self.what { Some(id) } else { None }
    }

    fn text(&self) -> Result<String, String> {
        data::encode(&match &self.what {
            What::Variant(id, memory) => Record::of_checked(&id.to_string(), memory)?,
            What::Pauses(pauses) => Record::of_checked(PAUSES, pauses)?,
            What::Spending(spending) => Record::of_checked(SPENDING, spending)?,
        })
    }

    fn put_into(&self, data: &mut Data) -> Result<(), String> {
        data.keys.insert(self.key.clone(), self.text()?);
        match &self.what {
            What::Variant(id, memory) => drop(data.variants.insert(id.clone(), memory.clone())),
            What::Pauses(pauses) => data.pauses.clone_from(pauses),
            What::Spending(spending) => data.spending.clone_from(spending),
        }
        Ok(())
    }
}

/// What became of a part.
enum Written {
    Done,
    /// It is not what it was taken for, and nothing was written.
    Again(MemoryError),
    /// The role does not allow to make it.
    Forbidden(MemoryError),
}

/// A save under way.
struct Saving {
    /// What has no result yet.
    left: BTreeSet<usize>,
    failed: BTreeMap<usize, MemoryError>,
    /// From which part on none may be made, and what the server says to that.
    parts_max: usize,
    forbidden: Option<MemoryError>,
    failures: Failures,
    /// How many writes are as good as an outage.
    outages: u32,
}

impl Saving {
    fn fail(&mut self, which: &[usize], error: &MemoryError) {
        for index in which {
            self.left.remove(index);
            self.failed.insert(*index, error.clone());
        }
    }
}

impl ConfigMapMemory {
    /// Puts these there; the others stay, but for what cannot be read. Tells which could not be put, by their
    /// place in the list.
    pub(super) async fn put(
        &self,
        changes: &[Change],
        leadership: Option<&dyn Leadership>,
    ) -> BTreeMap<usize, MemoryError> {
        let _writing = self.writing.lock().await;
        let mut saving = Saving {
            left: (0..changes.len()).collect(),
            failed: BTreeMap::new(),
            parts_max: PARTS_MAX,
            forbidden: None,
            failures: Failures::default(),
            outages: 0,
        };
        let mut last = None;
        // What is of no single variant is always in the first part.
        let of_first = changes.iter().all(|change| change.id().is_none());
        for _ in 0..ATTEMPTS {
            if saving.left.is_empty() {
                break;
            }
            let view = if of_first {
                self.first().await.map(View::of_first)
            } else {
                self.view_to_save().await
            };
            let mut view = match view {
                Ok(view) => view,
                Err(error) => {
                    last = Some(error);
                    break;
                }
            };
            let parts = self.assign(&view, changes, &mut saving);
            // What moves is above before it goes from below.
            for (index, which) in parts.into_iter().rev() {
                if leadership.is_some_and(|leadership| !leadership.may_write()) {
                    saving.fail(&which, &self.objects.error(index, LEADERSHIP_LOST));
                    continue;
                }
                if let Some(error) =
                    self.write_part(index, &which, changes, &mut view, &mut saving).await
                {
                    last = Some(error);
                }
            }
        }
        let error = last.unwrap_or_else(|| self.objects.error(0, "it was not written"));
        let left: Vec<usize> = saving.left.iter().copied().collect();
        saving.fail(&left, &error);
        saving.failed
    }

    /// Which parts are to be written, and with which changes; some only to remove what has moved from there.
    fn assign(
        &self,
        view: &View,
        changes: &[Change],
        saving: &mut Saving,
    ) -> BTreeMap<usize, Vec<usize>> {
        let (mut which, mut wanted, mut was) = (Vec::new(), Vec::new(), Vec::new());
        for index in saving.left.clone() {
            let change = &changes[index];
            let found = change.id().and_then(|id| view.find(id));
            let found = found.map(|(at, entry)| (at, entry.bytes));
            let (at, before) = match change.id() {
                // What this process has sent to a part may yet arrive there, and would win over one below.
                Some(id) => match (self.known().sent.get(id).copied(), found) {
                    (Some(sent), Some((at, _))) if sent > at => (Some(sent), 0),
                    (Some(sent), None) => (Some(sent), 0),
                    (_, found) => (found.map(|(at, _)| at), found.map_or(0, |(_, bytes)| bytes)),
                },
                None => (Some(0), view.at(0).map_or(0, |seen| seen.part.bytes_of(&change.key))),
            };
            if let Some(error) = at.and_then(|at| view.at(at)?.stale.clone()) {
                saving.fail(&[index], &error);
                continue;
            }
            which.push(index);
            was.push(found.map(|(at, _)| at));
            let fixed = change.id().is_none();
            wanted.push(Wanted { at, before, bytes: change.bytes, fixed });
        }
        let room = |index| {
            view.at(index).map_or_else(Room::default, |seen| Room {
                bytes: seen.part.bytes + seen.part.damaged.len() * STAND_IN,
                spare: seen.part.aside_bytes,
                closed: seen.stale.is_some(),
            })
        };
        let mut rooms: Vec<Room> = (0..saving.parts_max).map(room).collect();
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for ((index, place), was) in which.into_iter().zip(places(&mut rooms, &wanted)).zip(was) {
            let Some(place) = place else {
                // A part that cannot be read may have room.
                let error = view.first_unreadable();
                let error = error.unwrap_or_else(|| self.full(view, &changes[index], saving));
                saving.fail(&[index], &error);
                continue;
            };
            parts.entry(place).or_default().push(index);
            if let Some(below) = was.filter(|was| *was < place) {
                parts.entry(below).or_default();
            }
        }
        parts
    }

    /// Writes a part; why some of it is to be tried again, if so.
    async fn write_part(
        &self,
        index: usize,
        which: &[usize],
        changes: &[Change],
        view: &mut View,
        saving: &mut Saving,
    ) -> Option<MemoryError> {
        if saving.outages >= OUTAGES_MAX {
            let error = self.objects.error(
                index,
                "not tried, because the API server does not answer or fails; the next pass tries again",
            );
            saving.fail(which, &error);
            return None;
        }
        let which_changes: Vec<&Change> = which.iter().map(|at| &changes[*at]).collect();
        match self.rewrite(index, &which_changes, view).await {
            Ok(Written::Done) => {
                for index in which {
                    saving.left.remove(index);
                }
            }
            Ok(Written::Again(error)) => return Some(error),
            Ok(Written::Forbidden(error)) => {
                saving.parts_max = saving.parts_max.min(index);
                saving.forbidden = Some(error.clone());
                return Some(error);
            }
            Err(trouble) => {
                saving.outages += u32::from(saving.failures.note(&trouble));
                if which.is_empty() {
                    // What has moved is safe above; the copy here goes with the next write.
                    tracing::debug!(error = %trouble.error(), "an older copy is left in the memory");
                }
                saving.fail(which, trouble.error());
            }
        }
        None
    }

    async fn rewrite(
        &self,
        index: usize,
        changes: &[&Change],
        view: &mut View,
    ) -> Result<Written, Trouble> {
        let found = match self.objects.get(index).await {
            Err(Trouble::Forbidden(error)) if self.is_new(index, view) => {
                return Ok(Written::Forbidden(error));
            }
            found => found?,
        };
        let exists = found.is_some();
        if !exists && index > 0 && view.told() <= index && !self.announce(index + 1, view).await? {
            return Ok(Written::Again(self.overtaken(0)));
        }
        let mut map = found.unwrap_or_else(|| self.objects.empty(index));
        if index == 0 {
            // It may have been made again after somebody has deleted it.
            say_parts(&mut map, view.len().max(self.known().used));
        }
        let shell = Shell::of(&map);
        let mut data = taken(index, &mut map, view);
        let is_older = |(id, memory): &(&VariantId, &Shared<VariantMemory>)| {
            view.has_newer((index, Rank::of(memory, id, &data.damaged)), id)
        };
        let moved: Vec<VariantId> =
            data.variants.iter().filter(is_older).map(|(id, _)| id.clone()).collect();
        if changes.is_empty() && moved.is_empty() {
            return Ok(Written::Done);
        }
        // First, for it is kept whatever its variant has moved to.
        data.set_damaged_aside();
        for id in &moved {
            data.remove(id);
        }
        let mut newly = Vec::new();
        for change in changes {
            newly.extend(change.id().filter(|id| !data.variants.contains_key(*id)).cloned());
            let put = change.put_into(&mut data);
            put.map_err(|why| Trouble::Refused(self.objects.error(index, why)))?;
        }
        data.make_room(BYTES_MAX.saturating_sub(shell.binary));
        let bytes = data.size() + shell.binary;
        if bytes > BYTES_MAX {
            return Ok(Written::Again(self.too_large(index, bytes, data.keys.len())));
        }
        let mut part = shell.around(&data);
        map.data = Some(data.keys);
        let noted = self.note_sent(index, newly);
        match self.objects.write(index, &map).await {
            Ok(Sent::Written(version)) => {
                part.version = Some(version);
                self.arrived(index, part, view);
                Ok(Written::Done)
            }
            Ok(Sent::Overtaken) => {
                self.take_back(noted);
                Ok(Written::Again(self.overtaken(index)))
            }
            Err(trouble) => {
                if trouble.is_over() {
                    self.take_back(noted);
                }
                match trouble {
                    // A quota or an admission policy says so as well.
                    Trouble::Forbidden(error) if !exists && index > 0 => {
                        Ok(Written::Forbidden(error))
                    }
                    trouble => Err(trouble),
                }
            }
        }
    }

    /// Says on the first part how many there may be, before there are; `false` when somebody else has written it
    /// in the meantime.
    async fn announce(&self, parts: usize, view: &mut View) -> Result<bool, Trouble> {
        let found = self.objects.get(0).await?;
        let mut map = found.unwrap_or_else(|| self.objects.empty(0));
        say_parts(&mut map, parts);
        let shell = Shell::of(&map);
        let data = taken(0, &mut map, view);
        let mut part = shell.around(&data);
        map.data = Some(data.keys);
        match self.objects.write(0, &map).await? {
            Sent::Written(version) => {
                part.version = Some(version);
                self.arrived(0, part, view);
                Ok(true)
            }
            Sent::Overtaken => Ok(false),
        }
    }

    /// Whether a part has never been there, as far as anyone says.
    fn is_new(&self, index: usize, view: &View) -> bool {
        index > 0 && index >= view.told() && index >= self.known().used
    }

    fn arrived(&self, index: usize, part: Part, view: &mut View) {
        let part = Arc::new(part);
        self.remember(index, &part);
        view.set(index, part);
        // What was sent before is of an older version, and is refused.
        self.known().sent.retain(|_, at| *at != index);
        self.note_set_aside();
    }

    /// Takes note, before they are sent, that these may be in a part; what was noted of each before.
    fn note_sent(&self, index: usize, ids: Vec<VariantId>) -> Vec<(VariantId, Option<usize>)> {
        let mut known = self.known();
        let mut note = |id: VariantId| (id.clone(), known.sent.insert(id, index));
        ids.into_iter().map(&mut note).collect()
    }

    /// What was sent certainly does not arrive.
    fn take_back(&self, noted: Vec<(VariantId, Option<usize>)>) {
        let mut known = self.known();
        for (id, before) in noted {
            match before {
                Some(before) => known.sent.insert(id, before),
                None => known.sent.remove(&id),
            };
        }
    }

    fn overtaken(&self, index: usize) -> MemoryError {
        self.objects.error(index, format!("written by somebody else {ATTEMPTS} times in a row"))
    }

    fn too_large(&self, index: usize, bytes: usize, keys: usize) -> MemoryError {
        let message = format!(
            "{bytes} bytes for {keys} keys, and a ConfigMap holds {BYTES_MAX}: remove keys that are not setpoint's"
        );
        self.objects.error(index, message)
    }

    /// There is no room for a record: how much there is, and what to do.
    fn full(&self, view: &View, change: &Change, saving: &Saving) -> MemoryError {
        let (variants, bytes, objects) = view.extent();
        let parts_max = saving.parts_max;
        let cause = match &saving.forbidden {
            Some(error) => {
                let (first, last) = (self.objects.name_of(1), self.objects.name_of(PARTS_MAX - 1));
                format!(
                    "a further one is refused ({}); allow setpoint to create ConfigMaps, \
                     and to get and update the ConfigMaps {first} to {last}",
                    error.message
                )
            }
            None => {
                "remove the keys of variants that are gone, use shards, or keep the memory in tags \
                     (memory.tags) or in a file"
                    .to_owned()
            }
        };
        let message = format!(
            "there is no room for {} ({} bytes). It has {bytes} bytes for {variants} variants in \
             {objects} ConfigMaps, and may have {parts_max} with {BYTES_MAX} bytes each; {cause}",
            change.key, change.bytes
        );
        self.objects.error(0, message)
    }
}

/// The keys of an object, and what they mean: as known, if it is what was known.
fn taken(index: usize, map: &mut ConfigMap, view: &View) -> Data {
    let version = map.metadata.resource_version.is_some();
    let version = version.then(|| Version::of(&map.metadata));
    let keys = map.data.take().unwrap_or_default();
    match view.at(index) {
        Some(seen) if version.is_some() && seen.part.is(version.as_ref()) => {
            Data::known(keys, &seen.part)
        }
        Some(seen) => Data::parse_after(keys, &seen.part),
        None => Data::parse(keys),
    }
}

/// Says on the first part how many there may be, if there is more than that one.
fn say_parts(first: &mut ConfigMap, parts: usize) {
    let annotations = &mut first.metadata.annotations;
    let told = annotations.as_ref().and_then(|all| all.get(PARTS_ANNOTATION)?.parse().ok());
    if parts > told.unwrap_or(1) {
        let annotations = annotations.get_or_insert_default();
        annotations.insert(PARTS_ANNOTATION.to_owned(), parts.to_string());
    }
}
