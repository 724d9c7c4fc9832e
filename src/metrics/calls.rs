//! Counts calls to AWS and what they cost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector as _;
use prometheus::{CounterVec, HistogramVec, IntCounterVec, IntGaugeVec, Registry};

use super::process_families as families;
use crate::model::ids::Scope;
use crate::model::spending::DOLLARS_PER_METRIC;
use crate::ports::{CallObserver, CallRecord, ErrorKind, NoCode, Service};

/// Different error codes that get a label value of their own; a server that invents codes must
/// not be able to fill the memory.
const MAX_ERROR_CODES: usize = 64;

/// The listings of a whole region.
const LISTINGS: [(Service, &str); 5] = [
    (Service::SageMaker, "ListEndpoints"),
    (Service::ApplicationAutoScaling, "DescribeScalableTargets"),
    (Service::ApplicationAutoScaling, "DescribeScalingPolicies"),
    (Service::ApplicationAutoScaling, "DescribeScheduledActions"),
    (Service::CloudWatch, "DescribeAlarms"),
];

const DURATION_BUCKETS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const RETRY_BUCKETS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0];

/// Feeds `setpoint_aws_*` and the cost counters from finished calls.
#[derive(Debug)]
pub struct CallMetrics {
    calls: IntCounterVec,
    durations: HistogramVec,
    retries: HistogramVec,
    throttled: IntCounterVec,
    denied: IntCounterVec,
    metrics_requested: IntCounterVec,
    cost: CounterVec,
    unreadable_rows: IntGaugeVec,
    error_codes: Mutex<BTreeSet<String>>,
    answered: AtomicU64,
}

impl CallMetrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            calls: families::API_CALLS.int_counter_vec()?,
            durations: families::API_CALL_DURATION.histogram_vec(DURATION_BUCKETS)?,
            retries: families::API_CALL_RETRIES.histogram_vec(RETRY_BUCKETS)?,
            throttled: families::API_THROTTLED.int_counter_vec()?,
            denied: families::API_DENIED.int_counter_vec()?,
            metrics_requested: families::CLOUDWATCH_METRICS.int_counter_vec()?,
            cost: families::CLOUDWATCH_COST.counter_vec()?,
            unreadable_rows: families::UNREADABLE_ROWS.int_gauge_vec()?,
            error_codes: Mutex::default(),
            answered: AtomicU64::default(),
        };
        registry.register(Box::new(metrics.calls.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        registry.register(Box::new(metrics.throttled.clone()))?;
        registry.register(Box::new(metrics.denied.clone()))?;
        registry.register(Box::new(metrics.metrics_requested.clone()))?;
        registry.register(Box::new(metrics.cost.clone()))?;
        registry.register(Box::new(metrics.unreadable_rows.clone()))?;
        Ok(metrics)
    }

    /// Calls that AWS has answered, but for those that read history beside the passes.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// What CloudWatch has cost since this process began, of all accounts and regions, in US dollars.
    pub fn dollars(&self) -> f64 {
        let families = self.cost.collect();
        let values = families.iter().flat_map(prometheus::proto::MetricFamily::get_metric);
        values.map(|metric| metric.get_counter().get_value()).sum()
    }

    /// Shows the cost counters of an account and region from the start, at zero.
    pub fn expect_scope(&self, scope: &Scope) {
        let labels = [scope.account_id.as_str(), scope.region.as_str()];
        self.metrics_requested.with_label_values(&labels);
        self.cost.with_label_values(&labels);
        for (service, operation) in LISTINGS {
            self.skipped(scope, service, operation, 0);
        }
    }

    /// The code itself while there are few, so that the label stays a small set. That of a failed
    /// call is never empty, whatever the port says: queries for failures ask for what is not empty.
    fn error_code<'a>(&self, call: &'a CallRecord) -> &'a str {
        let code = call.error_code.as_str();
        if code.is_empty() {
            return if call.error.is_some() { NoCode::Uncoded.as_str() } else { code };
        }
        if NoCode::ALL.iter().any(|word| word.as_str() == code) {
            return code;
        }
        let mut seen = self.error_codes.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(code) {
            return code;
        }
        if seen.len() >= MAX_ERROR_CODES {
            return "other";
        }
        seen.insert(code.to_owned());
        code
    }
}

impl CallObserver for CallMetrics {
    fn called(&self, call: &CallRecord) {
        if call.error.is_none() && call.operation != "GetMetricData" {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        let service = call.service.as_str();
        let code = self.error_code(call);
        let status = call.status_code.to_string();
        self.calls.with_label_values(&[service, call.operation, status.as_str(), code]).inc();
        let labels = [service, call.operation];
        self.durations.with_label_values(&labels).observe(call.duration.as_secs_f64());
        self.retries.with_label_values(&labels).observe(f64::from(call.retries));
        let failed = [service, call.operation, code];
        match call.error {
            Some(ErrorKind::Throttled) => self.throttled.with_label_values(&failed).inc(),
            Some(ErrorKind::Denied) => self.denied.with_label_values(&failed).inc(),
            _ => {}
        }
        if call.metrics_requested > 0 {
            let scope = [call.scope.account_id.as_str(), call.scope.region.as_str()];
            self.metrics_requested.with_label_values(&scope).inc_by(call.metrics_requested);
            let dollars = call.metrics_requested as f64 * DOLLARS_PER_METRIC;
            self.cost.with_label_values(&scope).inc_by(dollars);
        }
    }

    fn skipped(&self, scope: &Scope, service: Service, operation: &'static str, rows: usize) {
        let scope = [scope.account_id.as_str(), scope.region.as_str()];
        let labels = [scope[0], scope[1], service.as_str(), operation];
        self.unreadable_rows
            .with_label_values(&labels)
            .set(i64::try_from(rows).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::ids::{AccountId, Region};

    /// By these a long pass is alive, and reads of history beside it do not make it so.
    #[test]
    fn answered_calls_are_those_that_succeed_and_read_no_history() {
        let calls = CallMetrics::register(&Registry::new()).unwrap();
        let account_id: AccountId = "123456789012".parse().unwrap();
        let region = Region::new("us-east-1").unwrap();
        let call = |operation, error| CallRecord {
            scope: Scope { account_id: account_id.clone(), region: region.clone() },
            service: Service::SageMaker,
            operation,
            status_code: 200,
            error_code: String::new(),
            error,
            duration: Duration::from_millis(120),
            retries: 0,
            metrics_requested: 0,
        };
        calls.called(&call("GetMetricData", None));
        calls.called(&call("ListEndpoints", Some(ErrorKind::Transient)));
        assert_eq!(calls.answered(), 0);
        calls.called(&call("ListEndpoints", None));
        assert_eq!(calls.answered(), 1);
    }
}
