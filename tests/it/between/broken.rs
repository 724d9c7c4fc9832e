//! A bug of ours in one variant, one write or one pass ends nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::json;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::decision::StepResult;
use setpoint::model::fact::Fact;
use setpoint::model::goal::Goal;
use setpoint::model::ids::{Scope, VariantId};
use setpoint::model::keeper::{OtherSetpoint, Sign};
use setpoint::model::pauses::Pauses;
use setpoint::model::reason::Reason;
use setpoint::model::status::FleetStatus;
use setpoint::model::time::Timestamp;
use setpoint::ports::{
    Keep, Leadership, Memories, Memory, MemoryError, PortResult, PutScalingPolicy,
    PutScheduledAction, RegisterScalableTarget, ScalingWrites, Subject, TagTarget,
};
use setpoint::reconcile::{Goals, Named};

use super::stage::{Bend, CONFIG, Stage, of};
use crate::harness;

fn drift(stage: &Stage, names: &[&str], target_value: f64) {
    for name in names {
        let variant = format!("{name}/AllTraffic");
        stage.change(json!({"edit_policy": {"variant": variant, "target_value": target_value}}));
    }
}

#[tokio::test]
async fn a_read_that_panics_leaves_its_variant_unknown() {
    let mut stage = Stage::of(&["broken", "other"]);
    stage.bend("broken", Bend::Panic);
    drift(&stage, &["broken", "other"], 700.0);
    let fleet = stage.pass(true).await;
    assert_eq!(stage.target_value("other"), Some(600.0));
    assert_eq!(stage.target_value("broken"), Some(700.0));
    assert!(!of(&fleet, "broken").decision.report.comparable);
}

/// Goals of which one makes deciding overflow.
#[derive(Clone)]
struct Overflowing(Config);

impl Goals for Overflowing {
    fn goal(&self, id: &VariantId) -> Result<Goal, String> {
        let mut goal = Goals::goal(&self.0, id)?;
        if id.endpoint.as_str() == "broken" {
            goal.safe_change_grace = TimeDelta::MAX;
        }
        Ok(goal)
    }

    fn named(&self, scopes: &[Scope]) -> Vec<Named> {
        Goals::named(&self.0, scopes)
    }

    fn shared(&self) -> Arc<dyn Goals> {
        Arc::new(self.clone())
    }
}

/// A pass that reads telemetry and writes.
async fn with_telemetry(stage: &mut Stage, goals: &dyn Goals) -> FleetStatus {
    let config = Config::from_yaml(CONFIG).unwrap();
    harness::Pass { goals, telemetry: true, ..harness::pass(&config) }.of(&mut stage.fleet).await
}

#[tokio::test]
async fn a_decision_that_panics_leaves_its_variant_unknown() {
    let goals = Overflowing(Config::from_yaml(CONFIG).unwrap());
    let mut stage = Stage::of(&["broken", "other"]);
    // A change in the safe direction, whose grace never ends.
    drift(&stage, &["broken"], 500.0);
    drift(&stage, &["other"], 700.0);
    let fleet = with_telemetry(&mut stage, &goals).await;
    assert_eq!(stage.target_value("other"), Some(600.0));
    let report = &of(&fleet, "broken").decision.report;
    assert!(!report.comparable && report.sentence.contains("setpoint failed"), "{report:?}");
    // Once its goal is well, the next pass compares it again. What was read of it before is not trusted: it is read again
    // with the next telemetry, and not paid for before.
    let ratios = |fleet: &FleetStatus| {
        ["broken", "other"]
            .map(|name| of(fleet, name).decision.report.estimate.history_complete_ratio)
    };
    let fleet = stage.pass(true).await;
    assert!(of(&fleet, "broken").decision.report.comparable);
    assert_eq!(ratios(&fleet), [Some(0.0), Some(1.0)]);
    let fleet = with_telemetry(&mut stage, &Config::from_yaml(CONFIG).unwrap()).await;
    assert_eq!(ratios(&fleet), [Some(1.0); 2]);
}

/// Writes of which one breaks the process after it has been sent.
struct Breaking(Arc<dyn ScalingWrites>);

#[async_trait]
impl ScalingWrites for Breaking {
    async fn put_scaling_policy(&self, put: &PutScalingPolicy) -> PortResult<()> {
        self.0.put_scaling_policy(put).await?;
        assert!(put.resource.endpoint.as_str() != "broken", "a bug of ours");
        Ok(())
    }

    async fn register_scalable_target(&self, register: &RegisterScalableTarget) -> PortResult<()> {
        self.0.register_scalable_target(register).await
    }

    async fn put_scheduled_action(&self, put: &PutScheduledAction) -> PortResult<()> {
        self.0.put_scheduled_action(put).await
    }

    async fn tag_target(&self, tag: &TagTarget) -> PortResult<()> {
        self.0.tag_target(tag).await
    }
}

#[tokio::test]
async fn a_write_that_panics_counts_as_made_and_stops_no_other() {
    let memory = Arc::new(ProcessMemory::default());
    let mut stage = Stage::with(
        &["broken", "other"],
        |mut aws| {
            aws.writes = Arc::new(Breaking(aws.writes));
            aws
        },
        memory,
    );
    drift(&stage, &["broken", "other"], 700.0);
    let fleet = stage.pass(true).await;
    assert_eq!(stage.target_value("other"), Some(600.0));
    let step = &of(&fleet, "broken").outcome.as_ref().unwrap().steps[0];
    assert_eq!((step.result, step.reason), (StepResult::Error, Some(Reason::WriteFailed)));
    assert_eq!(step.refused, None, "it may have been sent");
    let fleet = stage.pass(true).await;
    let memory = of(&fleet, "broken").snapshot.memory.known().unwrap();
    assert_eq!(memory.writes.len(), 1, "rule 10 counts it");
}

/// A memory that breaks the process when it is read, or when it is kept.
#[derive(Default)]
pub(super) struct BreakingMemory {
    pub(super) inner: ProcessMemory,
    pub(super) on_load: AtomicBool,
    pub(super) on_save: AtomicBool,
    /// What is read right before a write of `broken` is a time that no arithmetic survives.
    pub(super) on_fresh: AtomicBool,
    /// How many terms have begun.
    pub(super) terms: AtomicU32,
}

#[async_trait]
impl Memory for BreakingMemory {
    async fn load(&self, of: &[Subject], fresh: bool) -> Memories {
        assert!(!self.on_load.swap(false, Ordering::Relaxed), "a bug of ours");
        let mut all = self.inner.load(of, fresh).await;
        if fresh && self.on_fresh.swap(false, Ordering::Relaxed) {
            let broken = all.iter_mut().find(|(id, _)| id.endpoint.as_str() == "broken");
            let Some((_, Fact::Known(memory))) = broken else { panic!("it is not about broken") };
            let at = Timestamp::MAX_UTC;
            let sign = Sign { id: Some("other".to_owned()), first: at, last: at };
            memory.other_setpoint = Some(OtherSetpoint { signs: vec![sign] }.into());
        }
        all
    }

    async fn save(
        &self,
        all: &[Keep],
        leadership: &dyn Leadership,
    ) -> BTreeMap<VariantId, MemoryError> {
        assert!(!self.on_save.swap(false, Ordering::Relaxed), "a bug of ours");
        self.inner.save(all, leadership).await
    }

    async fn remembered(&self) -> Result<BTreeSet<VariantId>, MemoryError> {
        self.inner.remembered().await
    }

    async fn pauses(&self) -> Result<Pauses, MemoryError> {
        self.inner.pauses().await
    }

    async fn save_pauses(&self, pauses: &Pauses) -> Result<(), MemoryError> {
        self.inner.save_pauses(pauses).await
    }

    fn begin_term(&self) {
        self.terms.fetch_add(1, Ordering::Relaxed);
    }

    fn survives_restart(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_read_that_panics_leaves_its_account_and_region_unknown_for_one_pass() {
    let on_load = AtomicBool::new(true);
    let memory = Arc::new(BreakingMemory { on_load, ..BreakingMemory::default() });
    let mut stage = Stage::with(&["a"], |aws| aws, Arc::clone(&memory) as _);
    drift(&stage, &["a"], 700.0);
    let fleet = stage.pass(true).await;
    let why = fleet.scopes.values().next().unwrap().as_ref().unwrap();
    assert!(why.message.contains("setpoint has failed to read it"), "{why:?}");
    stage.pass(true).await;
    assert_eq!(stage.target_value("a"), Some(600.0));
    // Other accounts and regions share the memory, and know what it said in this term.
    assert_eq!(memory.terms.load(Ordering::Relaxed), 1, "to start over is no new term");
}

#[tokio::test]
async fn a_second_decision_that_panics_writes_nothing_and_stops_no_other() {
    let memory = BreakingMemory { on_fresh: AtomicBool::new(true), ..BreakingMemory::default() };
    let mut stage = Stage::with(&["broken", "other"], |aws| aws, Arc::new(memory));
    drift(&stage, &["broken", "other"], 700.0);
    let fleet = stage.pass(true).await;
    assert_eq!(stage.target_value("other"), Some(600.0));
    assert_eq!(stage.target_value("broken"), Some(700.0));
    let report = &of(&fleet, "broken").decision.report;
    assert!(report.sentence.contains("setpoint failed"), "{report:?}");
}
