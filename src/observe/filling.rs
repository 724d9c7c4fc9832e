//! Reads the history of a few variants, and tells it to each from the oldest minute to the newest.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::TimeDelta;

use super::fetch::What;
use super::history::{FIRST, Filled, Limits, Seed, Shared, Stage};
use super::periods::Periods;
use super::telemetry::{LONG_PERIODS, Window, newest_thin};
use super::unknown::broken;
use crate::estimate::Scratch;
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::VariantId;
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
        let mut longer: BTreeMap<VariantId, Vec<Result<Periods, Why>>> = BTreeMap::new();
        for period in LONG_PERIODS.into_iter().filter(|_| !thin.is_empty()) {
            let Some(whole) = window.whole(i64::from(period)) else { continue };
            let read = self.periods(&thin, whole, period, now).await;
            for (seed, periods) in thin.iter().zip(read) {
                longer.entry(seed.id.clone()).or_default().push(periods);
            }
        }
        let read = Read::new("GetMetricData", self.shared.clock.now());
        let mut filled = Vec::with_capacity(seeds.len());
        for (at, seed) in seeds.iter().enumerate() {
            let minutes = std::mem::replace(&mut minutes[at], Err(broken()));
            // Half of what a variant is judged by is not all of its history.
            let longer = longer.remove(&seed.id).unwrap_or_default();
            let longer = longer.into_iter().collect::<Result<Vec<Periods>, Why>>();
            let both = minutes.and_then(|minutes| Ok((minutes, longer?)));
            let variant = both.map_err(|why| (why, read)).and_then(|(minutes, longer)| {
                // Periods of all lengths must end together to be told in order.
                let grain = if is_thin(at) { i64::from(LONG_PERIODS[1]) } else { 60 };
                let (from, to) = (window.from, floor_to(window.to, grain));
                let told = Told { from, to, minutes: &minutes, longer: &longer, read, now };
                // A bug of ours in one variant's minutes leaves the others as they are.
                catch_unwind(AssertUnwindSafe(|| self.build(seed, thin_since[at], &told, scratch)))
                    .map_err(|_| (broken(), read))
            });
            filled.push(Filled { id: seed.id.clone(), variant, stage: self.stage });
        }
        filled
    }

    /// Nothing could be read of a variant.
    pub(super) fn none(&self, seed: &Seed, why: Why) -> Filled {
        let read = Read::new("GetMetricData", self.shared.clock.now());
        Filled { id: seed.id.clone(), variant: Err((why, read)), stage: self.stage }
    }

    pub(super) async fn periods(
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
    fn build(
        &self,
        seed: &Seed,
        thin_since: Option<Timestamp>,
        told: &Told<'_>,
        scratch: &mut Scratch,
    ) -> Variant {
        let mut variant = seed.variant.clone();
        variant.begin_history(told.from, self.stage == Stage::LastDay, thin_since);
        tell(&mut variant, seed, told, scratch);
        variant
    }
}

/// What was read of one variant.
pub(super) struct Told<'a> {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) minutes: &'a Periods,
    pub(super) longer: &'a [Periods],
    pub(super) read: Read,
    pub(super) now: Timestamp,
}

/// Tells a variant what was read, a piece at a time.
pub(super) fn tell(variant: &mut Variant, seed: &Seed, told: &Told<'_>, scratch: &mut Scratch) {
    let Told { mut from, to, minutes, longer, read, now } = *told;
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
}
