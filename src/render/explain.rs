//! Why a variant is as it is, from its record alone.

use std::fmt::Write as _;

use super::plan::forecast_words;
use super::{printable, standing_words, view};
use crate::model::decision::{FieldState, Report};
use crate::model::status::VariantStatus;
use crate::model::units::human;

/// Several lines of plain text: what was decided and why, the numbers it rests on, every field,
/// what is worth knowing, and what could not be read.
#[must_use]
pub fn explain(status: &VariantStatus) -> String {
    let mut out = String::new();
    let report = &status.decision.report;
    let mut axes = [standing_words(report), report.safety.state.words()];
    if report.is_unsafe() {
        axes.reverse();
    }
    let words = axes.join(", ");
    let _ = writeln!(out, "{}  {words}", status.snapshot.id);
    row(&mut out, "decision", &printable(&report.sentence));
    row(&mut out, "safety", &printable(&report.safety.words()));
    for would in &report.would {
        let name = format!("in {}", would.mode.as_str());
        row(&mut out, &name, &format!("would {}", printable(&would.sentence)));
    }
    let action = format!(
        "{} ({}), {} mode, decision {} at {}",
        report.action,
        report.reason,
        report.mode.as_str(),
        status.decision.id,
        status.decision.at.to_rfc3339()
    );
    row(&mut out, "action", &action);
    row(&mut out, "wanted by", &printable(&status.goal.origin));
    row(&mut out, "targets", &targets(report));
    row(&mut out, "capacity", &printable(&report.estimate.sentence));
    if let Some(words) = report.instances.and_then(forecast_words) {
        row(&mut out, "instances", &words);
    }
    if let Some(activity) = status.snapshot.activities.known().and_then(|all| all.first()) {
        row(&mut out, "last scaling", &printable(&activity.sentence()));
    }
    fields(&mut out, report);
    for note in &report.notes {
        row(&mut out, "note", &format!("{}: {}", note.reason, printable(&note.sentence)));
    }
    for unknown in view::unknown_facts(&status.snapshot) {
        let why = format!("{}: {}", unknown.fact, printable(&unknown.why.message));
        row(&mut out, "unknown", &why);
    }
    for fact in status.snapshot.facts() {
        let read = fact.read.map_or_else(
            || format!("{}: not read", fact.fact),
            |read| format!("{}: {} at {}", fact.fact, read.operation, read.at.to_rfc3339()),
        );
        row(&mut out, "read", &read);
    }
    for step in status.outcome.iter().flat_map(|outcome| &outcome.steps) {
        row(&mut out, "written", &format!("{}: {}", step.operation, printable(&step.sentence)));
    }
    if let Some(wake_at) = status.decision.wake_at {
        row(&mut out, "looks again", &wake_at.to_rfc3339());
    }
    let successful =
        status.last_successful_pass.map_or_else(|| "none yet".to_owned(), |at| at.to_rfc3339());
    let passes = format!("{} (last successful {successful})", status.last_pass.to_rfc3339());
    row(&mut out, "last pass", &passes);
    out
}

fn row(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:<12} {value}");
}

/// `configured 900, formula 600, safe 612.5, wanted 630; divergence 1.5`.
fn targets(report: &Report) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), human);
    let mut words = format!(
        "configured {}, formula {}, safe {}, wanted {}",
        number(report.configured_target),
        number(report.formula_target),
        number(report.safe_target),
        number(report.wanted_target)
    );
    if let Some(problem) = report.load_test_problem {
        let _ = write!(words, "; load test does not count: {}", problem.as_str());
    }
    if let Some(divergence) = report.divergence {
        let _ = write!(words, "; divergence {divergence:.2}");
    }
    words
}

fn fields(out: &mut String, report: &Report) {
    for field in &report.fields {
        let state = match field.state {
            FieldState::InSync => "in sync",
            FieldState::Write => "written now",
            FieldState::Held => "held",
            FieldState::Unknown => "unknown",
            FieldState::NotCompared => "not compared",
        };
        // Nothing there and nothing known of it are different things.
        let missing = if field.state == FieldState::Unknown { "something unknown" } else { "none" };
        let value = |value: &Option<String>, otherwise: &str| {
            value.as_deref().map_or_else(|| otherwise.to_owned(), |v| printable(v).into_owned())
        };
        let mut words = format!(
            "{}: {state}, AWS has {}, desired {}",
            field.field,
            value(&field.actual, missing),
            value(&field.desired, "none")
        );
        if field.state != FieldState::InSync && field.sentence.is_empty() {
            let _ = write!(words, " ({})", field.reason);
        } else if field.state != FieldState::InSync {
            let _ = write!(words, " ({}: {})", field.reason, printable(&field.sentence));
        }
        row(out, "field", &words);
    }
}
