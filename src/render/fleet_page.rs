//! The status page: all variants, worst first.

use std::fmt::Write as _;
use std::sync::Arc;

use super::html::{Escaped, badges, count, number, page, variant_href};
use super::plan::{PlanSummary, summary_line};
use super::{Standing, view};
use crate::model::safety::Safety;
use crate::model::status::{FleetStatus, VariantStatus};

/// Rows on one page; the filter finds the rest.
pub const MAX_ROWS: usize = 1000;

/// Which variants to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of `account/region/endpoint/variant`, in any case.
    pub text: String,
    /// Only of this standing.
    pub standing: Option<Standing>,
}

impl Filter {
    fn keeps(&self, status: &VariantStatus) -> bool {
        let standing = Standing::of(&status.decision.report);
        let id = status.snapshot.id.to_string().to_lowercase();
        self.standing.is_none_or(|wanted| wanted == standing)
            && id.contains(&self.text.trim().to_lowercase())
    }
}

/// The page.
#[must_use]
pub fn fleet_page(fleet: &FleetStatus, filter: &Filter) -> String {
    let mut rows: Vec<&Arc<VariantStatus>> =
        fleet.variants.values().filter(|status| filter.keeps(status)).collect();
    // Stable, so that equals stay in the order of their names.
    rows.sort_by_key(|status| badness(status));
    let mut main = super::config_notes::banner(fleet);
    super::trouble::banners(&mut main, fleet);
    if let Some(mass) = &fleet.mass_change {
        let _ = writeln!(
            main,
            "<p class=\"alert\">{} variants would change, and {} may without a confirmation: all of \
             it is held. Plan id: <code>{}</code></p>",
            mass.variants.len(),
            mass.limit,
            Escaped(&mass.plan_id)
        );
    }
    form(&mut main, filter);
    table(&mut main, &rows);
    let at = fleet.at.map_or_else(
        || "no pass has ended yet".to_owned(),
        |at| format!("as of {}", at.format("%Y-%m-%d %H:%M:%S UTC")),
    );
    let header = format!(
        "<h1>setpoint</h1><span>{}</span><span class=\"dim\">{at}</span>",
        Escaped(&summary_line(&PlanSummary::of(fleet)))
    );
    page("setpoint", &header, &main)
}

/// Lower is worse: what is unsafe, the worst of it first, then what is unknown, then what else was
/// found, then what differs.
fn badness(status: &VariantStatus) -> (u8, Safety, Standing) {
    let report = &status.decision.report;
    let compared = super::comparable(report) && !report.lacks_comparison();
    let found = !report.estimate.findings.is_empty();
    let severity = super::severity(report.is_unsafe(), compared, found);
    // What is not known of most variants of a fleet sorts none of them.
    let safety = if severity == 0 { report.safety.state } else { Safety::Safe };
    (severity, safety, Standing::of(report))
}

fn form(out: &mut String, filter: &Filter) {
    let _ = write!(
        out,
        "<form method=\"get\" action=\"/\"><input type=\"search\" name=\"q\" aria-label=\"part of a \
         name\" placeholder=\"part of a name\" maxlength=\"200\" value=\"{}\">\
         <select name=\"standing\" aria-label=\"standing\"><option value=\"\">all</option>",
        Escaped(&filter.text)
    );
    for standing in Standing::ALL {
        let selected = if filter.standing == Some(standing) { " selected" } else { "" };
        let (value, words) = (standing.as_str(), standing.words());
        let _ = write!(out, "<option value=\"{value}\"{selected}>{words}</option>");
    }
    out.push_str("</select><button>Filter</button></form>\n");
}

fn table(out: &mut String, rows: &[&Arc<VariantStatus>]) {
    if rows.is_empty() {
        out.push_str("<p class=\"dim\">no variants to show</p>\n");
        return;
    }
    out.push_str(
        "<div class=\"card\"><table>\n<thead><tr><th>variant</th><th></th>\
         <th class=\"num\">configured</th><th class=\"num\">wanted</th><th class=\"num\">safe</th>\
         <th class=\"num\">divergence</th><th class=\"num\">observed</th>\
         <th class=\"num\">instances</th><th>decision</th></tr></thead>\n<tbody>\n",
    );
    for status in rows.iter().take(MAX_ROWS) {
        row(out, status);
    }
    out.push_str("</tbody></table></div>\n");
    if rows.len() > MAX_ROWS {
        let _ = writeln!(
            out,
            "<p class=\"dim\">{} of {} shown; filter for the others</p>",
            MAX_ROWS,
            rows.len()
        );
    }
}

fn row(out: &mut String, status: &VariantStatus) {
    let view = view::VariantView::of(status);
    let report = &status.decision.report;
    let load = view.observed.and_then(|minute| minute.invocations_per_instance_per_minute);
    let mut findings = String::new();
    for finding in view.findings {
        let _ = write!(findings, " <span class=\"badge unknown\">{}</span>", finding.as_str());
    }
    let _ = writeln!(
        out,
        "<tr><td class=\"name\"><a href=\"{href}\">{name}</a><br><span class=\"dim\">{account} \
         {region}</span></td><td>{badges}<br><span class=\"dim\">{mode}</span></td>\
         <td class=\"num\">{configured}</td><td class=\"num\">{wanted}</td>\
         <td class=\"num\">{safe}</td><td class=\"num\">{divergence}</td>\
         <td class=\"num\">{load}</td><td class=\"num\">{instances}</td>\
         <td class=\"why\">{sentence}{findings}</td></tr>",
        href = variant_href(view.id),
        name = view.id.short(),
        account = view.id.account_id,
        region = view.id.region,
        badges = badges(report),
        mode = view.mode.as_str(),
        configured = number(view.targets.configured),
        wanted = number(view.targets.wanted),
        safe = number(view.targets.safe),
        divergence = number(view.divergence),
        load = number(load),
        instances = count(view.instances.current),
        sentence = Escaped(&view.headline),
    );
}
