//! 500 variants that drifted at once: held as a mass change, and after a person's confirmation put
//! back within AWS's quotas, with one write for each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::consent::Consent;
use setpoint::model::ids::ResourceId;
use setpoint::model::listing::Listing;
use setpoint::model::reason::Reason;
use setpoint::model::scaling::{Activity, ScalableTarget, ScalingPolicy, ScheduledAction};
use setpoint::model::status::FleetStatus;
use setpoint::model::time::Timestamp;
use setpoint::ports::{
    PortResult, PutScalingPolicy, PutScheduledAction, RegisterScalableTarget, ScalingReads,
    ScalingWrites, TagTarget,
};
use setpoint::reconcile::{CostMeter, Fleet as Passes, Purpose};
use setpoint::sim::api::Operation;
use setpoint::sim::scenario::{RateLimit, Throttle};
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::Alone;

use crate::harness;

const VARIANTS: usize = 500;
/// The client-side budget (rule 24): calls of Application Auto Scaling, two a second.
const CALL_EVERY: TimeDelta = TimeDelta::milliseconds(500);
/// A pass begins no further write after this long (`reconcile.pass_timeout_seconds`).
const PASS_TIMEOUT: TimeDelta = TimeDelta::minutes(5);
/// Some four calls a write make 150 variants in a pass of five minutes, less what the sweep takes.
const PASSES_MAX: usize = 8;

const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
defaults: {mode: repair, adopt: true}
targets: [{endpoint: '*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 20}}]
";

/// The ports with the pace of the real client, in virtual time. Says when a pass has overrun.
struct Paced {
    sim: Sim,
    reads: Arc<dyn ScalingReads>,
    writes: Arc<dyn ScalingWrites>,
    stop: Arc<AtomicBool>,
    deadline: Mutex<Timestamp>,
}

impl Paced {
    /// Waits for the turns of so many calls: the pages of a listing come out of the port at once.
    fn turn(&self, pages: usize) {
        let pages = i32::try_from(pages).unwrap();
        self.sim.run_until(self.sim.now() + CALL_EVERY * pages);
        let overrun = self.sim.now() >= *self.deadline.lock().unwrap();
        self.stop.fetch_or(overrun, Ordering::Relaxed);
    }
}

#[async_trait]
impl ScalingReads for Paced {
    async fn scalable_targets(
        &self,
        of: Option<&[ResourceId]>,
    ) -> PortResult<Listing<ScalableTarget>> {
        self.turn(of.map_or(VARIANTS / 50, |_| 1));
        self.reads.scalable_targets(of).await
    }

    async fn scaling_policies(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScalingPolicy>> {
        self.turn(of.map_or(VARIANTS / 10, |_| 1));
        self.reads.scaling_policies(of).await
    }

    async fn scheduled_actions(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScheduledAction>> {
        self.turn(1);
        self.reads.scheduled_actions(of).await
    }

    async fn scaling_activities(&self, of: &ResourceId) -> PortResult<Vec<Activity>> {
        self.turn(1);
        self.reads.scaling_activities(of).await
    }

    async fn tags(&self, target_arn: &str) -> PortResult<BTreeMap<String, String>> {
        self.turn(1);
        self.reads.tags(target_arn).await
    }
}

#[async_trait]
impl ScalingWrites for Paced {
    async fn put_scaling_policy(&self, put: &PutScalingPolicy) -> PortResult<()> {
        self.turn(1);
        self.writes.put_scaling_policy(put).await
    }

    async fn register_scalable_target(&self, register: &RegisterScalableTarget) -> PortResult<()> {
        self.turn(1);
        self.writes.register_scalable_target(register).await
    }

    async fn put_scheduled_action(&self, put: &PutScheduledAction) -> PortResult<()> {
        self.turn(1);
        self.writes.put_scheduled_action(put).await
    }

    async fn tag_target(&self, tag: &TagTarget) -> PortResult<()> {
        self.turn(1);
        self.writes.tag_target(tag).await
    }
}

struct Fleet {
    sim: Sim,
    passes: Passes,
    config: Config,
    paced: Arc<Paced>,
}

impl Fleet {
    fn new(sim: &Sim) -> Self {
        let scope = crate::harness::scope();
        let clock = Arc::new(SimClock::self_driven(sim.clone()));
        let memory = Arc::new(ProcessMemory::default());
        let mut aws = setpoint::sim::aws(sim, scope);
        let paced = Arc::new(Paced {
            sim: sim.clone(),
            reads: Arc::clone(&aws.scaling),
            writes: Arc::clone(&aws.writes),
            stop: Arc::default(),
            deadline: Mutex::new(sim.now()),
        });
        aws.scaling = Arc::clone(&paced) as _;
        aws.writes = Arc::clone(&paced) as _;
        let cost = CostMeter::default();
        let passes = Passes::new(vec![aws], clock, Arc::new(Alone), memory, cost);
        Self { sim: sim.clone(), passes, config: Config::from_yaml(CONFIG).unwrap(), paced }
    }

    async fn pass(&mut self, consent: &Consent) -> FleetStatus {
        *self.paced.deadline.lock().unwrap() = self.sim.now() + PASS_TIMEOUT;
        self.paced.stop.store(false, Ordering::Relaxed);
        let purpose = Purpose::Reconcile(consent);
        let pass = harness::Pass { purpose, stop: &self.paced.stop, ..harness::pass(&self.config) };
        let fleet = pass.of(&mut self.passes).await;
        self.sim.run_until(self.sim.now() + TimeDelta::minutes(1));
        fleet
    }

    /// How often the world has been asked for an operation, refused calls included.
    fn calls(&self, operation: Operation) -> usize {
        self.sim.with_world(|world| world.calls(operation)) as usize
    }

    fn written(&self) -> (usize, usize) {
        (self.calls(Operation::PutScalingPolicy), self.calls(Operation::RegisterScalableTarget))
    }
}

/// Policies of 800 where 600 is wanted: a lowering within one step. Every fifth variant has lost its
/// scalable target as well.
fn drifted(sim: &Sim) {
    for i in 0..VARIANTS {
        let variant = format!("endpoint-{i:05}/AllTraffic");
        let change = if i % 5 == 0 {
            serde_json::json!({"deregister": {"variant": variant}})
        } else {
            serde_json::json!({"edit_policy": {"variant": variant, "target_value": 800.0}})
        };
        let change = serde_json::from_value(change).unwrap();
        sim.with_world(|world| world.change(&change)).unwrap();
    }
}

#[tokio::test]
async fn five_hundred_drifted_variants_wait_for_a_person_and_then_converge_with_one_write_each() {
    let mut scenario = Scenario::fleet(VARIANTS);
    // AWS's bucket fills a little faster than the client takes from it, and holds one listing.
    let bucket = RateLimit { per_second: 3.0, burst: 60.0 };
    scenario.world.throttle =
        Throttle { application_autoscaling: Some(bucket), ..Throttle::default() };
    let sim = scenario.build().unwrap();
    let mut fleet = Fleet::new(&sim);
    drifted(&sim);
    let before = fleet.written();

    // Held, all of it, for as long as nobody confirms.
    let nobody = Consent::default();
    let mut held = FleetStatus::default();
    for _ in 0..3 {
        held = fleet.pass(&nobody).await;
        assert_eq!(fleet.written(), before, "a mass change was written");
    }
    let mass = held.mass_change.clone().expect("a mass change");
    for (id, status) in &held.variants {
        let report = &status.decision.report;
        assert_eq!(report.reason, Reason::MassChange, "{id}: {}", report.sentence);
    }
    assert_eq!(mass.variants.len(), VARIANTS);

    let mut passes = 0;
    let mut consent = mass.shown.clone();
    loop {
        let after = fleet.pass(&consent).await;
        let carried_out = consent.carried_out(&after);
        assert_eq!(carried_out.differs, [], "nobody has changed anything meanwhile");
        consent.follow(&after, &carried_out);
        passes += 1;
        let left = after.variants.values().filter(|s| !s.decision.plan.is_empty()).count();
        if left == 0 && after.variants.values().all(|s| s.decision.report.reason == Reason::InSync)
        {
            break;
        }
        assert!(passes < PASSES_MAX, "{left} variants are left after {passes} passes");
    }
    // Were one of them throttled, it would have been sent again.
    let (put, registered) = fleet.written();
    assert_eq!(put - before.0, VARIANTS, "one for each drifted variant");
    assert_eq!(registered - before.1, VARIANTS / 5, "one for each that was gone");
    assert!(passes > 1, "they fit into one pass: the test proves nothing");
    // And then there is nothing left to write.
    fleet.pass(&nobody).await;
    assert_eq!(fleet.written(), (put, registered));
}
