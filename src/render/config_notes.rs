//! What there is to say of the configuration itself: the block above a plan, the banner of a page,
//! and the JSON of both.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use maud::{Markup, html};

use super::printable;
use crate::model::status::FleetStatus;

/// So many warnings are shown in text; JSON and `config check` have all of them.
const MOST: usize = 20;

/// The lines above a plan. An account that is not the caller's is the first of them: everything
/// below is about another account than the configured one.
pub fn block(fleet: &FleetStatus) -> String {
    let mut out = String::new();
    if let Some(shard) = &fleet.shard {
        let _ = writeln!(out, "{}.", capitalized(&shard.to_string()));
    }
    let style = Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold();
    if let Some(held) = &fleet.config.held {
        let held = held.to_string();
        let _ = writeln!(out, "{style}held{style:#}: {}", printable(&held));
    }
    for warning in fleet.config.warnings.iter().take(MOST) {
        let warning = warning.to_string();
        let _ = writeln!(out, "{style}warning{style:#}: {}", printable(&warning));
    }
    if let Some(more) = more(fleet) {
        let _ = writeln!(out, "{style}warning{style:#}: {more}");
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// The same for a page; empty when there is nothing to say.
pub(super) fn banner(fleet: &FleetStatus) -> Markup {
    let mut items = Vec::new();
    items.extend(fleet.config.held.as_ref().map(ToString::to_string));
    items.extend(fleet.config.warnings.iter().take(MOST).map(ToString::to_string));
    items.extend(more(fleet));
    html! {
        @if let Some(shard) = &fleet.shard { p.alert { (capitalized(&shard.to_string())) "." } }
        @if !items.is_empty() {
            div.alert {
                strong { "Configuration" }
                ul { @for item in &items { li { (printable(item)) } } }
            }
        }
    }
}

/// A sentence begins with a capital letter.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn more(fleet: &FleetStatus) -> Option<String> {
    let more = fleet.config.warnings.len().checked_sub(MOST).filter(|more| *more > 0)?;
    Some(format!("{more} more (setpoint plan -o json has all of them)"))
}
