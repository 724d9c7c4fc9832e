//! What people can ask of the process, as the daemon implements it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use crate::model::consent::CarriedOut;
use crate::model::fact::Why;
use crate::model::ids::Scope;
use crate::model::selector::Selector;
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRequest {
    /// Which variants.
    pub selector: Selector,
    /// Until when; the daemon, which has the clock, refuses what is past.
    pub until: Timestamp,
    /// Why, for those who find it paused.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paused {
    pub until: Timestamp,
    /// How many variants that are known now it holds.
    pub variants: usize,
    /// Whether it also holds variants of the selection that first appear later.
    pub holds_later_variants: bool,
    /// Whether it is still there after a restart of the process.
    pub survives_restart: bool,
    /// Why not, where the memory would otherwise survive one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resumed {
    pub variants: usize,
    /// How many of them a person's pause held until now.
    pub were_paused: usize,
    /// How many pauses of more than one variant have ended.
    pub pauses_ended: usize,
    /// Of how many variants another writer, or another setpoint, was forgotten.
    pub writers_forgotten: usize,
    /// Those among them that the configuration still pauses.
    pub paused_by_configuration: Vec<String>,
}

/// A pass that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconciled {
    /// When it began: what was read before is no proof.
    pub began_at: Timestamp,
    /// What it came to, for each variant asked for.
    pub variants: Vec<Arc<VariantStatus>>,
    /// The accounts and regions asked for that could not be listed: more variants may be meant.
    pub unreadable: BTreeMap<Scope, Why>,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It names something that does not exist (404).
    #[error("{0}")]
    NotFound(String),
    /// It makes no sense as asked, such as a pause until a time that is past (400).
    #[error("{0}")]
    Invalid(String),
    /// The present state forbids it (409).
    #[error("{0}")]
    Conflict(String),
    /// This process cannot do it now: it does not lead, or is shutting down (503).
    #[error("{0}")]
    Unavailable(String),
}

/// Carries out commands.
#[async_trait]
pub trait Control: Send + Sync {
    /// Loads the configuration again.
    ///
    /// # Errors
    /// All problems of the new configuration; the old one stays in force.
    async fn reload(&self) -> Result<(), Vec<serde_json::Value>>;

    /// Makes a pass now, in which all of the selection is read again, and answers with what it
    /// came to.
    async fn reconcile(&self, selector: &Selector) -> Result<Reconciled, ControlError>;

    /// Holds writes until a time (rule 10).
    async fn pause(&self, request: &PauseRequest) -> Result<Paused, ControlError>;

    /// Ends a pause.
    async fn resume(&self, selector: &Selector) -> Result<Resumed, ControlError>;

    /// Lets a held plan for many variants go ahead as it was shown (rules 4a and 9), and answers
    /// with what became of it in the first pass.
    async fn confirm(&self, plan_id: &str) -> Result<CarriedOut, ControlError>;
}
