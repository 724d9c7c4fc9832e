//! The edge: what `setpoint` needs of the world, as traits. The AWS SDK (`aws`), the embedded AWS
//! (`sim`) and Kubernetes (`k8s`) stand behind them, and errors are classified once, here.
//!
//! Reading is separate from writing, so that a process that must not write can be built from
//! parts that cannot.

mod evidence;
mod memory;
mod no_code;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::endpoint::{Endpoint, EndpointConfig, EndpointSummary, Model};
use crate::model::fact::{Why, WhyKind};
use crate::model::ids::{AccountId, EndpointName, ResourceId, Scope, VariantId};
use crate::model::kept_floors::FloorPut;
use crate::model::listing::Listing;
use crate::model::per_instance::InstanceId;
use crate::model::points::Points;
use crate::model::scaling::{
    ALARM_PREFIX, Activity, Alarm, ScalableTarget, ScalingPolicy, ScheduledAction, SuspendedState,
    TargetTracking,
};
use crate::model::tags::EndpointTags;
use crate::model::time::Timestamp;
use crate::model::trail::TrailEvent;

pub use evidence::Evidence;
pub use memory::{
    Keep, LEADERSHIP_LOST, Memories, Memory, MemoryError, SetAside, Subject, memories_of,
};
pub use no_code::NoCode;

/// An AWS service, by the name metrics use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    ApplicationAutoScaling,
    CloudWatch,
    SageMaker,
    Sts,
    /// The Resource Groups Tagging API.
    Tagging,
    CloudTrail,
}

impl Service {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationAutoScaling => "application-autoscaling",
            Self::CloudWatch => "cloudwatch",
            Self::SageMaker => "sagemaker",
            Self::Sts => "sts",
            Self::Tagging => "tagging",
            Self::CloudTrail => "cloudtrail",
        }
    }
}

/// How a call failed. Drives retries, labels and what the variant's state says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Too many calls; later is better.
    Throttled,
    /// A permission is missing.
    Denied,
    /// The thing does not exist.
    NotFound,
    /// Another update of the same thing is under way.
    Conflict,
    /// A hard quota; retrying is useless.
    Quota,
    /// Network, time-out or a failure of the service.
    Transient,
    /// AWS refused the request as wrong; retrying is useless.
    Invalid,
    /// The answer could not be understood.
    Garbage,
}

impl ErrorKind {
    /// Whether the service certainly did not carry the call out. Of the others one cannot know.
    pub const fn certainly_refused(self) -> bool {
        !matches!(self, Self::Transient | Self::Garbage)
    }

    /// Whether the same call may succeed soon.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Conflict | Self::Transient)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {operation} failed: {}{message}", .service.as_str(), .code.as_ref().map(|c| format!("{c}: ")).unwrap_or_default())]
pub struct PortError {
    pub kind: ErrorKind,
    pub service: Service,
    /// AWS's operation name.
    pub operation: &'static str,
    /// AWS's error code, if it answered with one.
    pub code: Option<String>,
    /// AWS's message, or what went wrong on the way.
    pub message: String,
}

impl From<PortError> for Why {
    fn from(error: PortError) -> Self {
        let kind = match error.kind {
            ErrorKind::Throttled => WhyKind::Throttled,
            ErrorKind::Denied => WhyKind::Denied,
            ErrorKind::NotFound => WhyKind::NotFound,
            ErrorKind::Conflict => WhyKind::Conflict,
            ErrorKind::Quota => WhyKind::Quota,
            ErrorKind::Transient => WhyKind::Transient,
            ErrorKind::Invalid => WhyKind::Invalid,
            ErrorKind::Garbage => WhyKind::Garbage,
        };
        Self::new(kind, error.to_string())
    }
}

pub type PortResult<T> = Result<T, PortError>;

/// All rows of a listing of Application Auto Scaling, where each is needed.
///
/// # Errors
/// The first row that makes no sense.
pub fn whole<T>(operation: &'static str, listing: Listing<T>) -> PortResult<Vec<T>> {
    listing.whole().map_err(|row| PortError {
        kind: ErrorKind::Garbage,
        service: Service::ApplicationAutoScaling,
        operation,
        code: None,
        message: row.why,
    })
}

/// Takes the pages of a listing as they come, so that the rows of thousands of variants need not be there at once. They
/// count only once the listing has ended without an error.
pub trait PageSink<T>: Send {
    fn page(&mut self, page: Listing<T>);
    /// The listing begins again: what has come so far does not count.
    fn start_over(&mut self);
}

impl<T: Send> PageSink<T> for Listing<T> {
    fn page(&mut self, page: Self) {
        self.append(page);
    }

    fn start_over(&mut self) {
        *self = Self::default();
    }
}

/// Application Auto Scaling, reading. Every listing returns all pages or an error: half a listing
/// would turn "not read" into "absent". A row that makes no sense is reported besides the others.
#[async_trait]
pub trait ScalingReads: Send + Sync {
    /// `DescribeScalableTargets` of the SageMaker variant dimension: of these variants (at most
    /// 50 a call), or of the whole region.
    async fn scalable_targets(
        &self,
        of: Option<&[ResourceId]>,
    ) -> PortResult<Listing<ScalableTarget>>;
    /// `DescribeScalingPolicies` of one variant, or of the whole region (10 a page).
    async fn scaling_policies(&self, of: Option<&ResourceId>)
    -> PortResult<Listing<ScalingPolicy>>;
    /// `DescribeScheduledActions` of one variant, or of the whole region.
    async fn scheduled_actions(
        &self,
        of: Option<&ResourceId>,
    ) -> PortResult<Listing<ScheduledAction>>;
    /// `DescribeScalableTargets` of the whole region, page by page.
    async fn all_targets(&self, pages: &mut dyn PageSink<ScalableTarget>) -> PortResult<()> {
        self.scalable_targets(None).await.map(|all| pages.page(all))
    }
    /// `DescribeScalingPolicies` of the whole region, page by page.
    async fn all_policies(&self, pages: &mut dyn PageSink<ScalingPolicy>) -> PortResult<()> {
        self.scaling_policies(None).await.map(|all| pages.page(all))
    }
    /// `DescribeScheduledActions` of the whole region, page by page.
    async fn all_scheduled_actions(
        &self,
        pages: &mut dyn PageSink<ScheduledAction>,
    ) -> PortResult<()> {
        self.scheduled_actions(None).await.map(|all| pages.page(all))
    }
    /// `DescribeScalingActivities` of one variant, the newest page, not-scaled ones included.
    async fn scaling_activities(&self, of: &ResourceId) -> PortResult<Vec<Activity>>;
    /// `ListTagsForResource` of the scalable target with this ARN: all its tags, in one answer.
    async fn tags(&self, target_arn: &str) -> PortResult<BTreeMap<String, String>>;
}

/// Application Auto Scaling, writing. One attempt each: the next pass is the retry.
#[async_trait]
pub trait ScalingWrites: Send + Sync {
    async fn put_scaling_policy(&self, put: &PutScalingPolicy) -> PortResult<()>;
    async fn register_scalable_target(&self, register: &RegisterScalableTarget) -> PortResult<()>;
    /// `PutScheduledAction` of one floor.
    async fn put_scheduled_action(&self, put: &PutScheduledAction) -> PortResult<()>;
    /// `TagResource`: sets these tags, all or none, and leaves others as they are.
    async fn tag_target(&self, tag: &TagTarget) -> PortResult<()>;
}

/// The input of `TagResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagTarget {
    pub target_arn: String,
    /// The tags to set. AWS takes keys of 1 to 128 and values of 0 to 256 characters, and keeps
    /// at most 50 tags.
    pub tags: BTreeMap<String, String>,
}

/// The input of `PutScalingPolicy`.
#[derive(Debug, Clone, PartialEq)]
pub struct PutScalingPolicy {
    pub resource: ResourceId,
    /// The policy's name: its identity.
    pub policy_name: String,
    pub configuration: TargetTracking,
}

/// The input of `PutScheduledAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutScheduledAction {
    pub resource: ResourceId,
    /// The whole action: AWS drops the dates that are not stated.
    pub floor: FloorPut,
}

/// The input of `RegisterScalableTarget`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterScalableTarget {
    pub resource: ResourceId,
    /// Fewest instances; absent leaves it.
    pub min_capacity: Option<i32>,
    /// Most instances; absent leaves it.
    pub max_capacity: Option<i32>,
    /// The suspended state to set; absent leaves it.
    pub suspended: Option<SuspendedState>,
}

/// SageMaker, reading.
#[async_trait]
pub trait Endpoints: Send + Sync {
    /// `ListEndpoints`, all pages of 100.
    async fn list_endpoints(&self) -> PortResult<Listing<EndpointSummary>>;
    /// `DescribeEndpoint`; `None` when it does not exist.
    async fn endpoint(&self, name: &EndpointName) -> PortResult<Option<Endpoint>>;
    /// `DescribeEndpointConfig`; `None` when it does not exist.
    async fn endpoint_config(&self, name: &str) -> PortResult<Option<EndpointConfig>>;
    /// `DescribeModel`; `None` when it does not exist.
    async fn model(&self, name: &str) -> PortResult<Option<Model>>;
    /// `GetResources` of the Resource Groups Tagging API: the tags of all endpoints, all pages of 100.
    async fn endpoint_tags(&self) -> PortResult<EndpointTags>;
}

/// A metric of a variant that `setpoint` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// `Invocations`, `Sum`.
    Invocations,
    /// `InvocationsPerInstance`, `Sum`.
    InvocationsPerInstance,
    /// `ModelLatency` in microseconds, at a statistic.
    ModelLatency(crate::model::units::LatencyStatistic),
    /// `Invocation5XXErrors`, `Sum`.
    Invocation5xxErrors,
}

impl Metric {
    /// The CloudWatch metric name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invocations => "Invocations",
            Self::InvocationsPerInstance => "InvocationsPerInstance",
            Self::ModelLatency(_) => "ModelLatency",
            Self::Invocation5xxErrors => "Invocation5XXErrors",
        }
    }

    pub const fn statistic(self) -> &'static str {
        match self {
            Self::ModelLatency(statistic) => statistic.cloudwatch(),
            _ => "Sum",
        }
    }
}

/// One query: a metric of a variant at a period.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MetricQuery {
    pub resource: ResourceId,
    /// Of which instance of it; of all together when absent.
    pub instance: Option<InstanceId>,
    pub metric: Metric,
    /// The period in seconds: a minute, or several.
    pub period_seconds: u32,
}

/// The answer to one query: datapoints in time order, or why there are none.
pub type MetricAnswer = Result<Points, Why>;

/// CloudWatch, reading.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// `GetMetricData` over `[from, to)`, both aligned to the period by the caller: batched to 500
    /// queries a call, all pages merged by id. One answer for each query, in order; a call that
    /// failed fails only the queries it carried.
    async fn metric_data(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<MetricAnswer>;
    /// `ListMetrics` of the invocations of each instance of a variant in the last three hours, all
    /// pages: instances that are gone may be among them, and a new one may be missing for 15 minutes.
    async fn instances(&self, of: &ResourceId) -> PortResult<Vec<InstanceId>>;
    /// `DescribeAlarms` whose names begin with `prefix`, all pages.
    async fn alarms(&self, prefix: &str) -> PortResult<Listing<Alarm>>;
    /// `DescribeAlarms` of all target-tracking policies, page by page.
    async fn all_alarms(&self, pages: &mut dyn PageSink<Alarm>) -> PortResult<()> {
        self.alarms(ALARM_PREFIX).await.map(|all| pages.page(all))
    }
}

/// Security Token Service, which says who calls, and CloudTrail, which says who called.
#[async_trait]
pub trait Identity: Send + Sync {
    /// `GetCallerIdentity`: the account of the credentials in use.
    async fn caller_account(&self) -> PortResult<AccountId>;
    /// CloudTrail's `LookupEvents`: who called this operation in a span, newest first. CloudTrail
    /// knows a call up to 15 minutes after it was made.
    async fn callers(
        &self,
        operation: &str,
        span: (Timestamp, Timestamp),
    ) -> PortResult<Vec<TrailEvent>>;
}

/// All of AWS for one account and region.
#[derive(Clone)]
pub struct Aws {
    pub scope: Scope,
    /// Application Auto Scaling, reading.
    pub scaling: Arc<dyn ScalingReads>,
    /// Application Auto Scaling, writing.
    pub writes: Arc<dyn ScalingWrites>,
    pub endpoints: Arc<dyn Endpoints>,
    pub metrics: Arc<dyn Metrics>,
    pub identity: Arc<dyn Identity>,
}

#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
    /// Waits; on a virtual clock, until the world has got there.
    async fn sleep(&self, duration: Duration);
}

/// Whether this process may write (rule 23).
pub trait Leadership: Send + Sync {
    /// Whether a write attempt may start right now. Asked immediately before every write.
    fn may_write(&self) -> bool;
}

/// Where decisions are reported to people besides the log: Kubernetes Events, or nowhere.
pub trait Events: Send + Sync {
    /// Tells of a decision and what became of it. Must not block.
    fn publish(
        &self,
        decision: &crate::model::decision::Decision,
        outcome: Option<&crate::model::decision::Outcome>,
    );
    /// Tells of something that happened to a variant. Must not block.
    fn news(&self, variant: &VariantId, note: &crate::model::decision::Note);
}

/// One finished call to AWS, attempts and all.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The account and region called.
    pub scope: Scope,
    pub service: Service,
    /// AWS's operation name.
    pub operation: &'static str,
    /// The last HTTP status; 0 when there was no answer.
    pub status_code: u16,
    /// AWS's error code, or a word of [`NoCode`]; empty when it succeeded, and only then.
    pub error_code: String,
    /// How it failed, if it did.
    pub error: Option<ErrorKind>,
    /// From the first attempt to the last answer.
    pub duration: Duration,
    /// Attempts after the first.
    pub retries: u32,
    /// Metrics requested by `GetMetricData`, which is what AWS bills.
    pub metrics_requested: u64,
}

/// Counts every call.
pub trait CallObserver: Send + Sync {
    /// Takes note of a finished call. Must not block.
    fn called(&self, call: &CallRecord);
    /// Takes note of how many rows of a whole listing made no sense, none included. Must not block.
    fn skipped(&self, _scope: &Scope, _service: Service, _operation: &'static str, _rows: usize) {}
}

/// An observer that takes no note.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl CallObserver for NoObserver {
    fn called(&self, _call: &CallRecord) {}
}
