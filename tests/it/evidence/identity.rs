//! What was kept counts for what ran then: a variant waits for reads that say what it runs, and for no deploy.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use setpoint::model::status::{FleetStatus, VariantStatus};
use setpoint::sim::Fault;
use setpoint::sim::FaultKind;
use setpoint::sim::api::Operation;

use super::{Passes, change, decided, deploy, evidence, file, kept, memory, ratios, world};

/// Requests that reached back over days.
fn long_reads(passes: &Passes) -> usize {
    passes.asked().iter().filter(|(_, span)| *span > TimeDelta::days(1)).count()
}

fn busy(status: &FleetStatus) -> &VariantStatus {
    status.variants.values().next().unwrap()
}

fn is_deploying(status: &FleetStatus) -> bool {
    let endpoint = busy(status).snapshot.endpoint.known().unwrap().as_ref().unwrap();
    endpoint.deploy_in_progress
}

fn capacity(status: &FleetStatus) -> Option<f64> {
    busy(status).decision.report.estimate.capacity.estimate
}

/// As on a first start: its history is read from AWS at once and once, and what was kept is not used.
#[tokio::test]
async fn a_restart_during_a_deploy_reads_its_variants_at_once() {
    let sim = world();
    let (folder, _, memory_of_both) = kept(&sim).await;
    change(&sim, deploy(0.6));
    sim.advance(120);
    let mut again = Passes::begin(&sim, &memory_of_both, Some(&file(&folder)));
    let mut fresh = Passes::begin(&sim, &memory(), None);
    let (first, as_at_first) = (again.pass().await, fresh.pass().await);
    assert!(is_deploying(&first));
    assert_eq!(ratios(&first), [Some(1.0); 3]);
    assert_eq!(capacity(&first), capacity(&as_at_first));
    assert!(capacity(&first).is_some());
    let status = evidence(&first);
    assert_eq!((status.resumed, &status.dropped), (2, &BTreeMap::from([("deploy", 1)])));
    assert_eq!(long_reads(&again), 1, "{:?}", again.asked());
    // What the deploy has brought is another regime to both, and nothing is read twice.
    for pass in 0..24 {
        sim.advance(1800);
        let (one, other) = (again.pass().await, fresh.pass().await);
        assert!(!is_deploying(&one));
        let of_busy = |status: &FleetStatus| decided(status).into_values().next();
        assert_eq!(of_busy(&one), of_busy(&other), "pass {pass}");
    }
    assert_eq!(long_reads(&again), 1, "{:?}", again.asked());
    // The next process goes on with what this one has learned of the new service.
    again.kill().await;
    let mut next = Passes::begin(&sim, &memory_of_both, Some(&file(&folder)));
    assert_eq!(evidence(&next.pass().await).resumed, 3);
    assert_eq!(long_reads(&next), 0, "{:?}", next.asked());
}

/// A read that fails is made again by the next pass, and the record then goes on.
#[tokio::test]
async fn what_was_kept_waits_for_reads_that_say_what_runs() {
    let sim = world();
    let (folder, _, memory) = kept(&sim).await;
    sim.advance(600);
    let operations = &[Operation::DescribeEndpoint];
    let because = "a service that is throttled for a minute answers in the next one";
    sim.inject(Fault { max_hits: 3, ..Fault::new(FaultKind::Throttle, operations, because) });
    let mut again = Passes::begin(&sim, &memory, Some(&file(&folder)));
    let first = again.pass().await;
    assert_eq!((evidence(&first).resumed, again.asked()), (0, Vec::new()));
    sim.advance(60);
    assert_eq!(evidence(&again.pass().await).resumed, 3);
    assert_eq!(long_reads(&again), 0, "{:?}", again.asked());
}
