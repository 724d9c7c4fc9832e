//! What a pass that a person asked for proves of a variant.

use serde::Serialize;

use super::view::VariantView;
use crate::model::decision::FieldState;
use crate::model::reads::FactRead;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;

/// A variant after a pass that was asked for.
#[derive(Debug, Serialize)]
pub struct Checked<'a> {
    /// What every list shows; the reads are in it.
    #[serde(flatten)]
    pub view: VariantView<'a>,
    /// What they prove.
    pub proof: Proof,
}

/// Whether everything managed was compared, from reads of the pass itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Whether it was.
    pub verified: bool,
    /// As of when: the oldest answer that the comparison rests on; null when it was not.
    pub verified_at: Option<Timestamp>,
    /// Why it was not, one sentence each.
    pub not_verified: Vec<String>,
}

impl<'a> Checked<'a> {
    /// What a pass that began at `began_at` proves.
    pub fn of(status: &'a VariantStatus, began_at: Timestamp) -> Self {
        Self { view: VariantView::of(status), proof: Proof::of(status, began_at) }
    }
}

/// Facts that nothing is compared with: they say why, and when to write. Paid telemetry is read on
/// a schedule of its own.
const NOT_COMPARED: [&str; 2] = ["activities", "telemetry"];

impl Proof {
    /// See [`Checked::of`].
    pub fn of(status: &VariantStatus, began_at: Timestamp) -> Self {
        let mut not_verified = Vec::new();
        let mut oldest: Option<Timestamp> = None;
        if !status.goal.managed {
            not_verified.push("the configuration does not list it: nothing is compared".to_owned());
        }
        let facts = status.snapshot.facts();
        for fact in facts.iter().filter(|fact| !NOT_COMPARED.contains(&fact.fact)) {
            match fact.read.map(|read| read.at) {
                Some(at) if at >= began_at => oldest = Some(oldest.map_or(at, |o| o.min(at))),
                _ => not_verified.push(from_before(fact)),
            }
        }
        if !status.decision.report.comparable {
            not_verified.extend(could_not_compare(status));
        }
        let lacking = status.decision.report.fields.iter().filter(|f| f.lacks_comparison());
        not_verified.extend(lacking.map(|f| format!("{} not compared: {}", f.field, f.sentence)));
        let verified = not_verified.is_empty();
        Self { verified, verified_at: oldest.filter(|_| verified), not_verified }
    }
}

fn from_before(fact: &FactRead<'_>) -> String {
    let name = fact.fact;
    match fact.read {
        Some(read) => format!("{name} is from {}, before this pass", read.at.format("%FT%TZ")),
        None => format!("{name} was not read"),
    }
}

fn could_not_compare(status: &VariantStatus) -> Vec<String> {
    let report = &status.decision.report;
    let mut found: Vec<String> = report
        .fields
        .iter()
        .filter(|field| field.state == FieldState::Unknown)
        .map(|field| format!("{} could not be compared: {}", field.field, field.sentence))
        .collect();
    if found.is_empty() {
        // Such as a listed variant that does not exist.
        found.push(report.sentence.clone());
    }
    found
}
