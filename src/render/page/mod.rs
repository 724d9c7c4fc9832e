//! What the pages share: where the site is, the frame of a page, and the parts they are made of.
//! Markup is `maud`'s, which escapes whatever it is given.

mod bar;
mod counts;
pub mod fleet;
pub mod parts;
pub mod query;
mod table;
pub mod variant;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use maud::{DOCTYPE, Markup, html};

use crate::model::ids::VariantId;
use crate::model::spending::Saving;
use crate::model::stable_hash::fnv1a;
use crate::model::time::Timestamp;

/// The style of the pages, served as a file of its own: the content security policy allows no other.
pub const STYLE: &str = concat!(include_str!("base.css"), include_str!("page.css"));
/// What replaces the parts of a page that change. Without it the page is as of when it was asked for.
pub const SCRIPT: &str = include_str!("live.js");
/// The icon in the tab.
pub const ICON: &str = include_str!("icon.svg");

/// What tells these files from those of another version of the program. It is in their addresses, so that
/// no browser shows a new page in an old style.
pub static ASSETS_VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{:016x}", fnv1a([STYLE, SCRIPT, ICON].concat().bytes())));

/// Where the pages are reached, and where else a person may want to go.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Site {
    /// The path that a proxy serves the pages under: empty, or `/` and at least one more character,
    /// without a `/` at its end.
    pub base_path: String,
    /// The address of a dashboard about one variant, with `{account_id}`, `{region}`, `{endpoint}` and
    /// `{variant}` where its names go.
    pub dashboard_url: Option<String>,
    /// How old what is shown is at the time when it is asked for; unknown before the first pass.
    pub age: Option<Age>,
    /// What the process has asked of CloudWatch this month, in dollars, for all variants together.
    pub month_cost: Option<f64>,
    /// What is no longer read so that the budget of the month lasts.
    pub saving: Saving,
    /// What each variant wastes, in dollars a month; absent without configured prices.
    pub at_stake: Option<Arc<BTreeMap<VariantId, f64>>>,
}

/// How long ago the last pass ended, on the clock of the process: instants in what was read are of
/// another one in a demo, and a browser's may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// In whole seconds.
    pub seconds: u64,
    /// Whether the next pass is overdue.
    pub late: bool,
}

impl Site {
    /// The address of a path of this server.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base_path)
    }

    /// What a variant wastes, in dollars a month, where that is known.
    fn at_stake(&self, id: &VariantId) -> Option<f64> {
        self.at_stake.as_ref()?.get(id).copied()
    }

    /// The address of a file that pages load.
    fn asset(&self, name: &str) -> String {
        self.path(&format!("/assets/{name}?v={}", *ASSETS_VERSION))
    }

    /// The address of a variant's page.
    pub fn variant(&self, id: &VariantId) -> String {
        self.path(&variant_path(id))
    }

    /// The address of the dashboard about a variant. Names are letters, digits and hyphens.
    fn dashboard(&self, id: &VariantId) -> Option<String> {
        let url = self.dashboard_url.as_deref()?;
        Some(
            url.replace("{account_id}", id.account_id.as_str())
                .replace("{region}", id.region.as_str())
                .replace("{endpoint}", id.endpoint.as_str())
                .replace("{variant}", id.variant.as_str()),
        )
    }
}

/// The path of a variant's page. Names need no escaping: AWS allows letters, digits, hyphens.
fn variant_path(id: &VariantId) -> String {
    format!(
        "/variants/{}/{}?account_id={}&region={}",
        id.endpoint, id.variant, id.account_id, id.region
    )
}

/// A whole page: a bar that stays in sight, and what is below it.
pub(in crate::render) fn frame(site: &Site, title: &str, bar: &Markup, main: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href=(site.asset("icon.svg"));
                link rel="stylesheet" href=(site.asset("page.css"));
                script defer src=(site.asset("live.js")) {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.bar { (bar) }
                main #main tabindex="-1" { (main) }
                footer { (words()) }
            }
        }
    }
    .into_string()
}

/// `setpoint`, which leads to the fleet.
pub(in crate::render) fn brand(site: &Site) -> Markup {
    html! { a.brand href=(site.path("/")) { img src=(site.asset("icon.svg")) alt="" width="24" height="24"; "setpoint" } }
}

/// When what is shown was so, with a link that asks again. The script turns both into a live display.
fn freshness(site: &Site, at: Option<Timestamp>) -> Markup {
    html! {
        div.fresh #fresh data-live {
            @if let Some(at) = at {
                span.age #age data-age=[site.age.map(|age| age.seconds)]
                    data-late=[site.age.filter(|age| age.late).map(|_| "true")] {
                    "as of " (parts::instant(at))
                }
            } @else {
                span.age #age { "no pass has ended yet" }
            }
            " " a #again href="" { "refresh" }
        }
    }
}

/// The words of the pages, for those who have no pointer to hover with.
fn words() -> Markup {
    html! {
        details.words {
            summary { "What the words mean" }
            dl {
                @for (word, meaning) in parts::WORDS {
                    dt { (word) } dd { (meaning) }
                }
            }
        }
    }
}
