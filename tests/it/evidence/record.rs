//! The record of a decision: `get -o json` has the estimator whole, and another process estimates and
//! decides again by it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use setpoint::render::view::VariantDetail;
use setpoint::replay::record::Record;
use setpoint::sim::scenario::Change;

use super::{Passes, change, deploy, memory, world};

/// `get -o json` has the estimator whole: what was estimated and decided is worked out again by another
/// process, and evidence that is not as it was is noticed.
#[tokio::test]
async fn a_record_of_a_decision_is_estimated_and_decided_again() {
    let sim = world();
    let mut passes = Passes::begin(&sim, &memory(), None);
    let mut verdicts = BTreeSet::new();
    for pass in 0..6 {
        if pass == 3 {
            change(&sim, deploy(0.7));
        }
        if pass == 4 {
            // For a while it has no instances.
            change(&sim, Change::Recreate { endpoint: "calm".to_owned() });
            sim.advance(1800);
        }
        let fleet = passes.pass().await;
        for (id, status) in &*fleet.variants {
            let detail = serde_json::to_value(VariantDetail::of(status)).unwrap();
            assert!(detail["estimator"]["state"].is_object(), "{id}: {detail:#}");
            let again = Record::parse(detail.to_string().as_bytes()).unwrap().decide().unwrap();
            assert!(again.is_estimated && again.differs.is_empty(), "{id}: {:#?}", again.differs);
            verdicts.insert(status.decision.report.estimate.verdict);
        }
        sim.advance(900);
    }
    assert_eq!(verdicts.len(), 3, "measured, at_least and at_most: {verdicts:?}");
    let fleet = passes.pass().await;
    let status = fleet.variants.values().next().unwrap();
    let mut detail = serde_json::to_value(VariantDetail::of(status)).unwrap();
    // The decision goes by what is estimated now, and not by what the record says of it.
    detail["estimate"]["capacity"]["estimate"] = json!(100.0);
    let again = Record::parse(detail.to_string().as_bytes()).unwrap().decide().unwrap();
    let differs: Vec<&str> = again.differs.iter().map(|d| d.key.as_str()).collect();
    assert_eq!(differs, ["estimate.capacity"]);
    let detail = &mut serde_json::to_value(VariantDetail::of(status)).unwrap();
    detail["estimator"] = json!(null);
    let again = Record::parse(detail.to_string().as_bytes()).unwrap().decide().unwrap();
    assert!(!again.is_estimated && again.differs.is_empty(), "by the estimate in it");
}

/// A record may come from anybody: a number that cannot be is an error, and never the end of the process.
#[tokio::test]
async fn a_record_whose_estimator_cannot_be_is_refused_or_estimated_and_never_ends_the_process() {
    let sim = world();
    let mut passes = Passes::begin(&sim, &memory(), None);
    let fleet = passes.pass().await;
    let status = fleet.variants.values().next().unwrap();
    let detail = serde_json::to_value(VariantDetail::of(status)).unwrap();
    let mut places = Vec::new();
    numbers(&detail["estimator"], &mut "/estimator".to_owned(), &mut places);
    places.retain(|place| place != "/estimator/form");
    assert!(places.len() > 400, "{}", places.len());
    let mut other_form = detail.clone();
    other_form["estimator"]["form"] = json!(4);
    let again = Record::parse(other_form.to_string().as_bytes()).unwrap().decide().unwrap();
    assert!(!again.is_estimated && again.differs.is_empty(), "{:?}", again.differs);
    let mut refused = 0;
    let mut bad = Vec::new();
    for place in &places {
        for odd in [json!(-1), json!(1e18), json!(i64::MIN)] {
            let mut detail = detail.clone();
            *detail.pointer_mut(place).unwrap() = odd.clone();
            let text = detail.to_string();
            let run = std::panic::catch_unwind(|| {
                Record::parse(text.as_bytes()).and_then(Record::decide).is_err()
            });
            match run {
                Ok(error) => refused += usize::from(error),
                Err(_) => bad.push(format!("{place} = {odd}")),
            }
        }
    }
    assert!(bad.is_empty(), "{}: {:#?}", bad.len(), &bad[..bad.len().min(60)]);
    assert!(refused > 100, "{refused}");
}

/// Pointers to all numbers; of a long list, to the first and last few.
fn numbers(value: &Value, at: &mut String, places: &mut Vec<String>) {
    let step = |name: &str, value: &Value, places: &mut Vec<String>| {
        let mut at = format!("{at}/{name}");
        numbers(value, &mut at, places);
    };
    match value {
        Value::Number(_) => places.push(at.clone()),
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| step(name, value, places));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index < 3 || index + 3 > items.len() {
                    step(&index.to_string(), item, places);
                }
            }
        }
        _ => {}
    }
}
