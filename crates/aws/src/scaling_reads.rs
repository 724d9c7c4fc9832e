//! Application Auto Scaling, reading: every listing whole, or an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};

use super::call::{Call, Caller};
use super::convert;
use super::error::Failure;
use setpoint_core::model::ids::ResourceId;
use setpoint_core::model::listing::Listing;
use setpoint_core::model::scaling::{Activity, ScalableTarget, ScalingPolicy, ScheduledAction};
use setpoint_core::ports::{PageSink, PortError, PortResult, ScalingReads, Service};

/// The longest listing that is read. 20,000 policies at 10 a page; AWS's quota of SageMaker targets
/// is 500 in a region unless raised.
const MAX_PAGES: usize = 2_000;
/// The most ids that `DescribeScalableTargets` takes.
const MAX_RESOURCE_IDS: usize = 50;
/// The code of a page token that AWS no longer knows: the listing must start again.
const STALE_TOKEN: &str = "InvalidNextTokenException";

const DESCRIBE_TARGETS: Call = call("DescribeScalableTargets");
const DESCRIBE_POLICIES: Call = call("DescribeScalingPolicies");
const DESCRIBE_SCHEDULED_ACTIONS: Call = call("DescribeScheduledActions");
const DESCRIBE_ACTIVITIES: Call = call("DescribeScalingActivities");
const LIST_TAGS: Call = call("ListTagsForResource");

const fn call(operation: &'static str) -> Call {
    Call::new(Service::ApplicationAutoScaling, operation)
}

/// One page and the token of the next.
type Page<T> = (Listing<T>, Option<String>);

pub(super) struct SdkScalingReads {
    client: Client,
    caller: Arc<Caller>,
}

impl SdkScalingReads {
    pub(super) fn new(client: Client, caller: Arc<Caller>) -> Self {
        Self { client, caller }
    }

    /// All pages; once more from the start when AWS forgets a token half way.
    async fn all_pages<T, F, Fut>(&self, call: Call, page: F) -> PortResult<Listing<T>>
    where
        T: Send,
        F: Fn(Option<String>) -> Fut,
        Fut: Future<Output = Result<Page<T>, Failure>>,
    {
        let mut all = Listing::default();
        self.pages_into(call, page, &mut all).await?;
        Ok(all)
    }

    /// A region's rows, of which those that make no sense are counted.
    async fn region<T, F, Fut>(
        &self,
        call: Call,
        page: F,
        sink: &mut dyn PageSink<T>,
    ) -> PortResult<()>
    where
        F: Fn(Option<String>) -> Fut,
        Fut: Future<Output = Result<Page<T>, Failure>>,
    {
        let unreadable = self.pages_into(call, page, sink).await?;
        self.caller.skipped(call, unreadable);
        Ok(())
    }

    /// The same, page by page; how many rows make no sense.
    async fn pages_into<T, F, Fut>(
        &self,
        call: Call,
        page: F,
        sink: &mut dyn PageSink<T>,
    ) -> PortResult<usize>
    where
        F: Fn(Option<String>) -> Fut,
        Fut: Future<Output = Result<Page<T>, Failure>>,
    {
        let all = (call, MAX_PAGES);
        match self.caller.pages(all, &page, Ok, sink).await {
            Err(error) if error.code.as_deref() == Some(STALE_TOKEN) => {
                sink.start_over();
                self.caller.pages(all, &page, Ok, sink).await
            }
            result => result,
        }
    }

    async fn targets_page(
        &self,
        of: Option<&[ResourceId]>,
        token: Option<String>,
    ) -> Result<Page<ScalableTarget>, Failure> {
        let ids = of.map(|of| of.iter().map(ToString::to_string).collect());
        let answer = self
            .client
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Sagemaker)
            .set_scalable_dimension(of.map(|_| variant_dimension()))
            .set_resource_ids(ids)
            .max_results(50)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::of(Service::ApplicationAutoScaling, &error))?;
        let items = present(answer.scalable_targets, "ScalableTargets")?;
        Ok((items.into_iter().filter_map(convert::scalable_target).collect(), answer.next_token))
    }

    async fn policies_page(
        &self,
        of: Option<&ResourceId>,
        token: Option<String>,
    ) -> Result<Page<ScalingPolicy>, Failure> {
        let answer = self
            .client
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Sagemaker)
            .set_resource_id(of.map(ToString::to_string))
            .set_scalable_dimension(of.map(|_| variant_dimension()))
            .max_results(10)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::of(Service::ApplicationAutoScaling, &error))?;
        let items = present(answer.scaling_policies, "ScalingPolicies")?;
        Ok((items.into_iter().filter_map(convert::scaling_policy).collect(), answer.next_token))
    }

    async fn scheduled_actions_page(
        &self,
        of: Option<&ResourceId>,
        token: Option<String>,
    ) -> Result<Page<ScheduledAction>, Failure> {
        let answer = self
            .client
            .describe_scheduled_actions()
            .service_namespace(ServiceNamespace::Sagemaker)
            .set_resource_id(of.map(ToString::to_string))
            .set_scalable_dimension(of.map(|_| variant_dimension()))
            .max_results(50)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::of(Service::ApplicationAutoScaling, &error))?;
        let items = present(answer.scheduled_actions, "ScheduledActions")?;
        Ok((items.into_iter().filter_map(convert::scheduled_action).collect(), answer.next_token))
    }
}

#[async_trait]
impl ScalingReads for SdkScalingReads {
    async fn scalable_targets(
        &self,
        of: Option<&[ResourceId]>,
    ) -> PortResult<Listing<ScalableTarget>> {
        let mut all = Listing::default();
        let Some(of) = of else {
            self.all_targets(&mut all).await?;
            return Ok(all);
        };
        for some in of.chunks(MAX_RESOURCE_IDS) {
            let page = |token| self.targets_page(Some(some), token);
            all.append(self.all_pages(DESCRIBE_TARGETS, page).await?);
        }
        Ok(all)
    }

    async fn scaling_policies(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScalingPolicy>> {
        if of.is_some() {
            return self.all_pages(DESCRIBE_POLICIES, |token| self.policies_page(of, token)).await;
        }
        let mut all = Listing::default();
        self.all_policies(&mut all).await?;
        Ok(all)
    }

    async fn scheduled_actions(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScheduledAction>> {
        if of.is_some() {
            return self
                .all_pages(DESCRIBE_SCHEDULED_ACTIONS, |token| {
                    self.scheduled_actions_page(of, token)
                })
                .await;
        }
        let mut all = Listing::default();
        self.all_scheduled_actions(&mut all).await?;
        Ok(all)
    }

    async fn all_targets(&self, pages: &mut dyn PageSink<ScalableTarget>) -> PortResult<()> {
        self.region(DESCRIBE_TARGETS, |token| self.targets_page(None, token), pages).await
    }

    async fn all_policies(&self, pages: &mut dyn PageSink<ScalingPolicy>) -> PortResult<()> {
        self.region(DESCRIBE_POLICIES, |token| self.policies_page(None, token), pages).await
    }

    async fn all_scheduled_actions(
        &self,
        pages: &mut dyn PageSink<ScheduledAction>,
    ) -> PortResult<()> {
        let page = |token| self.scheduled_actions_page(None, token);
        self.region(DESCRIBE_SCHEDULED_ACTIONS, page, pages).await
    }

    async fn scaling_activities(&self, of: &ResourceId) -> PortResult<Vec<Activity>> {
        let attempt = || async {
            let answer = self
                .client
                .describe_scaling_activities()
                .service_namespace(ServiceNamespace::Sagemaker)
                .resource_id(of.to_string())
                .scalable_dimension(variant_dimension())
                .include_not_scaled_activities(true)
                .max_results(50)
                .send()
                .await
                .map_err(|error| Failure::of(Service::ApplicationAutoScaling, &error))?;
            present(answer.scaling_activities, "ScalingActivities")
        };
        let activities = self.caller.read(DESCRIBE_ACTIVITIES, attempt).await?;
        let mut activities: Vec<Activity> =
            activities.into_iter().map(convert::activity).collect::<Option<_>>().ok_or_else(
                || -> PortError { DESCRIBE_ACTIVITIES.garbage("an activity without a start time") },
            )?;
        activities.sort_by_key(|activity| std::cmp::Reverse(activity.started_at));
        Ok(activities)
    }

    async fn tags(&self, target_arn: &str) -> PortResult<BTreeMap<String, String>> {
        let attempt = || async {
            self.client
                .list_tags_for_resource()
                .resource_arn(target_arn)
                .send()
                .await
                .map_err(|error| Failure::of(Service::ApplicationAutoScaling, &error))
        };
        let answer = self.caller.read(LIST_TAGS, attempt).await?;
        // Whether AWS states an empty map is not documented; a target without tags is no failure.
        Ok(answer.tags.into_iter().flatten().collect())
    }
}

fn variant_dimension() -> ScalableDimension {
    ScalableDimension::SageMakerVariantDesiredInstanceCount
}

/// A list that AWS always states, if only as an empty one. An answer without it is something else
/// than an empty listing: taking it for one would turn "not read" into "absent".
fn present<T>(list: Option<Vec<T>>, name: &str) -> Result<Vec<T>, Failure> {
    list.ok_or_else(|| Failure::garbage(format!("the answer has no {name}")))
}
