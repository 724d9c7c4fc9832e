//! A reason code that no page explains helps nobody at night.

use setpoint::model::reason::Reason;

#[test]
fn every_reason_is_explained_in_the_pages_of_rules_and_drift() {
    let page = |name: &str| std::fs::read_to_string(format!("docs/{name}.md")).unwrap();
    let pages = page("safety") + &page("drift");
    // What AWS has is what is desired, or is being made so: the names say it.
    let plain = [Reason::InSync, Reason::Drift, Reason::SafeTarget, Reason::EndpointMissing];
    let told = |reason: &Reason| pages.contains(&format!("`{reason}`"));
    let missing: Vec<&Reason> =
        Reason::ALL.iter().filter(|reason| !plain.contains(reason) && !told(reason)).collect();
    assert!(missing.is_empty(), "neither docs/safety.md nor docs/drift.md explains {missing:?}");
}
