//! The requests of the last weeks, read of the few variants whose weeks one pass may replay. Nothing
//! keeps them: one metric a day costs less than the memory for 20,160 minutes of every variant.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use super::bounded::soon;
use super::fetch::FetchRequest;
use super::reader::{Reader, Wanted};
use super::readings::REQUESTS;
use super::settings::{HistoryWait, Settings};
use super::telemetry::Window;
use crate::model::ids::{ResourceId, VariantId};
use crate::model::spending::Saving;
use crate::model::time::Timestamp;
use crate::variant::{Replay, WEEKS_SPAN, Weeks};

/// Variants in one request: four times two weeks of minutes are one page of an answer.
const TOGETHER: usize = 4;

/// How many replays one pass may work out.
#[derive(Debug, Clone, Copy)]
struct Work {
    /// A fraction of a second each.
    floors: usize,
    /// Safety factors alone take a tenth of that.
    factors: usize,
}

impl Work {
    /// A daemon comes round to the other variants in the passes that follow, so that none takes long;
    /// a person waits for an answer that is whole.
    const fn of(wait: HistoryWait) -> Self {
        match wait {
            HistoryWait::For(_) => Self { floors: 1, factors: 4 },
            HistoryWait::All | HistoryWait::Until(_) => Self { floors: 20, factors: 100 },
        }
    }

    /// Takes one of them, if any is left.
    fn take(&mut self, replay: Replay) -> bool {
        let left = match replay {
            Replay::Floors => &mut self.floors,
            Replay::Factor => &mut self.factors,
        };
        let taken = *left > 0;
        *left -= usize::from(taken);
        taken
    }
}

impl Reader {
    /// Reads the weeks of the variants that are next: those that have waited longest.
    pub(super) async fn read_weeks(
        &mut self,
        wanted: &[Wanted],
        settings: &Settings,
        now: Timestamp,
    ) -> BTreeMap<VariantId, Weeks> {
        let mut weeks = BTreeMap::new();
        if self.cost.saving(settings.budget_dollars, now) >= Saving::Steady {
            return weeks;
        }
        let next = self.next_replays(wanted, settings, now);
        let Some(window) = Window::next(now, None, WEEKS_SPAN + settings.delay, settings.delay)
        else {
            return weeks;
        };
        let budget_dollars = settings.budget_dollars;
        let what = FetchRequest { window, period_seconds: 60, budget_dollars, now };
        for id in &next {
            self.variants.entry(id.clone()).or_default().ask_for_weeks(now);
        }
        let fetch = self.fetch();
        let read = |ids: &[VariantId]| {
            let of: Vec<ResourceId> = ids.iter().map(VariantId::resource).collect();
            let (fetch, ids) = (fetch.clone(), ids.to_vec());
            async move { (ids, soon("GetMetricData", fetch.requests(&of, what)).await) }.boxed()
        };
        let reads: Vec<BoxFuture<'static, _>> = next.chunks(TOGETHER).map(read).collect();
        let mut reads = stream::iter(reads).buffered(REQUESTS);
        while let Some((ids, answers)) = reads.next().await {
            let answers = answers.unwrap_or_else(|why| vec![Err(why); ids.len()]);
            for (id, answer) in ids.into_iter().zip(answers) {
                match answer {
                    Ok(column) => drop(weeks.insert(id, Weeks::new(window.from, column))),
                    Err(why) => {
                        tracing::debug!(variant = %id, why = %why.message, "its weeks are not read");
                    }
                }
            }
        }
        weeks
    }

    fn next_replays(
        &self,
        wanted: &[Wanted],
        settings: &Settings,
        now: Timestamp,
    ) -> Vec<VariantId> {
        let mut due: Vec<(Option<Timestamp>, &VariantId, Replay)> = wanted
            .iter()
            .filter_map(|(id, goal)| {
                let goal = goal.as_ref().ok().filter(|goal| goal.wants_replays())?;
                let variant = self.variants.get(id)?;
                Some((variant.weeks_asked(), id, variant.replay_due(goal, now)?))
            })
            .collect();
        due.sort_unstable_by_key(|(asked, ..)| *asked);
        let mut work = Work::of(settings.history_wait);
        due.into_iter().filter(|(.., r)| work.take(*r)).map(|(_, id, _)| id.clone()).collect()
    }
}
