//! Scaling activities, which are not read in every pass (rule 24).

use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::reader::{Reader, Request, Wanted};
use crate::model::ids::VariantId;
use crate::model::reads::Read;
use crate::model::shared::Shared;
use crate::model::time::Timestamp;

/// Variants that are read one by one because a person asks, in one pass: each takes a call or more, and the budget of a
/// region is 2 a second.
pub(super) const REFRESHED_MAX: usize = 50;

impl Reader {
    /// Rule 24: one page of activities, of variants that changed or are at max, else hourly; and
    /// of those to be read again, as many as [`REFRESHED_MAX`]. Those that do not fit
    /// wait for the next pass; those that have waited longest go first.
    pub(super) async fn read_activities(
        &mut self,
        wanted: &[Wanted],
        request: Request<'_>,
        now: Timestamp,
    ) {
        let (mut due, mut refresh) = (Vec::new(), 0);
        for (id, goal) in wanted {
            let managed = goal.as_ref().is_ok_and(|goal| goal.managed);
            let at_max = self.is_at_max(id);
            let Some(variant) = self.variants.get_mut(id).filter(|_| managed) else { continue };
            // They explain what is known; until all is described there is more to know.
            let is_due = !self.has_more && variant.activities.is_due(id, now);
            let asked = refresh < REFRESHED_MAX && request.wants_refresh(id);
            refresh += usize::from(asked);
            if asked || is_due || (at_max && !self.has_more) {
                due.push(((!asked, variant.activities.turn()), id.clone()));
            }
        }
        due.sort_by_key(|(turn, _)| *turn);
        // A pass that waited for all that are due would be the longer the more are due, and the longer it takes, the more
        // become due.
        let until = Instant::now() + request.settings.activities_timeout;
        let (scaling, clock) = (&self.aws.scaling, &*self.clock);
        // Each call waits for its turn: with many at once the listings would hardly get any.
        let listings = self.listings.are_under_way();
        let concurrency = if listings { 1 } else { request.settings.concurrency };
        let read: Vec<_> = stream::iter(due)
            .take_while(|_| std::future::ready(Instant::now() < until))
            .map(|(_, id)| async {
                let activities = scaling.scaling_activities(&id.resource()).await;
                (id, activities, Read::new("DescribeScalingActivities", clock.now()))
            })
            .buffer_unordered(concurrency.max(1))
            .collect()
            .await;
        for (id, activities, read) in read {
            if let Some(variant) = self.variants.get_mut(&id) {
                variant.activities.note(activities.map(Shared::from).into(), Some(read), now);
            }
        }
    }

    /// Whether a variant runs as many instances as it may, by what the last pass saw.
    fn is_at_max(&self, id: &VariantId) -> bool {
        let max = self.variants.get(id).and_then(|variant| variant.max_capacity);
        let endpoint = self.cache.endpoint(&id.endpoint);
        let current = endpoint
            .known()
            .and_then(Option::as_ref)
            .and_then(|e| e.variant(&id.variant))
            .and_then(|v| v.current_instances);
        current.zip(max).is_some_and(|(current, max)| i64::from(current) >= i64::from(max))
    }
}
