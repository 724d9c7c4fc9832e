//! Whose variants a pass reads: what the configuration wants of whom, and whom it names.

use std::sync::Arc;

use crate::model::goal::Goal;
use crate::model::ids::{ResourceId, Scope, VariantId};

/// What the configuration wants of whom.
pub trait Goals: Send + Sync {
    /// The goal of a variant; one that matches nothing gets the goal of the unlisted.
    ///
    /// # Errors
    /// A sentence, when two targets match it equally well.
    fn goal(&self, id: &VariantId) -> Result<Goal, String>;
    /// The variants that are named without a wildcard, with where they may be among these
    /// accounts and regions: they are shown even when they are gone.
    fn named(&self, scopes: &[Scope]) -> Vec<Named>;
    /// The same wishes, for reads that may go on beside the pass.
    fn shared(&self) -> Arc<dyn Goals>;
}

/// A variant that is named without a wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub resource: ResourceId,
    /// The accounts and regions that the name is good for, in their order; at least one.
    pub scopes: Vec<Scope>,
}

/// Those that can only be in this account and region: it shows them, there or not.
pub fn only_in(named: &[Named], scope: &Scope) -> Vec<ResourceId> {
    let only = named.iter().filter(|n| n.scopes.as_slice() == std::slice::from_ref(scope));
    only.map(|n| n.resource.clone()).collect()
}
