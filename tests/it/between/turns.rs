//! What is described in turns: everybody has one, and those who ask are heard meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use setpoint::config::Config;
use setpoint::model::selector::Selector;
use setpoint::model::status::FleetStatus;
use setpoint::sim::api::Operation;
use setpoint::sim::{Fault, FaultKind};

use super::slow::Late;
use super::stage::{CONFIG, Stage, of};
use crate::harness;

/// More are due in each pass than there is time for: each has its turn.
#[tokio::test]
async fn of_endpoints_that_are_due_again_and_again_the_last_have_their_turn_too() {
    let mut twelve = Late::many(12);
    twelve.pass(false).await;
    assert_eq!(twelve.stage.pace.described.lock().unwrap().len(), 12);
    twelve.stage.pace.described.lock().unwrap().clear();
    twelve.stage.pace.describing.store(60, Ordering::SeqCst);
    for _ in 0..8 {
        // All of them are due again.
        twelve.stage.sim.advance(3660);
        twelve.pass(false).await;
    }
    let described = twelve.stage.pace.described.lock().unwrap();
    assert_eq!(described.len(), 12, "{described:?}");
}

/// What has changed is described before what is only due again, though it was described later.
#[tokio::test]
async fn a_changed_endpoint_has_its_turn_before_those_that_are_due_again() {
    let mut twelve = Late::many(12);
    twelve.pass(false).await;
    // It is described once more, before the others are due again after 31 to 60 minutes.
    twelve.stage.sim.advance(30 * 60 + 30);
    let last: Selector = serde_json::from_value(json!({"endpoint": "e11"})).unwrap();
    twelve.made((false, false), Some(&last)).await;
    twelve.stage.sim.advance(30 * 60 + 30);
    twelve.stage.change(json!({"deploy": {"endpoint": "e11", "capacity_factor": 1.0}}));
    twelve.stage.pace.describing.store(60, Ordering::SeqCst);
    twelve.stage.pace.described.lock().unwrap().clear();
    assert!(twelve.pass(false).await.has_more);
    let described = twelve.stage.pace.described.lock().unwrap().clone();
    assert!(described.contains_key("e11"), "{described:?}");
}

/// Scaling activities explain what is known: until all is described there is more to know.
#[tokio::test]
async fn activities_wait_until_all_is_described() {
    let mut twelve = Late::many(12);
    let sim = twelve.stage.sim.clone();
    let asked = || sim.with_world(|world| world.calls(Operation::DescribeScalingActivities));
    twelve.pass(false).await;
    let before = asked();
    // Descriptions and activities are due of all of them.
    sim.advance(2 * 3600);
    twelve.stage.pace.describing.store(60, Ordering::SeqCst);
    let mut passes = 0;
    while twelve.pass(false).await.has_more {
        passes += 1;
        assert_eq!(asked(), before, "pass {passes}");
        assert!(passes < 12);
    }
    assert!(passes > 1);
    assert!(asked() > before, "they are read then");
}

/// Listing the endpoints takes all the time that there is: some are described all the same.
#[tokio::test]
async fn a_slow_listing_of_endpoints_leaves_time_to_describe_some() {
    let mut twelve = Late::many(12);
    twelve.stage.pace.listing.store(300, Ordering::SeqCst);
    for _ in 0..4 {
        twelve.pass(false).await;
        twelve.stage.sim.advance(60);
    }
    let described = twelve.stage.pace.described.lock().unwrap();
    assert!(!described.is_empty(), "no endpoint in four passes");
}

/// What cannot be listed is not described any sooner by passes that follow each other without a pause.
#[tokio::test]
async fn a_listing_of_endpoints_that_fails_makes_no_pass_begin_at_once() {
    let mut twelve = Late::many(12);
    twelve.stage.pace.describing.store(60, Ordering::SeqCst);
    assert!(twelve.pass(false).await.has_more);
    twelve.stage.sim.inject(Fault {
        max_hits: 1000,
        for_seconds: 86_400,
        ..Fault::new(FaultKind::Deny, &[Operation::ListEndpoints], "a role may lose it")
    });
    for pass in 0..3 {
        twelve.stage.sim.advance(60);
        assert!(!twelve.pass(false).await.has_more, "pass {pass} after it has failed");
    }
}

/// What was known of those that a refresh has no time for is still known.
#[tokio::test]
async fn a_refresh_forgets_no_config_of_what_it_has_no_time_for() {
    // More than are described before their configs are.
    let mut many = Late::many(70);
    let known = |fleet: &FleetStatus| -> BTreeSet<String> {
        let known = fleet.variants.values().filter(|v| v.snapshot.model.known().is_some());
        known.map(|v| v.snapshot.id.endpoint.to_string()).collect()
    };
    assert_eq!(known(&many.pass(false).await).len(), 70);
    many.stage.sim.advance(60);
    many.stage.pace.describing.store(60, Ordering::SeqCst);
    let after = known(&many.made((false, false), Some(&Selector::default())).await);
    assert_eq!(after.len(), 70, "{after:?}");
}

/// Telemetry needs no `ListEndpoints`: a role may lack it, and the variants are known by their scalable targets.
#[tokio::test]
async fn telemetry_is_read_where_endpoints_cannot_be_listed() {
    let mut stage = Stage::of(&["a"]);
    stage.sim.inject(Fault {
        max_hits: 1000,
        for_seconds: 86_400,
        ..Fault::new(FaultKind::Deny, &[Operation::ListEndpoints], "a role may lack it")
    });
    let config = Config::from_yaml(CONFIG).unwrap();
    let mut last = None;
    for _ in 0..3 {
        let fleet =
            harness::Pass { telemetry: true, ..harness::pass(&config) }.of(&mut stage.fleet).await;
        last = Some(of(&fleet, "a").snapshot.telemetry.clone());
        stage.sim.advance(900);
    }
    assert!(last.as_ref().unwrap().known().is_some(), "{last:?}");
}

/// While endpoints are left to be described, passes follow each other without a pause. A person is heard between them.
#[test]
fn a_person_is_heard_while_a_large_fleet_is_being_described() {
    use crate::daemon::process::{Daemon, Directory, Served, endpoint, from_now};
    let endpoints: String = (0..40).map(|n| endpoint(&format!("e{n:02}"), 600.0)).collect();
    let served = Served::of(&endpoints);
    let directory = Directory::new();
    let url = &served.url;
    let config = directory.write(&format!(
        "aws: {{region: us-east-1, account_id: \"123456789012\", endpoint_url: \"{url}\", \
         call_rate_per_second: 100, write_rate_per_second: 100, sagemaker_call_rate_per_second: 2, \
         sagemaker_call_rate_max_per_second: 2}}\n\
         reconcile: {{schedule: \"* * * * * *\", telemetry_schedule: \"0 0 * * * *\", jitter_seconds: 0, \
         concurrency: 2, pass_timeout_seconds: 5}}\n\
         defaults: {{mode: observe}}\n\
         targets: [{{endpoint: \"*\", variant: \"*\", load_test: {{max_rps: 20}}}}]\n"
    ));
    let daemon = Daemon::ready(&config, &[]);
    let made = [("kind", "describe"), ("result", "success")];
    let asked = std::time::Instant::now();
    let body = json!({"until": from_now(3600), "reason": "a test"});
    let (status, answer) = daemon.post("/-/pause", &body);
    let took = asked.elapsed();
    let passes = daemon.metric("setpoint_passes_total", &made);
    assert_eq!(status, 200, "after {took:?}: {answer}");
    assert!(took < Duration::from_secs(20), "{took:?}, {passes:?} passes later");
}
