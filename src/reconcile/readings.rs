//! The reads that are not made on every pass: paid telemetry, and scaling activities (rule 24).

use std::collections::BTreeMap;

use chrono::{Datelike, TimeDelta};
use futures::{StreamExt, stream};

use super::state::VariantState;
use super::{DiscoveryTelemetry, Reconciler, Settings};
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::goal::{Goal, Objective};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::time::Timestamp;
use crate::observe::telemetry::{Window, queries, series};

/// The price of one metric requested by `GetMetricData`, in US dollars
/// (CloudWatch pricing: $0.01 per 1,000 metrics requested).
pub const DOLLARS_PER_METRIC: f64 = 0.01 / 1000.0;
/// Variants whose answers are held in memory at once: 5 queries each fill one call.
const VARIANTS_PER_BATCH: usize = 100;
/// Activities are read at least this often of every variant.
const ACTIVITIES_AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Counts what CloudWatch costs, and stops at the budget.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CostMeter {
    /// Metrics requested since the process began.
    pub metrics_requested: u64,
    month: Option<(i32, u32)>,
    requested_this_month: u64,
}

impl CostMeter {
    /// Dollars since the process began.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        self.metrics_requested as f64 * DOLLARS_PER_METRIC
    }

    /// Takes note of a request, or refuses it because the month's budget is used up.
    fn request(&mut self, metrics: u64, budget: Option<f64>, now: Timestamp) -> Result<(), Why> {
        let month = (now.year(), now.month());
        if self.month != Some(month) {
            self.month = Some(month);
            self.requested_this_month = 0;
        }
        let dollars = (self.requested_this_month + metrics) as f64 * DOLLARS_PER_METRIC;
        if let Some(budget) = budget
            && dollars > budget
        {
            return Err(Why::new(
                WhyKind::NotAsked,
                format!("the CloudWatch budget of {budget} dollars a month is used up"),
            ));
        }
        self.requested_this_month += metrics;
        self.metrics_requested += metrics;
        Ok(())
    }
}

impl Reconciler {
    /// Reads the minutes that are new of every variant whose telemetry is wanted.
    pub(super) async fn read_telemetry(
        &mut self,
        wanted: &[(VariantId, Result<Goal, String>)],
        settings: &Settings,
        now: Timestamp,
    ) {
        // Variants read up to the same minute share their calls.
        let mut groups: BTreeMap<(Timestamp, Timestamp), Vec<(VariantId, Objective)>> =
            BTreeMap::new();
        for (id, goal) in wanted {
            let (Ok(goal), Some(state)) = (goal, self.variants.get_mut(id)) else { continue };
            if !is_wanted(goal, state, settings, now) {
                continue;
            }
            let window = Window::next(now, state.read_until, settings.history, settings.delay);
            if let Some(Window { from, to }) = window {
                groups.entry((from, to)).or_default().push((id.clone(), goal.objective));
            }
        }
        for ((from, to), variants) in groups {
            for batch in variants.chunks(VARIANTS_PER_BATCH) {
                self.read_batch(batch, Window { from, to }, settings, now).await;
            }
        }
    }

    async fn read_batch(
        &mut self,
        batch: &[(VariantId, Objective)],
        window: Window,
        settings: &Settings,
        now: Timestamp,
    ) {
        let per_variant: Vec<_> =
            batch.iter().map(|(id, objective)| queries(&id.resource(), objective)).collect();
        let all: Vec<_> = per_variant.iter().flatten().cloned().collect();
        let answers = match self.cost.request(all.len() as u64, settings.budget_dollars, now) {
            Ok(()) => self.aws.metrics.metric_data(&all, window.from, window.to).await,
            Err(why) => vec![Err(why); all.len()],
        };
        let mut answers = answers.as_slice();
        for ((id, objective), queries) in batch.iter().zip(&per_variant) {
            let (own, rest) = answers.split_at(queries.len().min(answers.len()));
            answers = rest;
            let Some(state) = self.variants.get_mut(id) else { continue };
            match series(objective, queries, own, window) {
                Ok(minutes) => state.take_in(&minutes, window.to, now),
                // What was read before stays, and grows stale by itself.
                Err(why) if state.telemetry.known().is_none() => {
                    state.telemetry = Fact::Unknown(why);
                }
                Err(_) => {}
            }
        }
    }

    /// Rule 24: one page of activities, of variants that changed or are at max, else hourly.
    pub(super) async fn read_activities(
        &mut self,
        wanted: &[(VariantId, Result<Goal, String>)],
        concurrency: usize,
        now: Timestamp,
    ) {
        let mut due = Vec::new();
        for (id, goal) in wanted {
            let managed = goal.as_ref().is_ok_and(|goal| goal.managed);
            let at_max = self.is_at_max(id);
            let Some(state) = self.variants.get_mut(id).filter(|_| managed) else { continue };
            // A first read is spread over the hour, so that a start is no storm of calls.
            let read_at = *state.activities_at.get_or_insert(now - spread(id));
            let old = now - read_at >= ACTIVITIES_AGAIN_AFTER;
            if old || at_max || state.activities_due {
                due.push(id.clone());
            }
        }
        let scaling = &self.aws.scaling;
        let read: Vec<_> = stream::iter(due)
            .map(|id| async {
                let activities = scaling.scaling_activities(&id.resource()).await;
                (id, activities)
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        for (id, activities) in read {
            if let Some(state) = self.variants.get_mut(&id) {
                state.activities = activities.into();
                state.activities_at = Some(now);
                state.activities_due = false;
            }
        }
    }

    /// Whether a variant runs as many instances as it may, by what the last pass saw.
    fn is_at_max(&self, id: &VariantId) -> bool {
        let state = self.variants.get(id);
        let max = state.and_then(|s| s.max_capacity);
        let endpoint = self.cache.endpoint(&id.endpoint);
        let current = endpoint
            .known()
            .and_then(Option::as_ref)
            .and_then(|e| e.variant(&id.variant))
            .and_then(|v| v.current_instances);
        current.zip(max).is_some_and(|(current, max)| i64::from(current) >= i64::from(max))
    }

    /// What is remembered, or why it is not known.
    pub(super) async fn load_memory(&self) -> Fact<BTreeMap<VariantId, VariantMemory>> {
        self.memory.load().await.into()
    }
}

fn is_wanted(goal: &Goal, state: &VariantState, settings: &Settings, now: Timestamp) -> bool {
    if goal.managed {
        return true;
    }
    match settings.discovery_telemetry {
        DiscoveryTelemetry::Off => false,
        DiscoveryTelemetry::Full => true,
        DiscoveryTelemetry::Hourly => {
            state.telemetry.known().is_none_or(|t| now - t.read_at >= TimeDelta::hours(1))
        }
    }
}

/// A delay within the hour, the same for the same variant.
fn spread(id: &VariantId) -> TimeDelta {
    let hash = id.to_string().bytes().fold(7_u32, |h, b| h.wrapping_mul(31) ^ u32::from(b));
    TimeDelta::seconds(i64::from(hash % 3600))
}
