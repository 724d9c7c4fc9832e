//! An audit for people: what is wrong, grouped by what to do about it, the worst first.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Audit, Finding, Guess, Judged, Severity};
use crate::model::ids::VariantId;
use crate::model::units::human;
use crate::render::printable;
use crate::render::table::table;

/// The audit as text with colour codes, its table within `width` columns where there is a terminal.
/// `several` is whether names need account and region.
pub fn text(audit: &Audit, several: bool, width: Option<usize>) -> String {
    let name = |id: &VariantId| if several { id.to_string() } else { id.short() };
    let mut out = String::new();
    let mut rest = audit.findings.as_slice();
    while let Some((_, first)) = rest.first() {
        let same = |(_, one): &&(VariantId, Finding)| {
            one.code == first.code && one.severity == first.severity
        };
        let (group, others) = rest.split_at(rest.iter().take_while(same).count());
        rest = others;
        self::group(&mut out, group, name);
    }
    if !audit.unread.is_empty() {
        let style = style(Severity::High);
        let _ = writeln!(
            out,
            "{style}not judged{style:#}  what could not be read is not known to be right"
        );
        for (id, why) in &audit.unread {
            let _ = writeln!(out, "  {}  {}", name(id), printable(&why.message));
        }
        out.push('\n');
    }
    if let Some(judged) = &audit.guessed {
        guessed(&mut out, judged, name, width);
    }
    let _ = writeln!(out, "{}", summary(audit));
    out
}

/// What capacity says of each variant, said to be by guesses.
fn guessed(
    out: &mut String,
    judged: &[Judged],
    name: impl Fn(&VariantId) -> String,
    width: Option<usize>,
) {
    let bold = Style::new().bold();
    let _ = writeln!(
        out,
        "{bold}capacity{bold:#}  by GUESSED objectives: twice each variant's own quiet p99, nobody's promise"
    );
    let row = |one: &Judged| {
        let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), human);
        let guess = one.guess.as_ref().map_or_else(|_| "-".to_owned(), Guess::to_string);
        let words = one.safety.words().to_owned();
        vec![name(&one.id), guess, value(one.target_value), one.capacity_text(), words]
    };
    let rows: Vec<Vec<String>> = judged.iter().map(row).collect();
    let head = ["VARIANT", "GUESSED", "TARGET", "CAPACITY", "SAID"];
    for line in table(&head, &rows, width.map(|width| width.saturating_sub(2))).lines() {
        let _ = writeln!(out, "  {line}");
    }
    out.push('\n');
}

fn group(out: &mut String, group: &[(VariantId, Finding)], name: impl Fn(&VariantId) -> String) {
    let Some((_, first)) = group.first() else { return };
    let (style, severity) = (style(first.severity), first.severity.as_str());
    let _ = writeln!(out, "{style}{severity}{style:#}  {} ({})", first.code, group.len());
    let width = group.iter().map(|(id, _)| name(id).len()).max().unwrap_or_default();
    let one_advice = group.iter().all(|(_, one)| one.advice == first.advice);
    for (id, one) in group {
        let _ = writeln!(out, "  {:<width$}  {}", name(id), printable(&one.sentence));
        if !one_advice {
            let _ = writeln!(out, "  {:<width$}    {}", "", printable(&one.advice));
        }
    }
    if one_advice {
        let _ = writeln!(out, "  -> {}", printable(&first.advice));
    }
    out.push('\n');
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::High => AnsiColor::Red.on_default().bold(),
        Severity::Medium => AnsiColor::Yellow.on_default().bold(),
        Severity::Low => Style::new().bold(),
    }
}

/// `Audit: 12 variants on 10 endpoints: 3 findings of high severity, 1 of medium, 4 of low.`
fn summary(audit: &Audit) -> String {
    let plural = |count: usize, one: &str| {
        if count == 1 { format!("{count} {one}") } else { format!("{count} {one}s") }
    };
    let (variants, endpoints) =
        (plural(audit.variants, "variant"), plural(audit.endpoints, "endpoint"));
    let mut text = format!("Audit: {variants} on {endpoints}");
    if audit.findings.is_empty() {
        text.push_str(": nothing found");
    } else {
        let counts: Vec<String> = Severity::ALL
            .into_iter()
            .map(|severity| (severity, audit.count(severity)))
            .filter(|(_, count)| *count > 0)
            .map(|(severity, count)| format!("{count} {}", severity.as_str()))
            .collect();
        let _ =
            write!(text, ": {} ({})", plural(audit.findings.len(), "finding"), counts.join(", "));
    }
    if !audit.unread.is_empty() {
        let _ = write!(text, "; {} not judged", audit.unread.len());
    }
    text.push('.');
    text
}
