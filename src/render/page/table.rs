//! The rows of the fleet's page.

use std::sync::Arc;

use maud::{Markup, html};

use super::bar::divergence;
use super::query::{FleetQuery, SortKey, findings};
use super::{Site, parts};
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::render::printable;
use crate::render::view::VariantView;

/// A column: its head, what its cells are called where there is no head, and what it sorts by.
struct Column {
    head: &'static str,
    class: &'static str,
    sort: Option<SortKey>,
}

const fn column(head: &'static str, class: &'static str, sort: Option<SortKey>) -> Column {
    Column { head, class, sort }
}

/// The column that is there only where prices are configured.
const MONEY: &str = "$ a month";

const COLUMNS: [Column; 11] = [
    column("variant", "", Some(SortKey::Name)),
    column("state", "", Some(SortKey::Worst)),
    column("divergence", "", Some(SortKey::Divergence)),
    column("configured", "num", Some(SortKey::Configured)),
    column("safe", "num", Some(SortKey::Safe)),
    column("load", "num", Some(SortKey::Load)),
    column("instances", "num", Some(SortKey::Instances)),
    column("telemetry", "num", Some(SortKey::Telemetry)),
    column("last write", "num", Some(SortKey::Written)),
    column(MONEY, "num", Some(SortKey::Money)),
    column("why", "", None),
];

/// The table of these rows.
pub(super) fn table(
    site: &Site,
    rows: &[&Arc<VariantStatus>],
    query: &FleetQuery,
    now: Timestamp,
) -> Markup {
    let priced = site.at_stake.is_some();
    let columns = COLUMNS.iter().filter(|column| priced || column.head != MONEY);
    html! {
        table.fleet {
            caption.unseen { "Variants with what is in force, what is safe, and why" }
            thead { tr { @for column in columns { (head(site, column, query)) } } }
            tbody { @for status in rows { (row(site, status, now)) } }
        }
    }
}

fn head(site: &Site, column: &Column, query: &FleetQuery) -> Markup {
    let current = column.sort.filter(|key| *key == query.sort.key);
    let order = match (current, query.sort.descending) {
        (None, _) => None,
        (Some(_), true) => Some("descending"),
        (Some(_), false) => Some("ascending"),
    };
    html! {
        th scope="col" class=[(!column.class.is_empty()).then_some(column.class)] aria-sort=[order] {
            @if let Some(key) = column.sort {
                @let sorted = FleetQuery { sort: query.sort.clicked(key), page: 1, ..query.clone() };
                a href=(site.path(&format!("/{}", sorted.to_url()))) { (parts::term(column.head)) }
            } @else {
                (column.head)
            }
        }
    }
}

fn row(site: &Site, status: &VariantStatus, now: Timestamp) -> Markup {
    let view = VariantView::of(status);
    let report = &status.decision.report;
    let load = view.observed.and_then(|minute| minute.invocations_per_instance_per_minute);
    html! {
        tr class=(parts::safety_class(report)) {
            th.name scope="row" {
                a href=(site.variant(view.id)) {
                    (view.id.endpoint) wbr; span.variant { "/" (view.id.variant) }
                }
                span.where { (view.id.account_id) " " (view.id.region) }
            }
            td.state-cell data-label="state" { (parts::badges(report))
                @if let Some(pause) = view.paused {
                    " " span.badge.held title={ "until " (pause.until.format("%FT%TZ")) ": " (printable(&pause.reason)) } { "paused" }
                }
                span.mode { (view.mode.as_str()) } }
            td data-label="divergence" { (divergence(view.divergence)) }
            td.num data-label="configured" { (configured(&view)) }
            td.num data-label="safe" {
                (parts::number(view.targets.safe))
                span.under { (parts::verdict_words(view.capacity.verdict)) }
            }
            td.num data-label="load" { (parts::number(load)) }
            td.num data-label="instances" { (instances(&view)) }
            td.num data-label="telemetry" { (telemetry(status, now)) }
            td.num data-label="last write" { (last_write(status, now)) }
            @if site.at_stake.is_some() {
                td.num data-label=(MONEY) { (parts::dollars(site.at_stake(view.id))) }
            }
            td.why data-label="why" {
                (printable(&view.headline))
                @for finding in findings(status) { " " (parts::badge("finding", &parts::spaced(finding))) }
            }
        }
    }
}

/// What is in force, and what the next write would set where that is another value.
fn configured(view: &VariantView<'_>) -> Markup {
    let targets = view.targets;
    let next = targets.wanted.filter(|wanted| targets.configured != Some(*wanted));
    html! {
        @if targets.configured.is_none() && view.is_unread("policies") { (parts::unknown()) }
        @else { (parts::number(targets.configured)) }
        @if let Some(next) = next {
            span.under title="what the next write would set" { "\u{2192} " (parts::number(Some(next))) }
        }
    }
}

fn instances(view: &VariantView<'_>) -> Markup {
    let instances = view.instances;
    html! {
        @match instances.current {
            Some(current) => { (current) }
            None if view.is_unread("endpoint") => { (parts::unknown()) }
            None => { (parts::dash()) }
        }
        @if let (Some(min), Some(max)) = (instances.min, instances.max) {
            span.under title="min to max" { (min) "\u{2013}" (max) }
        }
    }
}

/// How old the newest datapoint is.
fn telemetry(status: &VariantStatus, now: Timestamp) -> Markup {
    let newest = newest_datapoint(status);
    html! {
        @match newest {
            Some(at) => { (parts::ago(at, now)) }
            None => { (parts::dash()) }
        }
    }
}

/// The end of the newest minute with any datapoint.
pub(super) fn newest_datapoint(status: &VariantStatus) -> Option<Timestamp> {
    status.snapshot.telemetry.known().and_then(|telemetry| telemetry.newest_datapoint)
}

/// When setpoint last wrote the target value.
pub(super) fn written_at(status: &VariantStatus) -> Option<Timestamp> {
    let memory = status.snapshot.memory.known()?;
    memory.last_write.map(|write| write.at)
}

fn last_write(status: &VariantStatus, now: Timestamp) -> Markup {
    let write = status.snapshot.memory.known().and_then(|memory| memory.last_write);
    html! {
        @if let Some(write) = write {
            (parts::ago(write.at, now))
            span.under {
                @if let Some(before) = write.before { (parts::number(Some(before))) " " }
                "\u{2192} " (parts::number(Some(write.after)))
            }
        } @else {
            (parts::dash())
        }
    }
}
