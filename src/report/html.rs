//! The report as one page that needs nothing from elsewhere.

use std::fmt::Write as _;

use super::rows::{Report, Row};
use super::text::{by_risk, cents, dash, one, percent, remarks, shown, summary};
use crate::render::printable;

/// As the replay's page: system fonts, light and dark.
const STYLE: &str = "\
:root{--ink:#1c2430;--soft:#5b6675;--line:#e3e7ed;--paper:#fff;--bar:#2f6fde}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b6;--line:#2b3442;--paper:#0f141b;--bar:#6da0ff}}
body{margin:0 auto;max-width:1200px;padding:24px 20px;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
header p{color:var(--soft)}
table{border-collapse:collapse;width:100%;margin:0 0 28px}
th{text-align:left;color:var(--soft);font-size:12px}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);vertical-align:top;font-variant-numeric:tabular-nums;overflow-wrap:break-word}
td:first-child{min-width:14em}
.scroll{overflow-x:auto}
svg{color:var(--bar)}
";

/// Text that may come from anywhere, harmless in element content.
fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The page.
pub fn html(report: &Report) -> String {
    let at = report.at.map(|at| at.format("%F %R UTC").to_string()).unwrap_or_default();
    let header = format!("<h1>Waste and risk</h1><p>the last week, as of {at}</p>");
    let mut main = String::new();
    for sentence in summary(report) {
        let _ = writeln!(main, "<p>{}</p>", escaped(&sentence));
    }
    let most = report.variants.iter().filter_map(|row| row.waste_hours).fold(0.0, f64::max);
    let _ = writeln!(main, "<h2>Most waste first</h2>");
    let headings =
        ["variant", "type", "hours", "$", "waste hours", "waste $", "share of the most", "remarks"];
    let waste = report.variants.iter().map(|row| {
        let share = row.waste_hours.map_or(0.0, |hours| hours / most.max(1e-9) * 100.0);
        let bar = format!(
            "<svg width=\"100\" height=\"10\" role=\"img\" aria-label=\"{share:.0} % of the most\">\
             <rect width=\"{share:.1}\" height=\"10\" fill=\"currentColor\"/></svg>"
        );
        vec![
            name(row),
            cell(&row.instance_type.clone().unwrap_or_else(dash)),
            cell(&shown(row.instance_hours, one)),
            cell(&shown(row.dollars, cents)),
            cell(&shown(row.waste_hours, one)),
            cell(&shown(row.waste_dollars, cents)),
            bar,
            cell(&remarks(row)),
        ]
    });
    table(&mut main, "most waste first", &headings, waste);
    let _ = writeln!(main, "<h2>Most risk first</h2>");
    let headings = [
        "variant",
        "minutes over capacity",
        "free now",
        "now, minus one instance",
        "free at the peak",
        "at the peak, minus one instance",
    ];
    let risk = by_risk(report).into_iter().map(|row| {
        vec![
            name(row),
            cell(&shown(row.minutes_over_capacity, |minutes| format!("{minutes:.0}"))),
            cell(&shown(row.buffer_now, percent)),
            cell(&shown(row.buffer_now_minus_one, percent)),
            cell(&shown(row.buffer_at_peak, percent)),
            cell(&shown(row.buffer_at_peak_minus_one, percent)),
        ]
    });
    table(&mut main, "most risk first", &headings, risk);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>setpoint: waste and risk</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>{header}</header>\n<main>\n{main}</main>\n</body>\n</html>\n"
    )
}

fn name(row: &Row) -> String {
    cell(&row.id.to_string())
}

fn cell(text: &str) -> String {
    escaped(text)
}

fn table(
    out: &mut String,
    label: &str,
    headings: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) {
    // Wider than a phone: it scrolls by itself, with the keyboard too.
    let _ = write!(
        out,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\">\n<table>\n<thead><tr>"
    );
    for head in headings {
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{cell}</td>");
        }
        out.push_str("</tr>\n");
    }
    let _ = writeln!(out, "</tbody></table>\n</div>");
}
