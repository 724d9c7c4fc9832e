//! What old listings, and rows that were read by name, must not lead to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::json;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scaling::ScalingPolicy;
use setpoint::model::selector::Selector;
use setpoint::model::status::FleetStatus;
use setpoint::model::time::Timestamp;
use setpoint::ports::{Clock, RegisterScalableTarget};
use setpoint::reconcile::{CostMeter, Fleet};
use setpoint::sim::SimClock;

use super::slow::{Late, names};
use super::stage::{CONFIG, of};

/// Somebody has put a value back since it was listed: the look before the write has seen that.
#[tokio::test]
async fn what_a_look_before_a_write_has_seen_is_not_asked_again_by_each_pass() {
    let mut late = Late::of(&["a", "b"]);
    late.edit("a", 700.0);
    late.stage.sim.advance(60);
    late.pass(false).await;
    late.shut(true);
    late.edit("a", 600.0);
    for _ in 0..5 {
        late.stage.sim.advance(60);
        late.pass(true).await;
    }
    assert_eq!(late.stage.writes(), 0);
    assert_eq!(late.knobs.by_name.load(Ordering::SeqCst), 1, "the first look has said it");
}

/// One edit that was taken back is no fight: a pass that has not looked goes by the old listing.
#[tokio::test]
async fn an_edit_that_was_taken_back_is_not_counted_again_by_an_old_listing() {
    let mut late = Late::of(&["a", "b"]);
    late.edit("a", 700.0);
    late.stage.sim.advance(60);
    late.pass(true).await;
    assert_eq!(late.stage.target_value("a"), Some(600.0));
    late.stage.sim.advance(3600);
    late.pass(true).await;
    late.edit("a", 650.0);
    late.stage.sim.advance(60);
    late.pass(false).await;
    late.shut(true);
    late.edit("a", 600.0);
    for _ in 0..2 {
        late.stage.sim.advance(60);
        late.pass(true).await;
        late.stage.sim.advance(60);
        // It overran, or a freeze window is open.
        late.made((true, true), None).await;
    }
    late.stage.sim.advance(60);
    let fleet = late.pass(true).await;
    let a = of(&fleet, "a");
    let memory = a.snapshot.memory.known().unwrap();
    let counted = memory.foreign_overwrites.get(&Field::TargetValue).cloned().unwrap_or_default();
    assert!(counted.len() < 2, "one edit: {counted:?}");
    assert!(a.decision.report.reasons().all(|reason| reason != Reason::OtherWriter));
}

/// A clock that somebody sets.
struct Set {
    truth: SimClock,
    seconds: Arc<AtomicI64>,
}

#[async_trait]
impl Clock for Set {
    fn now(&self) -> Timestamp {
        self.truth.now() + TimeDelta::seconds(self.seconds.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.truth.sleep(duration).await;
    }
}

/// What was read by name before the clock was set back is old all the same.
#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_old_row_new() {
    let mut late = Late::of(&["a", "b"]);
    let seconds = Arc::new(AtomicI64::new(0));
    let clock =
        Set { truth: SimClock::self_driven(late.stage.sim.clone()), seconds: Arc::clone(&seconds) };
    let leads = Arc::clone(&late.stage.leads) as _;
    let memory = Arc::new(ProcessMemory::default());
    let aws = vec![late.stage.aws.clone()];
    late.stage.fleet = Fleet::new(aws, Arc::new(clock), leads, memory, CostMeter::default());
    late.pass(true).await;
    late.shut(true);
    late.edit("a", 650.0);
    late.stage.sim.advance(60);
    // A person asks for it, and nothing is written: it overran, say.
    late.made((true, true), Some(&Selector::default())).await;
    // And puts it back.
    late.edit("a", 600.0);
    seconds.store(-1800, Ordering::SeqCst);
    for _ in 0..3 {
        late.stage.sim.advance(60);
        let fleet = late.pass(true).await;
        assert!(shown(&fleet, 650.0).is_empty(), "600 is in force for minutes");
    }
}

/// A check looks at what is, and what it has seen counts until a listing that began later.
#[tokio::test]
async fn what_a_person_asks_for_is_read_by_name() {
    let mut late = Late::of(&["a", "b"]);
    late.pass(false).await;
    late.shut(true);
    late.edit("a", 650.0);
    late.stage.sim.advance(60);
    assert!(shown(&late.pass(false).await, 650.0).is_empty(), "the listing is older");
    late.made((false, false), Some(&Selector::default())).await;
    late.stage.sim.advance(60);
    assert_eq!(shown(&late.pass(false).await, 650.0).len(), 1, "it has been seen");
    late.edit("a", 660.0);
    late.shut(false);
    tokio::task::yield_now().await;
    // The listing under way began before.
    late.pass(false).await;
    late.stage.sim.advance(60);
    assert_eq!(shown(&late.pass(false).await, 660.0).len(), 1, "the next one is newer");
}

/// After a deploy a variant that had no scalable target may have one.
#[tokio::test]
async fn what_an_old_listing_lacks_is_asked_for_after_a_deploy() {
    let mut late = Late::of(&["a", "b"]);
    late.stage.change(json!({"deregister": {"variant": "a/AllTraffic"}}));
    late.pass(false).await;
    late.shut(true);
    late.stage.sim.advance(60);
    let target = |fleet: &FleetStatus| of(fleet, "a").snapshot.target.known().cloned().flatten();
    assert_eq!(target(&late.pass(false).await), None);
    late.stage.change(json!({"deploy": {"endpoint": "a", "capacity_factor": 1.0}}));
    late.stage.sim.advance(1800);
    let register = RegisterScalableTarget {
        resource: "endpoint/a/variant/AllTraffic".parse().unwrap(),
        min_capacity: Some(1),
        max_capacity: Some(8),
        suspended: None,
    };
    late.stage.aws.writes.register_scalable_target(&register).await.unwrap();
    assert!(target(&late.pass(false).await).is_some(), "the listing is older than the deploy");
}

/// A person asks for more than there is time for: what is known stays known.
#[tokio::test]
async fn what_a_person_asks_for_without_time_for_it_is_no_less_known_than_before() {
    let all = names(12);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut late = Late::of(&all);
    late.pass(true).await;
    late.shut(true);
    late.stage.sim.advance(60);
    late.pass(true).await;
    late.knobs.by_name_takes.store(60, Ordering::SeqCst);
    late.stage.sim.advance(60);
    let fleet = late.made((true, false), Some(&Selector::default())).await;
    let unknown: Vec<&str> = fleet
        .variants
        .values()
        .filter(|v| !v.decision.report.comparable)
        .map(|v| v.snapshot.id.endpoint.as_str())
        .collect();
    assert!(unknown.is_empty(), "known a minute ago, and nothing has changed: {unknown:?}");
}

/// One call that is throttled is made again by the next pass.
#[tokio::test]
async fn a_row_that_could_not_be_read_by_name_is_asked_for_again() {
    let mut late = Late::of(&["a", "b"]);
    late.edit("a", 700.0);
    late.stage.sim.advance(60);
    late.pass(true).await;
    late.shut(true);
    late.knobs.by_name_fails.store(1, Ordering::SeqCst);
    late.stage.sim.advance(60);
    assert!(of(&late.pass(true).await, "a").snapshot.policies.why().is_some());
    late.stage.sim.advance(60);
    let fleet = late.pass(true).await;
    let why = of(&fleet, "a").snapshot.policies.why().cloned();
    assert!(why.is_none(), "{why:?}");
}

/// Twelve variants that were written twice since they were listed, and read by name in between.
async fn written_twice() -> Late {
    let all = names(12);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut late = Late::of(&all);
    let more = "reconcile: {mass_change: {min_variants: 100}}\n";
    late.config = Config::from_yaml(&format!("{CONFIG}{more}")).unwrap();
    for name in &all {
        late.edit(name, 700.0);
    }
    late.stage.sim.advance(60);
    late.pass(true).await;
    late.shut(true);
    late.stage.sim.advance(60);
    late.pass(true).await;
    for name in &all {
        late.edit(name, 650.0);
    }
    late.stage.sim.advance(60);
    // It reads all of them by name, and puts them back.
    late.made((true, false), Some(&Selector::default())).await;
    for name in &all {
        assert_eq!(late.stage.target_value(name), Some(600.0));
    }
    late.knobs.by_name_takes.store(60, Ordering::SeqCst);
    late
}

fn shown(fleet: &FleetStatus, value: f64) -> Vec<String> {
    let shows = |policies: &Vec<ScalingPolicy>| {
        let tracking = policies.first().and_then(ScalingPolicy::invocations_tracking);
        tracking.is_some_and(|tracking| (tracking.target_value - value).abs() < 0.5)
    };
    let all = fleet.variants.values();
    let all = all.filter(|v| v.snapshot.policies.known().is_some_and(shows));
    all.map(|v| v.snapshot.id.endpoint.to_string()).collect()
}

/// Those that the pass has no time to read are unknown; the values from before the write are not shown.
#[tokio::test]
async fn a_row_that_was_read_before_a_write_does_not_count_after_it() {
    let mut late = written_twice().await;
    late.stage.sim.advance(60);
    let fleet = late.pass(false).await;
    let old = shown(&fleet, 650.0);
    assert!(old.is_empty(), "600 was written a minute ago: {old:?}");
}

/// It makes one edit two, and setpoint stops writing (rule 22).
#[tokio::test]
async fn a_row_that_was_read_before_a_write_makes_no_other_writer() {
    let mut late = written_twice().await;
    late.stage.sim.advance(60);
    late.pass(true).await;
    late.stage.sim.advance(60);
    // It overran.
    late.made((true, true), None).await;
    late.stage.sim.advance(60);
    late.knobs.by_name_takes.store(0, Ordering::SeqCst);
    let fleet = late.pass(true).await;
    let fought: Vec<String> = fleet
        .variants
        .values()
        .filter(|v| {
            let memory = v.snapshot.memory.known().unwrap();
            let counted = memory.foreign_overwrites.get(&Field::TargetValue);
            let of = |value: f64| {
                let same = counted.into_iter().flatten();
                same.filter(|o| (o.value - value).abs() < 0.5).count()
            };
            of(650.0) > 1 || of(700.0) > 1
        })
        .map(|v| v.snapshot.id.endpoint.to_string())
        .collect();
    assert!(fought.is_empty(), "each was edited once to 650: {fought:?}");
}
