//! The ports over the world, page by page and with AWS's page sizes, so that calls count as on the
//! wire.

mod convert;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::api::{
    ApiError, ApiResult, Delivery, Operation, Sim, cloudtrail as ct, cloudwatch as cw,
    sagemaker as sm, scaling as aas, tagging as rgt,
};
use setpoint_core::model::endpoint::{Endpoint, EndpointConfig, EndpointSummary, Model};
use setpoint_core::model::fact::{Why, WhyKind};
use setpoint_core::model::ids::{AccountId, EndpointName, ResourceId, Scope};
use setpoint_core::model::listing::Listing;
use setpoint_core::model::per_instance::InstanceId;
use setpoint_core::model::points::Points;
use setpoint_core::model::scaling::{
    Activity, Alarm, DIMENSION, ScalableTarget, ScalingPolicy, ScheduledAction,
};
use setpoint_core::model::tags::EndpointTags;
use setpoint_core::model::time::Timestamp;
use setpoint_core::model::trail::{TRAIL_MAX, TrailEvent};
use setpoint_core::ports::{
    Aws, CallObserver, CallRecord, Endpoints, ErrorKind, Identity, MetricAnswer, MetricQuery,
    Metrics, NoCode, NoObserver, PortError, PortResult, PutScalingPolicy, PutScheduledAction,
    RegisterScalableTarget, ScalingReads, ScalingWrites, TagTarget,
};

/// AWS's page sizes, as the SDK adapter asks for them.
const TARGETS_PAGE: i32 = 50;
const POLICIES_PAGE: i32 = 10;
const ACTIVITIES_PAGE: i32 = 50;
const ENDPOINTS_PAGE: i32 = 100;
const ALARMS_PAGE: i32 = 100;
const RESOURCES_PAGE: i32 = 100;
const QUERIES_PER_CALL: usize = 500;
/// A listing with more pages than this does not end.
const MAX_PAGES: usize = 10_000;

/// All ports of a world.
pub fn aws(sim: &Sim, scope: Scope) -> Aws {
    aws_observed(sim, scope, Arc::new(NoObserver))
}

/// All ports of a world, with somebody who is told of every call.
pub fn aws_observed(sim: &Sim, scope: Scope, observer: Arc<dyn CallObserver>) -> Aws {
    let ports = Arc::new(SimPorts { sim: sim.clone(), scope: scope.clone(), observer });
    Aws {
        scope,
        scaling: ports.clone(),
        writes: ports.clone(),
        endpoints: ports.clone(),
        metrics: ports.clone(),
        identity: ports,
    }
}

struct SimPorts {
    sim: Sim,
    scope: Scope,
    observer: Arc<dyn CallObserver>,
}

/// The class of an error, as the SDK adapter would tell it.
/// What a failed call is counted under.
fn label(error: &PortError) -> String {
    let without = match error.kind {
        ErrorKind::Garbage => NoCode::BadAnswer,
        // The ports stand for silence: the time-out comes at once.
        _ => NoCode::Timeout,
    };
    error.code.clone().unwrap_or_else(|| without.as_str().to_owned())
}

fn classify(error: &ApiError, operation: Operation) -> ErrorKind {
    match error.delivery {
        Delivery::Silence => return ErrorKind::Transient,
        Delivery::Garbage => return ErrorKind::Garbage,
        Delivery::Answer => {}
    }
    let message = error.message.as_str();
    let rate_exceeded = message.contains("Rate exceeded");
    match error.code.as_str() {
        "ThrottlingException" | "Throttling" | "RateExceeded" => ErrorKind::Throttled,
        "FailedResourceAccessException" if rate_exceeded => ErrorKind::Throttled,
        "FailedResourceAccessException" | "AccessDeniedException" | "AccessDenied" => {
            ErrorKind::Denied
        }
        // A missing permission of the caller comes as a failed validation of a dry run.
        "ValidationException" if message.contains("not authorized") => ErrorKind::Denied,
        "ValidationException" if !operation.is_write() && message.contains("Could not find") => {
            ErrorKind::NotFound
        }
        "ObjectNotFoundException" | "ResourceNotFoundException" | "ResourceNotFound" => {
            ErrorKind::NotFound
        }
        "ConcurrentUpdateException" => ErrorKind::Conflict,
        "LimitExceededException" | "TooManyTagsException" => ErrorKind::Quota,
        "InternalServiceException" | "InternalFailure" => ErrorKind::Transient,
        _ if error.http_status >= 500 => ErrorKind::Transient,
        _ => ErrorKind::Invalid,
    }
}

impl SimPorts {
    /// Makes one call, classifies its error and tells the observer.
    fn call<T>(
        &self,
        operation: Operation,
        metrics_requested: u64,
        call: impl FnOnce(&Sim) -> ApiResult<T>,
    ) -> PortResult<T> {
        let result = call(&self.sim).map_err(|error| PortError {
            kind: classify(&error, operation),
            service: operation.service(),
            operation: operation.as_str(),
            code: (error.delivery == Delivery::Answer).then(|| error.code.clone()),
            message: error.message,
        });
        let error = result.as_ref().err();
        let answered = error.is_none_or(|e| e.code.is_some() || e.kind == ErrorKind::Garbage);
        let failed_inside = error.is_some_and(|e| e.code.as_deref() == Some("InternalFailure"));
        self.observer.called(&CallRecord {
            scope: self.scope.clone(),
            service: operation.service(),
            operation: operation.as_str(),
            status_code: match error {
                None => 200,
                Some(_) if !answered => 0,
                Some(_) if failed_inside => 500,
                Some(e) if e.kind == ErrorKind::Garbage => 200,
                Some(_) => 400,
            },
            error_code: error.map_or_else(String::new, label),
            error: error.map(|e| e.kind),
            duration: Duration::ZERO,
            retries: 0,
            metrics_requested,
        });
        result
    }

    /// All pages of a listing.
    fn pages<T>(
        &self,
        operation: Operation,
        page: impl Fn(&Sim, Option<String>) -> ApiResult<(Vec<T>, Option<String>)>,
    ) -> PortResult<Vec<T>> {
        let (mut all, mut token) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let (items, next) = self.call(operation, 0, |sim| page(sim, token))?;
            all.extend(items);
            match next {
                Some(_) => token = next,
                None => return Ok(all),
            }
        }
        Err(PortError {
            kind: ErrorKind::Garbage,
            service: operation.service(),
            operation: operation.as_str(),
            code: None,
            message: format!("more than {MAX_PAGES} pages"),
        })
    }
}

fn namespace() -> String {
    "sagemaker".to_owned()
}

fn dimension_of(of: Option<&ResourceId>) -> Option<String> {
    of.map(|_| DIMENSION.to_owned())
}

#[async_trait]
impl ScalingReads for SimPorts {
    async fn scalable_targets(
        &self,
        of: Option<&[ResourceId]>,
    ) -> PortResult<Listing<ScalableTarget>> {
        // A call takes at most 50 ids.
        let batches: Vec<Option<&[ResourceId]>> =
            of.map_or_else(|| vec![None], |of| of.chunks(50).map(Some).collect());
        let mut all = Vec::new();
        for batch in batches {
            let ids = batch.map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>());
            all.extend(self.pages(Operation::DescribeScalableTargets, |sim, next_token| {
                let output = sim.describe_scalable_targets(&aas::DescribeScalableTargetsInput {
                    service_namespace: namespace(),
                    resource_ids: ids.clone(),
                    scalable_dimension: ids.as_ref().map(|_| DIMENSION.to_owned()),
                    max_results: Some(TARGETS_PAGE),
                    next_token,
                })?;
                Ok((output.scalable_targets, output.next_token))
            })?);
        }
        Ok(all.into_iter().map(convert::target).collect())
    }

    async fn scaling_policies(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScalingPolicy>> {
        let all = self.pages(Operation::DescribeScalingPolicies, |sim, next_token| {
            let output = sim.describe_scaling_policies(&aas::DescribeScalingPoliciesInput {
                policy_names: None,
                service_namespace: namespace(),
                resource_id: of.map(ToString::to_string),
                scalable_dimension: dimension_of(of),
                max_results: Some(POLICIES_PAGE),
                next_token,
            })?;
            Ok((output.scaling_policies, output.next_token))
        })?;
        Ok(all.into_iter().map(convert::policy).collect())
    }

    async fn scheduled_actions(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScheduledAction>> {
        let all = self.pages(Operation::DescribeScheduledActions, |sim, next_token| {
            let output = sim.describe_scheduled_actions(&aas::DescribeScheduledActionsInput {
                scheduled_action_names: None,
                service_namespace: namespace(),
                resource_id: of.map(ToString::to_string),
                scalable_dimension: dimension_of(of),
                max_results: Some(TARGETS_PAGE),
                next_token,
            })?;
            Ok((output.scheduled_actions, output.next_token))
        })?;
        Ok(all.into_iter().map(convert::action).collect())
    }

    async fn scaling_activities(&self, of: &ResourceId) -> PortResult<Vec<Activity>> {
        let output = self.call(Operation::DescribeScalingActivities, 0, |sim| {
            sim.describe_scaling_activities(&aas::DescribeScalingActivitiesInput {
                service_namespace: namespace(),
                resource_id: Some(of.to_string()),
                scalable_dimension: dimension_of(Some(of)),
                max_results: Some(ACTIVITIES_PAGE),
                next_token: None,
                include_not_scaled_activities: Some(true),
            })
        })?;
        Ok(output.scaling_activities.into_iter().map(convert::activity).collect())
    }

    async fn tags(&self, target_arn: &str) -> PortResult<BTreeMap<String, String>> {
        let input = aas::ListTagsForResourceInput { resource_arn: target_arn.to_owned() };
        let output =
            self.call(Operation::ListTagsForResource, 0, |sim| sim.list_tags_for_resource(&input))?;
        Ok(output.tags)
    }
}

#[async_trait]
impl ScalingWrites for SimPorts {
    async fn put_scaling_policy(&self, put: &PutScalingPolicy) -> PortResult<()> {
        let input = convert::put_policy(put)?;
        self.call(Operation::PutScalingPolicy, 0, |sim| sim.put_scaling_policy(&input))?;
        Ok(())
    }

    async fn register_scalable_target(&self, register: &RegisterScalableTarget) -> PortResult<()> {
        let input = convert::register(register);
        self.call(Operation::RegisterScalableTarget, 0, |sim| {
            sim.register_scalable_target(&input)
        })?;
        Ok(())
    }

    async fn put_scheduled_action(&self, put: &PutScheduledAction) -> PortResult<()> {
        let input = convert::put_scheduled_action(put);
        self.call(Operation::PutScheduledAction, 0, |sim| sim.put_scheduled_action(&input))?;
        Ok(())
    }

    async fn tag_target(&self, tag: &TagTarget) -> PortResult<()> {
        let TagTarget { target_arn, tags } = tag.clone();
        let input = aas::TagResourceInput { resource_arn: target_arn, tags };
        self.call(Operation::TagResource, 0, |sim| sim.tag_resource(&input))?;
        Ok(())
    }
}

/// What does not exist is an answer, not an error.
fn absent<T>(result: PortResult<T>) -> PortResult<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Endpoints for SimPorts {
    async fn list_endpoints(&self) -> PortResult<Listing<EndpointSummary>> {
        let all = self.pages(Operation::ListEndpoints, |sim, next_token| {
            let output = sim.list_endpoints(&sm::ListEndpointsInput {
                next_token,
                max_results: Some(ENDPOINTS_PAGE),
                ..Default::default()
            })?;
            Ok((output.endpoints, output.next_token))
        })?;
        Ok(all.into_iter().map(convert::endpoint_summary).collect())
    }

    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>> {
        let input = sm::DescribeEndpointInput { endpoint_name: name.to_string() };
        let result = self.call(Operation::DescribeEndpoint, 0, |sim| sim.describe_endpoint(&input));
        Ok(absent(result)?.and_then(convert::endpoint))
    }

    async fn endpoint_config(&self, name: &str) -> PortResult<Option<EndpointConfig>> {
        let input = sm::DescribeEndpointConfigInput { endpoint_config_name: name.to_owned() };
        let result = self
            .call(Operation::DescribeEndpointConfig, 0, |sim| sim.describe_endpoint_config(&input));
        Ok(absent(result)?.map(convert::endpoint_config))
    }

    async fn model(&self, name: &str) -> PortResult<Option<Model>> {
        let input = sm::DescribeModelInput { model_name: name.to_owned() };
        let result = self.call(Operation::DescribeModel, 0, |sim| sim.describe_model(&input));
        Ok(absent(result)?.map(convert::model))
    }

    async fn endpoint_tags(&self) -> PortResult<EndpointTags> {
        let all = self.pages(Operation::GetResources, |sim, pagination_token| {
            let output = sim.get_resources(&rgt::GetResourcesInput {
                pagination_token,
                resources_per_page: Some(RESOURCES_PAGE),
                ..Default::default()
            })?;
            let next = Some(output.pagination_token).filter(|token| !token.is_empty());
            Ok((output.resource_tag_mapping_list, next))
        })?;
        let mut tags = EndpointTags::default();
        for row in all {
            let name = row.resource_arn.rsplit('/').next().unwrap_or_default();
            let pairs = row.tags.into_iter().map(|tag| (tag.key, tag.value));
            tags.insert(name, pairs.collect());
        }
        Ok(tags)
    }
}

impl SimPorts {
    /// One batch of at most 500 queries, all pages merged by id.
    fn metric_batch(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> PortResult<Vec<MetricAnswer>> {
        let mut input = convert::metric_data(queries, from, to);
        let none = |query: &MetricQuery| (Points::none(from, to, query.period_seconds), false);
        let mut answers: Vec<(Points, bool)> = queries.iter().map(none).collect();
        for _ in 0..MAX_PAGES {
            let output = self.call(Operation::GetMetricData, queries.len() as u64, |sim| {
                sim.get_metric_data(&input)
            })?;
            for result in output.metric_data_results {
                let index = result.id.strip_prefix('q').and_then(|i| i.parse::<usize>().ok());
                let Some(answer) = index.and_then(|i| answers.get_mut(i)) else { continue };
                for (at, value) in result.timestamps.iter().zip(result.values) {
                    answer.0.set(at.timestamp(), value);
                }
                answer.1 = result.status_code == "Complete";
            }
            input.next_token = output.next_token;
            if input.next_token.is_none() {
                break;
            }
        }
        let finish = |(points, complete): (Points, bool)| {
            if complete {
                Ok(points)
            } else {
                Err(Why::new(WhyKind::Incomplete, "GetMetricData never completed the answer"))
            }
        };
        Ok(answers.into_iter().map(finish).collect())
    }
}

#[async_trait]
impl Metrics for SimPorts {
    async fn metric_data(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<MetricAnswer> {
        let batch = |batch: &[MetricQuery]| match self.metric_batch(batch, from, to) {
            Ok(answers) => answers,
            Err(error) => vec![Err(Why::from(error)); batch.len()],
        };
        queries.chunks(QUERIES_PER_CALL).flat_map(batch).collect()
    }

    async fn instances(&self, of: &ResourceId) -> PortResult<Vec<InstanceId>> {
        let listed = self.pages(Operation::ListMetrics, |sim, next_token| {
            let output = sim.list_metrics(&convert::instances_of(of, next_token))?;
            Ok((output.metrics, output.next_token))
        })?;
        let mut all: Vec<InstanceId> = listed.iter().filter_map(convert::instance).collect();
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    async fn alarms(&self, prefix: &str) -> PortResult<Listing<Alarm>> {
        let all = self.pages(Operation::DescribeAlarms, |sim, next_token| {
            let output = sim.describe_alarms(&cw::DescribeAlarmsInput {
                alarm_name_prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
                max_records: Some(ALARMS_PAGE),
                next_token,
                ..Default::default()
            })?;
            Ok((output.metric_alarms, output.next_token))
        })?;
        Ok(all.into_iter().map(convert::alarm).collect())
    }
}

#[async_trait]
impl Identity for SimPorts {
    async fn caller_account(&self) -> PortResult<AccountId> {
        let output = self.call(Operation::GetCallerIdentity, 0, |sim| {
            sim.get_caller_identity(&cw::GetCallerIdentityInput {})
        })?;
        AccountId::new(output.account).map_err(|error| PortError {
            kind: ErrorKind::Garbage,
            service: Operation::GetCallerIdentity.service(),
            operation: Operation::GetCallerIdentity.as_str(),
            code: None,
            message: error.to_string(),
        })
    }

    async fn callers(
        &self,
        operation: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> PortResult<Vec<TrailEvent>> {
        let all = self.pages(Operation::LookupEvents, |sim, next_token| {
            let output = sim.lookup_events(&ct::LookupEventsInput {
                lookup_attributes: vec![ct::LookupAttribute {
                    attribute_key: "EventName".to_owned(),
                    attribute_value: operation.to_owned(),
                }],
                start_time: Some(from),
                end_time: Some(to),
                next_token,
                ..Default::default()
            })?;
            Ok((output.events, output.next_token))
        })?;
        let events = all.into_iter().take(TRAIL_MAX);
        Ok(events.filter_map(|event| convert::trail_event(&event)).collect())
    }
}
