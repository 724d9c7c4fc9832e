//! Which pieces of the grid can matter, so that only those are computed.
//!
//! The part of good minutes rises with the capacity and that of bad ones falls. So what both come to within a block is
//! no more than the first at its end and the second at its beginning, which are worked out for each block alone. Where
//! that is negligible beside the best capacity, whatever is thought of it for other reasons, the block is left out.

use std::ops::Range;

use super::super::evidence::Weighted;
use super::super::grid::bins;
use super::{Cell, NEGLIGIBLE, REACH, TEMPERING};

/// Capacities of a block: a factor of 1.38. Half as many take longer to judge than they leave out, and twice as many
/// leave too little out.
pub(super) const BLOCK: usize = 16;
/// What rounding may come to in a sum of thousands of logarithms.
const ROUNDING: f64 = 1e-6;

/// Blocks in a row of one cell that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) cell: usize,
    /// The capacities.
    pub(super) columns: Range<usize>,
    /// Whether one capacity is as likely as the other.
    pub(super) is_level: bool,
}

/// A table by place, ordered so that what lies a block apart lies together: marks are that far apart.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// How many places each column has.
    rows: usize,
    places: Vec<f64>,
}

impl Columns {
    /// Of a table of whole blocks.
    pub(super) fn of(table: &[f64]) -> Self {
        let blocks = table.as_chunks::<BLOCK>().0;
        let places = (0..BLOCK).flat_map(|column| blocks.iter().map(move |block| block[column]));
        Self { rows: blocks.len(), places: places.collect() }
    }

    /// So many places from this one on, each a block behind the other; nothing where the table ends before.
    fn from(&self, place: usize, count: usize) -> Option<&[f64]> {
        let (row, column) = (place / BLOCK, place % BLOCK);
        let is_inside = row + count <= self.rows;
        self.places.get(column * self.rows + row..)?.get(..count).filter(|_| is_inside)
    }
}

/// What the counts come to at the first capacity of each block, and at the one behind the last.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    /// How many there are for each cell.
    count: usize,
    /// The best of all cells at each block's first capacity.
    at_begin: Vec<f64>,
    /// What no cell comes to more than, in each block.
    most: Vec<f64>,
    /// For each cell the parts of good and of bad minutes.
    parts: Vec<f64>,
    /// For each block the least that matters.
    least: Vec<f64>,
}

impl Marks {
    /// Judges the blocks of the capacities at bins `lowest..lowest + size`. `opinions` are what else is thought of these
    /// capacities, in lg.
    pub(super) fn judge(
        &mut self,
        cells: &[Cell],
        (evidence, lowest): (&Weighted, i32),
        size: usize,
        opinions: &[&[f64]],
    ) {
        let blocks = size.div_ceil(BLOCK);
        self.count = blocks + 1;
        self.parts.clear();
        self.parts.resize(2 * self.count * cells.len(), 0.0);
        for (cell, parts) in cells.iter().zip(self.parts.chunks_exact_mut(2 * self.count)) {
            let (good, bad) = parts.split_at_mut(self.count);
            good.fill(cell.lg_weight);
            let in_good = evidence.iter().map(|e| (e.0, e.1));
            add_marks(good, (&cell.good, &cell.good_columns), lowest, in_good);
            let in_bad = evidence.iter().filter(|e| e.2 > 0.0).map(|e| (e.0, e.2));
            add_marks(bad, (&cell.bad, &cell.bad_columns), lowest, in_bad);
        }
        for highest in [&mut self.at_begin, &mut self.most] {
            highest.clear();
            highest.resize(blocks, f64::NEG_INFINITY);
        }
        for parts in self.parts.chunks_exact(2 * self.count) {
            let (good, bad) = parts.split_at(self.count);
            for (block, bad) in bad[..blocks].iter().enumerate() {
                self.at_begin[block] = higher(self.at_begin[block], good[block] + bad);
                self.most[block] = higher(self.most[block], good[block + 1] + bad);
            }
        }
        // What is thought of none is that all are alike.
        let best = |opinion: Option<&[f64]>| {
            let with = |(k, at): (usize, &f64)| at + opinion.map_or(0.0, |of| of[k * BLOCK]);
            self.at_begin.iter().enumerate().map(with).fold(f64::NEG_INFINITY, higher)
        };
        let own = best(None);
        self.least.clear();
        self.least.resize(blocks, own);
        for opinion in opinions {
            let best = best(Some(opinion));
            for (least, of) in self.least.iter_mut().zip(opinion.chunks(BLOCK)) {
                let most = of.iter().copied().fold(f64::NEG_INFINITY, higher);
                *least = least.min(best - most);
            }
        }
        self.least.iter_mut().for_each(|least| *least += NEGLIGIBLE - ROUNDING);
    }

    fn of_cells(&self) -> impl Iterator<Item = (&[f64], &[f64])> {
        self.parts.chunks_exact(2 * self.count).map(|parts| parts.split_at(self.count))
    }

    /// What is to be computed of so many capacities.
    pub(super) fn runs(&self, size: usize, into: &mut Vec<Run>) {
        into.clear();
        for (cell, (good, bad)) in self.of_cells().enumerate() {
            for (block, least) in self.least.iter().enumerate() {
                let next = block + 1;
                if good[next] + bad[block] < *least {
                    continue;
                }
                let is_level = good[block] == good[next] && bad[block] == bad[next];
                let columns = block * BLOCK..(next * BLOCK).min(size);
                match into.last_mut() {
                    Some(run)
                        if (run.cell, run.columns.end) == (cell, columns.start)
                            && run.is_level == is_level =>
                    {
                        run.columns.end = columns.end;
                    }
                    _ => into.push(Run { cell, columns, is_level }),
                }
            }
        }
    }

    /// No less than lg of the likelihood of a capacity.
    pub(super) fn most(&self, column: usize) -> f64 {
        self.most[column / BLOCK]
    }
}

/// Adds what the minutes of some bins come to at each mark. Four bins at once go through the marks once instead of
/// four times.
fn add_marks(
    marks: &mut [f64],
    (table, columns): (&[f64], &Columns),
    lowest: i32,
    minutes: impl Iterator<Item = (i16, f64)>,
) {
    let mut four: [(&[f64], f64); 4] = [(&[], 0.0); 4];
    let mut count = 0;
    for (bin, minutes) in minutes {
        let (start, minutes) = (lowest - i32::from(bin) + REACH, TEMPERING * minutes);
        let place = usize::try_from(start).ok().and_then(|start| columns.from(start, marks.len()));
        let Some(place) = place else {
            let last = bins(table.len()) - 1;
            let at = |k: usize| table[(start + bins(k * BLOCK)).clamp(0, last) as usize];
            marks.iter_mut().enumerate().for_each(|(k, mark)| *mark += minutes * at(k));
            continue;
        };
        four[count] = (place, minutes);
        count += 1;
        if count == four.len() {
            add_four(marks, four);
            count = 0;
        }
    }
    for (places, minutes) in &four[..count] {
        marks.iter_mut().zip(*places).for_each(|(mark, at)| *mark += minutes * at);
    }
}

/// Adds so many minutes of four bins, each with as many places as there are marks.
fn add_four(marks: &mut [f64], four: [(&[f64], f64); 4]) {
    let count = marks.len();
    let [(a, in_a), (b, in_b), (c, in_c), (d, in_d)] = four.map(|(at, n)| (&at[..count], n));
    for (i, mark) in marks.iter_mut().enumerate() {
        *mark += in_a * a[i] + in_b * b[i] + (in_c * c[i] + in_d * d[i]);
    }
}

/// The higher of two numbers. `f64::max` is much slower, for what is none.
pub(super) fn higher(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}
