//! History, read beside the passes: the last day of every variant first, then all of it.
//!
//! A pass hands out what a variant's history is to be judged by ([`Seed`]). Workers read it, one
//! page of `GetMetricData` at a time, push it from the oldest minute to the newest into a
//! [`Variant`] of its own, and drop it: what waits for the next pass is the estimator's state and
//! no datapoint. The pass puts it in the place of what was known before. A process that ends in
//! between has lost nothing but reads.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::bounded::READ_WAIT;
use super::fetch::{Fetch, What};
use super::periods::Periods;
use super::progress::Progress;
use super::settings::Settings;
use super::telemetry::{LONG_PERIODS, Window, newest_thin};
use super::unknown::broken;
use crate::estimate::{Context, EstimatorSettings, Scratch};
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::series::Minute;
use crate::model::time::{Timestamp, floor_to};
use crate::ports::Clock;
use crate::variant::{NewPeriods, Variant};

/// Requests under way at once, of all accounts and regions of the process: each holds an answer of
/// up to 100,800 datapoints, some 3 MiB while it is taken apart.
const REQUESTS: usize = 4;
/// How long a daemon's pass waits for history that it has begun to read. A small fleet's is there by
/// then; a large one's holds up nothing.
pub const HISTORY_WAIT: Duration = READ_WAIT;
/// Variants that wait for their history at once; a pass adds more as they are done.
const QUEUE_MAX: usize = 4096;
/// What is read first.
const FIRST: TimeDelta = TimeDelta::days(1);
/// Datapoints in one answer (CloudWatch API reference).
const PAGE: i64 = 100_800;
/// Queries of one variant and period.
const QUERIES: i64 = 5;
/// How much is handed to an estimator at once.
const PIECE_SECONDS: i64 = 86_400;

/// What all accounts and regions of a process share.
#[derive(Debug, Clone)]
pub struct Slots {
    requests: Arc<Semaphore>,
    /// The estimator's tables, one for each request under way.
    scratches: Arc<Mutex<Vec<Scratch>>>,
    /// How far the long reads have got.
    pub progress: Arc<Progress>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(REQUESTS)),
            scratches: Arc::default(),
            progress: Arc::default(),
        }
    }
}

/// What the history of a variant is read and judged by.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) id: VariantId,
    /// Listed variants come first.
    pub(super) listed: bool,
    pub(super) settings: EstimatorSettings,
    pub(super) context: Context,
    /// What is remembered of its regimes.
    pub(super) memory: Option<VariantMemory>,
    /// What is known of its endpoint, and no telemetry.
    pub(super) variant: Variant,
    /// Whether longer periods are wanted whatever its minutes say.
    pub(super) thin: bool,
    /// Whether the last day is wanted before the rest.
    pub(super) last_day_first: bool,
}

/// The part of the settings that reading history depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    history: TimeDelta,
    delay: TimeDelta,
    budget_dollars: Option<f64>,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        let Settings { history, delay, budget_dollars, .. } = *settings;
        Self { history, delay, budget_dollars }
    }
}

/// How much is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    LastDay,
    Whole,
}

/// What has been read of a variant.
pub(super) struct Filled {
    pub(super) id: VariantId,
    pub(super) variant: Result<Variant, (Why, Read)>,
    stage: Stage,
}

/// The history of one account and region.
pub(super) struct History {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
    /// The variants that are waited for: queued, being read, or read and not fetched.
    in_hand: BTreeSet<VariantId>,
    /// Those that could not be read since the last telemetry pass.
    failed: BTreeSet<VariantId>,
    begun: bool,
}

struct Shared {
    fetch: Fetch,
    clock: Arc<dyn Clock>,
    slots: Slots,
    state: Mutex<State>,
    /// Rung when something was read.
    news: Notify,
}

/// Last days before whole histories, listed variants before the others.
type Turn = (Stage, bool, VariantId);

fn turn(stage: Stage, seed: &Seed) -> Turn {
    (stage, !seed.listed, seed.id.clone())
}

#[derive(Default)]
struct State {
    limits: Option<Limits>,
    queue: BTreeMap<Turn, Seed>,
    ready: Vec<Filled>,
    /// Variants being read.
    reading: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    pub(super) fn new(fetch: Fetch, clock: Arc<dyn Clock>, slots: Slots) -> Self {
        let (state, news) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { fetch, clock, slots, state, news });
        let (workers, in_hand, failed) = (JoinSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { shared, workers, in_hand, failed, begun: false }
    }

    /// Whether a variant's history is not asked for yet, and may be, `beside` so many others.
    pub(super) fn has_room_for(&self, id: &VariantId, beside: usize) -> bool {
        let room = self.in_hand.len() + beside < QUEUE_MAX;
        room && !self.in_hand.contains(id) && !self.failed.contains(id)
    }

    /// Whether a variant's history is being read, or about to be.
    pub(super) fn is_reading(&self, id: &VariantId) -> bool {
        self.in_hand.contains(id)
    }

    /// Whether anything was ever asked for.
    pub(super) const fn is_begun(&self) -> bool {
        self.begun
    }

    /// What could not be read may be asked for again.
    pub(super) fn try_again(&mut self) {
        self.failed.clear();
    }

    /// Begins to read the history of these.
    pub(super) fn begin(&mut self, seeds: Vec<Seed>, limits: Limits) {
        if seeds.is_empty() {
            return;
        }
        self.begun = true;
        let progress = &self.shared.slots.progress;
        progress.history.expect(seeds.len());
        let stage_of = |seed: &Seed| {
            let first = seed.last_day_first && limits.history > FIRST;
            if first { Stage::LastDay } else { Stage::Whole }
        };
        let first = seeds.iter().filter(|seed| stage_of(seed) == Stage::LastDay).count();
        progress.last_day.expect(first);
        self.in_hand.extend(seeds.iter().map(|seed| seed.id.clone()));
        {
            let mut state = self.shared.state();
            state.limits = Some(limits);
            state.queue.extend(seeds.into_iter().map(|seed| (turn(stage_of(&seed), &seed), seed)));
        }
        while self.workers.try_join_next().is_some() {}
        // One at least: those that are there may be about to end.
        for _ in 0..REQUESTS.saturating_sub(self.workers.len()).max(1) {
            self.workers.spawn(work(Arc::clone(&self.shared)));
        }
    }

    /// Waits until nothing is left to read, or for so long.
    pub(super) async fn settle(&self, most: Option<Duration>) {
        let settled = async {
            loop {
                let news = self.shared.news.notified();
                let idle = {
                    let state = self.shared.state();
                    state.queue.is_empty() && state.reading == 0
                };
                if idle {
                    return;
                }
                news.await;
            }
        };
        match most {
            None => settled.await,
            Some(most) => {
                // What is read later comes with a later pass.
                let _ = tokio::time::timeout(most, settled).await;
            }
        }
    }

    /// What has been read since the last time, as far as `may` says so, in the order of its reading.
    pub(super) fn take(&mut self, may: impl Fn(&VariantId, &Variant) -> bool) -> Vec<Filled> {
        let mut state = self.shared.state();
        let ready = std::mem::take(&mut state.ready);
        let (taken, kept): (Vec<Filled>, Vec<Filled>) = ready
            .into_iter()
            .partition(|filled| filled.variant.as_ref().map_or(true, |read| may(&filled.id, read)));
        state.ready = kept;
        drop(state);
        for filled in &taken {
            if filled.stage == Stage::Whole || filled.variant.is_err() {
                self.in_hand.remove(&filled.id);
            }
            if filled.variant.is_err() {
                self.failed.insert(filled.id.clone());
            }
        }
        taken
    }

    /// Forgets variants that are no longer there.
    pub(super) fn retain(&mut self, wanted: impl Fn(&VariantId) -> bool) {
        let mut state = self.shared.state();
        let progress = &self.shared.slots.progress;
        state.queue.retain(|(stage, _, id), _| {
            let kept = wanted(id);
            if !kept {
                progress.history.done();
                if *stage == Stage::LastDay {
                    progress.last_day.done();
                }
            }
            kept
        });
        state.ready.retain(|filled| wanted(&filled.id));
        drop(state);
        self.in_hand.retain(|id| wanted(id));
        self.failed.retain(|id| wanted(id));
    }
}

/// Reads what is queued until nothing is left.
async fn work(shared: Arc<Shared>) {
    loop {
        // Made before the look, so that no ring is missed.
        let news = shared.news.notified();
        let Ok(slot) = shared.slots.requests.acquire().await else { return };
        let Some((stage, seeds, limits)) = next(&shared) else {
            drop(slot);
            if shared.state().reading == 0 {
                return;
            }
            // What others read now may leave more to read.
            news.await;
            continue;
        };
        let mut scratch = {
            let mut spare = shared.slots.scratches.lock().unwrap_or_else(PoisonError::into_inner);
            spare.pop().unwrap_or_default()
        };
        let worker = Worker { shared: &shared, limits, stage };
        let read = AssertUnwindSafe(worker.read(&seeds, &mut scratch)).catch_unwind().await;
        let filled = if let Ok(filled) = read {
            shared.slots.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
            filled
        } else {
            seeds.iter().map(|seed| worker.none(seed, broken())).collect()
        };
        put_away(&shared, stage, filled, seeds);
        shared.news.notify_waiters();
    }
}

/// What has been read waits for the next pass; after a last day all of it is to be read.
fn put_away(shared: &Shared, stage: Stage, filled: Vec<Filled>, seeds: Vec<Seed>) {
    let progress = &shared.slots.progress;
    let mut queued = shared.state();
    queued.reading = queued.reading.saturating_sub(seeds.len());
    for (filled, seed) in filled.into_iter().zip(seeds) {
        if stage == Stage::LastDay {
            progress.last_day.done();
        }
        if stage == Stage::LastDay && filled.variant.is_ok() {
            queued.queue.insert(turn(Stage::Whole, &seed), seed);
        } else {
            progress.history.done();
        }
        queued.ready.push(filled);
    }
}

/// The next variants to read: as many as one page of an answer holds.
fn next(shared: &Shared) -> Option<(Stage, Vec<Seed>, Limits)> {
    let mut queued = shared.state();
    let limits = queued.limits?;
    let ((stage, ..), first) = queued.queue.pop_first()?;
    let minutes = span(stage, &first, limits).num_minutes().max(1);
    let most = usize::try_from(PAGE / (minutes * QUERIES)).unwrap_or(1).max(1);
    let mut seeds = vec![first];
    while seeds.len() < most
        && let Some(next) = queued.queue.first_entry().filter(|next| next.key().0 == stage)
    {
        seeds.push(next.remove());
    }
    queued.reading += seeds.len();
    Some((stage, seeds, limits))
}

/// How far back a stage reads. Without a latency objective there is no estimate, and the last day
/// is all that is looked at.
fn span(stage: Stage, seed: &Seed, limits: Limits) -> TimeDelta {
    let first = stage == Stage::LastDay || seed.settings.objective.latency.is_none();
    if first { limits.history.min(FIRST) } else { limits.history }
}

/// Reads the history of a few variants.
struct Worker<'a> {
    shared: &'a Shared,
    limits: Limits,
    stage: Stage,
}

impl Worker<'_> {
    async fn read(&self, seeds: &[Seed], scratch: &mut Scratch) -> Vec<Filled> {
        let now = self.shared.clock.now();
        let span = seeds.iter().map(|seed| span(self.stage, seed, self.limits)).max();
        let window = Window::next(now, None, span.unwrap_or(FIRST), self.limits.delay);
        let Some(window) = window else {
            let why = || Why::new(WhyKind::NotReadYet, "not read yet");
            return seeds.iter().map(|seed| self.none(seed, why())).collect();
        };
        let all: Vec<&Seed> = seeds.iter().collect();
        let mut minutes = self.periods(&all, window, 60, now).await;
        let thin_since: Vec<Option<Timestamp>> = seeds
            .iter()
            .zip(&minutes)
            .map(|(seed, minutes)| {
                let least = seed.settings.objective.latency?.statistic.min_requests();
                newest_thin(minutes.as_ref().ok()?.iter(), least)
            })
            .collect();
        let is_thin = |at: usize| {
            seeds[at].thin || thin_since[at].is_some_and(|at| now < at + TimeDelta::days(1))
        };
        let thin: Vec<&Seed> =
            (0..seeds.len()).filter(|at| is_thin(*at)).map(|at| &seeds[at]).collect();
        let mut longer: BTreeMap<VariantId, Vec<Periods>> = BTreeMap::new();
        for period in LONG_PERIODS.into_iter().filter(|_| !thin.is_empty()) {
            let Some(whole) = window.whole(i64::from(period)) else { continue };
            let read = self.periods(&thin, whole, period, now).await;
            for (seed, periods) in thin.iter().zip(read) {
                longer.entry(seed.id.clone()).or_default().extend(periods);
            }
        }
        let read = Read::new("GetMetricData", self.shared.clock.now());
        let mut filled = Vec::with_capacity(seeds.len());
        for (at, seed) in seeds.iter().enumerate() {
            let minutes = std::mem::replace(&mut minutes[at], Err(broken()));
            let longer = longer.remove(&seed.id).unwrap_or_default();
            let variant = minutes.map_err(|why| (why, read)).and_then(|minutes| {
                let history = Told {
                    window,
                    minutes,
                    longer,
                    thin_since: thin_since[at],
                    thin: is_thin(at),
                    read,
                    now,
                };
                // A bug of ours in one variant's minutes leaves the others as they are.
                catch_unwind(AssertUnwindSafe(|| self.build(seed, history, scratch)))
                    .map_err(|_| (broken(), read))
            });
            filled.push(Filled { id: seed.id.clone(), variant, stage: self.stage });
        }
        filled
    }

    /// Nothing could be read of a variant.
    fn none(&self, seed: &Seed, why: Why) -> Filled {
        let read = Read::new("GetMetricData", self.shared.clock.now());
        Filled { id: seed.id.clone(), variant: Err((why, read)), stage: self.stage }
    }

    async fn periods(
        &self,
        seeds: &[&Seed],
        window: Window,
        period_seconds: u32,
        now: Timestamp,
    ) -> Vec<Result<Periods, Why>> {
        let own = |seed: &&Seed| (seed.id.resource(), seed.settings.objective);
        let of: Vec<_> = seeds.iter().map(own).collect();
        let budget_dollars = self.limits.budget_dollars;
        let what = What { window, period_seconds, budget_dollars, now };
        self.shared.fetch.periods(&of, what).await
    }

    /// A variant that knows this history and nothing else.
    fn build(&self, seed: &Seed, told: Told, scratch: &mut Scratch) -> Variant {
        let Told { window, minutes, longer, thin_since, thin, read, now } = told;
        let mut variant = seed.variant.clone();
        let since = if self.stage == Stage::LastDay { Some(window.from) } else { None };
        variant.begin_history(since, thin_since);
        // Periods of all lengths must end together to be told in order.
        let to = if thin { floor_to(window.to, i64::from(LONG_PERIODS[1])) } else { window.to };
        let mut from = window.from;
        while from < to {
            let next = floor_to(from + TimeDelta::seconds(PIECE_SECONDS), PIECE_SECONDS).min(to);
            let piece = NewPeriods {
                minutes: minutes.between(from, next).collect(),
                longer: longer
                    .iter()
                    .flat_map(|periods| periods.between(from, next))
                    .collect::<Vec<Minute>>(),
                until: next,
                read,
            };
            let by = (&seed.settings, &seed.context);
            if let Err(error) = variant.take_in(piece, by, seed.memory.as_ref(), scratch, now) {
                tracing::warn!(variant = %seed.id, %error, "beginning without the regime journal");
            }
            from = next;
        }
        variant
    }
}

/// What was read of one variant.
struct Told {
    window: Window,
    minutes: Periods,
    longer: Vec<Periods>,
    thin_since: Option<Timestamp>,
    thin: bool,
    read: Read,
    now: Timestamp,
}
