//! The figures of graded runs: by class, for each way of knowing the capacity.

use crate::model::estimate::Verdict;

use super::cases::Class;
use super::open::{Checkpoint, Graded, Reported, sorted_quantile};

/// Median and 90 % point of the absolute relative error.
pub type Errors = (f64, f64);

#[derive(Debug, Clone, PartialEq)]
pub struct Fared {
    /// Runs whose capacity was known from both sides.
    pub known: usize,
    /// Runs that were called `measured`.
    pub measured: usize,
    /// The error of those known.
    pub error: Errors,
    /// The median error with its sign.
    pub bias: f64,
    /// Share of those known whose interval holds the truth.
    pub coverage: f64,
    /// The median width of their intervals, as (high - low) / estimate.
    pub width: f64,
    /// Lower ends above 1.05 x truth, and proven bounds of `at_least` above the truth.
    pub too_high: usize,
    pub false_divergences: f64,
    /// Regimes a run that began without a deploy.
    pub splits: f64,
    /// Median hours to the finding of an undeclared change, of those found.
    pub found_after: f64,
    /// The mean share of time in which the safe target stood above the capacity.
    pub above: f64,
}

/// The figures of one class at one checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub class: Class,
    /// Hours after the start.
    pub hour: i64,
    pub runs: usize,
    /// Error of the load test, which the static formula believes, in all runs.
    pub load_test: Errors,
    /// Error of the highest load that met the objective, in all runs.
    pub highest_good: Errors,
    /// The estimator it is compared with.
    pub beside: Fared,
    /// The estimator as it was asked for.
    pub full: Fared,
}

/// Sums up runs of some classes at one checkpoint; `None` without any.
pub fn summarise(graded: &[Graded], class: Class, hour: i64) -> Option<Summary> {
    let runs: Vec<&Graded> = graded.iter().filter(|g| g.class == class).collect();
    let full = points(&runs, hour, |g| &g.full);
    if full.is_empty() {
        return None;
    }
    let of = |value: &dyn Fn(&Graded, &Checkpoint) -> Option<f64>| {
        errors(full.iter().filter_map(|(g, c)| Some(c.off(value(g, c)?))))
    };
    Some(Summary {
        class,
        hour,
        runs: full.len(),
        load_test: of(&|g, _| Some(g.load_test)),
        highest_good: of(&|_, c| c.evaluation.estimate.highest_good_load),
        beside: fared(&points(&runs, hour, |g| &g.beside), |g| &g.beside),
        full: fared(&full, |g| &g.full),
    })
}

/// The runs' checkpoints at an hour.
fn points<'g>(
    runs: &[&'g Graded],
    hour: i64,
    reported: fn(&Graded) -> &Reported,
) -> Vec<(&'g Graded, &'g Checkpoint)> {
    let at = |g: &&'g Graded| {
        reported(g).checkpoints.iter().find(|c| c.hour == hour).map(|checkpoint| (*g, checkpoint))
    };
    runs.iter().filter_map(at).collect()
}

fn fared(points: &[(&Graded, &Checkpoint)], reported: fn(&Graded) -> &Reported) -> Fared {
    let known: Vec<&Checkpoint> = points
        .iter()
        .map(|(_, c)| *c)
        .filter(|c| c.evaluation.estimate.verdict.is_two_sided())
        .collect();
    let estimate = |c: &&Checkpoint| c.evaluation.estimate.capacity.estimate.map(|e| c.off(e));
    let holds = |c: &&&Checkpoint| {
        let capacity = c.evaluation.estimate.capacity;
        let (heavy, light) = c.truth;
        capacity.low.is_some_and(|l| l <= light) && capacity.high.is_some_and(|h| h >= heavy)
    };
    let width = |c: &&Checkpoint| {
        let capacity = c.evaluation.estimate.capacity;
        Some((capacity.high? - capacity.low?) / capacity.estimate?)
    };
    let measured = |c: &&&Checkpoint| c.evaluation.estimate.verdict == Verdict::Measured;
    let mean = |value: &dyn Fn(&Reported) -> f64| {
        points.iter().map(|(g, _)| value(reported(g))).sum::<f64>() / points.len().max(1) as f64
    };
    Fared {
        known: known.len(),
        measured: known.iter().filter(measured).count(),
        error: errors(known.iter().filter_map(estimate)),
        bias: median(known.iter().filter_map(estimate)),
        coverage: known.iter().filter(holds).count() as f64 / known.len().max(1) as f64,
        width: median(known.iter().filter_map(width)),
        too_high: points.iter().filter(|(_, c)| is_too_high(c)).count(),
        false_divergences: mean(&|t| f64::from(t.false_divergences)),
        splits: mean(&|t| f64::from(t.splits)),
        found_after: median(points.iter().filter_map(|(g, _)| reported(g).found_after)),
        above: mean(&|t| t.above),
    }
}

fn is_too_high(c: &Checkpoint) -> bool {
    let capacity = c.evaluation.estimate.capacity;
    let (_, light) = c.truth;
    match c.evaluation.estimate.verdict {
        Verdict::AtLeast => capacity.lower_bound.is_some_and(|lb| lb > light),
        _ => capacity.low.is_some_and(|low| low > 1.05 * light),
    }
}

fn errors(off: impl Iterator<Item = f64>) -> Errors {
    let mut off: Vec<f64> = off.map(f64::abs).collect();
    off.sort_by(f64::total_cmp);
    (sorted_quantile(&off, 0.5), sorted_quantile(&off, 0.9))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    sorted_quantile(&values, 0.5)
}
