//! Scheduled actions: they move min and max at their time.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

use super::page::Paging;
use super::targets::{check_filter, check_namespace, check_resource, not_registered};
use super::{What, World};
use crate::model::scaling::DIMENSION;
use crate::model::time::Timestamp;
use crate::sim::api::scaling as aas;
use crate::sim::api::{ApiError, ApiResult, Operation};

/// A scheduled action.
#[derive(Debug, Clone)]
pub(super) struct Action {
    pub(super) described: aas::ScheduledAction,
    /// When it runs next; stale wakes are told by it.
    pub(super) next: Option<Timestamp>,
}

const ACTIONS: Paging = Paging {
    operation: Operation::DescribeScheduledActions,
    default: 50,
    max: 50,
    member: "maxResults",
    bad_token: "InvalidNextTokenException",
};

/// The next time of `at(...)`, `rate(...)` or `cron(...)` after `after`; none when there is none.
fn next_run(action: &aas::ScheduledAction, after: Timestamp) -> ApiResult<Option<Timestamp>> {
    let bad =
        || ApiError::validation(format!("Invalid schedule expression: {:?}", action.schedule));
    let zone: Tz = action.timezone.as_deref().unwrap_or("UTC").parse().map_err(|_| bad())?;
    let (kind, inner) =
        action.schedule.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or_else(bad)?;
    let after = action.start_time.map_or(after, |start| after.max(start - TimeDelta::seconds(1)));
    let next = match kind {
        "at" => {
            let local: NaiveDateTime = inner.parse().map_err(|_| bad())?;
            let at = zone.from_local_datetime(&local).earliest().ok_or_else(bad)?.to_utc();
            (at > after).then_some(at)
        }
        "rate" => {
            let (count, unit) = inner.trim().split_once(' ').ok_or_else(bad)?;
            let seconds = match unit.trim_end_matches('s') {
                "minute" => 60,
                "hour" => 3600,
                "day" => 86_400,
                _ => return Err(bad()),
            } * count.parse::<i64>().ok().filter(|n| *n > 0).ok_or_else(bad)?;
            let base = action.start_time.unwrap_or(action.creation_time);
            let passed = (after - base).num_seconds().max(-1).div_euclid(seconds) + 1;
            Some(base + TimeDelta::seconds(passed * seconds))
        }
        "cron" => {
            let parser = CronParser::builder()
                .seconds(Seconds::Required)
                .year(Year::Required)
                .alternative_weekdays(true)
                .build();
            let cron = parser.parse(&format!("0 {inner}")).map_err(|_| bad())?;
            let local: DateTime<Tz> = after.with_timezone(&zone);
            cron.find_next_occurrence(&local, false).ok().map(|at| at.to_utc())
        }
        _ => return Err(bad()),
    };
    Ok(next.filter(|at| action.end_time.is_none_or(|end| *at <= end)))
}

impl World {
    pub(in crate::sim) fn put_scheduled_action(
        &mut self,
        input: &aas::PutScheduledActionInput,
    ) -> ApiResult<aas::Empty> {
        let resource = &input.resource_id;
        check_resource(&input.service_namespace, resource, &input.scalable_dimension)?;
        let name = &input.scheduled_action_name;
        let rest = format!(
            "scheduledAction:{}:resource/sagemaker/{resource}:scheduledActionName/{name}",
            self.random.uuid()
        );
        let arn = self.arn("autoscaling", &rest);
        let target = self.targets.get(resource).ok_or_else(|| not_registered(resource))?;
        let old = target.actions.get(name).map(|a| a.described.clone());
        let schedule = input.schedule.clone().or(old.as_ref().map(|o| o.schedule.clone()));
        let (Some(schedule), Some(sets)) = (
            schedule,
            input
                .scalable_target_action
                .clone()
                .or(old.as_ref().map(|o| o.scalable_target_action.clone())),
        ) else {
            return Err(ApiError::validation("Schedule and ScalableTargetAction are required"));
        };
        let described = aas::ScheduledAction {
            scheduled_action_name: name.clone(),
            scheduled_action_arn: old.as_ref().map_or(arn, |o| o.scheduled_action_arn.clone()),
            service_namespace: "sagemaker".to_owned(),
            schedule,
            timezone: input.timezone.clone(),
            resource_id: resource.clone(),
            scalable_dimension: DIMENSION.to_owned(),
            // Absent ones delete what was there, as AWS does.
            start_time: input.start_time,
            end_time: input.end_time,
            scalable_target_action: sets,
            creation_time: old.map_or(self.now, |o| o.creation_time),
        };
        let next = next_run(&described, self.now)?;
        self.remember_for_stale_reads(resource);
        self.keep_action(resource, Action { described, next });
        Ok(aas::Empty {})
    }

    fn keep_action(&mut self, resource: &str, action: Action) {
        let name = action.described.scheduled_action_name.clone();
        if let Some(at) = action.next {
            self.wake(at, What::Scheduled { resource: resource.to_owned(), action: name.clone() });
        }
        if let Some(target) = self.targets.get_mut(resource) {
            target.actions.insert(name, action);
        }
    }

    /// Runs a scheduled action if it is due, and plans its next run.
    pub(super) fn run_scheduled(&mut self, resource: &str, name: &str) {
        let now = self.now;
        let Some(target) = self.targets.get_mut(resource) else { return };
        let suspended = target.scheduled_suspended;
        let Some(action) = target.actions.get_mut(name) else { return };
        if action.next.is_none_or(|at| at > now) {
            return;
        }
        action.next = next_run(&action.described, now).unwrap_or_default();
        let action = action.clone();
        let at_time = action.described.schedule.starts_with("at(");
        if !suspended {
            let sets = &action.described.scalable_target_action;
            target.min = sets.min_capacity.unwrap_or(target.min);
            target.max = sets.max_capacity.unwrap_or(target.max).max(target.min);
            self.clamp(resource, &format!("scheduled action name {name} was triggered"));
        }
        if at_time && let Some(target) = self.targets.get_mut(resource) {
            // AWS forgets an `at` action once it has run.
            target.actions.remove(name);
        } else {
            self.keep_action(resource, action);
        }
    }

    pub(in crate::sim) fn describe_scheduled_actions(
        &mut self,
        input: &aas::DescribeScheduledActionsInput,
    ) -> ApiResult<aas::DescribeScheduledActionsOutput> {
        check_namespace(&input.service_namespace)?;
        check_filter(input.resource_id.as_deref(), input.scalable_dimension.as_deref())?;
        let names = input.scheduled_action_names.as_deref();
        let rows = self
            .visible_targets()
            .iter()
            .filter(|(resource, _)| input.resource_id.as_ref().is_none_or(|only| only == *resource))
            .flat_map(|(_, target)| target.actions.iter())
            .filter(|(name, _)| names.is_none_or(|names| names.is_empty() || names.contains(name)))
            .map(|(_, action)| action.described.clone());
        let (scheduled_actions, next_token) =
            ACTIONS.page(rows, input.max_results, input.next_token.as_deref())?;
        Ok(aas::DescribeScheduledActionsOutput { scheduled_actions, next_token })
    }

    pub(in crate::sim) fn delete_scheduled_action(
        &mut self,
        input: &aas::DeleteScheduledActionInput,
    ) -> ApiResult<aas::Empty> {
        let resource = &input.resource_id;
        check_resource(&input.service_namespace, resource, &input.scalable_dimension)?;
        self.remember_for_stale_reads(resource);
        let name = &input.scheduled_action_name;
        let removed = self.targets.get_mut(resource).and_then(|t| t.actions.remove(name));
        removed.map(|_| aas::Empty {}).ok_or_else(|| {
            ApiError::new(
                "ObjectNotFoundException",
                format!("No scheduled action found for {resource}, name: {name}"),
            )
        })
    }
}
