//! Service models: how latency and errors of one variant depend on its load, per pooled minute.
//!
//! Mean-field, not per request: a minute costs about a microsecond. What overload leaves behind is
//! carried to the next minute as a backlog.

mod capacity;
pub(crate) mod pooled;
mod shape;

use serde::{Deserialize, Serialize};
use setpoint_core::model::normal;

use super::random::Random;
pub use capacity::{Objective, true_capacity, true_capacity_of};

/// SageMaker gives up on an invocation after 60 seconds (developer guide, "`InvokeEndpoint`").
const TIMEOUT_SECONDS: f64 = 60.0;
/// Microseconds in a minute.
const MINUTE_US: f64 = 60e6;

/// A service, as a scenario describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// How it bends under load.
    pub family: Family,
    /// The median latency of a lone request, in milliseconds.
    pub base_ms: f64,
    /// Where throughput ends, in invocations per minute per instance.
    pub saturation: f64,
    /// The spread of the latency of equal requests (standard deviation of its logarithm).
    #[serde(default = "default_spread")]
    pub spread: f64,
    /// How much the work of a request differs from minute to minute (payload mix), likewise.
    #[serde(default = "default_noise")]
    pub noise: f64,
    /// The share of minutes with a hiccup (a collection, a neighbour) that triples latency.
    #[serde(default = "default_hiccups")]
    pub hiccups: f64,
}

fn default_spread() -> f64 {
    0.3
}

fn default_noise() -> f64 {
    0.03
}

fn default_hiccups() -> f64 {
    0.0005
}

/// The families of service models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Family {
    /// A queue before some workers (M/G/c-like): flat, then a steep knee.
    WorkerQueue {
        /// Requests served at once.
        workers: u32,
    },
    /// Workers that hinder each other (universal-scalability-like): slower with every step of
    /// load, and less throughput once overloaded.
    Contention {
        /// The slow-down at full load, as a multiple of the base latency.
        slowdown: f64,
    },
    /// A GPU that serves batches: latency moves in steps and is higher at low load, where the
    /// batcher waits for company.
    GpuBatch {
        max_batch: u32,
        /// How long the batcher waits for company, in milliseconds.
        window_ms: f64,
    },
    /// Fine until a point, then errors.
    Cliff {
        /// The share of errors far beyond the point.
        error_share: f64,
    },
}

/// What one minute asks of the instances of a variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Requests in the minute, of all instances.
    pub requests: f64,
    /// Instances that served (their average over the minute).
    pub instances: f64,
    /// The share of requests that met a cold instance.
    pub cold_share: f64,
    /// Relative speed of an instance: 1 as described, 0.7 slower. Scales capacity and latency.
    pub speed: f64,
}

/// What CloudWatch would see of a minute. Latencies are in microseconds and in order of rank.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Served {
    /// The mean latency.
    pub avg_us: f64,
    /// p50, p90, p95, p99.
    pub percentiles_us: [f64; 4],
    /// Responses 5XX.
    pub errors: f64,
}

/// How much slower a cold instance is.
const COLD_FACTOR: f64 = 2.0;

impl Service {
    /// Serves one minute. `backlog` is what waits on each instance, before and after.
    pub fn serve(&self, demand: &Demand, backlog: &mut f64, random: &mut Random) -> Served {
        let work = libm::exp(self.noise * random.normal());
        let hiccup = if random.uniform() < self.hiccups { 3.0 } else { 1.0 };
        if demand.instances <= 0.0 {
            *backlog = 0.0;
            // Nobody to serve: the front end answers 503 to all.
            return Served { errors: demand.requests, ..Served::default() };
        }
        // A cold instance does half the work of a warm one.
        let speed = demand.speed * (1.0 - demand.cold_share * (1.0 - 1.0 / COLD_FACTOR));
        let load = demand.requests / demand.instances;
        let shape = self.shape(load * work / (self.saturation * speed));
        let throughput =
            self.saturation * speed / work * self.retrograde(*backlog / self.saturation);

        let before = *backlog;
        let room = throughput * TIMEOUT_SECONDS / 60.0;
        let after = (before + load - throughput).max(0.0);
        let timed_out = (after - room).max(0.0);
        *backlog = after.min(room);
        let waiting_us = f64::midpoint(before, *backlog) / throughput * MINUTE_US;

        let slow = work / demand.speed * hiccup;
        let latency = Latency {
            median_us: self.base_ms * 1e3 * shape.median * slow,
            spread: self.spread,
            delay_us: shape.delay_us + waiting_us,
            wait_us: shape.wait * self.base_ms * 1e3 * slow,
            wait_share: shape.wait_share,
            cold_share: demand.cold_share,
        };
        let failing = (shape.errors + timed_out / load.max(1.0)).min(1.0);
        Served {
            errors: binomial(demand.requests, failing, random),
            ..latency.sample(demand.requests, random)
        }
    }

    /// The share of throughput that is left under a backlog of so many minutes.
    fn retrograde(&self, backlog_minutes: f64) -> f64 {
        match self.family {
            Family::Contention { .. } => 1.0 / (1.0 + 0.3 * backlog_minutes.min(1.0)),
            _ => 1.0,
        }
    }
}

/// A count of successes, by Poisson for rare ones and normal otherwise.
pub(crate) fn binomial(n: f64, p: f64, random: &mut Random) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p < 0.05 {
        return random.poisson(n * p).min(n);
    }
    libm::round(n * p + libm::sqrt(n * p * (1.0 - p)) * random.normal()).clamp(0.0, n)
}

/// The latency distribution of one minute: a lognormal service time, after a wait that some meet.
struct Latency {
    median_us: f64,
    spread: f64,
    delay_us: f64,
    wait_us: f64,
    wait_share: f64,
    cold_share: f64,
}

impl Latency {
    /// The latency that the share `tail` of requests exceed.
    ///
    /// The tails of service and wait do not add: the slow request is rarely the one that waits
    /// long. Distances from the medians of independent parts go together in quadrature, which is
    /// within 3 % of a million drawn requests here; p99 + p99 is some 20 % above.
    fn at_tail(&self, tail: f64) -> f64 {
        let cold = if tail < self.cold_share { COLD_FACTOR } else { 1.0 };
        let middle = self.median_us * cold;
        let service = middle * libm::exp(self.spread * -normal::quantile(tail)) - middle;
        let waited = self.waited(0.5);
        let wait = self.waited(tail) - waited;
        let off = libm::copysign(libm::sqrt(service * service + wait * wait), service);
        (middle + waited + off + self.delay_us).clamp(0.0, TIMEOUT_SECONDS * 1e6)
    }

    /// The wait that the share `tail` of requests exceed.
    fn waited(&self, tail: f64) -> f64 {
        if self.wait_share > tail { self.wait_us * libm::log(self.wait_share / tail) } else { 0.0 }
    }

    fn mean(&self) -> f64 {
        let service = self.median_us * libm::exp(self.spread * self.spread / 2.0);
        let cold = 1.0 + self.cold_share * (COLD_FACTOR - 1.0);
        (service * cold + self.delay_us + self.wait_us * self.wait_share).min(TIMEOUT_SECONDS * 1e6)
    }

    /// The statistics that `n` requests show: an order statistic's rank is uncertain by
    /// sqrt(q (1 - q) / n), so the fewer requests, the noisier p99.
    fn sample(&self, n: f64, random: &mut Random) -> Served {
        let mut percentiles_us = [0.0; 4];
        let mut below: f64 = 0.0;
        for (slot, tail) in percentiles_us.iter_mut().zip([0.5_f64, 0.1, 0.05, 0.01]) {
            let uncertainty = libm::sqrt((1.0 - tail) / (tail * n + 0.5));
            let seen = (tail * libm::exp(uncertainty * random.normal())).clamp(1e-6, 0.95);
            below = below.max(self.at_tail(seen));
            *slot = below;
        }
        let noise = self.spread / libm::sqrt(n.max(1.0));
        Served {
            avg_us: self.mean() * libm::exp(noise * random.normal()),
            percentiles_us,
            errors: 0.0,
        }
    }
}

#[cfg(test)]
mod tests;
