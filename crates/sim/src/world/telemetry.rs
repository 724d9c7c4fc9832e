//! What CloudWatch keeps of a variant: minutes, and longer periods made of them.

use std::collections::VecDeque;

use crate::service::Served;
use crate::service::pooled::{Part, quantile};
use setpoint_core::model::time::Timestamp;

/// CloudWatch keeps one-minute data for 15 days.
const KEPT_MINUTES: usize = 15 * 1440;

/// One minute of a variant.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MinuteData {
    pub(super) requests: f32,
    pub(super) instances: f32,
    pub(super) avg_us: f32,
    /// p50, p90, p95, p99.
    pub(super) percentiles_us: [f32; 4],
    pub(super) errors: f32,
    /// Nothing was published, whatever happened.
    pub(super) missing: bool,
}

/// A metric that the world publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    Invocations,
    InvocationsPerInstance,
    ModelLatency,
    Errors5xx,
    Errors4xx,
}

/// A statistic of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stat {
    Sum,
    Average,
    SampleCount,
    /// The quantile, in (0, 1).
    Percentile(f64),
}

impl MinuteData {
    pub(super) fn of(requests: f64, instances: f64, served: &Served) -> Self {
        Self {
            requests: requests as f32,
            instances: instances as f32,
            avg_us: served.avg_us as f32,
            percentiles_us: served.percentiles_us.map(|us| us as f32),
            errors: served.errors as f32,
            missing: false,
        }
    }

    /// `InvocationsPerInstance`, Sum; none without traffic, unless zeros are published.
    pub(super) fn per_instance(&self, zeros: bool) -> Option<f64> {
        let published = self.instances > 0.0 && (self.requests > 0.0 || zeros) && !self.missing;
        published.then(|| f64::from(self.requests) / f64::from(self.instances))
    }

    pub(super) fn part(&self) -> Part {
        let percentiles_us = self.percentiles_us.map(f64::from);
        Part { requests: f64::from(self.requests), percentiles_us }
    }
}

/// The telemetry of a variant, a contiguous run of minutes.
#[derive(Debug, Clone, Default)]
pub(super) struct Telemetry {
    /// The first minute kept, in minutes since the epoch.
    first: i64,
    minutes: VecDeque<MinuteData>,
}

/// The minute that an instant lies in, counted from the epoch.
pub(super) fn minute_index(at: Timestamp) -> i64 {
    at.timestamp().div_euclid(60)
}

impl Telemetry {
    /// Empty, its first minute the one at `at`.
    pub(super) fn from(at: Timestamp) -> Self {
        Self { first: minute_index(at), minutes: VecDeque::new() }
    }

    pub(super) fn push(&mut self, data: MinuteData) {
        if self.minutes.len() >= KEPT_MINUTES {
            self.minutes.pop_front();
            self.first += 1;
        }
        self.minutes.push_back(data);
    }

    /// Takes away a minute that was not published.
    pub(super) fn miss(&mut self, index: i64) {
        let index = usize::try_from(index - self.first).ok();
        if let Some(minute) = index.and_then(|index| self.minutes.get_mut(index)) {
            minute.missing = true;
        }
    }

    /// Whether `ListMetrics` shows it, `newest` being the newest minute with a datapoint: there was one
    /// `within` so many minutes, and the first is `after` so many minutes old.
    pub(super) fn is_listed(&self, newest: i64, within: i64, after: i64) -> bool {
        let published = |m: &MinuteData| !m.missing && m.requests > 0.0;
        let Some(first) = self.minutes.iter().position(published) else { return false };
        let old_enough = newest - self.first - first.cast_signed() as i64 >= after;
        let known = newest - self.first + 1;
        let from = (known - within).max(0) as usize;
        let until = (known.max(0) as usize).min(self.minutes.len());
        old_enough && from < until && self.minutes.range(from..until).any(published)
    }

    /// A minute, by its index; none when it was not simulated or is forgotten.
    pub(super) fn get(&self, index: i64) -> Option<&MinuteData> {
        self.minutes.get(usize::try_from(index - self.first).ok()?)
    }

    /// A period's value; none when no minute of it has a datapoint.
    pub(super) fn period(
        &self,
        metric: Published,
        stat: Stat,
        minutes: impl Iterator<Item = i64>,
        zeros: bool,
    ) -> Option<f64> {
        let found: Vec<&MinuteData> = minutes
            .filter_map(|index| self.get(index))
            .filter(|m| !m.missing && (m.requests > 0.0 || (zeros && m.instances > 0.0)))
            .collect();
        if found.is_empty() {
            return None;
        }
        let sum = |f: fn(&MinuteData) -> f64| found.iter().map(|m| f(m)).sum::<f64>();
        let requests = sum(|m| f64::from(m.requests));
        if metric == Published::ModelLatency {
            return (requests > 0.0).then(|| latency(&found, stat, requests));
        }
        let total = match metric {
            Published::InvocationsPerInstance => {
                // Without an instance there is no value, and none that a division by nothing makes.
                let each = found.iter().filter(|m| m.instances > 0.0);
                let each = each.map(|m| f64::from(m.requests) / f64::from(m.instances));
                each.reduce(|all, one| all + one)?
            }
            Published::Errors5xx => sum(|m| f64::from(m.errors)),
            Published::Errors4xx => 0.0,
            _ => requests,
        };
        match stat {
            Stat::Sum => Some(total),
            Stat::SampleCount => Some(requests),
            // Per request: 1/n for `InvocationsPerInstance`, the rate for errors.
            Stat::Average => Some(if requests > 0.0 { total / requests } else { 0.0 }),
            Stat::Percentile(_) => None,
        }
    }
}

fn latency(found: &[&MinuteData], stat: Stat, requests: f64) -> f64 {
    let total: f64 = found.iter().map(|m| f64::from(m.avg_us) * f64::from(m.requests)).sum();
    match stat {
        Stat::Sum => total,
        Stat::Average => total / requests,
        Stat::SampleCount => requests,
        Stat::Percentile(q) => {
            quantile(&found.iter().map(|minute| minute.part()).collect::<Vec<Part>>(), q)
        }
    }
}
