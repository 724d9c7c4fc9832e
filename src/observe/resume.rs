//! History that goes on where an earlier process has ended: the record of a variant, and the periods
//! since.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::evidence::Keeping;
use super::fetch::of_all_lengths;
use super::filling::{Piece, Worker, push, span};
use super::history::{Filled, PAGE, QUERIES, Seed, Stage};
use super::telemetry::Window;
use crate::estimate::Scratch;
use crate::model::evidence::NotResumed;
use crate::model::fact::Why;
use crate::model::ids::VariantId;
use crate::model::reads::Read;
use crate::model::time::{Timestamp, floor_to_minute};
use crate::variant::{Present, Variant};

/// A variant whose record fits.
struct Resumed {
    seed: Seed,
    variant: Variant,
    /// What it does not know yet; absent where that is nothing.
    window: Option<Window>,
    thin: bool,
}

impl Resumed {
    /// What can be read with it in one request.
    fn goes_with(&self, others: &[Self]) -> bool {
        let Some(first) = others.first() else { return true };
        let (Some(own), Some(window)) = (self.window, first.window) else {
            return self.window.is_none() && first.window.is_none();
        };
        let from = others.iter().filter_map(|other| Some(other.window?.from)).min();
        let from = from.unwrap_or(own.from).min(own.from);
        let queries = i64::try_from(others.len() + 1).unwrap_or(i64::MAX).saturating_mul(QUERIES);
        let all = Window { from, to: own.to }.minutes().saturating_mul(queries);
        self.thin == first.thin && own.to == window.to && all <= PAGE
    }
}

impl Worker<'_> {
    /// Takes up what was kept of these variants, and reads what is new. Second are those of which
    /// nothing is kept that fits.
    pub(super) async fn resume(
        &self,
        keeping: &Keeping,
        seeds: Vec<Seed>,
        scratch: &mut Scratch,
    ) -> (Vec<Filled>, Vec<Seed>) {
        let ids: Vec<VariantId> = seeds.iter().map(|seed| seed.id.clone()).collect();
        let records = keeping.records(ids).await;
        let now = self.shared.clock.now();
        let (mut filled, mut left, mut resumed) = (Vec::new(), Vec::new(), Vec::new());
        for (seed, record) in seeds.into_iter().zip(records) {
            // A bug of ours in one record leaves the others as they are.
            let took = record.map(|record| {
                catch_unwind(AssertUnwindSafe(|| self.take_up(&seed, &record, now)))
                    .unwrap_or(Err(NotResumed::Damaged))
            });
            match took {
                None => left.push(seed),
                Some(Ok(variant)) => resumed.push(self.window(seed, variant, now)),
                Some(Err(why)) => {
                    keeping.note_dropped(&seed.id, why);
                    left.push(seed);
                }
            }
        }
        resumed.sort_by_key(|one| (one.thin, one.window.map(|window| (window.to, window.from))));
        let mut rest = resumed.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut batch = vec![first];
            while let Some(next) = rest.next_if(|next| next.goes_with(&batch)) {
                batch.push(next);
            }
            for (seed, variant) in self.go_on(batch, scratch, now).await {
                let Some(variant) = variant else {
                    keeping.note_dropped(&seed.id, NotResumed::Damaged);
                    left.push(seed);
                    continue;
                };
                if variant.is_ok() {
                    keeping.note_resumed();
                }
                filled.push(Filled::new(seed.id, variant));
            }
        }
        (filled, left)
    }

    fn take_up(&self, seed: &Seed, record: &[u8], now: Timestamp) -> Result<Variant, NotResumed> {
        let from = floor_to_minute(now - span(Stage::Whole, seed, self.limits));
        let memory = seed.memory.as_deref();
        let present = Present { id: &seed.id, settings: &seed.settings, memory, from, now };
        seed.variant.resume(record, &present)
    }

    fn window(&self, seed: Seed, variant: Variant, now: Timestamp) -> Resumed {
        let thin = variant.is_thin(now);
        let (history, delay) = (self.limits.history, self.limits.delay);
        let next = if thin { Window::next_in_long_periods } else { Window::next };
        let window = next(now, variant.read_until(), history, delay);
        Resumed { seed, variant, window, thin }
    }

    /// Reads what these do not know yet, and pushes it. Where that fails in us, there is nothing.
    async fn go_on(
        &self,
        batch: Vec<Resumed>,
        scratch: &mut Scratch,
        now: Timestamp,
    ) -> Vec<(Seed, Option<Result<Variant, (Why, Read)>>)> {
        let windows = || batch.iter().filter_map(|one| one.window);
        let from = windows().map(|window| window.from).min();
        let Some((from, to)) = from.zip(windows().map(|window| window.to).max()) else {
            return batch.into_iter().map(|one| (one.seed, Some(Ok(one.variant)))).collect();
        };
        let window = Window { from, to };
        let seeds: Vec<&Seed> = batch.iter().map(|one| &one.seed).collect();
        let minutes = self.minutes(&seeds, window, now).await;
        let longer = if batch.iter().any(|one| one.thin) {
            self.longer(&seeds, window, now).await
        } else {
            vec![Ok(Vec::new()); batch.len()]
        };
        let read = Read::new("GetMetricData", self.shared.clock.now());
        let mut gone_on = Vec::with_capacity(batch.len());
        for ((one, minutes), longer) in batch.into_iter().zip(minutes).zip(longer) {
            let Resumed { seed, variant, window, .. } = one;
            let (minutes, longer) = match of_all_lengths(minutes, longer) {
                Ok(both) => both,
                Err(why) => {
                    gone_on.push((seed, Some(Err((why, read)))));
                    continue;
                }
            };
            let pushed = catch_unwind(AssertUnwindSafe(|| {
                let mut variant = variant;
                if let Some(Window { from, to }) = window {
                    let piece = Piece { from, to, minutes: &minutes, longer: &longer, read, now };
                    push(&mut variant, &seed, &piece, (scratch, &*self.shared.slots.shelf));
                }
                variant
            }));
            gone_on.push((seed, pushed.ok().map(Ok)));
        }
        gone_on
    }
}
