//! Which variants may begin a probe in a pass: one of a family, and of an endpoint, at a time, and one in
//! a pass (rule 29).

use std::collections::BTreeSet;

use crate::decide::probe;
use crate::variant::Assessed;

/// What no two probes may share: a family or an endpoint.
pub(super) type Keys = Vec<String>;

/// What is being probed, in all accounts and regions.
#[derive(Debug, Default)]
pub(super) struct Probing {
    busy: BTreeSet<String>,
    /// Whether one has begun in this pass.
    begun: bool,
}

impl Probing {
    /// With what is under way elsewhere.
    pub(super) fn with<'a>(keys: impl Iterator<Item = &'a String>) -> Self {
        Self { busy: keys.cloned().collect(), begun: false }
    }

    /// Whether a variant with these keys may begin one. One whose family is not known may not.
    pub(super) fn may(&self, keys: &Keys) -> bool {
        !self.begun && !keys.is_empty() && keys.iter().all(|key| !self.busy.contains(key))
    }

    /// A variant with these keys begins one.
    pub(super) fn begin(&mut self, keys: Keys) {
        self.begun = true;
        self.busy.extend(keys);
    }
}

/// The keys of a variant; none where its family is not known.
pub(super) fn keys(assessed: &Assessed) -> Keys {
    let Some(family) = &assessed.family else { return Vec::new() };
    let id = &assessed.snapshot.id;
    vec![format!("family {family}"), format!("endpoint {} {}", id.scope(), id.endpoint)]
}

/// The keys of a variant whose probe is under way.
pub(super) fn busy(assessed: &Assessed) -> Keys {
    if probe::is_under_way(&assessed.snapshot) { keys(assessed) } else { Vec::new() }
}
