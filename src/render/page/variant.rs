//! The page of one variant. Its first screen says what is in force, what is safe, why, since when, and
//! what happens next; the rest is what that rests on.

mod answers;
mod changes;
mod facts;
mod floors;
mod past;
mod plots;
mod reaction;

use maud::{Markup, html};

use super::{Site, brand, frame, freshness, parts, variant_path};
use crate::model::history::History;
use crate::model::status::VariantStatus;
use crate::render::explain::Explanation;
use crate::render::printable;
use crate::render::view::VariantView;

/// The page. Without a history nothing of the past is on it.
pub fn variant_page(site: &Site, status: &VariantStatus, history: Option<&History>) -> String {
    let view = VariantView::of(status);
    let report = &status.decision.report;
    let bar = html! {
        (brand(site))
        nav.crumbs aria-label="Where this is" {
            a href=(site.path("/")) { "all variants" }
        }
        (freshness(site, Some(status.last_pass)))
    };
    let main = html! {
        section.head {
            h1 { (view.id.short()) }
            p.where { (view.id.account_id) " " (view.id.region) " " (links(site, status)) }
        }
        div #variant data-live {
            section class={ "verdict " (parts::safety_class(report)) } aria-label="In short" {
                p.badges { (parts::badges(report)) " " (parts::badge("mode", view.mode.as_str())) }
                p.sentence { (printable(&view.headline)) }
            }
            (answers::answers(status, &view))
            (plots::load_and_latency(status))
            @if let Some(history) = history { (past::over_time(history)) }
            (plots::last_hours(status))
            @if let Some(history) = history { (past::instances(history)) }
            (changes::plan(status, &view))
            @if let Some(history) = history { (past::log(history, status.decision.at)) }
            (facts::facts(site, status, &view))
            (reaction::card(status))
            (floors::card(status))
            (explanation(&Explanation::of(status)))
            (facts::behind(status, &view))
        }
    };
    frame(site, &format!("{} - setpoint", view.id.short()), &bar, &main)
}

/// Where else a person may want to look.
fn links(site: &Site, status: &VariantStatus) -> Markup {
    let id = &status.snapshot.id;
    let json = site.path(&format!("/api/v1{}", variant_path(id)));
    html! {
        span.links {
            a href=(json) { "JSON" }
            @if let Some(url) = site.dashboard(id) {
                " " a href=(url) rel="noreferrer" { "dashboard" }
            }
            " " a href=(console(id)) rel="noreferrer" { "AWS console" }
        }
    }
}

/// The endpoint in AWS's console, which has one address for each partition.
fn console(id: &crate::model::ids::VariantId) -> String {
    let region = id.region.as_str();
    let domain = if region.starts_with("cn-") {
        "amazonaws.cn"
    } else if region.starts_with("us-gov-") {
        "amazonaws-us-gov.com"
    } else {
        "aws.amazon.com"
    };
    let endpoint = id.endpoint.as_str();
    format!(
        "https://{region}.console.{domain}/sagemaker/home?region={region}#/endpoints/{endpoint}"
    )
}

/// The block of `setpoint explain`. Folded: the page has each number in a place of its own.
fn explanation(explanation: &Explanation) -> Markup {
    html! {
        details.card #explain {
            summary { h2 { "Step by step: from formula to the number in force" } }
            ol.steps {
                @for step in &explanation.steps {
                    li {
                        h3 { (printable(&step.title)) }
                        ul { @for sentence in &step.sentences { li { (printable(sentence)) } } }
                    }
                }
            }
        }
    }
}
