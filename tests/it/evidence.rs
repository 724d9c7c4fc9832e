//! What is kept over a restart: a process that begins reads what is new and ends where an undisturbed
//! one does, whenever it was killed; whatever does not fit is read again; and nothing is decided on
//! what was kept before what is new has been read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::json;
use setpoint::compact::Shelf;
use setpoint::config::Config;
use setpoint::daemon::pass_settings;
use setpoint::memory::ProcessMemory;
use setpoint::model::evidence::EvidenceStatus;
use setpoint::model::fact::{Why, WhyKind};
use setpoint::model::ids::{AccountId, ResourceId, Scope, VariantId};
use setpoint::model::listing::Listing;
use setpoint::model::per_instance::InstanceId;
use setpoint::model::scaling::Alarm;
use setpoint::model::status::FleetStatus;
use setpoint::model::time::Timestamp;
use setpoint::ports::{Aws, Evidence, Memory, MetricAnswer, MetricQuery, Metrics, PortResult};
use setpoint::reconcile::{Fleet, HistoryWait, Settings as PassSettings};
use setpoint::sim::Sim;
use setpoint::sim::api::Operation;
use setpoint::sim::scenario::{Change, Event, Settings};
use setpoint::store::{FileShelf, Store, StoreSettings};

use crate::harness;

const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
telemetry: {history_days: 3}
defaults: {mode: observe, floors: 'off', objective: {latency: {statistic: p99, threshold_ms: 250}}}
targets: [{endpoint: '*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 8}}]
";
const NAMES: [&str; 3] = ["busy", "calm", "quiet"];

/// Loaded near their capacity, except one with too little traffic for a percentile by the minute.
fn world() -> Sim {
    harness::loaded(
        4,
        NAMES.map(|name| (name, if name == "quiet" { (20.0, 60.0) } else { (600.0, 3600.0) })),
    )
}

fn store(path: &Path) -> Store {
    let keep = TimeDelta::days(90);
    Store::new(StoreSettings::new(Some(path.to_owned()), keep, 64 << 20))
}

/// Metrics that say what they are asked for, and fail when told to.
struct Told {
    behind: Arc<dyn Metrics>,
    asked: Mutex<Vec<(usize, TimeDelta)>>,
    /// How many requests are answered before the process is cut off.
    left: AtomicU32,
}

#[async_trait]
impl Metrics for Told {
    async fn metric_data(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<MetricAnswer> {
        self.asked.lock().unwrap().push((queries.len(), to - from));
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return vec![Err(Why::new(WhyKind::Transient, "cut off")); queries.len()];
        }
        self.left.store(left - 1, Ordering::SeqCst);
        self.behind.metric_data(queries, from, to).await
    }

    async fn instances(&self, of: &ResourceId) -> PortResult<Vec<InstanceId>> {
        self.behind.instances(of).await
    }

    async fn alarms(&self, prefix: &str) -> PortResult<Listing<Alarm>> {
        self.behind.alarms(prefix).await
    }
}

/// A process: it ends by being dropped, as by kill -9, or by [`Passes::stop`].
struct Passes {
    fleet: Fleet,
    told: Arc<Told>,
    store: Option<Store>,
    config: Config,
}

impl Passes {
    fn begin(sim: &Sim, memory: &Arc<dyn Memory>, place: Option<&Path>) -> Self {
        Self::of(sim, memory, place.map(store), CONFIG, Settings::default().account_id)
    }

    fn of(
        sim: &Sim,
        memory: &Arc<dyn Memory>,
        store: Option<Store>,
        config: &str,
        account_id: AccountId,
    ) -> Self {
        let region = Settings::default().region;
        let aws = setpoint::sim::aws(sim, Scope { account_id, region });
        let behind = Arc::clone(&aws.metrics);
        let told = Told { behind, asked: Mutex::default(), left: AtomicU32::new(u32::MAX) };
        let told = Arc::new(told);
        let aws = Aws { metrics: Arc::clone(&told) as Arc<dyn Metrics>, ..aws };
        let mut fleet = harness::fleet(sim, aws, memory);
        if let Some(store) = &store {
            // What rests lies in a file, all of it: those without a store have it in memory.
            let shelf = FileShelf::new(&std::env::temp_dir(), 0).unwrap();
            fleet = fleet.resting(&(Arc::new(shelf) as Arc<dyn Shelf>));
            fleet = fleet.keeping(Arc::new(store.clone()) as Arc<dyn Evidence>);
        }
        Self { fleet, told, store, config: Config::from_yaml(config).unwrap() }
    }

    async fn pass(&mut self) -> FleetStatus {
        let settings = PassSettings {
            history_wait: HistoryWait::All,
            last_day_first_above: 0,
            ..pass_settings(&self.config)
        };
        harness::Pass { settings, telemetry: true, ..harness::pass(&self.config) }
            .of(&mut self.fleet)
            .await
    }

    /// As kill -9: nothing is kept that was not.
    async fn kill(self) {
        let Self { fleet, store, .. } = self;
        drop(fleet);
        // The lock of the file goes with the process.
        if let Some(store) = store {
            store.close().await;
        }
    }

    /// As SIGTERM.
    async fn stop(mut self) {
        self.fleet.end(Duration::from_mins(1)).await;
        self.kill().await;
    }

    fn asked(&self) -> Vec<(usize, TimeDelta)> {
        self.told.asked.lock().unwrap().clone()
    }
}

/// What pages, API and metrics rest on, but for when things were looked at: byte for byte.
fn decided(status: &FleetStatus) -> BTreeMap<VariantId, String> {
    let of = |id: &VariantId| {
        let decision = &status.variants[id].decision;
        let text = json!({
            "estimate": decision.report.estimate,
            "plan": decision.plan,
            "sentence": decision.report.sentence,
            "safe_target": decision.report.safe_target,
        });
        (id.clone(), text.to_string())
    };
    status.variants.keys().map(of).collect()
}

fn evidence(status: &FleetStatus) -> EvidenceStatus {
    status.evidence.clone().unwrap()
}

fn ratios(status: &FleetStatus) -> Vec<Option<f64>> {
    let of = |id| status.variants[id].decision.report.estimate.history_complete_ratio;
    status.variants.keys().map(of).collect()
}

fn memory() -> Arc<dyn Memory> {
    Arc::new(ProcessMemory::default())
}

/// A place in which a process has kept all of it before it was killed, what it remembered, and another
/// one that knows the same and goes on.
async fn kept(sim: &Sim) -> (tempfile::TempDir, Passes, Arc<dyn Memory>) {
    let (folder, remembered) = (tempfile::tempdir().unwrap(), memory());
    let mut one = Passes::begin(sim, &remembered, Some(&file(&folder)));
    let first = one.pass().await;
    let status = evidence(&first);
    assert_eq!((status.resumed, status.kept, status.trouble), (0, 3, None));
    assert_eq!(ratios(&first), [Some(1.0); 3]);
    // 10,000 of these are written four times a day: by their size some 400 MB.
    let ids: Vec<VariantId> = first.variants.keys().cloned().collect();
    let records = one.store.as_ref().unwrap().records(ids).await.unwrap();
    assert!(records.iter().flatten().all(|record| record.len() < 64 << 10));
    one.kill().await;
    let mut undisturbed = Passes::begin(sim, &memory(), None);
    same(&first, &undisturbed.pass().await, "at first");
    (folder, undisturbed, remembered)
}

/// Whether both have decided the same, of each variant.
fn same(one: &FleetStatus, other: &FleetStatus, when: &str) {
    let other = decided(other);
    for (id, decided) in decided(one) {
        assert_eq!(decided, other[&id], "{id} {when}");
    }
}

fn file(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("history.redb")
}

#[tokio::test]
async fn a_restart_costs_what_a_pause_does() {
    let sim = world();
    let (folder, mut undisturbed, memory) = kept(&sim).await;
    let month = undisturbed.asked().len();
    sim.advance(600);
    let counts = || -> BTreeMap<Operation, u64> {
        let own = |o: &Operation| (*o, sim.with_world(|world| world.calls(*o)));
        Operation::ALL.iter().map(own).collect()
    };
    let mut again = Passes::begin(&sim, &memory, Some(&file(&folder)));
    let before = counts();
    let first = again.pass().await;
    let restarted = counts();
    let paused = undisturbed.pass().await;
    let went_on = counts();
    same(&first, &paused, "after the restart");
    assert_eq!(ratios(&first), [Some(1.0); 3]);
    assert_eq!(evidence(&first).resumed, 3);
    assert_eq!(evidence(&first).dropped, BTreeMap::new());
    // The same reads, and of each endpoint one more, which the other process does every 15 minutes.
    for operation in Operation::ALL {
        let restart = restarted[operation] - before[operation];
        let pause = went_on[operation] - restarted[operation];
        let more = if *operation == Operation::DescribeEndpoint { 3 } else { 0 };
        assert!(restart <= pause + more, "{operation:?}: {restart} and {pause}");
    }
    // The minutes of two of them in one request, the quiet one's in three lengths.
    let asked = again.asked();
    assert!(asked.iter().all(|(_, span)| *span <= TimeDelta::minutes(30)), "{asked:?}");
    assert_eq!(asked.len(), undisturbed.asked().len() - month, "{asked:?}");
    // And so on for a day.
    for _ in 0..24 {
        sim.advance(3600);
        same(&again.pass().await, &undisturbed.pass().await, "later");
    }
}

/// A process that is told to stop keeps what it knows; one that is killed kept it up to six hours ago.
#[tokio::test]
async fn killed_at_any_pass_it_ends_where_an_undisturbed_one_does() {
    // By a fixed seed; each round is another life of the process.
    let mut state = 20_261_128_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let sim = world();
    let (folder, mut undisturbed, memory) = kept(&sim).await;
    let mut again = Passes::begin(&sim, &memory, Some(&file(&folder)));
    let mut resumed = 0;
    for life in 0..8 {
        for _ in 0..=random(4) {
            // What is new of the quiet one comes by the quarter of an hour.
            sim.advance(900 * (1 + u32::try_from(random(12)).unwrap()));
            // Other passes than the undisturbed one makes, now and then.
            if random(3) > 0 {
                let status = again.pass().await;
                resumed = resumed.max(evidence(&status).resumed);
            }
            undisturbed.pass().await;
        }
        if random(2) == 0 {
            again.stop().await;
        } else {
            again.kill().await;
        }
        again = Passes::begin(&sim, &memory, Some(&file(&folder)));
        let (one, other) = (again.pass().await, undisturbed.pass().await);
        same(&one, &other, &format!("in life {life}"));
        assert_eq!(evidence(&one).dropped, BTreeMap::new(), "life {life}");
    }
    assert_eq!(resumed, 3);
}

/// As the whole is judged: kill -9 during the back-fill.
#[tokio::test]
async fn killed_while_the_history_is_read_it_reads_the_rest_and_ends_the_same() {
    let sim = world();
    let mut undisturbed = Passes::begin(&sim, &memory(), None);
    let expected = undisturbed.pass().await;
    let whole = undisturbed.asked().len();
    for left in 0..=u32::try_from(whole).unwrap() {
        let (folder, memory) = (tempfile::tempdir().unwrap(), memory());
        let mut killed = Passes::begin(&sim, &memory, Some(&file(&folder)));
        killed.told.left.store(left, Ordering::SeqCst);
        let kept = evidence(&killed.pass().await).kept;
        killed.kill().await;
        let mut again = Passes::begin(&sim, &memory, Some(&file(&folder)));
        let ended = again.pass().await;
        same(&ended, &expected, &format!("killed after {left} requests"));
        assert_eq!(evidence(&ended).resumed, kept, "what was known in full is not read again");
    }
}

#[tokio::test]
async fn nothing_is_decided_on_what_was_kept_before_what_is_new_is_read() {
    let sim = world();
    let (folder, _, memory) = kept(&sim).await;
    sim.advance(3600);
    let mut again = Passes::begin(&sim, &memory, Some(&file(&folder)));
    again.told.left.store(0, Ordering::SeqCst);
    for status in again.pass().await.variants.values() {
        assert_eq!(status.snapshot.telemetry.why().unwrap().message, "cut off");
        assert_eq!(status.decision.report.estimate.capacity.estimate, None);
    }
    again.told.left.store(u32::MAX, Ordering::SeqCst);
    sim.advance(300);
    let read = again.pass().await;
    assert_eq!(evidence(&read).resumed, 3);
    assert_eq!(ratios(&read), [Some(1.0); 3]);
}

/// A deploy of the busy one that makes its capacity this share of what it was.
fn deploy(capacity_factor: f64) -> Change {
    let endpoint = "busy".to_owned();
    Change::Deploy { endpoint, capacity_factor, instance_type: None, retain: true }
}

fn change(sim: &Sim, change: Change) {
    sim.with_world(|world| {
        let at = world.now();
        world.plan(Event { at, change });
    });
}

#[tokio::test]
async fn what_does_not_fit_is_read_again_and_said() {
    let sim = world();
    let (folder, _, memory) = kept(&sim).await;
    // While nobody looks, one is deployed.
    change(&sim, deploy(0.6));
    sim.advance(7200);
    let mut again = Passes::begin(&sim, &memory, Some(&file(&folder)));
    let first = again.pass().await;
    let status = evidence(&first);
    assert_eq!((status.resumed, &status.dropped), (2, &BTreeMap::from([("deploy", 1)])));
    let mut fresh = Passes::begin(&sim, &memory, None);
    let busy = |status: &FleetStatus| decided(status).into_values().next();
    assert_eq!(busy(&first), busy(&fresh.pass().await), "as if nothing had been kept");
    again.stop().await;
    // Another objective.
    let slower = CONFIG.replace("threshold_ms: 250", "threshold_ms: 400");
    let account = Settings::default().account_id;
    let place = store(&file(&folder));
    let mut again = Passes::of(&sim, &memory, Some(place), &slower, account.clone());
    let status = evidence(&again.pass().await);
    assert_eq!((status.resumed, &status.dropped), (0, &BTreeMap::from([("other_settings", 3)])));
    // It has kept its own in the place of it.
    again.kill().await;
    let place = store(&file(&folder));
    let mut again = Passes::of(&sim, &memory, Some(place), &slower, account.clone());
    assert_eq!(evidence(&again.pass().await).resumed, 3);
    again.kill().await;
    // A longer history than was read.
    let longer = slower.replace("history_days: 3", "history_days: 4");
    let place = store(&file(&folder));
    let mut again = Passes::of(&sim, &memory, Some(place), &longer, account);
    let status = evidence(&again.pass().await);
    assert_eq!(status.dropped, BTreeMap::from([("too_short", 3)]));
    again.kill().await;
    // Nobody ran for longer than the history reaches back.
    sim.advance(4 * 86_400 + 600);
    let place = store(&file(&folder));
    let mut again = Passes::of(&sim, &memory, Some(place), &slower, Settings::default().account_id);
    let status = evidence(&again.pass().await);
    assert_eq!(status.dropped, BTreeMap::from([("too_old", 3)]));
}

/// A volume that was copied to a process of another account, or whose bytes are not what they were.
#[tokio::test]
async fn what_is_of_another_account_or_damaged_is_not_used() {
    let sim = world();
    let (folder, _, memory) = kept(&sim).await;
    sim.advance(600);
    let other: AccountId = "210987654321".parse().unwrap();
    let copied = folder.path().join("copied.redb");
    std::fs::copy(file(&folder), &copied).unwrap();
    let place = store(&copied);
    let mut again = Passes::of(&sim, &memory, Some(place), CONFIG, other);
    let status = evidence(&again.pass().await);
    assert_eq!((status.resumed, &status.dropped, status.kept), (0, &BTreeMap::new(), 3));
    again.kill().await;
    let place = store(&file(&folder));
    let id = |name: &str| {
        VariantId::of(
            Settings::default().account_id,
            Settings::default().region,
            name.parse().unwrap(),
            "AllTraffic".parse().unwrap(),
        )
    };
    // The record of one under the name of another, half of one, and none.
    let found = place.records(NAMES.map(id).to_vec()).await.unwrap();
    let [busy, calm, _] = &found[..] else { panic!("{found:?}") };
    let (busy, calm) = (busy.clone().unwrap(), calm.clone().unwrap());
    let half = busy[..busy.len() / 2].to_vec();
    let wrong = vec![(id("busy"), calm), (id("calm"), half), (id("quiet"), Vec::new())];
    place.keep_records(wrong, sim.now()).await.unwrap();
    let mut again = Passes::of(&sim, &memory, Some(place), CONFIG, Settings::default().account_id);
    let status = evidence(&again.pass().await);
    assert_eq!(status.dropped, BTreeMap::from([("damaged", 2), ("other_variant", 1)]));
    assert_eq!((status.resumed, status.kept), (0, 3));
}

/// A follower has an old record of its own; the leader has seen another regime begin since.
#[tokio::test]
async fn a_follower_that_becomes_leader_does_not_go_back_to_a_regime_that_is_over() {
    let sim = world();
    let (folder, _, memory) = kept(&sim).await;
    let mut leader = Passes::begin(&sim, &memory, None);
    leader.pass().await;
    change(&sim, Change::CapacityStep { variant: "busy/AllTraffic".to_owned(), factor: 0.5 });
    for _ in 0..10 {
        sim.advance(3600);
        leader.pass().await;
    }
    drop(leader);
    let mut follower = Passes::begin(&sim, &memory, Some(&file(&folder)));
    let status = evidence(&follower.pass().await);
    assert_eq!(status.dropped, BTreeMap::from([("other_regime", 1)]));
    assert_eq!(status.resumed, 2);
}

mod identity;
mod record;
