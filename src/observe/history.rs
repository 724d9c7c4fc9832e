//! History, read beside the passes: the last day of every variant first, then all of it.
//!
//! A pass hands out what a variant's history is to be judged by ([`Seed`]). Workers read it, one
//! page of `GetMetricData` at a time, push it from the oldest minute to the newest into a
//! [`Variant`] of its own, and drop it: what waits for the next pass is the estimator's state and
//! no datapoint. The pass puts it in the place of what was known before. A process that ends in
//! between has lost nothing but reads.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::bounded::READ_WAIT;
use super::fetch::Fetch;
use super::filling::{Worker, span};
use super::settings::Settings;
use super::slots::{REQUESTS, Slots};
use super::unknown::broken;
use crate::estimate::{Context, EstimatorSettings};
use crate::model::fact::Why;
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::time::Timestamp;
use crate::ports::Clock;
use crate::variant::Variant;

/// How long a daemon's pass waits for history that it has begun to read. A small fleet's is there by
/// then; a large one's holds up nothing.
pub const HISTORY_WAIT: Duration = READ_WAIT;
/// Variants that wait for their last day at once; a pass adds more as they are done. It is what
/// CloudWatch gives between two passes: a day of 42 variants a second at 300,000 datapoints a second.
const LAST_DAYS_MAX: usize = 2048;
/// Variants that wait for all of their history at once, once none waits for its last day: what
/// CloudWatch gives of 14 days in five minutes.
pub(super) const WHOLE_MAX: usize = 1024;
/// What is read first.
pub(super) const FIRST: TimeDelta = TimeDelta::days(1);
/// Datapoints in one answer (CloudWatch API reference).
pub(super) const PAGE: i64 = 100_800;
/// Queries of one variant and period.
pub(super) const QUERIES: i64 = 5;
/// Variants whose records are taken up at once: their queries fill one call.
const RESUMED_AT_ONCE: usize = 100;
/// How long a variant waits for reads that say what it runs. Without it nothing that was kept counts.
const IDENTITY_WAIT: TimeDelta = TimeDelta::minutes(10);

/// What the history of a variant is read and judged by.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) id: VariantId,
    /// Listed variants come first.
    pub(super) listed: bool,
    pub(super) settings: EstimatorSettings,
    pub(super) context: Context,
    /// What is remembered of its regimes.
    pub(super) memory: Option<crate::model::shared::Shared<VariantMemory>>,
    /// What is known of its endpoint, and no telemetry.
    pub(super) variant: Variant,
    /// Whether longer periods are wanted whatever its minutes say.
    pub(super) thin: bool,
    /// Whether the last day is wanted before the rest.
    pub(super) last_day_first: bool,
    /// Whether what an earlier process has kept of it may be taken up.
    pub(super) may_resume: bool,
}

impl Seed {
    /// How it is read from AWS first.
    fn first(&self, limits: Limits) -> Stage {
        let first = self.last_day_first && limits.history > FIRST;
        if first { Stage::LastDay } else { Stage::Whole }
    }
}

/// The part of the settings that reading history depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) history: TimeDelta,
    pub(super) delay: TimeDelta,
    pub(super) budget_dollars: Option<f64>,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        let Settings { history, delay, budget_dollars, .. } = *settings;
        Self { history, delay, budget_dollars }
    }
}

/// How much is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// What is new since an earlier process.
    Resume,
    LastDay,
    Whole,
}

/// What has been read of a variant.
pub(super) struct Filled {
    pub(super) id: VariantId,
    pub(super) variant: Result<Variant, (Why, Read)>,
    /// What comes of the rest of its history, where this is a part.
    rest: Rest,
}

/// Where the rest of a history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// There is none.
    Nothing,
    /// It is read next.
    Queued,
    /// A pass is to ask for it again: others come first, and it takes no room until then.
    Later,
}

impl Filled {
    pub(super) const fn new(id: VariantId, variant: Result<Variant, (Why, Read)>) -> Self {
        Self { id, variant, rest: Rest::Nothing }
    }
}

/// The history of one account and region.
pub(super) struct History {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
    /// The variants that are waited for: queued, being read, or read and not fetched.
    in_hand: BTreeSet<VariantId>,
    /// Those of which a part was read, and the rest has not been asked for again.
    later: BTreeSet<VariantId>,
    /// Those that could not be read since the last telemetry pass, or on which setpoint failed.
    failed: BTreeSet<VariantId>,
    /// Those that wait until it is known what runs, with which what was kept is compared.
    unidentified: BTreeSet<VariantId>,
    /// When anything was first asked for.
    begun: Option<Timestamp>,
    /// Whether an earlier process may have kept anything.
    has_past: bool,
    /// Those in hand whose last day is known, as of the last time that a pass asked.
    with_a_day: usize,
}

pub(super) struct Shared {
    pub(super) fetch: Fetch,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) slots: Slots,
    state: Mutex<State>,
    /// Rung when something was read.
    news: Notify,
}

/// Last days before whole histories, listed variants before the others.
type ReadOrder = (Stage, bool, VariantId);

fn read_order(stage: Stage, seed: &Seed) -> ReadOrder {
    (stage, !seed.listed, seed.id.clone())
}

#[derive(Default)]
struct State {
    limits: Option<Limits>,
    queue: BTreeMap<ReadOrder, Seed>,
    ready: Vec<Filled>,
    /// Variants being read.
    reading: usize,
    /// Those of which nothing is kept that fits.
    nothing_kept: BTreeSet<VariantId>,
}

impl State {
    /// Whole histories that are queued, behind everything else.
    fn wholes(&self) -> usize {
        self.queue.keys().rev().take_while(|(stage, ..)| *stage == Stage::Whole).count()
    }
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
        Self {
            shared,
            workers: JoinSet::new(),
            in_hand: BTreeSet::new(),
            later: BTreeSet::new(),
            failed: BTreeSet::new(),
            unidentified: BTreeSet::new(),
            begun: None,
            has_past: true,
            with_a_day: 0,
        }
    }

    /// Whether a variant's history may be asked for, `beside` so many others. Those of which nothing
    /// is known come before those that have their last day.
    pub(super) fn has_room_for(&self, id: &VariantId, has_a_day: bool, beside: usize) -> bool {
        let most = if has_a_day { WHOLE_MAX } else { LAST_DAYS_MAX + self.with_a_day };
        let room = self.in_hand.len() + beside < most;
        room && !self.in_hand.contains(id) && !self.failed.contains(id)
    }

    /// Whether a variant's history is being read, or about to be.
    pub(super) fn is_reading(&self, id: &VariantId) -> bool {
        [&self.in_hand, &self.later, &self.unidentified].iter().any(|ids| ids.contains(id))
    }

    /// Whether anything was ever asked for.
    pub(super) const fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Whether what an earlier process has kept of a variant may still be taken up.
    pub(super) fn may_resume(&self, id: &VariantId) -> bool {
        self.has_past
            && self.shared.slots.keeping.is_some()
            && !self.shared.state().nothing_kept.contains(id)
    }

    /// Whether a variant waits for reads that say what it runs: what was kept is compared with that. One whose endpoint
    /// `is_next` to be described waits however long it takes.
    pub(super) fn waits_for_identity(
        &mut self,
        seed: &VariantId,
        is_next: bool,
        now: Timestamp,
    ) -> bool {
        let begun = *self.begun.get_or_insert(now);
        let waits = is_next || now - begun < IDENTITY_WAIT;
        if waits {
            self.unidentified.insert(seed.clone());
        }
        waits
    }

    /// No earlier process has kept anything.
    pub(super) const fn has_no_past(&mut self) {
        self.has_past = false;
    }

    /// A pass asks for history from here on, of variants that are `wanted`. The rest of others is not asked for any
    /// more.
    pub(super) fn begin_asking(&mut self, wanted: &BTreeSet<&VariantId>) {
        self.unidentified.clear();
        self.retain_later(|id| wanted.contains(id));
        self.with_a_day = self.shared.state().wholes();
    }

    /// Nobody waits any more for the rest of others.
    fn retain_later(&mut self, wanted: impl Fn(&VariantId) -> bool) {
        let progress = &self.shared.slots.progress;
        self.later.retain(|id| {
            let kept = wanted(id);
            if !kept {
                progress.history.done();
            }
            kept
        });
    }

    /// The history of a variant is wanted, and not asked for before [`Self::try_again`]. What was kept of it may be
    /// what is wrong, and is not taken up.
    pub(super) fn put_off(&mut self, id: &VariantId) {
        self.failed.insert(id.clone());
        self.shared.state().nothing_kept.insert(id.clone());
        if self.later.insert(id.clone()) {
            self.shared.slots.progress.history.expect(1);
        }
    }

    /// What could not be read may be asked for again.
    pub(super) fn try_again(&mut self) {
        self.failed.clear();
    }

    /// Begins to read the history of these.
    pub(super) fn begin(&mut self, seeds: Vec<Seed>, limits: Limits, now: Timestamp) {
        if seeds.is_empty() {
            return;
        }
        self.begun.get_or_insert(now);
        let progress = &self.shared.slots.progress;
        // What waited for its rest is counted already.
        let more = seeds.iter().filter(|seed| !self.later.remove(&seed.id)).count();
        progress.history.expect(more);
        let stage_of = |seed: &Seed| {
            if seed.may_resume { Stage::Resume } else { seed.first(limits) }
        };
        let first = seeds.iter().filter(|seed| stage_of(seed) == Stage::LastDay).count();
        progress.last_day.expect(first);
        self.in_hand.extend(seeds.iter().map(|seed| seed.id.clone()));
        {
            let mut state = self.shared.state();
            state.limits = Some(limits);
            state
                .queue
                .extend(seeds.into_iter().map(|seed| (read_order(stage_of(&seed), &seed), seed)));
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
            if filled.rest != Rest::Queued {
                self.in_hand.remove(&filled.id);
            }
            if filled.rest == Rest::Later {
                self.later.insert(filled.id.clone());
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
        state.ready.retain(|filled| {
            let kept = wanted(&filled.id);
            if !kept && filled.rest == Rest::Later {
                progress.history.done();
            }
            kept
        });
        drop(state);
        self.retain_later(&wanted);
        self.in_hand.retain(|id| wanted(id));
        self.unidentified.retain(|id| wanted(id));
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
        let mut scratch = shared.slots.take_scratch();
        let worker = Worker { shared: &shared, limits, stage };
        if let Some(keeping) = shared.slots.keeping.as_ref().filter(|_| stage == Stage::Resume) {
            let of = seeds.len();
            let (filled, left) = worker.resume(keeping, seeds, &mut scratch).await;
            shared.slots.give_back(scratch);
            put_away_resumed(&shared, of, filled, left, limits);
            shared.news.notify_waiters();
            continue;
        }
        let read = AssertUnwindSafe(worker.read(&seeds, &mut scratch)).catch_unwind().await;
        let filled = if let Ok(filled) = read {
            shared.slots.give_back(scratch);
            filled
        } else {
            seeds.iter().map(|seed| worker.none(seed, broken())).collect()
        };
        put_away(&shared, stage, filled, seeds);
        shared.news.notify_waiters();
    }
}

/// What has been read waits for the next pass; after a last day all of it is to be read, where there
/// is room for it to wait.
fn put_away(shared: &Shared, stage: Stage, filled: Vec<Filled>, seeds: Vec<Seed>) {
    let progress = &shared.slots.progress;
    let mut queued = shared.state();
    queued.reading = queued.reading.saturating_sub(seeds.len());
    let mut wholes = queued.wholes();
    for (mut filled, seed) in filled.into_iter().zip(seeds) {
        if stage == Stage::LastDay {
            progress.last_day.done();
        }
        if stage == Stage::LastDay && filled.variant.is_ok() {
            filled.rest = if wholes < WHOLE_MAX { Rest::Queued } else { Rest::Later };
        }
        match filled.rest {
            Rest::Nothing => progress.history.done(),
            Rest::Queued => {
                wholes += 1;
                queued.queue.insert(read_order(Stage::Whole, &seed), seed);
            }
            Rest::Later => {}
        }
        queued.ready.push(filled);
    }
}

/// What has been taken up waits for the next pass; the others are read from AWS.
fn put_away_resumed(
    shared: &Shared,
    of: usize,
    filled: Vec<Filled>,
    left: Vec<Seed>,
    limits: Limits,
) {
    let progress = &shared.slots.progress;
    let mut queued = shared.state();
    queued.reading = queued.reading.saturating_sub(of);
    for seed in left {
        let stage = seed.first(limits);
        progress.last_day.expect(usize::from(stage == Stage::LastDay));
        queued.nothing_kept.insert(seed.id.clone());
        queued.queue.insert(read_order(stage, &seed), seed);
    }
    for _ in &filled {
        progress.history.done();
    }
    queued.ready.extend(filled);
}

/// The next variants to read: as many as one page of an answer holds.
fn next(shared: &Shared) -> Option<(Stage, Vec<Seed>, Limits)> {
    let mut queued = shared.state();
    let limits = queued.limits?;
    let ((stage, ..), first) = queued.queue.pop_first()?;
    let minutes = span(stage, &first, limits).num_minutes().max(1);
    let most = match stage {
        Stage::Resume => RESUMED_AT_ONCE,
        _ => usize::try_from(PAGE / (minutes * QUERIES)).unwrap_or(1).max(1),
    };
    let mut seeds = vec![first];
    while seeds.len() < most
        && let Some(next) = queued.queue.first_entry().filter(|next| next.key().0 == stage)
    {
        seeds.push(next.remove());
    }
    queued.reading += seeds.len();
    Some((stage, seeds, limits))
}
