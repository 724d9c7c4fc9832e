//! A VARIANT as one state machine: what is read goes in, what is known of it comes out. Everything
//! that decides drives it, over AWS or over a recording. Pure: whoever drives it reads and writes.

mod activities;
mod answer;
mod assessed;
mod capacity;
mod capacity_basis;
mod estimator_state;
mod factor;
mod floors;
mod journals;
mod keepers;
mod per_instance;
mod recent;
mod resting;
mod resume;
mod running;
mod steady;
mod turn;
mod weeks;

use chrono::TimeDelta;

use crate::compact::Shelf;
use crate::decide::Rules;
use crate::estimate::{Context, EstimatorSettings, Families, JournalError, Scratch};
use crate::model::endpoint::{Endpoint, EndpointConfig, Model};
use crate::model::estimate::Estimate;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::factor::FactorAdvice;
use crate::model::floors::{Floors, FloorsMode};
use crate::model::goal::{Goal, LoadTestProblem, Objective};
use crate::model::ids::{VariantId, VariantName};
use crate::model::memory::VariantMemory;
use crate::model::opaque::Opaque;
use crate::model::reads::Read;
use crate::model::scale_out::Reaction;
use crate::model::scaling::Activity;
use crate::model::series::Minute;
use crate::model::shared::Shared;
use crate::model::snapshot::{Snapshot, Telemetry};
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::reaction_time::{Ledger, Seen};

pub use activities::Activities;
use answer::Question;
pub use assessed::Assessed;
use capacity::CapacityWatch;
pub use capacity_basis::CapacityBasis;
pub use estimator_state::EstimatorState;
use factor::FactorWatch;
use floors::FloorsWatch;
pub use keepers::MemoryWriterWatch;
pub use per_instance::InstancesLook;
use per_instance::InstancesWatch;
use recent::Recent;
pub use resume::{FORM, Present};
use steady::Unchanged;
pub use turn::Turn;
pub use weeks::{SPAN as WEEKS_SPAN, Weeks};

/// Metrics that are published this seldom make minutes sparse, so that longer periods are judged
/// from the start.
const SPARSE_PERIOD_SECONDS: u32 = 120;

/// Weeks that were asked for in vain are not asked for again so soon: each time is paid for.
const WEEKS_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(15);

/// What is kept of one variant between passes. All of it can be read again after a restart.
#[derive(Debug, Clone, Default)]
pub struct Variant {
    recent: Recent,
    telemetry_read: Option<Read>,
    capacity: CapacityWatch,
    ledger: Ledger,
    floors: FloorsWatch,
    factor: FactorWatch,
    instances: InstancesWatch,
    /// What AWS has scaled lately.
    pub activities: Activities,
    /// Who keeps what is remembered of it.
    pub keepers: MemoryWriterWatch,
    /// The max in force at the last pass, for whether it is at it.
    pub max_capacity: Option<i32>,
    /// When the last pass ended in which everything managed could be compared and no write failed.
    pub last_successful_pass: Option<Timestamp>,
    /// The objective that its telemetry was judged by.
    judged_by: Option<Objective>,
    /// From where on it knows its telemetry, without a gap.
    known_since: Option<Timestamp>,
    /// The same, while there is more of it to be read.
    partial_since: Option<Timestamp>,
    /// Whether its history is to be read again, in longer periods too.
    wants_longer: bool,
    /// Whether it goes on where an earlier process has ended.
    is_resumed: bool,
    /// What was last found of it, in short, and since when.
    unchanged: Option<Unchanged>,
    /// When the requests of its weeks were last asked for, and whether they have come.
    weeks_asked: Option<Timestamp>,
    weeks_came: bool,
}

/// A replay of a variant's last weeks, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// The safety factor alone: a tenth of what floors take.
    Factor,
    /// Scheduled floors, a fraction of a second, and the safety factor if that is due.
    Floors,
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
pub struct DecideContext<'a> {
    pub rules: &'a Rules,
    /// What the load tests of each family were worth.
    pub families: &'a Families,
    /// The estimator's tables.
    pub scratch: &'a mut Scratch,
    /// The requests of its last weeks, where they were read because a replay of them
    /// [is due](Variant::replay_due).
    pub weeks: Option<&'a Weeks>,
}

impl Variant {
    /// The history has all that was published of it: two weeks of hours after a start, which need not be held
    /// until telemetry is read again. Of a variant whose history is still being read, it waits for the rest.
    pub fn hours_are_kept(&mut self, published: &VariantStatus) {
        if let (Fact::Known(telemetry), false) =
            (&published.snapshot.telemetry, published.decision.report.estimate.is_partial())
        {
            self.recent.hours_are_kept(&telemetry.hours);
        }
    }

    /// The newest telemetry, or why there is none.
    pub const fn telemetry(&self) -> &Fact<Telemetry> {
        &self.recent.telemetry
    }

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
    }

    /// Takes in new periods.
    ///
    /// # Errors
    /// The regime journal in the memory cannot be used; the estimate begins without it.
    pub fn take_in(
        &mut self,
        new: NewPeriods,
        by: (&EstimatorSettings, &Context),
        memory: Option<&VariantMemory>,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.take_in_all(std::iter::once(new), by, memory, scratch, now)
    }

    /// Takes in new periods in several pieces, of which only one need be there at a time.
    ///
    /// # Errors
    /// The same.
    pub fn take_in_all(
        &mut self,
        pieces: impl IntoIterator<Item = NewPeriods>,
        by: (&EstimatorSettings, &Context),
        memory: Option<&VariantMemory>,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let mut pieces = pieces.into_iter().peekable();
        if pieces.peek().is_none() {
            return Ok(());
        }
        let mut recent = self.recent.open(now);
        let (mut journal_read, mut read_until) = (Ok(()), None);
        for new in pieces {
            read_until = Some(new.until);
            let objective = &by.0.objective;
            if recent.take_in(&new.minutes, objective, new.until).is_none() {
                self.read_again();
                return journal_read;
            }
            let taken = self.take_in_piece(new, by, memory, scratch, now);
            journal_read = journal_read.and(taken);
            if self.capacity.is_lost() {
                self.read_again();
                return journal_read;
            }
        }
        if let Some(until) = read_until {
            self.recent.close(recent, until);
        }
        journal_read
    }

    fn take_in_piece(
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
        // Should a bug of ours end this in the middle, the next read begins behind it.
        self.recent.read_until = Some(until);
        self.telemetry_read = Some(read);
        let mut periods = minutes;
        if !longer.is_empty() {
            periods.extend(longer);
            periods.sort_by_key(|period| (period.end(), period.period_seconds));
        }
        let taken = self.capacity.take_in(&periods, settings, context, memory, scratch, now);
        if self.capacity.is_lost() {
            return taken;
        }
        let least = settings.objective.latency.map(|latency| latency.statistic.min_requests());
        if let Some(least) = least {
            // What is known by then holds until the history has been read again.
            self.wants_longer |= self.recent.note_thin(&periods, least) && !thin;
        }
        taken
    }

    /// Whether its history is to be read: none of it has been, or not all, or not in the periods that
    /// its traffic calls for.
    pub const fn wants_history(&self) -> bool {
        self.recent.read_until.is_none() || self.partial_since.is_some() || self.wants_longer
    }

    /// What a replay of its last weeks is due for, by what the last decision found: it needs
    /// [`DecideContext::weeks`]. Before the first decision it may turn out that nothing can be worked out.
    pub fn replay_due(&self, goal: &Goal, now: Timestamp) -> Option<Replay> {
        let in_vain = self.weeks_asked.filter(|_| !self.weeks_came);
        if self.wants_history() || in_vain.is_some_and(|asked| now - asked < WEEKS_AGAIN_AFTER) {
            None
        } else if goal.floors.mode != FloorsMode::Off && self.floors.is_due(now) {
            Some(Replay::Floors)
        } else {
            self.factor.is_due(now).then_some(Replay::Factor)
        }
    }

    /// When the requests of its last weeks were last asked for.
    pub const fn weeks_asked(&self) -> Option<Timestamp> {
        self.weeks_asked
    }

    /// Takes note that the requests of its last weeks are asked for.
    pub const fn ask_for_weeks(&mut self, now: Timestamp) {
        self.weeks_asked = Some(now);
        self.weeks_came = false;
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
    pub fn blank(&self) -> Self {
        let mut recent = self.recent.clone();
        recent.forget();
        let capacity = self.capacity.blank();
        Self { recent, capacity, ..Self::default() }
    }

    /// History is about to be pushed into it from `since` on, all of it or a part; `thin` is the newest
    /// minute with too few requests in it.
    pub fn begin_history(&mut self, since: Timestamp, is_part: bool, thin: Option<Timestamp>) {
        self.known_since = Some(since);
        self.partial_since = is_part.then_some(since);
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
        self.known_since = history.known_since;
        if history.is_resumed {
            // What this process has seen of scale-outs, the next pass sees again.
            self.ledger = history.ledger;
            self.is_resumed = true;
        }
        self.partial_since = history.partial_since;
        self.wants_longer = history.wants_longer;
    }

    /// Nobody tells it more for now: it takes little room until somebody does, most of it on a shelf.
    pub fn rest(&mut self, on: &dyn Shelf) {
        self.capacity.rest(on);
        self.recent.rest(on);
    }

    /// The same once it has been asked what is known of capacity now, by what it was told by.
    pub fn answer_and_rest(
        &mut self,
        (settings, context): (&EstimatorSettings, &Context),
        on: &dyn Shelf,
        scratch: &mut Scratch,
        now: Timestamp,
    ) {
        let (read_until, load_test_problem) = (self.recent.read_until, settings.load_test_problem);
        let asked = Question { read_until, context: *context, load_test_problem };
        self.capacity.answer_before_rest((settings, asked), on, scratch, now);
        self.rest(on);
    }

    /// Answers keep their fit: for replays, which look at one variant.
    pub const fn keep_fit(&mut self) {
        self.capacity.keeps_fit = true;
    }

    /// Takes note that telemetry could not be read.
    pub fn could_not_read(&mut self, why: Why, read: Read) {
        let asked = why.kind != WhyKind::NotAsked;
        if self.recent.could_not_read(why) {
            self.telemetry_read = asked.then_some(read);
        }
    }

    /// Forgets the estimate and the telemetry, for this reason: they may be half a truth. The history is to be
    /// read again.
    pub fn distrust(&mut self, why: Why) {
        // What was noted of its endpoint may be what went wrong as well.
        self.capacity = CapacityWatch::default();
        self.read_again();
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
    pub fn decide(&mut self, assessed: Assessed, means: DecideContext<'_>, now: Timestamp) -> Turn {
        let DecideContext { rules, families, scratch, weeks } = means;
        let Assessed { goal, mut snapshot, estimate, family, .. } = assessed;
        let estimate = self.with_siblings((estimate, family.as_deref()), families, scratch, now);
        snapshot.reaction = self.reaction(&snapshot, &goal.objective).into();
        // What is replayed draws from the fit.
        let with_fit = weeks.map(|_| {
            let fit = self.capacity.fit(scratch);
            Estimate { fit, ..Estimate::clone(&estimate) }
        });
        let known = with_fit.as_ref().unwrap_or(&*estimate);
        snapshot.factor = self.factor((&goal, &snapshot), known, weeks, now).into();
        snapshot.floors = self.floors((&goal, &snapshot), known, weeks, now).into();
        self.weeks_came |= weeks.is_some();
        self.instances.note(&goal, &snapshot, &estimate);
        snapshot.instances = self.instances.known(now);
        let turn = Turn::decide(snapshot, goal, &estimate, rules, now);
        self.note_unchanged(&turn, now);
        turn
    }

    /// What is known of capacity now: of its load test, of what is configured, and how much of its
    /// history is known.
    pub fn estimate(
        &mut self,
        goal: &Goal,
        (load_test_problem, context, history): (Option<LoadTestProblem>, Context, Option<f64>),
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Shared<Estimate> {
        let asked = Question { read_until: self.recent.read_until, context, load_test_problem };
        let telemetry = &self.recent.telemetry;
        let estimate = self.capacity.estimate(goal, (asked, history), telemetry, scratch, now);
        if self.capacity.is_lost() {
            self.read_again();
        }
        estimate
    }

    /// How it reacts to load, with the scale-outs that this snapshot shows taken note of.
    fn reaction(&mut self, snapshot: &Snapshot, objective: &Objective) -> Reaction {
        let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
        let own = config.and_then(|config| config.variant(&snapshot.id.variant));
        let instance_type = own.and_then(|own| own.instance_type.as_deref());
        let tracking = snapshot.tracking();
        let activities: &[Activity] = snapshot.activities.known().map_or(&[], |all| all.as_slice());
        // They tell of scale-outs alone, and are unpacked for it.
        let minutes =
            snapshot.telemetry.known().filter(|_| self.ledger.looks_at_minutes(activities));
        self.ledger.note(&Seen {
            activities,
            alarms: snapshot.alarms.known().map_or(&[], Vec::as_slice),
            minutes: &minutes.map_or_else(Vec::new, |telemetry| telemetry.recent.to_vec()),
            target: tracking.map(|tracking| tracking.target_value),
            objective,
            instance_type,
        });
        self.ledger.summary(instance_type)
    }

    /// The safety factor that a replay of its last weeks allows, worked out once a day.
    pub fn factor(
        &mut self,
        of: (&Goal, &Snapshot),
        estimate: &Estimate,
        weeks: Option<&Weeks>,
        now: Timestamp,
    ) -> FactorAdvice {
        self.factor.advice(of, estimate, weeks, now)
    }

    /// The scheduled floors that would pay, worked out once a day.
    pub fn floors(
        &mut self,
        of: (&Goal, &Snapshot),
        estimate: &Estimate,
        weeks: Option<&Weeks>,
        now: Timestamp,
    ) -> Floors {
        self.floors.floors(of, estimate, weeks, now)
    }

    /// The regime journal, when it is due to be kept. What a part of the history says does not
    /// replace what all of it said before a restart.
    pub fn journal(&mut self, of: &VariantId, now: Timestamp) -> Option<Opaque> {
        if self.partial_since.is_some() {
            return None;
        }
        self.capacity.journal(of, now)
    }
}
