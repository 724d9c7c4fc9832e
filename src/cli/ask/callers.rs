//! `setpoint history --cloudtrail`: the names of foreign hands, as CloudTrail has them. Nothing else asks
//! CloudTrail, nothing depends on what it says, and nothing of it is kept.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::TimeDelta;
use serde::Serialize;

use super::DaemonArgs;
use crate::aws;
use crate::cli::config_args::ConfigArgs;
use crate::cli::deadline::{Bounded, Timeout};
use crate::cli::{CliError, compose};
use crate::model::history::{Event, EventKind, History, Who};
use crate::model::reason::Field;
use crate::model::time::Timestamp;
use crate::model::trail::TrailEvent;
use crate::ports::{Identity, PortResult};
use crate::render::printable;

/// Names are looked up of so many changes, the newest: each takes up to two calls, of which AWS allows 2
/// a second.
const CHANGES_MAX: usize = 20;
/// How far back the call is looked for where no look before the change is known.
const LOOK_BACK: TimeDelta = TimeDelta::hours(1);
/// The clocks of AWS and of the machine that saw the change may differ by this much.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// CloudTrail may not have a call before.
const DELAY: TimeDelta = TimeDelta::minutes(15);

/// Who may have made one foreign change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Callers {
    pub(super) at: Timestamp,
    pub(super) field: Field,
    /// The calls that may have made it, newest first.
    calls: Vec<TrailEvent>,
    /// Whether the look came so early that CloudTrail may not have the call yet.
    too_early: bool,
}

impl Callers {
    /// Whether an event is the change that this is about.
    pub(super) fn is_about(&self, event: &Event) -> bool {
        is_foreign(event) && event.at == self.at && event.field == Some(self.field)
    }

    pub(super) fn names(&self) -> String {
        let mut names: Vec<&str> = self.calls.iter().map(|call| call.actor.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        printable(&names.join(" or ")).into_owned()
    }

    /// The same for people.
    pub(super) fn sentence(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for call in &self.calls {
            let from =
                call.source.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
            let one =
                format!("{}{from} ({} at {})", call.actor, call.operation, call.at.format("%T"));
            names.push(printable(&one).into_owned());
        }
        match (names.is_empty(), self.too_early) {
            (false, _) => format!("by {}", names.join(" or ")),
            (true, true) => {
                "CloudTrail does not know yet by whom: it takes up to 15 minutes".to_owned()
            }
            (true, false) => "CloudTrail has no call that made it".to_owned(),
        }
    }
}

/// Looks up who made the newest foreign changes of a history.
///
/// # Errors
/// A sentence, whatever kept it from being known; the history is right without it.
pub(super) fn look_up(daemon: &DaemonArgs, history: &History) -> Result<Vec<Callers>, CliError> {
    let args = ConfigArgs { config: daemon.config.clone(), ..ConfigArgs::default() };
    let config = args.load()?;
    let scope = history.variant.scope();
    let is_it = |settings: &aws::Settings| {
        let account = settings.account_id.as_ref();
        settings.region == scope.region && account.is_none_or(|own| *own == scope.account_id)
    };
    let timeout = Timeout::of(daemon.timeout);
    let mut settings = compose::settings_of_all(&config)?
        .into_iter()
        .find(is_it)
        .ok_or_else(|| CliError::failed(format!("{scope} is not configured here")))?;
    timeout.bound(&mut settings);
    let bounded = Bounded::new(timeout)?;
    bounded.run(async {
        let aws = aws::connect(&settings, bounded.observer()).await;
        let aws = aws.map_err(|error| CliError::failed(error.to_string()))?;
        if aws.scope != scope {
            return Err(CliError::failed(format!("the credentials are of {}", aws.scope)));
        }
        let now = crate::ports::Clock::now(&crate::system::WallClock);
        let found = of_changes(&*aws.identity, history, now).await;
        found.map_err(|error| CliError::failed(error.to_string()))
    })?
}

/// Who made them, by CloudTrail.
async fn of_changes(
    trail: &dyn Identity,
    history: &History,
    now: Timestamp,
) -> PortResult<Vec<Callers>> {
    let resource = history.variant.resource().to_string();
    let mut known: BTreeMap<(&str, Timestamp, Timestamp), Vec<TrailEvent>> = BTreeMap::new();
    let mut found = Vec::new();
    let changes = history.events.iter().rev().filter(|event| is_foreign(event));
    for event in changes.take(CHANGES_MAX) {
        let Some(field) = event.field else { continue };
        let span = (event.not_before.unwrap_or(event.at - LOOK_BACK) - SKEW, event.at + SKEW);
        let mut calls = Vec::new();
        for operation in operations(field) {
            let key = (*operation, span.0, span.1);
            let called = match known.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(trail.callers(operation, span).await?),
            };
            let of_it = called
                .iter()
                .filter(|call| !call.refused && call.resource.as_ref() == Some(&resource));
            calls.extend(of_it.cloned());
        }
        calls.sort_by_key(|call| std::cmp::Reverse(call.at));
        found.push(Callers { at: event.at, field, calls, too_early: now - event.at < DELAY });
    }
    Ok(found)
}

fn is_foreign(event: &Event) -> bool {
    event.who == Who::Foreign && event.kind == EventKind::Change
}

/// The calls that can change a field.
const fn operations(field: Field) -> &'static [&'static str] {
    match field {
        Field::TargetValue
        | Field::MetricSpecification
        | Field::ScaleOutCooldown
        | Field::ScaleInCooldown
        | Field::DisableScaleIn => &["PutScalingPolicy"],
        Field::Policy | Field::PolicyName => &["PutScalingPolicy", "DeleteScalingPolicy"],
        Field::MinCapacity | Field::MaxCapacity | Field::Suspended => &["RegisterScalableTarget"],
        Field::ScalableTarget => &["RegisterScalableTarget", "DeregisterScalableTarget"],
        Field::Floors => &["PutScheduledAction", "DeleteScheduledAction"],
        // CloudWatch's calls name alarms and no variant.
        Field::Alarms => &[],
    }
}
