//! The status page: all variants, worst first.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use maud::{Markup, html};

use super::counts::{Counts, counts};
use super::query::{FleetQuery, RawQuery, SortKey, UNSAFE, finding_words};
use super::table::{newest_datapoint, table, written_at};
use super::{Site, brand, frame, freshness, parts};
use crate::model::goal::Mode;
use crate::model::ids::VariantId;
use crate::model::safety::Safety;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::render::plan::{PlanSummary, standings_line};
use crate::render::view::VariantView;
use crate::render::{Standing, printable, severity};

pub use super::query::Sort;

pub const PAGE_ROWS: usize = 100;

pub fn fleet_page(site: &Site, fleet: &FleetStatus, query: &FleetQuery) -> String {
    let kept = |status: &&Arc<VariantStatus>| query.keeps(status);
    let mut rows: Vec<&Arc<VariantStatus>> = fleet.variants.values().filter(kept).collect();
    sort(&|id| site.at_stake(id), &mut rows, query.sort);
    let pages = rows.len().div_ceil(PAGE_ROWS).max(1);
    // A page that is no longer there is the last one.
    let query = FleetQuery { page: query.page.clamp(1, pages), ..query.clone() };
    let first = (query.page - 1) * PAGE_ROWS;
    let shown = &rows[first..rows.len().min(first + PAGE_ROWS)];
    let now = fleet.at.unwrap_or_default();
    let bar = html! {
        (brand(site))
        p.summary.counted { (printable(&standings_line(&PlanSummary::of(fleet)))) }
        (freshness(site, fleet.at))
    };
    let main = html! {
        h1.unseen { "Variants of the fleet" }
        div #banners data-live { (banners(fleet)) }
        div #counts data-live { (counts(site, &Counts::of(fleet), &query)) }
        (form(site, fleet, &query))
        section #rows data-live aria-label="Variants" {
            @if shown.is_empty() {
                p.empty { (nothing(fleet, &query)) }
            } @else {
                (table(site, shown, &query, now))
            }
            (pager(site, &query, (first, shown.len(), rows.len())))
        }
    };
    frame(site, "setpoint", &bar, &main)
}

/// What there is to say of the configuration, of what cannot be seen, and of what waits for a person.
fn banners(fleet: &FleetStatus) -> Markup {
    html! {
        (crate::render::config_notes::banner(fleet))
        @for trouble in crate::render::trouble::troubles(fleet) {
            p.alert.trouble role="alert" { (trouble) }
        }
        @if let Some(mass) = &fleet.mass_change {
            p.alert {
                (mass.variants.len()) " variants would change, and " (mass.limit)
                " may without a confirmation: all of it is held. Plan id: "
                code { (printable(&mass.plan_id)) }
            }
        }
    }
}

fn nothing(fleet: &FleetStatus, query: &FleetQuery) -> &'static str {
    match (query.filters(), fleet.at, fleet.unreadable().next()) {
        (true, ..) => "No variant is as the filter asks.",
        (false, None, _) => "No pass has ended yet.",
        (false, _, Some(_)) => "No variants are known: not everything can be read.",
        (false, ..) => "There are no variants.",
    }
}

/// Stable, so that equals stay in the order of their names. What is not known comes last in any order.
pub fn sort<R: AsRef<VariantStatus> + Clone>(
    dollars: &dyn Fn(&VariantId) -> Option<f64>,
    rows: &mut [R],
    sort: Sort,
) {
    let turn = |order: Ordering| if sort.descending { order.reverse() } else { order };
    let by_number = |rows: &mut [R], of: &dyn Fn(&VariantStatus) -> Option<f64>| {
        let mut keyed: Vec<_> = rows.iter().map(|row| (of(row.as_ref()), row.clone())).collect();
        keyed.sort_by(|(a, _), (b, _)| match (a, b) {
            (Some(a), Some(b)) => turn(a.total_cmp(b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        for (place, (_, row)) in rows.iter_mut().zip(keyed) {
            *place = row;
        }
    };
    match sort.key {
        SortKey::Worst => {
            rows.sort_by(|a, b| turn(badness(a.as_ref()).cmp(&badness(b.as_ref()))));
        }
        SortKey::Name => rows.sort_by(|a, b| {
            let name = |s: &VariantStatus| s.snapshot.id.short();
            turn(name(a.as_ref()).cmp(&name(b.as_ref())))
        }),
        SortKey::Divergence => by_number(rows, &|s| s.decision.report.divergence),
        SortKey::Configured => by_number(rows, &|s| s.decision.report.configured_target),
        SortKey::Safe => by_number(rows, &|s| s.decision.report.safe_target),
        SortKey::Load => by_number(rows, &|s| {
            let minute = VariantView::of(s).observed?;
            minute.invocations_per_instance_per_minute
        }),
        SortKey::Money => by_number(rows, &|s| dollars(&s.snapshot.id)),
        SortKey::Instances => {
            by_number(rows, &|s| VariantView::of(s).instances.current.map(f64::from));
        }
        // Of an age the largest is the oldest.
        SortKey::Telemetry => {
            by_number(rows, &|s| Some(-(newest_datapoint(s)?.timestamp() as f64)));
        }
        SortKey::Written => by_number(rows, &|s| Some(written_at(s)?.timestamp() as f64)),
    }
}

/// Lower is worse: what is unsafe, the worst of it first, then what is unknown, then what else was
/// found, then what differs.
fn badness(status: &VariantStatus) -> (u8, Safety, Standing) {
    let report = &status.decision.report;
    let compared = report.is_compared();
    let found = !report.estimate.findings.is_empty();
    let severity = severity(report.is_unsafe(), compared, found);
    // What is not known of most variants of a fleet sorts none of them.
    let safety = if severity == 0 { report.safety.state } else { Safety::Safe };
    (severity, safety, Standing::of(report))
}

fn form(site: &Site, fleet: &FleetStatus, query: &FleetQuery) -> Markup {
    let of = |part: fn(&crate::model::ids::VariantId) -> &str| -> BTreeSet<&str> {
        fleet.variants.keys().map(part).collect()
    };
    let accounts = of(|id| id.account_id.as_str());
    let regions = of(|id| id.region.as_str());
    let same = |words: BTreeSet<&str>| -> Vec<(String, String)> {
        words.into_iter().map(|word| (word.to_owned(), word.to_owned())).collect()
    };
    let closed = |words: &mut dyn Iterator<Item = &'static str>| -> Vec<(String, String)> {
        words.map(|word| (word.to_owned(), parts::spaced(word))).collect()
    };
    let standings = Standing::ALL.map(|s| (s.as_str().to_owned(), s.words().to_owned())).to_vec();
    html! {
        form.filters method="get" action=(site.path("/")) role="search" {
            input type="search" name="q" aria-label="part of a name" placeholder="part of a name"
                maxlength="200" value=(printable(&query.text));
            (select("safety", "any safety",
                &closed(&mut std::iter::once(UNSAFE).chain(Safety::WORDS)), query.safety.unwrap_or("")))
            (select("standing", "any drift", &standings, query.standing.map_or("", Standing::as_str)))
            (select("finding", "any finding", &closed(&mut finding_words()), query.finding.unwrap_or("")))
            (select("mode", "any mode",
                &closed(&mut Mode::ALL.into_iter().map(Mode::as_str)), query.mode.map_or("", Mode::as_str)))
            @if accounts.len() > 1 || !query.account.is_empty() {
                (select("account", "any account", &same(accounts), &query.account))
            }
            @if regions.len() > 1 || !query.region.is_empty() {
                (select("region", "any region", &same(regions), &query.region))
            }
            @if let Some(sort) = query.sort_word() { input type="hidden" name="sort" value=(sort); }
            button { "Filter" }
            @if query.filters() {
                a.clear href=(site.path(&format!("/{}", query.unfiltered().to_url()))) { "show all" }
            }
        }
    }
}

fn select(name: &str, all: &str, options: &[(String, String)], chosen: &str) -> Markup {
    html! {
        select name=(name) aria-label=(name) {
            option value="" { (all) }
            @for (value, words) in options {
                option value=(value) selected[value == chosen] { (words) }
            }
            // What was asked for and is not there is still what is asked.
            @if !chosen.is_empty() && !options.iter().any(|(value, _)| value == chosen) {
                option value=(printable(chosen)) selected { (printable(chosen)) }
            }
        }
    }
}

/// `1 to 100 of 1,007`, with links to the pages beside this one.
fn pager(site: &Site, query: &FleetQuery, (first, shown, all): (usize, usize, usize)) -> Markup {
    let to =
        |page: usize| site.path(&format!("/{}", FleetQuery { page, ..query.clone() }.to_url()));
    let pages = all.div_ceil(PAGE_ROWS).max(1);
    html! {
        nav.pager aria-label="Pages" {
            @if shown > 0 { span { (first + 1) " to " (first + shown) " of " (all) } }
            @if query.page > 1 {
                a rel="prev" href=(to(1)) { "first" }
                a rel="prev" href=(to(query.page - 1)) { "previous" }
            }
            @if query.page < pages {
                a rel="next" href=(to(query.page + 1)) { "next" }
                a rel="next" href=(to(pages)) { "last" }
            }
        }
    }
}

/// The query of a page without filters.
pub fn everything() -> FleetQuery {
    FleetQuery::parse(RawQuery::default()).unwrap_or_default()
}
