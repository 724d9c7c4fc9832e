//! An audit for programs. A key once shipped keeps its meaning (`docs/first-contact.md`).

use serde_json::{Value, json};

use super::{Audit, GUESSED_CODES, Judged};
use crate::model::status::FleetStatus;
use crate::render::plan::undescribed;

pub fn json(audit: &Audit, fleet: &FleetStatus) -> Value {
    let scopes: Vec<Value> = fleet
        .scopes
        .iter()
        .map(|(scope, why)| {
            json!({
                "account_id": scope.account_id,
                "region": scope.region,
                "readable": why.is_none(),
                "why": why,
            })
        })
        .collect();
    let findings: Vec<Value> = audit
        .findings
        .iter()
        .map(|(id, one)| {
            json!({
                "variant": id,
                "severity": one.severity,
                "code": one.code,
                "sentence": one.sentence,
                "advice": one.advice,
                "objective_is_guessed": GUESSED_CODES.contains(&one.code),
            })
        })
        .collect();
    let not_judged: Vec<Value> =
        audit.unread.iter().map(|(id, why)| json!({ "variant": id, "why": why })).collect();
    json!({
        "at": fleet.at,
        "scopes": scopes,
        "endpoints": audit.endpoints,
        "variants": audit.variants,
        "findings": findings,
        "not_judged": not_judged,
        "undescribed": undescribed(fleet),
        "scaling_activities_read_of": audit.activities_of,
        "guessed": audit.guessed.as_ref().map(|all| all.iter().map(guessed).collect::<Vec<_>>()),
    })
}

/// What capacity says of one variant by a guessed objective.
fn guessed(one: &Judged) -> Value {
    json!({
        "variant": one.id,
        "guessed_objective": one.guess.as_ref().ok(),
        "target_value": one.target_value,
        "verdict": one.verdict,
        "capacity": one.capacity,
        "state": one.safety.as_str(),
        "sentence": one.sentence,
    })
}
