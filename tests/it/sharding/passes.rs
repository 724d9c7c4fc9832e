//! Three shards over one embedded AWS with several accounts and regions.

use std::collections::BTreeMap;
use std::sync::Arc;

use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::ids::Scope;
use setpoint::model::reason::Reason;
use setpoint::model::status::FleetStatus;
use setpoint::ports::Aws;
use setpoint::reconcile::{CostMeter, Fleet};
use setpoint::sim::api::Operation;
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::Alone;

use crate::daemon::process::endpoint;
use crate::harness;

const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const SHARDS: u32 = 3;
/// Variants of each account and region, all of them drifted.
const EACH: usize = 2;

/// Every account and region, and what looks after it.
struct Ground {
    sims: BTreeMap<Scope, Sim>,
    yaml: String,
}

struct Process {
    fleet: Fleet,
    config: Config,
}

impl Ground {
    fn new(rest: &str) -> Self {
        let mut sims = BTreeMap::new();
        let mut entries = String::new();
        for account_id in ACCOUNTS {
            for region in REGIONS {
                let endpoints: String =
                    (0..EACH).map(|n| endpoint(&format!("scorer-{n}"), 700.0)).collect();
                let world = format!("world: {{account_id: \"{account_id}\", region: {region}}}");
                let text = format!("{world}\nendpoints:\n{endpoints}");
                let sim = Scenario::parse(&text, "the world").unwrap().build().unwrap();
                sim.advance(3600);
                let scope = Scope {
                    account_id: account_id.parse().unwrap(),
                    region: region.parse().unwrap(),
                };
                sims.insert(scope, sim);
            }
            let regions = REGIONS.join(", ");
            let entry = format!("  - {{account_id: \"{account_id}\", regions: [{regions}]}}\n");
            entries.push_str(&entry);
        }
        Self { sims, yaml: format!("accounts:\n{entries}{rest}") }
    }

    /// The process of this shard; of the whole without one.
    fn process(&self, shard: Option<u32>) -> Process {
        let sharding =
            shard.map(|index| format!("\nsharding: {{shard: {index}, total_shards: {SHARDS}}}\n"));
        let config = format!("{}{}", self.yaml, sharding.unwrap_or_default());
        let config = Config::from_yaml(&config).unwrap();
        let connect = |scope: Scope| -> Aws { setpoint::sim::aws(&self.sims[&scope], scope) };
        let accounts: Vec<Aws> = config.scopes().into_iter().map(connect).collect();
        let clock = self.sims.values().next().unwrap().clone();
        let clock = Arc::new(SimClock::driven_by_others(clock));
        let memory = Arc::new(ProcessMemory::default());
        let fleet = Fleet::new(accounts, clock, Arc::new(Alone), memory, CostMeter::default());
        Process { fleet, config }
    }

    /// Policies written, over all accounts and regions.
    fn writes(&self) -> BTreeMap<Scope, u64> {
        let count = |sim: &Sim| sim.with_world(|world| world.calls(Operation::PutScalingPolicy));
        self.sims.iter().map(|(scope, sim)| (scope.clone(), count(sim))).collect()
    }
}

impl Process {
    fn pass(&mut self) -> FleetStatus {
        harness::pass(&self.config).block_on(&mut self.fleet)
    }
}

fn targets(min_variants: usize) -> String {
    format!(
        "reconcile: {{mass_change: {{min_variants: {min_variants}}}}}\n\
         targets: [{{endpoint: \"*\", variant: \"*\", mode: repair, adopt: true, \
         load_test: {{max_rps: 20}}}}]\n"
    )
}

/// How many variants a pass was allowed to change.
fn allowed(fleet: &FleetStatus) -> usize {
    let held =
        |fleet: &FleetStatus| fleet.mass_change.as_ref().map_or(0, |mass| mass.variants.len());
    let plans = fleet.variants.values().filter(|status| status.outcome.is_some()).count();
    assert!(plans == 0 || held(fleet) == 0, "all of it is held, or nothing");
    plans
}

#[test]
fn each_variant_is_one_shards_and_one_that_stops_leaves_the_others_alone() {
    let ground = Ground::new(&targets(100));
    let mut processes: Vec<Process> = (0..SHARDS).map(|n| ground.process(Some(n))).collect();
    let seen: Vec<FleetStatus> = processes.iter_mut().map(Process::pass).collect();
    let mut by: BTreeMap<String, u32> = BTreeMap::new();
    for fleet in &seen {
        assert!(!fleet.variants.is_empty());
        for id in fleet.variants.keys() {
            *by.entry(id.to_string()).or_default() += 1;
        }
    }
    assert_eq!(by.len(), ACCOUNTS.len() * REGIONS.len() * EACH);
    assert!(by.values().all(|shards| *shards == 1), "{by:?}");
    let writes = ground.writes();
    assert!(writes.values().all(|count| *count == EACH as u64), "each is written once: {writes:?}");

    // Shard 1 is gone, and somebody edits every policy.
    let own = processes.remove(1).config.scopes();
    let edit = |scope: &Scope| {
        let change = serde_json::json!({"edit_policy": {
            "variant": "scorer-0/AllTraffic", "target_value": 650.0}});
        let change = serde_json::from_value(change).unwrap();
        ground.sims[scope].with_world(|world| world.change(&change)).unwrap();
    };
    ground.sims.keys().for_each(edit);
    for process in &mut processes {
        process.pass();
    }
    for (scope, count) in ground.writes() {
        let expected = if own.contains(&scope) { EACH } else { EACH + 1 };
        assert_eq!(count, expected as u64, "{scope}");
    }
}

/// One mistake in a configuration drifts everything: together the shards may change no more of it than
/// one process might.
#[test]
fn a_mass_change_is_held_in_sum() {
    for min_variants in [3, 5, 6, 11, 12] {
        let ground = Ground::new(&targets(min_variants));
        let whole = ground.process(None).config.reconcile.mass_change;
        let variants = ACCOUNTS.len() * REGIONS.len() * EACH;
        let together: usize = (0..SHARDS)
            .map(|index| {
                let mut process = ground.process(Some(index));
                let fleet = process.pass();
                let held = fleet.variants.values();
                let held = held.filter(|v| v.decision.report.reason == Reason::MassChange).count();
                assert!(held == 0 || held == fleet.variants.len(), "all of it or nothing");
                allowed(&fleet)
            })
            .sum();
        assert!(together <= whole.limit(variants), "{together} with {min_variants}");
        if min_variants == variants {
            assert_eq!(together, variants, "nothing is held that one process would not hold");
        }
    }
}
