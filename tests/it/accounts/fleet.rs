//! Passes of one fleet over several worlds, in this process: names that are good for several
//! accounts, and the one budget.

use std::sync::Arc;

use setpoint::config::Config;
use setpoint::memory::ProcessMemory;
use setpoint::model::ids::Scope;
use setpoint::model::reason::Reason;
use setpoint::model::status::FleetStatus;
use setpoint::reconcile::{CostMeter, DOLLARS_PER_METRIC, Fleet};
use setpoint::sim::api::Operation;
use setpoint::sim::{Scenario, Sim, SimClock};
use setpoint::system::Alone;

use super::{A, B};
use crate::daemon::process::endpoint;
use crate::harness;

/// Worlds, each with its account and region, and a fleet over them.
struct Stage {
    sims: Vec<Sim>,
    fleet: Fleet,
    config: Config,
}

impl Stage {
    fn new(worlds: &[(&str, &str, &str)], rest: &str) -> Self {
        let mut sims = Vec::new();
        let mut accounts = Vec::new();
        let mut entries = String::new();
        for (account_id, region, endpoints) in worlds {
            let world = format!("world: {{account_id: \"{account_id}\", region: {region}}}");
            let none = if endpoints.is_empty() { " []" } else { "" };
            let text = format!("{world}\nendpoints:{none}\n{endpoints}");
            let sim = Scenario::parse(&text, "the world").unwrap().build().unwrap();
            sim.advance(3600);
            let scope =
                Scope { account_id: account_id.parse().unwrap(), region: region.parse().unwrap() };
            accounts.push(setpoint::sim::aws(&sim, scope));
            let entry = format!("  - {{account_id: \"{account_id}\", regions: [{region}]}}\n");
            entries.push_str(&entry);
            sims.push(sim);
        }
        let clock = Arc::new(SimClock::driven_by_others(sims[0].clone()));
        let memory = Arc::new(ProcessMemory::default());
        let fleet = Fleet::new(accounts, clock, Arc::new(Alone), memory, CostMeter::default());
        let config = Config::from_yaml(&format!("accounts:\n{entries}{rest}")).unwrap();
        Self { sims, fleet, config }
    }

    fn pass(&mut self, telemetry: bool) -> FleetStatus {
        harness::Pass { telemetry, ..harness::pass(&self.config) }.block_on(&mut self.fleet)
    }

    fn deny(&self, world: usize, operation: &str) {
        let fault = serde_json::json!({"kind": "deny", "operations": [operation],
            "max_hits": 100_000, "for_seconds": 604_800, "because": "a role may lack it"});
        self.sims[world].inject(serde_json::from_value(fault).unwrap());
    }
}

/// The variants told of, each with its reason.
fn told(fleet: &FleetStatus) -> Vec<(String, Reason)> {
    let all = fleet.variants.iter();
    all.map(|(id, status)| (id.to_string(), status.decision.report.reason)).collect()
}

const OPEN: &str = "discovery: {enabled: false}\n\
                    targets: [{endpoint: scorer, variant: AllTraffic, load_test: {max_rps: 20}}]\n";

fn scorer() -> String {
    endpoint("scorer", 600.0)
}

#[test]
fn a_name_for_several_accounts_is_not_missing_where_another_has_it() {
    let mut stage = Stage::new(&[(A, "us-east-1", ""), (B, "us-east-1", &scorer())], OPEN);
    let expected = format!("{B}/us-east-1/scorer/AllTraffic");
    for _ in 0..2 {
        assert_eq!(told(&stage.pass(false)), [(expected.clone(), Reason::InSync)]);
    }
}

#[test]
fn a_name_that_nobody_has_is_missing_once() {
    let mut stage = Stage::new(&[(A, "us-east-1", ""), (B, "us-east-1", "")], OPEN);
    let expected = format!("{A}/us-east-1/scorer/AllTraffic");
    for _ in 0..2 {
        let fleet = stage.pass(false);
        assert_eq!(told(&fleet), [(expected.clone(), Reason::EndpointMissing)]);
        assert!(fleet.variants.values().all(|status| !status.decision.report.comparable));
    }
}

#[test]
fn a_name_that_an_unread_account_may_have_is_unknown_there_and_not_missing() {
    for operation in ["ListEndpoints", "DescribeScalableTargets"] {
        let mut stage = Stage::new(&[(A, "us-east-1", ""), (B, "us-east-1", "")], OPEN);
        stage.deny(1, operation);
        let expected = format!("{B}/us-east-1/scorer/AllTraffic");
        let fleet = stage.pass(false);
        let told = told(&fleet);
        assert_eq!(told.len(), 1, "{operation}: {told:?}");
        assert_eq!(told[0].0, expected, "{operation}");
        assert!(!fleet.variants.values().any(|v| v.decision.report.comparable), "{operation}");
        let unread: Vec<String> = fleet
            .scopes
            .iter()
            .filter(|(_, why)| why.is_some())
            .map(|(scope, _)| scope.to_string())
            .collect();
        assert_eq!(unread, [format!("{B}/us-east-1")]);
    }
    // The endpoint is listed there, and what it is cannot be read.
    let mut stage = Stage::new(&[(A, "us-east-1", ""), (B, "us-east-1", &scorer())], OPEN);
    stage.deny(1, "DescribeEndpoint");
    let deregistered = serde_json::json!({"deregister": {"variant": "scorer/AllTraffic"}});
    let deregistered = serde_json::from_value(deregistered).unwrap();
    stage.sims[1].with_world(|world| world.change(&deregistered)).unwrap();
    let fleet = stage.pass(false);
    let ids: Vec<String> = fleet.variants.keys().map(ToString::to_string).collect();
    assert_eq!(ids, [format!("{B}/us-east-1/scorer/AllTraffic")]);
    assert!(!fleet.variants.values().any(|status| status.decision.report.comparable));
}

#[test]
fn a_name_for_one_account_is_told_there_in_any_case() {
    let closed = format!(
        "discovery: {{enabled: false}}\ntargets:\n\
         - {{endpoint: scorer, variant: AllTraffic, account_id: \"{B}\", load_test: {{max_rps: 20}}}}\n"
    );
    let mut stage = Stage::new(
        &[(A, "us-east-1", &scorer()), (B, "us-east-1", ""), (B, "eu-west-1", "")],
        &closed,
    );
    // Good for two regions of B: missing once, and A's endpoint of that name is not meant.
    let expected = format!("{B}/us-east-1/scorer/AllTraffic");
    assert_eq!(told(&stage.pass(false)), [(expected, Reason::EndpointMissing)]);
    let mut stage = Stage::new(&[(A, "us-east-1", &scorer()), (B, "us-east-1", "")], &closed);
    let expected = format!("{B}/us-east-1/scorer/AllTraffic");
    assert_eq!(told(&stage.pass(false)), [(expected, Reason::EndpointMissing)]);
}

#[test]
fn the_cloudwatch_budget_is_one_for_all_accounts() {
    let objective = "defaults: {floors: \"off\", objective: {latency: {statistic: p99, threshold_ms: 250}}}\n\
                     targets: [{endpoint: \"*\", variant: \"*\"}]\n";
    let worlds = [(A, "us-east-1", scorer()), (B, "us-east-1", scorer())];
    let worlds: Vec<(&str, &str, &str)> =
        worlds.iter().map(|(a, r, e)| (*a, *r, e.as_str())).collect();
    let asked = |stage: &Stage| -> u64 {
        let calls = |sim: &Sim| sim.with_world(|world| world.calls(Operation::GetMetricData));
        stage.sims.iter().map(calls).sum()
    };
    let mut stage = Stage::new(&worlds, objective);
    stage.pass(true);
    assert_eq!(asked(&stage), 2, "a budget of 100 dollars is enough for both");
    let of_both = stage.fleet.cost().metrics_requested();
    // Enough for one of them, and each of them for itself would be within it.
    let dollars = (of_both as f64 * 0.75) * DOLLARS_PER_METRIC;
    let rest = format!("telemetry: {{budget_dollars_per_month: {dollars:.7}}}\n{objective}");
    let mut stage = Stage::new(&worlds, &rest);
    let fleet = stage.pass(true);
    assert_eq!(asked(&stage), 1);
    assert_eq!(stage.fleet.cost().metrics_requested(), of_both / 2);
    let refused = fleet.variants.values().filter(|status| {
        let why = status.snapshot.telemetry.why();
        why.is_some_and(|why| why.message.contains("the CloudWatch budget of"))
    });
    assert_eq!(refused.count(), 1);
}
