//! The fit behind an estimate: which widths of the knee the evidence allows, each with its capacity.

use crate::model::fit::{Knee, Level};

use super::chain::Span;
use super::evidence::Weighted;
use super::grid::lg_of;
use super::likelihood::Scratch;

/// Less plausible knees than this are left out.
const WEIGHT_MIN: f64 = 0.005;

/// What was seen, by rising load.
pub(super) fn levels(weighted: &Weighted) -> Vec<Level> {
    let level = |&(bin, good, bad): &(i16, f64, f64)| Level {
        load: lg_of(i32::from(bin)).exp(),
        good,
        bad,
    };
    weighted.iter().map(level).collect()
}

/// Moments of lg capacity under one width.
#[derive(Default)]
struct Moments {
    weight: f64,
    sum: f64,
    squares: f64,
}

/// One knee for each width, over all shares of minutes that are bad for other reasons. `own` is lg of
/// the likelihood last computed, and `posterior` the same with what was believed before.
pub(super) fn knees(
    span: Span,
    (own, posterior): (&[f64], &[f64]),
    scratch: &Scratch,
    systematic: f64,
) -> Vec<Knee> {
    let prior = |i: usize| posterior[i] - own[i];
    let rows = || scratch.by_cell(span.size);
    let best = rows()
        .flat_map(|(_, row)| row.iter().enumerate().map(|(i, lg)| lg + prior(i)))
        .fold(f64::NEG_INFINITY, f64::max);
    let mut widths: Vec<(f64, Moments)> = Vec::new();
    for (width, row) in rows() {
        if widths.last().is_none_or(|(last, _)| *last < width) {
            widths.push((width, Moments::default()));
        }
        let Some((_, moments)) = widths.last_mut() else { continue };
        for (i, lg) in row.iter().enumerate() {
            let weight = (lg + prior(i) - best).exp();
            let at = span.lg(i);
            moments.weight += weight;
            moments.sum += weight * at;
            moments.squares += weight * at * at;
        }
    }
    let total: f64 = widths.iter().map(|(_, m)| m.weight).sum();
    widths.retain(|(_, m)| m.weight >= WEIGHT_MIN * total);
    let total: f64 = widths.iter().map(|(_, m)| m.weight).sum();
    let knee = |(width, m): &(f64, Moments)| {
        let mean = m.sum / m.weight;
        let variance = (m.squares / m.weight - mean * mean).max(0.0);
        let sigma = variance.sqrt().hypot(systematic);
        Knee { weight: m.weight / total, capacity: mean.exp(), sigma, width: *width }
    };
    widths.iter().map(knee).collect()
}
