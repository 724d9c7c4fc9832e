//! An endpoint that is listed and cannot be described has variants all the same; and activities, which take a call for
//! each variant, make no pass long.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use setpoint::config::Config;
use setpoint::sim::api::Operation;
use setpoint::sim::{Fault, FaultKind};

use super::slow::{Late, names};
use super::stage::{Bend, CONFIG, Stage, of};
use crate::harness;

const WHY: &str = "a role may lack a permission";

/// Variants that only the descriptions of their endpoints tell of.
fn without_targets(names: &[&str]) -> Stage {
    let stage = Stage::of(names);
    for name in names {
        stage.change(json!({"deregister": {"variant": format!("{name}/AllTraffic")}}));
    }
    stage
}

#[tokio::test]
async fn a_variant_stays_while_its_endpoint_cannot_be_described() {
    let mut stage = without_targets(&["late", "other"]);
    assert_eq!(stage.pass(false).await.variants.len(), 2);
    stage.bend("late", Bend::Hang);
    // Descriptions are looked at again within the hour.
    stage.sim.advance(2 * 3600);
    let fleet = stage.pass(true).await;
    assert_eq!(fleet.variants.len(), 2, "half a view makes nothing vanish");
    assert!(!of(&fleet, "late").decision.report.comparable);
    assert!(of(&fleet, "other").decision.report.comparable);
    assert!(fleet.undescribed.is_empty(), "its variant is shown: {:?}", fleet.undescribed);
}

#[tokio::test]
async fn endpoints_of_which_nothing_is_known_are_counted() {
    let mut stage = without_targets(&["a", "b"]);
    stage.sim.inject(Fault::new(FaultKind::Deny, &[Operation::DescribeEndpoint], WHY));
    let fleet = stage.pass(true).await;
    let (_, found) = fleet.undescribed.first_key_value().expect("two of them");
    // One denial at a time, or of every call: either way it is not for a policy that names the others.
    assert!(found.endpoints >= 1, "{found:?}");
    let plan = setpoint::render::plan::text(&fleet);
    assert!(plan.contains("could not be described, and "), "{plan}");
    let json = setpoint::render::plan::json(&fleet);
    assert_eq!(json["undescribed"][0]["endpoints"], found.endpoints, "{json}");
    let audit = setpoint::audit::json(&setpoint::audit::Audit::of(&fleet), &fleet);
    assert_eq!(audit["undescribed"], json["undescribed"], "in the words of the plan: {audit}");
    let own = audit["undescribed"][0].as_object().unwrap();
    let mut members: Vec<&str> = own.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["account_id", "endpoints", "region", "why"], "{audit}");
    let troubles = setpoint::render::trouble::troubles(&fleet);
    assert!(troubles.iter().any(|told| told.contains("could not be described")), "{troubles:?}");
}

#[tokio::test]
async fn activities_there_is_no_time_for_come_with_the_next_passes_each_in_its_turn() {
    // Activities are read for a fifteenth of it.
    let config = format!("{CONFIG}reconcile: {{pass_timeout_seconds: 15, concurrency: 4}}\n");
    let config = Config::from_yaml(&config).unwrap();
    let all = names(10);
    let mut late = Late::of(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let knobs = Arc::clone(&late.knobs);
    let asked = || knobs.activities.lock().unwrap();
    knobs.activities_take.store(1100, Ordering::SeqCst);
    late.stage.pass(true).await;
    asked().clear();
    // Of all of them they are due now.
    late.stage.sim.advance(2 * 3600);
    let mut passes = 0;
    while asked().len() < all.len() {
        passes += 1;
        assert!(passes <= 10, "{:?}", asked());
        harness::pass(&config).of(&mut late.stage.fleet).await;
    }
    assert!(passes > 1, "one pass has waited for all of them");
    assert!(asked().values().all(|times| *times == 1), "{:?}", asked());
}

/// A large fleet is described little by little after a start. What is wrong with all of it must not come through
/// because most of it is not known yet (rule 9).
#[tokio::test]
async fn a_mass_change_is_a_share_of_what_is_known() {
    let all = names(60);
    let mut stage = Stage::of(&all.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &all {
        let variant = format!("{name}/AllTraffic");
        stage.change(json!({"edit_policy": {"variant": variant, "target_value": 700.0}}));
    }
    // The others cannot be described: five of sixty are known, fewer than a tenth.
    for name in &all[5..] {
        stage.bend(name, Bend::Deny);
    }
    let fleet = stage.pass(true).await;
    let held = fleet.mass_change.as_ref().expect("all that is known would change");
    assert_eq!((held.variants.len(), held.limit), (5, 3));
    assert!(all.iter().all(|name| stage.target_value(name) == Some(700.0)));
}

/// A policy may name some of an account's endpoints: the others are not asked for every minute for ever.
#[tokio::test]
async fn an_endpoint_that_may_not_be_described_is_asked_for_less_and_less_often() {
    let mut stage = Stage::of(&["named", "other"]);
    stage.bend("other", Bend::Deny);
    let asked = |stage: &Stage| stage.pace.described.lock().unwrap()["other"];
    let (mut times, mut minutes) = (0, Vec::new());
    for minute in 0..=60 {
        let fleet = stage.pass(true).await;
        assert!(!of(&fleet, "other").decision.report.comparable);
        if asked(&stage) > times {
            minutes.push(minute);
        }
        times = asked(&stage);
        stage.sim.advance(60);
    }
    assert_eq!(minutes, [0, 1, 2, 4, 8, 16, 31, 46]);
}

/// It is known, and what runs there is not: nothing is written.
#[tokio::test]
async fn an_endpoint_that_names_no_config_is_of_an_unknown_kind() {
    let mut stage = Stage::of(&["a", "b"]);
    stage.bend("a", Bend::Config(""));
    for name in ["a", "b"] {
        let variant = format!("{name}/AllTraffic");
        stage.change(json!({"edit_policy": {"variant": variant, "target_value": 500.0}}));
    }
    let fleet = stage.pass(true).await;
    let report = &of(&fleet, "a").decision.report;
    assert!(report.sentence.contains("it names no endpoint config"), "{report:?}");
    assert_eq!(stage.target_value("a"), Some(500.0));
}
