//! The loop of the daemon, in this process: a clock that is set back, and a pass that panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use setpoint::config::Config;
use setpoint::daemon::{Daemon, FleetCell, Handle, LeadershipSource, Parts};
use setpoint::http::{Control, Health};
use setpoint::memory::{FileMemory, ProcessMemory};
use setpoint::metrics::{Metrics, Shown};
use setpoint::model::selector::Selector;
use setpoint::model::status::VariantStatus;
use setpoint::model::time::Timestamp;
use setpoint::ports::{Aws, Clock, Memory};
use setpoint::reconcile::{CostMeter, Fleet};
use setpoint::sim::SimClock;
use setpoint::store::{Store, StoreSettings};
use setpoint::system::{Alone, WallClock};

use super::broken::BreakingMemory;
use super::stage::{CONFIG, Stage};
use crate::harness;

/// The machine's clock, set by this many seconds.
#[derive(Default)]
struct Set(AtomicI64);

#[async_trait]
impl Clock for Set {
    fn now(&self) -> Timestamp {
        WallClock.now() + TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        WallClock.sleep(duration).await;
    }
}

struct Running {
    handle: Handle,
    fleet: Arc<FleetCell>,
    health: Arc<Health>,
    metrics: Metrics,
}

/// A daemon that makes a pass every second and has no scheduler that rings.
fn start(clock: &Arc<dyn Clock>, memory: &Arc<dyn Memory>) -> (Daemon, Running) {
    start_with(clock, memory, Store::in_memory())
}

fn start_with(
    clock: &Arc<dyn Clock>,
    memory: &Arc<dyn Memory>,
    history: Store,
) -> (Daemon, Running) {
    start_on(Stage::of(&["a"]).aws.clone(), clock, memory, history)
}

fn start_on(
    aws: Aws,
    clock: &Arc<dyn Clock>,
    memory: &Arc<dyn Memory>,
    history: Store,
) -> (Daemon, Running) {
    let config = format!("{CONFIG}reconcile: {{schedule: \"* * * * * *\", jitter_seconds: 0}}\n");
    let config = Config::from_yaml(&config).unwrap();
    let again = config.clone();
    let fleet = Arc::new(FleetCell::default());
    let registry = prometheus::Registry::new();
    let metrics = Metrics::register(registry, Arc::clone(&fleet) as _, Shown::up_to(100)).unwrap();
    let health = Arc::new(Health::new(Instant::now(), Duration::from_secs(5)));
    let (fleet_clock, fleet_memory) = (Arc::clone(clock), Arc::clone(memory));
    let (daemon, handle) = Daemon::new(Parts {
        config,
        loader: Arc::new(move || Ok(again.clone())),
        leadership: LeadershipSource::Alone(Arc::new(Alone)),
        make_fleet: Box::new(move |leadership| {
            let (clock, memory) = (Arc::clone(&fleet_clock), Arc::clone(&fleet_memory));
            Fleet::new(vec![aws.clone()], clock, leadership, memory, CostMeter::default())
        }),
        clock: Arc::clone(clock),
        memory: Arc::clone(memory),
        history,
        events: None,
        fleet: Arc::clone(&fleet),
        metrics: metrics.clone(),
        health: Arc::clone(&health),
    });
    (daemon, Running { handle, fleet, health, metrics })
}

impl Running {
    async fn until(&self, what: &str, is: impl Fn(Option<Timestamp>) -> bool) {
        let began = Instant::now();
        while !is(self.fleet.get().at) {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn passes_go_on_when_the_clock_is_set_back() {
    let set = Arc::new(Set::default());
    let clock: Arc<dyn Clock> = Arc::clone(&set) as _;
    let memory: Arc<dyn Memory> = Arc::new(ProcessMemory::default());
    let (daemon, running) = start(&clock, &memory);
    tokio::join!(daemon.run(), set_back(&running, &set));
}

async fn set_back(running: &Running, set: &Set) {
    running.until("a first pass", |at| at.is_some()).await;
    set.0.store(-3600, Ordering::SeqCst);
    let before = WallClock.now() - TimeDelta::minutes(50);
    running.until("a pass by the new time", |at| at.is_some_and(|at| at < before)).await;
    assert_eq!(running.health.silent_too_long(Instant::now()), None);
    // Ahead again: due at once.
    set.0.store(0, Ordering::SeqCst);
    running.until("a pass by the right time", |at| at.is_some_and(|at| at > before)).await;
    let text = setpoint::metrics::text(&running.metrics).unwrap();
    let age = text.lines().find_map(|line| line.strip_prefix("setpoint_last_pass_age_seconds "));
    let age: f64 = age.expect("an age").parse().unwrap();
    assert!((0.0..20.0).contains(&age), "by the monotonic clock: {age}");
    running.handle.stop();
}

#[tokio::test]
async fn a_pass_that_panics_ends_that_pass_and_not_the_process() {
    let clock: Arc<dyn Clock> = Arc::new(Set::default());
    let memory = BreakingMemory { on_save: AtomicBool::new(true), ..BreakingMemory::default() };
    let memory: Arc<dyn Memory> = Arc::new(memory);
    let (daemon, running) = start(&clock, &memory);
    tokio::join!(daemon.run(), goes_on(&running));
}

async fn goes_on(running: &Running) {
    running.until("a pass after the one that panicked", |at| at.is_some()).await;
    let answer = running.handle.reconcile(&Selector::default()).await;
    assert_eq!(answer.unwrap().variants.len(), 1);
    running.handle.stop();
}

impl Running {
    fn month_cost(&self) -> f64 {
        let text = setpoint::metrics::text(&self.metrics).unwrap();
        let name = "setpoint_cloudwatch_month_cost_dollars{shard=\"0\"} ";
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
    }
}

/// Makes the first pass of a process, telemetry included, and ends; what the month has cost by then.
async fn one_life(memory: &Arc<dyn Memory>, history: Store) -> f64 {
    let clock: Arc<dyn Clock> = Arc::new(Set::default());
    let (daemon, running) = start_with(&clock, memory, history);
    let look = async {
        running.until("a first pass", |at| at.is_some()).await;
        let cost = running.month_cost();
        running.handle.stop();
        cost
    };
    tokio::join!(daemon.run(), look).1
}

#[tokio::test]
async fn the_months_cost_goes_on_over_restarts_in_the_memory_or_else_in_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("memory.json");
    let kept = || -> Arc<dyn Memory> { Arc::new(FileMemory::new(&file)) };
    let first = one_life(&kept(), Store::in_memory()).await;
    let second = one_life(&kept(), Store::in_memory()).await;
    assert!(first > 0.0 && second > 1.5 * first, "{first}, then {second} dollars");

    let process = || -> Arc<dyn Memory> { Arc::new(ProcessMemory::default()) };
    let history = || {
        let path = Some(folder.path().join("history.redb"));
        Store::new(StoreSettings::new(path, TimeDelta::days(90), 64 << 20))
    };
    let first = one_life(&process(), history()).await;
    let second = one_life(&process(), history()).await;
    assert!(first > 0.0 && second > 1.5 * first, "{first}, then {second} dollars");
    let forgets = one_life(&process(), Store::in_memory()).await;
    assert!(forgets < 1.5 * first, "{forgets} dollars without a place");
}

/// A first read has up to two weeks of hours of each variant, and the next one comes a quarter of an hour later.
#[tokio::test]
async fn hours_that_the_history_has_are_let_go_of() {
    let sim = harness::loaded(2, [("a", (600.0, 3600.0))]);
    let clock: Arc<dyn Clock> = Arc::new(SimClock::driven_by_others(sim.clone()));
    let memory: Arc<dyn Memory> = Arc::new(ProcessMemory::default());
    let history = Store::in_memory();
    let aws = setpoint::sim::aws(&sim, harness::scope());
    let (daemon, running) = start_on(aws, &clock, &memory, history.clone());
    tokio::join!(daemon.run(), lets_go(&running, &history, clock.now()));
}

/// The first pass with telemetry holds the hours that were read, and the one after it none.
async fn lets_go(running: &Running, history: &Store, now: Timestamp) {
    let hours = |status: &VariantStatus| {
        let telemetry = status.snapshot.telemetry.known().expect("telemetry");
        assert!(!telemetry.recent.is_empty(), "the last minutes stay");
        telemetry.hours.get().len()
    };
    running.until("a first pass", |at| at.is_some()).await;
    let fleet = running.fleet.get();
    let (id, first) = fleet.variants.iter().next().expect("a variant");
    let held = hours(first);
    assert!(held >= 23, "{held} hours at first");
    let next = running.handle.reconcile(&Selector::default()).await.unwrap();
    assert_eq!(hours(&next.variants[0]), 0);
    let kept = history.history(id, now - TimeDelta::days(3), now).await.unwrap().unwrap();
    let whole = kept.hours.iter().filter(|hour| hour.minutes == 60).count();
    assert!(whole + 2 >= held, "{whole} whole hours are kept of {held}");
    running.handle.stop();
}

/// With thousands of variants a pass holds tens of MiB, and saving it takes some more: the pass before is not kept until
/// that has ended. Whoever asks for the history by then has the new pass in it all the same.
#[tokio::test]
async fn a_pass_is_shown_while_the_history_saves_it() {
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    let memory: Arc<dyn Memory> = Arc::new(ProcessMemory::default());
    let folder = tempfile::tempdir().unwrap();
    let path = Some(folder.path().join("history.redb"));
    let history = Store::new(StoreSettings::new(path, TimeDelta::days(90), 64 << 20));
    let (daemon, running) = start_with(&clock, &memory, history.clone());
    let look = async {
        running.until("a first pass", |at| at.is_some()).await;
        let first = Arc::downgrade(&running.fleet.get());
        let saved = loop {
            let fleet = running.fleet.get();
            let of = fleet.history.as_ref().and_then(|history| history.saved.as_ref());
            let of = of.map(|(of, _)| *of).expect("a pass that was saved");
            if fleet.at > Some(of) {
                let id = fleet.variants.keys().next().expect("a variant").clone();
                let asked = history.history(&id, of, of + TimeDelta::hours(1)).await.unwrap();
                assert!(asked.is_some());
                break (fleet.at, history.status().saved.map(|(of, _)| of));
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(saved.1, saved.0);
        assert!(first.upgrade().is_none(), "what the pass before came to is gone");
        running.handle.stop();
    };
    let both = async { tokio::join!(daemon.run(), look) };
    tokio::time::timeout(Duration::from_mins(3), both).await.expect("it is shown meanwhile");
}
