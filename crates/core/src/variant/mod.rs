//! A VARIANT as one state machine: what is read goes in, what is known of it comes out. Everything
//! that decides drives it, over AWS or over a recording. Pure: whoever drives it reads and writes.

mod activities;
mod capacity;
mod factor;
mod floors;
mod keepers;
mod known;
mod recent;
mod turn;
mod weeks;
mod weighed;

use chrono::TimeDelta;

use crate::decide::Rules;
use crate::estimate::{Context, EstimatorSettings, Families, JournalError, Scratch};
use crate::ledger::{Ledger, Seen};
use crate::model::endpoint::{Endpoint, EndpointConfig, Model};
use crate::model::estimate::Estimate;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::factor::FactorAdvice;
use crate::model::floors::{Floors, FloorsMode};
use crate::model::goal::{Goal, LoadTestProblem, Objective};
use crate::model::ids::VariantName;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::scale_out::Reaction;
use crate::model::series::Minute;
use crate::model::snapshot::{Snapshot, Telemetry};
use crate::model::time::Timestamp;

pub use activities::Activities;
use capacity::CapacityWatch;
use factor::FactorWatch;
use floors::FloorsWatch;
pub use keepers::KeeperWatch;
pub use known::Known;
use recent::Recent;
pub use turn::Turn;
pub use weighed::Weighed;

/// Metrics that are published this seldom make minutes sparse, so that longer periods are judged
/// from the start.
const SPARSE_PERIOD_SECONDS: u32 = 120;

/// What is kept of one variant between passes. All of it can be read again after a restart.
#[derive(Debug, Clone, Default)]
pub struct Variant {
    recent: Recent,
    telemetry_read: Option<Read>,
    capacity: CapacityWatch,
    ledger: Ledger,
    floors: FloorsWatch,
    factor: FactorWatch,
    /// What AWS has scaled lately.
    pub activities: Activities,
    /// Who keeps what is remembered of it.
    pub keepers: KeeperWatch,
    /// The max in force at the last pass, for whether it is at it.
    pub max_capacity: Option<i32>,
    /// When the last pass ended in which everything managed could be compared and no write failed.
    pub last_successful_pass: Option<Timestamp>,
    /// The objective that its telemetry was judged by.
    judged_by: Option<Objective>,
    /// From where on it knows its telemetry, while there is more of it to be read.
    partial_since: Option<Timestamp>,
    /// Whether its history is to be read again, in longer periods too.
    wants_longer: bool,
    /// Whether it is to be read again for its requests by minute, which were not kept before.
    wants_weeks: bool,
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

/// What a decision needs beside the variant itself.
#[derive(Debug)]
pub struct Means<'a> {
    /// What holds for every variant.
    pub rules: &'a Rules,
    /// What the load tests of each family were worth.
    pub families: &'a Families,
    /// The estimator's tables.
    pub scratch: &'a mut Scratch,
    /// What may still be worked out in this pass.
    pub work: &'a mut Work,
}

/// How many replays of variants' weeks one pass may still work out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Variants whose floors may still be worked out: a fraction of a second each.
    pub floors: u32,
    /// Variants whose safety factor may; it takes a tenth of what floors do.
    pub factors: u32,
}

impl Variant {
    /// A variant that keeps the requests of its weeks, whatever is wanted of it.
    #[must_use]
    pub fn keeping_weeks() -> Self {
        let mut variant = Self::default();
        variant.floors.begin();
        variant
    }

    /// The newest telemetry, or why there is none.
    #[must_use]
    pub const fn telemetry(&self) -> &Fact<Telemetry> {
        &self.recent.telemetry
    }

    /// The read behind the telemetry.
    pub const fn telemetry_read(&self) -> Option<Read> {
        self.telemetry_read
    }

    /// Up to where telemetry has been read; absent when the whole history is wanted.
    pub const fn read_until(&self) -> Option<Timestamp> {
        self.recent.read_until
    }

    /// Whether minutes have too few requests, so that longer periods are wanted as well.
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
        if self.judged_by.is_some_and(|objective| objective != goal.objective) {
            self.read_again();
        }
        let wanted = goal.managed
            && (goal.floors.mode != FloorsMode::Off || goal.safety_factor_auto)
            && goal.objective.latency.is_some();
        if !wanted {
            self.floors = FloorsWatch::default();
            self.wants_weeks = false;
        } else if self.floors.weeks.is_none() {
            self.floors.begin();
            self.wants_weeks = self.recent.read_until.is_some();
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
        self.judged_by = Some(settings.objective);
        self.recent.take_in(&minutes, &settings.objective, until, now);
        self.telemetry_read = Some(read);
        if let Some(weeks) = &mut self.floors.weeks {
            weeks.take_in(&minutes);
        }
        let mut periods = minutes;
        if !longer.is_empty() {
            periods.extend(longer);
            periods.sort_by_key(|period| (period.end(), period.period_seconds));
        }
        let taken = self.capacity.take_in(&periods, settings, context, memory, scratch, now);
        let least = settings.objective.latency.map(|latency| latency.statistic.min_requests());
        if let Some(least) = least.filter(|_| !thin) {
            // What is known by then holds until the history has been read again.
            self.wants_longer |= self.recent.note_thin(&periods, least);
        }
        taken
    }

    /// Whether its history is to be read: none of it has been, or not all, or not in the periods that
    /// its traffic calls for.
    #[must_use]
    pub const fn wants_history(&self) -> bool {
        self.recent.read_until.is_none()
            || self.partial_since.is_some()
            || self.wants_longer
            || self.wants_weeks
    }

    /// How much of the history it knows, as far as it goes back by the configuration: 0 to 1. Absent
    /// when no telemetry has been read.
    pub fn history_complete_ratio(&self, history: TimeDelta) -> Option<f64> {
        let until = self.recent.read_until?;
        let Some(since) = self.partial_since else { return Some(1.0) };
        let seconds = |span: TimeDelta| span.num_seconds() as f64;
        Some((seconds(until - since) / seconds(history).max(1.0)).clamp(0.0, 1.0))
    }

    /// The same variant before any telemetry: what is known of its endpoint, and what has happened to
    /// it. For history that is read beside the passes.
    #[must_use]
    pub fn blank(&self) -> Self {
        let mut recent = self.recent.clone();
        recent.forget();
        let capacity = self.capacity.blank();
        let floors = self.floors.blank();
        Self { recent, capacity, floors, ..Self::default() }
    }

    /// History is about to be told to it, all of it or only from `since` on; `thin` is the newest
    /// minute with too few requests in it.
    pub fn begin_history(&mut self, since: Option<Timestamp>, thin: Option<Timestamp>) {
        self.partial_since = since;
        if let Some(newest) = thin {
            self.recent.note_thin_at(newest);
        }
    }

    /// Takes over what was made from history of an earlier [`blank`](Self::blank). Minutes that are
    /// newer than that history have to be read again.
    pub fn adopt(&mut self, history: Self) {
        self.recent = history.recent;
        self.telemetry_read = history.telemetry_read;
        self.capacity.adopt(history.capacity);
        self.judged_by = history.judged_by;
        self.partial_since = history.partial_since;
        self.wants_longer = history.wants_longer;
        self.floors.weeks = history.floors.weeks;
        self.wants_weeks = false;
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

    /// Forgets what was read, so that the history is read again.
    fn read_again(&mut self) {
        let blank = self.blank();
        let Self { activities, keepers, max_capacity, last_successful_pass, .. } =
            std::mem::take(self);
        *self = Self { activities, keepers, max_capacity, last_successful_pass, ..blank };
    }

    /// Decides by what is known of capacity: siblings, reaction time, safety factor and floors first.
    pub fn decide(&mut self, weighed: Weighed, means: Means<'_>, now: Timestamp) -> Turn {
        let Means { rules, families, scratch, work } = means;
        let Weighed { goal, mut snapshot, estimate, family, .. } = weighed;
        let estimate = self.with_siblings((estimate, family.as_deref()), families, scratch, now);
        snapshot.reaction = self.reaction(&snapshot, &goal.objective);
        let Work { floors, factors } = work;
        snapshot.factor = self.factor((&goal, &snapshot), &estimate, factors, now);
        snapshot.floors = self.floors((&goal, &snapshot), &estimate, floors, now);
        Turn::decide(snapshot, goal, &estimate, rules, now)
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

    /// How it reacts to load, with the scale-outs that this snapshot shows taken note of.
    fn reaction(&mut self, snapshot: &Snapshot, objective: &Objective) -> Reaction {
        let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
        let own = config.and_then(|config| config.variant(&snapshot.id.variant));
        let instance_type = own.and_then(|own| own.instance_type.as_deref());
        let tracking = snapshot.tracking();
        self.ledger.note(&Seen {
            activities: snapshot.activities.known().map_or(&[], |all| all.as_slice()),
            alarms: snapshot.alarms.known().map_or(&[], Vec::as_slice),
            minutes: snapshot.telemetry.known().map_or(&[], |telemetry| &telemetry.recent),
            target: tracking.map(|tracking| tracking.target_value),
            objective,
            instance_type,
        });
        self.ledger.summary(instance_type)
    }

    /// The safety factor that a replay of its last weeks allows, worked out once a day. `may_work` is how
    /// many may be: it takes a fraction of a second each.
    pub fn factor(
        &mut self,
        (goal, snapshot): (&Goal, &Snapshot),
        estimate: &Estimate,
        may_work: &mut u32,
        now: Timestamp,
    ) -> FactorAdvice {
        let weeks = self.floors.weeks.as_ref();
        let traffic = || weeks.map(|weeks| weeks.traffic(goal.floors.time_zone));
        self.factor.advice((goal, snapshot), estimate, traffic, may_work, now)
    }

    /// The scheduled floors that would pay, worked out once a day. `may_work` is how many may be: it
    /// takes a fraction of a second each.
    pub fn floors(
        &mut self,
        (goal, snapshot): (&Goal, &Snapshot),
        estimate: &Estimate,
        may_work: &mut u32,
        now: Timestamp,
    ) -> Floors {
        self.floors.floors((goal, snapshot), estimate, may_work, now)
    }

    /// The regime journal, when it is due to be kept. What a part of the history says does not
    /// replace what all of it said before a restart.
    pub fn journal(&mut self, now: Timestamp) -> Option<serde_json::Value> {
        if self.partial_since.is_some() {
            return None;
        }
        self.capacity.journal(now)
    }
}
