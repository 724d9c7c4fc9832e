//! The mean-field curves of the service families, before noise.

use super::{Family, Service};

/// How a service behaves at a steady load.
pub(super) struct Shape {
    /// The median service time, as a multiple of the base latency.
    pub(super) median: f64,
    /// A delay that every request meets, in microseconds.
    pub(super) delay_us: f64,
    /// The mean of the exponential wait, as a multiple of the base latency.
    pub(super) wait: f64,
    /// The share of requests that wait.
    pub(super) wait_share: f64,
    /// The share of requests that fail.
    pub(super) errors: f64,
}

/// Stationary formulas end here; what lies beyond is backlog.
const RHO_MAX: f64 = 0.985;

impl Service {
    /// The shape at a utilization `rho`.
    pub(super) fn shape(&self, rho: f64) -> Shape {
        let flat = Shape { median: 1.0, delay_us: 0.0, wait: 0.0, wait_share: 0.0, errors: 0.0 };
        let bounded = rho.clamp(0.0, RHO_MAX);
        match self.family {
            Family::WorkerQueue { workers } => {
                let c = f64::from(workers.max(1));
                Shape {
                    // The tail of the wait of an M/M/c queue, and Sakasegawa's share of waiters.
                    wait: 1.0 / (c * (1.0 - bounded)),
                    wait_share: libm::pow(bounded, libm::sqrt(2.0 * (c + 1.0)) - 1.0),
                    ..flat
                }
            }
            Family::Contention { slowdown } => Shape {
                median: 1.0 + slowdown * bounded * bounded,
                wait: 0.25 * bounded / (1.0 - bounded),
                wait_share: bounded,
                ..flat
            },
            Family::GpuBatch { max_batch, window_ms } => gpu(rho, max_batch, window_ms, &flat),
            Family::Cliff { error_share } => Shape {
                median: 1.0 + 0.2 * bounded,
                errors: error_share / (1.0 + libm::exp(-(libm::log(rho.max(1e-9)) - 0.05) / 0.015)),
                ..flat
            },
        }
    }
}

fn gpu(rho: f64, max_batch: u32, window_ms: f64, flat: &Shape) -> Shape {
    let full = f64::from(max_batch.max(1));
    let bounded = rho.clamp(0.0, RHO_MAX);
    // A batch of b takes (0.4 + 0.6 b / full) of the time of a full one; the batch that keeps up:
    let needed = 0.4 * bounded * full / (1.0 - 0.6 * bounded);
    // The steps between the powers of two are rounded off a little, as padding does.
    let step = libm::exp2(libm::floor(libm::log2(needed.max(1.0)))).min(full);
    let batch = (0.6 * step + 0.4 * needed).clamp(1.0, full);
    // An idle GPU waits for company; a busy one finds a batch whenever it is done.
    let window = window_ms * (1.0 - bounded) * (1.0 - bounded);
    Shape {
        median: (0.4 + 0.6 * batch / full) / (0.4 + 0.6 / full),
        delay_us: window * 1e3 * 0.5,
        wait: 0.15 / (1.0 - bounded),
        wait_share: bounded * bounded,
        errors: flat.errors,
    }
}
