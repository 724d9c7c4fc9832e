//! The ledger of reaction time over the embedded AWS: what it says of scale-outs against the truth.

use chrono::TimeDelta;
use serde_json::{Value, json};
use setpoint::model::goal::Mode;
use setpoint::model::reaction::Source;
use setpoint::model::reason::Reason;
use setpoint::model::scale_out::Reaction;
use setpoint::model::shared::Shared;
use setpoint::model::time::Timestamp;
use setpoint::sim::{Scenario, Sim};

use super::stage::Stage;

const NAME: &str = "victim";
const START_UP_SECONDS: i64 = 240;

/// A variant with a load that rises by itself several times, an hour and a half apart.
fn world(ready_too_early_seconds: u32) -> Sim {
    let scenario = json!({
        "world": {"startup_seconds": START_UP_SECONDS},
        "endpoints": [{"name": NAME, "variants": [{
            "instances": 2,
            "target": {"min": 2, "max": 8, "policy": {
                "target_value": 600.0, "scale_out_cooldown": 60, "scale_in_cooldown": 300}},
            "load": {
                "service": {"family": {"worker_queue": {"workers": 4}}, "base_ms": 50.0, "saturation": 1900.0},
                "objective": {"statistic": "p99", "threshold_ms": 250.0},
                "traffic": [{"steady": {"rate": 900.0}}],
                "ready_too_early_seconds": ready_too_early_seconds,
            },
        }]}],
    });
    let scenario: Scenario = serde_json::from_value(scenario).unwrap();
    let sim = scenario.build().unwrap();
    sim.advance(60 * 60);
    sim
}

/// What really happened to one rise.
struct Truth {
    crossed: Timestamp,
    alarm: Timestamp,
}

fn traffic(sim: &Sim, rate: f64) {
    let change = json!({"traffic": {"variant": format!("{NAME}/AllTraffic"),
        "parts": [{"steady": {"rate": rate}}]}});
    let change = serde_json::from_value(change).unwrap();
    sim.with_world(|world| world.change(&change)).unwrap();
}

fn alarm_since(sim: &Sim) -> Option<Timestamp> {
    let state = sim.state();
    let alarms = state["alarms"].as_array().unwrap();
    let high = alarms.iter().find(|a| a["name"].as_str().unwrap().contains("-AlarmHigh-"))?;
    (high["state"] == "ALARM")
        .then(|| serde_json::from_value::<Timestamp>(high["since"].clone()).unwrap())
}

/// Lets the load rise and fall so many times, with a pass every minute while it is high. AWS takes two
/// steps, for the alarm outlives the first.
fn rises(sim: &Sim, turns: usize) -> (Shared<Reaction>, Vec<Truth>, Vec<Reason>, String) {
    let mut stage = Stage::over(sim);
    let runtime = stage.runtime();
    runtime.block_on(async {
        let mut truths = Vec::new();
        stage.pass(Mode::Observe, true).await;
        for _ in 0..turns {
            let crossed = sim.now();
            traffic(sim, 1500.0);
            let mut alarm = None;
            for _ in 0..18 {
                stage.advance_minutes(1);
                alarm = alarm.or_else(|| alarm_since(sim));
                stage.pass(Mode::Observe, true).await;
            }
            traffic(sim, 900.0);
            for _ in 0..6 {
                stage.advance_minutes(12);
                stage.pass(Mode::Observe, true).await;
            }
            truths.push(Truth { crossed, alarm: alarm.expect("the alarm goes off") });
        }
        let reaction = stage.status(NAME).snapshot.reaction.clone();
        (reaction, truths, stage.conditions(NAME), stage.told(NAME))
    })
}

fn minutes(from: Timestamp, to: Timestamp) -> f64 {
    (to - from).num_seconds() as f64 / 60.0
}

#[test]
fn every_part_is_within_a_minute_of_the_truth() {
    let sim = world(0);
    let (found, truths, conditions, told) = rises(&sim, 5);
    assert_eq!(found.scale_outs, 10, "{found:?}");
    let alarms: Vec<f64> = truths.iter().map(|t| minutes(t.crossed, t.alarm)).collect();
    let mut sorted = alarms.clone();
    sorted.sort_by(f64::total_cmp);
    let truth = sorted[2];
    let alarm = found.time.alarm;
    assert_eq!(alarm.source, Source::Measured { observations: 5 }, "{found:?}");
    assert!((alarm.minutes.p50 - truth).abs() <= 1.0, "{truth} {found:?}");
    assert!(found.time.activity.minutes.p50 <= 1.0, "{found:?}");
    let start_up = START_UP_SECONDS as f64 / 60.0;
    assert!((found.time.start_up.minutes.p50 - start_up).abs() <= 1.0, "{found:?}");
    assert!((found.time.start_up.minutes.p95 - start_up).abs() <= 1.0, "{found:?}");
    let whole = found.seen.whole.unwrap();
    assert!((whole.p50 - truth - start_up).abs() <= 1.5, "{found:?}");
    let last = found.last.as_ref().unwrap();
    let crossed = truths.last().unwrap().crossed;
    assert!((last.crossed_at.unwrap() - crossed).abs() <= TimeDelta::minutes(1), "{last:?}");
    assert!(!found.ready_too_early && !conditions.contains(&Reason::ReadyTooEarly));
    assert!(told.contains("Reaction time") && told.contains("measured, 5 times"), "{told}");
}

#[test]
fn a_container_that_is_ready_too_early_is_named() {
    let sim = world(150);
    let (found, _, conditions, told) = rises(&sim, 2);
    assert_eq!((found.joins_watched, found.joins_with_errors), (2, 2), "{found:?}");
    assert!(found.errors_while_joining > 500.0, "{found:?}");
    assert!(conditions.contains(&Reason::ReadyTooEarly), "{conditions:?}");
    assert!(told.contains("ready_too_early") && told.contains("/ping"), "{told}");
}

#[test]
fn before_five_were_seen_the_prior_is_used_and_said() {
    let sim = world(0);
    let (found, _, _, told) = rises(&sim, 1);
    assert_eq!(found.scale_outs, 2);
    assert_eq!(found.time.start_up.source, Source::InstanceType);
    assert!(found.seen.start_up.is_some(), "{found:?}");
    assert!(told.contains("assumed by the instance type"), "{told}");
    let json: Value = serde_json::to_value(&found).unwrap();
    assert_eq!(json["time"]["start_up"]["source"], "instance_type", "{json}");
}
