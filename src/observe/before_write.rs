//! The reads right before a write: what was true at the beginning of the pass may be minutes old.

use futures::{StreamExt, stream};

use super::bounded::soon;
use super::reader::Reader;
use super::remembered::subject;
use super::rows::Rows;
use super::settings::Settings;
use crate::model::decision::Action;
use crate::model::endpoint::Endpoint;
use crate::model::fact::{Fact, Why, WhyKind};
use crate::model::reads::Read;
use crate::model::reason::Field;
use crate::model::scaling::alarm_prefix;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::ports::{Aws, Clock, Subject};
use crate::variant::Turn;

impl Reader {
    /// Reads the endpoint, its activities and the memory again of variants that are about to be
    /// written; when the reads began.
    pub async fn read_again(
        &mut self,
        planned: &mut [&mut Turn],
        settings: &Settings,
    ) -> Timestamp {
        let subjects: Vec<Subject> =
            planned.iter().map(|turn| subject(&turn.snapshot, &turn.goal, settings)).collect();
        let mut memories = self.remembered.load_again(&subjects, &mut self.variants).await;
        let now = self.clock.now();
        let (aws, clock) = (&self.aws, &*self.clock);
        let (rows, listed_since) = (&self.rows, self.listed_since);
        // What this pass has read is minutes old at most.
        let is_old = |snapshot: &Snapshot| {
            let rows = rows.get(&snapshot.id.resource()).map(|rows| rows.began);
            rows.unwrap_or(listed_since) < snapshot.taken_at
        };
        let read: Vec<Option<Rows>> = stream::iter(planned.iter_mut())
            .map(|turn| async {
                let rows = if is_old(&turn.snapshot) {
                    Some(read_rows((aws, clock), turn).await)
                } else {
                    None
                };
                refresh((aws, clock), turn, now).await;
                rows
            })
            .buffered(settings.concurrency.max(1))
            .collect()
            .await;
        // Until new listings are complete those say less.
        for (turn, rows) in planned.iter().zip(read) {
            if let Some(rows) = rows.filter(Rows::are_known) {
                self.rows.insert(turn.snapshot.id.resource(), rows.into());
            }
        }
        for turn in planned {
            let id = turn.snapshot.id.clone();
            if let Some(read) = turn.snapshot.reads.endpoint {
                self.cache.update(&id.endpoint, turn.snapshot.endpoint.clone(), read);
            }
            self.remembered.pauses.hold(&id, &mut turn.goal, now);
            turn.snapshot.reads.memory = self.remembered.read();
            turn.snapshot.memory = memories.remove(&id).unwrap_or_else(Fact::not_read_yet);
            let activities = turn.snapshot.activities.clone();
            let read = turn.snapshot.reads.activities;
            self.variants.entry(id).or_default().activities.note(activities, read, now);
        }
        now
    }
}

/// What the last listings said of a variant is older than this pass, or even than those.
async fn read_rows((aws, clock): (&Aws, &dyn Clock), turn: &mut Turn) -> Rows {
    let snapshot = &mut turn.snapshot;
    let rows = Rows::read(aws, clock, &snapshot.id.resource()).await;
    snapshot.reads.scalable_target = Some(rows.reads.target);
    snapshot.reads.policies = Some(rows.reads.policies);
    snapshot.reads.scheduled_actions = Some(rows.reads.scheduled_actions);
    snapshot.reads.alarms = Some(rows.reads.alarms);
    snapshot.target = rows.target.clone();
    snapshot.policies = rows.policies.clone();
    snapshot.scheduled_actions = rows.scheduled_actions.clone();
    snapshot.alarms = rows.alarms.clone();
    rows
}

/// The look right before a write. Alarms are read again only when they are what it is about.
async fn refresh((aws, clock): (&Aws, &dyn Clock), turn: &mut Turn, now: Timestamp) {
    let mends_alarms = turn.decision.plan.actions.iter().any(
        |action| matches!(action, Action::PutPolicy { fields, .. } if fields.contains(&Field::Alarms)),
    );
    let snapshot = &mut turn.snapshot;
    let resource = snapshot.id.resource();
    if mends_alarms {
        snapshot.alarms = match aws.metrics.alarms(&alarm_prefix(&resource)).await {
            Ok(alarms) => alarms.into_fact("DescribeAlarms"),
            Err(error) => Fact::Unknown(error.into()),
        }
        .into();
        snapshot.reads.alarms = Some(Read::new("DescribeAlarms", clock.now()));
    }
    let (endpoint, activities) = tokio::join!(
        // One that hangs holds up no write of another variant.
        soon("DescribeEndpoint", aws.endpoints.endpoint(&snapshot.id.endpoint)),
        aws.scaling.scaling_activities(&resource),
    );
    let endpoint: Fact<Option<Endpoint>> = match endpoint {
        Ok(endpoint) => endpoint.into(),
        Err(late) => Fact::Unknown(late),
    };
    let config_in_force = |e: &Fact<Option<Endpoint>>| {
        e.known().and_then(Option::as_ref).map(|e| e.config_name.clone())
    };
    if config_in_force(&endpoint) != config_in_force(&snapshot.endpoint) {
        let why = Why::new(WhyKind::NotReadYet, "another endpoint config came into force");
        snapshot.endpoint_config = Fact::Unknown(why).into();
    }
    snapshot.endpoint = endpoint.into();
    snapshot.activities = activities.map(Shared::from).into();
    let answered = clock.now();
    snapshot.reads.endpoint = Some(Read::new("DescribeEndpoint", answered));
    snapshot.reads.activities = Some(Read::new("DescribeScalingActivities", answered));
    snapshot.taken_at = now;
}
