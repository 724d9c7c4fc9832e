//! The diff that `plan` and `apply` print, and what it adds up to.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::view::VariantView;
use super::{Standing, comparable, differs, line, printable};
use crate::model::decision::{FieldReport, FieldState, InstanceForecast, Report};
use crate::model::fact::Why;
use crate::model::ids::{Scope, VariantId};
use crate::model::reason::{Field, Reason};
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::units::human;

/// Numbers of variants. Each counts once in the first six; `differs` and `unknown` cut across.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// Something would be made.
    pub to_create: usize,
    /// Something would be changed.
    pub to_change: usize,
    /// Something differs, and all of it is held.
    pub held: usize,
    /// Nothing differs.
    pub in_sync: usize,
    /// Something could not be compared, and nothing is written.
    pub could_not_compare: usize,
    /// Not in the configuration.
    pub unmanaged: usize,
    /// Something differs, held or not.
    pub differs: usize,
    /// Something could not be compared, whatever else is true of the variant.
    pub unknown: usize,
}

impl PlanSummary {
    /// Counts the variants of a fleet.
    #[must_use]
    pub fn of(fleet: &FleetStatus) -> Self {
        let mut sum = Self::default();
        for status in fleet.variants.values() {
            let report = &status.decision.report;
            *match Standing::of(report) {
                Standing::Create => &mut sum.to_create,
                Standing::Change => &mut sum.to_change,
                Standing::Held => &mut sum.held,
                Standing::InSync => &mut sum.in_sync,
                Standing::Unknown => &mut sum.could_not_compare,
                Standing::Unmanaged => &mut sum.unmanaged,
            } += 1;
            sum.differs += usize::from(differs(report));
            sum.unknown += usize::from(!comparable(report));
        }
        sum
    }

    /// What `--detailed-exitcode` exits with: 0 nothing differs, 2 something differs (held or
    /// not), 3 something could not be compared. 3 wins: as long as something is unknown, "what
    /// differs" is not the whole answer.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if self.unknown > 0 {
            3
        } else if self.differs > 0 {
            2
        } else {
            0
        }
    }
}

/// The diff of all variants in the order of their ids, and the summary line. It carries colour
/// codes; print it through `anstream`, which drops them where they do not belong.
#[must_use]
pub fn text(fleet: &FleetStatus) -> String {
    let mut out = super::config_notes::block(fleet);
    let width = fleet.variants.keys().map(|id| name(fleet, id).len()).max().unwrap_or(0);
    for (id, status) in &fleet.variants {
        variant(&mut out, &name(fleet, id), status, width);
    }
    for (scope, why) in unread(fleet) {
        let style = line::style(Standing::Unknown);
        let sign = Standing::Unknown.sign();
        let why = printable(&why.message);
        let _ = writeln!(out, "{style}{sign} {scope}{style:#}  cannot be read: {why}");
    }
    if let Some(mass) = &fleet.mass_change {
        let _ = writeln!(
            out,
            "Held: {} variants would change, and {} may without a confirmation (plan id {}).",
            mass.variants.len(),
            mass.limit,
            mass.plan_id
        );
    }
    out.push_str(&summary_line(&PlanSummary::of(fleet)));
    out.push('\n');
    out
}

/// `{"summary": …, "mass_change": …, "config": …, "variants": […]}`, the machine's form of [`text`]; with
/// `"unread"` where an account and region of several could not be read.
#[must_use]
pub fn json(fleet: &FleetStatus) -> serde_json::Value {
    let variants: Vec<VariantView<'_>> =
        fleet.variants.values().map(|status| VariantView::of(status)).collect();
    let mut plan = serde_json::json!({
        "summary": PlanSummary::of(fleet),
        "mass_change": fleet.mass_change,
        "config": fleet.config,
        "variants": variants,
    });
    let unread: Vec<serde_json::Value> = unread(fleet)
        .map(|(scope, why)| {
            let Scope { account_id, region } = scope;
            serde_json::json!({ "account_id": account_id, "region": region, "why": why.message })
        })
        .collect();
    if !unread.is_empty() {
        plan["unread"] = unread.into();
    }
    plan
}

/// `Plan: 1 to change, 1 held, 3 in sync, 1 could not be compared.` What is zero is left out,
/// except that an empty plan says so.
#[must_use]
pub fn summary_line(sum: &PlanSummary) -> String {
    let parts = [
        (sum.to_create, Standing::Create),
        (sum.to_change, Standing::Change),
        (sum.held, Standing::Held),
        (sum.in_sync, Standing::InSync),
        (sum.could_not_compare, Standing::Unknown),
        (sum.unmanaged, Standing::Unmanaged),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, standing)| format!("{count} {}", standing.words()))
        .collect();
    if parts.is_empty() {
        "Plan: no variants.".to_owned()
    } else {
        format!("Plan: {}.", parts.join(", "))
    }
}

/// What a variant is called: `endpoint/variant`, with account and region before it where there are
/// several.
#[must_use]
pub fn name(fleet: &FleetStatus, id: &VariantId) -> String {
    if fleet.scopes.len() > 1 { id.to_string() } else { id.short() }
}

/// The accounts and regions that cannot be read, of several: they may have variants that nobody
/// tells of. Of one the variants say it, and the exit code.
fn unread(fleet: &FleetStatus) -> impl Iterator<Item = (&Scope, &Why)> {
    let several = fleet.scopes.len() > 1;
    fleet
        .scopes
        .iter()
        .filter_map(|(scope, why)| Some((scope, why.as_ref()?)))
        .filter(move |_| several)
}

/// What `--detailed-exitcode` exits with; 3 too when an account and region of several could not be
/// read.
#[must_use]
pub fn exit_code(fleet: &FleetStatus) -> u8 {
    if unread(fleet).next().is_some() { 3 } else { PlanSummary::of(fleet).exit_code() }
}

fn variant(out: &mut String, name: &str, status: &VariantStatus, width: usize) {
    let report = &status.decision.report;
    let standing = Standing::of(report);
    let style = line::style(standing);
    let _ = write!(out, "{style}{} {name:<width$}{style:#}  ", standing.sign());
    if matches!(standing, Standing::Create | Standing::Change) {
        let _ = write!(out, "({})  ", report.mode.as_str());
    }
    let _ = writeln!(out, "{}", printable(&report.sentence));
    let shown: Vec<&FieldReport> =
        report.fields.iter().filter(|field| field.state != FieldState::InSync).collect();
    let columns = Columns::of(report, &shown);
    for field in &shown {
        field_line(out, report, field, &columns);
    }
    for note in report.notes.iter().filter(|note| is_told(note.reason)) {
        let dim = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
        let sentence = printable(&note.sentence);
        let _ = writeln!(out, "      {dim}{}{dim:#}  {sentence}", note.reason);
    }
    if let Some(forecast) = report.instances.filter(|_| changes_target(&shown)) {
        forecast_line(out, &columns, forecast);
    }
}

/// What a person wants to know of a variant even where nothing is to be changed. The rest is in
/// `explain`.
const fn is_told(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::CompetingPolicy
            | Reason::UnsupportedKind
            | Reason::RpsAsTarget
            | Reason::RandomRouting
            | Reason::UnevenRouting
            | Reason::EndpointRecreated
            | Reason::InstanceTypeChanged
            | Reason::DeployReset
            | Reason::AtMax
            | Reason::AtMin
            | Reason::ScalingFailed
            | Reason::NotScaled
            | Reason::ScheduledCapacity
    )
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

fn field_line(out: &mut String, report: &Report, field: &FieldReport, columns: &Columns) {
    let standing = match (field.state, &field.actual) {
        (FieldState::Write, None) => Standing::Create,
        (FieldState::Write, Some(_)) => Standing::Change,
        (FieldState::Held, _) => Standing::Held,
        (FieldState::Unknown, _) => Standing::Unknown,
        (FieldState::InSync, _) => Standing::InSync,
    };
    let style = line::style(standing);
    let _ = write!(
        out,
        "    {style}{}{style:#} {:<name$}  {:<change$}  {}",
        standing.sign(),
        field.field.as_str(),
        change(report, field),
        printable(&field.sentence),
        name = columns.name,
        change = columns.change,
    );
    // A limit made the write stop short of what is desired: say what is desired, too.
    if let (Some(written), Some(desired)) = (limited(report, field), &field.desired)
        && written != *desired
    {
        let _ = write!(out, " (wanted {})", printable(desired));
    }
    out.push('\n');
}

/// `900 -> 630`, or `(none) -> 600`.
fn change(report: &Report, field: &FieldReport) -> String {
    let actual = match (&field.actual, field.state) {
        (Some(actual), _) => printable(actual).into_owned(),
        (None, FieldState::Unknown) => "(unknown)".to_owned(),
        (None, _) => "(none)".to_owned(),
    };
    let next = limited(report, field).or_else(|| field.desired.clone());
    next.map_or(actual.clone(), |next| format!("{actual} -> {}", printable(&next)))
}

/// The target value after limits, where it differs and there is one.
pub(super) fn limited(report: &Report, field: &FieldReport) -> Option<String> {
    (field.field == Field::TargetValue && field.state.differs())
        .then_some(report.wanted_target)
        .flatten()
        .map(human)
}

fn forecast_line(out: &mut String, columns: &Columns, forecast: InstanceForecast) {
    if let Some(words) = forecast_words(forecast) {
        let dim = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
        let name = columns.name;
        let _ = writeln!(out, "      {dim}{:<name$}  {words}{dim:#}", "instances");
    }
}

/// `4 now, 6 at present load; 9 -> 13 at the last day's peak`; none when nothing is known.
#[must_use]
pub fn forecast_words(forecast: InstanceForecast) -> Option<String> {
    let mut present = Vec::new();
    if let Some(now) = forecast.now {
        present.push(format!("{now} now"));
    }
    if let Some(needed) = forecast.at_present_load {
        present.push(format!("{needed} at present load"));
    }
    let peak = match (forecast.at_peak_before, forecast.at_peak_after) {
        (Some(before), Some(after)) => Some(format!("{before} -> {after} at the last day's peak")),
        (None, Some(after)) => Some(format!("{after} at the last day's peak")),
        (_, None) => None,
    };
    let parts: Vec<String> =
        [(!present.is_empty()).then(|| present.join(", ")), peak].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
