//! What a pass is for: to show, to ask, or to write, and what a person has confirmed of that.

use crate::decide::consent::Confirmed;
use crate::model::consent::Consent;
use crate::model::ids::VariantId;

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose<'a> {
    /// To say what differs and what the rules let be written. It writes nothing and remembers
    /// nothing (`plan`).
    Plan,
    /// To show a person what a yes would lead to. It writes nothing, and remembers what it has
    /// seen (`apply`, before the question).
    Ask,
    /// To write what the rules let be written, and of the variants in the consent exactly what a
    /// person has confirmed (`run`).
    Reconcile(&'a Consent),
    /// To write what a person has confirmed, and nothing else (`apply`, after the question).
    Apply(&'a Consent),
}

impl Purpose<'_> {
    /// Whether anything may be written.
    pub const fn writes(&self) -> bool {
        matches!(self, Self::Reconcile(_) | Self::Apply(_))
    }

    /// Whether nobody looks on, and passes go on after this one.
    pub const fn is_unattended(&self) -> bool {
        matches!(self, Self::Reconcile(_))
    }

    pub const fn remembers(&self) -> bool {
        !matches!(self, Self::Plan)
    }

    /// What a person has confirmed of a variant.
    pub fn confirmed(&self, id: &VariantId) -> Confirmed {
        match self {
            Self::Plan => Confirmed::Nothing,
            Self::Ask => Confirmed::Asking,
            Self::Reconcile(consent) => {
                consent.get(id).cloned().map_or(Confirmed::Nothing, Confirmed::Only)
            }
            Self::Apply(consent) => Confirmed::Only(consent.get(id).cloned().unwrap_or_default()),
        }
    }
}
