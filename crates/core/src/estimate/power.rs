//! The power by which capacity follows the ratio of medians. It depends on the service and on how
//! tight its objective is (1.0 to 3.9 were seen), so each change of regime whose capacity was
//! measured before and after teaches it.

use serde::{Deserialize, Serialize};

/// Capacity falls by this power of the ratio of medians, as long as none was measured ...
const PRIOR: f64 = 1.25;
/// ... and at most by so much more: most services lie above, few below.
const PRIOR_SPREAD: f64 = 0.5;
/// By so much less, and what is left after any number of samples: two changes of one service are
/// not alike.
const SPREAD_MIN: f64 = 0.25;
/// How far the lg ratio of two measured capacities may be off.
const SAMPLE_SPREAD: f64 = 0.08;
/// Smaller changes of speed teach nothing.
const RATIO_MIN: f64 = 0.15;
/// Powers outside are measurements gone wrong.
const RANGE: (f64, f64) = (0.5, 4.0);
/// A sample takes this many bad minutes of the new regime: until then its capacity goes by the
/// power that is to be learned.
pub(super) const BAD_MINUTES_MIN: u32 = 15;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Power {
    /// The most plausible one, in thousandths.
    mean: i32,
    /// Weight of what was measured, in thousandths; the prior's is not in it.
    learned: u32,
}

impl Default for Power {
    fn default() -> Self {
        Self { mean: (PRIOR * 1000.0) as i32, learned: 0 }
    }
}

/// What one change of regime said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    power: i32,
    weight: u32,
}

impl Sample {
    /// From the capacities before and after a change, and the lg ratio of medians.
    pub(super) fn of(before: f64, after: f64, lg_ratio: f64) -> Option<Self> {
        if lg_ratio.abs() < RATIO_MIN {
            return None;
        }
        let power = (-(after / before).ln() / lg_ratio).clamp(RANGE.0, RANGE.1);
        let weight = (lg_ratio / SAMPLE_SPREAD).powi(2);
        let finite = power.is_finite() && weight.is_finite();
        finite.then(|| Self {
            power: (power * 1000.0).round() as i32,
            weight: (weight.min(1000.0) * 1000.0).round() as u32,
        })
    }
}

impl Power {
    const PRIOR_WEIGHT: f64 = 1000.0 / (PRIOR_SPREAD * PRIOR_SPREAD);

    /// With one more sample.
    pub(super) fn with(self, sample: Sample) -> Self {
        let (own, new) = (Self::PRIOR_WEIGHT + f64::from(self.learned), f64::from(sample.weight));
        let mean = (own * f64::from(self.mean) + new * f64::from(sample.power)) / (own + new);
        Self { mean: mean.round() as i32, learned: self.learned.saturating_add(sample.weight) }
    }

    /// What to carry a capacity over a change with.
    pub(super) fn exponent(self) -> Exponent {
        let spread = (1000.0 / (Self::PRIOR_WEIGHT + f64::from(self.learned))).sqrt();
        Exponent {
            mean: f64::from(self.mean) / 1000.0,
            above: spread.max(SPREAD_MIN),
            below: SPREAD_MIN,
        }
    }
}

/// A power, and how far the true one may lie above and below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exponent {
    pub(super) mean: f64,
    pub(super) above: f64,
    pub(super) below: f64,
}

impl Exponent {
    /// What held before powers were learned.
    pub(super) const FIXED: Self = Self { mean: PRIOR, above: SPREAD_MIN, below: SPREAD_MIN };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_change_teaches_and_a_small_one_does_not() {
        let prior = Power::default().exponent();
        assert_eq!((prior.mean, prior.above, prior.below), (1.25, 0.5, 0.25));
        let sample = Sample::of(1000.0, 1000.0 / 1.4_f64.powf(2.5), 1.4_f64.ln()).unwrap();
        let learned = Power::default().with(sample).exponent();
        assert!((2.1..2.5).contains(&learned.mean) && learned.above == 0.25, "{learned:?}");
        assert_eq!(Sample::of(1000.0, 900.0, 0.1), None);
        assert_eq!(Sample::of(1000.0, 0.0, 0.5).unwrap().power, 4000);
    }
}
