//! Every drift, injected by hand through AWS's wire protocols as a person with boto3 or the aws CLI
//! would: reported in the next pass, and in `repair` gone in the pass after it, with no write to
//! anything else. The same for what an emulator that is not ours can hold.

mod cases;
mod conditions;
mod fleet;
mod reaction;
mod stage;

use setpoint::model::goal::Mode;

use crate::contract::moto;
use cases::{CASES, Case};
use stage::{Stage, VICTIM};

/// Injects a drift and follows it: observed without a write, then repaired.
async fn follow(case: &Case, stage: &mut Stage) {
    let name = case.name;
    stage.settle().await;
    (case.inject)(stage);

    // In observe it is reported, and nothing but reads goes over the wire.
    let begun = stage.recorder.operations().len();
    stage.pass(Mode::Observe, false).await;
    let writes: Vec<String> = stage.writes_since(begun);
    assert!(writes.is_empty(), "{name}: observe sent {writes:?}");
    let reported = stage.differing(VICTIM);
    let expected: Vec<_> = case.fields.to_vec();
    assert_eq!(reported, expected, "{name}: {}", stage.told(VICTIM));
    stage.assert_bystanders_in_sync(name);

    // A change in the safe direction is left alone for four hours.
    if case.grace {
        let begun = stage.recorder.operations().len();
        stage.pass(Mode::Repair, false).await;
        assert!(stage.writes_since(begun).is_empty(), "{name}: within its grace");
        assert_eq!(stage.differing(VICTIM), expected, "{name}: {}", stage.told(VICTIM));
        stage.advance_hours(5);
        stage.pass(Mode::Observe, true).await;
    }

    // In repair it is written, one step for each pass, and then gone.
    let begun = stage.recorder.operations().len();
    for step in 0..=case.steps {
        stage.pass(Mode::Repair, true).await;
        stage.advance_minutes(case.minutes_between_steps);
        if step < case.steps {
            continue;
        }
        let left = stage.differing(VICTIM);
        assert!(left.is_empty(), "{name}: {left:?} left: {}", stage.told(VICTIM));
    }
    stage.assert_compared(name);
    assert_eq!(stage.writes_since(begun), case.writes, "{name}: {}", stage.told(VICTIM));
    stage.assert_bystanders_in_sync(name);
    stage.assert_only_the_victim_was_written(name);
}

/// Cases side by side: each has a world of its own.
fn each(cases: &[&Case], make: impl Fn() -> Stage) {
    for case in cases {
        let mut stage = make();
        let runtime = stage.runtime();
        runtime.block_on(follow(case, &mut stage));
    }
}

#[test]
fn every_drift_is_reported_at_once_and_gone_one_pass_later() {
    let all: Vec<&Case> = CASES.iter().collect();
    each(&all, Stage::embedded);
}

#[test]
fn the_same_on_an_emulator_that_is_not_ours() {
    let Some(server) = moto::Server::start_for("drift::the_same_on_an_emulator_that_is_not_ours")
    else {
        return;
    };
    let (asked, not): (Vec<&Case>, Vec<&Case>) =
        CASES.iter().partition(|case| case.not_on_moto.is_none());
    assert!(asked.len() >= 8, "{} cases are asked of moto", asked.len());
    for case in not {
        println!("not asked of moto: {}: {}", case.name, case.not_on_moto.unwrap_or_default());
    }
    each(&asked, || Stage::moto(&server));
}
