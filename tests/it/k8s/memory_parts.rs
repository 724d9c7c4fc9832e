//! A memory in several `ConfigMap`s: what goes where, what is read again, and what happens between two writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use setpoint::k8s::{ConfigMapMemory, PARTS_MAX, part_name};
use setpoint::model::fact::{Fact, Why};
use setpoint::model::goal::Pause;
use setpoint::model::ids::VariantId;
use setpoint::model::memory::VariantMemory;
use setpoint::model::pauses::Pauses;
use setpoint::model::shared::Shared;
use setpoint::ports::{Keep, Memory, MemoryError, Subject};
use setpoint::system::Alone;

use super::cluster::Cluster;
use super::meddler::{Fate, Meddler};

/// A part is filled up to here with new records, and up to there with records that grow.
const FILL_KIB: usize = 768;
const GROWN_KIB: usize = 960;

pub(super) fn id(endpoint: &str) -> VariantId {
    VariantId::of(
        "123456789012".parse().unwrap(),
        "us-east-1".parse().unwrap(),
        endpoint.parse().unwrap(),
        "AllTraffic".parse().unwrap(),
    )
}

pub(super) fn key(endpoint: &str) -> String {
    format!("variant.123456789012.us-east-1.{endpoint}.AllTraffic")
}

pub(super) fn subject(endpoint: &str) -> Subject {
    Subject { id: id(endpoint), target: Fact::not_read_yet().into(), untouchable: None }
}

/// A memory whose record has some `bytes` and says `mark`.
pub(super) fn of_size(bytes: usize, mark: u32) -> VariantMemory {
    let until = "2026-12-01T08:00:00Z".parse().unwrap();
    let reason = "x".repeat(bytes.saturating_sub(524));
    VariantMemory {
        highest_applied: Some(f64::from(mark)),
        pause: Some(Pause { until, reason }),
        ..VariantMemory::default()
    }
}

pub(super) fn keep(endpoint: &str, memory: VariantMemory) -> Keep {
    Keep { subject: subject(endpoint), memory: memory.into(), urgent: true }
}

/// A process with a memory.
pub(super) struct Process {
    pub(super) memory: ConfigMapMemory,
    pub(super) meddler: Arc<Meddler>,
}

impl Process {
    pub(super) async fn of(cluster: &Cluster) -> Self {
        let (meddler, library) = Meddler::before(cluster).await;
        Self { memory: ConfigMapMemory::new(&library, "memory"), meddler }
    }

    /// Saves records of these sizes, in KiB, and marks; what failed.
    pub(super) async fn save(
        &self,
        all: &[(&str, usize, u32)],
    ) -> BTreeMap<VariantId, MemoryError> {
        let all: Vec<Keep> =
            all.iter().map(|(of, kib, mark)| keep(of, of_size(kib << 10, *mark))).collect();
        self.memory.save(&all, &Alone).await
    }

    pub(super) async fn must_save(&self, all: &[(&str, usize, u32)]) {
        let failed = self.save(all).await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// The marks of these; 0 of what is not remembered.
    pub(super) async fn marks(&self, of: &[&str]) -> Result<Vec<u32>, Why> {
        let subjects: Vec<Subject> = of.iter().map(|of| subject(of)).collect();
        let mut found = self.memory.load(&subjects, true).await;
        let mut mark = |of: &&str| match found.remove(&id(of)).unwrap() {
            Fact::Known(memory) => Ok(memory.highest_applied.unwrap_or(0.0) as u32),
            Fact::Unknown(why) => Err(why),
        };
        of.iter().map(&mut mark).collect()
    }

    /// What has been asked for, in words.
    pub(super) fn asked(&self) -> Vec<String> {
        self.meddler.asked().iter().map(|(method, name)| format!("{method} {name}")).collect()
    }
}

/// The objects of the memory.
pub(super) fn objects(cluster: &Cluster) -> BTreeMap<String, Value> {
    let all = cluster.all("configmaps").into_iter();
    all.map(|object| (object["metadata"]["name"].as_str().unwrap().to_owned(), object))
        .filter(|(name, _)| name.starts_with("memory"))
        .collect()
}

/// Which objects have a record of a variant.
pub(super) fn where_is(cluster: &Cluster, endpoint: &str) -> Vec<String> {
    let has = |object: &Value| object["data"].get(key(endpoint)).is_some();
    objects(cluster).into_iter().filter(|(_, object)| has(object)).map(|(name, _)| name).collect()
}

fn bytes(object: &Value) -> usize {
    let data = object["data"].as_object().unwrap();
    data.iter().map(|(key, value)| key.len() + value.as_str().unwrap().len()).sum()
}

/// Three variants of 300 KiB, two in the first object and one in the second.
pub(super) async fn three(cluster: &Cluster) -> Process {
    let process = Process::of(cluster).await;
    process.must_save(&[("a", 300, 1), ("b", 300, 1), ("c", 300, 1)]).await;
    assert_eq!(where_is(cluster, "b"), ["memory"]);
    assert_eq!(where_is(cluster, "c"), ["memory-part-1"]);
    process.asked();
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_are_saved_at_once_and_read_by_another_process() {
    let cluster = Cluster::new();
    let process = Process::of(&cluster).await;
    let names: Vec<String> = (0..3000).map(|n| format!("endpoint-{n}")).collect();
    let all: Vec<Keep> =
        names.iter().enumerate().map(|(n, of)| keep(of, of_size(2048, n as u32))).collect();
    assert_eq!(process.memory.save(&all, &Alone).await, BTreeMap::new());

    let objects = objects(&cluster);
    let sizes: Vec<usize> = objects.values().map(bytes).collect();
    assert!(sizes.iter().all(|bytes| *bytes <= FILL_KIB << 10), "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() > 3000 * 2000, "{sizes:?}");
    let names: BTreeSet<String> = (0..sizes.len()).map(|n| part_name("memory", n)).collect();
    assert_eq!(objects.keys().cloned().collect::<BTreeSet<_>>(), names, "one after the other");

    let subjects: Vec<Subject> = all.iter().map(|keep| keep.subject.clone()).collect();
    let wanted: BTreeMap<VariantId, Fact<Shared<VariantMemory>>> =
        all.iter().map(|k| (k.subject.id.clone(), Fact::Known(k.memory.clone()))).collect();
    let other = Process::of(&cluster).await;
    assert!(other.memory.load(&subjects, false).await == wanted);
    assert_eq!(other.memory.remembered().await.unwrap().len(), 3000);
    // What is held is what was given, once.
    let held = process.memory.load(&subjects, false).await;
    assert!(
        all.iter().all(|keep| held[&keep.subject.id].known().unwrap().is_one_with(&keep.memory))
    );

    // What has not changed is neither read again nor written.
    other.asked();
    assert!(other.memory.load(&subjects, true).await == wanted);
    let asked = other.asked();
    assert_eq!(asked.len(), sizes.len(), "{asked:?}");
    assert!(asked.iter().all(|request| request.starts_with("META ")), "{asked:?}");
    other.must_save(&[("endpoint-7", 2, 9)]).await;
    let written: Vec<String> =
        other.asked().into_iter().filter(|request| !request.starts_with("META ")).collect();
    assert_eq!(written, ["GET memory", "PUT memory"]);
    // The other process reads what was written, and nothing else.
    process.asked();
    assert_eq!(process.marks(&["endpoint-7"]).await.unwrap(), [9]);
    let read: Vec<String> =
        process.asked().into_iter().filter(|request| !request.starts_with("META ")).collect();
    assert_eq!(read, ["GET memory"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_memory_is_one_object_and_one_question() {
    let cluster = Cluster::new();
    let process = Process::of(&cluster).await;
    process.must_save(&[("a", 2, 1), ("b", 2, 1)]).await;
    process.memory.save_pauses(&Pauses::default()).await.unwrap();
    let all = objects(&cluster);
    assert_eq!(all.keys().collect::<Vec<_>>(), ["memory"]);
    assert_eq!(all["memory"]["metadata"].get("annotations"), None);
    process.asked();
    assert_eq!(process.marks(&["a", "b"]).await.unwrap(), [1, 1]);
    process.memory.pauses().await.unwrap();
    assert_eq!(process.asked(), ["META memory", "META memory"]);
    // In a new term another process may have made more of them.
    process.memory.begin_term();
    process.marks(&["a"]).await.unwrap();
    assert_eq!(process.asked().len(), PARTS_MAX);
    process.marks(&["a"]).await.unwrap();
    assert_eq!(process.asked(), ["META memory"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_has_no_room_any_more_moves_up() {
    let cluster = Cluster::new();
    let process = three(&cluster).await;
    // It grows in its place as long as there is room for it.
    process.must_save(&[("a", GROWN_KIB - 310, 2)]).await;
    assert_eq!(where_is(&cluster, "a"), ["memory"]);
    process.asked();
    process.must_save(&[("a", 700, 3), ("b", 305, 3)]).await;
    assert_eq!(where_is(&cluster, "a"), ["memory-part-2"]);
    assert_eq!(where_is(&cluster, "b"), ["memory"]);
    let writes: Vec<String> = process
        .asked()
        .into_iter()
        .filter(|request| !request.starts_with("META ") && !request.starts_with("GET "))
        .collect();
    // How many there are is said before there are, and what moves is above before it goes from below.
    assert_eq!(writes, ["PUT memory", "POST memory-part-2", "PUT memory"]);
    for process in [process, Process::of(&cluster).await] {
        assert_eq!(process.marks(&["a", "b", "c"]).await.unwrap(), [3, 3, 1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_between_the_two_writes_of_a_move_loses_nothing() {
    let cluster = Cluster::new();
    let process = three(&cluster).await;
    // The first of the two fails: what was remembered stays, and the save says so.
    process.meddler.rule(|method, name| match (method, name) {
        ("POST", "memory-part-2") => Fate::Refused(500),
        _ => Fate::Passes,
    });
    let failed = process.save(&[("a", 700, 2), ("b", 310, 2), ("c", 310, 2)]).await;
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&id("a")], "the others do not suffer for it");
    assert!(failed[&id("a")].location.ends_with("memory-part-2"), "{failed:?}");
    assert_eq!(Process::of(&cluster).await.marks(&["a", "b", "c"]).await.unwrap(), [1, 2, 2]);

    // The second fails: the record is there twice, and the higher one counts.
    process.meddler.stand_back();
    process.must_save(&[("d", 600, 2)]).await;
    assert_eq!(where_is(&cluster, "d"), ["memory-part-2"]);
    process.must_save(&[("d", 10, 2)]).await;
    process.meddler.rule(|method, name| match (method, name) {
        ("PUT", "memory") => Fate::Refused(500),
        _ => Fate::Passes,
    });
    process.must_save(&[("a", 700, 3)]).await;
    assert_eq!(where_is(&cluster, "a"), ["memory", "memory-part-2"]);
    let next = Process::of(&cluster).await;
    assert_eq!(next.marks(&["a", "b", "c"]).await.unwrap(), [3, 2, 2]);
    // The older one goes when that object is next written.
    next.must_save(&[("b", 300, 4)]).await;
    assert_eq!(where_is(&cluster, "a"), ["memory-part-2"]);
    assert_eq!(next.marks(&["a", "b", "c"]).await.unwrap(), [3, 4, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_of_an_older_leader_does_not_win() {
    let cluster = Cluster::new();
    let old = three(&cluster).await;
    old.meddler.rule(|method, _| if method == "PUT" { Fate::Held } else { Fate::Passes });
    assert_eq!(old.save(&[("a", 310, 2)]).await.len(), 1);
    let new = Process::of(&cluster).await;
    new.must_save(&[("b", 20, 5), ("c", 100, 5)]).await;
    new.must_save(&[("a", 500, 5)]).await;
    assert_eq!(old.meddler.let_go().await, [409], "somebody else has written since");

    // Nobody has written what it writes: the record has moved, and the older copy is still there.
    let old = Process::of(&cluster).await;
    old.meddler.rule(|method, _| if method == "PUT" { Fate::Held } else { Fate::Passes });
    assert_eq!(old.save(&[("b", 30, 6)]).await.len(), 1);
    new.meddler.rule(|method, name| match (method, name) {
        ("PUT", "memory") => Fate::Refused(500),
        _ => Fate::Passes,
    });
    new.must_save(&[("b", 600, 7)]).await;
    assert_eq!(old.meddler.let_go().await, [200]);
    assert_eq!(where_is(&cluster, "b").len(), 2);
    for process in [&new, &Process::of(&cluster).await] {
        assert_eq!(process.marks(&["a", "b", "c"]).await.unwrap(), [5, 7, 5]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_to_a_part_does_not_win_over_what_was_kept_since() {
    let cluster = Cluster::new();
    let process = three(&cluster).await;
    process.must_save(&[("c", 100, 1)]).await;
    // One is to move up, and that write is late.
    process.meddler.rule(|method, name| match (method, name) {
        ("PUT", "memory-part-1") => Fate::Held,
        _ => Fate::Passes,
    });
    assert_eq!(process.save(&[("a", 400, 2), ("b", 600, 2)]).await.len(), 1);
    process.meddler.stand_back();
    // By itself it would have stayed below.
    process.must_save(&[("a", 20, 3), ("b", 20, 3)]).await;
    assert_eq!(process.meddler.let_go().await, [409]);
    for process in [&process, &Process::of(&cluster).await] {
        assert_eq!(process.marks(&["a", "b", "c"]).await.unwrap(), [3, 3, 1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_in_the_midst_of_a_move_sees_the_record() {
    let cluster = Cluster::new();
    let writer = three(&cluster).await;
    let reader = Process::of(&cluster).await;
    assert_eq!(reader.marks(&["a", "b", "c"]).await.unwrap(), [1, 1, 1]);
    writer.must_save(&[("c", 10, 1)]).await;
    reader.marks(&["c"]).await.unwrap();
    // It has looked at the higher part before the record is there, and looks at the lower one when it has gone.
    let mut delayed = false;
    reader.meddler.rule(move |method, name| {
        let first = (method, name) == ("META", "memory") && !std::mem::replace(&mut delayed, true);
        if first { Fate::Delayed } else { Fate::Passes }
    });
    let moves = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        writer.must_save(&[("b", 700, 2)]).await;
    };
    let (found, ()) = tokio::join!(reader.marks(&["a", "b", "c"]), moves);
    assert_eq!(where_is(&cluster, "b"), ["memory-part-1"]);
    // On a slow machine it may have looked at the lower one in time; nowhere is what it must not be.
    let found = found.unwrap();
    assert!(matches!(found[..], [1, 1 | 2, 1]), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_deleted_by_hand_is_empty() {
    let cluster = Cluster::new();
    let process = three(&cluster).await;
    cluster.delete("configmaps", "memory-part-1");
    assert_eq!(process.marks(&["a", "b", "c"]).await.unwrap(), [1, 1, 0]);
    process.must_save(&[("c", 300, 2)]).await;
    assert_eq!(where_is(&cluster, "c"), ["memory-part-1"]);
    // Also the first one; what is in the others is remembered.
    cluster.delete("configmaps", "memory");
    assert_eq!(process.marks(&["a", "b", "c"]).await.unwrap(), [0, 0, 2]);
    assert_eq!(Process::of(&cluster).await.marks(&["a", "b", "c"]).await.unwrap(), [0, 0, 2]);
    process.must_save(&[("a", 300, 3)]).await;
    // Somebody may put it back, in the state that it had.
    let part = cluster.get("configmaps", "memory-part-1").unwrap();
    cluster.delete("configmaps", "memory-part-1");
    assert_eq!(process.marks(&["a", "c"]).await.unwrap(), [3, 0]);
    cluster.put("configmaps", "memory-part-1", json!({"data": part["data"]}));
    assert_eq!(process.marks(&["a", "c"]).await.unwrap(), [3, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_another_process_makes_is_seen() {
    let cluster = Cluster::new();
    let (one, other) = (Process::of(&cluster).await, Process::of(&cluster).await);
    one.must_save(&[("a", 300, 1)]).await;
    assert_eq!(other.marks(&["a", "b", "c", "d"]).await.unwrap(), [1, 0, 0, 0]);
    one.must_save(&[("b", 700, 1), ("c", 700, 1), ("a", 310, 2)]).await;
    assert_eq!(other.marks(&["a", "b", "c", "d"]).await.unwrap(), [2, 1, 1, 0]);
    assert_eq!(other.memory.remembered().await.unwrap(), ["a", "b", "c"].map(id).into());
    other.must_save(&[("d", 700, 1)]).await;
    assert_eq!(one.marks(&["a", "b", "c", "d"]).await.unwrap(), [2, 1, 1, 1]);
}
