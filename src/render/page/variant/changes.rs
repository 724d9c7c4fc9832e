//! The plan as a diff: what AWS has, what it should have, and what is done about it. What is as it
//! should be folds away.

use maud::{Markup, html};

use super::super::parts;
use crate::model::decision::{FieldReport, FieldState, Report, StepResult};
use crate::model::status::VariantStatus;
use crate::render::plan::limited;
use crate::render::printable;
use crate::render::view::VariantView;

/// The fields that were compared, what other modes would do, and what was written.
pub(super) fn plan(status: &VariantStatus, view: &VariantView<'_>) -> Markup {
    let report = &status.decision.report;
    let (same, differs): (Vec<_>, Vec<_>) =
        report.fields.iter().partition(|field| field.state == FieldState::InSync);
    html! {
        section.card {
            h2 { "Plan" }
            @if report.fields.is_empty() {
                p.dim { "Nothing is compared: " (printable(&report.sentence)) }
            } @else if differs.is_empty() {
                p.good { "Nothing differs from what the configuration states." }
            } @else {
                (table(report, &differs))
            }
            @if !same.is_empty() {
                details #same {
                    summary { (same.len()) " as they should be" }
                    (table(report, &same))
                }
            }
            @for would in view.would {
                p { (parts::badge("mode", would.mode.as_str())) " would " (printable(&would.sentence)) }
            }
            @for note in view.decision.notes {
                p { (parts::badge("note", &parts::spaced(note.reason.as_str()))) " " (printable(&note.sentence)) }
            }
            @if let Some(outcome) = view.outcome {
                h3 { "Written in this pass" }
                ul {
                    @for step in &outcome.steps {
                        @let good = step.result == StepResult::Success;
                        li { span class=(if good { "good" } else { "bad" }) { (step.operation) } ": " (printable(&step.sentence)) }
                    }
                }
            }
            p.dim {
                (view.decision.action.as_str().replace('_', " ")) " (" (view.decision.reason.as_str()) "), decision "
                code { (printable(view.decision.id)) } " of " (parts::day_and_time(view.decision.at))
            }
        }
    }
}

fn table(report: &Report, fields: &[&FieldReport]) -> Markup {
    html! {
        table.diff {
            caption.unseen { "Fields with what AWS has and what is desired" }
            thead { tr {
                th scope="col" { "field" } th scope="col" { "in AWS, and desired" }
                th scope="col" { "state" } th scope="col" { "why" }
            } }
            tbody { @for field in fields { (row(report, field)) } }
        }
    }
}

fn row(report: &Report, field: &FieldReport) -> Markup {
    let (class, words) = match field.state {
        FieldState::InSync => ("in_sync", "in sync"),
        FieldState::Write => ("change", "written now"),
        FieldState::Held => ("held", "held"),
        FieldState::Unknown => ("unknown", "unknown"),
        FieldState::NotCompared => ("not_compared", "not compared"),
    };
    let next = limited(report, field).filter(|next| Some(&**next) != field.desired.as_deref());
    // Nothing there and nothing known of it are different things.
    let missing = if field.state == FieldState::Unknown { "unknown" } else { "none" };
    let actual = field.actual.as_deref().unwrap_or(missing);
    html! {
        tr class=(class) {
            th scope="row" { (field.field.as_str()) }
            td data-label="in AWS, and desired" {
                @match (field.state, field.desired.as_deref()) {
                    (FieldState::InSync | FieldState::Unknown | FieldState::NotCompared, _) | (_, None) => {
                        (printable(actual))
                    }
                    (_, Some(desired)) => {
                        del { (printable(actual)) } " " ins { (printable(desired)) }
                        @if let Some(next) = next { span.dim { " (next " (printable(&next)) ")" } }
                    }
                }
            }
            td data-label="state" { (parts::badge(class, words)) }
            td data-label="why" { (printable(&field.sentence)) " " span.dim { "(" (field.reason.as_str()) ")" } }
        }
    }
}
