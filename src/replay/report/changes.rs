//! What changed in the course of a replay, a line for each change: an hour that says what the hour
//! before it said is none.

use maud::{Markup, html};

use crate::model::estimate::Finding;
use crate::model::reason::{ActionKind, Reason};
use crate::render::page::parts::verdict_words;
use crate::render::plot::thousands;

use super::super::run::Evaluation;
use super::number;

/// Most lines; a replay with more of them is read from its JSON.
const CHANGES_MAX: usize = 200;

/// The decision in words: `set 600`, `hold`.
pub(super) fn decision(evaluation: &Evaluation) -> String {
    match evaluation.decided.action {
        action if action.sets_target() => {
            format!("set {}", number(evaluation.decided.target_value))
        }
        action => action.as_str().replace('_', " "),
    }
}

/// What tells two evaluations apart.
fn key(e: &Evaluation) -> (ActionKind, Reason, &[Finding], Option<i64>) {
    let written = e.decided.action.sets_target();
    let value = e.decided.target_value.filter(|_| written).map(|value| value.round() as i64);
    (e.decided.action, e.decided.reason, &e.estimate.findings, value)
}

/// The lines: of evaluations that say the same, one.
pub(super) fn changes(evaluations: &[Evaluation]) -> Markup {
    let runs: Vec<&[Evaluation]> = evaluations.chunk_by(|a, b| key(a) == key(b)).collect();
    let quiet = |run: &&[Evaluation]| {
        run.first()
            .is_none_or(|e| e.decided.action == ActionKind::None && e.estimate.findings.is_empty())
    };
    let nothing = runs.iter().all(quiet);
    html! {
        section {
            h2 { "What changed" }
            @if nothing {
                p.legend { "nothing to change and nothing found" }
            } @else {
                ul.changes {
                    @for run in runs.iter().take(CHANGES_MAX) { (line(run)) }
                }
                @if runs.len() > CHANGES_MAX {
                    p.legend { (runs.len() - CHANGES_MAX) " more are in the replay's JSON" }
                }
            }
        }
    }
}

fn line(run: &[Evaluation]) -> Markup {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return html! {} };
    let found: Vec<String> =
        first.estimate.findings.iter().map(|f| f.as_str().replace('_', " ")).collect();
    let capacity = first.estimate.capacity.estimate;
    html! {
        li {
            time datetime=(first.at.format("%FT%TZ")) { (first.at.format("%Y-%m-%d %H:%M")) }
            div {
                b { (decision(first)) } " (" (first.decided.reason.as_str().replace('_', " ")) ")"
                @if !found.is_empty() { "; found: " b.found { (found.join(", ")) } }
                span.as {
                    @if run.len() > 1 {
                        "until " (last.at.format("%Y-%m-%d %H:%M")) ", "
                        (thousands(run.len() as f64)) " evaluations that say the same; "
                    }
                    (verdict_words(first.estimate.verdict))
                    @if let Some(capacity) = capacity { ", capacity " (thousands(capacity)) }
                    ", in force " (number(first.configured_target))
                    ", safe " (number(first.safe_target))
                }
            }
        }
    }
}
