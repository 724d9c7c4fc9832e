//! The page of one variant: the whole decision.

use std::fmt::Write as _;

use super::explain::Explanation;
use super::html::{Escaped, badges, count, number, page};
use super::plan::{forecast_words, limited};
use super::view::{ReadView, VariantView};
use crate::model::decision::{FieldState, Report, Would};
use crate::model::status::VariantStatus;

/// The page.
#[must_use]
pub fn variant_page(status: &VariantStatus) -> String {
    let view = VariantView::of(status);
    let report = &status.decision.report;
    let mut main =
        format!("{}\n<p class=\"sentence\">{}</p>\n", badges(report), Escaped(&view.headline));
    let _ = writeln!(
        main,
        "<p class=\"dim\">{} ({}), {} mode, decision {}, {}</p>",
        view.decision.action,
        view.decision.reason,
        view.mode.as_str(),
        Escaped(view.decision.id),
        view.decision.at.format("%Y-%m-%d %H:%M:%S UTC")
    );
    explanation(&mut main, &Explanation::of(status));
    section(&mut main, "In another mode", &would(&view));
    fields(&mut main, report);
    section(&mut main, "Target values (invocations per minute per instance)", &targets(&view));
    section(&mut main, "Capacity", &capacity(&view));
    section(&mut main, "Observed", &observed(&view));
    section(&mut main, "Instances", &instances(&view));
    section(&mut main, "Notes", &notes(&view));
    section(&mut main, "Could not be read", &unknown(&view));
    section(&mut main, "Written", &written(&view));
    section(&mut main, "Read", &reads(&view));
    section(&mut main, "Passes", &passes(&view));
    let header = format!(
        "<h1><a href=\"/\">setpoint</a> / {}</h1><span class=\"dim\">{} {}</span>\
         <a href=\"/api/v1{}\">JSON</a>",
        view.id.short(),
        view.id.account_id,
        view.id.region,
        super::html::variant_href(view.id)
    );
    page(&format!("{} - setpoint", view.id.short()), &header, &main)
}

/// The block of `setpoint explain`. Folded: the page has each number in a section of its own.
fn explanation(out: &mut String, explanation: &Explanation) {
    out.push_str("<details class=\"card\"><summary>Step by step: from formula to the number in force</summary>\n");
    for step in &explanation.steps {
        let _ = writeln!(out, "<h3>{}</h3>\n<ul>", Escaped(&step.title));
        for sentence in &step.sentences {
            let _ = writeln!(out, "<li>{}</li>", Escaped(sentence));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</details>\n");
}

type Rows = Vec<(String, String)>;

fn section(out: &mut String, title: &str, rows: &Rows) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "<h2>{title}</h2>\n<div class=\"card\"><table>");
    for (name, value) in rows {
        let (name, value) = (Escaped(name), Escaped(value));
        let _ = writeln!(out, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    out.push_str("</table></div>\n");
}

fn fields(out: &mut String, report: &Report) {
    if report.fields.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Fields</h2>\n<div class=\"card\"><table>\n<thead><tr><th>field</th><th>in AWS</th>\
         <th>desired</th><th></th><th>why</th></tr></thead>\n<tbody>\n",
    );
    for field in &report.fields {
        let (class, words) = match field.state {
            FieldState::InSync => ("in_sync", "in sync"),
            FieldState::Write => ("write", "written now"),
            FieldState::Held => ("held", "held"),
            FieldState::Unknown => ("unknown", "unknown"),
            FieldState::NotCompared => ("not_compared", "not compared"),
        };
        let next = limited(report, field).filter(|next| Some(next) != field.desired.as_ref());
        let next = next.map_or_else(String::new, |next| format!(" (next {})", Escaped(&next)));
        let value =
            |value: &Option<String>| Escaped(value.as_deref().unwrap_or("\u{2013}")).to_string();
        let _ = writeln!(
            out,
            "<tr><td class=\"name\">{}</td><td>{}</td><td>{}{next}</td><td><span class=\"badge \
             {class}\">{words}</span></td><td>{} <span class=\"dim\">({})</span></td></tr>",
            field.field,
            value(&field.actual),
            value(&field.desired),
            Escaped(&field.sentence),
            field.reason
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn would(view: &VariantView<'_>) -> Rows {
    let words = |would: &Would| entry(would.mode.as_str(), format!("would {}", would.sentence));
    view.would.iter().map(words).collect()
}

fn entry(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn targets(view: &VariantView<'_>) -> Rows {
    let mut rows = vec![
        entry("configured", number(view.targets.configured)),
        entry("formula", number(view.targets.formula)),
        entry("safe", number(view.targets.safe)),
        entry("wanted", number(view.targets.wanted)),
        entry("in the end", number(view.targets.desired)),
        entry("divergence", number(view.divergence)),
    ];
    if let Some(problem) = view.targets.load_test_problem {
        rows.push(entry("load test", format!("does not count: {}", problem.as_str())));
    }
    rows
}

fn capacity(view: &VariantView<'_>) -> Rows {
    let capacity = &view.capacity;
    let bounds = capacity.bounds;
    let mut rows = vec![
        entry("verdict", capacity.verdict.as_str()),
        entry("in a sentence", capacity.sentence),
        entry("estimate", number(bounds.estimate)),
        entry("interval", format!("{} to {}", number(bounds.low), number(bounds.high))),
        entry("proven lower bound", number(bounds.lower_bound)),
    ];
    if let Some(ratio) = capacity.history_complete_ratio.filter(|ratio| *ratio < 1.0) {
        rows.push(entry(
            "history read",
            format!("{:.0} %, and the rest is being read", ratio * 100.0),
        ));
    }
    if let Some(regime) = capacity.regime {
        let origin = if regime.declared { "a deploy" } else { "found in the data" };
        let since = regime.started_at.format("%Y-%m-%d %H:%M UTC");
        rows.push(entry("regime", format!("since {since} ({origin})")));
        rows.push(entry("speed ratio", number(regime.speed_ratio)));
    }
    let dropped: Vec<String> = capacity
        .minutes
        .dropped
        .iter()
        .map(|(reason, minutes)| format!("{minutes} {}", reason.as_str()))
        .collect();
    let left_out = if dropped.is_empty() {
        String::new()
    } else {
        format!("; left out: {}", dropped.join(", "))
    };
    rows.push(entry("minutes", format!("{} used{left_out}", capacity.minutes.used)));
    if !view.findings.is_empty() {
        let findings: Vec<&str> = view.findings.iter().map(|finding| finding.as_str()).collect();
        rows.push(entry("findings", findings.join(", ")));
    }
    rows
}

fn observed(view: &VariantView<'_>) -> Rows {
    let mut rows = Vec::new();
    if let Some(minute) = view.observed {
        let seconds = |value: Option<f64>| {
            value.map_or_else(|| number(None), |v| format!("{:.0} ms", v * 1e3))
        };
        rows.push(entry("minute", minute.at.format("%Y-%m-%d %H:%M UTC").to_string()));
        rows.push(entry(
            "load of one instance",
            number(minute.invocations_per_instance_per_minute),
        ));
        rows.push(entry("highest since the last read", number(minute.max_since_last_read)));
        rows.push(entry("latency p50", seconds(minute.latency_p50_seconds)));
        if let Some(objective) = view.objective.latency {
            let name = format!("latency {}", objective.statistic);
            let value = seconds(minute.latency_seconds);
            rows.push((
                name,
                format!("{value} (objective {} ms)", number(Some(objective.threshold_ms))),
            ));
        }
        rows.push(entry("5XX answers", number(minute.errors_5xx)));
    }
    rows
}

fn instances(view: &VariantView<'_>) -> Rows {
    let instances = view.instances;
    let mut rows = vec![
        entry("current", count(instances.current)),
        entry("desired", count(instances.desired)),
        entry("min, max", format!("{}, {}", count(instances.min), count(instances.max))),
    ];
    rows.extend(instances.forecast.and_then(forecast_words).map(|words| entry("forecast", words)));
    rows
}

fn notes(view: &VariantView<'_>) -> Rows {
    let note = |note: &crate::model::decision::Note| entry(note.reason.as_str(), &*note.sentence);
    view.decision.notes.iter().map(note).collect()
}

fn unknown(view: &VariantView<'_>) -> Rows {
    view.unknown.iter().map(|unknown| entry(unknown.fact, &*unknown.why.message)).collect()
}

fn written(view: &VariantView<'_>) -> Rows {
    let steps = view.outcome.iter().flat_map(|outcome| &outcome.steps);
    steps.map(|step| entry(step.operation, &*step.sentence)).collect()
}

fn reads(view: &VariantView<'_>) -> Rows {
    let words = |read: &ReadView<'_>| match (read.operation, read.at) {
        (Some(operation), Some(at)) => {
            let unknown = if read.known { "" } else { ": unknown" };
            format!("{operation} at {}{unknown}", at.format("%Y-%m-%d %H:%M:%S UTC"))
        }
        _ => "not read".to_owned(),
    };
    view.reads.iter().map(|read| entry(read.fact, words(read))).collect()
}

fn passes(view: &VariantView<'_>) -> Rows {
    let time = |at: crate::model::time::Timestamp| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let never = || "none yet".to_owned();
    vec![
        entry("last", time(view.last_pass)),
        entry("last successful", view.last_successful_pass.map_or_else(never, time)),
        entry(
            "looks again",
            view.decision.wake_at.map_or_else(|| "at the next tick".to_owned(), time),
        ),
    ]
}
