//! What a fleet adds up to, each number a link to those it counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};

use super::bar::shares;
use super::query::{FleetQuery, UNSAFE, findings};
use super::{Site, parts};
use crate::model::safety::Safety;
use crate::model::status::{FleetStatus, VariantStatus};
use crate::render::Standing;

/// Numbers of variants by what matters of them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    all: usize,
    not_safe: usize,
    slower: usize,
    not_known: usize,
    under: usize,
    safe: usize,
    unlisted: usize,
    standings: BTreeMap<Standing, usize>,
    findings: BTreeMap<&'static str, usize>,
}

impl Counts {
    pub(super) fn of(fleet: &FleetStatus) -> Self {
        let mut counts = Self { all: fleet.variants.len(), ..Self::default() };
        for status in fleet.variants.values() {
            counts.add(status);
        }
        counts
    }

    fn add(&mut self, status: &Arc<VariantStatus>) {
        let report = &status.decision.report;
        *match report.safety.state {
            // Nobody is called for what nobody lists.
            _ if !report.managed => &mut self.unlisted,
            state if state.is_unsafe() => &mut self.not_safe,
            Safety::Slower => &mut self.slower,
            Safety::Under => &mut self.under,
            Safety::Safe => &mut self.safe,
            _ => &mut self.not_known,
        } += 1;
        *self.standings.entry(Standing::of(report)).or_default() += 1;
        for finding in findings(status) {
            *self.findings.entry(finding).or_default() += 1;
        }
    }
}

/// The second axis as large numbers, the first axis and the findings as links.
pub(super) fn counts(site: &Site, counts: &Counts, query: &FleetQuery) -> Markup {
    let to = |query: FleetQuery| site.path(&format!("/{}", query.to_url()));
    let safety = |word| FleetQuery { safety: Some(word), ..query.unfiltered() };
    let states = [
        ("unsafe", "unsafe", counts.not_safe, safety(UNSAFE)),
        ("slower", "slower", counts.slower, safety("slower")),
        ("not_known", "not known", counts.not_known, safety("not_known")),
        ("under", "lower than needed", counts.under, safety("under")),
        ("safe", "safe", counts.safe, safety("safe")),
    ];
    let mut pieces: Vec<_> = states.iter().map(|(c, words, n, _)| (*c, *words, *n)).collect();
    pieces.push(("unlisted", "not in the configuration", counts.unlisted));
    html! {
        section.counts aria-label="How the fleet is" {
            div.states {
                a.state.all href=(to(query.unfiltered())) aria-current=[(!query.filters()).then_some("true")] {
                    b { (counts.all) } span { "variants" }
                }
                @for (class, words, count, query_of) in &states {
                    a href=(to(query_of.clone())) class={ "state " (class) @if *count == 0 { " zero" } }
                        aria-current=[(query.safety == query_of.safety).then_some("true")] {
                        b { (count) } span { (words) }
                    }
                }
            }
            (shares(&pieces))
            (chips(site, counts, query))
        }
    }
}

fn chips(site: &Site, counts: &Counts, query: &FleetQuery) -> Markup {
    let to = |query: FleetQuery| site.path(&format!("/{}", query.to_url()));
    let mut findings: Vec<_> = counts.findings.iter().collect();
    findings.sort_by_key(|(word, count)| (std::cmp::Reverse(**count), **word));
    html! {
        p.chips {
            @for (standing, count) in &counts.standings {
                @let only = FleetQuery { standing: Some(*standing), ..query.unfiltered() };
                a.chip href=(to(only)) aria-current=[(query.standing == Some(*standing)).then_some("true")] {
                    span class={ "dot " (standing.as_str()) } {} (standing.words()) " " b { (count) }
                }
            }
        }
        @if !findings.is_empty() {
            p.chips {
                span.dim { "found: " }
                @for (word, count) in findings {
                    @let only = FleetQuery { finding: Some(word), ..query.unfiltered() };
                    a.chip.found href=(to(only)) aria-current=[(query.finding == Some(*word)).then_some("true")] {
                        (parts::spaced(word)) " " b { (count) }
                    }
                }
            }
        }
    }
}
