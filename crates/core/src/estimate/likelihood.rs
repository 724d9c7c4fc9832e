//! Step 5, the likelihood of each capacity: how well it explains the counts of good and bad
//! minutes, whatever the sharpness of the knee and the share of unrelated failures.

mod blocks;

use std::sync::Arc;

use super::evidence::Weighted;
use super::grid::{STEP, bins};
use super::low_traffic::Step;
use blocks::{BLOCK, Columns, Marks, Run, higher};

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
/// Bins whose minutes are added to the sums at once.
const TOGETHER: usize = 4;
/// Exponents below this add nothing to a sum of doubles that holds a 1.
const NEGLIGIBLE: f64 = -40.0;

/// The tables and buffers of the estimator: made once, used for every variant. A copy shares the tables.
#[derive(Debug, Clone)]
pub struct Scratch {
    cells: Arc<[Cell]>,
    /// For each cell the capacities; minus infinity where that does not matter.
    sums: Vec<f64>,
    marks: Marks,
    runs: Vec<Run>,
    /// The highest sum of each capacity.
    highest: Vec<f64>,
    pub(super) weighted: Weighted,
    /// What the walk makes of one period.
    pub(super) steps: Vec<Step>,
}

/// lg P and lg(1 - P) by the distance `capacity bin - load bin`, for one width and share.
#[derive(Debug, Clone)]
struct Cell {
    width: f64,
    lg_weight: f64,
    bad: Vec<f64>,
    good: Vec<f64>,
    /// The same as every [`BLOCK`]th place lies together.
    bad_columns: Columns,
    good_columns: Columns,
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
        Self::of(cells.into())
    }

    /// Another one with the same tables, for work beside this one's.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::of(Arc::clone(&self.cells))
    }

    fn of(cells: Arc<[Cell]>) -> Self {
        Self {
            cells,
            sums: Vec::new(),
            marks: Marks::default(),
            runs: Vec::new(),
            highest: Vec::new(),
            weighted: Weighted::new(),
            steps: Vec::new(),
        }
    }

    /// lg of the likelihood last computed, by width of the knee (rising) and share of unrelated bad
    /// minutes, with the plausibility of the width in it.
    pub(super) fn by_cell(&self, size: usize) -> impl Iterator<Item = (f64, &[f64])> {
        self.cells.iter().map(|cell| cell.width).zip(self.sums.chunks_exact(size.max(1)))
    }

    /// lg L(C), up to a constant, of the capacities at bins `lowest..lowest + out.len()`. `opinions` are what it is
    /// added to: where neither it nor one of these sums is within [`NEGLIGIBLE`] of the best, it is something lower.
    pub(super) fn lg_likelihood(
        &mut self,
        evidence: &Weighted,
        lowest: i32,
        opinions: &[&[f64]],
        out: &mut [f64],
    ) {
        let size = out.len();
        self.marks.judge(&self.cells, (evidence, lowest), size, opinions);
        self.marks.runs(size, &mut self.runs);
        self.sums.clear();
        self.sums.resize(size * self.cells.len(), f64::NEG_INFINITY);
        let mut best = f64::NEG_INFINITY;
        for Run { cell, columns, is_level } in &self.runs {
            let sums = &mut self.sums[cell * size..][columns.clone()];
            let computed = if *is_level { 1 } else { sums.len() };
            let lowest = lowest + bins(columns.start);
            add_all(&mut sums[..computed], lowest, &self.cells[*cell], evidence);
            best = sums[..computed].iter().fold(best, |best, s| higher(best, *s));
            if *is_level {
                let level = sums[0];
                sums.fill(level);
            }
        }
        self.add_up(best, out);
    }

    /// lg of the sums over all cells, relative to the best.
    fn add_up(&mut self, best: f64, out: &mut [f64]) {
        let size = out.len();
        out.fill(0.0);
        self.highest.clear();
        self.highest.resize(size, f64::NEG_INFINITY);
        for Run { cell, columns, is_level } in &self.runs {
            let sums = &self.sums[cell * size..][columns.clone()];
            for (highest, &sum) in self.highest[columns.clone()].iter_mut().zip(sums) {
                *highest = higher(*highest, sum);
            }
            let totals = &mut out[columns.clone()];
            if *is_level {
                let exponent = sums[0] - best;
                if exponent > NEGLIGIBLE {
                    let likelihood = exponent.exp();
                    for total in totals {
                        *total += likelihood;
                    }
                }
                continue;
            }
            for (total, &sum) in totals.iter_mut().zip(sums) {
                let exponent = sum - best;
                if exponent > NEGLIGIBLE {
                    *total += exponent.exp();
                }
            }
        }
        for (i, (total, &highest)) in out.iter_mut().zip(&self.highest).enumerate() {
            *total = if *total > 0.0 {
                total.ln()
            } else if highest > f64::NEG_INFINITY {
                // Too unlikely for a sum of exponentials: the best cell alone is close enough.
                highest - best
            } else {
                self.marks.most(i) - best
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
        // Whole blocks: beyond its reach it is constant.
        let places = ((2 * REACH + 1) as usize).next_multiple_of(BLOCK);
        let chances = || (-REACH..).take(places).map(|d| chance(d.min(REACH)));
        let bad: Vec<f64> = chances().map(f64::ln).collect();
        let good: Vec<f64> = chances().map(|chance| (1.0 - chance).ln()).collect();
        let (bad_columns, good_columns) = (Columns::of(&bad), Columns::of(&good));
        Self { width, lg_weight, bad, good, bad_columns, good_columns }
    }
}

/// Splits `0..len` at the ends of the tables: `(constant below, table start, constant above)`.
fn split(len: usize, distance: i32) -> (usize, usize, usize) {
    let below = (-REACH - distance).clamp(0, bins(len)) as usize;
    let end = (REACH + 1 - distance).clamp(bins(below), bins(len)) as usize;
    let start = (distance + REACH).clamp(0, 2 * REACH) as usize;
    (below, start, end)
}

/// Adds all bins to the sums of one cell.
fn add_all(sums: &mut [f64], lowest: i32, cell: &Cell, evidence: &Weighted) {
    sums.fill(cell.lg_weight);
    // Bins without a bad minute are most of them.
    for alike in evidence.chunk_by(|a, b| (a.2 > 0.0) == (b.2 > 0.0)) {
        let has_bad = alike.first().is_some_and(|entry| entry.2 > 0.0);
        for few in alike.chunks(TOGETHER) {
            add_few(sums, lowest, cell, (few, has_bad));
        }
    }
}

/// Adds a few bins, all with bad minutes or all without. Four at once go through the sums once instead of
/// four times; each sum is still made in the order of bins, so that the result is the same to the bit.
fn add_few(sums: &mut [f64], lowest: i32, cell: &Cell, (few, has_bad): (&[(i16, f64, f64)], bool)) {
    let size = sums.len();
    // Where the table of a bin begins, if it reaches from end to end.
    let inside = |&(bin, ..): &(i16, f64, f64)| {
        let start = usize::try_from(lowest - i32::from(bin) + REACH).ok()?;
        (start + size <= cell.good.len()).then_some(start)
    };
    if let [a, b, c, d] = few
        && let (Some(at_a), Some(at_b), Some(at_c), Some(at_d)) =
            (inside(a), inside(b), inside(c), inside(d))
    {
        let starts = [at_a, at_b, at_c, at_d];
        let good = [TEMPERING * a.1, TEMPERING * b.1, TEMPERING * c.1, TEMPERING * d.1];
        if has_bad {
            let bad = [TEMPERING * a.2, TEMPERING * b.2, TEMPERING * c.2, TEMPERING * d.2];
            add_four_both(sums, (&cell.good, &cell.bad), starts, (good, bad));
        } else {
            add_four_good(sums, &cell.good, starts, good);
        }
        return;
    }
    for &(bin, good, bad) in few {
        let distance = lowest - i32::from(bin);
        if has_bad {
            add_both(sums, distance, cell, TEMPERING * good, TEMPERING * bad);
        } else {
            add_good(sums, distance, cell, TEMPERING * good);
        }
    }
}

fn add_four_good(sums: &mut [f64], table: &[f64], starts: [usize; 4], good: [f64; 4]) {
    let size = sums.len();
    let of = |i: usize| &table[starts[i]..][..size];
    let (a, b, c, d) = (of(0), of(1), of(2), of(3));
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = *sum + good[0] * a[i] + good[1] * b[i] + good[2] * c[i] + good[3] * d[i];
    }
}

fn add_four_both(
    sums: &mut [f64],
    (lg_good, lg_bad): (&[f64], &[f64]),
    starts: [usize; 4],
    (good, bad): ([f64; 4], [f64; 4]),
) {
    let size = sums.len();
    let of = |i: usize| (&lg_good[starts[i]..][..size], &lg_bad[starts[i]..][..size]);
    let (a, b, c, d) = (of(0), of(1), of(2), of(3));
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = *sum
            + (good[0] * a.0[i] + bad[0] * a.1[i])
            + (good[1] * b.0[i] + bad[1] * b.1[i])
            + (good[2] * c.0[i] + bad[2] * c.1[i])
            + (good[3] * d.0[i] + bad[3] * d.1[i]);
    }
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
        scratch.lg_likelihood(&evidence, 300, &[], &mut out);
        let offset = straightforward(&evidence, 300) - out[0];
        for (i, lg) in out.iter().enumerate() {
            let expected = straightforward(&evidence, 300 + i32::try_from(i).unwrap()) - offset;
            assert!((lg - expected).abs() < 1e-9, "at {i}: {lg} and {expected}");
        }
    }

    /// The sums of one cell, one bin after the other.
    fn one_by_one(cell: &Cell, evidence: &Weighted, lowest: i32, size: usize) -> Vec<f64> {
        let mut sums = vec![cell.lg_weight; size];
        for &(bin, good, bad) in evidence {
            let distance = lowest - i32::from(bin);
            if bad > 0.0 {
                add_both(&mut sums, distance, cell, TEMPERING * good, TEMPERING * bad);
            } else {
                add_good(&mut sums, distance, cell, TEMPERING * good);
            }
        }
        sums
    }

    /// The same over all cells, where every capacity is computed.
    fn in_full(scratch: &Scratch, evidence: &Weighted, lowest: i32, size: usize) -> Vec<f64> {
        let cells = scratch.cells.iter();
        let sums: Vec<Vec<f64>> =
            cells.map(|cell| one_by_one(cell, evidence, lowest, size)).collect();
        let best = sums.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let of = |i: usize| {
            let exponents = sums.iter().map(|sums| sums[i] - best);
            let near = exponents.clone().filter(|exponent| *exponent > NEGLIGIBLE);
            let total: f64 = near.map(f64::exp).sum();
            if total > 0.0 { total.ln() } else { exponents.fold(f64::NEG_INFINITY, f64::max) }
        };
        (0..size).map(of).collect()
    }

    proptest::proptest! {
        #[test]
        fn all_that_matters_is_as_in_full_and_four_at_once_are_the_same_to_the_bit(
            bins in proptest::collection::btree_map(-400_i16..400, (0.0..300.0, 0.0..9.0, 0..4), 0..90),
            (lowest, size) in (-300..300, 2_usize..260),
            (thought, minutes) in (proptest::option::of((0.0..260.0, 0.1..30.0)), 0.01..9.0),
        ) {
            let evidence: Weighted = bins
                .into_iter()
                .map(|(bin, (good, bad, is_bad))| (bin, minutes * good, if is_bad == 0 { bad } else { 0.0 }))
                .collect();
            let opinion: Vec<f64> = (0..size)
                .map(|i| thought.map_or(0.0, |(at, wide): (f64, f64)| -((i as f64 - at) / wide).powi(2)))
                .collect();
            let (mut scratch, mut out) = (Scratch::new(), vec![0.0; size]);
            scratch.lg_likelihood(&evidence, lowest, &[&opinion], &mut out);
            let expected = in_full(&scratch, &evidence, lowest, size);
            let flat = vec![0.0; size];
            for opinion in [&flat, &opinion] {
                let with = |lg: &[f64]| -> Vec<f64> { lg.iter().zip(opinion).map(|(a, b)| a + b).collect() };
                let (expected_with, with) = (with(&expected), with(&out));
                let best = expected_with.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                for i in 0..size {
                    if expected_with[i] > best + NEGLIGIBLE {
                        proptest::prop_assert!((out[i] - expected[i]).abs() < 1e-9, "at {}", i);
                    } else {
                        proptest::prop_assert!(with[i] <= best + NEGLIGIBLE + 1e-3, "at {}", i);
                    }
                }
            }
            for Run { cell, columns, is_level } in &scratch.runs {
                let expected = one_by_one(&scratch.cells[*cell], &evidence, lowest, size);
                for i in columns.clone() {
                    let sum = scratch.sums[cell * size + i];
                    let is_same = sum.to_bits() == expected[i].to_bits();
                    proptest::prop_assert!(is_same || *is_level && (sum - expected[i]).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn far_from_the_loads_the_likelihood_is_flat() {
        let mut scratch = Scratch::new();
        let mut out = vec![0.0; 900];
        scratch.lg_likelihood(&vec![(0, 50.0, 0.0)], -450, &[], &mut out);
        assert!((out[899] - out[800]).abs() < 1e-9);
        assert!((out[0] - out[100]).abs() < 1e-9);
        assert!(out[899] - out[0] > 3.0, "50 good minutes exclude capacities far below");
    }
}
