//! What a new configuration takes out of setpoint's hands. Pure: two configurations and a status go
//! in.

use std::collections::BTreeMap;

use super::Config;
use super::pattern::TargetPattern;
use super::settings::Target;
use crate::model::ids::VariantId;
use crate::model::status::FleetStatus;

/// How many names are reported.
const EXAMPLES: usize = 5;

/// What a configuration lists that the next one does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    /// How many variants, and targets without a known variant, are dropped.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// How many may be dropped without a confirmation: rule 9's limit.
    pub limit: usize,
    /// The first of them by name.
    pub examples: Vec<String>,
    /// Whether the next one lists nothing.
    pub lists_nothing: bool,
}

impl Dropped {
    /// Compares two configurations over the variants that are known.
    pub fn between(old: &Config, new: &Config, fleet: &FleetStatus) -> Self {
        // A target speaks for variants. One that has none now, or of which none is known (nothing
        // was read yet), counts by itself: no subjects are not no loss.
        let mut kept: BTreeMap<String, bool> = BTreeMap::new();
        for id in fleet.variants.keys().filter(|id| old.is_listed(id)) {
            let name = if fleet.scopes.len() > 1 { id.to_string() } else { id.short() };
            kept.insert(name, new.is_listed(id) && new.reaches(id));
        }
        let known = |target: &&Target| fleet.variants.keys().any(|id| target.pattern.matches(id));
        for target in old.targets.iter().filter(|target| !known(target)) {
            kept.insert(target.pattern.to_string(), new.speaks_for(&target.pattern));
        }
        let dropped: Vec<&String> =
            kept.iter().filter(|(_, kept)| !**kept).map(|(name, _)| name).collect();
        Self {
            count: dropped.len(),
            of: kept.len(),
            limit: old.reconcile.mass_change.limit(kept.len()),
            examples: dropped.into_iter().take(EXAMPLES).cloned().collect(),
            lists_nothing: new.targets.is_empty(),
        }
    }

    /// Whether a person must confirm it: more than may change in one pass, or everything, however
    /// little that is. An empty file is a file that was not written, in most cases.
    pub const fn needs_confirmation(&self) -> bool {
        self.count > self.limit || (self.count > 0 && self.lists_nothing)
    }
}

impl Config {
    /// Whether a target speaks for a variant, or two do equally.
    fn is_listed(&self, id: &VariantId) -> bool {
        !matches!(self.target(id), Ok(None))
    }

    /// Whether the account and region of a variant are among those configured one by one.
    fn reaches(&self, id: &VariantId) -> bool {
        self.accounts.is_empty() || self.scopes().contains(&id.scope())
    }

    /// Whether some target matches everything that a pattern matches.
    fn speaks_for(&self, pattern: &TargetPattern) -> bool {
        self.targets.iter().any(|target| target.pattern.covers(pattern))
    }
}
