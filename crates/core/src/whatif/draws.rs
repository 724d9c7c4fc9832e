//! What is not known for sure, drawn: the capacity within its interval, and the reaction time.
//!
//! The same draws are used for every choice (common random numbers), and the start-up time of a
//! scale-out depends on the minute in which it happens and not on how many came before, so that two
//! choices that act in the same minute wait equally long.

use std::sync::Arc;

use crate::model::estimate::Capacity;
use crate::model::fit::{Fit, Knee};
use crate::model::normal::quantile;
use crate::model::reaction::{ReactionTime, Source, Spread};

use super::curve::{Curve, Joining};
use super::saturation::Saturation;

/// Draws for each choice: 90 % of them is 36.
pub const DRAWS: u32 = 40;
/// The least standard deviation of the logarithm of capacity: the estimate's own systematic error.
const SIGMA_MIN: f64 = 0.025;
/// That of a load test whose error is not known (the estimator's own prior).
pub const SIGMA_LOAD_TEST: f64 = 0.30;
/// The width of the knee, in lg, where none was fitted: the middle of the estimator's own prior.
const WIDTH: f64 = 0.055;
/// How much of the variance of the start-up time all scale-outs of a draw share, where it was
/// measured: what remains is different from one scale-out to the next.
const SHARED_MEASURED: f64 = 0.1;
/// And where it was not: the prior may be wrong for all of them.
const SHARED_PRIOR: f64 = 0.5;

/// What is believed of capacity, in invocations per minute per instance, and of the share of bad
/// minutes around it.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityBelief {
    /// The median of a lognormal.
    pub median: f64,
    /// The standard deviation of its logarithm.
    pub sigma: f64,
    /// The knees that the evidence allows, and what was seen; empty where capacity is only stated.
    fit: Arc<Fit>,
    joining: Option<Arc<Joining>>,
    saturation: Saturation,
}

impl CapacityBelief {
    /// A belief; absent where the median is not a finite number above 0.
    pub fn new(median: f64, sigma: f64) -> Option<Self> {
        let sigma = if sigma.is_finite() { sigma.clamp(0.0, 1.0) } else { SIGMA_LOAD_TEST };
        (median.is_finite() && median > 0.0).then_some(Self {
            median,
            sigma,
            fit: Arc::default(),
            joining: None,
            saturation: Saturation::of(&[], median, None),
        })
    }

    /// The same with the fit that it comes from.
    #[must_use]
    pub fn with_fit(self, fit: Arc<Fit>) -> Self {
        let joining = Joining::of(&fit.joining).map(Arc::new);
        let saturation = Saturation::of(&fit.overloads, self.median, fit.throughput);
        Self { fit, joining, saturation, ..self }
    }

    /// Minutes a week that break the objective whatever is chosen; absent where none were seen.
    pub fn foreign_minutes(&self) -> Option<f64> {
        let share = self.fit.foreign(self.median);
        (!self.fit.levels.is_empty()).then_some(share * super::traffic::WEEK as f64)
    }

    /// The knee at a share of the plausibility of all, narrow ones first; the middle one where none
    /// was fitted.
    fn knee(&self, share: f64) -> Knee {
        let stated = Knee { weight: 1.0, capacity: self.median, sigma: self.sigma, width: WIDTH };
        let mut sum = 0.0;
        let found = self.fit.knees.iter().find(|knee| {
            sum += knee.weight;
            sum >= share
        });
        *found.or(self.fit.knees.last()).unwrap_or(&stated)
    }

    /// What an estimate says: its median, and the 5 and 95 % points as far as they exist.
    pub fn of(capacity: &Capacity) -> Option<Self> {
        let median = capacity.estimate?;
        let ln = |a: f64, b: f64| (a / b).ln() / 1.645;
        let sigma = match (capacity.low, capacity.high) {
            (Some(low), Some(high)) if low > 0.0 => ln(high, low) / 2.0,
            (Some(low), None) if low > 0.0 => ln(median, low),
            (None, Some(high)) => ln(high, median),
            _ => SIGMA_LOAD_TEST,
        };
        Self::new(median, sigma.max(SIGMA_MIN))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// The capacity of one instance, in invocations per minute.
    pub capacity: f64,
    /// Minutes from the end of the third breaching minute until it is seen and acted on.
    pub seen_after: u32,
    pub(super) curve: Curve,
    pub(super) joining: Option<Arc<Joining>>,
    /// Where throughput ends, as a multiple of capacity.
    pub(super) saturation: f64,
    start_up: Spread,
    /// The part of the deviate that all scale-outs share, and the weight of what is left.
    shared: f64,
    own_weight: f64,
    seed: u64,
}

impl Draw {
    /// The draws from these beliefs. `n` of them, the first of which holds all medians.
    pub fn all(capacity: &CapacityBelief, reaction: &ReactionTime, n: u32, seed: u64) -> Vec<Self> {
        (0..n).map(|i| Self::one(capacity, reaction, i, seed)).collect()
    }

    fn one(belief: &CapacityBelief, reaction: &ReactionTime, i: u32, seed: u64) -> Self {
        let seed = mix(seed ^ (u64::from(i) << 32));
        let z = |stream: u64| if i == 0 { 0.0 } else { normal(mix(seed ^ stream)) };
        // Spread evenly over the distribution, which few random draws are not.
        let capacity_z = if i == 0 { 0.0 } else { quantile(slice(i, GOLDEN).clamp(0.01, 0.99)) };
        let knee = belief.knee(if i == 0 { 0.5 } else { slice(i, SILVER) });
        let capacity = knee.capacity * (knee.sigma * capacity_z).exp();
        let share = if i == 0 { 0.5 } else { slice(i, BRONZE) };
        let (capacity, saturation) = belief.saturation.with(capacity, share);
        let common = |source: Source| match source {
            Source::Measured { .. } | Source::Stated => SHARED_MEASURED,
            Source::InstanceType => SHARED_PRIOR,
        };
        let shared = common(reaction.start_up.source);
        let alarm = reaction.alarm.minutes.at(z(1)) + reaction.activity.minutes.at(z(2));
        Self {
            capacity,
            curve: Curve::new(capacity, knee.width, &belief.fit),
            joining: belief.joining.clone(),
            saturation,
            // The alarm's three minutes are simulated; what is left is delay.
            seen_after: (alarm - 3.0).round().clamp(0.0, 60.0) as u32,
            start_up: reaction.start_up.minutes,
            shared: z(3) * shared.sqrt(),
            own_weight: (1.0 - shared).sqrt(),
            seed,
        }
    }

    /// The start-up time, in minutes, of instances that are ordered in a minute.
    pub fn start_up(&self, minute: usize) -> f64 {
        let own = normal(mix(self.seed ^ mix(minute as u64)));
        self.start_up.at(self.shared + self.own_weight * own)
    }
}

/// Multiples of these spread evenly over (0, 1), whatever their number, and of one independently of the
/// other: the golden, silver and bronze means.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
const SILVER: f64 = 0.414_213_562_373_095_1;
const BRONZE: f64 = 0.302_775_637_731_994_6;

/// The `i`-th of these points.
fn slice(i: u32, step: f64) -> f64 {
    (f64::from(i) * step).fract()
}

/// A step of the splitmix64 generator (Steele, Lea and Flood, 2014).
const fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A standard normal deviate from random bits, within three deviations.
fn normal(bits: u64) -> f64 {
    let u = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    quantile(u.clamp(0.001_35, 0.998_65))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_spread_of_what_they_are_drawn_from() {
        let belief = CapacityBelief::new(1000.0, 0.1).unwrap();
        let draws = Draw::all(&belief, &ReactionTime::prior(None), 400, 7);
        let mean = draws.iter().map(|d| d.capacity.ln()).sum::<f64>() / 400.0;
        let variance = draws.iter().map(|d| (d.capacity.ln() - mean).powi(2)).sum::<f64>() / 400.0;
        assert!((mean - 1000_f64.ln()).abs() < 0.005, "{mean}");
        assert!((variance.sqrt() - 0.1).abs() < 0.006, "{}", variance.sqrt());
        let mut waits: Vec<f64> = draws.iter().map(|d| d.start_up(17)).collect();
        waits.sort_by(f64::total_cmp);
        assert!((3.5..4.5).contains(&waits[200]), "{}", waits[200]);
        assert!((6.0..8.2).contains(&waits[380]), "{}", waits[380]);
        assert_eq!(draws, Draw::all(&belief, &ReactionTime::prior(None), 400, 7));
    }

    #[test]
    fn an_interval_becomes_a_spread() {
        let capacity = Capacity {
            estimate: Some(1000.0),
            low: Some(900.0),
            high: Some(1100.0),
            ..Capacity::default()
        };
        let belief = CapacityBelief::of(&capacity).unwrap();
        assert!((belief.sigma - 0.061).abs() < 0.001, "{belief:?}");
        assert_eq!(CapacityBelief::of(&Capacity::default()), None);
    }
}
