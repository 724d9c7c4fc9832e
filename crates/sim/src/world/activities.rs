//! Scaling activities: what was done, and why something was not.

use super::World;
use super::page::Paging;
use super::targets::{check_filter, check_namespace};
use crate::api::scaling as aas;
use crate::api::{ApiResult, Operation};
use setpoint_core::model::scaling::DIMENSION;
use setpoint_core::model::time::Timestamp;

/// AWS keeps activities for six weeks; this is more than six weeks of a busy variant.
const KEPT: usize = 2_000;

/// One activity, or one decision not to scale.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) cause: String,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) status: &'static str,
    pub(super) message: Option<String>,
    pub(super) not_scaled: Vec<aas::NotScaledReason>,
}

const ACTIVITIES: Paging = Paging {
    operation: Operation::DescribeScalingActivities,
    default: 50,
    max: 50,
    member: "maxResults",
    bad_token: "InvalidNextTokenException",
};

impl World {
    /// Sets a variant's count as the auto scaler does, with an activity.
    pub(super) fn scale(&mut self, resource: &str, wanted: u32, cause: &str) {
        let id = self.random.uuid();
        let now = self.now;
        let Some(before) = self.variant(resource).map(|v| v.desired) else { return };
        if let Some(message) = self.over_quota(before, wanted) {
            self.fail_to_scale(resource, wanted, cause, message);
            return;
        }
        let Some(target) = self.targets.get_mut(resource) else { return };
        if wanted > before {
            target.last_scale_out = Some(now);
        } else {
            target.last_scale_in = Some(now);
        }
        for activity in target.activities.iter_mut().filter(|a| a.status == "InProgress") {
            activity.status = "Overridden";
            activity.ended_at = Some(now);
        }
        target.activities.push(Activity {
            id,
            description: format!("Setting desired instance count to {wanted}."),
            cause: cause.to_owned(),
            started_at: now,
            ended_at: None,
            status: "InProgress",
            message: Some(format!(
                "Successfully set desired instance count to {wanted}. Waiting for change to be \
                 fulfilled by sagemaker."
            )),
            not_scaled: Vec::new(),
        });
        if target.activities.len() > KEPT {
            target.activities.remove(0);
        }
        let Some((endpoint, variant)) = super::split_resource(resource) else { return };
        self.set_desired(endpoint, variant, wanted);
    }

    /// Why the account may not run so many instances, as SageMaker says it.
    fn over_quota(&self, before: u32, wanted: u32) -> Option<String> {
        let quota = self.settings.instance_quota.filter(|_| wanted > before)?;
        let variants = self.endpoints.values().flat_map(|endpoint| &endpoint.variants);
        let in_use: u32 = variants.map(|variant| variant.desired).sum();
        let delta = wanted - before;
        (in_use + delta > quota).then(|| {
            format!(
                "Failed to set desired instance count to {wanted}. Reason: The account-level \
                 service limit 'instances for endpoint usage' is {quota} Instances, with current \
                 utilization of {in_use} Instances and a request delta of {delta} Instances. \
                 (Service: AmazonSageMaker; Status Code: 400; Error Code: ResourceLimitExceeded)"
            )
        })
    }

    fn fail_to_scale(&mut self, resource: &str, wanted: u32, cause: &str, message: String) {
        let description = format!("Setting desired instance count to {wanted}.");
        self.fail(resource, description, cause, message);
    }

    /// A scheduled action whose min would lie above max sets neither.
    pub(super) fn fail_to_set_bounds(
        &mut self,
        resource: &str,
        (min, max): (i32, i32),
        cause: &str,
    ) {
        let message = format!(
            "Failed to set min capacity to {min} and max capacity to {max}. Reason: Maximum capacity \
             cannot be less than minimum capacity."
        );
        let description = format!("Setting min capacity to {min} and max capacity to {max}.");
        self.fail(resource, description, cause, message);
    }

    fn fail(&mut self, resource: &str, description: String, cause: &str, message: String) {
        let (id, now) = (self.random.uuid(), self.now);
        let Some(target) = self.targets.get_mut(resource) else { return };
        target.activities.push(Activity {
            id,
            description,
            cause: cause.to_owned(),
            started_at: now,
            ended_at: Some(now),
            status: "Failed",
            message: Some(message),
            not_scaled: Vec::new(),
        });
        if target.activities.len() > KEPT {
            target.activities.remove(0);
        }
    }

    /// Notes a decision not to scale, as the user guide shows one ("Scaling activities": Failed, without an end and without
    /// a message); of repeated ones only the first, as AWS does.
    pub(super) fn note_not_scaled(
        &mut self,
        resource: &str,
        cause: &str,
        reason: aas::NotScaledReason,
    ) {
        let id = self.random.uuid();
        let now = self.now;
        let Some(target) = self.targets.get_mut(resource) else { return };
        let reasons = vec![reason];
        if target.activities.last().is_some_and(|last| last.not_scaled == reasons) {
            return;
        }
        target.activities.push(Activity {
            id,
            description: "Attempting to scale due to alarm triggered".to_owned(),
            cause: cause.to_owned(),
            started_at: now,
            ended_at: None,
            status: "Failed",
            message: None,
            not_scaled: reasons,
        });
        if target.activities.len() > KEPT {
            target.activities.remove(0);
        }
    }

    /// The endpoint has what was asked for: its activities end.
    pub(super) fn finish_activities(&mut self, endpoint: &str) {
        let now = self.now;
        let prefix = format!("endpoint/{endpoint}/variant/");
        let of_endpoint = self.targets.range_mut(prefix.clone()..);
        for (_, target) in of_endpoint.take_while(|(resource, _)| resource.starts_with(&prefix)) {
            for activity in target.activities.iter_mut().filter(|a| a.status == "InProgress") {
                activity.status = "Successful";
                activity.ended_at = Some(now);
                activity.message = activity.message.take().map(|message| {
                    message.replace(
                        "Waiting for change to be fulfilled",
                        "Change successfully fulfilled",
                    )
                });
            }
        }
    }

    pub(crate) fn describe_scaling_activities(
        &mut self,
        input: &aas::DescribeScalingActivitiesInput,
    ) -> ApiResult<aas::DescribeScalingActivitiesOutput> {
        check_namespace(&input.service_namespace)?;
        check_filter(input.resource_id.as_deref(), input.scalable_dimension.as_deref())?;
        let all = input.include_not_scaled_activities.unwrap_or(false);
        let mut rows: Vec<(&String, &Activity)> = self
            .visible_targets()
            .iter()
            .filter(|(resource, _)| input.resource_id.as_ref().is_none_or(|only| only == *resource))
            .flat_map(|(resource, target)| target.activities.iter().map(move |a| (resource, a)))
            .filter(|(_, a)| all || a.not_scaled.is_empty())
            .collect();
        rows.sort_by_key(|(_, a)| a.started_at);
        let (page, next_token) = ACTIVITIES.page(
            rows.into_iter().rev(),
            input.max_results,
            input.next_token.as_deref(),
        )?;
        let describe = |(resource, a): (&String, &Activity)| aas::ScalingActivity {
            activity_id: a.id.clone(),
            service_namespace: "sagemaker".to_owned(),
            resource_id: resource.clone(),
            scalable_dimension: DIMENSION.to_owned(),
            description: a.description.clone(),
            cause: a.cause.clone(),
            start_time: a.started_at,
            end_time: a.ended_at,
            status_code: a.status.to_owned(),
            status_message: a.message.clone(),
            details: None,
            not_scaled_reasons: (!a.not_scaled.is_empty()).then(|| a.not_scaled.clone()),
        };
        let scaling_activities = page.into_iter().map(describe).collect();
        Ok(aas::DescribeScalingActivitiesOutput { scaling_activities, next_token })
    }
}
