//! The capacity estimate of one variant between passes: feeds the estimator with minutes as they
//! arrive and with deploys as they are seen, in the order in which they happened.

mod kept;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::compact::Shelf;
use crate::decide::new_regime::AFTER_DEPLOY;
use crate::estimate::{Context, Estimator, EstimatorSettings, JournalError, LoadTested, Scratch};
use crate::model::endpoint::{Endpoint, EndpointConfig, Model, Routing};
use crate::model::estimate::{Capacity, Estimate, Regime};
use crate::model::fact::{Fact, Why};
use crate::model::fit::Fit;
use crate::model::goal::{Goal, LoadTest};
use crate::model::ids::{VariantId, VariantName};
use crate::model::memory::VariantMemory;
use crate::model::opaque::Opaque;
use crate::model::series::Minute;
use crate::model::shared::Shared;
use crate::model::siblings::Siblings;
use crate::model::snapshot::{Snapshot, Telemetry};
use crate::model::time::Timestamp;

use super::answer::{Answer, Question, evaluate, evaluate_and_rest};
use super::journals;
use super::resting::Held;
use super::running::{Running, running};
pub(super) use kept::KeptCapacity;

/// Minutes left out before an update was first seen: it is seen up to a pass late.
const UPDATE_SEEN_LATE: TimeDelta = TimeDelta::minutes(2);
/// Minutes left out after it was over: an update brings new instances, also where it changes nothing of what runs,
/// and their number does not rise.
const COLD_AFTER_UPDATE: TimeDelta = TimeDelta::minutes(3);

/// What is said of a variant whose estimator is lost, in the pass that notices.
const LOST: &str =
    "what was measured could not be read back from the disk; the history is read again";

/// Most changes that are kept for a history that is read again: a deploy a day, and a few.
const NOTED_MAX: usize = 32;

/// Everything that the capacity of one variant is estimated from.
#[derive(Debug, Clone, Default)]
pub(super) struct CapacityWatch {
    pub(super) estimator: Option<Held>,
    /// What happened and has not been pushed into the estimator, which takes time in order.
    pub(super) changes: VecDeque<Change>,
    /// What this process has seen happen, pushed or not, and how much that was in all.
    noted: VecDeque<Change>,
    noted_in_all: usize,
    /// Whether the estimator could not be had back from where it rested.
    is_lost: bool,
    /// What the variant ran when it was last seen in service.
    running: Option<Running>,
    /// How requests are spread over its instances.
    routing: Option<Routing>,
    /// When its endpoint was made.
    made: Option<Timestamp>,
    /// Since when an update that is not the auto scaler's has been seen.
    updating_since: Option<Timestamp>,
    /// The last answer, as long as nothing that it depends on changes.
    answer: Option<Answer>,
    /// Whether answers keep their fit, which thousands of variants have no room for.
    pub(super) keeps_fit: bool,
    /// What siblings made of that answer.
    by_siblings: Option<Box<(Siblings, Capacity)>>,
    /// When the journal was last kept; absent when it is due.
    journal_kept: Option<Timestamp>,
    /// When all of it was last kept; absent when that is due.
    pub(super) evidence_kept: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Change {
    /// Something else came into service, as far as it can change capacity.
    Deploy { at: Timestamp, running: Running },
    /// Minutes of an update.
    Update { from: Timestamp, to: Timestamp },
}

impl Change {
    /// An update that was seen from then on, and is over now.
    fn update(since: Timestamp, now: Timestamp) -> Self {
        Self::Update { from: since - UPDATE_SEEN_LATE, to: now + COLD_AFTER_UPDATE }
    }

    /// From which minute on the estimator must know of it.
    const fn at(&self) -> Timestamp {
        match self {
            Self::Deploy { at, .. } => *at,
            Self::Update { from, .. } => *from,
        }
    }
}

impl CapacityWatch {
    /// Takes note of the endpoint as this pass sees it. The model is absent when it is not known.
    pub(super) fn note_endpoint(
        &mut self,
        endpoint: &Endpoint,
        (config, model): (Option<&EndpointConfig>, Option<&Model>),
        variant: &VariantName,
        now: Timestamp,
    ) {
        self.made = Some(endpoint.created_at);
        if !endpoint.runs_its_config() {
            self.updating_since.get_or_insert(now);
            return;
        }
        if let Some(since) = self.updating_since.take() {
            // During a deploy both fleets share the metric's dimensions.
            self.note(Change::update(since, now));
        }
        let Some(config) = config else { return };
        let Some(running) = running(endpoint, config, model, variant) else { return };
        self.routing = config.variant(variant).and_then(|own| own.routing.clone());
        let fingerprint = match &self.running {
            Some(before) if before.fingerprint.is_same(running.fingerprint) => {
                before.fingerprint.with(running.fingerprint)
            }
            Some(_) => {
                self.note(Change::Deploy { at: now, running });
                running.fingerprint
            }
            // AWS does not list past deploys. What was before the config was made is another
            // regime for certain.
            None => {
                self.note(Change::Deploy { at: config.created_at, running });
                running.fingerprint
            }
        };
        self.running = Some(Running { fingerprint, ..running });
    }

    fn note(&mut self, change: Change) {
        self.evidence_kept = None;
        // Most variants have one.
        for changes in [&mut self.changes, &mut self.noted] {
            changes.reserve_exact(1);
            changes.push_back(change);
        }
        self.noted_in_all += 1;
        if self.noted.len() > NOTED_MAX {
            self.noted.pop_front();
        }
    }

    /// The same service without an estimator: history can be pushed into it from the beginning, with all
    /// that this process has seen happen.
    pub(super) fn blank(&self) -> Self {
        Self {
            changes: self.noted.clone(),
            noted: self.noted.clone(),
            noted_in_all: self.noted_in_all,
            running: self.running,
            routing: self.routing.clone(),
            made: self.made,
            updating_since: self.updating_since,
            ..Self::default()
        }
    }

    /// Takes over what was made from history of an earlier [`blank`](Self::blank), and tells it
    /// what has happened since.
    pub(super) fn adopt(&mut self, history: Self) {
        let since = self.noted_in_all.saturating_sub(history.noted_in_all).min(self.noted.len());
        self.estimator = history.estimator;
        self.changes = history.changes;
        self.changes.extend(self.noted.range(self.noted.len() - since..));
        self.answer = None;
        self.journal_kept = None;
        self.evidence_kept = history.evidence_kept;
    }

    /// Whether the estimator could not be had back from where it rested: the history is to be read again.
    pub(super) const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether it is known what the endpoint runs.
    pub(super) const fn is_identified(&self) -> bool {
        self.running.is_some()
    }

    /// What a record says of it, with what its snapshot says of the routing.
    pub(super) fn recorded(
        estimator: Estimator,
        changes: VecDeque<Change>,
        snapshot: &Snapshot,
    ) -> Self {
        let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
        let own = config.and_then(|config| config.variant(&snapshot.id.variant));
        let estimator = Some(Held::Awake(Box::new(estimator)));
        let routing = own.and_then(|own| own.routing.clone());
        Self { estimator, changes, routing, ..Self::default() }
    }

    /// When the newest estimate was made.
    pub(super) fn answered_at(&self) -> Option<Timestamp> {
        self.answer.as_ref().map(|answer| answer.at)
    }

    /// The estimator, once there is one.
    pub(super) fn estimator(&self) -> Option<Cow<'_, Estimator>> {
        self.estimator.as_ref().and_then(Held::awake)
    }

    /// Whether there is one.
    pub(super) const fn is_estimated(&self) -> bool {
        self.estimator.is_some()
    }

    /// Nobody tells it more for now.
    pub(super) fn rest(&mut self, on: &dyn Shelf) {
        if let Some(estimator) = &mut self.estimator {
            estimator.rest(on);
        }
        self.changes.shrink_to_fit();
        self.noted.shrink_to_fit();
    }

    /// Asks the estimator, and lets it rest: the pass that has told it asks right after, and at rest it would have to be
    /// had back for that.
    pub(super) fn answer_before_rest(
        &mut self,
        (settings, asked): (&EstimatorSettings, Question),
        on: &dyn Shelf,
        scratch: &mut Scratch,
        now: Timestamp,
    ) {
        let how = (settings.load_test, self.keeps_fit);
        let held = self.estimator.as_mut();
        let answered =
            held.and_then(|held| evaluate_and_rest(held, (how, asked), on, scratch, now));
        if let Some((estimate, load_tested)) = answered {
            self.answer = Some(Answer { asked, at: now, estimate: estimate.into(), load_tested });
            self.by_siblings = None;
        }
    }

    /// Bytes that the estimator takes at rest.
    #[cfg(test)]
    pub(super) fn bytes_at_rest(&self) -> usize {
        self.estimator.as_ref().map_or(0, Held::bytes)
    }

    /// Takes in newly read periods, in the order of their ends.
    pub(super) fn take_in(
        &mut self,
        periods: &[Minute],
        settings: &EstimatorSettings,
        context: &Context,
        memory: Option<&VariantMemory>,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        if settings.objective.latency.is_none() {
            self.estimator = None;
            return Ok(());
        }
        let mut journal_read = Ok(());
        if self.estimator.is_none() {
            let (estimator, read) = journals::begin(settings, memory, now);
            journal_read = read;
            self.note_unseen_deploy(&estimator, now);
            self.estimator = Some(Held::Awake(Box::new(estimator)));
        }
        let Some(estimator) = self.estimator.as_mut().and_then(Held::wake) else {
            self.is_lost = true;
            return journal_read;
        };
        if let Some(made) = self.made {
            estimator.note_made(made);
        }
        for period in periods {
            while self.changes.front().is_some_and(|change| change.at() <= period.at) {
                match self.changes.pop_front() {
                    Some(Change::Deploy { at, running: Running { fingerprint, old } }) => {
                        estimator.recognise(old, fingerprint);
                        estimator.declare(at, fingerprint, scratch);
                        self.journal_kept = None;
                        self.evidence_kept = None;
                    }
                    Some(Change::Update { from, to }) => estimator.exclude(from, to),
                    None => {}
                }
            }
            let pushed = estimator.push(period, context, scratch);
            if pushed.change_found {
                self.journal_kept = None;
                self.evidence_kept = None;
            }
        }
        self.answer = None;
        journal_read
    }

    /// A deploy while nobody looked, of a config that may be older than what is remembered: from
    /// where the journal ends it is not known which minutes belong to what.
    fn note_unseen_deploy(&mut self, estimator: &Estimator, now: Timestamp) {
        let Some(until) = estimator.remembers_until() else { return };
        let Some(Change::Deploy { at, running }) = self.changes.front_mut() else { return };
        let known = [running.fingerprint, running.old];
        if *at < until && known.into_iter().all(|f| estimator.remembers_other_than(f)) {
            *at = until;
            self.changes.push_front(Change::Update { from: until, to: now });
        }
    }

    /// What is known of capacity now.
    pub(super) fn estimate(
        &mut self,
        goal: &Goal,
        (asked, history): (Question, Option<f64>),
        telemetry: &Fact<Telemetry>,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Shared<Estimate> {
        let unobserved = |why: String| {
            let nothing = Estimate::unobserved(why);
            Estimate { history_complete_ratio: history, ..nothing }.into()
        };
        if goal.objective.latency.is_none() {
            return unobserved("no latency objective to judge capacity by".to_owned());
        }
        let Some(estimator) = &mut self.estimator else {
            let why = telemetry.why().map_or("no telemetry yet", |why: &Why| why.message.as_str());
            return unobserved(format!("no telemetry: {why}"));
        };
        let answered = self.answer.as_mut().filter(|answer| answer.asked == asked);
        let mut answer = if let Some(answered) = answered {
            if answered.estimate.history_complete_ratio != history {
                answered.estimate.history_complete_ratio = history;
            }
            answered.estimate.clone()
        } else {
            let how = (goal.load_test.as_ref().map(|t| t.max_rps), self.keeps_fit);
            let Some((mut estimate, load_tested)) = evaluate(estimator, (how, asked), scratch, now)
            else {
                self.is_lost = true;
                // None of the history is known, whatever was before: nothing bold rests on that.
                let nothing = Estimate::unobserved(LOST);
                return Estimate { history_complete_ratio: Some(0.0), ..nothing }.into();
            };
            estimate.history_complete_ratio = history;
            let estimate = Shared::from(estimate);
            let answer = Answer { asked, at: now, estimate: estimate.clone(), load_tested };
            self.answer = Some(answer);
            self.by_siblings = None;
            estimate
        };
        if let Some(deployed_at) = self.deployed_since() {
            let started_at = deployed_at + AFTER_DEPLOY;
            answer.regime =
                Some(Regime { started_at, declared: true, first: false, speed_ratio: None });
        }
        if let Some(routing) = self.routing.as_ref().filter(|routing| routing.is_uneven()) {
            answer.infer_only(&format!(
                "{} routing gives instances unequal shares of the load",
                routing.as_str()
            ));
        }
        answer
    }

    /// How the share of bad minutes rises with load by the last answer, worked out once more: replays ask
    /// for it, of a few variants in a pass.
    pub(super) fn fit(&mut self, scratch: &mut Scratch) -> Option<Arc<Fit>> {
        let Answer { asked, at, estimate, .. } = self.answer.as_ref()?;
        if let Some(fit) = &estimate.fit {
            return Some(Arc::clone(fit));
        }
        let mut estimator = self.estimator.as_ref()?.awake()?.into_owned();
        estimator.evaluate(scratch, *at, &asked.context).fit
    }

    /// Takes in what siblings say of the load test, where the limit of this variant was not seen.
    pub(super) fn hear_siblings(
        &mut self,
        estimate: &mut Shared<Estimate>,
        siblings: Siblings,
        scratch: &mut Scratch,
        now: Timestamp,
    ) {
        let Some(held) = &self.estimator else { return };
        let asks = self.load_tested().asks_siblings(estimate);
        if self.deployed_since().is_some() || !asks {
            return;
        }
        let heard = self.by_siblings.as_ref().filter(|heard| heard.0 == siblings);
        let capacity = if let Some(heard) = heard {
            heard.1
        } else {
            let Some(estimator) = held.awake() else { return };
            let capacity = estimator.by_siblings(&estimate.capacity, &siblings, scratch, now);
            self.by_siblings = Some(Box::new((siblings.clone(), capacity)));
            capacity
        };
        estimate.sentence.push_str("; ");
        estimate.sentence.push_str(&siblings.sentence());
        let estimate_alone = estimate.capacity.estimate;
        estimate.siblings = Some(Box::new(Siblings { estimate_alone, ..siblings }));
        estimate.capacity = capacity;
    }

    /// Whether the estimate says how far off the load test is.
    pub(super) fn measures_load_test(&self, estimate: &Estimate, test: &LoadTest) -> bool {
        let date = test.date.and_then(|day| day.and_hms_opt(0, 0, 0)).map(|at| at.and_utc());
        self.deployed_since().is_none() && self.load_tested().is_measured_by(estimate, date)
    }

    fn load_tested(&self) -> LoadTested {
        self.answer.as_ref().map(|answer| answer.load_tested).unwrap_or_default()
    }

    /// The newest deploy of which the estimator has not heard, for its telemetry is not there yet:
    /// the answer is of the regime before, and nobody may follow it (rule 11a).
    fn deployed_since(&self) -> Option<Timestamp> {
        self.changes.iter().rev().find_map(|change| match change {
            Change::Deploy { at, .. } => Some(*at),
            Change::Update { .. } => None,
        })
    }

    /// The regime journal of the variant of this name, when it is due to be kept.
    pub(super) fn journal(&mut self, of: &VariantId, now: Timestamp) -> Option<Opaque> {
        let estimator = self.estimator.as_ref()?;
        if !journals::is_due(&mut self.journal_kept, of, now) {
            return None;
        }
        // Numbers and short texts always have a JSON form.
        estimator.awake()?.journal().to_value().ok().map(Opaque::from)
    }
}
