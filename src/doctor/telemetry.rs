//! Whether CloudWatch has the minutes that estimates rest on.

use chrono::TimeDelta;

use super::Check;
use crate::model::fact::Why;
use crate::model::ids::VariantId;
use crate::model::time::Timestamp;

/// A datapoint older than this is a minute that did not come.
const FRESH: TimeDelta = TimeDelta::minutes(15);
/// So many names are listed.
const NAMES: usize = 5;
/// A longer period leaves minutes empty.
const SPARSE_FROM_SECONDS: u32 = 120;

/// What CloudWatch has of one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    pub id: VariantId,
    /// Its newest datapoint of the last three hours, or why that is not known.
    pub newest: Result<Option<Timestamp>, Why>,
    /// Seconds between published datapoints, where the endpoint config sets them for invocations.
    pub period_seconds: Option<u32>,
}

/// The minutes of all variants; `dollars` is what asking cost.
pub fn metrics(all: &[Metrics], dollars: f64, now: Timestamp) -> Vec<Check> {
    if all.is_empty() {
        return vec![Check::note(
            "metrics",
            "not asked: there is no listed variant, or the budget is 0",
        )];
    }
    let mut checks = Vec::new();
    let unread: Vec<&Metrics> = all.iter().filter(|one| one.newest.is_err()).collect();
    if let Some(Metrics { newest: Err(why), .. }) = unread.first() {
        let found = format!("{} could not be read: {}", names(&unread), why.message);
        checks.push(Check::fail("metrics", found, "estimates need cloudwatch:GetMetricData"));
    }
    let silent: Vec<&Metrics> = all.iter().filter(|one| one.newest == Ok(None)).collect();
    if !silent.is_empty() {
        checks.push(Check::warn(
            "metrics",
            format!("no datapoint in three hours: {}", names(&silent)),
            "no traffic at all, or another kind of endpoint; without minutes capacity is not measured",
        ));
    }
    let is_old = |one: &&Metrics| matches!(one.newest, Ok(Some(at)) if now - at > FRESH);
    let old: Vec<&Metrics> = all.iter().filter(is_old).collect();
    if !old.is_empty() {
        checks.push(Check::warn(
            "metrics",
            format!("the newest datapoint is older than 15 minutes: {}", names(&old)),
            "no target value is raised on stale minutes (telemetry.max_age_minutes)",
        ));
    }
    let fresh = all.len() - unread.len() - silent.len() - old.len();
    if fresh > 0 {
        let found = format!(
            "{fresh} of {} variants have fresh minutes (asked for ${dollars:.5})",
            all.len()
        );
        checks.insert(0, Check::ok("metrics", found));
    }
    let is_sparse = |one: &&Metrics| one.period_seconds.is_some_and(|s| s >= SPARSE_FROM_SECONDS);
    let sparse: Vec<&Metrics> = all.iter().filter(is_sparse).collect();
    checks.push(if sparse.is_empty() {
        Check::ok("publish_frequency", "every minute")
    } else {
        Check::warn(
            "publish_frequency",
            format!("two minutes or more between datapoints: {}", names(&sparse)),
            "set MetricPublishFrequencyInSeconds to 60 or less: AWS's alarms look at minutes, and so \
             does setpoint",
        )
    });
    checks
}

fn names(of: &[&Metrics]) -> String {
    let mut names: Vec<String> = of.iter().take(NAMES).map(|one| one.id.short()).collect();
    if of.len() > NAMES {
        names.push(format!("and {} more", of.len() - NAMES));
    }
    names.join(", ")
}
