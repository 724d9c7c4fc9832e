//! The page of `setpoint whatif`: one HTML file with the curve of instance-hours against bad
//! minutes and the table of choices.

use std::fmt::Write as _;

use super::plot::{Plot, Scale, escape, thousands};
use super::{STYLE, legend};
use crate::replay::whatif::Report;
use crate::replay::whatif::output::{conclusion, preface};

/// Bad minutes on a scale of powers: from a tenth of a minute a week.
const LEAST: f64 = 0.1;

/// Renders the page.
#[must_use]
pub fn render(name: &str, report: &Report, price: Option<f64>) -> String {
    let title = escape(name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>setpoint whatif: {title}</title><style>{STYLE}</style></head><body><main>\
         <header><p class=\"brand\">setpoint whatif</p><h1>{title}</h1>"
    );
    for line in preface(report) {
        let _ = write!(page, "<p class=\"lead\">{}</p>", escape(&line));
    }
    page.push_str("</header><section><h2>Instance-hours against bad minutes</h2>");
    page.push_str(&curve(report));
    page.push_str(&legend(&[
        ("configured", "present setting"),
        ("capacity", "cheapest within the budget"),
        ("good", "other choices"),
        ("objective", "budget of bad minutes"),
    ]));
    page.push_str("</section><section><h2>Choices</h2>");
    page.push_str(&table(report, price));
    for line in conclusion(report) {
        let _ = write!(page, "<p>{}</p>", escape(&line));
    }
    page.push_str("</section></main></body></html>\n");
    page
}

fn curve(report: &Report) -> String {
    let figures = &report.answer.figures;
    let hours = || figures.iter().map(|f| f.instance_hours.mean);
    let bad = || figures.iter().map(|f| f.bad_minutes.high).chain([report.budget]);
    let (least, most) = (hours().fold(f64::INFINITY, f64::min), hours().fold(0.0, f64::max));
    let x = Scale::linear((least * 0.9).min(least), most * 1.05);
    let y = Scale::logarithmic(LEAST, bad().fold(LEAST, f64::max) * 1.3);
    let mut plot = Plot::new(x, y, 440.0);
    plot.horizontal_line(report.budget.max(LEAST), "objective", "budget");
    let width = (most * 1.05 - least * 0.9) / 700.0;
    for (i, figures) in figures.iter().enumerate() {
        let at = figures.instance_hours.mean;
        let (low, high) = (figures.bad_minutes.low.max(LEAST), figures.bad_minutes.high.max(LEAST));
        let class = if report.present == Some(i) {
            "configured"
        } else if report.answer.cheapest == Some(i) {
            "capacity"
        } else {
            "good"
        };
        let title = format!(
            "{}: {} instance-hours, {:.1} bad minutes a week ({:.1} to {:.1})",
            report.choices[i].name,
            thousands(at.round()),
            figures.bad_minutes.mean,
            figures.bad_minutes.low,
            figures.bad_minutes.high
        );
        plot.rect((at - width, at + width), (low, high), "good", 0.25, &title);
        plot.dot(at, figures.bad_minutes.mean.max(LEAST), class, &title);
    }
    plot.finish(("instance-hours a week", "bad minutes a week"), None)
}

fn table(report: &Report, price: Option<f64>) -> String {
    let text = crate::replay::whatif::output::cells(report, price);
    let mut html = String::from("<div class=\"scroll\"><table>");
    for (i, row) in text.iter().enumerate() {
        let tag = if i == 0 { "th" } else { "td" };
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<{tag}>{}</{tag}>", escape(cell));
        }
        html.push_str("</tr>");
    }
    html.push_str("</table></div>");
    html
}
