//! One call to AWS: its turn in the budget, its attempts, and the record for the observer.

use std::collections::HashSet;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::adaptive::Adaptive;
use super::budget::{Budget, Exhausted};
use super::error::{Failure, REFUSED};
use super::settings::{Retries, Settings};
use setpoint_core::model::checks;
use setpoint_core::model::ids::Scope;
use setpoint_core::model::listing::Listing;
use setpoint_core::model::stable_hash::fnv1a;
use setpoint_core::ports::{
    CallObserver, CallRecord, ErrorKind, Leadership, PageSink, PortError, PortResult, Service,
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) service: Service,
    /// AWS's operation name.
    pub(super) operation: &'static str,
    /// Metrics that the call asks for, which is what AWS bills.
    pub(super) metrics: u64,
    /// Datapoints that the answer may hold, which AWS limits by the second.
    pub(super) datapoints: u64,
}

impl Call {
    pub(super) const fn new(service: Service, operation: &'static str) -> Self {
        Self { service, operation, metrics: 0, datapoints: 0 }
    }

    fn error(self, kind: ErrorKind, message: impl Into<String>) -> PortError {
        let Self { service, operation, .. } = self;
        let message = checks::text(&message.into());
        PortError { kind, service, operation, code: None, message }
    }

    fn exhausted(self, error: Exhausted) -> PortError {
        self.error(ErrorKind::Throttled, error.to_string())
    }

    /// The error of an answer that arrived whole and makes no sense.
    pub(super) fn garbage(self, message: impl Into<String>) -> PortError {
        self.error(ErrorKind::Garbage, message)
    }
}

/// The most rows that a listing may have: AWS's own quotas are thousands.
const MAX_ROWS: usize = 100_000;

/// The pages of one listing: that it ends, and goes on from page to page.
#[derive(Debug)]
pub(super) struct Pages {
    call: Call,
    max: usize,
    rows: usize,
    /// The tokens so far, as hashes.
    tokens: HashSet<u64>,
}

impl Pages {
    /// A listing of at most `max` pages.
    pub(super) fn of(call: Call, max: usize) -> Self {
        Self { call, max, rows: 0, tokens: HashSet::new() }
    }

    /// The token of the next page, after one of so many rows; none when that was the last one.
    pub(super) fn turn(&mut self, rows: usize, next: Option<String>) -> PortResult<Option<String>> {
        self.rows += rows;
        // An empty token is no token.
        let Some(token) = next.filter(|token| !token.is_empty()) else { return Ok(None) };
        if !self.tokens.insert(fnv1a(token.bytes())) {
            return Err(self.call.garbage("AWS gave the same page token twice"));
        }
        if self.tokens.len() >= self.max || self.rows > MAX_ROWS {
            let (pages, rows) = (self.tokens.len(), self.rows);
            let what = format!("the listing did not end after {pages} pages and {rows} rows");
            return Err(self.call.garbage(what));
        }
        Ok(Some(token))
    }
}

/// The buckets of a region.
#[derive(Debug)]
struct Budgets {
    scaling: Budget,
    writes: Budget,
    sagemaker: Adaptive,
    alarms: Budget,
    metrics: Adaptive,
    datapoints: Adaptive,
    trail: Budget,
}

/// `LookupEvents` a second, of one account and region: AWS's quota, all of which a command may use.
const TRAIL_CALLS_PER_SECOND: f64 = 2.0;

/// Seconds of a rate that may be used at once after a pause.
const BURST_SECONDS: f64 = 1.0;

/// What all adapters of one account and region share.
pub(super) struct Caller {
    scope: Scope,
    observer: Arc<dyn CallObserver>,
    budgets: Budgets,
    retries: Retries,
    read_total: Duration,
    /// Where AWS is instead of at its own addresses.
    endpoint_url: Option<String>,
    /// Who may write, asked once more when a write has had its turn.
    leadership: Option<Arc<dyn Leadership>>,
}

impl Caller {
    pub(super) fn new(scope: Scope, settings: &Settings, observer: Arc<dyn CallObserver>) -> Self {
        let rates = settings.rates;
        let reads = |rate: f64, burst| Budget::new(rate, burst, rates.read_wait);
        let growing = |limits| Adaptive::new(limits, BURST_SECONDS, rates.read_wait);
        Self {
            scope,
            observer,
            budgets: Budgets {
                scaling: reads(rates.scaling_calls_per_second, 4),
                writes: Budget::new(rates.writes_per_second, 1, rates.write_wait),
                sagemaker: growing(rates.sagemaker_calls_per_second),
                alarms: reads(rates.alarm_calls_per_second, 3),
                metrics: growing(rates.metric_calls_per_second),
                datapoints: growing(rates.datapoints_per_second),
                trail: reads(TRAIL_CALLS_PER_SECOND, 1),
            },
            retries: settings.retries,
            read_total: settings.timeouts.read_total,
            endpoint_url: settings.endpoint_url.as_deref().map(checks::text),
            leadership: None,
        }
    }

    /// Lets no write begin that this does not allow.
    pub(super) fn fenced_by(mut self, leadership: Option<Arc<dyn Leadership>>) -> Self {
        self.leadership = leadership;
        self
    }

    /// A read: tried again while the error may pass, up to a number of attempts and a total time.
    /// Each attempt takes a turn of the budget.
    pub(super) async fn read<T, F, Fut>(&self, call: Call, attempt: F) -> PortResult<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        // The wait for the first turn is not the call's time: nothing has been sent yet.
        self.turn(call).await.map_err(|error| call.exhausted(error))?;
        let started = Instant::now();
        let mut retries = 0;
        let result = loop {
            let failure = match attempt().await {
                Ok(value) => {
                    self.adapt(call, false);
                    break Ok(value);
                }
                Err(failure) => failure,
            };
            if failure.kind == ErrorKind::Throttled {
                self.adapt(call, true);
            }
            let pause = backoff(&self.retries, retries, random_share());
            let spent = started.elapsed() + pause;
            if !failure.kind.is_retryable()
                || retries + 1 >= self.attempts(&failure)
                || spent >= self.read_total
            {
                break Err(failure);
            }
            sleep(pause).await;
            // The wait for the turn counts too: no attempt starts after the total time.
            if self.turn(call).await.is_err() || started.elapsed() >= self.read_total {
                break Err(failure);
            }
            retries += 1;
        };
        self.record(call, started, retries, &result);
        result.map_err(|mut failure| {
            if failure.refused {
                failure.message = self.refused(retries + 1);
            }
            failure.into_port_error(call.service, call.operation)
        })
    }

    /// How often a read is tried that fails like this.
    fn attempts(&self, failure: &Failure) -> u32 {
        let Retries { read_attempts, refused_attempts, .. } = self.retries;
        if failure.refused { refused_attempts.min(read_attempts) } else { read_attempts }
    }

    /// `connection refused by http://127.0.0.1:4566 (2 attempts)`.
    fn refused(&self, attempts: u32) -> String {
        let at = self.endpoint_url.as_ref().map_or_else(String::new, |url| format!(" by {url}"));
        let times = if attempts == 1 { "attempt" } else { "attempts" };
        format!("{REFUSED}{at} ({attempts} {times})")
    }

    /// A write: one attempt. It has a bucket of its own, so that it does not queue behind reads.
    pub(super) async fn write<T, Fut>(&self, call: Call, attempt: Fut) -> PortResult<T>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        self.budgets.writes.acquire().await.map_err(|error| call.exhausted(error))?;
        // Rule 23: the look is right before sending, and the turn may have been waited for.
        if self.leadership.as_ref().is_some_and(|leadership| !leadership.may_write()) {
            let lost = "leadership was lost while it waited for its turn; nothing was sent";
            return Err(call.error(ErrorKind::Conflict, lost));
        }
        self.budgets.scaling.charge();
        let started = Instant::now();
        let result = attempt.await;
        self.record(call, started, 0, &result);
        result.map_err(|failure| failure.into_port_error(call.service, call.operation))
    }

    /// The pages of a listing, one after the other: `page` asks for the one of a token, and `rows` takes its rows and the
    /// next token from the answer. Returns how many rows make no sense.
    pub(super) async fn pages<T, A, F, Fut>(
        &self,
        (call, max): (Call, usize),
        page: F,
        rows: impl Fn(A) -> PortResult<(Listing<T>, Option<String>)>,
        sink: &mut dyn PageSink<T>,
    ) -> PortResult<usize>
    where
        F: Fn(Option<String>) -> Fut,
        Fut: Future<Output = Result<A, Failure>>,
    {
        let (mut unreadable, mut pages) = (0, Pages::of(call, max));
        let mut token = None;
        loop {
            let answer = self.read(call, || page(token.clone())).await?;
            let (rows, next) = rows(answer)?;
            let nonsense = rows.unreadable().len();
            let count = rows.len() + nonsense;
            unreadable += nonsense;
            sink.page(rows);
            token = pages.turn(count, next)?;
            if token.is_none() {
                return Ok(unreadable);
            }
        }
    }

    /// Tells how many rows of a listing made no sense.
    pub(super) fn skipped(&self, call: Call, rows: usize) {
        self.observer.skipped(&self.scope, call.service, call.operation, rows);
    }

    async fn turn(&self, call: Call) -> Result<(), Exhausted> {
        match (call.service, call.operation) {
            (Service::ApplicationAutoScaling, _) => self.budgets.scaling.acquire().await,
            (Service::SageMaker, _) => self.budgets.sagemaker.acquire(1.0).await,
            (Service::CloudWatch, "DescribeAlarms") => self.budgets.alarms.acquire().await,
            (Service::CloudWatch, _) => {
                self.budgets.metrics.acquire(1.0).await?;
                self.budgets.datapoints.acquire(call.datapoints as f64).await
            }
            (Service::CloudTrail, _) => self.budgets.trail.acquire().await,
            // Once a pass at most, and AWS allows 600 a second; a command's few pages of tags.
            (Service::Sts | Service::Tagging, _) => Ok(()),
        }
    }

    /// Lets the rates that adapt follow what AWS has answered.
    fn adapt(&self, call: Call, throttled: bool) {
        let rates: &[&Adaptive] = match (call.service, call.operation) {
            (Service::SageMaker, _) => &[&self.budgets.sagemaker],
            (Service::CloudWatch, "GetMetricData") => {
                &[&self.budgets.metrics, &self.budgets.datapoints]
            }
            _ => return,
        };
        let now = Instant::now();
        for rate in rates {
            if throttled { rate.throttled(now) } else { rate.passed(now) }
        }
    }

    fn record<T>(&self, call: Call, started: Instant, retries: u32, result: &Result<T, Failure>) {
        let failure = result.as_ref().err();
        self.observer.called(&CallRecord {
            scope: self.scope.clone(),
            service: call.service,
            operation: call.operation,
            status_code: failure.map_or(200, |failure| failure.status),
            error_code: failure.map(Failure::label).unwrap_or_default(),
            error: failure.map(|failure| failure.kind),
            duration: started.elapsed(),
            retries,
            // AWS bills what it answered.
            metrics_requested: if failure.is_none() { call.metrics } else { 0 },
        });
    }
}

/// The pause before the attempt after `retries` retries: exponential, evenly drawn from the whole
/// range so that many callers spread out ("full jitter").
fn backoff(retries: &Retries, done: u32, share: f64) -> Duration {
    let longest =
        retries.base_backoff.saturating_mul(1_u32 << done.min(16)).min(retries.max_backoff);
    longest.mul_f64(share.clamp(0.0, 1.0))
}

/// A number in [0, 1), different each time. The standard library seeds its hashers at random,
/// which is all that jitter needs.
fn random_share() -> f64 {
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_its_bound() {
        let retries = Retries {
            read_attempts: 9,
            refused_attempts: 9,
            base_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_millis(500),
        };
        let longest: Vec<_> = (0..4).map(|n| backoff(&retries, n, 1.0).as_millis()).collect();
        assert_eq!(longest, [100, 200, 400, 500]);
        assert_eq!(backoff(&retries, 60, 1.0).as_millis(), 500);
        assert_eq!(backoff(&retries, 3, 0.0), Duration::ZERO);
    }

    #[test]
    fn the_share_lies_between_nothing_and_all() {
        assert!((0..1000).map(|_| random_share()).all(|share| (0.0..1.0).contains(&share)));
    }
}
