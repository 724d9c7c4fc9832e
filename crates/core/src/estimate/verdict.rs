//! Steps 7 and 8, verdict and numbers: which bounds the evidence proves, and the quantiles.

use crate::model::estimate::{Capacity, Verdict};

use super::chain::{Span, blur};
use super::grid::STEP;

/// Evidence (in lg likelihood) from which a bound counts as proven.
const PROVEN: f64 = 3.0;
/// The lower bound is the smallest capacity within this of the best one.
const LOWER_BOUND_DEPTH: f64 = 2.7;
/// An upper bound above this, in invocations per minute, is one of the grid and not of the evidence: no
/// instance serves 100,000 requests a second.
const NO_BOUND: f64 = 6e6;
/// The 5 % point of a standard normal distribution.
const Z_5: f64 = 1.645;

/// How far an end of the grid lies below the best capacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Proof {
    /// Against capacities far above.
    pub(super) up: f64,
    /// Against capacities far below.
    pub(super) down: f64,
}

impl Proof {
    /// Reads it off lg V.
    pub(super) fn of(lg_evidence: &[f64]) -> Self {
        let best = lg_evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let below = |v: Option<&f64>| v.map_or(0.0, |v| best - v);
        Self { up: below(lg_evidence.last()), down: below(lg_evidence.first()) }
    }

    /// Whether capacities far above are excluded.
    pub(super) fn is_up(self) -> bool {
        self.up >= PROVEN
    }

    pub(super) fn both(self) -> bool {
        self.up >= PROVEN && self.down >= PROVEN
    }
}

/// The verdict from the evidence of the present regime alone and of the whole chain.
pub(super) fn verdict(own: Proof, chain: Proof) -> Verdict {
    if own.both() {
        Verdict::Measured
    } else if chain.both() {
        Verdict::Inferred
    } else if chain.down >= PROVEN {
        Verdict::AtLeast
    } else if chain.up >= PROVEN {
        Verdict::AtMost
    } else {
        Verdict::Unobserved
    }
}

/// Quantiles of the posterior in invocations per minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantiles {
    pub(super) q05: f64,
    pub(super) q25: f64,
    pub(super) q50: f64,
    pub(super) q95: f64,
}

/// Quantiles of a posterior given by its logarithm, blurred by the systematic error.
pub(super) fn quantiles(span: Span, lg_posterior: &[f64], systematic: f64) -> Quantiles {
    let best = lg_posterior.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let density: Vec<f64> = lg_posterior.iter().map(|lg| (lg - best).exp()).collect();
    let density = blur(&density, systematic);
    let total: f64 = density.iter().sum();
    let at = |share: f64| {
        let mut sum = 0.0;
        for (i, d) in density.iter().enumerate() {
            if sum + d >= share * total && *d > 0.0 {
                // A bin reaches half a step to both sides of its centre.
                let within = (share * total - sum) / d - 0.5;
                return (span.lg(i) + within * STEP).exp();
            }
            sum += d;
        }
        span.lg(span.size - 1).exp()
    };
    Quantiles { q05: at(0.05), q25: at(0.25), q50: at(0.50), q95: at(0.95) }
}

/// The lower bound that evidence alone proves; `None` when nothing is excluded below.
pub(super) fn lower_bound(span: Span, lg_evidence: &[f64], systematic: f64) -> Option<f64> {
    let best = lg_evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let first = lg_evidence.iter().position(|lg| *lg >= best - LOWER_BOUND_DEPTH)?;
    (first > 0).then(|| (span.lg(first) - Z_5 * systematic).exp())
}

/// The upper bound that evidence alone proves; `None` when nothing is excluded above. Quantiles will not
/// do: where no load test speaks, a thousand far capacities that are each unlikely are likely together.
pub(super) fn upper_bound(span: Span, lg_evidence: &[f64], systematic: f64) -> Option<f64> {
    let best = lg_evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let last = lg_evidence.iter().rposition(|lg| *lg >= best - LOWER_BOUND_DEPTH)?;
    (last + 1 < lg_evidence.len()).then(|| (span.lg(last) + Z_5 * systematic).exp())
}

/// The numbers that a verdict lets exist. `has_opinion` is whether a load test or an older regime
/// stands behind the posterior where evidence ends.
pub(super) fn capacity(
    verdict: Verdict,
    q: Quantiles,
    (lower_bound, upper_bound): (Option<f64>, Option<f64>),
    has_opinion: bool,
) -> Capacity {
    match verdict {
        Verdict::Measured | Verdict::Inferred => Capacity {
            estimate: Some(q.q50),
            low: Some(q.q05),
            q25: Some(q.q25),
            high: Some(q.q95),
            lower_bound,
        },
        Verdict::AtLeast => Capacity {
            estimate: has_opinion.then_some(q.q50),
            low: Some(lower_bound.map_or(q.q05, |lb| lb.min(q.q05))),
            q25: has_opinion.then_some(q.q25),
            high: None,
            lower_bound: lower_bound.map(|lb| lb.min(q.q05)),
        },
        Verdict::AtMost => Capacity {
            estimate: has_opinion.then_some(q.q50),
            low: None,
            q25: None,
            high: Some(upper_bound.map_or(q.q95, |ub| ub.min(q.q95)))
                .filter(|high| *high < NO_BOUND),
            lower_bound: None,
        },
        Verdict::Unobserved | Verdict::Stale => Capacity::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_its_proof() {
        let (yes, no) = (3.0, 2.9);
        let proof = |up, down| Proof { up, down };
        assert_eq!(verdict(proof(yes, yes), proof(no, no)), Verdict::Measured);
        assert_eq!(verdict(proof(no, yes), proof(yes, yes)), Verdict::Inferred);
        assert_eq!(verdict(proof(no, yes), proof(no, yes)), Verdict::AtLeast);
        assert_eq!(verdict(proof(yes, no), proof(yes, no)), Verdict::AtMost);
        assert_eq!(verdict(proof(no, no), proof(no, no)), Verdict::Unobserved);
    }

    #[test]
    fn what_is_excluded_above_is_no_part_of_a_bound_however_much_of_it_there_is() {
        let span = Span { lowest: 200, size: 1400 };
        // Fine up to a point, and above it unlikely to the same degree for ever.
        let lg: Vec<f64> = (0..1400).map(|i| if i <= 100 { 0.0 } else { -PROVEN }).collect();
        let q = quantiles(span, &lg, 0.025);
        let bound = upper_bound(span, &lg, 0.025).unwrap();
        assert!((bound.ln() - span.lg(100) - Z_5 * 0.025).abs() < 1e-9, "{bound}");
        assert!(q.q95 > 100.0 * bound, "{q:?}");
        let at_most = capacity(Verdict::AtMost, q, (None, Some(bound)), false);
        assert_eq!(at_most.high, Some(bound));
        assert_eq!(upper_bound(span, &vec![0.0; 1400], 0.025), None);
    }

    #[test]
    fn quantiles_of_a_normal_density() {
        let span = Span { lowest: 200, size: 200 };
        let lg: Vec<f64> =
            (0..200).map(|i| -((f64::from(i) - 100.0) * STEP / 0.1).powi(2) / 2.0).collect();
        let q = quantiles(span, &lg, 0.025);
        let spread = (0.01_f64 + 0.025 * 0.025).sqrt();
        assert!((q.q50.ln() - 6.0).abs() < 1e-3);
        assert!((q.q05.ln() - (6.0 - 1.645 * spread)).abs() < 3e-3);
        assert!((q.q95.ln() - (6.0 + 1.645 * spread)).abs() < 3e-3);
    }
}
