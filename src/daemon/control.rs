//! What people ask of a running daemon, answered by its one task between passes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::{mpsc, oneshot};

use super::near;
use super::{Daemon, Shared, pass_settings};
use crate::http::{Control, ControlError, PauseRequest, Paused, Reconciled, Resumed};
use crate::metrics::PassKind;
use crate::model::consent::CarriedOut;
use crate::model::fact::{Fact, Why};
use crate::model::goal::Pause;
use crate::model::ids::{Scope, VariantId};
use crate::model::memory::VariantMemory;
use crate::model::selector::Selector;
use crate::model::time::Timestamp;
use crate::ports::{Keep, MemoryError, Subject};
use crate::reconcile::subject;

/// The answer to a reload: the problems of the new configuration, as JSON.
pub(super) type ReloadAnswer = Result<(), Vec<serde_json::Value>>;

/// The longest pause: one that nobody remembers must end by itself.
const LONGEST_PAUSE: TimeDelta = TimeDelta::days(90);

/// Something asked for, with where to answer.
pub(super) enum Request {
    Reload(oneshot::Sender<ReloadAnswer>),
    Reconcile(Selector, oneshot::Sender<Result<Reconciled, ControlError>>),
    Pause(PauseRequest, oneshot::Sender<Result<Paused, ControlError>>),
    Resume(Selector, oneshot::Sender<Result<Resumed, ControlError>>),
    Confirm(String, oneshot::Sender<Result<CarriedOut, ControlError>>),
}

/// Asks a daemon for things. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

impl Handle {
    pub(super) const fn new(shared: Arc<Shared>, requests: mpsc::Sender<Request>) -> Self {
        Self { shared, requests }
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Asks the daemon to stop: no further write begins, and the pass under way ends.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.no_more_writes.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
        self.shared.stop.notify_one();
    }

    /// Whether it has been asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    /// Is done once [`Self::stop`] has been called; for one waiter.
    pub async fn stopping(&self) {
        self.shared.stop.notified().await;
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, ControlError> {
        let gone = || ControlError::Unavailable("the daemon is shutting down".to_owned());
        let (sender, answer) = oneshot::channel();
        self.requests.send(request(sender)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

#[async_trait]
impl Control for Handle {
    async fn reload(&self) -> ReloadAnswer {
        self.ask(Request::Reload)
            .await
            .unwrap_or_else(|error| Err(vec![serde_json::json!({ "problem": error.to_string() })]))
    }

    async fn reconcile(&self, selector: &Selector) -> Result<Reconciled, ControlError> {
        let selector = selector.clone();
        self.ask(|answer| Request::Reconcile(selector, answer)).await?
    }

    async fn pause(&self, request: &PauseRequest) -> Result<Paused, ControlError> {
        // The pass under way begins no further write: the pause is not to wait for its end.
        let _asked = PauseAsked::of(&self.shared);
        let request = request.clone();
        self.ask(|answer| Request::Pause(request, answer)).await?
    }

    async fn resume(&self, selector: &Selector) -> Result<Resumed, ControlError> {
        let selector = selector.clone();
        self.ask(|answer| Request::Resume(selector, answer)).await?
    }

    async fn confirm(&self, plan_id: &str) -> Result<CarriedOut, ControlError> {
        let plan_id = plan_id.to_owned();
        self.ask(|answer| Request::Confirm(plan_id, answer)).await?
    }
}

/// While it lives, no write begins.
struct PauseAsked<'a>(&'a Shared);

impl<'a> PauseAsked<'a> {
    fn of(shared: &'a Shared) -> Self {
        shared.pauses_asked.fetch_add(1, Ordering::SeqCst);
        shared.no_more_writes.store(true, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for PauseAsked<'_> {
    fn drop(&mut self) {
        self.0.pauses_asked.fetch_sub(1, Ordering::SeqCst);
    }
}

// An asker who has gone away needs no answer: sends may fail.
impl Daemon {
    /// Answers those who have asked by now: passes that follow each other without a pause keep no person waiting.
    pub(super) async fn hear(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            self.obey(request).await;
        }
    }

    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Reload(answer) => {
                let _ = answer.send(self.reload(None).await);
            }
            Request::Reconcile(selector, answer) => {
                let _ = answer.send(self.reconcile_now(&selector).await);
            }
            Request::Pause(request, answer) => {
                let _ = answer.send(self.pause(&request).await);
            }
            Request::Resume(selector, answer) => {
                let _ = answer.send(self.resume(&selector).await);
            }
            Request::Confirm(plan_id, answer) => {
                let _ = answer.send(self.confirm(&plan_id).await);
            }
        }
    }

    /// What concerns variants is for the leader to answer.
    fn must_lead(&self) -> Result<(), ControlError> {
        if self.passes.is_some() {
            return Ok(());
        }
        Err(ControlError::Unavailable(self.parts.leadership.who_leads()))
    }

    async fn reconcile_now(&mut self, selector: &Selector) -> Result<Reconciled, ControlError> {
        self.must_lead()?;
        let fleet = self.pass(PassKind::Asked, Some(selector)).await;
        let Some(began_at) = fleet.at else {
            let lost = "the pass did not come to its end: leadership was lost, or it failed (the log says \
                        which); ask again";
            return Err(ControlError::Unavailable(lost.to_owned()));
        };
        let variants: Vec<_> = fleet
            .variants
            .iter()
            .filter(|(id, _)| selector.matches(id))
            .map(|(_, status)| Arc::clone(status))
            .collect();
        let unreadable: BTreeMap<Scope, Why> = fleet
            .unreadable()
            .filter(|(scope, _)| selector.reaches(scope))
            .map(|(scope, why)| (scope.clone(), why.clone()))
            .collect();
        // Of a wide selection the answer says what of it could not be read.
        if variants.is_empty() && (unreadable.is_empty() || selector.endpoint.is_some()) {
            return Err(self.nothing_matches(selector));
        }
        Ok(Reconciled { began_at, variants, unreadable })
    }

    async fn pause(&self, request: &PauseRequest) -> Result<Paused, ControlError> {
        self.must_lead()?;
        let (until, selector) = (request.until, &request.selector);
        let now = self.parts.clock.now();
        if until <= now || until - now > LONGEST_PAUSE {
            let (wrong, asked) = (if until <= now { "past" } else { "too far away" }, stamp(until));
            return Err(ControlError::Invalid(format!(
                "{asked} is {wrong}: it is {} here (allowed: after now, at most {} days)",
                stamp(now),
                LONGEST_PAUSE.num_days()
            )));
        }
        let pause = Pause { until, reason: request.reason.clone() };
        // What a wider selection holds may first appear later: it is not kept with the variants.
        let many = selector.variant.is_none();
        let (variants, note) = if many {
            let mut pauses =
                self.parts.memory.pauses().await.map_err(|error| not_remembered(&error))?;
            let known = self.matching(selector);
            if known.is_empty() && !selector.is_all() {
                return Err(self.nothing_matches(selector));
            }
            pauses
                .add(selector.clone(), pause, now)
                .map_err(|error| ControlError::Conflict(error.to_string()))?;
            self.parts.memory.save_pauses(&pauses).await.map_err(|error| not_remembered(&error))?;
            self.show_pauses(selector, &pauses, now);
            (known.len(), None)
        } else {
            let changed = self
                .change_memory(selector, |_, memory| memory.pause = Some(pause.clone()))
                .await?;
            self.show_pause(selector, &pause);
            changed
        };
        tracing::info!(of = %selector, until = stamp(until), reason = request.reason, "paused");
        let memory = &self.parts.memory;
        let survives_restart =
            if many { memory.keeps_pauses() } else { memory.survives_restart() && note.is_none() };
        Ok(Paused { until, variants, holds_later_variants: many, survives_restart, note })
    }

    /// Ends pauses, and forgets the overwrites of another writer: a person has looked (rule 22).
    async fn resume(&self, selector: &Selector) -> Result<Resumed, ControlError> {
        self.must_lead()?;
        let now = self.parts.clock.now();
        let mut pauses =
            self.parts.memory.pauses().await.map_err(|error| not_remembered(&error))?;
        let before = pauses.clone();
        pauses.end(selector, now).map_err(|error| ControlError::Conflict(error.to_string()))?;
        let known = self.matching(selector);
        if known.is_empty() && pauses == before {
            return Err(self.nothing_matches(selector));
        }
        if pauses != before {
            self.parts.memory.save_pauses(&pauses).await.map_err(|error| not_remembered(&error))?;
        }
        let (held, forgotten) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let count = |what: &AtomicUsize, yes| what.fetch_add(usize::from(yes), Ordering::Relaxed);
        let (variants, _) = if known.is_empty() {
            (0, None)
        } else {
            self.change_memory(selector, |id, memory| {
                let own = memory.pause.take().is_some_and(|pause| now < pause.until);
                count(&held, own || before.of(id, now).is_some());
                let overwritten = !std::mem::take(&mut memory.foreign_overwrites).is_empty();
                count(&forgotten, memory.other_setpoint.take().is_some() || overwritten);
            })
            .await?
        };
        self.show_resumed(selector, &pauses, now);
        let (were_paused, writers_forgotten) = (held.into_inner(), forgotten.into_inner());
        let pauses_ended = before.in_force(now).saturating_sub(pauses.in_force(now));
        tracing::info!(of = %selector, were_paused, pauses_ended, writers_forgotten, "resumed");
        let config = self.shared.config();
        let still = |id: &VariantId| {
            let goal = config.goal(id).ok();
            goal.and_then(|goal| goal.paused).is_some_and(|pause| now < pause.until)
        };
        let paused_by_configuration =
            known.iter().filter(|id| still(id)).map(VariantId::to_string).collect();
        Ok(Resumed {
            variants,
            were_paused,
            pauses_ended,
            writers_forgotten,
            paused_by_configuration,
        })
    }

    /// The variants of a selection that are known now.
    fn matching(&self, selector: &Selector) -> Vec<VariantId> {
        let fleet = self.parts.fleet.get();
        fleet.variants.keys().filter(|id| selector.matches(id)).cloned().collect()
    }

    fn nothing_matches(&self, selector: &Selector) -> ControlError {
        let fleet = self.parts.fleet.get();
        let sentence = near::nothing_matches(selector, fleet.variants.keys());
        let unreadable: Vec<String> = fleet
            .unreadable()
            .filter(|(scope, _)| selector.reaches(scope))
            .map(|(scope, _)| scope.to_string())
            .collect();
        if unreadable.is_empty() {
            return ControlError::NotFound(sentence);
        }
        // It may exist all the same.
        let unreadable = unreadable.join(", ");
        ControlError::Unavailable(format!("{sentence}, but {unreadable} cannot be read now"))
    }

    /// Changes what is remembered of all that match: how many there are, and a sentence when some of
    /// it ends with this process. Those of which it cannot be changed do not keep the others from it;
    /// the answer is an error all the same.
    async fn change_memory(
        &self,
        selector: &Selector,
        change: impl Fn(&VariantId, &mut VariantMemory),
    ) -> Result<(usize, Option<String>), ControlError> {
        let subjects = self.subjects(selector);
        if subjects.is_empty() {
            return Err(self.nothing_matches(selector));
        }
        let Some(leadership) = self.parts.leadership.present() else {
            return Err(ControlError::Unavailable("leadership was lost".to_owned()));
        };
        let mut remembered = self.parts.memory.load(&subjects, true).await;
        let mut failed: Vec<String> = Vec::new();
        let mut changed = Vec::with_capacity(subjects.len());
        for subject in subjects {
            match remembered.remove(&subject.id) {
                Some(Fact::Known(mut memory)) => {
                    change(&subject.id, &mut memory);
                    changed.push(Keep { subject, memory, urgent: true });
                }
                Some(Fact::Unknown(why)) => failed.push(why.message),
                None => failed.push(format!("nothing is known of {}", subject.id.short())),
            }
        }
        let errors = self.parts.memory.save(&changed, &*leadership).await;
        failed.extend(errors.values().map(ToString::to_string));
        match failed.first() {
            None => Ok((changed.len(), self.ends_with_the_process(&changed))),
            Some(first) => Err(ControlError::Unavailable(format!(
                "not remembered of {} of the variants: {first}",
                failed.len()
            ))),
        }
    }

    /// All variants that match, by the configuration in force: a reload may be newer than the last
    /// pass.
    fn subjects(&self, selector: &Selector) -> Vec<Subject> {
        let config = self.shared.config();
        let settings = pass_settings(&config);
        let fleet = self.parts.fleet.get();
        let matching = fleet.variants.iter().filter(|(id, _)| selector.matches(id));
        matching
            .map(|(id, status)| {
                let goal = config.goal(id);
                let known = goal.as_ref().unwrap_or(&status.goal);
                let mut subject = subject(&status.snapshot, known, &settings);
                if let Err(claimed_twice) = &goal {
                    subject.untouchable = Some(claimed_twice.to_string());
                }
                subject
            })
            .collect()
    }

    fn ends_with_the_process(&self, changed: &[Keep]) -> Option<String> {
        let mut volatile = changed.iter().filter_map(|keep| {
            let why = self.parts.memory.why_volatile(&keep.subject)?;
            Some(format!("{} ({why})", keep.subject.id.short()))
        });
        let first = volatile.next()?;
        let sentence = match volatile.count() {
            0 => format!("of {first} it ends with this process"),
            more => format!("of {first} and {more} more it ends with this process"),
        };
        tracing::warn!("a pause or its end is kept in tags, but {sentence}");
        Some(sentence)
    }

    /// Lets the plan that waits go ahead, as it was shown: its id names what it changes from what
    /// to what, and what is different by now is not written (rule 4a). Or the reload that waits.
    async fn confirm(&mut self, plan_id: &str) -> Result<CarriedOut, ControlError> {
        // Each process has its own configuration, whoever leads.
        if super::reload::is_plan_id(plan_id) {
            return self.confirm_reload(plan_id).await.map(|()| CarriedOut::default());
        }
        self.must_lead()?;
        let held = self.parts.fleet.get().mass_change.clone();
        match held {
            None => Err(ControlError::Conflict("no plan waits for a confirmation".to_owned())),
            Some(mass) if mass.plan_id != plan_id => Err(ControlError::Conflict(format!(
                "the plan that waits is {}, not {plan_id}",
                mass.plan_id
            ))),
            Some(mass) => {
                self.consent.extend(mass.shown.clone(), self.parts.clock.now());
                let fleet = self.pass(PassKind::Asked, None).await;
                if fleet.at.is_none() {
                    let lost = "the pass did not come to its end: leadership was lost, or it failed (the log \
                                says which); look at the plan that waits and ask again";
                    return Err(ControlError::Unavailable(lost.to_owned()));
                }
                Ok(mass.shown.carried_out(&fleet))
            }
        }
    }
}

fn not_remembered(error: &MemoryError) -> ControlError {
    ControlError::Unavailable(format!("not remembered, so nothing was changed: {error}"))
}

fn stamp(at: Timestamp) -> String {
    at.format("%FT%TZ").to_string()
}

pub(super) fn warn_of_what_needs_a_restart(
    old: &crate::config::Config,
    new: &crate::config::Config,
) {
    if old.aws != new.aws {
        tracing::warn!("aws.* has changed: connections keep the old settings until a restart");
    }
    if old.accounts != new.accounts {
        tracing::warn!(
            "accounts has changed: connections keep the old settings until a restart, and nothing \
             is written any more to what has left the list"
        );
    }
    if old.sharding.own != new.sharding.own || old.sharding.total != new.sharding.total {
        tracing::warn!("sharding.* has changed: it takes effect with a restart of every shard");
    }
    for (section, changed) in [
        ("http", old.http != new.http),
        ("memory", old.memory != new.memory),
        ("store", old.store != new.store),
        ("metrics", old.metrics != new.metrics),
        ("kubernetes", old.kubernetes != new.kubernetes),
        ("log", old.log != new.log),
    ] {
        if changed {
            tracing::warn!("{section}.* has changed: it takes effect with a restart");
        }
    }
}
