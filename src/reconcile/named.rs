//! Variants that the configuration names, and where they are told of when they are nowhere.

use super::{Observed, PassInput, wanted};
use crate::model::ids::{ResourceId, Scope, VariantId};
use crate::observe::EndpointCache;

/// A variant that is named without a wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The variant.
    pub resource: ResourceId,
    /// The accounts and regions that the name is good for, in their order; at least one.
    pub scopes: Vec<Scope>,
}

/// Those that can only be in this account and region: it tells of them, there or not.
pub(super) fn only_in(named: &[Named], scope: &Scope) -> Vec<ResourceId> {
    let only = named.iter().filter(|n| n.scopes.as_slice() == std::slice::from_ref(scope));
    only.map(|n| n.resource.clone()).collect()
}

/// One account and region in a pass: what it looked like, if that is known.
pub(super) struct Seen<'a> {
    pub scope: &'a Scope,
    pub observed: Option<&'a mut Observed>,
    /// What is known of endpoints; absent with the look.
    pub cache: Option<&'a EndpointCache>,
    /// The variants to tell of in spite of the missing look.
    pub unread: &'a mut Vec<VariantId>,
}

impl Seen<'_> {
    fn has(&self, id: &VariantId) -> bool {
        match &self.observed {
            Some(observed) => observed.wanted.iter().any(|(known, _)| known == id),
            None => self.unread.contains(id),
        }
    }

    /// Whether the variant may be here, unseen: a listing or a description is missing.
    fn may_hide(&self, id: &VariantId) -> bool {
        let Some(observed) = &self.observed else { return true };
        let listed = observed.sweep.endpoints.known().and_then(|all| all.get(&id.endpoint));
        let described = || self.cache.is_some_and(|c| c.endpoint(&id.endpoint).known().is_some());
        observed.why_incomplete().is_some() || (listed.is_some() && !described())
    }

    fn tell(&mut self, id: VariantId, input: &PassInput<'_>) {
        match &mut self.observed {
            Some(observed) => observed.wanted.extend(wanted(id, input.goals, input.settings)),
            None => self.unread.push(id),
        }
    }
}

/// A name that is good for several accounts and regions is missing only if none of them has it,
/// and then it is told once: in the first that may hide it, as not known; else in the first, as
/// missing.
pub(super) fn place(named: &[Named], all: &mut [Seen<'_>], input: &PassInput<'_>) {
    for Named { resource, scopes } in named.iter().filter(|named| named.scopes.len() > 1) {
        let id = |seen: &Seen<'_>| VariantId::new(seen.scope, resource);
        let mut matching: Vec<&mut Seen<'_>> =
            all.iter_mut().filter(|seen| scopes.contains(seen.scope)).collect();
        if matching.iter().any(|seen| seen.has(&id(seen))) {
            continue;
        }
        let at = matching.iter().position(|seen| seen.may_hide(&id(seen))).unwrap_or(0);
        if let Some(seen) = matching.get_mut(at) {
            let id = id(seen);
            seen.tell(id, input);
        }
    }
}
