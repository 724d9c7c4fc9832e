//! The gate that every call goes through: counts, throttles, lets faults strike, keeps the log of
//! writes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::World;
use crate::api::{ApiError, ApiResult, Delivery, Operation, as_json};
use crate::fault::FaultKind;
use crate::scenario::Settings;
use setpoint_core::model::bucket::{Bucket, Rate};
use setpoint_core::model::time::Timestamp;
use setpoint_core::ports::Service;

/// The most writes kept in the log.
const LOG_LIMIT: usize = 10_000;

/// Counters and buckets.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) calls: BTreeMap<Operation, Calls>,
    pub(super) writes: Vec<WriteRecord>,
    buckets: BTreeMap<Service, (Rate, Bucket)>,
}

/// How often an operation was called.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Calls {
    /// Calls, refused ones included.
    #[serde(rename = "calls")]
    pub(super) count: u64,
    /// Those that were answered with an error, or not at all.
    pub(super) errors: u64,
    /// The last one, in virtual time.
    pub(super) last: Option<Timestamp>,
}

/// A call that wanted to change something.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WriteRecord {
    pub(super) at: Timestamp,
    pub(super) operation: &'static str,
    pub(super) input: Value,
    /// AWS's error code; absent when it took effect and was answered.
    pub(super) error: Option<String>,
}

impl Gate {
    pub(super) fn new(settings: &Settings, start: Timestamp) -> Self {
        let throttle = &settings.throttle;
        let limits = [
            (Service::ApplicationAutoScaling, throttle.application_autoscaling),
            (Service::CloudWatch, throttle.cloudwatch),
            (Service::SageMaker, throttle.sagemaker),
            (Service::Sts, throttle.sts),
        ];
        let bucket = |limit: crate::scenario::RateLimit| {
            let rate = Rate { burst: limit.burst, per_second: limit.per_second };
            (rate, Bucket::new(rate, start))
        };
        let buckets = limits.into_iter().filter_map(|(s, l)| Some((s, bucket(l?)))).collect();
        Self { buckets, ..Self::default() }
    }
}

/// What the gate decided about a call that it let through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    /// Whether the answer is to be lost.
    lose_answer: bool,
}

impl World {
    /// Lets a call in, or answers in the operation's place.
    pub(crate) fn call(&mut self, operation: Operation) -> ApiResult<Passed> {
        let now = self.now;
        let calls = self.gate.calls.entry(operation).or_default();
        calls.count += 1;
        calls.last = Some(now);
        let refused =
            self.gate.buckets.get_mut(&operation.service()).and_then(|(rate, bucket)| {
                (!bucket.take(*rate, now)).then(|| throttled(operation))
            });
        let struck = refused.map_or_else(|| self.strike_call(operation), Err);
        if struck.is_err()
            && let Some(calls) = self.gate.calls.get_mut(&operation)
        {
            calls.errors += 1;
        }
        struck
    }

    fn strike_call(&mut self, operation: Operation) -> ApiResult<Passed> {
        let now = self.now;
        let random = &mut self.random;
        let hit = self.faults.iter_mut().find(|active| {
            active.fault.kind.at_gate()
                && active.applies(operation, now)
                && possible(active.fault.kind, operation)
                && (active.fault.probability >= 1.0 || random.uniform() < active.fault.probability)
        });
        let Some(active) = hit else { return Ok(Passed { lose_answer: false }) };
        active.hits += 1;
        match active.fault.kind {
            FaultKind::AnswerLost => Ok(Passed { lose_answer: true }),
            kind => Err(answer(kind, operation)),
        }
    }

    /// Notes how a call ended.
    pub(crate) fn finish<I: Serialize, T>(
        &mut self,
        operation: Operation,
        passed: Passed,
        input: &I,
        result: ApiResult<T>,
    ) -> ApiResult<T> {
        let result = if passed.lose_answer { Err(silence()) } else { result };
        if result.is_err()
            && let Some(calls) = self.gate.calls.get_mut(&operation)
        {
            calls.errors += 1;
        }
        if operation.is_write() {
            let input = as_json(input);
            let error = result.as_ref().err().map(|e| e.code.clone());
            self.note_call(operation, &input, error.clone());
            if self.gate.writes.len() < LOG_LIMIT {
                let operation = operation.as_str();
                self.gate.writes.push(WriteRecord { at: self.now, operation, input, error });
            }
        }
        result
    }
}

/// Whether a fault of this kind can happen to this operation.
fn possible(kind: FaultKind, operation: Operation) -> bool {
    let scaling = operation.service() == Service::ApplicationAutoScaling;
    match kind {
        FaultKind::Conflict | FaultKind::Quota => scaling && operation.is_write(),
        FaultKind::AlarmsUnreadable => {
            matches!(operation, Operation::DescribeScalingPolicies | Operation::PutScalingPolicy)
        }
        _ => true,
    }
}

fn throttled(operation: Operation) -> ApiError {
    ApiError::new(
        if operation.service() == Service::Sts { "Throttling" } else { "ThrottlingException" },
        "Rate exceeded",
    )
}

fn silence() -> ApiError {
    ApiError {
        delivery: Delivery::Silence,
        ..ApiError::with_status("RequestTimeout", "no answer", 408)
    }
}

fn answer(kind: FaultKind, operation: Operation) -> ApiError {
    let scaling = operation.service() == Service::ApplicationAutoScaling;
    let name = operation.as_str();
    let tags = matches!(operation, Operation::TagResource | Operation::UntagResource);
    match kind {
        FaultKind::Throttle => throttled(operation),
        // Tags need no dry run of what Application Auto Scaling would do.
        FaultKind::Deny if scaling && operation.is_write() && !tags => {
            ApiError::validation(format!(
                "The caller does not have permission to perform {name}: User is not authorized to \
             perform: sagemaker:UpdateEndpointWeightsAndCapacities"
            ))
        }
        FaultKind::Deny => {
            let code = if operation.service() == Service::Sts {
                "AccessDenied"
            } else {
                "AccessDeniedException"
            };
            ApiError::new(code, format!("User is not authorized to perform: {name}"))
        }
        FaultKind::Transient if scaling => {
            ApiError::new("InternalServiceException", "an internal error occurred")
        }
        FaultKind::Transient => {
            ApiError::with_status("InternalFailure", "an internal error occurred", 500)
        }
        FaultKind::Garbage => ApiError {
            delivery: Delivery::Garbage,
            ..ApiError::with_status("Garbage", "<html>{\"not\": what was asked", 200)
        },
        FaultKind::Conflict => ApiError::new(
            "ConcurrentUpdateException",
            "You already have a pending update to this resource",
        ),
        FaultKind::Quota => {
            ApiError::new("LimitExceededException", "a quota of the account is exhausted")
        }
        FaultKind::AlarmsUnreadable => ApiError::new(
            "FailedResourceAccessException",
            "Unable to retrieve alarms for scaling policy due to reason: Rate exceeded \
             (Service: AmazonCloudWatch; Status Code: 400; Error Code: Throttling)",
        ),
        _ => silence(),
    }
}
