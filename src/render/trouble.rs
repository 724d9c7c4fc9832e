//! What a process cannot see or keep: accounts and regions that cannot be listed, and a memory that
//! does not work. One set of sentences for the page, the probe and the commands.

use maud::{Markup, html};
use serde::Serialize;

use super::page::{self, Site};
use super::printable;
use crate::model::fact::Why;
use crate::model::ids::{AccountId, Region, Scope};
use crate::model::leader::Leader;
use crate::model::status::{FleetStatus, MemoryStatus, Undescribed};
use crate::model::time::Timestamp;

/// An account and region, as the API shows it.
#[derive(Debug, Serialize)]
pub struct ScopeView<'a> {
    pub account_id: &'a AccountId,
    pub region: &'a Region,
    /// Whether the last pass listed all endpoints and scalable targets.
    pub readable: bool,
    /// Why it did not; null when it did.
    pub why: Option<&'a Why>,
    /// When they were last listed; null when they never were since this process began to lead.
    pub last_listing: Option<Timestamp>,
}

/// Every account and region, in the order of their ids.
pub fn scopes(fleet: &FleetStatus) -> Vec<ScopeView<'_>> {
    let mut views = Vec::with_capacity(fleet.scopes.len());
    for (scope, why) in &fleet.scopes {
        views.push(ScopeView {
            account_id: &scope.account_id,
            region: &scope.region,
            readable: why.is_none(),
            why: why.as_ref(),
            last_listing: fleet.listed.get(scope).copied(),
        });
    }
    views
}

/// Everything that keeps this process from seeing or keeping all it should, a sentence or two each.
pub fn troubles(fleet: &FleetStatus) -> Vec<String> {
    let unreadable = fleet.unreadable();
    let mut all: Vec<String> = unreadable
        .map(|(scope, why)| unreadable_sentence(scope, why, fleet.listed.get(scope)))
        .collect();
    let undescribed = |(scope, found): (&Scope, &Undescribed)| {
        let Scope { account_id, region } = scope;
        format!("Account {account_id} in {region}: {}.", printable(&found.words()))
    };
    all.extend(fleet.undescribed.iter().map(undescribed));
    all.extend(unread_memory(fleet));
    if let Some(MemoryStatus { unsaved, .. }) = &fleet.memory {
        all.extend(unsaved.as_ref().map(|why| {
            let why = without_full_stop(&why.message);
            format!(
                "The memory cannot be saved: {why}. Nothing that must be remembered is written."
            )
        }));
    }
    all
}

/// Why variants may be missing from what was read once, a sentence for each reason.
pub fn what_is_missing(fleet: &FleetStatus) -> Vec<String> {
    let unreadable = fleet.unreadable().map(|(scope, why)| {
        let why = printable(&why.message);
        format!(
            "{scope} could not be read, or not all of it, so that variants may be missing: {why}"
        )
    });
    let undescribed = fleet.undescribed.iter();
    let undescribed =
        undescribed.map(|(scope, found)| format!("{scope}: {}", printable(&found.words())));
    unreadable.chain(undescribed).collect()
}

/// That the memory cannot be read, and why.
pub fn unread_memory(fleet: &FleetStatus) -> Option<String> {
    let why = fleet.memory.as_ref()?.unread.as_ref()?;
    let why = without_full_stop(&why.message);
    Some(format!("The memory cannot be read: {why}. Nothing that depends on it is written."))
}

/// Why an account and region cannot be read, and what that means.
pub fn unreadable_sentence(scope: &Scope, why: &Why, listed: Option<&Timestamp>) -> String {
    let Scope { account_id, region } = scope;
    // Where there are several, each reason names its own.
    let named = format!("account {account_id} in {region}: ");
    let why = why.message.strip_prefix(named.as_str()).unwrap_or(&why.message);
    let listed = listed.map_or_else(
        || "It has not been listed since this process began".to_owned(),
        |at| format!("It was last listed at {}", at.format("%Y-%m-%d %H:%M:%S UTC")),
    );
    format!(
        "Account {account_id} in {region} cannot be read: {}. {listed}; it may have variants that \
         are not shown, and those shown are not compared.",
        without_full_stop(why)
    )
}

fn without_full_stop(message: &str) -> String {
    printable(message).trim_end().trim_end_matches('.').to_owned()
}

/// The page of a process that follows another one; `path` is the page that was asked for.
pub fn follower_page(site: &Site, leader: &Leader, path: &str) -> String {
    let bar = html! { (page::brand(site)) p.summary { "follower" } };
    let main = html! {
        h1.unseen { "A follower" }
        p.alert.trouble {
            "This process is a follower: it shows no variants, makes no passes and writes nothing. "
            (who_leads(leader, path))
        }
        @if let Some(pod) = &leader.pod {
            p.dim {
                "From outside the cluster: "
                code { "kubectl port-forward pod/" (printable(pod)) " 9090" }
            }
        }
    };
    page::frame(site, "setpoint (follower)", &bar, &main)
}

fn who_leads(leader: &Leader, path: &str) -> Markup {
    html! {
        @match (&leader.pod, &leader.url) {
            (Some(pod), Some(url)) => {
                a href={ (printable(url)) (printable(path)) } { (printable(pod)) } " leads."
            }
            (Some(pod), None) => { (printable(pod)) " leads." }
            (None, _) => { "No leader is known." }
        }
    }
}
