//! The truth about capacity: the highest steady load at which at most 10 % of the minutes break
//! the objective, in invocations per minute per instance.
//!
//! A bisection of a noisy truth is wrong by 10 %, so the truth has its own fit: the share of bad
//! minutes is simulated on a fine grid of steady loads, made monotone (pool adjacent violators),
//! and the crossing of 10 % interpolated in the logarithm of the load.

use serde::{Deserialize, Serialize};

use super::pooled::{Part, quantile};
use super::{Demand, Service};
use crate::random::Random;
use setpoint_core::model::units::LatencyStatistic;

/// What counts as serving well, for the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Which statistic of `ModelLatency`.
    #[serde(default = "default_statistic")]
    pub statistic: LatencyStatistic,
    /// Its threshold, in milliseconds.
    pub threshold_ms: f64,
    /// The highest share of 5XX.
    #[serde(default = "default_errors")]
    pub error_rate_max: f64,
}

fn default_statistic() -> LatencyStatistic {
    LatencyStatistic::P99
}

fn default_errors() -> f64 {
    0.01
}

impl Objective {
    /// Whether a minute breaks it.
    pub fn broken_by(&self, latency_us: f64, errors: f64, requests: f64) -> bool {
        latency_us > self.threshold_ms * 1e3
            || (requests > 0.0 && errors / requests > self.error_rate_max)
    }
}

/// The number of instances over which a truth's minutes are pooled, where nothing else is known.
const INSTANCES: f64 = 4.0;
/// A percentile of fewer requests is one of a longer period, of so many minutes.
const REQUESTS_MIN: f64 = 100.0;
const PERIODS: [u32; 3] = [1, 5, 15];
/// The share of bad minutes at capacity.
const BAD_SHARE: f64 = 0.10;
/// Minutes simulated at each load.
const MINUTES: u32 = 600;

/// The true capacity of one instance at a relative speed of 1. Zero when the objective is broken
/// at every load (a threshold below the base latency). Deterministic; takes about 20 ms.
pub fn true_capacity(service: &Service, objective: &Objective) -> f64 {
    true_capacity_of(service, objective, INSTANCES)
}

/// The same in a fleet of so many instances. A percentile of few requests is uncertain, so where an
/// objective is tight the capacity of one instance depends on how many share a minute.
pub fn true_capacity_of(service: &Service, objective: &Objective, instances: f64) -> f64 {
    let bad_share =
        |service: &Service, objective: &Objective, load, minutes, random: &mut Random| {
            bad_share_of((service, instances), objective, load, minutes, random)
        };
    let mut random = Random::named(0x7275_7468, "capacity");
    // From 1.3 times the saturation down to where the objective holds, in steps of 10 %.
    let mut top = service.saturation * 1.3;
    let floor = service.saturation / 500.0;
    while bad_share(service, objective, top, 60, &mut random) > BAD_SHARE / 2.0 {
        top /= 1.1;
        if top < floor {
            return 0.0;
        }
    }
    let grid: Vec<f64> = (-6..36).map(|i| top * libm::exp(0.01 * f64::from(i))).collect();
    let mut shares: Vec<f64> = grid
        .iter()
        .map(|load| bad_share(service, objective, *load, MINUTES, &mut random))
        .collect();
    pool_adjacent_violators(&mut shares);
    crossing(&grid, &shares)
}

/// The share of bad minutes at a steady load, after a minute for every ten to settle. Where a minute
/// has too few requests for a percentile, the share of bad periods.
pub(super) fn bad_share_of(
    (service, instances): (&Service, f64),
    objective: &Objective,
    load: f64,
    periods: u32,
    random: &mut Random,
) -> f64 {
    let enough = |minutes: &u32| f64::from(*minutes) * load * instances >= REQUESTS_MIN;
    let minutes = PERIODS.into_iter().find(enough).unwrap_or(PERIODS[2]);
    let mut backlog = 0.0;
    let mut bad = 0_u32;
    let settle = periods / 10;
    for period in 0..periods + settle {
        let (mut parts, mut errors, mut latency) = (Vec::new(), 0.0, 0.0);
        for _ in 0..minutes {
            let requests = random.poisson(load * instances);
            let demand = Demand { requests, instances, cold_share: 0.0, speed: 1.0 };
            let served = service.serve(&demand, &mut backlog, random);
            errors += served.errors;
            latency = served.latency(objective.statistic);
            parts.push(Part { requests, percentiles_us: served.percentiles_us });
        }
        if let Some(quantile_of) = quantile_of(objective.statistic).filter(|_| minutes > 1) {
            latency = quantile(&parts, quantile_of);
        }
        let requests = parts.iter().map(|part| part.requests).sum();
        bad += u32::from(period >= settle && objective.broken_by(latency, errors, requests));
    }
    f64::from(bad) / f64::from(periods)
}

/// The share of requests below a statistic, where it is a percentile.
const fn quantile_of(statistic: LatencyStatistic) -> Option<f64> {
    match statistic {
        LatencyStatistic::Avg => None,
        LatencyStatistic::P50 => Some(0.5),
        LatencyStatistic::P90 => Some(0.9),
        LatencyStatistic::P95 => Some(0.95),
        LatencyStatistic::P99 => Some(0.99),
    }
}

/// Makes a sequence non-decreasing, moving each value as little as possible (least squares).
fn pool_adjacent_violators(values: &mut [f64]) {
    let mut pools: Vec<(f64, usize)> = Vec::with_capacity(values.len());
    for value in values.iter() {
        pools.push((*value, 1));
        while let [.., (a, na), (b, nb)] = pools[..]
            && a > b
        {
            let n = na + nb;
            pools.truncate(pools.len() - 2);
            pools.push(((a * na as f64 + b * nb as f64) / n as f64, n));
        }
    }
    let spread = pools.iter().flat_map(|(value, n)| std::iter::repeat_n(*value, *n));
    for (slot, value) in values.iter_mut().zip(spread) {
        *slot = value;
    }
}

fn crossing(grid: &[f64], shares: &[f64]) -> f64 {
    let Some(above) = shares.iter().position(|share| *share > BAD_SHARE) else {
        return grid.last().copied().unwrap_or(0.0);
    };
    let Some(below) = above.checked_sub(1) else { return grid[0] };
    let part = (BAD_SHARE - shares[below]) / (shares[above] - shares[below]);
    grid[below] * libm::exp(part * libm::log(grid[above] / grid[below]))
}

impl super::Served {
    /// The latency at a statistic, in microseconds.
    pub fn latency(&self, statistic: LatencyStatistic) -> f64 {
        match statistic {
            LatencyStatistic::Avg => self.avg_us,
            LatencyStatistic::P50 => self.percentiles_us[0],
            LatencyStatistic::P90 => self.percentiles_us[1],
            LatencyStatistic::P95 => self.percentiles_us[2],
            LatencyStatistic::P99 => self.percentiles_us[3],
        }
    }
}
