//! What is kept of one variant between passes, beside what its state machine keeps. All of it is
//! read again after a restart.

use crate::model::fact::Fact;
use crate::model::keeper::Keeper;
use crate::model::reads::Read;
use crate::model::scaling::Activity;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::variant::Variant;

/// One variant's state between passes.
#[derive(Debug)]
pub(super) struct VariantState {
    /// What its telemetry and its deploys have taught.
    pub variant: Variant,
    /// The newest scaling activities.
    pub activities: Fact<Shared<Vec<Activity>>>,
    /// When they were read.
    pub activities_at: Option<Timestamp>,
    /// The read behind them.
    pub activities_read: Option<Read>,
    /// Whether something changed since (rule 24).
    pub activities_due: bool,
    /// The max in force at the last pass, for whether the variant is at it.
    pub max_capacity: Option<i32>,
    /// Who kept what is remembered, as last seen (rule 26).
    pub keeper: Option<Keeper>,
    /// Whether that has been looked at.
    pub keeper_known: bool,
    /// When the last pass succeeded.
    pub last_successful_pass: Option<Timestamp>,
}

impl Default for VariantState {
    fn default() -> Self {
        Self {
            variant: Variant::default(),
            activities: Fact::not_read_yet(),
            activities_at: None,
            activities_read: None,
            activities_due: false,
            max_capacity: None,
            keeper: None,
            keeper_known: false,
            last_successful_pass: None,
        }
    }
}
