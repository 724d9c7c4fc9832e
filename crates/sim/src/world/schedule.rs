//! Scheduled actions: they move min and max at their time.

use chrono::TimeDelta;

use super::page::Paging;
use super::targets::{check_filter, check_namespace, check_resource, not_registered};
use super::{WakeCause, World};
use crate::api::scaling as aas;
use crate::api::{ApiError, ApiResult, Operation};
use setpoint_core::model::scaling::DIMENSION;
use setpoint_core::model::schedule::AwsSchedule;
use setpoint_core::model::time::Timestamp;

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

/// AWS's quota of scheduled actions of a scalable target.
const ACTIONS_QUOTA: usize = 200;

/// The next time of a schedule after `after`; none when there is none.
fn next_run(action: &aas::ScheduledAction, after: Timestamp) -> ApiResult<Option<Timestamp>> {
    let schedule = AwsSchedule::parse(&action.schedule, action.timezone.as_deref())
        .map_err(|_| invalid(&action.schedule))?;
    let from = action.start_time.map_or(after, |start| after.max(start - TimeDelta::seconds(1)));
    let next = schedule.next_after(from, action.start_time.unwrap_or(action.creation_time));
    Ok(next.filter(|at| action.end_time.is_none_or(|end| *at <= end)))
}

fn invalid(schedule: &str) -> ApiError {
    ApiError::validation(format!("Invalid schedule expression: {schedule:?}"))
}

impl World {
    pub(crate) fn put_scheduled_action(
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
        if let (Some(min), Some(max)) = (sets.min_capacity, sets.max_capacity)
            && min > max
        {
            return Err(ApiError::validation(format!(
                "Maximum capacity ({max}) cannot be less than minimum capacity ({min})"
            )));
        }
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
        let others = target.actions.keys().filter(|other| *other != name).count();
        if others >= ACTIONS_QUOTA {
            return Err(ApiError::new("LimitExceededException", "too many scheduled actions"));
        }
        self.remember_for_stale_reads(resource);
        self.keep_action(resource, Action { described, next });
        Ok(aas::Empty {})
    }

    fn keep_action(&mut self, resource: &str, action: Action) {
        let name = action.described.scheduled_action_name.clone();
        if let Some(at) = action.next {
            self.wake(
                at,
                WakeCause::Scheduled { resource: resource.to_owned(), action: name.clone() },
            );
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
            let min = sets.min_capacity.unwrap_or(target.min);
            let max = sets.max_capacity.unwrap_or(target.max);
            let cause = format!("scheduled action name {name} was triggered");
            if min <= max {
                (target.min, target.max) = (min, max);
                self.clamp(resource, &cause);
            } else {
                // One that sets only one bound may cross the other: AWS sets neither.
                self.fail_to_set_bounds(resource, (min, max), &cause);
            }
        }
        if at_time && let Some(target) = self.targets.get_mut(resource) {
            // AWS forgets an `at` action once it has run.
            target.actions.remove(name);
        } else {
            self.keep_action(resource, action);
        }
    }

    pub(crate) fn describe_scheduled_actions(
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

    pub(crate) fn delete_scheduled_action(
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
