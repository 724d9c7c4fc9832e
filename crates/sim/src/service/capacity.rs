//! The truth about capacity: the highest steady load at which at most 10 % of the minutes break
//! the objective, in invocations per minute per instance.
//!
//! A bisection of a noisy truth is wrong by 10 %, so the truth has its own fit: the share of bad
//! minutes is simulated on a fine grid of steady loads, made monotone (pool adjacent violators),
//! and the crossing of 10 % interpolated in the logarithm of the load.

use serde::{Deserialize, Serialize};

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

/// The number of instances over which a truth's minutes are pooled.
const INSTANCES: f64 = 4.0;
/// The share of bad minutes at capacity.
const BAD_SHARE: f64 = 0.10;
/// Minutes simulated at each load.
const MINUTES: u32 = 600;

/// The true capacity of one instance at a relative speed of 1. Zero when the objective is broken
/// at every load (a threshold below the base latency). Deterministic; takes about 20 ms.
pub fn true_capacity(service: &Service, objective: &Objective) -> f64 {
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

/// The share of bad minutes at a steady load, after a minute for every ten to settle.
pub(super) fn bad_share(
    service: &Service,
    objective: &Objective,
    load: f64,
    minutes: u32,
    random: &mut Random,
) -> f64 {
    let mut backlog = 0.0;
    let mut bad = 0_u32;
    let settle = minutes / 10;
    for minute in 0..minutes + settle {
        let requests = random.poisson(load * INSTANCES);
        let demand = Demand { requests, instances: INSTANCES, cold_share: 0.0, speed: 1.0 };
        let served = service.serve(&demand, &mut backlog, random);
        let broken =
            objective.broken_by(served.latency(objective.statistic), served.errors, requests);
        bad += u32::from(minute >= settle && broken);
    }
    f64::from(bad) / f64::from(minutes)
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
