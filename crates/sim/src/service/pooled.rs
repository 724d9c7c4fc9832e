//! Percentiles of the requests of several minutes, from those of each.

use libm::{erfc, exp, log};

use setpoint_core::model::normal;

/// The requests of one minute, and its p50, p90, p95 and p99 in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) requests: f64,
    pub(crate) percentiles_us: [f64; 4],
}

impl Part {
    /// The share of latencies below `us`, through the known percentiles.
    fn share_below(&self, ln_us: f64) -> f64 {
        const Z: [f64; 4] = [0.0, 1.281_551_57, 1.644_853_63, 2.326_347_87];
        let known = self.percentiles_us.map(|us| log(us.max(1.0)));
        let upper = (1..3).find(|i| ln_us < known[*i]).unwrap_or(3);
        let width = (known[upper] - known[upper - 1]).max(1e-6);
        let z = Z[upper - 1] + (ln_us - known[upper - 1]) / width * (Z[upper] - Z[upper - 1]);
        0.5 * erfc(-z / std::f64::consts::SQRT_2)
    }

    /// Any quantile.
    pub(crate) fn at_quantile(&self, q: f64) -> f64 {
        let exact = [0.5, 0.9, 0.95, 0.99].iter().position(|known| (known - q).abs() < 1e-9);
        if let Some(i) = exact {
            return self.percentiles_us[i];
        }
        let spread = log(self.percentiles_us[3] / self.percentiles_us[0].max(1.0));
        self.percentiles_us[0] * exp(spread / 2.326 * normal::quantile(q))
    }
}

/// The quantile of all requests of some minutes, by bisection of their mixed distribution.
pub(crate) fn quantile(parts: &[Part], q: f64) -> f64 {
    if let [one] = parts {
        return one.at_quantile(q);
    }
    let requests: f64 = parts.iter().map(|part| part.requests).sum();
    let (mut low, mut high) = (0.0_f64, log(120e6));
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        let below: f64 = parts.iter().map(|part| part.requests * part.share_below(middle)).sum();
        if below / requests < q { low = middle } else { high = middle }
    }
    exp(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_p99_of_minutes_with_few_requests_is_right_in_the_middle() {
        // Lognormal latencies: each minute's tail beyond its p99 is off by chance, as in a sample.
        let (spread, mut random) = (0.5, Random::named(5, "pooled"));
        let mut minute = |requests: f64| {
            let percentiles_us = [0.5_f64, 0.1, 0.05, 0.01].map(|tail| {
                let off = ((1.0 - tail) / (tail * requests + 0.5)).sqrt() * random.normal();
                let seen = (tail * off.exp()).clamp(1e-6, 0.95);
                1e5 * (spread * -normal::quantile(seen)).exp()
            });
            Part { requests, percentiles_us }
        };
        let mut pooled: Vec<f64> = (0..400)
            .map(|_| quantile(&std::array::from_fn::<Part, 5, _>(|_| minute(30.0)), 0.99))
            .collect();
        pooled.sort_by(f64::total_cmp);
        let truth = 1e5 * (spread * 2.326_f64).exp();
        assert!((pooled[200] / truth - 1.0).abs() < 0.05, "{} {truth}", pooled[200]);
    }
}
