//! What CloudWatch has been asked for in a calendar month: what the budget counts from after a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The price of one metric requested by `GetMetricData`, in US dollars: 0.01 for each 1,000 (Amazon
/// CloudWatch pricing).
pub const DOLLARS_PER_METRIC: f64 = 0.01 / 1000.0;

/// The metrics requested in one month (UTC), by account and region as `ACCOUNT/REGION`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spending {
    /// The month, such as 2026-11; empty before anything was requested.
    pub month: String,
    /// Metrics requested, which is what AWS bills.
    pub metrics: BTreeMap<String, u64>,
}
