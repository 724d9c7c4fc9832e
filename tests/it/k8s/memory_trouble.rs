//! A memory in several `ConfigMap`s when something is in the way: a role, a part that cannot be read or is
//! damaged, no room, and writes that get lost.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof};
use proptest::test_runner::TestRunner;
use serde_json::json;
use setpoint::k8s::{PARTS_MAX, part_name};
use setpoint::model::fact::Fact;
use setpoint::model::goal::Pause;
use setpoint::model::ids::VariantId;
use setpoint::model::memory::VariantMemory;
use setpoint::model::pauses::Pauses;
use setpoint::model::selector::Selector;
use setpoint::model::time::Timestamp;
use setpoint::ports::Memory;
use setpoint::system::Alone;

use super::cluster::Cluster;
use super::meddler::Fate;
use super::memory_parts::{Process, id, keep, key, objects, subject, three, where_is};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_for_one_object_is_enough_for_one_object() {
    let cluster = Cluster::new();
    let process = Process::of(&cluster).await;
    process.meddler.rule(|_, name| match name {
        "memory" => Fate::Passes,
        _ => Fate::Refused(403),
    });
    assert_eq!(process.marks(&["a"]).await.unwrap(), [0]);
    process.must_save(&[("a", 300, 1), ("b", 300, 1)]).await;
    // What is to stay free for what grows is used, before something cannot be remembered.
    process.must_save(&[("c", 300, 1)]).await;
    assert_eq!(objects(&cluster).keys().collect::<Vec<_>>(), ["memory"]);
    let failed = process.save(&[("a", 310, 2), ("d", 300, 2)]).await;
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&id("d")]);
    let error = &failed[&id("d")].message;
    for words in ["1048576", "get and update the ConfigMaps memory-part-1 to memory-part-31"] {
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(process.marks(&["a", "b", "c", "d"]).await.unwrap(), [2, 1, 1, 0]);
    // A role that allows more is seen at once.
    process.meddler.stand_back();
    process.must_save(&[("d", 300, 3)]).await;
    assert_eq!(where_is(&cluster, "d"), ["memory-part-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_role_forbids_is_not_taken_for_none() {
    let cluster = Cluster::new();
    let process = three(&cluster).await;
    let forbid = |process: &Process| {
        process.meddler.rule(|_, name| match name {
            "memory-part-1" => Fate::Refused(403),
            _ => Fate::Passes,
        });
    };
    forbid(&process);
    let why = process.marks(&["a"]).await.unwrap_err();
    assert!(why.message.contains("memory-part-1"), "{why:?}");
    // Nor by a process that has never seen it: the first object says that there are two.
    let other = Process::of(&cluster).await;
    forbid(&other);
    let why = other.marks(&["a"]).await.unwrap_err();
    assert!(why.message.contains("memory-part-1"), "{why:?}");
    assert!(other.memory.remembered().await.is_err());
    assert_eq!(other.save(&[("a", 310, 2)]).await.len(), 1, "it may be there");
    assert_eq!(process.save(&[("a", 310, 2), ("c", 10, 2)]).await.len(), 1);
    process.meddler.stand_back();
    assert_eq!(process.marks(&["a", "b", "c"]).await.unwrap(), [2, 1, 1]);
    assert_eq!(where_is(&cluster, "a"), ["memory"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_cannot_be_read_holds_all_and_the_others_are_written() {
    let cluster = Cluster::new();
    let process = three(&cluster).await;
    process.meddler.rule(|_, name| match name {
        "memory-part-1" => Fate::Refused(500),
        _ => Fate::Passes,
    });
    let why = process.marks(&["a"]).await.unwrap_err();
    assert!(why.message.contains("memory-part-1"), "{why:?}");
    // A person's pause of everything is kept, also by a process that has never read the other part.
    let other = Process::of(&cluster).await;
    other.meddler.rule(|_, name| match name {
        "memory-part-1" => Fate::Refused(500),
        _ => Fate::Passes,
    });
    let until: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
    let pause = Pause { until, reason: "sale".to_owned() };
    let mut pauses = Pauses::default();
    pauses.add(Selector::default(), pause, until - chrono::TimeDelta::hours(1)).unwrap();
    other.memory.save_pauses(&pauses).await.unwrap();
    assert_eq!(process.memory.pauses().await.unwrap(), pauses);
    assert_eq!(other.save(&[("a", 310, 2)]).await.len(), 1, "it may be in the other part");
    // What a write to AWS has led to is to be kept all the same.
    let failed = process.save(&[("a", 310, 2), ("c", 10, 2), ("d", 10, 2)]).await;
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&id("c")], "{failed:?}");
    assert_eq!(where_is(&cluster, "d"), ["memory"]);
    process.meddler.stand_back();
    assert_eq!(process.marks(&["a", "b", "c", "d"]).await.unwrap(), [2, 1, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_in_a_part_is_set_aside_there_and_counted_with_the_others() {
    let cluster = Cluster::new();
    let process = three(&cluster).await;
    for (part, of) in [("memory", "b"), ("memory-part-1", "c")] {
        let mut map = cluster.get("configmaps", part).unwrap();
        map["data"][key(of)] = json!("?");
        cluster.put("configmaps", part, map);
    }
    let pause = async |process: &Process, of: &str| {
        let found = process.memory.load(&[subject(of)], true).await.remove(&id(of)).unwrap();
        let Fact::Known(memory) = found else { panic!("{found:?}") };
        memory.pause.as_ref().map(|pause| pause.reason.clone()).unwrap_or_default()
    };
    assert!(pause(&process, "c").await.contains("could not be read"));
    let told = process.memory.set_aside();
    let here = format!("configmap {}/memory", cluster.namespace);
    assert_eq!(told.records, 2);
    assert!(told.sentence.contains(&format!("{here} and {here}-part-1 keep")), "{told:?}");
    // It stays where it was found when its variant moves; only its removal ends the pause.
    process.must_save(&[("d", 300, 1)]).await;
    let aside = format!("set-aside.{}", key("c"));
    assert_eq!(objects(&cluster)["memory-part-1"]["data"].get(&aside), None, "not written yet");
    let held = pause(&process, "b").await;
    assert!(held.contains("could not be read"), "{held}");
    let found = process.memory.load(&[subject("b")], true).await.remove(&id("b")).unwrap();
    let Fact::Known(mut memory) = found else { panic!("{found:?}") };
    memory.known_regime = None;
    memory.policy_name = Some("x".repeat(700 << 10));
    let all = [keep("b", VariantMemory::clone(&memory))];
    assert_eq!(process.memory.save(&all, &Alone).await, BTreeMap::new());
    assert_ne!(where_is(&cluster, "b"), ["memory"]);
    for process in [&process, &Process::of(&cluster).await] {
        assert!(pause(process, "b").await.contains("could not be read"));
        assert_eq!(process.memory.set_aside().records, 2);
    }
    let mut map = cluster.get("configmaps", "memory").unwrap();
    assert_eq!(map["data"][format!("set-aside.{}", key("b"))], "?");
    map["data"].as_object_mut().unwrap().remove(&format!("set-aside.{}", key("b")));
    cluster.put("configmaps", "memory", map);
    assert_eq!(pause(&process, "b").await, "");
    assert_eq!(process.memory.set_aside().records, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_memory_is_an_error_that_says_how_large_it_is() {
    let cluster = Cluster::new();
    for part in 0..PARTS_MAX {
        let name = part_name("memory", part);
        cluster.put("configmaps", &name, json!({"data": {"other": "x".repeat((1 << 20) - 50)}}));
    }
    let process = Process::of(&cluster).await;
    let error = process.save(&[("a", 1, 1)]).await.remove(&id("a")).unwrap();
    assert_eq!(error.location, format!("configmap {}/memory", cluster.namespace));
    for words in ["32 ConfigMaps", "1048576 bytes each", "33552992 bytes", "remove the keys"] {
        assert!(error.message.contains(words), "{error}");
    }
    assert_eq!(process.marks(&["a"]).await.unwrap(), [0], "nothing was written");
    // Where a person has made room, it is used.
    cluster.put("configmaps", "memory-part-7", json!({"data": {}}));
    process.must_save(&[("a", 1, 2)]).await;
    assert_eq!(where_is(&cluster, "a"), ["memory-part-7"]);
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Happens {
    /// Variants, each with a size in KiB, are saved; the numbers decide about each write of it.
    Save(Vec<(u8, u16)>, Vec<u8>),
    /// What got lost on the way arrives.
    Arrives,
    /// The process ends, and another one begins.
    Restart,
}

fn happens() -> impl Strategy<Value = Vec<Happens>> {
    // There is no room for two large ones in a part: what was small moves when it grows.
    let size = prop_oneof![1..30_u16, 480..600_u16];
    let saved = proptest::collection::vec((0..5_u8, size), 1..4);
    let fates = proptest::collection::vec(any::<u8>(), 1..6);
    let one = prop_oneof![
        6 => (saved, fates).prop_map(|(saved, fates)| Happens::Save(saved, fates)),
        2 => proptest::strategy::Just(Happens::Arrives),
        1 => proptest::strategy::Just(Happens::Restart),
    ];
    proptest::collection::vec(one, 6..18)
}

/// A process finds of each variant what was last kept, or what was to be kept later.
async fn must_find(process: &Process, kept: &BTreeMap<u8, u32>) {
    let names: Vec<String> = kept.keys().map(|of| format!("e{of}")).collect();
    let of: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = process.marks(&of).await.unwrap();
    let lost: Vec<_> = kept.iter().zip(&found).filter(|((_, kept), found)| found < kept).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// Whatever gets lost, a process that begins finds of each variant what was last kept, or what was to be kept later.
async fn nothing_is_lost(all: Vec<Happens>) {
    let cluster = Cluster::new();
    let mut process = Process::of(&cluster).await;
    let mut kept: BTreeMap<u8, u32> = BTreeMap::new();
    let mut mark = 0;
    for one in all {
        let fresh = !matches!(one, Happens::Save(..));
        match one {
            Happens::Save(of, fates) => {
                mark += 1;
                let mut next = fates.into_iter().cycle();
                process.meddler.rule(move |method, _| {
                    if !matches!(method, "PUT" | "POST") {
                        return Fate::Passes;
                    }
                    match next.next().unwrap() {
                        0..130 => Fate::Passes,
                        130..160 => Fate::Refused(409),
                        160..190 => Fate::Refused(503),
                        190..220 => Fate::Unanswered,
                        _ => Fate::Held,
                    }
                });
                let sizes: BTreeMap<u8, u16> = of.into_iter().collect();
                let names: Vec<(u8, String, u16)> =
                    sizes.iter().map(|(of, kib)| (*of, format!("e{of}"), *kib)).collect();
                let all: Vec<(&str, usize, u32)> = names
                    .iter()
                    .map(|(_, of, kib)| (of.as_str(), usize::from(*kib), mark))
                    .collect();
                let failed = process.save(&all).await;
                let is_kept = |of: &str| !failed.contains_key(&id(of));
                kept.extend(
                    names.iter().filter(|(_, of, _)| is_kept(of)).map(|(n, ..)| (*n, mark)),
                );
                process.meddler.stand_back();
            }
            Happens::Arrives => drop(process.meddler.let_go().await),
            Happens::Restart => {
                // What a process has sent arrives before its Lease is over.
                process.meddler.let_go().await;
                process = Process::of(&cluster).await;
            }
        }
        must_find(&process, &kept).await;
        if fresh {
            must_find(&Process::of(&cluster).await, &kept).await;
        }
    }
    must_find(&Process::of(&cluster).await, &kept).await;
    let found: Vec<VariantId> = process.memory.remembered().await.unwrap().into_iter().collect();
    assert!(kept.keys().all(|of| found.contains(&id(&format!("e{of}")))));
}

#[test]
fn what_was_kept_is_found_whatever_gets_lost() {
    // A real server takes seconds for each namespace, and nothing here is for it to say.
    if super::real::kubeconfig().is_some() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 12,
        max_shrink_iters: 30,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let run = runner.run(&happens(), |all| {
        runtime.block_on(nothing_is_lost(all));
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}
