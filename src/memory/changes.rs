//! What a change of memory is worth: whether tags that hold the old one must be written again.

use crate::model::memory::{TargetWrite, VariantMemory, Verification};
use crate::model::shared::Shared;

use super::codec::kept;

/// How much a memory differs from what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Not at all, or only in what has been forgotten by age.
    Nothing,
    /// In what changes from pass to pass: values seen, the minutes of a watch.
    Progress,
    /// In what decides whether something may be written.
    News,
}

/// Compares what is kept with the newest.
pub(super) fn change(before: Option<&VariantMemory>, after: &VariantMemory) -> Change {
    let Some(before) = before else { return Change::News };
    let is_new = |write: &TargetWrite| !before.raises.contains(write);
    let written = after.writes.iter().any(|at| !before.writes.contains(at));
    if written || after.raises.iter().any(is_new) || essence(before) != essence(after) {
        Change::News
    } else if without_past(before) == without_past(after) {
        Change::Nothing
    } else {
        Change::Progress
    }
}

/// Without what ages away by itself, and without who keeps it.
fn without_past(memory: &VariantMemory) -> VariantMemory {
    VariantMemory { writes: Vec::new(), raises: Vec::new(), keeper: None, ..kept(memory) }
}

/// Without what moves in every pass.
fn essence(memory: &VariantMemory) -> VariantMemory {
    let still = |watch: Box<Verification>| {
        Box::new(Verification {
            begun_at: None,
            counted_until: watch.raised_at,
            loaded_minutes: 0,
            last_broken: Vec::new(),
            ..*watch
        })
    };
    let memory = without_past(memory);
    VariantMemory {
        seen: Shared::default(),
        value_in_force: None,
        // An older one makes a lowering sooner, never a raise.
        applied_factor: None,
        // Half an hour of an alert's clock is not worth a write to AWS.
        lasting: Shared::default(),
        verification: memory.verification.map(still),
        ..memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_makes_a_lowering_sooner_is_not_worth_a_write_of_its_own() {
        let before = VariantMemory { adopted: true, ..VariantMemory::default() };
        let of_factor = VariantMemory { applied_factor: Some(0.5), ..before.clone() };
        assert_eq!(change(Some(&before), &of_factor), Change::Progress);
        assert_eq!(change(Some(&of_factor), &of_factor), Change::Nothing);
        let adopted = VariantMemory { adopted: false, ..before.clone() };
        assert_eq!(change(Some(&before), &adopted), Change::News);
    }
}
