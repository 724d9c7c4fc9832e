//! Where throughput ends, as a multiple of capacity: what lies above it waits, and breaks the objective
//! until it is worked off. Read off the overloads that were seen.

use crate::model::fit::Overload;

/// Multiples that are tried, and how plausible each is where nothing was seen: the middle is where the
/// estimator's knee of middle width is bad in half of the minutes.
const RATIOS: [f64; 7] = [1.0, 1.04, 1.08, 1.15, 1.25, 1.4, 1.7];
const PRIOR: [f64; 7] = [0.5, 0.8, 1.0, 1.0, 1.0, 0.8, 0.5];
/// A load below this share of the capacity is fine by itself.
const LOAD_FINE: f64 = 0.9;
/// A wait of this share of a minute breaks the objective.
pub(super) const BACKLOG_SEEN: f64 = 0.01;
/// Neighbouring minutes are alike: each counts for half, as in the estimate.
const TEMPERING: f64 = 0.5;
/// How often a minute is bad that waits, and one that neither waits nor has too much load.
const WAITS_BAD: f64 = 0.95;
const FINE_BAD: f64 = 0.05;

/// How plausible each multiple is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Saturation {
    weights: [f64; RATIOS.len()],
}

impl Saturation {
    /// By the overloads that were seen, of a service with this capacity.
    pub(super) fn of(overloads: &[Overload], capacity: f64) -> Self {
        let lg = RATIOS.map(|ratio| {
            let all = overloads.iter().map(|one| likelihood(one, capacity, ratio * capacity));
            TEMPERING * all.sum::<f64>()
        });
        let best = lg.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let mut weights = PRIOR;
        for (weight, lg) in weights.iter_mut().zip(lg) {
            *weight *= (lg - best).exp();
        }
        let total: f64 = weights.iter().sum();
        Self { weights: weights.map(|weight| weight / total) }
    }

    /// The multiple at a share of the plausibility of all, the lowest first.
    pub(super) fn at(&self, share: f64) -> f64 {
        let mut sum = 0.0;
        let found = self.weights.iter().zip(RATIOS).find(|(weight, _)| {
            sum += **weight;
            sum >= share
        });
        found.map_or(RATIOS[RATIOS.len() - 1], |(_, ratio)| ratio)
    }
}

/// lg of how likely the minutes of one overload are. Only those tell whose load alone would be fine.
fn likelihood(overload: &Overload, capacity: f64, throughput: f64) -> f64 {
    let (mut backlog, mut lg) = (0.0_f64, 0.0);
    for &(load, bad) in overload {
        let before = backlog;
        backlog = (before + load - throughput).clamp(0.0, throughput);
        let Some(bad) = bad.filter(|_| load < LOAD_FINE * capacity) else { continue };
        let waits = before.max(backlog) > BACKLOG_SEEN * throughput;
        let share: f64 = if waits { WAITS_BAD } else { FINE_BAD };
        lg += if bad { share } else { 1.0 - share }.ln();
    }
    lg
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten minutes at 1.3 times the capacity, and as many bad ones after as waited.
    fn overload(waited: usize) -> Overload {
        let after = |i: usize| (700.0, Some(i < waited));
        (0..10).map(|_| (1300.0, Some(true))).chain((0..8).map(after)).collect()
    }

    #[test]
    fn what_is_felt_afterwards_says_where_throughput_ends() {
        let of = |waited| Saturation::of(&vec![overload(waited); 4], 1000.0);
        assert!(of(0).at(0.5) >= 1.25, "{:?}", of(0));
        assert!(of(3).at(0.5) <= 1.15, "{:?}", of(3));
        let none = Saturation::of(&[], 1000.0);
        assert!((1.08..=1.25).contains(&none.at(0.5)) && none.at(0.0) < 1.05, "{none:?}");
    }
}
