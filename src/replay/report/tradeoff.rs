//! The page of `setpoint whatif`: one HTML file with the curve of instance-hours against bad
//! minutes and the table of choices.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::STYLE;
use crate::render::plot::{Plot, Scale, both, legend};
use crate::replay::whatif::Report;
use crate::replay::whatif::output::{cells, conclusion, every, preface};

/// Bad minutes are drawn on a scale of powers, from a tenth of a minute a week.
const LEAST: f64 = 0.1;
/// Colours of the two dots that other plots have as lines only.
const DOTS: &str = ".dots.configured { stroke: var(--configured); stroke-width: 10; } \
                    .dots.capacity { stroke: var(--capacity); stroke-width: 10; }";

pub fn render(name: &str, report: &Report, price: Option<f64>) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "setpoint whatif: " (name) }
                // A file has no server to load it from.
                style { (PreEscaped(STYLE)) (PreEscaped(DOTS)) }
            }
            body {
                main {
                    header {
                        p.brand { "setpoint whatif" }
                        h1 { (name) }
                        @for line in preface(report) { p.lead { (line) } }
                    }
                    section {
                        h2 { "Instance-hours against bad minutes" }
                        (both(440.0, |frame| curve(report, Plot::new(frame, hours(report), bad(report)))))
                        (legend(&[
                            ("configured", "present setting"),
                            ("capacity", "cheapest within the budget"),
                            ("good", "other choices"),
                            ("objective", "budget of bad minutes"),
                        ]))
                    }
                    section {
                        h2 { "Choices" }
                        (table(&cells(report, &every(report), price)))
                        @for line in conclusion(report) { p { (line) } }
                    }
                }
            }
        }
    }
    .into_string()
}

fn hours(report: &Report) -> Scale {
    let hours = || report.answer.figures.iter().map(|f| f.instance_hours.mean);
    Scale::linear(0.9 * hours().fold(f64::INFINITY, f64::min), 1.05 * hours().fold(0.0, f64::max))
}

fn bad(report: &Report) -> Scale {
    let bad = report.answer.figures.iter().map(|f| f.bad_minutes.high).chain([report.budget]);
    Scale::logarithmic(LEAST, bad.fold(LEAST, f64::max) * 1.3)
}

fn curve(report: &Report, mut plot: Plot) -> Markup {
    plot.horizontal_line(report.budget.max(LEAST), "objective", "budget");
    let point = |i: usize| {
        let figures = &report.answer.figures[i];
        (figures.instance_hours.mean, figures.bad_minutes.mean.max(LEAST))
    };
    let marked = [report.present, report.answer.cheapest];
    let others = (0..report.choices.len()).filter(|i| !marked.contains(&Some(*i)));
    plot.dots("solid good", others.map(point));
    plot.dots("capacity", report.answer.cheapest.map(point));
    plot.dots("configured", report.present.map(point));
    plot.finish(
        "Bad minutes a week against instance-hours a week, one dot for each choice",
        ("instance-hours a week", "bad minutes a week"),
        None,
    )
}

fn table(rows: &[Vec<String>]) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label="choices" {
            table {
                @for (i, row) in rows.iter().enumerate() {
                    tr { @for cell in row { @if i == 0 { th scope="col" { (cell) } } @else { td { (cell) } } } }
                }
            }
        }
    }
}
