//! The diff that `plan` and `apply` print, and what it adds up to.

mod variant;

use std::fmt::Write as _;

use serde::Serialize;

use super::view::VariantView;
use super::{Standing, differs, line, printable, trouble};
use crate::model::decision::{FieldReport, InstanceForecast, Report};
use crate::model::fact::Why;
use crate::model::ids::{Scope, VariantId};
use crate::model::reason::Field;
use crate::model::shard::ShardStatus;
use crate::model::status::{FleetStatus, MassChange, MemoryStatus, VariantStatus};
use crate::model::units::human;
use crate::model::warning::ConfigStatus;

/// Numbers of variants. Each counts once in the first seven; the others cut across.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// Something would be made.
    pub to_create: usize,
    /// Something would be changed.
    pub to_change: usize,
    /// Something differs, and all of it is held.
    pub held: usize,
    /// Nothing says what the target value should be, and nothing else differs.
    pub not_compared: usize,
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
    /// Listed, and unsafe by measurement.
    #[serde(rename = "unsafe")]
    pub known_unsafe: usize,
    /// Listed, and not known to be safe.
    pub safety_not_known: usize,
    pub in_sync_unsafe: usize,
    /// In sync, and not known to be safe.
    pub in_sync_safety_not_known: usize,
    /// Accounts and regions that could not be read, or not all of them.
    pub unreadable_scopes: usize,
    /// Endpoints that are listed and could not be described, so that their variants are not known.
    pub undescribed_endpoints: usize,
    /// Whether the memory could not be read, or not all of it.
    pub memory_unread: bool,
}

impl PlanSummary {
    /// Counts the variants of a fleet.
    pub fn of(fleet: &FleetStatus) -> Self {
        let mut sum = Self {
            unreadable_scopes: unread(fleet).count(),
            undescribed_endpoints: fleet.undescribed.values().map(|found| found.endpoints).sum(),
            memory_unread: fleet.memory.as_ref().is_some_and(|memory| memory.unread.is_some()),
            ..Self::default()
        };
        for status in fleet.variants.values() {
            let report = &status.decision.report;
            let standing = Standing::of(report);
            *match standing {
                Standing::Create => &mut sum.to_create,
                Standing::Change => &mut sum.to_change,
                Standing::Held => &mut sum.held,
                Standing::NotCompared => &mut sum.not_compared,
                Standing::InSync => &mut sum.in_sync,
                Standing::Unknown => &mut sum.could_not_compare,
                Standing::Unmanaged => &mut sum.unmanaged,
            } += 1;
            sum.differs += usize::from(differs(report));
            sum.unknown += usize::from(!report.comparable);
            let in_sync = standing == Standing::InSync;
            let not_known = report.managed && report.safety.state.unproven().is_some();
            sum.known_unsafe += usize::from(report.is_unsafe());
            sum.safety_not_known += usize::from(not_known);
            sum.in_sync_unsafe += usize::from(in_sync && report.is_unsafe());
            sum.in_sync_safety_not_known += usize::from(in_sync && not_known);
        }
        sum
    }
}

/// The diff of all variants in the order of their ids, and the summary line. It carries colour
/// codes; print it through `anstream`, which drops them where they do not belong.
pub fn text(fleet: &FleetStatus) -> String {
    let width = name_width(fleet);
    let mut out = opening(fleet);
    for status in fleet.variants.values() {
        out.push_str(&of_variant(fleet, status, width));
    }
    out + &closing(fleet, &PlanSummary::of(fleet))
}

/// What [`text`] has before the variants. It, each variant and [`closing`] are whole lines, so that
/// the plan of a large fleet can be sent without being held.
pub fn opening(fleet: &FleetStatus) -> String {
    super::config_notes::block(fleet)
}

/// How wide the column of the names is, in bytes.
pub fn name_width(fleet: &FleetStatus) -> usize {
    fleet.variants.keys().map(|id| name(fleet, id).len()).max().unwrap_or(0)
}

/// What [`text`] says of one variant, the names being so wide.
pub fn of_variant(fleet: &FleetStatus, status: &VariantStatus, width: usize) -> String {
    let mut out = String::new();
    let report = &status.decision.report;
    variant::write(&mut out, &name(fleet, &status.snapshot.id), report, width);
    let price = fleet.price(status);
    if let Some(words) = price.and_then(|price| cost_words(report.instances?, price)) {
        let _ = writeln!(out, "      cost: {words}");
    }
    out
}

/// What [`text`] has after the variants: what could not be read, and the summary line.
pub fn closing(fleet: &FleetStatus, summary: &PlanSummary) -> String {
    let mut out = String::new();
    for (scope, why) in unread(fleet) {
        let style = line::style(Standing::Unknown);
        let sign = Standing::Unknown.sign();
        let why = printable(&why.message);
        let _ = writeln!(out, "{style}{sign} {scope}{style:#}  cannot be read: {why}");
    }
    for (scope, found) in &fleet.undescribed {
        let style = line::style(Standing::Unknown);
        let (sign, words) = (Standing::Unknown.sign(), found.words());
        let _ = writeln!(out, "{style}{sign} {scope}{style:#}  {}", printable(&words));
    }
    if let Some(trouble) = trouble::unread_memory(fleet) {
        let style = line::style(Standing::Unknown);
        let _ = writeln!(out, "{style}{}{style:#} {trouble}", Standing::Unknown.sign());
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
    out.push_str(&summary_line(summary));
    out.push('\n');
    out
}

/// The text of a plan without the codes that colour it.
pub fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    // Each code ends with the letter m: what is printed has no escapes of its own.
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// `{"summary": …, "mass_change": …, "config": …, "memory": …, "variants": […]}`, the machine's form of [`text`];
/// with `"unread"` where an account and region could not be read, `"undescribed"` where endpoints could not be
/// described, and `"shard"` where there are several.
pub fn json(fleet: &FleetStatus) -> serde_json::Value {
    let variants: Vec<VariantView<'_>> =
        fleet.variants.values().map(|status| VariantView::of(status)).collect();
    let mut plan = serde_json::json!(Head::of(fleet, PlanSummary::of(fleet)));
    plan["variants"] = serde_json::json!(variants);
    if let serde_json::Value::Object(rest) = serde_json::json!(Rest::of(fleet)) {
        for (key, value) in rest {
            plan[key] = value;
        }
    }
    plan
}

/// What [`json`] has before `variants`.
#[derive(Debug, Serialize)]
pub struct Head<'a> {
    summary: PlanSummary,
    mass_change: Option<&'a MassChange>,
    config: &'a ConfigStatus,
    memory: Option<&'a MemoryStatus>,
}

impl<'a> Head<'a> {
    /// That of a fleet with this summary.
    pub fn of(fleet: &'a FleetStatus, summary: PlanSummary) -> Self {
        let (mass_change, memory) = (fleet.mass_change.as_ref(), fleet.memory.as_ref());
        Self { summary, mass_change, config: &fleet.config, memory }
    }
}

/// What [`json`] has after `variants`: often nothing.
#[derive(Debug, Serialize)]
pub struct Rest<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Unread<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    undescribed: Vec<NotDescribed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<&'a ShardStatus>,
}

#[derive(Debug, Serialize)]
struct Unread<'a> {
    #[serde(flatten)]
    scope: &'a Scope,
    why: &'a str,
}

/// What of an account and region is listed and could not be described, for programs.
#[derive(Debug, Serialize)]
pub struct NotDescribed<'a> {
    #[serde(flatten)]
    scope: &'a Scope,
    endpoints: usize,
    why: &'a str,
}

impl<'a> Rest<'a> {
    /// That of a fleet.
    pub fn of(fleet: &'a FleetStatus) -> Self {
        let unread = unread(fleet).map(|(scope, why)| Unread { scope, why: &why.message });
        let undescribed = undescribed(fleet);
        Self { unread: unread.collect(), undescribed, shard: fleet.shard.as_ref() }
    }
}

/// What of each account and region is listed and could not be described.
pub fn undescribed(fleet: &FleetStatus) -> Vec<NotDescribed<'_>> {
    let all = fleet.undescribed.iter();
    all.map(|(scope, found)| NotDescribed {
        scope,
        endpoints: found.endpoints,
        why: &found.why.message,
    })
    .collect()
}

/// `Plan: 1 to change, 5 in sync, 2 of them unsafe, 1 not known.` What is zero is left out, except
/// that an empty plan says so, and whether it is empty because nothing could be read.
pub fn summary_line(sum: &PlanSummary) -> String {
    let all = if sum.known_unsafe > sum.in_sync_unsafe {
        format!("; {} unsafe in all", sum.known_unsafe)
    } else {
        String::new()
    };
    format!("Plan: {}{all}{}.", standings(sum, true), unread_words(sum))
}

/// The same without the second axis, for where its counts stand beside it.
pub fn standings_line(sum: &PlanSummary) -> String {
    format!("Plan: {}{}.", standings(sum, false), unread_words(sum))
}

fn standings(sum: &PlanSummary, both_axes: bool) -> String {
    let counted = [
        (sum.to_create, Standing::Create),
        (sum.to_change, Standing::Change),
        (sum.held, Standing::Held),
        (sum.in_sync, Standing::InSync),
        (sum.not_compared, Standing::NotCompared),
        (sum.could_not_compare, Standing::Unknown),
        (sum.unmanaged, Standing::Unmanaged),
    ];
    let mut parts = Vec::new();
    for (count, standing) in counted.into_iter().filter(|(count, _)| *count > 0) {
        let words = match standing {
            // What is unsafe among them is not called in sync.
            Standing::InSync if !both_axes => "as configured",
            standing => standing.words(),
        };
        parts.push(format!("{count} {words}"));
        if standing == Standing::InSync && both_axes {
            parts.extend(of_those_in_sync(sum));
        }
    }
    match (parts.is_empty(), sum.unreadable_scopes + sum.undescribed_endpoints) {
        (true, 0) => "no variants".to_owned(),
        (true, _) => "no variants are known".to_owned(),
        (false, _) => parts.join(", "),
    }
}

fn unread_words(sum: &PlanSummary) -> String {
    let unread = match sum.unreadable_scopes {
        0 => String::new(),
        1 => "; 1 account and region could not be read".to_owned(),
        many => format!("; {many} accounts and regions could not be read"),
    };
    let undescribed = match sum.undescribed_endpoints {
        0 => String::new(),
        1 => "; 1 endpoint could not be described".to_owned(),
        many => format!("; {many} endpoints could not be described"),
    };
    let memory = if sum.memory_unread { "; the memory could not be read" } else { "" };
    unread + &undescribed + memory
}

/// The second axis of those that are as configured: "in sync" is not all there is to say.
fn of_those_in_sync(sum: &PlanSummary) -> Option<String> {
    match (sum.in_sync_unsafe, sum.in_sync_safety_not_known) {
        (0, 0) => None,
        (0, not_known) => Some(format!("{not_known} of them not known to be safe")),
        (known, 0) => Some(format!("{known} of them unsafe")),
        (known, not_known) => Some(format!("{known} of them unsafe, {not_known} not known")),
    }
}

/// What a variant is called: `endpoint/variant`, with account and region before it where there are
/// several.
pub fn name(fleet: &FleetStatus, id: &VariantId) -> String {
    if fleet.scopes.len() > 1 { id.to_string() } else { id.short() }
}

/// The accounts and regions that cannot be read: they may have variants that nobody tells of.
fn unread(fleet: &FleetStatus) -> impl Iterator<Item = (&Scope, &Why)> {
    fleet.scopes.iter().filter_map(|(scope, why)| Some((scope, why.as_ref()?)))
}

/// The target value after limits, where it differs and there is one.
pub(super) fn limited(report: &Report, field: &FieldReport) -> Option<String> {
    (field.field == Field::TargetValue && field.state.differs())
        .then_some(report.wanted_target)
        .flatten()
        .map(human)
}

/// `4 now, 6 at present load; 9 -> 13 at the last day's peak`; none when nothing is known.
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

/// What a change of the instance counts costs, in dollars an hour.
pub fn cost_words(forecast: InstanceForecast, price: f64) -> Option<String> {
    let difference = |before: Option<u32>, after: Option<u32>| {
        let more = f64::from(after?) - f64::from(before?);
        Some(format!("{}${:.2} an hour", if more < 0.0 { "-" } else { "+" }, more.abs() * price))
    };
    let now = difference(forecast.now, forecast.at_present_load);
    let peak = difference(forecast.at_peak_before, forecast.at_peak_after);
    let parts = [
        now.map(|words| format!("{words} at the present load")),
        peak.map(|words| format!("{words} at the last day's peak")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
