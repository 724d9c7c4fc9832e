//! From what is in AWS to a configuration under which nothing differs: it restates every policy as it
//! is, right or wrong, and says in comments what looks wrong.
//!
//! Nothing is written into it that was not tried: each entry is loaded by the configuration's own
//! loader and decided on by the rules of every pass, and one that would differ becomes a comment
//! with the reason.

mod entry;
mod file;
mod scalar;
mod tried;

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{self, Guess};
use crate::decide::kind::kind;
use crate::model::endpoint::VariantKind;
use crate::model::fact::Why;
use crate::model::ids::{Scope, VariantId};
use crate::model::status::{FleetStatus, VariantStatus};
use crate::model::tags::Tag;
use crate::model::time::Timestamp;
use crate::model::units::SafetyFactor;

use entry::Entry;

/// How an import is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The safety factor by which the rate behind a target value is found.
    pub safety_factor: SafetyFactor,
    /// What the file says under `aws` beside the account and the region: key and value.
    pub aws: Vec<(&'static str, String)>,
    /// Whether the file stands beside others that say where AWS is, so that it has targets only.
    pub targets_only: bool,
    /// The latency objective that was guessed for a variant, or why none was; empty where nobody asked
    /// for guesses.
    pub guesses: BTreeMap<VariantId, Result<Guess, String>>,
    /// By which tags the variants were chosen; empty when by none.
    pub tags: Vec<Tag>,
    pub at: Timestamp,
}

/// A configuration, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The file.
    pub yaml: String,
    pub listed: BTreeSet<VariantId>,
    /// The variants that it does not list, with why.
    pub left_out: Vec<(VariantId, String)>,
    /// The variants that other files list already.
    pub already_listed: usize,
}

/// Makes a configuration of everything that a pass saw and no target lists yet.
pub fn import(fleet: &FleetStatus, options: &Options) -> Imported {
    let several = fleet.scopes.len() > 1;
    let statuses = || fleet.variants.values().map(AsRef::as_ref);
    let unlisted: Vec<&VariantStatus> = statuses()
        .filter(|status| !status.goal.managed)
        .filter(|status| !is_shadow(status))
        .collect();
    let mut rows: Vec<Row<'_>> = unlisted
        .into_iter()
        .map(|status| Row { status, several, made: of(status, several, options) })
        .collect();
    tried::leave_out_what_differs(&mut rows, options);
    let yaml = file::text(fleet, &rows, options);
    let mut imported = Imported {
        yaml,
        listed: BTreeSet::new(),
        left_out: Vec::new(),
        already_listed: statuses().filter(|status| status.goal.managed).count(),
    };
    for row in rows {
        let id = row.status.snapshot.id.clone();
        match row.made {
            Made::Listed(_) => drop(imported.listed.insert(id)),
            Made::LeftOut { because, .. } => imported.left_out.push((id, because)),
        }
    }
    imported
}

/// One variant of the file.
struct Row<'a> {
    status: &'a VariantStatus,
    several: bool,
    made: Made,
}

/// What becomes of a variant.
enum Made {
    Listed(Entry),
    /// It is a comment.
    LeftOut {
        /// Why, in a sentence.
        because: String,
        /// What to uncomment once that is settled, if there is such a thing.
        entry: Option<Entry>,
    },
}

impl Row<'_> {
    /// The findings that belong beside it.
    fn comments(&self) -> Vec<String> {
        let found = audit::findings(self.status);
        let notable = found.iter().filter(|one| one.severity < audit::Severity::Low);
        notable.map(|one| one.sentence.clone()).collect()
    }

    fn leave_out(&mut self, because: String) {
        let entry = match std::mem::replace(
            &mut self.made,
            Made::LeftOut { because: String::new(), entry: None },
        ) {
            Made::Listed(entry) => Some(entry),
            Made::LeftOut { entry, .. } => entry,
        };
        self.made = Made::LeftOut { because, entry };
    }
}

fn is_shadow(status: &VariantStatus) -> bool {
    let endpoint = status.snapshot.endpoint.known().and_then(Option::as_ref);
    endpoint.is_some_and(|endpoint| endpoint.shadow_variants.contains(&status.snapshot.id.variant))
}

/// What AWS has of a variant, as an entry.
fn of(status: &VariantStatus, several: bool, options: &Options) -> Made {
    let snapshot = &status.snapshot;
    let out = |because: String| Made::LeftOut { because, entry: None };
    let unread = |what: &str, why: &Why| out(format!("{what} could not be read: {}", why.message));
    if let Some(why) = snapshot.endpoint.why() {
        return unread("the endpoint", why);
    }
    if let Some(why) = snapshot.target.why() {
        return unread("the scalable target", why);
    }
    if let Some(why) = snapshot.policies.why() {
        return unread("the policies", why);
    }
    let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
    match endpoint {
        None => return out("the endpoint is gone, and its scalable target is left".to_owned()),
        Some(endpoint) if endpoint.variant(&snapshot.id.variant).is_none() => {
            return out("the endpoint has no such variant".to_owned());
        }
        Some(_) => {}
    }
    match kind(snapshot).map(VariantKind::unsupported_because) {
        Ok(Some(because)) => return out(format!("setpoint does not manage this kind: {because}")),
        Ok(None) => {}
        Err(why) => return out(format!("its kind is not known: {}", why.message)),
    }
    let mut entry = Entry::of(snapshot, several, options.safety_factor);
    match options.guesses.get(&snapshot.id) {
        Some(Ok(guess)) => entry.guess = Some(*guess),
        Some(Err(why)) => entry.notes.push(why.clone()),
        None => {}
    }
    if snapshot.target.known().is_some_and(Option::is_none) {
        let because = "nothing scales it: there is no scalable target".to_owned();
        return Made::LeftOut { because, entry: Some(entry) };
    }
    if entry.load_test.is_none() {
        let because = "no policy tracks its invocations per instance".to_owned();
        return Made::LeftOut { because, entry: Some(entry) };
    }
    Made::Listed(entry)
}

/// The accounts and regions of a fleet, in order.
fn scopes(fleet: &FleetStatus) -> Vec<&Scope> {
    fleet.scopes.keys().collect()
}
