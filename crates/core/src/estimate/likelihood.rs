//! Step 5, the likelihood of each capacity: how well it explains the counts of good and bad
//! minutes, whatever the sharpness of the knee and the share of unrelated failures.

use super::evidence::Weighted;
use super::grid::{STEP, bins};
use super::low_traffic::Step;

/// lg odds of the 10 % that define capacity.
const LG_ODDS_AT_CAPACITY: f64 = 2.1972;
/// Share of lucky minutes far above capacity.
const LUCKY_SHARE: f64 = 0.03;
/// Neighbouring minutes are alike: each counts as half a minute of independent evidence.
const TEMPERING: f64 = 0.5;
/// Widths of the knee in lg.
const WIDTHS: [f64; 7] = [0.015, 0.025, 0.04, 0.06, 0.09, 0.13, 0.2];
/// The most plausible width, and how far widths scatter around it (both in lg).
const WIDTH_CENTRE: f64 = 0.055;
const WIDTH_SPREAD: f64 = 0.7;
/// Shares of minutes that are bad for other reasons, at any load.
const UNRELATED: [f64; 5] = [0.002, 0.005, 0.01, 0.02, 0.04];
/// Beyond this distance of load and capacity (in bins) the chance of a bad minute is constant.
const REACH: i32 = 300;
/// Exponents below this add nothing to a sum of doubles that holds a 1.
const NEGLIGIBLE: f64 = -40.0;

/// The tables and buffers of the estimator: made once, used for every variant.
#[derive(Debug, Clone)]
pub struct Scratch {
    cells: Vec<Cell>,
    sums: Vec<f64>,
    pub(super) weighted: Weighted,
    /// What the walk makes of one period.
    pub(super) steps: Vec<Step>,
}

/// lg P and lg(1 - P) by the distance `capacity bin - load bin`, for one width and share.
#[derive(Debug, Clone)]
struct Cell {
    lg_weight: f64,
    bad: Vec<f64>,
    good: Vec<f64>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// Computes the tables.
    pub fn new() -> Self {
        let mut cells = Vec::with_capacity(WIDTHS.len() * UNRELATED.len());
        for width in WIDTHS {
            let off = (width / WIDTH_CENTRE).ln() / WIDTH_SPREAD;
            for unrelated in UNRELATED {
                cells.push(Cell::new(width, unrelated, -off * off / 2.0));
            }
        }
        Self { cells, sums: Vec::new(), weighted: Weighted::new(), steps: Vec::new() }
    }

    /// lg L(C), up to a constant, of the capacities at bins `lowest..lowest + out.len()`.
    pub(super) fn lg_likelihood(&mut self, evidence: &Weighted, lowest: i32, out: &mut [f64]) {
        let size = out.len();
        self.sums.clear();
        self.sums.resize(size * self.cells.len(), 0.0);
        let mut best = f64::NEG_INFINITY;
        for (cell, sums) in self.cells.iter().zip(self.sums.chunks_exact_mut(size)) {
            sums.fill(cell.lg_weight);
            for &(bin, good, bad) in evidence {
                let distance = lowest - i32::from(bin);
                if bad > 0.0 {
                    add_both(sums, distance, cell, TEMPERING * good, TEMPERING * bad);
                } else {
                    add_good(sums, distance, cell, TEMPERING * good);
                }
            }
            best = sums.iter().fold(best, |best, &s| best.max(s));
        }
        out.fill(0.0);
        for sums in self.sums.chunks_exact(size) {
            for (total, &sum) in out.iter_mut().zip(sums) {
                let exponent = sum - best;
                if exponent > NEGLIGIBLE {
                    *total += exponent.exp();
                }
            }
        }
        for (i, total) in out.iter_mut().enumerate() {
            *total = if *total > 0.0 {
                total.ln()
            } else {
                // Too unlikely for a sum of exponentials: the best cell alone is close enough.
                let cells = self.sums.chunks_exact(size).map(|sums| sums[i]);
                cells.fold(f64::NEG_INFINITY, f64::max) - best
            };
        }
    }
}

impl Cell {
    fn new(width: f64, unrelated: f64, lg_weight: f64) -> Self {
        let chance = |distance: i32| {
            let logit = -f64::from(distance) * STEP / width - LG_ODDS_AT_CAPACITY;
            unrelated + (1.0 - unrelated - LUCKY_SHARE) / (1.0 + (-logit).exp())
        };
        let bad = (-REACH..=REACH).map(|d| chance(d).ln()).collect();
        let good = (-REACH..=REACH).map(|d| (1.0 - chance(d)).ln()).collect();
        Self { lg_weight, bad, good }
    }
}

/// Splits `0..len` at the ends of the tables: `(constant below, table start, constant above)`.
fn split(len: usize, distance: i32) -> (usize, usize, usize) {
    let below = (-REACH - distance).clamp(0, bins(len)) as usize;
    let end = (REACH + 1 - distance).clamp(bins(below), bins(len)) as usize;
    let start = (distance + REACH).clamp(0, 2 * REACH) as usize;
    (below, start, end)
}

fn add_good(sums: &mut [f64], distance: i32, cell: &Cell, good: f64) {
    let (below, start, end) = split(sums.len(), distance);
    let last = cell.good.len() - 1;
    sums[..below].iter_mut().for_each(|s| *s += good * cell.good[0]);
    for (sum, lg_good) in sums[below..end].iter_mut().zip(&cell.good[start..]) {
        *sum += good * lg_good;
    }
    sums[end..].iter_mut().for_each(|s| *s += good * cell.good[last]);
}

fn add_both(sums: &mut [f64], distance: i32, cell: &Cell, good: f64, bad: f64) {
    let (below, start, end) = split(sums.len(), distance);
    let last = cell.good.len() - 1;
    let first = good * cell.good[0] + bad * cell.bad[0];
    let beyond = good * cell.good[last] + bad * cell.bad[last];
    sums[..below].iter_mut().for_each(|s| *s += first);
    let tables = cell.good[start..].iter().zip(&cell.bad[start..]);
    for (sum, (lg_good, lg_bad)) in sums[below..end].iter_mut().zip(tables) {
        *sum += good * lg_good + bad * lg_bad;
    }
    sums[end..].iter_mut().for_each(|s| *s += beyond);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula as it is written in the documentation, one cell at a time.
    fn straightforward(evidence: &Weighted, capacity_bin: i32) -> f64 {
        let mut total = 0.0;
        for w in WIDTHS {
            for e in UNRELATED {
                let mut ll = 0.0;
                for &(bin, good, bad) in evidence {
                    let x = f64::from(bin) * STEP;
                    let c = f64::from(capacity_bin) * STEP;
                    let p = e + (1.0 - e - 0.03) / (1.0 + (-((x - c) / w - 2.1972)).exp());
                    ll += bad * p.ln() + good * (1.0 - p).ln();
                }
                let weight = (-((w / 0.055_f64).ln() / 0.7).powi(2) / 2.0).exp();
                total += weight * (0.5 * ll).exp();
            }
        }
        total.ln()
    }

    #[test]
    fn the_tables_agree_with_the_formula() {
        let evidence = vec![(300, 40.0, 0.0), (320, 20.0, 1.0), (330, 5.0, 6.0), (345, 0.0, 4.0)];
        let mut scratch = Scratch::new();
        let mut out = vec![0.0; 60];
        scratch.lg_likelihood(&evidence, 300, &mut out);
        let offset = straightforward(&evidence, 300) - out[0];
        for (i, lg) in out.iter().enumerate() {
            let expected = straightforward(&evidence, 300 + i32::try_from(i).unwrap()) - offset;
            assert!((lg - expected).abs() < 1e-9, "at {i}: {lg} and {expected}");
        }
    }

    #[test]
    fn far_from_the_loads_the_likelihood_is_flat() {
        let mut scratch = Scratch::new();
        let mut out = vec![0.0; 900];
        scratch.lg_likelihood(&vec![(0, 50.0, 0.0)], -450, &mut out);
        assert!((out[899] - out[800]).abs() < 1e-9);
        assert!((out[0] - out[100]).abs() < 1e-9);
        assert!(out[899] - out[0] > 3.0, "50 good minutes exclude capacities far below");
    }
}
