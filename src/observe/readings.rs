//! The paid telemetry of every variant: what is new, for several variants in one call.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use chrono::TimeDelta;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use super::fetch::{Fetch, FetchRequest, of_all_lengths};
use super::history::{Seed, WHOLE_MAX};
use super::periods::Periods;
use super::reader::{Reader, Wanted};
use super::settings::{DiscoveryTelemetry, Settings};
use super::sweep::Sweep;
use super::telemetry::Window;
use crate::estimate::{Context, EstimatorSettings};
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::goal::{Goal, LoadTestProblem};
use crate::model::ids::VariantId;
use crate::model::memory::VariantMemory;
use crate::model::reads::Read;
use crate::model::scaling::ScalingPolicy;
use crate::model::shared::Shared;
use crate::model::spending::Saving;
use crate::model::time::Timestamp;
use crate::ports::{Clock, Memories};
use crate::variant::{NewPeriods, Variant};

/// Variants whose answers are held in memory at once: 5 queries each fill one call.
const VARIANTS_PER_BATCH: usize = 100;
/// Spans up to this are read together although one is longer than the other.
const TOGETHER: TimeDelta = TimeDelta::hours(3);
/// How often variants that nobody lists are read, and steady ones when the budget runs short.
const HOURLY: TimeDelta = TimeDelta::hours(1);
/// Requests of a pass that are under way at once: each holds its answer in memory.
pub(super) const REQUESTS: usize = 4;

/// What reads of telemetry in a pass go by.
#[derive(Clone, Copy)]
pub(super) struct Basis<'a> {
    pub(super) sweep: &'a Sweep,
    pub(super) remembered: &'a Memories,
    pub(super) wanted: &'a [Wanted],
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}

/// A variant whose telemetry is about to be read.
struct Reading<'a> {
    id: &'a VariantId,
    goal: &'a Goal,
    context: Context,
    memory: Option<&'a Shared<VariantMemory>>,
    /// Why its load test does not count (rule 5).
    problem: Option<LoadTestProblem>,
    /// The first minute that is new.
    from: Timestamp,
}

/// Variants that were read up to about the same minute, so that they share their calls.
struct Group<'a> {
    window: Window,
    thin: bool,
    readings: Vec<Reading<'a>>,
}

/// What was read of the variants of a group.
struct Fetched {
    minutes: Vec<Result<Periods, Why>>,
    longer: Vec<Result<Vec<Periods>, Why>>,
    read: Read,
}

impl Reader {
    /// Reads the minutes that are new of every variant whose telemetry is wanted, and begins to read
    /// the history of those of which none is known.
    pub(super) async fn read_telemetry(&mut self, basis: Basis<'_>) {
        let Basis { wanted, settings, now, .. } = basis;
        let unlisted_paid = self.is_unlisted_paid(settings, now);
        for (id, goal) in wanted {
            if let (Ok(goal), Some(variant)) = (goal, self.variants.get_mut(id)) {
                variant.note_goal(goal);
            }
            if !goal.as_ref().is_ok_and(|goal| goal.managed || unlisted_paid) {
                self.unmeasured.forget(id);
            }
        }
        self.history.try_again();
        self.adopt_history(true);
        self.read_history(basis).await;
        let groups = self.groups(basis);
        let fetch = self.fetch();
        let fetches: Vec<BoxFuture<'_, (Group<'_>, Fetched)>> = groups
            .into_iter()
            .map(|group| {
                let (fetch, clock) = (fetch.clone(), Arc::clone(&self.clock));
                group.fetch(fetch, clock, settings.budget_dollars, now).boxed()
            })
            .collect();
        let mut answers = stream::iter(fetches).buffered(REQUESTS);
        while let Some((group, fetched)) = answers.next().await {
            self.take_in(&group, fetched, now);
        }
    }

    /// Begins to read the history of those of which none is known, and waits for it as long as this pass may.
    async fn read_history(&mut self, basis: Basis<'_>) {
        // The monotonic clock, for a wait of this process.
        let end = basis.settings.history_wait.end(Instant::now());
        // Asks again as there is room. What could not be read is not asked for twice, so that this ends by itself; the
        // bound is for a bug of ours.
        for _ in 0..=2 * basis.wanted.len().div_ceil(WHOLE_MAX) {
            if !self.begin_history(basis) {
                return;
            }
            let most = end.map(|end| end.saturating_duration_since(Instant::now()));
            self.history.settle(most).await;
            self.adopt_history(true);
            if most.is_some_and(|most| most.is_zero()) {
                return;
            }
        }
    }

    /// Goes on with history between the reads of what is new. Nothing is begun that was not wanted
    /// by a pass that reads telemetry.
    pub(super) fn go_on_with_history(&mut self, basis: Basis<'_>) {
        if self.history.is_begun() {
            self.adopt_history(false);
            self.begin_history(basis);
        }
    }

    /// Puts history that has been read in the place of what was known before: all of it when what
    /// is new is read next, else as far as nothing newer is lost.
    fn adopt_history(&mut self, all: bool) {
        let variants = &self.variants;
        let ready = self.history.take(|id, read| {
            let known = variants.get(id).and_then(|variant| variant.read_until());
            all || known <= read.read_until()
        });
        for filled in ready {
            let Some(variant) = self.variants.get_mut(&filled.id) else { continue };
            match filled.variant {
                Ok(history) => {
                    variant.adopt(history);
                    self.unmeasured.forget(&filled.id);
                }
                Err((why, read)) => {
                    self.unmeasured.note(&filled.id, &why);
                    variant.could_not_read(why, read);
                }
            }
        }
    }

    /// Begins to read the history that is wanted; whether there was any to begin with.
    fn begin_history(&mut self, basis: Basis<'_>) -> bool {
        let Basis { settings, now, .. } = basis;
        let unlisted_paid = self.is_unlisted_paid(settings, now);
        let mut seeds = Vec::new();
        let without = without_history(&self.variants, basis, unlisted_paid);
        self.history.begin_asking(&without.iter().map(|(id, ..)| *id).collect());
        for (id, goal, variant) in without {
            let has_a_day = variant.read_until().is_some();
            if !self.history.has_room_for(id, has_a_day, seeds.len()) {
                continue;
            }
            let may_resume = !has_a_day && self.history.may_resume(id);
            let is_open = may_resume && !variant.is_identified() && self.may_be_identified(id);
            let is_next = self.is_yet_to_be_described(basis.sweep, id);
            if (is_open || is_next) && self.history.waits_for_identity(id, is_next, now) {
                continue;
            }
            let reading = self.reading(basis, (id, goal), now);
            seeds.push(Seed {
                id: id.clone(),
                listed: goal.managed,
                settings: reading.estimator_settings(),
                context: reading.context,
                memory: reading.memory.cloned(),
                variant: variant.blank(),
                thin: variant.is_thin(now),
                last_day_first: !has_a_day,
                may_resume,
            });
        }
        let begins = !seeds.is_empty();
        if seeds.len() <= settings.last_day_first_above {
            for seed in &mut seeds {
                seed.last_day_first = false;
            }
        }
        self.history.begin(seeds, settings.into(), now);
        begins
    }

    /// Whether telemetry of variants that nobody lists is paid for.
    fn is_unlisted_paid(&self, settings: &Settings, now: Timestamp) -> bool {
        let saving = self.cost.saving(settings.budget_dollars, now);
        settings.discovery_telemetry != DiscoveryTelemetry::Off && saving == Saving::Nothing
    }

    /// Whether an endpoint is one of thousands whose turn has not come since the start. Minutes mean little without what
    /// they are of.
    fn is_yet_to_be_described(&self, sweep: &Sweep, id: &VariantId) -> bool {
        // One that is not listed has no turn.
        let is_listed = matches!(sweep.endpoint(&id.endpoint), Fact::Known(Some(_)));
        let endpoint = self.cache.endpoint(&id.endpoint);
        is_listed && endpoint.why().is_some_and(|why| why.kind == WhyKind::NotReadYet)
    }

    /// Whether reads that are still to come may say what a variant runs. Once they have been answered, only the endpoint
    /// itself can change: a deploy may take hours, and its variants are read meanwhile, as where nothing was kept.
    fn may_be_identified(&self, id: &VariantId) -> bool {
        let may_come = |why: Option<&Why>| why.is_some_and(|why| why.kind != WhyKind::Denied);
        match &*self.cache.endpoint(&id.endpoint) {
            Fact::Unknown(why) => may_come(Some(why)),
            Fact::Known(None) => false,
            Fact::Known(Some(endpoint)) => {
                endpoint.runs_its_config() && may_come(self.cache.config(endpoint).why())
            }
        }
    }

    /// Who is to be read, with whom.
    fn groups<'a>(&self, basis: Basis<'a>) -> Vec<Group<'a>> {
        let Basis { wanted, settings, now, .. } = basis;
        let saving = self.cost.saving(settings.budget_dollars, now);
        let mut groups: BTreeMap<(Option<Timestamp>, Timestamp, bool), Vec<Reading<'a>>> =
            BTreeMap::new();
        for (id, goal) in wanted {
            let (Ok(goal), Some(variant)) = (goal, self.variants.get(id)) else { continue };
            let Some(read_until) = variant.read_until() else { continue };
            if !is_wanted((goal, variant), settings, saving, now) {
                continue;
            }
            let thin = variant.is_thin(now);
            let next = if thin { Window::next_in_long_periods } else { Window::next };
            let window = next(now, Some(read_until), settings.history, settings.delay);
            let Some(window) = window else { continue };
            // A few minutes more cost nothing: the price is by the query.
            let alone = window.to - window.from > TOGETHER;
            let key = (alone.then_some(window.from), window.to, thin);
            let reading = self.reading(basis, (id, goal), window.from);
            groups.entry(key).or_default().push(reading);
        }
        let mut batches = Vec::new();
        for ((_, to, thin), readings) in groups {
            let mut rest = readings.into_iter();
            loop {
                // Room for one batch: what is split off a list keeps room for all of the list.
                let readings: Vec<_> = rest.by_ref().take(VARIANTS_PER_BATCH).collect();
                let Some(from) = readings.iter().map(|reading| reading.from).min() else { break };
                batches.push(Group { window: Window { from, to }, thin, readings });
            }
        }
        batches
    }

    fn take_in(&mut self, group: &Group<'_>, fetched: Fetched, now: Timestamp) {
        let Fetched { minutes, longer, read } = fetched;
        let to = group.window.to;
        let answers = minutes.into_iter().zip(longer);
        for (reading, (minutes, longer)) in group.readings.iter().zip(answers) {
            let estimator = reading.estimator_settings();
            let Some(variant) = self.variants.get_mut(reading.id) else { continue };
            let (minutes, longer) = match of_all_lengths(minutes, longer) {
                Ok(both) => both,
                Err(why) => {
                    self.unmeasured.note(reading.id, &why);
                    variant.could_not_read(why, read);
                    continue;
                }
            };
            self.unmeasured.forget(reading.id);
            let longer = longer.iter();
            let new = NewPeriods {
                minutes: minutes.between(reading.from, to).collect(),
                longer: longer.flat_map(|periods| periods.between(reading.from, to)).collect(),
                until: to,
                read,
            };
            // A bug of ours in one variant's minutes leaves the others as they are.
            let taken = catch_unwind(AssertUnwindSafe(|| {
                let by = (&estimator, &reading.context);
                let memory = reading.memory.map(|memory| &**memory);
                let taken = variant.take_in(new, by, memory, &mut self.scratch, now);
                variant.answer_and_rest(by, &*self.shelf, &mut self.scratch, now);
                taken
            }));
            match taken {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "beginning without the regime journal");
                }
                Err(_) => self.distrust(reading.id),
            }
        }
    }

    /// A variant whose minutes are read from this one on.
    fn reading<'a>(
        &self,
        basis: Basis<'a>,
        (id, goal): (&'a VariantId, &'a Goal),
        from: Timestamp,
    ) -> Reading<'a> {
        let Basis { sweep, remembered, now, .. } = basis;
        let memory = remembered.get(id).and_then(Fact::known);
        let described = self.described(sweep, id);
        let described = described.of(id);
        let problem = described.check(goal.load_test.as_ref(), memory.map(|m| &**m), now).err();
        Reading { id, goal, context: context(sweep, id, goal), memory, problem, from }
    }
}

impl Reading<'_> {
    fn estimator_settings(&self) -> EstimatorSettings {
        EstimatorSettings {
            load_test: self.goal.load_test.as_ref().map(|test| test.max_rps),
            load_test_problem: self.problem,
            ..EstimatorSettings::new(self.goal.objective)
        }
    }
}

impl<'a> Group<'a> {
    async fn fetch(
        self,
        fetch: Fetch,
        clock: Arc<dyn Clock>,
        budget_dollars: Option<f64>,
        now: Timestamp,
    ) -> (Group<'a>, Fetched) {
        let own = |reading: &Reading<'_>| (reading.id.resource(), reading.goal.objective);
        let of: Vec<_> = self.readings.iter().map(own).collect();
        let what = FetchRequest { window: self.window, period_seconds: 60, budget_dollars, now };
        let minutes = fetch.periods(&of, what).await;
        let longer =
            if self.thin { fetch.longer(&of, what).await } else { vec![Ok(Vec::new()); of.len()] };
        let read = Read::new("GetMetricData", clock.now());
        (self, Fetched { minutes, longer, read })
    }
}

/// Those whose history is wanted and may be paid for: first those of which nothing is known, of these the
/// listed ones.
fn without_history<'a>(
    variants: &'a BTreeMap<VariantId, Box<Variant>>,
    basis: Basis<'a>,
    unlisted_paid: bool,
) -> Vec<(&'a VariantId, &'a Goal, &'a Variant)> {
    let mut found: Vec<(&VariantId, &Goal, &Variant)> = basis
        .wanted
        .iter()
        .filter_map(|(id, goal)| Some((id, &**goal.as_ref().ok()?, &**variants.get(id)?)))
        .filter(|(_, goal, variant)| (goal.managed || unlisted_paid) && variant.wants_history())
        .collect();
    found.sort_by_key(|(_, goal, variant)| (variant.read_until().is_some(), !goal.managed));
    found
}

/// What the findings of a variant compare its capacity with.
pub(super) fn context(sweep: &Sweep, id: &VariantId, goal: &Goal) -> Context {
    let policies = sweep.policies(&id.resource());
    let policy = policies.known().and_then(|policies| ScalingPolicy::of_invocations(policies));
    let tracking = policy.and_then(ScalingPolicy::invocations_tracking);
    Context {
        configured_target: tracking.map(|tracking| tracking.target_value),
        safety_factor: goal.safety_factor.get(),
    }
}

/// Whether what is new of a variant is read by this pass.
fn is_wanted(
    (goal, variant): (&Goal, &Variant),
    settings: &Settings,
    saving: Saving,
    now: Timestamp,
) -> bool {
    // Passes are delayed at random, so that two of them are some seconds less apart than by the schedule.
    let is_due = |every: TimeDelta| {
        let read = variant.telemetry().known();
        read.is_none_or(|telemetry| now - telemetry.read_at + TimeDelta::minutes(1) >= every)
    };
    if goal.managed {
        let steady_every = match saving {
            Saving::Steady => HOURLY.max(settings.steady_every),
            Saving::Nothing | Saving::Unlisted => settings.steady_every,
        };
        return !variant.is_steady(now) || is_due(steady_every);
    }
    match settings.discovery_telemetry {
        _ if saving != Saving::Nothing => false,
        DiscoveryTelemetry::Off => false,
        DiscoveryTelemetry::Full => true,
        DiscoveryTelemetry::Hourly => is_due(HOURLY),
    }
}
