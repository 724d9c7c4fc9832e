//! Telemetry that cannot be read is counted until it can be.

use setpoint::config::Config;
use setpoint::model::fact::WhyKind;
use setpoint::model::status::FleetStatus;
use setpoint::sim::api::Operation;
use setpoint::sim::{Fault, FaultKind};

use super::stage::{CONFIG, Stage, of};
use crate::harness;

/// No call of this kind is answered for half an hour.
fn refuse(stage: &Stage) {
    let operations = &[Operation::GetMetricData];
    let because = "a role may lose the permission";
    stage.sim.inject(Fault {
        max_hits: 1000,
        for_seconds: 1800,
        ..Fault::new(FaultKind::Deny, operations, because)
    });
}

async fn pass(stage: &mut Stage, telemetry: bool, config: &str) -> FleetStatus {
    let config = Config::from_yaml(config).unwrap();
    harness::Pass { telemetry, ..harness::pass(&config) }.of(&mut stage.fleet).await
}

#[tokio::test]
async fn variants_whose_telemetry_cannot_be_read_are_counted_until_it_can() {
    let mut stage = Stage::of(&["a", "b"]);
    assert!(pass(&mut stage, true, CONFIG).await.telemetry_unread.is_empty());
    stage.sim.advance(900);
    refuse(&stage);
    let fleet = pass(&mut stage, true, CONFIG).await;
    let found = &fleet.telemetry_unread[&harness::scope()];
    assert_eq!((found.variants, found.first.short().as_str()), (2, "a/AllTraffic"));
    assert_eq!(found.why.kind, WhyKind::Denied);
    let words = found.words();
    let start = "the telemetry of 2 variants (a/AllTraffic is the first) could not be read: ";
    assert!(words.starts_with(start) && words.contains("The next telemetry pass"), "{words}");
    // What was read before counts until it is too old.
    assert!(of(&fleet, "a").snapshot.telemetry.known().is_some());
    stage.sim.advance(60);
    let between = pass(&mut stage, false, CONFIG).await;
    assert_eq!(between.telemetry_unread, fleet.telemetry_unread, "not asked is not read");
    stage.sim.advance(1800);
    assert!(pass(&mut stage, true, CONFIG).await.telemetry_unread.is_empty());
}

#[tokio::test]
async fn a_history_that_cannot_be_read_counts_as_well_and_a_budget_that_is_used_up_does_not() {
    let mut stage = Stage::of(&["a", "b"]);
    refuse(&stage);
    assert_eq!(
        pass(&mut stage, true, CONFIG).await.telemetry_unread[&harness::scope()].variants,
        2
    );
    stage.sim.advance(1801);
    assert!(pass(&mut stage, true, CONFIG).await.telemetry_unread.is_empty());
    let none = format!("{CONFIG}telemetry: {{budget_dollars_per_month: 0}}\n");
    stage.sim.advance(900);
    assert!(pass(&mut stage, true, &none).await.telemetry_unread.is_empty());
}
