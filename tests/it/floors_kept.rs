//! A process that dies while it writes a set of floors, after each of its actions in turn: the next one
//! completes the set, and where there is none, AWS gives min back by itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::reason::{Field, Reason};
use setpoint::model::scaling::ScheduledAction;
use setpoint::model::status::FleetStatus;
use setpoint::ports::{
    Memory, PortResult, PutScalingPolicy, PutScheduledAction, RegisterScalableTarget,
    ScalingWrites, TagTarget,
};
use setpoint::reconcile::Fleet;
use setpoint::sim::{Scenario, Sim};
use tokio::sync::Notify;

use crate::harness::{self, Pass, aws, fleet};

const RESOURCE: &str = "endpoint/office/variant/AllTraffic";

/// Hands out so many scheduled actions; the process does not survive the next one.
struct Dying {
    writes: Arc<dyn ScalingWrites>,
    left: AtomicUsize,
    died: Arc<Notify>,
}

#[async_trait]
impl ScalingWrites for Dying {
    async fn put_scaling_policy(&self, put: &PutScalingPolicy) -> PortResult<()> {
        self.writes.put_scaling_policy(put).await
    }

    async fn register_scalable_target(&self, register: &RegisterScalableTarget) -> PortResult<()> {
        self.writes.register_scalable_target(register).await
    }

    async fn put_scheduled_action(&self, put: &PutScheduledAction) -> PortResult<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
        self.writes.put_scheduled_action(put).await
    }

    async fn tag_target(&self, tag: &TagTarget) -> PortResult<()> {
        self.writes.tag_target(tag).await
    }
}

fn world() -> (Sim, Config) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let sim = Scenario::load(&home.join("worlds/ramp.yaml")).unwrap().build().unwrap();
    let config = std::fs::read_to_string(home.join("configs/floors-kept.yaml")).unwrap();
    (sim, Config::from_yaml(&config).unwrap())
}

async fn pass(fleet: &mut Fleet, config: &Config) -> FleetStatus {
    Pass { telemetry: true, ..harness::pass(config) }.of(fleet).await
}

async fn own_actions(sim: &Sim) -> Vec<ScheduledAction> {
    let all = aws(sim).scaling.scheduled_actions(None).await.unwrap().whole().unwrap();
    assert!(all.iter().all(|action| action.resource.to_string() == RESOURCE), "{all:?}");
    assert!(all.iter().all(ScheduledAction::is_setpoints), "{all:?}");
    all
}

fn min(sim: &Sim) -> i64 {
    let state = sim.state();
    let variants = state["variants"].as_array().unwrap();
    variants.iter().find(|v| v["resource"] == RESOURCE).unwrap()["min_capacity"].as_i64().unwrap()
}

/// A process that dies after `left` actions.
async fn dies_after(left: usize) -> (Sim, Config, Arc<dyn Memory>) {
    let (sim, config) = world();
    let memory: Arc<dyn Memory> = Arc::new(ProcessMemory::default());
    let died = Arc::new(Notify::new());
    let mut ports = aws(&sim);
    let writes = Arc::clone(&ports.writes);
    ports.writes =
        Arc::new(Dying { writes, left: AtomicUsize::new(left), died: Arc::clone(&died) });
    let mut fleet = fleet(&sim, ports, &memory);
    tokio::select! {
        _ = pass(&mut fleet, &config) => panic!("it survived"),
        () = died.notified() => {}
    }
    assert_eq!(own_actions(&sim).await.len(), left);
    (sim, config, memory)
}

#[tokio::test]
async fn the_next_process_completes_what_one_that_died_has_begun() {
    for left in 0..4 {
        let (sim, config, memory) = dies_after(left).await;
        let mut next = fleet(&sim, aws(&sim), &memory);
        for _ in 0..2 {
            sim.advance(60);
            let status = pass(&mut next, &config).await;
            for status in status.variants.values() {
                assert_ne!(
                    status.decision.report.reason,
                    Reason::OtherWriter,
                    "{left}: {status:#?}"
                );
            }
        }
        assert_eq!(own_actions(&sim).await.len(), 4, "{left}");
        let status = pass(&mut next, &config).await;
        for status in status.variants.values() {
            assert!(status.decision.plan.is_empty(), "{left}: {:#?}", status.decision);
            let memory = status.snapshot.memory.known().unwrap();
            assert_eq!(memory.foreign_overwrites.get(&Field::Floors), None, "{left}");
        }
    }
}

#[tokio::test]
async fn where_there_is_no_next_process_min_is_given_back() {
    for left in 1..4 {
        let (sim, ..) = dies_after(left).await;
        // Twice a day for nine days, at the height of the day and in the middle of the night.
        let mut highest = 0;
        for _ in 0..18 {
            sim.run_until(sim.now() + TimeDelta::hours(12));
            highest = highest.max(min(&sim));
        }
        assert_eq!(min(&sim), 2, "{left}");
        assert!(highest <= 7, "{left}: {highest}");
        let runs = own_actions(&sim).await;
        let runs: Vec<_> = runs.iter().filter(|a| a.next_run(sim.now()).is_some()).collect();
        assert!(runs.is_empty(), "{left}: {runs:?}");
    }
}
