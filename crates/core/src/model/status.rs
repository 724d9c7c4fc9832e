//! What the process publishes: the last thing known and decided about every variant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use serde::Serialize;

use super::consent::Consent;
use super::decision::{Decision, Outcome};
use super::evidence::EvidenceStatus;
use super::fact::Why;
use super::goal::Goal;
use super::ids::{AccountId, Scope, VariantId};
use super::lasting::Lasting;
use super::shard::ShardStatus;
use super::shared::Shared;
use super::snapshot::Snapshot;
use super::spending::Saving;
use super::time::Timestamp;
use super::warning::ConfigStatus;
use crate::compact::Rested;

/// One variant after its last pass.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantStatus {
    pub goal: Shared<Goal>,
    /// In a place of its own, which it has from when it is put together until the next pass is published.
    pub snapshot: Box<Snapshot>,
    pub decision: Decision,
    /// What became of it; absent when there was nothing to do.
    pub outcome: Option<Outcome>,
    /// Since when what holds of it has held; empty while that could not be remembered.
    pub lasting: Shared<Lasting>,
    /// When the last pass ended.
    pub last_pass: Timestamp,
    /// When the last pass ended in which everything managed could be compared and no write failed.
    pub last_successful_pass: Option<Timestamp>,
    /// What made its estimate.
    #[serde(skip)]
    pub estimator: EstimatorHandle,
}

/// The estimator behind an estimate that is published, which the variant itself holds: thousands of
/// variants have no room for a second one. `variant::EstimatorState` reads it.
#[derive(Debug, Clone)]
pub struct EstimatorHandle {
    /// The estimator as bytes, until the variant takes in newer telemetry.
    pub estimator: Weak<dyn Rested>,
    /// What else it depends on, as bytes.
    pub inputs: Box<[u8]>,
}

impl Default for EstimatorHandle {
    fn default() -> Self {
        Self { estimator: Weak::<Box<[u8]>>::new(), inputs: Box::default() }
    }
}

impl PartialEq for EstimatorHandle {
    fn eq(&self, other: &Self) -> bool {
        self.estimator.ptr_eq(&other.estimator) && self.inputs == other.inputs
    }
}

/// All variants, as of one instant. Cheap to clone and to hand out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetStatus {
    /// When it was published; absent before the first pass.
    pub at: Option<Timestamp>,
    /// Each account and region, and why it could not be read, or not all of it.
    pub scopes: BTreeMap<Scope, Option<Why>>,
    /// What of each account and region is listed and could not be described, so that its variants are not known.
    pub undescribed: BTreeMap<Scope, Undescribed>,
    /// Whether there was no time to describe all endpoints that were due: the next pass begins at once.
    pub has_more: bool,
    /// The variants of each account and region whose telemetry could not be read when it was last asked for.
    pub telemetry_unread: BTreeMap<Scope, TelemetryUnread>,
    /// When each account and region was last listed whole; absent for one that never was since this
    /// process began to make passes.
    pub listed: BTreeMap<Scope, Timestamp>,
    /// Whether what must be remembered can be read and saved; absent before the first pass.
    pub memory: Option<MemoryStatus>,
    /// Whether the history can be read and saved; absent before the first pass.
    pub history: Option<StoreStatus>,
    /// How it goes with what is kept over a restart; absent where nothing is kept.
    pub evidence: Option<EvidenceStatus>,
    /// The variants. One that is gone is gone from here too.
    pub variants: Shared<BTreeMap<VariantId, Arc<VariantStatus>>>,
    /// A plan for many variants that waits for a person's confirmation (rule 9).
    pub mass_change: Option<MassChange>,
    /// The account that the caller of each account and region really is, where that is known.
    pub callers: BTreeMap<Scope, AccountId>,
    /// What there is to say of the configuration itself.
    pub config: ConfigStatus,
    /// Which shard this process is; absent when there is one process for everything.
    pub shard: Option<ShardStatus>,
    /// What an instance of each type costs, in dollars an hour, as configured.
    pub prices: Arc<BTreeMap<String, f64>>,
    /// What the process has asked of CloudWatch in this calendar month (UTC), in dollars, for all variants
    /// together; absent before it is known.
    pub month_cost: Option<f64>,
    /// What is no longer read of CloudWatch so that the month's budget lasts.
    pub saving: Saving,
}

/// Endpoints that are listed and could not be described, where nothing else tells of their variants either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undescribed {
    /// How many there are, at least one.
    pub endpoints: usize,
    /// How many of them have not had their turn since the process began.
    #[serde(skip)]
    pub waiting: usize,
    /// Whether a policy that names the endpoints to be seen explains it: others could be described, and these were
    /// denied.
    pub narrowed: bool,
    /// Why the first of them could not be.
    pub why: Why,
}

impl Undescribed {
    /// How many there are and why, without a full stop.
    pub fn words(&self) -> String {
        let (endpoints, their) = match self.endpoints {
            1 => ("1 endpoint".to_owned(), "its"),
            many => (format!("{many} endpoints"), "their"),
        };
        let why = self.why.without_full_stop();
        if self.waiting == self.endpoints {
            let have = if self.endpoints == 1 { "has" } else { "have" };
            return format!(
                "{endpoints} {have} not been described yet, and {their} variants are not shown: a pass describes as \
                 many as aws.sagemaker_call_rate_per_second lets it"
            );
        }
        let waiting = match self.waiting {
            0 => String::new(),
            waiting => format!(", {waiting} of them not yet"),
        };
        format!(
            "{endpoints} could not be described{waiting}, and {their} variants are not shown: {why}"
        )
    }
}

/// Variants whose telemetry could not be read when it was last asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryUnread {
    /// How many there are, at least one.
    pub variants: usize,
    /// The first of them, by its name.
    pub first: VariantId,
    /// Why that of the first could not be.
    pub why: Why,
}

impl TelemetryUnread {
    /// How many there are and why, and what comes of it, without a full stop.
    pub fn words(&self) -> String {
        let first = self.first.short();
        let of = match self.variants {
            1 => first,
            many => format!("{many} variants ({first} is the first)"),
        };
        let why = self.why.without_full_stop();
        format!(
            "the telemetry of {of} could not be read: {why}. The next telemetry pass reads it again, and raises \
             wait where no datapoint is newer than telemetry.max_age_minutes"
        )
    }
}

impl FleetStatus {
    /// The accounts and regions that could not be listed: they may have variants that nothing here
    /// speaks of.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Scope, &Why)> {
        self.scopes.iter().filter_map(|(scope, why)| Some((scope, why.as_ref()?)))
    }
}

impl FleetStatus {
    /// What an instance of this variant costs, in dollars an hour; absent without a price.
    pub fn price(&self, status: &VariantStatus) -> Option<f64> {
        let config = status.snapshot.endpoint_config.known()?.as_ref()?;
        let own = config.variant(&status.snapshot.id.variant)?;
        self.prices.get(own.instance_type.as_ref()?).copied()
    }
}

/// Whether what must be remembered can be read and saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MemoryStatus {
    /// Why it could not be read, or not all of it, in the last pass. What it concerns is not written.
    pub unread: Option<Why>,
    /// Why the last attempt to save failed, at least in part.
    pub unsaved: Option<Why>,
    /// When everything there was to save was last saved.
    pub last_saved: Option<Timestamp>,
}

/// Whether the history can be read and saved, and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    /// The file; absent where the history lives as long as the process.
    pub path: Option<PathBuf>,
    /// Why it cannot be read.
    pub unread: Option<String>,
    /// Why the last pass is not saved.
    pub unsaved: Option<String>,
    /// When a pass was last saved.
    pub last_saved: Option<Timestamp>,
    /// The size of the file, in bytes.
    pub size_bytes: Option<u64>,
    /// The last pass that was taken in, and which of its variants are saved with all their minutes.
    #[serde(skip)]
    pub saved: Option<(Timestamp, Saved)>,
    /// How many files that could not be read lie beside it.
    pub files_set_aside: usize,
    /// What was set aside since the process began, and why.
    pub set_aside: Option<String>,
}

/// Which variants of a pass are saved: minutes of a first read may wait for the passes after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    None,
    /// Those before this one, in their order.
    Before(VariantId),
    All,
}

impl Saved {
    /// Whether a variant is among them.
    pub fn has(&self, id: &VariantId) -> bool {
        match self {
            Self::None => false,
            Self::Before(first) => id < first,
            Self::All => true,
        }
    }
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
