//! One read that never answers makes its variant unknown, and delays no other.

use std::time::{Duration, Instant};

use serde_json::json;
use setpoint::model::reason::Reason;
use setpoint::model::status::FleetStatus;

use super::stage::{Bend, Stage, of};

/// A pass, which must not wait for what never answers.
async fn soon(stage: &mut Stage) -> FleetStatus {
    let pass = tokio::time::timeout(Duration::from_secs(30), stage.pass(true)).await;
    pass.expect("it waits for what hangs")
}

#[tokio::test]
async fn a_describe_that_hangs_delays_no_repair_of_another_variant() {
    let mut stage = Stage::of(&["hangs", "other"]);
    stage.bend("hangs", Bend::Hang);
    for name in ["hangs", "other"] {
        let variant = format!("{name}/AllTraffic");
        stage.change(json!({"edit_policy": {"variant": variant, "target_value": 700.0}}));
    }
    let began = Instant::now();
    let fleet = soon(&mut stage).await;
    let first = began.elapsed();
    assert!(first < Duration::from_secs(9), "it was waited for: {first:?}");
    assert_eq!(stage.target_value("other"), Some(600.0));
    let report = &of(&fleet, "hangs").decision.report;
    assert!(!report.comparable, "{report:?}");
    assert_eq!(stage.target_value("hangs"), Some(700.0));
    // While it hangs nobody waits for it again, nor asks again.
    let began = Instant::now();
    let fleet = soon(&mut stage).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let why = of(&fleet, "hangs").snapshot.endpoint.why().unwrap();
    assert!(why.message.contains("has not answered within 5 s"), "{why:?}");
}

#[tokio::test]
async fn one_that_hangs_right_before_its_write_holds_up_no_other_write() {
    let mut stage = Stage::of(&["hangs", "other"]);
    stage.pass(true).await;
    for name in ["hangs", "other"] {
        let variant = format!("{name}/AllTraffic");
        stage.change(json!({"edit_policy": {"variant": variant, "target_value": 700.0}}));
    }
    // Both were described a moment ago: the look before the write is the one that hangs.
    stage.bend("hangs", Bend::Hang);
    let began = Instant::now();
    let fleet = soon(&mut stage).await;
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!(stage.target_value("other"), Some(600.0));
    assert_eq!(stage.target_value("hangs"), Some(700.0));
    assert_eq!(
        of(&fleet, "hangs")
            .decision
            .report
            .fields
            .iter()
            .find(|f| f.state.differs())
            .map(|f| f.reason),
        Some(Reason::Unknown)
    );
}
