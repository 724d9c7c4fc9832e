//! Instances looked at one by one, over the embedded AWS: a slow one is found by its name, a quiet fleet has
//! none, and nothing is asked, or paid, where no answer waits for it.

use std::sync::Arc;

use setpoint::config::Config;
use setpoint::daemon::pass_settings;
use setpoint::memory::ProcessMemory;
use setpoint::model::per_instance::Instances;
use setpoint::model::reason::Reason;
use setpoint::model::status::VariantStatus;
use setpoint::ports::Memory;
use setpoint::reconcile::{CostMeter, DOLLARS_PER_METRIC, Fleet, Settings};
use setpoint::sim::api::Operation;
use setpoint::sim::scenario::Change;
use setpoint::sim::{Scenario, Sim};

use crate::harness;

const RESOURCE: &str = "endpoint/e/variant/AllTraffic";
/// So little that the limit is never seen: the verdict waits for ever.
const LITTLE: (f64, f64) = (300.0, 500.0);
const CONFIG: &str = "
aws: {account_id: '123456789012'}
defaults: {per_instance: auto, objective: {latency: {statistic: p99, threshold_ms: 250}}}
targets: [{endpoint: e, variant: AllTraffic}]
";

/// A fleet of so many instances with a day behind it, at these loads of each.
fn world(seed: u64, instances: u32, (enhanced, routing): (bool, &str), load: (f64, f64)) -> Sim {
    let family = match seed % 4 {
        0 => "{worker_queue: {workers: 4}}",
        1 => "{contention: {slowdown: 1.2}}",
        2 => "{gpu_batch: {max_batch: 8, window_ms: 10}}",
        _ => "{cliff: {error_share: 0.3}}",
    };
    let (low, high) = (f64::from(instances) * load.0, f64::from(instances) * load.1);
    let text = format!(
        "world: {{seed: {seed}}}\n\
         history_days: 1\n\
         endpoints: [{{name: e, metrics: {{enhanced: {enhanced}}}, variants: [{{instances: {instances}, \
         routing: {routing}, load: {{service: {{family: {family}, base_ms: 50, saturation: 1900}}, \
         objective: {{statistic: p99, threshold_ms: 250}}, \
         traffic: [{{diurnal: {{low: {low}, high: {high}, peak_hour: 12}}}}]}}}}]}}]"
    );
    Scenario::parse(&text, "world").unwrap().build().unwrap()
}

struct Passes {
    sim: Sim,
    fleet: Fleet,
    config: Config,
    settings: Settings,
    status: Option<Arc<VariantStatus>>,
}

impl Passes {
    fn over(sim: &Sim, config: &str) -> Self {
        let config = Config::from_yaml(config).unwrap();
        let memory: Arc<dyn Memory> = Arc::new(ProcessMemory::default());
        let fleet = harness::fleet(sim, harness::aws(sim), &memory);
        let settings = pass_settings(&config);
        Self { sim: sim.clone(), fleet, config, settings, status: None }
    }

    /// A pass each quarter of an hour, so many times.
    fn run(&mut self, times: usize) -> &VariantStatus {
        for _ in 0..times {
            self.sim.advance(15 * 60);
            let pass = harness::pass(&self.config);
            let pass = harness::Pass { settings: self.settings.clone(), telemetry: true, ..pass };
            let status = pass.block_on(&mut self.fleet);
            self.status = status.variants.values().next().cloned();
        }
        self.status.as_ref().unwrap()
    }

    fn seen(&self) -> Option<Instances> {
        self.status.as_ref()?.snapshot.instances.as_deref()?.known().cloned()
    }

    fn asked(&self, operation: Operation) -> u64 {
        self.sim.with_world(|world| world.calls(operation))
    }
}

fn reasons(status: &VariantStatus) -> Vec<Reason> {
    status.decision.report.notes.iter().map(|note| note.reason).collect()
}

fn odd(sim: &Sim, number: usize, speed: f64, share: f64) -> String {
    let variant = "e/AllTraffic".to_owned();
    let change = Change::Instance { variant, number, speed, share };
    sim.with_world(|world| {
        world.change(&change).unwrap();
        world.instance_id(RESOURCE, number).unwrap()
    })
}

/// Twelve fleets of the four families under both routing strategies, with 2 to 13 instances: none of them
/// has a slow instance or a hot one. Then one of each becomes slower by x1.7, and is found by its id.
#[test]
fn quiet_fleets_are_quiet_and_a_slow_instance_has_a_name() {
    for seed in 0..12_u64 {
        let routing = if seed % 3 == 0 { "LEAST_OUTSTANDING_REQUESTS" } else { "RANDOM" };
        let sim = world(seed, 2 + seed as u32, (true, routing), LITTLE);
        let mut passes = Passes::over(&sim, CONFIG);
        // A day: 30 looks, at the least.
        let status = passes.run(16).clone();
        let seen = passes.seen().unwrap();
        assert_eq!((seen.slow.len(), seen.not_compared), (0, None), "seed {seed}");
        assert_eq!(seen.instances.len(), 2 + seed as usize);
        for unwanted in [Reason::SlowInstance, Reason::HotInstance, Reason::UnevenRouting] {
            assert!(!reasons(&status).contains(&unwanted), "seed {seed}: {unwanted}");
        }
        let slow = odd(&sim, 1, 1.0 / 1.7, 1.0);
        let found = (0..24).any(|_| {
            passes.run(1);
            let seen = passes.seen().unwrap();
            let names: Vec<&str> = seen.slow.iter().map(|slow| slow.id.as_str()).collect();
            assert!(names.is_empty() || names == [slow.as_str()], "seed {seed}: {names:?}");
            !names.is_empty()
        });
        assert!(found, "seed {seed}");
    }
}

/// All slow together is the model's doing, and no instance's.
#[test]
fn a_slow_model_has_no_slow_instance() {
    let sim = world(0, 5, (true, "RANDOM"), LITTLE);
    let mut passes = Passes::over(&sim, CONFIG);
    passes.run(4);
    let variant = "e/AllTraffic".to_owned();
    let change = Change::CapacityStep { variant, factor: 0.55 };
    sim.with_world(|world| world.change(&change)).unwrap();
    let status = passes.run(24).clone();
    let seen = passes.seen().unwrap();
    assert_eq!((seen.slow.len(), seen.not_compared), (0, None));
    assert!(!reasons(&status).contains(&Reason::SlowInstance));
}

/// One instance gets twice the load of the others and is over capacity; the average one is not.
#[test]
fn uneven_routing_is_told_from_overload() {
    let sim = world(0, 6, (true, "RANDOM"), (500.0, 1000.0));
    sim.advance(60);
    let busy = odd(&sim, 2, 1.0, 2.2);
    sim.advance(2 * 3600);
    let mut passes = Passes::over(&sim, CONFIG);
    let (mut hot, mut uneven) = (0, 0);
    for _ in 0..72 {
        let told = reasons(passes.run(1));
        hot += usize::from(told.contains(&Reason::HotInstance));
        uneven += usize::from(told.contains(&Reason::UnevenRouting));
        let Some(seen) = passes.seen() else { continue };
        assert!(seen.slow.is_empty(), "busier is not slower: {:?}", seen.slow);
        // 2.2 of 7.2 shares, over a sixth.
        let index = seen.uneven_routing.unwrap();
        assert!((1.6..2.1).contains(&index), "{index}");
        assert_eq!(seen.busiest.as_ref().map(|one| one.id.as_str()), Some(busy.as_str()));
    }
    assert!(hot >= 4 && uneven >= hot, "{hot} and {uneven} of 72 passes");
}

/// More load than all of them can serve is overload, and no routing's doing.
#[test]
fn overload_is_told_from_uneven_routing() {
    let sim = world(0, 6, (true, "LEAST_OUTSTANDING_REQUESTS"), (1700.0, 2000.0));
    let mut passes = Passes::over(&sim, CONFIG);
    let mut looks = 0;
    for _ in 0..16 {
        let told = reasons(passes.run(1));
        assert!(!told.contains(&Reason::HotInstance) && !told.contains(&Reason::UnevenRouting));
        let Some(seen) = passes.seen() else { continue };
        looks += 1;
        assert!(seen.slow.is_empty());
        assert!(seen.instances.iter().all(|one| one.broken > 40), "{:?}", seen.instances);
    }
    assert!(looks > 4, "{looks}");
}

/// Without the key, without enhanced metrics, and once capacity is measured, nobody asks.
#[test]
fn nothing_is_asked_where_no_answer_waits_for_it() {
    let off = CONFIG.replace("per_instance: auto, ", "");
    for (enhanced, config) in [(true, off.as_str()), (false, CONFIG)] {
        let sim = world(0, 4, (enhanced, "RANDOM"), LITTLE);
        let mut passes = Passes::over(&sim, config);
        let status = passes.run(16).clone();
        assert_eq!(passes.asked(Operation::ListMetrics), 0);
        assert_eq!(status.snapshot.instances, None);
    }
}

/// Looks are seldom, cost what the documentation says, and leave the last tenth of the budget alone.
#[test]
fn looks_cost_what_they_are_said_to_cost() {
    let sim = world(3, 4, (true, "RANDOM"), LITTLE);
    let mut passes = Passes::over(&sim, CONFIG);
    passes.run(24);
    let looks = passes.asked(Operation::ListMetrics);
    assert!((2..=4).contains(&looks), "{looks} in 6 hours");

    let metrics = |config: &str| {
        let sim = world(3, 4, (true, "RANDOM"), LITTLE);
        let mut passes = Passes::over(&sim, config);
        passes.run(24);
        let cost: &CostMeter = passes.fleet.cost();
        (cost.metrics_requested(), passes.asked(Operation::ListMetrics))
    };
    let (with, looks) = metrics(CONFIG);
    let (without, none) = metrics(&CONFIG.replace("per_instance: auto, ", ""));
    assert_eq!(none, 0);
    // A request of the list and four metrics of each of the four instances.
    assert_eq!(with - without, looks * (1 + 4 * 4));

    let sim = world(3, 4, (true, "RANDOM"), LITTLE);
    let mut passes = Passes::over(&sim, CONFIG);
    passes.run(1);
    let so_far = passes.fleet.cost().metrics_requested() as f64 * DOLLARS_PER_METRIC;
    passes.settings.budget_dollars = Some(so_far / 0.95);
    let status = passes.run(2).clone();
    assert!(status.snapshot.telemetry.known().is_some(), "telemetry goes on");
    let seen = status.snapshot.instances.unwrap();
    let why = seen.why().unwrap();
    assert!(why.message.contains("budget"), "{why:?}");
}

/// A refused permission leaves everything else as it is, and says what is missing.
#[test]
fn without_the_permission_it_says_so() {
    use setpoint::sim::{Fault, FaultKind};
    let sim = world(0, 4, (true, "RANDOM"), LITTLE);
    let mut denied = Fault::new(FaultKind::Deny, &[Operation::ListMetrics], "the policy lacks it");
    denied.for_seconds = 86_400;
    sim.inject(denied);
    let mut passes = Passes::over(&sim, CONFIG);
    let status = passes.run(3).clone();
    let seen = status.snapshot.instances.clone().unwrap();
    let why = seen.why().unwrap();
    assert!(why.message.contains("ListMetrics"), "{why:?}");
    let told = setpoint::render::explain::explain(&status);
    assert!(told.contains("the instances could not be looked at"), "{told}");
    assert!(status.decision.report.comparable);
}
