//! Variants that the configuration names, and where they are shown when they are nowhere.

use super::PassInput;
use crate::model::ids::{Scope, VariantId};
use crate::observe::{Named, Observed, Reader, wanted};

/// One account and region in a pass: what it looked like, if that is known.
pub(super) struct Place<'a> {
    pub scope: &'a Scope,
    /// What was read, and the reader that has read it.
    pub observed: Option<(&'a mut Observed, &'a Reader)>,
    /// The variants to show without having read them.
    pub unread: &'a mut Vec<VariantId>,
}

impl Place<'_> {
    fn has(&self, id: &VariantId) -> bool {
        match &self.observed {
            Some((observed, _)) => observed.has(id),
            None => self.unread.contains(id),
        }
    }

    /// Whether the variant may be here, unseen: a listing or a description is missing.
    fn may_hide(&self, id: &VariantId) -> bool {
        self.observed.as_ref().is_none_or(|(observed, reader)| reader.may_hide(observed, id))
    }

    fn show(&mut self, id: VariantId, input: &PassInput<'_>) {
        match &mut self.observed {
            Some((observed, _)) => {
                if let Some(wanted) = wanted(id, input.goals, input.settings) {
                    observed.add(wanted);
                }
            }
            None => self.unread.push(id),
        }
    }
}

/// A name that is good for several accounts and regions is missing only if none of them has it,
/// and then it is shown once: in the first that may hide it, as not known; else in the first, as
/// missing.
pub(super) fn place(named: &[Named], all: &mut [Place<'_>], input: &PassInput<'_>) {
    for Named { resource, scopes } in named.iter().filter(|named| named.scopes.len() > 1) {
        let id = |place: &Place<'_>| VariantId::new(place.scope, resource);
        let mut matching: Vec<&mut Place<'_>> =
            all.iter_mut().filter(|place| scopes.contains(place.scope)).collect();
        if matching.iter().any(|place| place.has(&id(place))) {
            continue;
        }
        let at = matching.iter().position(|place| place.may_hide(&id(place))).unwrap_or(0);
        if let Some(place) = matching.get_mut(at) {
            let id = id(place);
            place.show(id, input);
        }
    }
}
