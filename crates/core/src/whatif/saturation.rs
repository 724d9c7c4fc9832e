//! Where throughput ends, as a multiple of capacity: what lies above it waits, and breaks the objective
//! until it is worked off. Read off the overloads that were seen.

use crate::model::fit::Overload;

use super::fleet::COLD_LOSS;

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

/// Overloads that change the plausibility by less than this, in lg, say nothing.
const SAYS: f64 = 1.0;

/// Where throughput ends, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Saturation {
    known: Basis,
    /// How plausible each multiple of a capacity is.
    weights: [f64; RATIOS.len()],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Basis {
    /// By the latency in overloads, in invocations per minute per instance.
    Measured(f64),
    /// By how long overloads were felt: multiples of this capacity.
    Felt(f64),
    /// By nothing: multiples of whatever the capacity is.
    Guessed,
}

impl Saturation {
    /// By the overloads that were seen, of a service with this capacity, and the throughput that latency
    /// showed in them, which is exact to 1 %.
    pub(super) fn of(overloads: &[Overload], capacity: f64, measured: Option<f64>) -> Self {
        let lg = RATIOS.map(|ratio| {
            let all = overloads.iter().map(|one| likelihood(one, capacity, ratio * capacity));
            TEMPERING * all.sum::<f64>()
        });
        let best = lg.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let worst = lg.into_iter().fold(f64::INFINITY, f64::min);
        let known = match measured {
            Some(throughput) => Basis::Measured(throughput),
            None if best - worst >= SAYS => Basis::Felt(capacity),
            None => Basis::Guessed,
        };
        let mut weights = PRIOR;
        for (weight, lg) in weights.iter_mut().zip(lg) {
            *weight *= (lg - best).exp();
        }
        let total: f64 = weights.iter().sum();
        Self { known, weights: weights.map(|weight| weight / total) }
    }

    /// A capacity, and the throughput as a multiple of it, where the capacity alone is drawn as this.
    /// `share` is that of the plausibility of all multiples, the lowest first. No instance serves more
    /// than its throughput.
    pub(super) fn with(&self, capacity: f64, share: f64) -> (f64, f64) {
        match self.known {
            Basis::Measured(throughput) => (capacity, (throughput / capacity).max(RATIOS[0])),
            Basis::Felt(of) => {
                let throughput = of * self.ratio(share);
                let capacity = capacity.min(throughput);
                (capacity, throughput / capacity)
            }
            Basis::Guessed => (capacity, self.ratio(share)),
        }
    }

    fn ratio(&self, share: f64) -> f64 {
        let mut sum = 0.0;
        let found = self.weights.iter().zip(RATIOS).find(|(weight, _)| {
            sum += **weight;
            sum >= share
        });
        found.map_or(RATIOS[RATIOS.len() - 1], |(_, ratio)| ratio)
    }
}

/// lg of how likely the minutes of one overload are. Only those tell whose load alone would be fine.
fn likelihood(overload: &Overload, capacity: f64, warm: f64) -> f64 {
    let (mut backlog, mut lg) = (0.0_f64, 0.0);
    let (mut last, mut cold) = (0.0_f64, 0.0_f64);
    for &(load, bad) in overload {
        // Minutes with new instances are not judged. How far the load fell says how many joined.
        let joined = if load < last { 1.0 - load / last } else { 0.0 };
        cold = if bad.is_none() { cold.max(joined) } else { 0.0 };
        last = load;
        let throughput = warm * (1.0 - COLD_LOSS * cold);
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
        let of = |waited| Saturation::of(&vec![overload(waited); 4], 1000.0, None);
        let middle = |saturation: &Saturation| saturation.with(1000.0, 0.5).1;
        assert!(middle(&of(0)) >= 1.25, "{:?}", of(0));
        assert!(middle(&of(3)) <= 1.15, "{:?}", of(3));
        let none = Saturation::of(&[], 1000.0, None);
        assert!((1.08..=1.25).contains(&middle(&none)), "{none:?}");
        assert!(none.with(1000.0, 0.0).1 < 1.05, "{none:?}");
    }

    #[test]
    fn cold_instances_work_a_backlog_off_slowly() {
        // After a minute of backlog, twice as many instances: three minutes are not judged, and the fourth
        // is still bad, because half of the instances were cold. Throughput ends at capacity.
        let cold = (0..3).map(|_| (550.0, None));
        let after = [(550.0, Some(true)), (550.0, Some(false)), (550.0, Some(false))];
        let over = (0..10).map(|_| (1180.0, Some(true)));
        let seen: Overload = over.chain(cold).chain(after).collect();
        let saturation = Saturation::of(&vec![seen; 4], 1000.0, None);
        assert!(saturation.with(1000.0, 0.5).1 <= 1.04, "{saturation:?}");
        // Nor is the capacity above it.
        assert!(saturation.with(1200.0, 0.5).0 <= 1040.0, "{saturation:?}");
    }

    #[test]
    fn a_measured_throughput_needs_no_guess() {
        let measured = Saturation::of(&[], 1000.0, Some(1200.0));
        assert_eq!(measured.with(1000.0, 0.1), (1000.0, 1.2));
        // It does not move with what is drawn for the capacity, and is never below it.
        assert_eq!(measured.with(960.0, 0.5), (960.0, 1.25));
        assert_eq!(measured.with(1300.0, 0.5), (1300.0, 1.0));
    }
}
