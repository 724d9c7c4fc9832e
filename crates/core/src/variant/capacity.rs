//! The capacity estimate of one variant between passes: feeds the estimator with minutes as they
//! arrive and with deploys as they are seen, in the order in which they happened.

use std::borrow::Cow;
use std::collections::VecDeque;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::decide::new_regime::AFTER_DEPLOY;
use crate::estimate::{
    Context, Estimator, EstimatorSettings, Fingerprint, Journal, JournalError, Scratch,
};
use crate::model::endpoint::{Endpoint, EndpointConfig, EndpointStatus, Model, Routing};
use crate::model::estimate::{Capacity, Estimate, Regime};
use crate::model::fact::{Fact, Why};
use crate::model::goal::{Goal, LoadTest, LoadTestProblem};
use crate::model::ids::VariantName;
use crate::model::memory::VariantMemory;
use crate::model::series::Minute;
use crate::model::siblings::Siblings;
use crate::model::snapshot::Telemetry;
use crate::model::time::Timestamp;

/// Minutes left out before an update was first seen: it is seen up to a pass late.
const UPDATE_SEEN_LATE: TimeDelta = TimeDelta::minutes(2);
/// The journal is kept at least this often; a change of regime is kept at once.
const JOURNAL_EVERY: TimeDelta = TimeDelta::hours(1);

/// Most changes that are kept for a history that is read again: a deploy a day, and a few.
const NOTED_MAX: usize = 32;

/// Everything that the capacity of one variant is estimated from.
#[derive(Debug, Clone, Default)]
pub(super) struct CapacityWatch {
    estimator: Option<Estimator>,
    /// What happened and has not been pushed into the estimator, which takes time in order.
    changes: VecDeque<Change>,
    /// What this process has seen happen, pushed or not, and how much that was in all.
    noted: VecDeque<Change>,
    noted_in_all: usize,
    /// What the variant ran when it was last seen in service.
    running: Option<Running>,
    /// How requests are spread over its instances.
    routing: Option<Routing>,
    /// Since when an update that is not the auto scaler's has been seen.
    updating_since: Option<Timestamp>,
    /// The last answer, as long as nothing that it depends on changes.
    answer: Option<(Question, Estimate)>,
    /// What siblings made of that answer.
    by_siblings: Option<(Siblings, Capacity)>,
    /// When the journal was last kept; absent when it is due.
    journal_kept: Option<Timestamp>,
    /// When all of it was last kept; absent when that is due.
    pub(super) evidence_kept: Option<Timestamp>,
}

/// What of it is kept over a restart.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptCapacity<'a> {
    estimator: Option<Cow<'a, Estimator>>,
    changes: Cow<'a, VecDeque<Change>>,
    running: Option<Running>,
    updating_since: Option<Timestamp>,
}

/// What a variant runs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Running {
    fingerprint: Fingerprint,
    /// What a journal of an older version calls it.
    old: Fingerprint,
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
    /// From which minute on the estimator must know of it.
    const fn at(&self) -> Timestamp {
        match self {
            Self::Deploy { at, .. } => *at,
            Self::Update { from, .. } => *from,
        }
    }
}

/// What an answer depends on beside the configuration of the estimator.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Question {
    read_until: Option<Timestamp>,
    context: Context,
    load_test_problem: Option<LoadTestProblem>,
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
        let updating = endpoint.deploy_in_progress
            || !matches!(endpoint.status, EndpointStatus::InService | EndpointStatus::Updating);
        if updating {
            self.updating_since.get_or_insert(now);
            return;
        }
        if let Some(since) = self.updating_since.take() {
            // During a deploy both fleets share the metric's dimensions.
            self.note(Change::Update { from: since - UPDATE_SEEN_LATE, to: now });
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
        self.changes.push_back(change);
        self.noted.push_back(change);
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

    /// What of it is kept over a restart.
    pub(super) fn kept(&self) -> KeptCapacity<'_> {
        // Every field has its answer here: a new one is a decision, and another form.
        let Self {
            estimator,
            changes,
            noted: _,
            noted_in_all: _,
            running,
            routing: _,
            updating_since,
            answer: _,
            by_siblings: _,
            journal_kept: _,
            evidence_kept: _,
        } = self;
        KeptCapacity {
            estimator: estimator.as_ref().map(Cow::Borrowed),
            changes: Cow::Borrowed(changes),
            running: *running,
            updating_since: *updating_since,
        }
    }

    /// The same service with what was kept of it up to `until`; nothing when it runs something else by
    /// now, or that is not known.
    pub(super) fn resumed(
        &self,
        kept: KeptCapacity<'_>,
        until: Timestamp,
        now: Timestamp,
    ) -> Option<Self> {
        let KeptCapacity { estimator, changes, running, updating_since } = kept;
        let before = running?.fingerprint;
        if !before.is_same(self.running?.fingerprint) {
            return None;
        }
        let mut changes = changes.into_owned();
        if let Some(since) = updating_since {
            // It ended while nobody looked.
            changes.push_back(Change::Update { from: since - UPDATE_SEEN_LATE, to: now });
        }
        // What runs has run before: to this process it looked new.
        let is_news = |change: &&Change| match change {
            Change::Deploy { running, .. } => !running.fingerprint.is_same(before),
            Change::Update { .. } => true,
        };
        changes.extend(self.noted.iter().filter(is_news));
        let estimator = estimator.map(Cow::into_owned);
        Some(Self { estimator, changes, evidence_kept: Some(until), ..self.blank() })
    }

    /// Whether it is known what the endpoint runs.
    pub(super) const fn is_identified(&self) -> bool {
        self.running.is_some()
    }

    /// The estimator, once there is one.
    pub(super) const fn estimator(&self) -> Option<&Estimator> {
        self.estimator.as_ref()
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
            let (estimator, read) = begin(settings, memory, now);
            journal_read = read;
            self.note_unseen_deploy(&estimator, now);
            self.estimator = Some(estimator);
        }
        let Some(estimator) = &mut self.estimator else { return journal_read };
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
        load_test_problem: Option<LoadTestProblem>,
        telemetry: (&Fact<Telemetry>, Option<Timestamp>),
        context: Context,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Estimate {
        let (telemetry, read_until) = telemetry;
        if goal.objective.latency.is_none() {
            return Estimate::unobserved("no latency objective to judge capacity by");
        }
        let Some(estimator) = &mut self.estimator else {
            let why = telemetry.why().map_or("no telemetry yet", |why: &Why| why.message.as_str());
            return Estimate::unobserved(format!("no telemetry: {why}"));
        };
        let question = Question { read_until, context, load_test_problem };
        let answered = self.answer.as_ref().filter(|(asked, _)| *asked == question);
        let mut answer = if let Some((_, answer)) = answered {
            answer.clone()
        } else {
            estimator.set_load_test(goal.load_test.as_ref().map(|t| t.max_rps), load_test_problem);
            let answer = estimator.evaluate(scratch, now, &context);
            self.answer = Some((question, answer.clone()));
            self.by_siblings = None;
            answer
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

    /// Takes in what siblings say of the load test, where the limit of this variant was not seen.
    pub(super) fn hear_siblings(
        &mut self,
        estimate: &mut Estimate,
        siblings: Siblings,
        scratch: &mut Scratch,
        now: Timestamp,
    ) {
        let Some(estimator) = &self.estimator else { return };
        if self.deployed_since().is_some() || !estimator.asks_siblings(estimate) {
            return;
        }
        let heard = self.by_siblings.as_ref().filter(|(heard, _)| *heard == siblings);
        let capacity = if let Some((_, capacity)) = heard {
            *capacity
        } else {
            let capacity = estimator.by_siblings(&estimate.capacity, &siblings, scratch, now);
            self.by_siblings = Some((siblings.clone(), capacity));
            capacity
        };
        estimate.sentence.push_str("; ");
        estimate.sentence.push_str(&siblings.sentence());
        let estimate_alone = estimate.capacity.estimate;
        estimate.siblings = Some(Siblings { estimate_alone, ..siblings });
        estimate.capacity = capacity;
    }

    /// Whether the estimate says how far off the load test is.
    pub(super) fn measures_load_test(&self, estimate: &Estimate, test: &LoadTest) -> bool {
        let date = test.date.and_then(|day| day.and_hms_opt(0, 0, 0)).map(|at| at.and_utc());
        let measures = |estimator: &Estimator| estimator.measures_load_test(estimate, date);
        self.deployed_since().is_none() && self.estimator.as_ref().is_some_and(measures)
    }

    /// The newest deploy of which the estimator has not heard, for its telemetry is not there yet:
    /// the answer is of the regime before, and nobody may follow it (rule 11a).
    fn deployed_since(&self) -> Option<Timestamp> {
        self.changes.iter().rev().find_map(|change| match change {
            Change::Deploy { at, .. } => Some(*at),
            Change::Update { .. } => None,
        })
    }

    /// The regime journal, when it is due to be kept.
    pub(super) fn journal(&mut self, now: Timestamp) -> Option<serde_json::Value> {
        let estimator = self.estimator.as_ref()?;
        if self.journal_kept.is_some_and(|kept| now - kept < JOURNAL_EVERY) {
            return None;
        }
        self.journal_kept = Some(now);
        // Numbers and short texts always have a JSON form.
        estimator.journal().to_value().ok()
    }
}

/// A new estimator, with what is remembered of the regimes before.
fn begin(
    settings: &EstimatorSettings,
    memory: Option<&VariantMemory>,
    now: Timestamp,
) -> (Estimator, Result<(), JournalError>) {
    let journal =
        memory.and_then(|m| m.journal.as_ref()).map(|kept| Journal::from_value(kept)).transpose();
    let mut estimator = match &journal {
        Ok(Some(journal)) => Estimator::restore(settings, journal),
        Ok(None) | Err(_) => Estimator::new(settings),
    };
    estimator.back_fill_until(now);
    (estimator, journal.map(|_| ()))
}

/// What the variant runs: everything of its own that can change capacity, not the config's name.
fn running(
    endpoint: &Endpoint,
    config: &EndpointConfig,
    model: Option<&Model>,
    variant: &VariantName,
) -> Option<Running> {
    let own = config.variant(variant)?;
    let summary = endpoint.variant(variant)?;
    let mut text = format!("{:016x}", own.traits);
    for image in &summary.images {
        text.push(' ');
        text.push_str(image);
    }
    let (model_name, instance_type) = (own.model_name.as_deref(), own.instance_type.as_deref());
    let fingerprint = Fingerprint::service(&text, model.map(|model| model.traits));
    Some(Running { fingerprint, old: Fingerprint::old(model_name, instance_type, &summary.images) })
}
