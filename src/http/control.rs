//! What people can ask of the process, as the daemon implements it.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, EndpointName, Region, VariantId, VariantName};
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;

/// Which variants a command means. What is absent matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Only of this account.
    pub account_id: Option<AccountId>,
    /// Only of this region.
    pub region: Option<Region>,
    /// Only of this endpoint.
    pub endpoint: Option<EndpointName>,
    /// Only variants of this name; needs `endpoint`.
    pub variant: Option<VariantName>,
}

impl Selector {
    /// Whether the selection holds the variant.
    #[must_use]
    pub fn matches(&self, id: &VariantId) -> bool {
        self.account_id.as_ref().is_none_or(|wanted| *wanted == id.account_id)
            && self.region.as_ref().is_none_or(|wanted| *wanted == id.region)
            && self.endpoint.as_ref().is_none_or(|wanted| *wanted == id.endpoint)
            && self.variant.as_ref().is_none_or(|wanted| *wanted == id.variant)
    }

    /// Whether all variants are meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// A pause asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseRequest {
    /// Which variants.
    pub selector: Selector,
    /// Until when; the daemon, which has the clock, refuses what is past.
    pub until: Timestamp,
    /// Why, for those who find it paused.
    pub reason: String,
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

    /// Makes a pass now and answers with what it came to.
    ///
    /// # Errors
    /// See [`ControlError`].
    async fn reconcile(&self, selector: &Selector)
    -> Result<Vec<Arc<VariantStatus>>, ControlError>;

    /// Holds writes until a time (rule 10). Answers with a sentence when some of the pause ends
    /// with this process.
    ///
    /// # Errors
    /// See [`ControlError`].
    async fn pause(&self, request: &PauseRequest) -> Result<Option<String>, ControlError>;

    /// Ends a pause.
    ///
    /// # Errors
    /// See [`ControlError`].
    async fn resume(&self, selector: &Selector) -> Result<(), ControlError>;

    /// Lets a held plan for many variants go ahead (rule 9).
    ///
    /// # Errors
    /// See [`ControlError`].
    async fn confirm(&self, plan_id: &str) -> Result<(), ControlError>;
}
