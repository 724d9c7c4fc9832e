//! The memory in tags over the embedded AWS: which variant is tagged when, and what is made of what
//! is found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use setpoint::config::Config;
use setpoint::memory::{TagMemory, codec};
use setpoint::model::fact::Fact;
use setpoint::model::goal::Pause;
use setpoint::model::ids::{Region, ResourceId, Scope, VariantId};
use setpoint::model::memory::VariantMemory;
use setpoint::model::status::FleetStatus;
use setpoint::ports::{Aws, Keep, Leadership, Memory, Subject};
use setpoint::reconcile::Fleet;
use setpoint::sim::api::{Operation, scaling as aas};
use setpoint::sim::scenario::{Change, Settings};
use setpoint::sim::{Fault, FaultKind, Scenario, Sim, SimClock};
use setpoint::system::Alone;

use crate::harness;

/// A process that does not lead.
struct Follower;

impl Leadership for Follower {
    fn may_write(&self) -> bool {
        false
    }
}

fn scope() -> Scope {
    let Settings { account_id, region, .. } = Settings::default();
    Scope { account_id, region }
}

fn id(endpoint: &str) -> VariantId {
    let resource: ResourceId = format!("endpoint/{endpoint}/variant/AllTraffic").parse().unwrap();
    VariantId::new(&scope(), &resource)
}

/// Endpoints with a policy of this target value each, half an hour old.
fn world(endpoints: &[(&str, f64)]) -> Sim {
    let endpoint = |(name, value): &(&str, f64)| {
        format!(
            "  - {{name: {name}, variants: [{{target: {{min: 1, max: 8, policy: {{target_value: {value}}}}}}}]}}\n"
        )
    };
    let text = format!("endpoints:\n{}", endpoints.iter().map(endpoint).collect::<String>());
    let sim = Scenario::parse(&text, "a world").unwrap().build().unwrap();
    sim.advance(1800);
    sim
}

fn config(rest: &str) -> Config {
    let targets =
        "[{endpoint: '*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 8}}]";
    let text = format!(
        "aws: {{region: us-east-1, account_id: '123456789012'}}\nmemory: {{tags: true}}\n{rest}\ntargets: {targets}\n"
    );
    Config::from_yaml(&text).unwrap()
}

fn repair() -> Config {
    config("defaults: {mode: repair, adopt: true}")
}

fn aws(sim: &Sim) -> Aws {
    crate::harness::aws(sim)
}

fn memory(sim: &Sim) -> Arc<dyn Memory> {
    Arc::new(TagMemory::new([aws(sim)], Arc::new(SimClock::self_driven(sim.clone()))))
}

fn passes_of(sim: &Sim, leadership: Arc<dyn Leadership>) -> Fleet {
    harness::led_by(leadership, sim, aws(sim), &memory(sim))
}

async fn pass(passes: &mut Fleet, config: &Config) -> FleetStatus {
    pass_until(passes, config, false).await
}

async fn pass_until(passes: &mut Fleet, config: &Config, stopping: bool) -> FleetStatus {
    harness::Pass { stop: &AtomicBool::new(stopping), ..harness::pass(config) }.of(passes).await
}

fn calls(sim: &Sim, operation: Operation) -> u64 {
    sim.with_world(|world| world.calls(operation))
}

fn edit(sim: &Sim, endpoint: &str, target_value: f64) {
    let change = Change::EditPolicy {
        variant: format!("{endpoint}/AllTraffic"),
        target_value: Some(target_value),
        scale_in_cooldown: None,
        disable_scale_in: None,
    };
    sim.with_world(|world| world.change(&change)).unwrap();
}

async fn arn(sim: &Sim, endpoint: &str) -> String {
    let targets =
        aws(sim).scaling.scalable_targets(Some(&[id(endpoint).resource()])).await.unwrap();
    targets[0].arn.clone().unwrap()
}

/// What the tags of an endpoint say.
async fn tagged(sim: &Sim, endpoint: &str) -> Option<codec::Found> {
    let tags = aws(sim).scaling.tags(&arn(sim, endpoint).await).await.unwrap();
    codec::decode(&id(endpoint), &tags).unwrap()
}

async fn subject(sim: &Sim, endpoint: &str) -> Subject {
    let of = [id(endpoint).resource()];
    let target = aws(sim).scaling.scalable_targets(Some(&of)).await.unwrap().pop();
    Subject { id: id(endpoint), target: Fact::Known(target).into(), untouchable: None }
}

async fn keep(sim: &Sim, endpoint: &str, memory: VariantMemory) -> Keep {
    Keep { subject: subject(sim, endpoint).await, memory: memory.into(), urgent: true }
}

fn adopted() -> VariantMemory {
    VariantMemory { adopted: true, ..VariantMemory::default() }
}

#[tokio::test]
async fn an_intent_that_cannot_be_kept_holds_its_write_and_no_other() {
    let sim = world(&[("a", 700.0), ("b", 700.0)]);
    sim.inject(Fault {
        max_hits: 1,
        ..Fault::new(FaultKind::Deny, &[Operation::TagResource], "a condition may name a target")
    });
    let mut passes = passes_of(&sim, Arc::new(Alone));
    let fleet = pass(&mut passes, &repair()).await;
    let report = |endpoint: &str| fleet.variants[&id(endpoint)].decision.report.clone();
    assert!(report("a").sentence.contains("could not be remembered"), "{}", report("a").sentence);
    assert!(fleet.variants[&id("a")].outcome.is_none());
    assert!(fleet.variants[&id("b")].outcome.is_some(), "{}", report("b").sentence);
    assert_eq!(calls(&sim, Operation::PutScalingPolicy), 1);
    pass(&mut passes, &repair()).await;
    assert_eq!(calls(&sim, Operation::PutScalingPolicy), 2, "and the next pass makes it");
}

#[tokio::test]
async fn damaged_tags_are_awaited_then_set_aside_and_hold_one_variant_until_a_person_resumes() {
    let sim = world(&[("a", 700.0), ("b", 700.0)]);
    let damaged = BTreeMap::from([("setpoint:memory:0".to_owned(), "1:1:1:0:AAAA".to_owned())]);
    let resource_arn = arn(&sim, "a").await;
    let input = aas::TagResourceInput { resource_arn: resource_arn.clone(), tags: damaged.clone() };
    sim.tag_resource(&input).unwrap();
    let _clock = Arc::new(SimClock::self_driven(sim.clone()));
    let tags = memory(&sim);
    let mut passes = harness::fleet(&sim, aws(&sim), &tags);
    // They may be late, or half of what another process is writing.
    for _ in 0..3 {
        let fleet = pass(&mut passes, &repair()).await;
        let of_a = &fleet.variants[&id("a")];
        assert!(of_a.snapshot.memory.why().unwrap().message.contains("checksum"));
        assert!(of_a.decision.report.notes.iter().any(|n| n.sentence.contains("is set aside in")));
        assert!(of_a.outcome.is_none(), "{}", of_a.decision.report.sentence);
        assert!(fleet.variants[&id("b")].snapshot.memory.known().is_some());
    }
    assert_eq!(calls(&sim, Operation::PutScalingPolicy), 1, "only b");
    assert_eq!(aws(&sim).scaling.tags(&resource_arn).await.unwrap(), damaged);
    assert_eq!(tags.set_aside().records, 1);
    sim.advance(360);
    // Nothing is lost: a pause may have been in it.
    for _ in 0..2 {
        let fleet = pass(&mut passes, &repair()).await;
        let report = &fleet.variants[&id("a")].decision.report;
        assert_eq!(report.reason.as_str(), "paused", "{}", report.sentence);
    }
    assert!(tagged(&sim, "a").await.unwrap().memory.pause.is_some());
    let kept = aws(&sim).scaling.tags(&resource_arn).await.unwrap();
    assert_eq!(kept["setpoint:set-aside:0"], "1:1:1:0:AAAA");
    let told = tags.set_aside();
    assert!(told.records == 1 && told.sentence.contains("endpoint/a/"), "{told:?}");
    // The next process counts it too, as long as the tags are there; and a resume ends the pause.
    let next = memory(&sim);
    let subject_a = subject(&sim, "a").await;
    let loaded = next.load(std::slice::from_ref(&subject_a), false).await;
    assert_eq!(next.set_aside().records, 1);
    let mut known = loaded[&id("a")].known().unwrap().clone();
    known.pause = None;
    let keep = Keep { subject: subject_a, memory: known, urgent: true };
    assert!(next.save(&[keep], &Alone).await.is_empty());
    pass(&mut passes_of(&sim, Arc::new(Alone)), &repair()).await;
    assert_eq!(calls(&sim, Operation::PutScalingPolicy), 2, "now a too");
}

#[tokio::test]
async fn nothing_is_tagged_where_nothing_may_be_written() {
    let observed = "defaults: {mode: observe, adopt: true}";
    let disabled = "defaults: {mode: repair, adopt: true}\nreconcile: {enabled: false}";
    let foreign = repair();
    for (what, config) in [("observe", config(observed)), ("disabled", config(disabled))] {
        let sim = world(&[("a", 700.0), ("b", 600.0)]);
        let mut passes = passes_of(&sim, Arc::new(Alone));
        for _ in 0..3 {
            pass(&mut passes, &config).await;
            edit(&sim, "a", 650.0);
            sim.advance(3600);
        }
        assert_eq!(sim.with_world(|world| world.writes()), 0, "{what}");
        assert_eq!(calls(&sim, Operation::ListTagsForResource), 0, "{what}");
    }
    // Without leadership; and once the process is asked to stop.
    for (leadership, stopping) in
        [(Arc::new(Follower) as Arc<dyn Leadership>, false), (Arc::new(Alone), true)]
    {
        let sim = world(&[("a", 700.0), ("b", 600.0)]);
        let mut passes = passes_of(&sim, leadership);
        for _ in 0..3 {
            pass_until(&mut passes, &foreign, stopping).await;
            sim.advance(3600);
        }
        assert_eq!(sim.with_world(|world| world.writes()), 0, "stopping: {stopping}");
    }
}

#[tokio::test]
async fn what_changes_all_the_time_is_tagged_twice_an_hour_at_most() {
    let sim = world(&[("a", 600.0)]);
    let config = config("defaults: {mode: repair, adopt: true, safe_change_grace_seconds: 604800}");
    let mut passes = passes_of(&sim, Arc::new(Alone));
    pass(&mut passes, &config).await;
    assert_eq!(calls(&sim, Operation::TagResource), 1, "since when there is a memory");
    for minute in 0..180 {
        // A person tries values on the safe side, another one each minute.
        edit(&sim, "a", 500.0 + f64::from(minute % 7));
        pass(&mut passes, &config).await;
        sim.advance(60);
    }
    let tags = calls(&sim, Operation::TagResource);
    assert!((3..=7).contains(&tags), "{tags} in three hours");
    // Without any change there is no tag at all, and nothing is read again.
    let reads = calls(&sim, Operation::ListTagsForResource);
    for _ in 0..60 {
        pass(&mut passes, &config).await;
        sim.advance(60);
    }
    assert!(calls(&sim, Operation::TagResource) <= tags + 1);
    assert_eq!(calls(&sim, Operation::ListTagsForResource), reads);
}

#[tokio::test]
async fn what_ends_with_the_process_is_said() {
    let yaml = "endpoints:
  - {name: old, variants: [{target: {min: 1, max: 8, without_arn: true, policy: {target_value: 600}}}]}
  - {name: bare, variants: [{}]}
  - {name: new, variants: [{target: {min: 1, max: 8, policy: {target_value: 600}}}]}";
    let sim = Scenario::parse(yaml, "a world").unwrap().build().unwrap();
    let mut passes = passes_of(&sim, Arc::new(Alone));
    // Without adopt nothing is registered.
    let fleet = pass(&mut passes, &config("defaults: {mode: repair}")).await;
    let says = |endpoint: &str, words: &str| {
        let notes = &fleet.variants[&id(endpoint)].decision.report.notes;
        let said = notes.iter().find(|note| note.sentence.contains("ends with this process"));
        said.is_some_and(|note| note.sentence.contains(words))
    };
    assert!(says("old", "before targets had ARNs"));
    assert!(says("bare", "no scalable target to tag"));
    assert!(!says("new", ""));
    assert_eq!(calls(&sim, Operation::TagResource), 1);
    // The process remembers all the same, from pass to pass.
    let since = fleet.variants[&id("old")].snapshot.memory.known().unwrap().since;
    assert_eq!(since, None);
    sim.advance(60);
    let fleet = pass(&mut passes, &config("defaults: {mode: repair}")).await;
    let memory = fleet.variants[&id("old")].snapshot.memory.known().unwrap();
    assert_eq!(memory.since, Some(sim.now() - chrono::TimeDelta::minutes(1)));
}

#[tokio::test]
async fn a_large_fleet_is_tagged_a_few_at_a_time() {
    let names: Vec<String> = (0..45).map(|n| format!("e{n}")).collect();
    let endpoints: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 600.0)).collect();
    let sim = world(&endpoints);
    let mut passes = passes_of(&sim, Arc::new(Alone));
    for expected in [20, 40, 45, 45] {
        pass(&mut passes, &repair()).await;
        assert_eq!(calls(&sim, Operation::TagResource), expected);
    }
    assert_eq!(calls(&sim, Operation::ListTagsForResource), 45);
}

#[tokio::test]
async fn each_account_and_region_keeps_its_own() {
    let (here, there) = (world(&[("a", 600.0)]), world(&[("a", 600.0)]));
    let elsewhere = Scope { region: Region::new("eu-west-1").unwrap(), ..scope() };
    let clock = Arc::new(SimClock::self_driven(here.clone()));
    let connections = [aws(&here), setpoint::sim::aws(&there, elsewhere.clone())];
    let memory = TagMemory::new(connections, clock);
    let mut remote = keep(&there, "a", adopted()).await;
    remote.subject.id.region = elsewhere.region;
    assert!(memory.save(&[remote.clone()], &Alone).await.is_empty());
    assert_eq!(tagged(&here, "a").await, None);
    assert_eq!(calls(&there, Operation::TagResource), 1);
    // One that there is no connection to is an error of its own.
    let mut nowhere = remote.clone();
    nowhere.subject.id.region = Region::new("us-west-2").unwrap();
    let local = keep(&here, "a", adopted()).await;
    let failed = memory.save(&[nowhere.clone(), local.clone()], &Alone).await;
    assert_eq!(failed.keys().collect::<Vec<_>>(), [&nowhere.subject.id]);
    let subjects = [remote.subject, nowhere.subject, local.subject];
    let all = memory.load(&subjects, true).await;
    let known: Vec<bool> = subjects.iter().map(|s| all[&s.id].known().is_some()).collect();
    assert_eq!(known, [true, false, true]);
}

#[tokio::test]
async fn the_next_leader_sees_what_the_last_one_kept_and_is_not_overwritten_by_it() {
    let sim = world(&[("a", 600.0)]);
    let (old, new) = (memory(&sim), memory(&sim));
    assert!(old.save(&[keep(&sim, "a", adopted()).await], &Alone).await.is_empty());
    let of = [subject(&sim, "a").await];
    let found = new.load(&of, false).await[&id("a")].known().unwrap().clone();
    assert!(found.adopted);
    let pause = Some(Pause { until: sim.now(), reason: "a test".into() });
    let paused = VariantMemory { pause: pause.clone(), ..VariantMemory::clone(&found) };
    assert!(new.save(&[keep(&sim, "a", paused).await], &Alone).await.is_empty());
    assert_eq!(tagged(&sim, "a").await.unwrap().generation, 2);
    // The old one has a cache, and looks again before it writes.
    assert_eq!(old.load(&of, false).await[&id("a")].known().unwrap().pause, None);
    assert_eq!(old.load(&of, true).await[&id("a")].known().unwrap().pause, pause);
    // In a new term it has none.
    let third = memory(&sim);
    third.load(&of, false).await;
    assert!(new.save(&[keep(&sim, "a", adopted()).await], &Alone).await.is_empty());
    third.begin_term();
    assert_eq!(third.load(&of, false).await[&id("a")].known().unwrap().pause, None);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_nothing_wrong_behind() {
    let sim = world(&[("a", 600.0)]);
    let memory = memory(&sim);
    let of = [subject(&sim, "a").await];
    memory.load(&of, false).await;
    sim.inject(Fault {
        max_hits: 1,
        ..Fault::new(FaultKind::AnswerLost, &[Operation::TagResource], "networks lose packets")
    });
    let failed = memory.save(&[keep(&sim, "a", adopted()).await], &Alone).await;
    assert!(failed[&id("a")].message.contains("TagResource"), "{failed:?}");
    assert!(memory.is_behind(&id("a")));
    // It has landed: the tags are read again before anything else.
    assert!(memory.load(&of, false).await[&id("a")].known().unwrap().adopted);
    assert!(!memory.is_behind(&id("a")));
}

#[tokio::test]
async fn a_memory_with_no_room_is_an_error_that_is_seen() {
    let sim = world(&[("a", 600.0)]);
    let write = |n: i64| setpoint::model::memory::TargetWrite {
        at: sim.now() + chrono::TimeDelta::nanoseconds(n * 7_919_123_456_789),
        before: Some(n as f64 * 1.37),
        after: n as f64 * 2.91,
    };
    let endless = VariantMemory { raises: (0..500).map(write).collect(), ..adopted() };
    let failed = memory(&sim).save(&[keep(&sim, "a", endless).await], &Alone).await;
    assert!(failed[&id("a")].to_string().contains("8 tags hold 2048"), "{failed:?}");
    assert_eq!(tagged(&sim, "a").await, None, "nothing is cut off in silence");
}
