//! How many calls passes over 500 variants make, counted by the embedded server: 500 scalable
//! targets is AWS's default quota in a region, and its bucket is shared with everybody else.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::reconcile::CostMeter;
use setpoint::sim::api::Operation;
use setpoint::sim::server::{Pace, Server};
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::Alone;

use crate::contract::moto::connect;
use crate::harness;

/// All 500, with a latency objective: 5 queries each.
const CONFIG: &str = "
aws: {region: us-east-1, account_id: '123456789012'}
telemetry: {history_days: 1}
defaults: {mode: repair, adopt: true, objective: {latency: {statistic: p99, threshold_ms: 250}}}
targets: [{endpoint: '*', variant: '*', load_test: {max_rps: 20}, capacity: {min: 1, max: 20}}]
";

fn counts(sim: &Sim) -> BTreeMap<Operation, u64> {
    sim.with_world(|world| Operation::ALL.iter().map(|o| (*o, world.calls(*o))).collect())
}

struct Fleet {
    sim: Sim,
    passes: setpoint::reconcile::Fleet,
    config: Config,
}

impl Fleet {
    /// One pass, and the calls that it made.
    async fn pass(&mut self, telemetry: bool) -> impl Fn(Operation) -> u64 + use<> {
        let before = counts(&self.sim);
        let pass = harness::Pass { telemetry, ..harness::pass(&self.config) };
        let fleet = pass.of(&mut self.passes).await;
        assert_eq!(fleet.variants.len(), 500);
        for (id, status) in &fleet.variants {
            let report = &status.decision.report;
            assert!(report.comparable, "{id}: {}", report.sentence);
        }
        let after = counts(&self.sim);
        move |operation| after[&operation] - before[&operation]
    }
}

fn assert_steady(calls: impl Fn(Operation) -> u64, what: &str) {
    for (operation, expected) in [
        (Operation::DescribeScalableTargets, 10),
        (Operation::DescribeScalingPolicies, 50),
        (Operation::ListEndpoints, 5),
        // Two alarms a policy, 100 a page.
        (Operation::DescribeAlarms, 10),
        (Operation::DescribeScheduledActions, 1),
        (Operation::GetCallerIdentity, 1),
    ] {
        assert_eq!(calls(operation), expected, "{what}: {}", operation.as_str());
    }
    for operation in Operation::ALL.iter().filter(|operation| operation.is_write()) {
        assert_eq!(calls(*operation), 0, "{what}: {}", operation.as_str());
    }
}

#[test]
fn passes_over_500_variants_make_the_calls_that_are_promised() {
    let sim = Scenario::fleet(500).build().unwrap();
    sim.advance(3600);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = runtime.block_on(Server::start(sim.clone(), listen, Pace::Step)).unwrap();
    let aws = connect(&server.endpoint_url());
    let clock = Arc::new(SimClock::self_driven(sim.clone()));
    let memory = Arc::new(ProcessMemory::default());
    let leads = Arc::new(Alone);
    let cost = CostMeter::default();
    let passes = setpoint::reconcile::Fleet::new(vec![aws], clock, leads, memory, cost);
    let config = Config::from_yaml(CONFIG).unwrap();
    let mut fleet = Fleet { sim: sim.clone(), passes, config };
    runtime.block_on(async {
        // The first pass adds a description of each endpoint and of each config.
        let calls = fleet.pass(false).await;
        assert_steady(&calls, "first pass");
        assert_eq!(calls(Operation::DescribeEndpoint), 500);
        assert_eq!(calls(Operation::DescribeEndpointConfig), 500);
        assert_eq!(
            calls(Operation::GetMetricData),
            0,
            "the paid calls have a schedule of their own"
        );

        // A steady pass describes no endpoint; activities are read hourly, spread over the hour.
        sim.advance(60);
        let calls = fleet.pass(false).await;
        assert_steady(&calls, "steady pass");
        assert_eq!(calls(Operation::DescribeEndpoint), 0);
        assert_eq!(calls(Operation::DescribeEndpointConfig), 0);
        assert!(calls(Operation::DescribeScalingActivities) <= 25, "an hour's 500 in 60 passes");

        // One deploy: one description, and its config once that is in force.
        let deploy = json!({"deploy": {"endpoint": "endpoint-00007", "capacity_factor": 1.0}});
        let deploy = serde_json::from_value(deploy).unwrap();
        sim.with_world(|world| world.change(&deploy)).unwrap();
        sim.advance(60);
        let calls = fleet.pass(false).await;
        assert_steady(&calls, "pass after a deploy");
        assert_eq!(calls(Operation::DescribeEndpoint), 1);

        // A day of history: 1,437 minutes of 5 queries a variant, and 14 variants fill one page.
        let calls = fleet.pass(true).await;
        assert_steady(&calls, "first telemetry pass");
        // Five more ask for the two weeks of 20 variants whose floors are worked out.
        assert_eq!(calls(Operation::GetMetricData), 36 + 5);
        // What is new: 5 queries a variant, 500 a call.
        sim.run_until(sim.now() + TimeDelta::minutes(10));
        let calls = fleet.pass(true).await;
        assert_steady(&calls, "telemetry pass");
        assert_eq!(calls(Operation::GetMetricData), 5 + 5);
        assert_eq!(fleet.passes.cost().metrics_requested(), 2 * 5 * 500 + 40);
    });
}
