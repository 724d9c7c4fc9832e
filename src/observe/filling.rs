//! Reads the history of a few variants, and pushes it into each from the oldest minute to the newest.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::TimeDelta;

use super::fetch::{FetchRequest, of_all_lengths};
use super::history::{FIRST, Filled, Limits, Seed, Shared, Stage};
use super::periods::Periods;
use super::telemetry::{LONG_PERIODS, Window};
use super::unknown::broken;
use crate::compact::Shelf;
use crate::estimate::Scratch;
use crate::model::fact::{Why, WhyKind};
use crate::model::goal::Objective;
use crate::model::ids::ResourceId;
use crate::model::reads::Read;
use crate::model::series::Minute;
use crate::model::time::{Timestamp, floor_to};
use crate::variant::{NewPeriods, Variant};

/// How much is handed to an estimator at once.
const PIECE_SECONDS: i64 = 86_400;

/// How far back a stage reads. Without a latency objective there is no estimate, and the last day
/// is all that is looked at.
pub(super) fn span(stage: Stage, seed: &Seed, limits: Limits) -> TimeDelta {
    let first = stage == Stage::LastDay || seed.settings.objective.latency.is_none();
    if first { limits.history.min(FIRST) } else { limits.history }
}

/// Reads the history of a few variants.
pub(super) struct Worker<'a> {
    pub(super) shared: &'a Shared,
    pub(super) limits: Limits,
    pub(super) stage: Stage,
}

impl Worker<'_> {
    pub(super) async fn read(&self, seeds: &[Seed], scratch: &mut Scratch) -> Vec<Filled> {
        let now = self.shared.clock.now();
        let span = seeds.iter().map(|seed| span(self.stage, seed, self.limits)).max();
        let window = Window::next(now, None, span.unwrap_or(FIRST), self.limits.delay);
        let Some(window) = window else {
            let why = || Why::new(WhyKind::NotReadYet, "not read yet");
            return seeds.iter().map(|seed| self.none(seed, why())).collect();
        };
        let all: Vec<&Seed> = seeds.iter().collect();
        let mut minutes = self.minutes(&all, window, now).await;
        let thin_since: Vec<Option<Timestamp>> = seeds
            .iter()
            .zip(&minutes)
            .map(|(seed, minutes)| {
                let least = seed.settings.objective.latency?.statistic.min_requests();
                minutes.as_ref().ok()?.newest_thin(least)
            })
            .collect();
        let is_thin = |at: usize| {
            seeds[at].thin || thin_since[at].is_some_and(|at| now < at + TimeDelta::days(1))
        };
        let thin: Vec<&Seed> =
            (0..seeds.len()).filter(|at| is_thin(*at)).map(|at| &seeds[at]).collect();
        let mut longer = self.longer(&thin, window, now).await.into_iter();
        let read = Read::new("GetMetricData", self.shared.clock.now());
        let mut filled = Vec::with_capacity(seeds.len());
        for (at, seed) in seeds.iter().enumerate() {
            let minutes = std::mem::replace(&mut minutes[at], Err(broken()));
            let longer = if is_thin(at) { longer.next() } else { None };
            let longer = longer.unwrap_or_else(|| Ok(Vec::new()));
            let all = of_all_lengths(minutes, longer);
            let variant = all.map_err(|why| (why, read)).and_then(|(minutes, longer)| {
                // Periods of all lengths must end together to be pushed in order.
                let grain = if is_thin(at) { i64::from(LONG_PERIODS[1]) } else { 60 };
                let (from, to) = (window.from, floor_to(window.to, grain));
                let piece = Piece { from, to, minutes: &minutes, longer: &longer, read, now };
                // A bug of ours in one variant's minutes leaves the others as they are.
                catch_unwind(AssertUnwindSafe(|| self.build(seed, thin_since[at], &piece, scratch)))
                    .map_err(|_| (broken(), read))
            });
            filled.push(Filled::new(seed.id.clone(), variant));
        }
        filled
    }

    /// Nothing could be read of a variant.
    pub(super) fn none(&self, seed: &Seed, why: Why) -> Filled {
        let read = Read::new("GetMetricData", self.shared.clock.now());
        Filled::new(seed.id.clone(), Err((why, read)))
    }

    /// The minutes of these.
    pub(super) async fn minutes(
        &self,
        seeds: &[&Seed],
        window: Window,
        now: Timestamp,
    ) -> Vec<Result<Periods, Why>> {
        self.shared.fetch.periods(&of(seeds), self.what(window, now)).await
    }

    /// The longer periods of these.
    pub(super) async fn longer(
        &self,
        seeds: &[&Seed],
        window: Window,
        now: Timestamp,
    ) -> Vec<Result<Vec<Periods>, Why>> {
        self.shared.fetch.longer(&of(seeds), self.what(window, now)).await
    }

    const fn what(&self, window: Window, now: Timestamp) -> FetchRequest {
        let budget_dollars = self.limits.budget_dollars;
        FetchRequest { window, period_seconds: 60, budget_dollars, now }
    }

    /// A variant that knows this history and nothing else.
    fn build(
        &self,
        seed: &Seed,
        thin_since: Option<Timestamp>,
        piece: &Piece<'_>,
        scratch: &mut Scratch,
    ) -> Variant {
        let mut variant = seed.variant.clone();
        variant.begin_history(piece.from, self.stage == Stage::LastDay, thin_since);
        push(&mut variant, seed, piece, (scratch, &*self.shared.slots.shelf));
        variant
    }
}

fn of(seeds: &[&Seed]) -> Vec<(ResourceId, Objective)> {
    seeds.iter().map(|seed| (seed.id.resource(), seed.settings.objective)).collect()
}

/// What was read of one variant.
pub(super) struct Piece<'a> {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) minutes: &'a Periods,
    pub(super) longer: &'a [Periods],
    pub(super) read: Read,
    pub(super) now: Timestamp,
}

/// Pushes what was read into a variant, a day at a time.
pub(super) fn push(
    variant: &mut Variant,
    seed: &Seed,
    piece: &Piece<'_>,
    (scratch, shelf): (&mut Scratch, &dyn Shelf),
) {
    let Piece { mut from, to, minutes, longer, read, now } = *piece;
    let days = std::iter::from_fn(|| {
        let next = floor_to(from + TimeDelta::seconds(PIECE_SECONDS), PIECE_SECONDS).min(to);
        let start = std::mem::replace(&mut from, next);
        (start < to).then(|| NewPeriods {
            minutes: minutes.between(start, next).collect(),
            longer: longer
                .iter()
                .flat_map(|periods| periods.between(start, next))
                .collect::<Vec<Minute>>(),
            until: next,
            read,
        })
    });
    let by = (&seed.settings, &seed.context);
    if let Err(error) = variant.take_in_all(days, by, seed.memory.as_deref(), scratch, now) {
        tracing::warn!(variant = %seed.id, %error, "beginning without the regime journal");
    }
    variant.rest(shelf);
}
