//! The report of a replay: one HTML file that needs nothing else, with the plots an SRE asks for.

mod changes;
mod plots;
pub mod tradeoff;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::render::page::parts::verdict_words;
use crate::render::plot::thousands;

use super::csv::Row;
use super::run::{Evaluation, ReplaySettings};

const STYLE: &str =
    concat!(include_str!("../render/page/base.css"), include_str!("report/report.css"));

/// Renders the report. `name` is the recording's.
pub fn render(
    name: &str,
    rows: &[Row],
    settings: &ReplaySettings,
    evaluations: &[Evaluation],
) -> String {
    let last = evaluations.last();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "setpoint replay: " (name) }
                // A file has no server to load it from.
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        p.brand { "setpoint replay" }
                        h1 { (name) }
                        @if let Some(last) = last { p.lead { (last.estimate.sentence) } }
                    }
                    @if let Some(last) = last { (tiles(last)) }
                    @if let Some(objective) = settings.objective.latency {
                        (plots::load_and_latency(rows, objective, last))
                    }
                    (plots::over_time(rows, evaluations))
                    (changes::changes(evaluations))
                    (left_out(last))
                }
            }
        }
    }
    .into_string()
}

/// A number with thousands separators, or "none".
fn number(v: Option<f64>) -> String {
    v.map_or_else(|| "none".to_owned(), thousands)
}

fn tiles(last: &Evaluation) -> Markup {
    let c = &last.estimate.capacity;
    let verdict = last.estimate.verdict;
    let interval = match (c.low, c.high) {
        (Some(low), Some(high)) => format!("{} to {}", thousands(low), thousands(high)),
        (Some(low), None) => format!("at least {}", thousands(low)),
        (None, Some(high)) => format!("at most {}", thousands(high)),
        (None, None) => "no bound".to_owned(),
    };
    let divergence =
        last.divergence.map_or_else(String::new, |d| format!("{d:.2} x the safe target"));
    let alarms: Vec<String> =
        last.estimate.findings.iter().map(|f| f.as_str().replace('_', " ")).collect();
    let used = format!("from {} minutes", thousands(f64::from(last.estimate.minutes.used)));
    let decision = changes::decision(last);
    let tile = |class: &str, head: &str, value: &str, foot: &str| {
        html! { div class={ "tile " (class) } { span { (head) } b { (value) } small { (foot) } } }
    };
    html! {
        section.tiles aria-label="At the end of the recording" {
            (tile(verdict.as_str(), "verdict", verdict_words(verdict), &used))
            (tile("", "capacity of one instance", &number(c.estimate), &interval))
            (tile("", "safe target", &number(last.safe_target), "before limits"))
            (tile("", "configured target", &number(last.configured_target), &divergence))
            (tile("", "decision", &decision, &last.decided.reason.as_str().replace('_', " ")))
            @if alarms.is_empty() {
                (tile("", "alarms", "no alarms", "confirmed twice"))
            } @else {
                (tile("alarm", "alarms", &alarms.join(", "), "confirmed twice"))
            }
        }
    }
}

fn left_out(last: Option<&Evaluation>) -> Markup {
    let dropped = last.map(|last| &last.estimate.minutes.dropped).filter(|d| !d.is_empty());
    html! {
        @if let Some(dropped) = dropped {
            section {
                h2 { "Minutes left out" }
                p.legend {
                    @for (reason, count) in dropped.iter() {
                        span.chip { (reason.as_str().replace('_', " ")) " " b { (thousands(f64::from(count))) } }
                    }
                }
            }
        }
    }
}
