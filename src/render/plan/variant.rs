//! One variant of a plan: a line about both of its axes, and a row for each thing to know. Every
//! change and every reason is printed once.

use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{forecast_words, limited};
use crate::model::decision::{FieldReport, FieldState, InstanceForecast, ModePreview, Report};
use crate::model::reason::{ActionKind, Field, Reason};
use crate::render::{Standing, line, printable, sign};

/// Writes it, with colour codes.
pub(super) fn write(out: &mut String, name: &str, report: &Report, width: usize) {
    let (standing, style) = (Standing::of(report), line::style_of(report));
    let _ = write!(out, "{style}{} {name:<width$}{style:#}  ", sign(report));
    if matches!(standing, Standing::Create | Standing::Change) {
        let _ = write!(out, "({})  ", report.mode.as_str());
    }
    let shown: Vec<&FieldReport> =
        report.fields.iter().filter(|field| field.state != FieldState::InSync).collect();
    let reported = Reported::of(report, &shown);
    let _ = writeln!(out, "{}", printable(&reported.header(report)));
    let columns = Columns::of(report, &shown);
    let mut before = "";
    for field in &shown {
        let rest = reported.rest(&field.sentence);
        field_line(out, report, field, if rest == before { "" } else { rest }, &columns);
        before = rest;
    }
    if reported.safety_has_a_row(report) {
        let words = report.safety.words();
        row(out, columns.name, "safety", words.strip_prefix("safety ").unwrap_or(&words));
    }
    for (modes, would) in worth_reporting(&report.would) {
        row(out, 0, &format!("{modes} would"), &would.sentence);
    }
    // Of what a field says is missing, its row has said why.
    let missing = shown.iter().any(|f| matches!(f.field, Field::ScalableTarget | Field::Policy));
    let notes = report.notes.iter().filter(|note| note.reason.class().is_in_plan());
    for note in notes.filter(|note| !(missing && note.reason == Reason::EndpointRecreated)) {
        row(out, 0, note.reason.as_str(), &note.sentence);
    }
    if let Some(forecast) = report.instances.filter(|_| changes_target(&shown)) {
        forecast_line(out, &columns, forecast);
    }
}

/// What the first line says of the fields, so that their rows need not.
struct Reported<'a> {
    /// The field that matters most; none when all are in sync, or it is about none of them.
    lead: Option<&'a FieldReport>,
    /// The reason that the first line gives.
    why: &'a str,
}

impl<'a> Reported<'a> {
    fn of(report: &Report, shown: &[&'a FieldReport]) -> Self {
        // Of several with one reason, the shortest sentence says nothing but the reason.
        let of_reason = shown.iter().filter(|field| field.reason == report.reason);
        let lead = of_reason.min_by_key(|field| field.sentence.len()).copied();
        let why = lead.map_or("", |field| match field.state {
            FieldState::Write | FieldState::InSync => "",
            _ => &*field.sentence,
        });
        Self { lead, why }
    }

    /// `unsafe: 900 where 612 is safe; held: the mode is observe`.
    fn header(&self, report: &Report) -> String {
        let Some(lead) = self.lead else { return report.headline() };
        let first_axis = match (lead.state, lead.field) {
            (FieldState::Write, Field::Policy | Field::ScalableTarget) => "missing".to_owned(),
            (FieldState::Write, _) if report.reason == Reason::SafeTarget => {
                "following the measured capacity".to_owned()
            }
            (FieldState::Write, _) => "drift".to_owned(),
            (FieldState::Held, _) if !lead.lacks_comparison() => format!("held: {}", self.why),
            (FieldState::Unknown, _) => format!("could not be compared: {}", self.why),
            _ => format!("not compared: {}", self.why),
        };
        match report.lead() {
            Some(words) => format!("{words}: {}; {first_axis}", report.safety.sentence),
            None => first_axis,
        }
    }

    /// Whether the second axis is neither in the first line nor nothing to speak of.
    fn safety_has_a_row(&self, report: &Report) -> bool {
        self.lead.is_some() && report.lead().is_none() && report.safety_is_reported()
    }

    /// What is left to say of a field.
    fn rest<'b>(&self, sentence: &'b str) -> &'b str {
        if self.why.is_empty() {
            return sentence;
        }
        let rest = sentence.strip_suffix(self.why).unwrap_or(sentence);
        rest.strip_suffix("; ").unwrap_or(rest)
    }
}

/// What the other modes would do, where it is anything; what two would do alike is reported once.
fn worth_reporting(all: &[ModePreview]) -> Vec<(Cow<'static, str>, &ModePreview)> {
    let mut reported: Vec<(Cow<'static, str>, &ModePreview)> = Vec::new();
    for would in all.iter().filter(|would| would.action != ActionKind::None) {
        let mode = would.mode.as_str();
        match reported.iter_mut().find(|(_, before)| before.sentence == would.sentence) {
            Some((modes, _)) => *modes = format!("{modes} and {mode}").into(),
            None => reported.push((mode.into(), would)),
        }
    }
    reported
}

/// Only a change of the target value, or a new policy, moves instances.
fn changes_target(shown: &[&FieldReport]) -> bool {
    shown.iter().any(|field| matches!(field.field, Field::TargetValue | Field::Policy))
}

struct Columns {
    name: usize,
    change: usize,
}

impl Columns {
    fn of(report: &Report, shown: &[&FieldReport]) -> Self {
        let change = |field: &&FieldReport| change(report, field).chars().count();
        Self {
            name: shown.iter().map(|f| f.field.as_str().len()).max().unwrap_or(0),
            change: shown.iter().map(change).max().unwrap_or(0),
        }
    }
}

fn field_line(
    out: &mut String,
    report: &Report,
    field: &FieldReport,
    why: &str,
    columns: &Columns,
) {
    let standing = match (field.state, &field.actual) {
        (FieldState::Write, None) => Standing::Create,
        (FieldState::Write, Some(_)) => Standing::Change,
        (FieldState::Held, _) => Standing::Held,
        (FieldState::Unknown, _) => Standing::Unknown,
        (FieldState::NotCompared, _) => Standing::NotCompared,
        (FieldState::InSync, _) => Standing::InSync,
    };
    let mut words = why.to_owned();
    // A limit made the write stop short of what is desired: say what is desired, too.
    if let (Some(written), Some(desired)) = (limited(report, field), field.desired.as_deref())
        && written != desired
    {
        let _ = write!(words, " (wanted {desired})");
    }
    let style = line::style(standing);
    let line = format!(
        "    {style}{}{style:#} {:<name$}  {:<change$}  {}",
        standing.sign(),
        field.field.as_str(),
        change(report, field),
        printable(words.trim_start()),
        name = columns.name,
        change = columns.change,
    );
    out.push_str(line.trim_end());
    out.push('\n');
}

/// `900 -> 630`, or `(none) -> 600`.
fn change(report: &Report, field: &FieldReport) -> String {
    let actual = match (&field.actual, field.state) {
        (Some(actual), _) => printable(actual).into_owned(),
        (None, FieldState::Unknown) => "(unknown)".to_owned(),
        (None, _) => "(none)".to_owned(),
    };
    let next = limited(report, field).or_else(|| field.desired.as_deref().map(str::to_owned));
    next.map_or(actual.clone(), |next| format!("{actual} -> {}", printable(&next)))
}

const DIM: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));

fn row(out: &mut String, width: usize, name: &str, words: &str) {
    let _ = writeln!(out, "      {DIM}{name:<width$}{DIM:#}  {}", printable(words));
}

fn forecast_line(out: &mut String, columns: &Columns, forecast: InstanceForecast) {
    if let Some(words) = forecast_words(forecast) {
        let name = columns.name;
        let _ = writeln!(out, "      {DIM}{:<name$}  {words}{DIM:#}", "instances");
    }
}
