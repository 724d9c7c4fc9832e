//! Step 6, the chain: what is known of capacity is carried from one regime to the next, shifted
//! by the speed ratio and blurred by what the ratio does not tell.

use serde::{Deserialize, Serialize};

use super::grid::{STEP, bins, lg_of};
use super::power::Exponent;

/// How far a load test may be off, in lg.
pub(super) const LOAD_TEST_SPREAD: f64 = 0.30;
/// What a change of regime blurs at least, beside what its power may be off.
const CARRY_SPREAD: f64 = 0.06;
/// What a change of regime blurs when the ratio is not known.
const CARRY_SPREAD_BLIND: f64 = 0.40;
/// Steps of a stored lg density; 255 of them are impossible enough.
const PACKED_STEP: f64 = 0.1;
/// Grid steps between stored points.
const PACKED_STRIDE: i32 = 2;
/// Most stored points: 0.04 each, a factor of 27,000 from end to end.
const PACKED_POINTS_MAX: usize = 256;

/// The part of the grid in use: capacities at bins `lowest..lowest + size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) lowest: i32,
    pub(super) size: usize,
}

impl Span {
    /// From 0.08 x the smaller to 5 x the larger of load test and highest load.
    pub(super) fn around(highest_load_bin: i16, load_test: Option<f64>) -> Self {
        let high = lg_of(i32::from(highest_load_bin));
        // A load test that is wrong by more than a factor of a thousand says nothing.
        let test = load_test.map_or(high, |t| t.ln().clamp(high - 7.0, high + 7.0));
        let lowest = ((0.08_f64.ln() + high.min(test)) / STEP).floor() as i32;
        let highest = ((5.0_f64.ln() + high.max(test)) / STEP).ceil() as i32;
        Self { lowest, size: (highest - lowest + 1).max(2) as usize }
    }

    /// lg of the capacity at an index.
    pub(super) fn lg(&self, index: usize) -> f64 {
        lg_of(self.lowest + bins(index))
    }
}

/// A density over lg capacity, small enough to be remembered: lg relative to its maximum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    lowest: i32,
    #[serde(with = "super::journal::packed_text")]
    steps_below: Vec<u8>,
}

impl Packed {
    /// Stores a density given by its logarithm.
    pub(super) fn new(span: Span, lg_density: &[f64]) -> Self {
        let best = lg_density.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let steps = lg_density.iter().step_by(PACKED_STRIDE as usize).take(PACKED_POINTS_MAX);
        let steps_below =
            steps.map(|lg| ((best - lg) / PACKED_STEP).round().clamp(0.0, 255.0) as u8).collect();
        Self { lowest: span.lowest, steps_below }
    }

    /// Its logarithm at a (fractional) bin; beyond its ends the edge's value.
    fn at(&self, bin: f64) -> f64 {
        let Some(last) = self.steps_below.len().checked_sub(1) else { return 0.0 };
        let position = (bin - f64::from(self.lowest)) / f64::from(PACKED_STRIDE);
        let position = position.clamp(0.0, last as f64);
        let below = position.floor() as usize;
        let above = (below + 1).min(last);
        let share = position - below as f64;
        let value = |i: usize| f64::from(self.steps_below[i]) * PACKED_STEP;
        -(value(below) * (1.0 - share) + value(above) * share)
    }

    /// Whether it says nothing: all capacities are alike.
    pub(super) fn is_flat(&self) -> bool {
        self.steps_below.iter().all(|steps| *steps == 0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.steps_below.capacity()
    }
}

/// What a regime starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Carried {
    /// Everything known at the end of the regime before.
    pub(super) posterior: Packed,
    /// The same from a flat start: evidence alone.
    pub(super) evidence: Packed,
}

impl Carried {
    pub(super) fn bytes(&self) -> usize {
        self.posterior.bytes() + self.evidence.bytes()
    }
}

/// How a capacity may lie to its load test, in lg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LoadTestError {
    pub(super) mean: f64,
    pub(super) spread: f64,
}

impl LoadTestError {
    /// What is assumed of a load test of which nothing is known.
    pub(super) const ASSUMED: Self = Self { mean: 0.0, spread: LOAD_TEST_SPREAD };
}

/// lg of the load test's density; flat without one.
pub(super) fn load_test_prior(
    span: Span,
    load_test: Option<f64>,
    error: LoadTestError,
) -> Vec<f64> {
    let Some(load_test) = load_test else { return vec![0.0; span.size] };
    let centre = load_test.ln() + error.mean;
    let off = |i: usize| (span.lg(i) - centre) / error.spread;
    (0..span.size).map(|i| -off(i) * off(i) / 2.0).collect()
}

/// lg of a density carried over a change of regime with the given lg speed ratio. `power` is the
/// power by which capacity follows it, and how far that may be off.
pub(super) fn carry(
    packed: &Packed,
    lg_ratio: Option<f64>,
    power: Exponent,
    span: Span,
) -> Vec<f64> {
    let by = |spread: f64, ratio: f64| CARRY_SPREAD.hypot(spread * ratio);
    // A higher power means less capacity after a slow-down, and more after a speed-up.
    let (shift, (below, above)) = match lg_ratio {
        Some(r) if r > 0.0 => (power.mean * r / STEP, (by(power.above, r), by(power.below, r))),
        Some(r) => (power.mean * r / STEP, (by(power.below, r), by(power.above, r))),
        None => (0.0, (CARRY_SPREAD_BLIND, CARRY_SPREAD_BLIND)),
    };
    let kernel = kernel(below, above);
    let radius = kernel.len() / 2;
    let first = f64::from(span.lowest) - radius as f64 + shift;
    let density: Vec<f64> =
        (0..span.size + 2 * radius).map(|i| packed.at(first + i as f64).exp()).collect();
    density
        .windows(kernel.len())
        .map(|near| near.iter().zip(&kernel).map(|(d, k)| d * k).sum::<f64>().ln())
        .collect()
}

/// Blurs a density (not its logarithm); it is flat beyond its ends.
pub(super) fn blur(density: &[f64], spread: f64) -> Vec<f64> {
    let kernel = kernel(spread, spread);
    let radius = kernel.len() / 2;
    let (Some(&first), Some(&last)) = (density.first(), density.last()) else { return Vec::new() };
    let mut padded = vec![first; radius];
    padded.extend_from_slice(density);
    padded.resize(density.len() + 2 * radius, last);
    padded
        .windows(kernel.len())
        .map(|near| near.iter().zip(&kernel).map(|(d, k)| d * k).sum())
        .collect()
}

/// The weights of a normal distribution on the grid, out to four standard deviations, with a
/// spread of its own to each side. What lies `d` steps above a point ends up below where it was
/// expected.
fn kernel(below: f64, above: f64) -> Vec<f64> {
    let radius = (4.0 * below.max(above) / STEP).ceil().clamp(1.0, 200.0) as i32;
    let weight = |d: i32| {
        let spread = if d > 0 { below } else { above };
        (-(f64::from(d) * STEP / spread).powi(2) / 2.0).exp()
    };
    let total: f64 = (-radius..=radius).map(weight).sum();
    (-radius..=radius).map(|d| weight(d) / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(lg: &[f64]) -> usize {
        (0..lg.len()).max_by(|&a, &b| lg[a].total_cmp(&lg[b])).unwrap()
    }

    #[test]
    fn a_slower_deploy_shifts_capacity_down_and_blurs_it() {
        let span = Span { lowest: 200, size: 250 };
        let lg: Vec<f64> =
            (0..250).map(|i| -((f64::from(i) - 120.0) * STEP / 0.05).powi(2) / 2.0).collect();
        let packed = Packed::new(span, &lg);
        let carried = carry(&packed, Some(1.4_f64.ln()), Exponent::FIXED, span);
        let expected = 120 - (1.25 * 1.4_f64.ln() / STEP).round() as usize;
        assert!(peak(&carried).abs_diff(expected) <= 1, "{} {expected}", peak(&carried));
        let width = |lg: &[f64]| lg.iter().filter(|&&v| v > lg[peak(lg)] - 0.5).count();
        assert!(width(&carried) > width(&lg));
    }

    #[test]
    fn a_power_that_may_be_higher_widens_the_side_it_points_to() {
        let span = Span { lowest: 200, size: 250 };
        let lg: Vec<f64> =
            (0..250).map(|i| -((f64::from(i) - 120.0) * STEP / 0.02).powi(2) / 2.0).collect();
        let packed = Packed::new(span, &lg);
        let power = Exponent { above: 0.5, ..Exponent::FIXED };
        for (ratio, wide) in [(0.3, -8), (-0.3, 8)] {
            let carried = carry(&packed, Some(ratio), power, span);
            let at = |d: i32| carried[(i32::try_from(peak(&carried)).unwrap() + d) as usize];
            assert!(at(wide) > at(-wide) + 0.5, "{ratio}: {} {}", at(wide), at(-wide));
        }
    }

    #[test]
    fn no_evidence_of_an_upper_end_survives_a_deploy() {
        let span = Span { lowest: 200, size: 250 };
        let lg: Vec<f64> = (0..250).map(|i| if i < 100 { -10.0 } else { 0.0 }).collect();
        let carried = carry(&Packed::new(span, &lg), Some(0.3), Exponent::FIXED, span);
        assert!(carried[249].abs() < 1e-9);
        assert!(carried[200] > -1e-9);
        assert!(carried[40] < -5.0);
    }

    #[test]
    fn a_blur_keeps_what_is_flat() {
        let blurred = blur(&[1.0; 50], 0.1);
        assert_eq!(blurred.len(), 50);
        assert!(blurred.iter().all(|d| (d - 1.0).abs() < 1e-12));
    }
}
