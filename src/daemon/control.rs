//! What people ask of a running daemon, answered by its one task between passes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use super::{Daemon, Shared, pass_settings};
use crate::http::{Control, ControlError, PauseRequest, Selector};
use crate::model::fact::Fact;
use crate::model::goal::Pause;
use crate::model::memory::VariantMemory;
use crate::model::status::VariantStatus;
use crate::ports::{Keep, Subject};
use crate::reconcile::subject;

/// The answer to a reload: the problems of the new configuration, as JSON.
type ReloadAnswer = Result<(), Vec<serde_json::Value>>;

/// Something asked for, with where to answer.
pub(super) enum Request {
    Reload(oneshot::Sender<ReloadAnswer>),
    Reconcile(Selector, oneshot::Sender<Result<Vec<Arc<VariantStatus>>, ControlError>>),
    Pause(PauseRequest, oneshot::Sender<Result<Option<String>, ControlError>>),
    Resume(Selector, oneshot::Sender<Result<(), ControlError>>),
    Confirm(String, oneshot::Sender<Result<(), ControlError>>),
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
    #[must_use]
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

    async fn reconcile(
        &self,
        selector: &Selector,
    ) -> Result<Vec<Arc<VariantStatus>>, ControlError> {
        let selector = selector.clone();
        self.ask(|answer| Request::Reconcile(selector, answer)).await?
    }

    async fn pause(&self, request: &PauseRequest) -> Result<Option<String>, ControlError> {
        let request = request.clone();
        self.ask(|answer| Request::Pause(request, answer)).await?
    }

    async fn resume(&self, selector: &Selector) -> Result<(), ControlError> {
        let selector = selector.clone();
        self.ask(|answer| Request::Resume(selector, answer)).await?
    }

    async fn confirm(&self, plan_id: &str) -> Result<(), ControlError> {
        let plan_id = plan_id.to_owned();
        self.ask(|answer| Request::Confirm(plan_id, answer)).await?
    }
}

// An asker who has gone away needs no answer: sends may fail.
impl Daemon {
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Reload(answer) => {
                let _ = answer.send(self.reload());
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

    /// A bad file keeps the configuration that is in force.
    fn reload(&mut self) -> ReloadAnswer {
        match (self.parts.loader)() {
            Ok(config) => {
                warn_of_what_needs_a_restart(&self.shared.config(), &config);
                // What was confirmed was another configuration's plan; the next pass is due now.
                self.approved.clear();
                self.timetable.reset(&config, self.parts.clock.now());
                self.shared.set_config(config);
                self.note_config(true);
                tracing::info!("configuration reloaded");
                Ok(())
            }
            Err(errors) => {
                self.note_config(false);
                tracing::error!("configuration not reloaded, the old one stays: {errors}");
                Err(errors
                    .problems
                    .iter()
                    .map(|problem| serde_json::to_value(problem).unwrap_or_default())
                    .collect())
            }
        }
    }

    /// What concerns variants is for the leader to answer.
    fn must_lead(&self) -> Result<(), ControlError> {
        if self.reconciler.is_some() {
            return Ok(());
        }
        let follows = "another process leads; ask the one that holds the Lease";
        Err(ControlError::Unavailable(follows.to_owned()))
    }

    async fn reconcile_now(
        &mut self,
        selector: &Selector,
    ) -> Result<Vec<Arc<VariantStatus>>, ControlError> {
        self.must_lead()?;
        let fleet = self.pass(false).await;
        let found: Vec<Arc<VariantStatus>> = fleet
            .variants
            .iter()
            .filter(|(id, _)| selector.matches(id))
            .map(|(_, status)| Arc::clone(status))
            .collect();
        if found.is_empty() {
            return Err(ControlError::NotFound("no variant matches".to_owned()));
        }
        Ok(found)
    }

    async fn pause(&self, request: &PauseRequest) -> Result<Option<String>, ControlError> {
        self.must_lead()?;
        if request.until <= self.parts.clock.now() {
            let until = request.until.format("%FT%TZ");
            return Err(ControlError::Invalid(format!("{until} is past")));
        }
        let pause = Pause { until: request.until, reason: request.reason.clone() };
        self.change_memory(&request.selector, |memory| memory.pause = Some(pause.clone())).await
    }

    /// Ends pauses, and forgets the overwrites of another writer: a person has looked (rule 22).
    async fn resume(&self, selector: &Selector) -> Result<(), ControlError> {
        self.must_lead()?;
        self.change_memory(selector, |memory| {
            memory.pause = None;
            memory.foreign_overwrites.clear();
        })
        .await
        .map(drop)
    }

    /// Changes what is remembered of all that match. Those of which it cannot be changed do not
    /// keep the others from it; the answer is an error all the same.
    async fn change_memory(
        &self,
        selector: &Selector,
        change: impl Fn(&mut VariantMemory),
    ) -> Result<Option<String>, ControlError> {
        let subjects = self.subjects(selector);
        if subjects.is_empty() {
            return Err(ControlError::NotFound("no variant matches".to_owned()));
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
                    change(&mut memory);
                    changed.push(Keep { subject, memory, urgent: true });
                }
                Some(Fact::Unknown(why)) => failed.push(why.message),
                None => failed.push(format!("nothing is known of {}", subject.id.short())),
            }
        }
        let errors = self.parts.memory.save(&changed, &*leadership).await;
        failed.extend(errors.values().map(ToString::to_string));
        match failed.first() {
            None => Ok(self.ends_with_the_process(&changed)),
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
                if goal.is_err() {
                    subject.untouchable = Some("two targets of the configuration claim it");
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

    async fn confirm(&mut self, plan_id: &str) -> Result<(), ControlError> {
        self.must_lead()?;
        let held = self.parts.fleet.get().mass_change.clone();
        match held {
            None => Err(ControlError::Conflict("no plan waits for a confirmation".to_owned())),
            Some(mass) if mass.plan_id != plan_id => Err(ControlError::Conflict(format!(
                "the plan that waits is {}, not {plan_id}",
                mass.plan_id
            ))),
            Some(mass) => {
                self.approved.extend(mass.variants);
                self.pass(false).await;
                Ok(())
            }
        }
    }
}

fn warn_of_what_needs_a_restart(old: &crate::config::Config, new: &crate::config::Config) {
    if old.aws != new.aws {
        tracing::warn!("aws.* has changed: connections keep the old settings until a restart");
    }
    if old.http != new.http {
        tracing::warn!("http.* has changed: it takes effect with a restart");
    }
    if old.memory != new.memory {
        tracing::warn!("memory.* has changed: it takes effect with a restart");
    }
    if old.kubernetes != new.kubernetes {
        tracing::warn!("kubernetes.* has changed: it takes effect with a restart");
    }
    if old.log != new.log {
        tracing::warn!("log.* has changed: it takes effect with a restart");
    }
}
