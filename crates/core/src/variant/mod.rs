//! A VARIANT as one state machine: what is read goes in, what is known of it comes out. Everything
//! that decides drives it, over AWS or over a recording. Pure: whoever drives it reads and writes.

mod capacity;
mod recent;

use chrono::TimeDelta;

use crate::estimate::{Context, EstimatorSettings, JournalError, Scratch};
use crate::model::endpoint::{Endpoint, EndpointConfig, Model};
use crate::model::estimate::Estimate;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::goal::{Goal, LoadTestProblem};
use crate::model::ids::VariantName;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::series::Minute;
use crate::model::snapshot::Telemetry;
use crate::model::time::Timestamp;

use capacity::CapacityWatch;
use recent::Recent;

/// Metrics that are published this seldom make minutes sparse, so that longer periods are judged
/// from the start.
const SPARSE_PERIOD_SECONDS: u32 = 120;

/// What is kept of one variant between passes. All of it can be read again after a restart.
#[derive(Debug, Default)]
pub struct Variant {
    recent: Recent,
    telemetry_read: Option<Read>,
    capacity: CapacityWatch,
}

/// Periods of telemetry that were read since the last time.
#[derive(Debug, Clone)]
pub struct NewPeriods {
    /// The minutes, in time order.
    pub minutes: Vec<Minute>,
    /// Longer periods of the same time, for a variant with little traffic.
    pub longer: Vec<Minute>,
    /// Up to where was read.
    pub until: Timestamp,
    /// The read behind them.
    pub read: Read,
}

impl Variant {
    /// The newest telemetry, or why there is none.
    #[must_use]
    pub const fn telemetry(&self) -> &Fact<Telemetry> {
        &self.recent.telemetry
    }

    /// The read behind the telemetry.
    #[must_use]
    pub const fn telemetry_read(&self) -> Option<Read> {
        self.telemetry_read
    }

    /// Up to where telemetry has been read; absent when the whole history is wanted.
    #[must_use]
    pub const fn read_until(&self) -> Option<Timestamp> {
        self.recent.read_until
    }

    /// Whether minutes have too few requests, so that longer periods are wanted as well.
    #[must_use]
    pub fn is_thin(&self, now: Timestamp) -> bool {
        self.recent.thin_until.is_some_and(|until| now < until)
    }

    /// Takes note of the endpoint as it is now, with the config in force and the model where they
    /// are known.
    pub fn note_endpoint(
        &mut self,
        endpoint: &Endpoint,
        (config, model): (Option<&EndpointConfig>, Option<&Model>),
        name: &VariantName,
        now: Timestamp,
    ) {
        let period = config.and_then(|config| config.metric_period_seconds);
        if period.is_some_and(|seconds| seconds >= SPARSE_PERIOD_SECONDS) {
            self.recent.thin_until = Some(now + TimeDelta::days(1));
        }
        self.capacity.note_endpoint(endpoint, (config, model), name, now);
    }

    /// Takes note of what is wanted: another objective makes all evidence worthless, and the
    /// history is read again.
    pub fn note_goal(&mut self, goal: &Goal) {
        if self.capacity.judges_otherwise(goal) {
            self.read_again();
        }
    }

    /// Takes in new periods.
    ///
    /// # Errors
    /// The regime journal in the memory cannot be used; the estimate begins without it.
    pub fn take_in(
        &mut self,
        new: NewPeriods,
        (settings, context): (&EstimatorSettings, &Context),
        memory: Option<&VariantMemory>,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let NewPeriods { minutes, longer, until, read } = new;
        let thin = self.is_thin(now);
        self.recent.take_in(&minutes, &settings.objective, until, now);
        self.telemetry_read = Some(read);
        let mut periods = minutes;
        periods.extend(longer);
        periods.sort_by_key(|period| (period.end(), period.period_seconds));
        let taken = self.capacity.take_in(&periods, settings, context, memory, scratch, now);
        let least = settings.objective.latency.map(|latency| latency.statistic.min_requests());
        if let Some(least) = least.filter(|_| !thin)
            && self.recent.note_thin(&periods, least)
        {
            self.read_again();
        }
        taken
    }

    /// Takes note that telemetry could not be read.
    pub fn could_not_read(&mut self, why: Why, read: Read) {
        let asked = why.kind != WhyKind::NotAsked;
        if self.recent.could_not_read(why) {
            self.telemetry_read = asked.then_some(read);
        }
    }

    /// Forgets the estimate and the telemetry, for this reason: they may be half a truth.
    pub fn distrust(&mut self, why: Why) {
        self.capacity = CapacityWatch::default();
        self.recent.telemetry = Fact::Unknown(why);
    }

    /// Forgets what was read, so that the history is read again. The endpoint has to be noted again
    /// before that.
    fn read_again(&mut self) {
        self.capacity = CapacityWatch::default();
        self.recent.forget();
    }

    /// What is known of capacity now.
    pub fn estimate(
        &mut self,
        goal: &Goal,
        load_test_problem: Option<LoadTestProblem>,
        context: Context,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Estimate {
        let telemetry = (&self.recent.telemetry, self.recent.read_until);
        self.capacity.estimate(goal, load_test_problem, telemetry, context, scratch, now)
    }

    /// The regime journal, when it is due to be kept.
    pub fn journal(&mut self, now: Timestamp) -> Option<serde_json::Value> {
        self.capacity.journal(now)
    }
}
