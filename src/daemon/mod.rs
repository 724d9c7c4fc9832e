//! Many variants over time: schedule, reload, pause, shutdown, publishing.
//!
//! One task makes passes, one after the other. `tokio-cron-scheduler` only wakes it: what is due is
//! computed from the clock port ([`timetable`]), so that the same loop runs on a virtual clock, and
//! a tick that comes during a pass is coalesced with the next one. People's commands go through
//! the same task, so nothing ever writes beside a pass.

mod control;
mod leadership;
mod near;
mod pausing;
mod publish;
mod reload;
mod repeated;
mod settings;
mod spending;
mod ticks;
mod timetable;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{Notify, mpsc};

use crate::config::{Config, ConfigErrors};
use crate::decide::Freeze;
use crate::http::{Health, Readiness};
use crate::metrics::{Metrics, PassKind, PassResult, StatusSource};
use crate::model::consent::Consent;
use crate::model::selector::Selector;
use crate::model::status::FleetStatus;
use crate::model::time::Timestamp;
use crate::ports::{Clock, Events, Leadership, Memory};
use crate::reconcile::{Fleet, HISTORY_WAIT, HistoryWait, PassInput, Phase, Purpose, Settings};
use crate::store::Store;

pub use control::Handle;
use control::Request;
pub use leadership::{LeadershipSource, Lease};
pub use publish::FleetCell;
pub use settings::pass_settings;
pub use ticks::{Ticks, TicksError};
use timetable::Timetable;

/// Loads the configuration again, from where it came from.
pub type Loader = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Makes what makes the passes of one term of leadership. It knows nothing yet.
pub type MakeFleet = Box<dyn Fn(Arc<dyn Leadership>) -> Fleet + Send + Sync>;

/// How long the loop sleeps at most before it looks at the clock port again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether calls of a pass are answered.
const LOOK_AT_CALLS: Duration = Duration::from_secs(10);

/// How long a process that ends keeps what the next one need not read again.
const KEEP_AT_THE_END: Duration = Duration::from_secs(5);

/// Requests from people that may wait for the task at once.
const REQUESTS_MAX: usize = 16;

/// What a daemon is put together from.
pub struct Parts {
    /// The configuration in force.
    pub config: Config,
    /// Where to get the next one from.
    pub loader: Loader,
    /// Whether this process makes passes.
    pub leadership: LeadershipSource,
    pub make_fleet: MakeFleet,
    pub clock: Arc<dyn Clock>,
    /// What must be remembered; pauses are put there.
    pub memory: Arc<dyn Memory>,
    /// Where what passes come to is kept for people.
    pub history: Store,
    /// Where decisions are reported besides the log.
    pub events: Option<Arc<dyn Events>>,
    /// Where the status is published.
    pub fleet: Arc<FleetCell>,
    /// Counters.
    pub metrics: Metrics,
    /// What the probes answer.
    pub health: Arc<Health>,
}

/// The task that makes passes.
pub struct Daemon {
    parts: Parts,
    /// Makes the passes of the term under way; absent while another process leads.
    passes: Option<Fleet>,
    shared: Arc<Shared>,
    requests: mpsc::Receiver<Request>,
    publisher: publish::Publisher,
    timetable: Timetable,
    /// What a person has confirmed and is not written yet; a reload forgets it.
    consent: Consent,
    config_news: reload::ConfigNews,
    spending: spending::SpendingStore,
}

/// What the task shares with those who ask it for something.
pub(crate) struct Shared {
    config: RwLock<Config>,
    stopping: AtomicBool,
    no_more_writes: AtomicBool,
    /// People who wait for a pause: no write begins meanwhile.
    pauses_asked: AtomicUsize,
    wake: Notify,
    stop: Notify,
}

impl Shared {
    fn config(&self) -> Config {
        match self.config.read() {
            Ok(config) => config.clone(),
            // A panic while the lock was held cannot have left half a configuration.
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    fn set_config(&self, config: Config) {
        match self.config.write() {
            Ok(mut current) => *current = config,
            Err(poisoned) => *poisoned.into_inner() = config,
        }
    }
}

impl Daemon {
    /// Puts a daemon together, with the handle by which it is asked for things.
    pub fn new(parts: Parts) -> (Self, Handle) {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let shared = Arc::new(Shared {
            config: RwLock::new(parts.config.clone()),
            stopping: AtomicBool::new(false),
            no_more_writes: AtomicBool::new(false),
            pauses_asked: AtomicUsize::new(0),
            wake: Notify::new(),
            stop: Notify::new(),
        });
        let handle = Handle::new(Arc::clone(&shared), sender);
        let publisher = publish::Publisher::new(parts.events.clone());
        let timetable = Timetable::due_now();
        let spending = spending::SpendingStore::new(&parts.memory, &parts.history);
        let daemon = Self {
            parts,
            passes: None,
            shared,
            requests,
            publisher,
            timetable,
            consent: Consent::default(),
            config_news: reload::ConfigNews::default(),
            spending,
        };
        (daemon, handle)
    }

    /// The same daemon, which makes passes only in the terms of this source.
    #[must_use]
    pub fn led_by(mut self, source: LeadershipSource) -> Self {
        self.parts.leadership = source;
        self
    }

    /// Makes passes until the handle says to stop: the first at once, telemetry included. While
    /// another process leads it makes none, and starts over when it leads itself.
    pub async fn run(mut self) {
        let term = self.parts.leadership.term();
        self.follow(term);
        self.note_config(true);
        while !self.shared.stopping.load(Ordering::Relaxed) {
            if self.passes.is_none() {
                // Standing by is all that there is to do.
                self.parts.health.beat(monotonic_now(), LOOK_AGAIN);
            }
            if self.parts.leadership.has_news() {
                let term = self.parts.leadership.term();
                self.follow(term);
                if self.passes.is_none() {
                    // Whoever leads now writes it.
                    self.parts.history.close().await;
                }
            }
            let now = self.parts.clock.now();
            self.timetable.follow_clock(&self.shared.config(), now);
            let due = self.timetable.due(now);
            if due.any() && self.passes.is_some() {
                let config = self.shared.config();
                // The first pass of a term, and those that people ask for, do not wait.
                if self.parts.fleet.get().at.is_some() {
                    self.jitter(config.reconcile.jitter).await;
                }
                let fleet = self.pass(due.kind(), None).await;
                let config = self.shared.config();
                self.timetable.advance((due, fleet.has_more), &config, self.parts.clock.now());
                self.beat();
                self.hear().await;
                continue;
            }
            tokio::select! {
                () = self.shared.wake.notified() => {}
                // The ring of the scheduler follows the wall clock, which may be set back.
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                changed = self.parts.leadership.changed() => if changed.is_err() {
                    tracing::error!("the election of a leader has ended; so does this process");
                    break;
                },
                request = self.requests.recv() => match request {
                    Some(request) => self.obey(request).await,
                    None => break,
                },
            }
        }
        self.parts.health.set_readiness(Readiness::ShuttingDown);
        if let Some(passes) = &mut self.passes {
            // What is not kept in time is read again by the next process.
            let grace = self.shared.config().reconcile.shutdown_grace;
            passes.end(KEEP_AT_THE_END.min(grace / 4)).await;
        }
        self.parts.history.close().await;
        tracing::info!("stopped: no pass is under way");
    }

    /// Answers a request. A bug of ours in one leaves it without an answer, and nothing else.
    async fn obey(&mut self, request: Request) {
        let answered = AssertUnwindSafe(Box::pin(self.answer(request))).catch_unwind().await;
        if answered.is_err() && self.passes.is_none() {
            let term = self.parts.leadership.present();
            self.follow(term);
        }
    }

    /// A pass has ended, well or not: says when the next one is expected.
    fn beat(&self) {
        let now = monotonic_now();
        let jitter = self.shared.config().reconcile.jitter;
        let next = self.timetable.next_within(self.parts.clock.now()).unwrap_or(Duration::MAX);
        self.parts.health.beat(now, next.saturating_add(jitter));
        self.parts.metrics.process.set_last_pass(self.passes.is_some().then_some(now));
    }

    /// Begins a term, or stands by. Nothing of an earlier term is kept: others may have written.
    fn follow(&mut self, term: Option<Arc<dyn Leadership>>) {
        self.passes = term.map(|term| (self.parts.make_fleet)(term));
        self.timetable = Timetable::due_now();
        self.spending.begin_term();
        self.consent.clear();
        self.publisher = publish::Publisher::new(self.parts.events.clone());
        // The variants are the leader's to show, and only once it has looked.
        self.parts.fleet.set(Arc::default());
        if let Some(passes) = &self.passes {
            tracing::info!(identity = passes.identity(), "makes passes from now on");
        }
        let leads = self.passes.is_some();
        self.parts.metrics.process.set_leader(leads);
        self.parts.metrics.process.set_last_pass(leads.then(monotonic_now));
        if !leads {
            self.parts.health.set_readiness(Readiness::Follower);
        }
        self.log_config();
    }

    /// One pass, published; the variants of `refresh` are read again.
    async fn pass(&mut self, kind: PassKind, refresh: Option<&Selector>) -> Arc<FleetStatus> {
        let config = self.shared.config();
        publish::log_expired(&self.consent.expire(self.parts.clock.now()));
        let consent = self.consent.clone();
        // Taken out, so that what failed in the middle is not gone on with.
        let Some(mut passes) = self.passes.take() else { return Arc::default() };
        let settings = Settings {
            history_wait: HistoryWait::For(HISTORY_WAIT),
            last_day_first_above: 0,
            // More than half is left to act in.
            sweep_wait: Some(config.reconcile.pass_timeout / 5),
            ..pass_settings(&config)
        };
        let freeze = |now| open_freeze(&config, now);
        let began = monotonic_now();
        let shared = Arc::clone(&self.shared);
        shared.no_more_writes.store(false, Ordering::SeqCst);
        // Looked at after the reset: what comes in between is not lost.
        if shared.stopping.load(Ordering::SeqCst) || shared.pauses_asked.load(Ordering::SeqCst) > 0
        {
            shared.no_more_writes.store(true, Ordering::SeqCst);
        }
        let input = PassInput {
            goals: &config,
            settings: &settings,
            telemetry: kind == PassKind::Telemetry,
            refresh,
            purpose: Purpose::Reconcile(&consent),
            freeze: Some(&freeze),
            stop: &shared.no_more_writes,
        };
        let saving = self.spending.begin(passes.cost(), self.parts.clock.now()).await;
        // A bug of ours in a pass ends that pass, not the process.
        let pass = AssertUnwindSafe(Box::pin(passes.pass(input))).catch_unwind();
        let pass = self.alive(pass);
        let (fleet, trouble) = self.watch(pass, config.reconcile.pass_timeout).await;
        saving.end().await;
        self.parts.metrics.process.pass_ended(kind, result_of(fleet.as_ref().ok(), trouble));
        let Ok(mut fleet) = fleet else {
            // A bug of ours. What the passes knew may be half a truth, so that they begin again.
            tracing::error!("a pass has failed; the next one begins with nothing known");
            let term = self.parts.leadership.present();
            self.passes = term.map(|term| (self.parts.make_fleet)(term));
            self.beat();
            return Arc::default();
        };
        for phase in Phase::ALL {
            self.parts.metrics.process.phase_took(phase.as_str(), passes.took().of(phase));
        }
        let month_cost = passes.cost().dollars_this_month(self.parts.clock.now());
        let budget = Some(config.telemetry.budget_dollars_per_month);
        fleet.saving = passes.cost().saving(budget, self.parts.clock.now());
        fleet.month_cost = Some(month_cost);
        self.parts.metrics.process.set_month_cost(month_cost, fleet.saving);
        publish::log_history(&passes.progress());
        self.passes = Some(passes);
        self.beat();
        // Nor does a bug in publishing it.
        let published = catch_unwind(AssertUnwindSafe(|| {
            self.publisher.publish(&self.parts.metrics, &fleet, began.elapsed());
        }));
        if published.is_err() {
            self.publisher = publish::Publisher::new(self.parts.events.clone());
        }
        if trouble.lost {
            return Arc::default();
        }
        let carried_out = consent.carried_out(&fleet);
        publish::log_confirmed(&carried_out);
        self.consent.follow(&fleet, &carried_out);
        let now = self.parts.clock.now();
        self.config_news.log(&config, now, &self.parts.metrics, &mut fleet);
        let fleet = Arc::new(self.record(fleet).await);
        self.show(Arc::clone(&fleet));
        fleet
    }

    /// What a pass found is what pages, API and scrapes have from now on.
    fn show(&self, fleet: Arc<FleetStatus>) {
        self.parts.fleet.set(fleet);
        let exposition = Arc::clone(&self.parts.metrics.exposition);
        // It goes on beside the daemon, and a scrape that comes meanwhile waits for it.
        drop(tokio::task::spawn_blocking(move || exposition.prepare()));
        self.parts.health.set_readiness(Readiness::Ready);
    }

    /// Keeps what a pass came to for those who ask later.
    async fn record(&mut self, mut fleet: FleetStatus) -> FleetStatus {
        // A pass that was cut short has published what it knows as any other.
        let recording = self.parts.history.record(Arc::new(fleet.clone()));
        // Once the history has begun to take it in, whoever asks for the history waits for that, and
        // what the pass before came to can go: with thousands of variants tens of MiB, which saving
        // would otherwise add to.
        fleet.history.clone_from(&self.parts.fleet.get().history);
        let show_meanwhile = async {
            if fleet.history.is_some() {
                self.parts.fleet.set(Arc::new(fleet.clone()));
            }
        };
        let (history, ()) = tokio::join!(biased; recording, show_meanwhile);
        let saved = history.saved.as_ref().filter(|(of, _)| Some(*of) == fleet.at);
        if let Some((passes, (_, of))) = self.passes.as_mut().zip(saved) {
            passes.hours_are_kept(&fleet, of);
        }
        fleet.history = Some(history);
        fleet
    }

    /// Waits for the end of a pass, and for whether leadership was lost meanwhile. A write half done
    /// is worse than a late one: after the time limit, or without leadership, no further one
    /// begins, and the calls under way have time limits of their own.
    async fn watch<T>(&self, pass: impl Future<Output = T>, limit: Duration) -> (T, Trouble) {
        let time_limit = tokio::time::sleep(limit);
        tokio::pin!(pass, time_limit);
        let mut trouble = Trouble::default();
        loop {
            tokio::select! {
                ended = &mut pass => return (ended, trouble),
                () = &mut time_limit, if !trouble.overran => {
                    trouble.overran = true;
                    tracing::warn!(?limit, "the pass overran; no further write begins");
                }
                _ = self.parts.leadership.changed(), if !trouble.lost => {
                    trouble.lost = true;
                    tracing::warn!("leadership was lost; no further write begins");
                    self.parts.fleet.set(Arc::default());
                    self.parts.metrics.process.set_leader(false);
                }
            }
            self.shared.no_more_writes.store(true, Ordering::Relaxed);
        }
    }

    /// Thousands of endpoints and policies take many minutes at the rates that AWS lets through: as long as calls are
    /// answered, a pass is not stuck.
    async fn alive<T>(&self, pass: impl Future<Output = T>) -> T {
        tokio::pin!(pass);
        let calls = &self.parts.metrics.calls;
        let mut answered = calls.answered();
        loop {
            tokio::select! {
                ended = &mut pass => return ended,
                () = tokio::time::sleep(LOOK_AT_CALLS) => {
                    let before = std::mem::replace(&mut answered, calls.answered());
                    if answered != before {
                        self.parts.health.goes_on(monotonic_now());
                    }
                }
            }
        }
    }

    /// A random delay, so that several daemons do not march in step.
    async fn jitter(&self, most: Duration) {
        if most.is_zero() || self.shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        let share = f64::from(random_u32()) / f64::from(u32::MAX);
        let slept = self.parts.clock.sleep(most.mul_f64(share));
        tokio::pin!(slept);
        loop {
            tokio::select! {
                () = &mut slept => break,
                // Ticks go on meanwhile; only stopping must not wait for the jitter.
                () = self.shared.wake.notified() => {
                    if self.shared.stopping.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
        }
    }

    /// Takes note of the configuration in force, and of whether the last load succeeded.
    fn note_config(&self, loaded: bool) {
        let process = &self.parts.metrics.process;
        process.config_loaded(loaded.then(|| self.parts.clock.now()));
        let config = self.shared.config();
        process.set_budget(Some(config.telemetry.budget_dollars_per_month));
        process.set_leader(self.passes.is_some());
    }
}

/// What went wrong around a pass.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    /// It took longer than it may.
    overran: bool,
    /// Another process leads now.
    lost: bool,
}

/// How a pass ended; without a fleet, a bug of ours ended it.
fn result_of(fleet: Option<&FleetStatus>, trouble: Trouble) -> PassResult {
    let Some(fleet) = fleet else { return PassResult::Error };
    let blind = !fleet.scopes.is_empty() && fleet.scopes.values().all(Option::is_some);
    match trouble {
        Trouble { lost: true, .. } => PassResult::Skipped,
        Trouble { overran: true, .. } => PassResult::Error,
        Trouble { .. } if blind => PassResult::Error,
        Trouble { .. } => PassResult::Success,
    }
}

/// The freeze window that is open, the longest if several are.
pub fn open_freeze(config: &Config, now: Timestamp) -> Option<Freeze> {
    let open = config.freeze_windows.iter().filter_map(|window| {
        let until = window.open_until(now)?;
        Some(Freeze { until, allow_lowering: window.allow_lowering })
    });
    // One window that forbids lowering forbids it, whatever another allows.
    open.reduce(|a, b| Freeze {
        until: a.until.max(b.until),
        allow_lowering: a.allow_lowering && b.allow_lowering,
    })
}

/// The monotonic clock, for durations of this process only.
fn monotonic_now() -> Instant {
    Instant::now()
}

/// Randomness for jitter, where its quality does not matter.
fn random_u32() -> u32 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish() as u32
}

impl StatusSource for FleetCell {
    fn fleet(&self) -> Arc<FleetStatus> {
        self.get()
    }
}
