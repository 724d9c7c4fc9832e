//! What Application Auto Scaling and CloudWatch's alarms say of one variant, read by its name: where listings that take
//! many minutes say less than is known already. After a write they still show what was before it, which must pass for
//! nobody's edit; of an endpoint that was made since they say nothing, which must not pass for an absence.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::activities::REFRESHED_MAX;
use super::reader::{Reader, Request, Wanted};
use super::sweep::{Sweep, timed};
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::ids::{ResourceId, VariantId};
use crate::model::listing::Listing;
use crate::model::reads::Read;
use crate::model::scaling::{Alarm, ScalableTarget, ScalingPolicy, ScheduledAction, alarm_prefix};
use crate::model::shared::Shared;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock, Memories, PortResult};

/// Variants that are read by name at once: each takes three calls of Application Auto Scaling's bucket, whose rate is
/// the lowest, and the listings wait behind them.
const AT_ONCE: usize = 2;

/// When each of them was read.
#[derive(Debug, Clone, Copy)]
pub struct RowsRead {
    pub target: Read,
    pub policies: Read,
    pub scheduled_actions: Read,
    pub alarms: Read,
}

/// All of them, of one variant.
#[derive(Debug, Clone)]
pub struct Rows {
    /// When the reads began.
    pub began: Timestamp,
    pub target: Shared<Fact<Option<ScalableTarget>>>,
    pub policies: Shared<Fact<Vec<ScalingPolicy>>>,
    pub scheduled_actions: Shared<Fact<Vec<ScheduledAction>>>,
    pub alarms: Shared<Fact<Vec<Alarm>>>,
    pub reads: RowsRead,
}

impl Rows {
    /// Reads them.
    pub async fn read(aws: &Aws, clock: &dyn Clock, of: &ResourceId) -> Self {
        let (began, names) = (clock.now(), std::slice::from_ref(of));
        let prefix = alarm_prefix(of);
        let (targets, policies, actions, alarms) = tokio::join!(
            timed(clock, "DescribeScalableTargets", aws.scaling.scalable_targets(Some(names))),
            timed(clock, "DescribeScalingPolicies", aws.scaling.scaling_policies(Some(of))),
            timed(clock, "DescribeScheduledActions", aws.scaling.scheduled_actions(Some(of))),
            timed(clock, "DescribeAlarms", aws.metrics.alarms(&prefix)),
        );
        Self {
            began,
            target: all_of(targets.0, targets.1).map(|all| all.into_iter().next()).into(),
            policies: all_of(policies.0, policies.1).into(),
            scheduled_actions: all_of(actions.0, actions.1).into(),
            alarms: all_of(alarms.0, alarms.1).into(),
            reads: RowsRead {
                target: targets.1,
                policies: policies.1,
                scheduled_actions: actions.1,
                alarms: alarms.1,
            },
        }
    }

    /// Whether none of them is unknown.
    pub fn are_known(&self) -> bool {
        let Self { target, policies, scheduled_actions, alarms, .. } = self;
        target.known().is_some()
            && policies.known().is_some()
            && scheduled_actions.known().is_some()
            && alarms.known().is_some()
    }

    /// Those of a variant of which the listings do not count, and that were not read by name yet.
    fn not_yet(reads: RowsRead, since: Timestamp) -> Self {
        let sentence = "not read since it changed: the next listing is under way";
        let why = || Why::new(WhyKind::NotReadYet, sentence);
        Self {
            began: since,
            target: Fact::Unknown(why()).into(),
            policies: Fact::Unknown(why()).into(),
            scheduled_actions: Fact::Unknown(why()).into(),
            alarms: Fact::Unknown(why()).into(),
            reads,
        }
    }
}

/// The rows of one variant: one that makes no sense makes all of them unknown.
fn all_of<T>(listing: PortResult<Listing<T>>, read: Read) -> Fact<Vec<T>> {
    match listing {
        Ok(listing) => listing.into_fact(read.operation()),
        Err(error) => Fact::Unknown(error.into()),
    }
}

impl Reader {
    /// Reads by name what the listings of the sweep, begun before this pass, say too little of, for half as long as the
    /// sweep may take; what a person asks for first, then what has waited longest. What has changed and is left is unknown
    /// until a later pass.
    pub(super) async fn read_rows(
        &mut self,
        sweep: &mut Sweep,
        (wanted, remembered): (&[Wanted], &Memories),
        request: Request<'_>,
    ) {
        let began = sweep.listed.began;
        // A clock that was set back makes nothing new that was read before.
        let at = sweep.at;
        self.rows.retain(|_, rows| rows.began > began && rows.began <= at);
        if began >= sweep.at {
            return;
        }
        let mut refreshed = 0;
        let mut due: Vec<((bool, Timestamp), ResourceId)> = Vec::new();
        let mut outdated: BTreeMap<ResourceId, Shared<Rows>> = BTreeMap::new();
        for (id, _) in wanted {
            let resource = id.resource();
            let asked = refreshed < REFRESHED_MAX && request.wants_refresh(id);
            refreshed += usize::from(asked);
            let changed = self.changed(sweep, remembered, id).filter(|changed| *changed >= began);
            let Some(since) = asked.then_some(sweep.at).or(changed) else { continue };
            let rows = self.rows.get(&resource);
            let is_older = |than: Timestamp| rows.is_none_or(|rows| rows.began <= than);
            if is_older(since) || rows.is_some_and(|rows| !rows.are_known()) {
                // Nothing that was read before it changed counts; what was only asked for is no less known than before.
                if let Some(changed) = changed.filter(|changed| is_older(*changed)) {
                    let rows = Rows::not_yet(sweep.rows_read(&resource), changed);
                    outdated.insert(resource.clone(), rows.into());
                }
                due.push(((!asked, since), resource));
            }
        }
        due.sort();
        let until = request.settings.sweep_wait.map(|wait| Instant::now() + wait / 2);
        let (aws, clock) = (&self.aws, &*self.clock);
        let read: Vec<_> = stream::iter(due)
            .take_while(|_| std::future::ready(until.is_none_or(|until| Instant::now() < until)))
            .map(|(_, of)| async move { (Rows::read(aws, clock, &of).await, of) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (rows, of) in read {
            outdated.remove(&of);
            self.rows.insert(of, rows.into());
        }
        sweep.rows = self.rows.iter().map(|(of, rows)| (of.clone(), rows.clone())).collect();
        // What was read before the change does not count, so these replace it.
        sweep.rows.extend(outdated);
    }

    /// When a variant last changed in a way that old listings do not show, as far as is known.
    fn changed(&self, sweep: &Sweep, remembered: &Memories, id: &VariantId) -> Option<Timestamp> {
        let written = remembered.get(id).and_then(Fact::known).and_then(|m| m.last_touched());
        let endpoint = self.cache.endpoint(&id.endpoint);
        let endpoint = endpoint.known().and_then(Option::as_ref);
        // Only a deploy changes an endpoint that is not scaled.
        let is_absent = || matches!(&*sweep.target(&id.resource()), Fact::Known(None));
        let made = endpoint.map(|e| if is_absent() { e.modified_at } else { e.created_at });
        written.max(made)
    }
}
