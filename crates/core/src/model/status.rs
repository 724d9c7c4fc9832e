//! What the process publishes: the last thing known and decided about every variant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::consent::Consent;
use super::decision::{Decision, Outcome};
use super::fact::Why;
use super::goal::Goal;
use super::ids::{Scope, VariantId};
use super::snapshot::Snapshot;
use super::time::Timestamp;

/// One variant after its last pass.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantStatus {
    /// What the configuration wants.
    pub goal: Goal,
    /// What was read.
    pub snapshot: Snapshot,
    /// What was decided.
    pub decision: Decision,
    /// What became of it; absent when there was nothing to do.
    pub outcome: Option<Outcome>,
    /// When the last pass ended.
    pub last_pass: Timestamp,
    /// When the last pass ended in which everything managed could be compared and no write failed.
    pub last_successful_pass: Option<Timestamp>,
}

/// All variants, as of one instant. Cheap to clone and to hand out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetStatus {
    /// When it was published; absent before the first pass.
    pub at: Option<Timestamp>,
    /// Each account and region, and why it could not be read, or not all of it.
    pub scopes: BTreeMap<Scope, Option<Why>>,
    /// The variants. One that is gone is gone from here too.
    pub variants: BTreeMap<VariantId, Arc<VariantStatus>>,
    /// A plan for many variants that waits for a person's confirmation (rule 9).
    pub mass_change: Option<MassChange>,
}

/// A plan that would change too many variants at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MassChange {
    /// Names the plan; a confirmation must name it too.
    pub plan_id: String,
    /// The variants it would change.
    pub variants: BTreeSet<VariantId>,
    /// What it would change in them: a confirmation is to exactly this.
    #[serde(skip)]
    pub shown: Consent,
    /// How many may change without a confirmation.
    pub limit: usize,
}
