//! The reads that are not made on every pass: paid telemetry, and scaling activities (rule 24).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::TimeDelta;
use futures::{StreamExt, stream};

use super::state::VariantState;
use super::{DiscoveryTelemetry, Look, Reconciler, Settings};
use crate::estimate::{Context, EstimatorSettings};
use crate::model::fact::{Fact, Why};
use crate::model::goal::{Goal, LoadTestProblem};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::scaling::ScalingPolicy;
use crate::model::series::Series;
use crate::model::time::{Timestamp, floor_to};
use crate::observe::Sweep;
use crate::observe::telemetry::{Window, queries, series};
use crate::ports::Memories;
use crate::variant::NewPeriods;

/// Variants whose answers are held in memory at once: 5 queries each fill one call.
const VARIANTS_PER_BATCH: usize = 100;
/// Activities are read at least this often of every variant.
const ACTIVITIES_AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

/// Variants whose activities are read because a person asks, in one pass: each is a call, and the
/// budget of a region is 2 a second.
const ACTIVITIES_ANEW_MAX: usize = 50;

/// The longer periods, in seconds, that variants with little traffic are judged by as well.
const LONG_PERIODS: [u32; 2] = [300, 900];

/// A variant whose telemetry is about to be read.
struct Reading<'a> {
    id: &'a VariantId,
    goal: &'a Goal,
    context: Context,
    memory: Option<&'a VariantMemory>,
}

impl Reconciler {
    /// Reads the minutes that are new of every variant whose telemetry is wanted.
    pub(super) async fn read_telemetry(
        &mut self,
        sweep: &Sweep,
        remembered: &Memories,
        wanted: &[(VariantId, Result<Goal, String>)],
        settings: &Settings,
        now: Timestamp,
    ) {
        // A variant that turns out to have little traffic is read a second time, in longer
        // periods too; all others have nothing left to read then.
        self.read_what_is_new(sweep, remembered, wanted, settings, now).await;
        // What is read again has forgotten what runs.
        self.note_endpoints(now);
        self.read_what_is_new(sweep, remembered, wanted, settings, now).await;
    }

    async fn read_what_is_new(
        &mut self,
        sweep: &Sweep,
        remembered: &Memories,
        wanted: &[(VariantId, Result<Goal, String>)],
        settings: &Settings,
        now: Timestamp,
    ) {
        // Variants read up to the same minute share their calls.
        let mut groups: BTreeMap<(Timestamp, Timestamp, bool), Vec<Reading<'_>>> = BTreeMap::new();
        for (id, goal) in wanted {
            let (Ok(goal), Some(state)) = (goal, self.variants.get_mut(id)) else { continue };
            if !is_wanted(goal, state, settings, now) {
                continue;
            }
            state.variant.note_goal(goal);
            let thin = state.variant.is_thin(now);
            let read_until = state.variant.read_until();
            let Some(mut window) = Window::next(now, read_until, settings.history, settings.delay)
            else {
                continue;
            };
            if thin {
                // Periods of all lengths must end together to be told in order.
                window.to = floor_to(window.to, i64::from(LONG_PERIODS[1]));
            }
            if window.from < window.to {
                groups.entry((window.from, window.to, thin)).or_default().push(Reading {
                    id,
                    goal,
                    context: context(sweep, id, goal),
                    memory: remembered.get(id).and_then(Fact::known),
                });
            }
        }
        for ((from, to, thin), readings) in groups {
            for batch in readings.chunks(VARIANTS_PER_BATCH) {
                self.read_batch(batch, Window { from, to }, thin, settings, now).await;
            }
        }
    }

    async fn read_batch(
        &mut self,
        batch: &[Reading<'_>],
        window: Window,
        thin: bool,
        settings: &Settings,
        now: Timestamp,
    ) {
        let minutes = self.read_periods(batch, window, 60, settings, now).await;
        let mut longer = Vec::new();
        if thin {
            for period in LONG_PERIODS {
                if let Some(whole) = window.whole(i64::from(period)) {
                    longer.push(self.read_periods(batch, whole, period, settings, now).await);
                }
            }
        }
        for (at, (reading, minutes)) in batch.iter().zip(minutes).enumerate() {
            let estimator = self.estimator_settings(reading, now);
            let read = Read::new("GetMetricData", self.clock.now());
            let Some(state) = self.variants.get_mut(reading.id) else { continue };
            let minutes = match minutes {
                Ok(minutes) => minutes,
                Err(why) => {
                    state.variant.could_not_read(why, read);
                    continue;
                }
            };
            let longer = longer.iter().filter_map(|periods| periods[at].as_ref().ok());
            let longer = longer.flatten().copied().collect();
            let new = NewPeriods { minutes, longer, until: window.to, read };
            // A bug of ours in one variant's minutes leaves the others as they are.
            let taken = catch_unwind(AssertUnwindSafe(|| {
                let by = (&estimator, &reading.context);
                state.variant.take_in(new, by, reading.memory, &mut self.scratch, now)
            }));
            match taken {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "beginning without the regime journal");
                }
                Err(_) => self.distrust(reading.id),
            }
        }
    }

    /// One series of this period for each of the batch, or why there is none.
    async fn read_periods(
        &mut self,
        batch: &[Reading<'_>],
        window: Window,
        period_seconds: u32,
        settings: &Settings,
        now: Timestamp,
    ) -> Vec<Result<Series, Why>> {
        let per_variant: Vec<_> = batch
            .iter()
            .map(|r| queries(&r.id.resource(), &r.goal.objective, period_seconds))
            .collect();
        let all: Vec<_> = per_variant.iter().flatten().cloned().collect();
        let answers = match self.cost.request(all.len() as u64, settings.budget_dollars, now) {
            Ok(()) => self.aws.metrics.metric_data(&all, window.from, window.to).await,
            Err(why) => vec![Err(why); all.len()],
        };
        let mut rest = answers.as_slice();
        batch
            .iter()
            .zip(&per_variant)
            .map(|(reading, queries)| {
                let (own, others) = rest.split_at(queries.len().min(rest.len()));
                rest = others;
                series(&reading.goal.objective, queries, own, window)
            })
            .collect()
    }

    fn estimator_settings(&self, reading: &Reading<'_>, now: Timestamp) -> EstimatorSettings {
        EstimatorSettings {
            load_test: reading.goal.load_test.as_ref().map(|test| test.max_rps),
            load_test_problem: self.load_test_problem(reading.id, reading.goal, now),
            ..EstimatorSettings::new(reading.goal.objective)
        }
    }

    /// Why the load test of a variant does not count (rule 5).
    pub(super) fn load_test_problem(
        &self,
        id: &VariantId,
        goal: &Goal,
        now: Timestamp,
    ) -> Option<LoadTestProblem> {
        let Some(test) = &goal.load_test else { return Some(LoadTestProblem::Absent) };
        let endpoint = self.cache.endpoint(&id.endpoint);
        let endpoint = endpoint.known().and_then(Option::as_ref);
        let config = endpoint.map(|e| self.cache.config(e));
        let config = config.as_ref().and_then(Fact::known).and_then(Option::as_ref);
        let own = config.and_then(|c| c.variant(&id.variant));
        test.check(
            now,
            own.and_then(|v| v.instance_type.as_deref()),
            config.map(|c| c.name.as_str()),
        )
        .err()
    }

    /// Rule 24: one page of activities, of variants that changed or are at max, else hourly; and
    /// of those to be read anew, as many as [`ACTIVITIES_ANEW_MAX`].
    pub(super) async fn read_activities(
        &mut self,
        wanted: &[(VariantId, Result<Goal, String>)],
        look: Look<'_>,
        now: Timestamp,
    ) {
        let (mut due, mut anew) = (Vec::new(), 0);
        for (id, goal) in wanted {
            let managed = goal.as_ref().is_ok_and(|goal| goal.managed);
            let at_max = self.is_at_max(id);
            let Some(state) = self.variants.get_mut(id).filter(|_| managed) else { continue };
            // A first read is spread over the hour, so that a start is no storm of calls.
            let read_at = *state.activities_at.get_or_insert(now - spread(id));
            let old = now - read_at >= ACTIVITIES_AGAIN_AFTER;
            let asked = anew < ACTIVITIES_ANEW_MAX && look.wants_anew(id);
            anew += usize::from(asked);
            if asked || old || at_max || state.activities_due {
                due.push(id.clone());
            }
        }
        let (scaling, clock) = (&self.aws.scaling, &*self.clock);
        let concurrency = look.settings.concurrency;
        let read: Vec<_> = stream::iter(due)
            .map(|id| async {
                let activities = scaling.scaling_activities(&id.resource()).await;
                (id, activities, Read::new("DescribeScalingActivities", clock.now()))
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        for (id, activities, read) in read {
            if let Some(state) = self.variants.get_mut(&id) {
                state.activities = activities.into();
                state.activities_read = Some(read);
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
}

/// What the findings of a variant compare its capacity with.
pub(super) fn context(sweep: &Sweep, id: &VariantId, goal: &Goal) -> Context {
    let policies = sweep.policies.known().and_then(|all| all.get(&id.resource()));
    let tracking = policies.into_iter().flatten().find_map(ScalingPolicy::invocations_tracking);
    Context {
        configured_target: tracking.map(|tracking| tracking.target_value),
        safety_factor: goal.safety_factor.get(),
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
            state.variant.telemetry().known().is_none_or(|t| now - t.read_at >= TimeDelta::hours(1))
        }
    }
}

/// A delay within the hour, the same for the same variant.
fn spread(id: &VariantId) -> TimeDelta {
    let hash = id.to_string().bytes().fold(7_u32, |h, b| h.wrapping_mul(31) ^ u32::from(b));
    TimeDelta::seconds(i64::from(hash % 3600))
}
