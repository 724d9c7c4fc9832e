//! Open loop: the target never moves, and the estimate is compared with the truth.

use crate::model::estimate::Verdict;
use crate::model::time::minutes;
use crate::model::units::{RequestsPerSecond, SafetyFactor};
use crate::replay::{Evaluation, ReplaySettings, replay};

use super::cases::{Case, Class, DAYS, FACTOR};
use super::telemetry::Recorder;

/// Hours after the start at which estimates are compared.
pub(super) const CHECKPOINTS: [i64; 6] = [12, 24, 48, 72, 120, 168];

/// The comparison at one checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Hours after the start.
    pub hour: i64,
    /// The true capacity then.
    pub truth: f64,
    /// What was said.
    pub evaluation: Evaluation,
    /// The load test, which is what the static formula believes.
    pub load_test: f64,
    /// The highest load that met the objective.
    pub highest_good: Option<f64>,
}

/// A graded run.
#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// What it was about.
    pub class: Class,
    /// Its seed.
    pub seed: u64,
    /// The checkpoints.
    pub checkpoints: Vec<Checkpoint>,
    /// Findings `over` and `under` that were raised while the claim was right within 10 %.
    pub false_divergences: u32,
}

/// The settings under which a case is replayed.
pub(super) fn settings(case: &Case) -> Result<ReplaySettings, String> {
    let wrong = |e: crate::model::units::OutOfRange| e.to_string();
    Ok(ReplaySettings {
        objective: case.objective,
        max_rps: Some(RequestsPerSecond::new(case.load_test / 60.0).map_err(wrong)?),
        safety_factor: SafetyFactor::new(FACTOR).map_err(wrong)?,
        configured_target: None,
        every: minutes(60),
    })
}

/// Runs and grades one case.
///
/// # Errors
/// When the world refuses the scenario.
pub async fn grade(case: &Case) -> Result<Graded, String> {
    let mut recorder = Recorder::new(case)?;
    let start = recorder.sim.now();
    let target = case
        .scenario
        .endpoints
        .first()
        .and_then(|e| e.variants.first()?.target.as_ref()?.policy.as_ref())
        .map_or(case.capacity * FACTOR, |p| p.target_value);
    for quarter in 1..=DAYS * 24 * 4 {
        recorder.advance(start + minutes(15 * quarter), target).await?;
    }
    let mut evaluations: Vec<Evaluation> = Vec::new();
    replay(&recorder.rows, &settings(case)?, |e| evaluations.push(e));
    let mut checkpoints = Vec::new();
    for hour in CHECKPOINTS {
        let at = start + minutes(60 * hour);
        if let Some(evaluation) = evaluations.iter().rev().find(|e| e.at <= at) {
            checkpoints.push(Checkpoint {
                hour,
                truth: recorder.capacity_at(at),
                evaluation: evaluation.clone(),
                load_test: case.load_test,
                highest_good: evaluation.estimate.highest_good_load,
            });
        }
    }
    let claimed = target / FACTOR;
    let is_false = |e: &&Evaluation| {
        use crate::model::estimate::Finding::{Over, Under};
        let off = claimed / recorder.capacity_at(e.at) - 1.0;
        e.raised.iter().any(|f| (*f == Over && off <= 0.0) || (*f == Under && off >= 0.0))
            || (e.raised.iter().any(|f| matches!(f, Over | Under)) && off.abs() <= 0.05)
    };
    let false_divergences = evaluations.iter().filter(is_false).count() as u32;
    Ok(Graded { class: case.class, seed: case.seed, checkpoints, false_divergences })
}

/// The figures of one class at one checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The class.
    pub class: Class,
    /// Hours after the start.
    pub hour: i64,
    /// Runs.
    pub runs: usize,
    /// Runs whose capacity was known from both sides.
    pub known: usize,
    /// Median and 90 % point of the absolute relative error of those.
    pub error: (f64, f64),
    /// Share of those whose interval holds the truth.
    pub coverage: f64,
    /// Lower ends above 1.05 x truth, and proven bounds of `at_least` above the truth.
    pub too_high: usize,
    /// Median error of the static formula, of all runs.
    pub static_error: f64,
    /// Median error of the highest good load, of all runs.
    pub highest_good_error: f64,
    /// False divergences a run.
    pub false_divergences: f64,
}

/// Sums up runs of one class at one checkpoint; `None` without any.
#[must_use]
pub fn summarise(graded: &[Graded], class: Class, hour: i64) -> Option<Summary> {
    let runs: Vec<&Graded> = graded.iter().filter(|g| g.class == class).collect();
    let points: Vec<&Checkpoint> =
        runs.iter().flat_map(|g| g.checkpoints.iter().filter(|c| c.hour == hour)).collect();
    if points.is_empty() {
        return None;
    }
    let known: Vec<&&Checkpoint> =
        points.iter().filter(|c| c.evaluation.estimate.verdict.is_two_sided()).collect();
    let errors = |of: &dyn Fn(&Checkpoint) -> Option<f64>, points: &[&Checkpoint]| -> Vec<f64> {
        points.iter().filter_map(|c| Some((of(c)? / c.truth - 1.0).abs())).collect()
    };
    let of_known: Vec<&Checkpoint> = known.iter().map(|c| **c).collect();
    let own = errors(&|c| c.evaluation.estimate.capacity.estimate, &of_known);
    let holds = |c: &&&Checkpoint| {
        let capacity = c.evaluation.estimate.capacity;
        capacity.low.is_some_and(|l| l <= c.truth) && capacity.high.is_some_and(|h| h >= c.truth)
    };
    let too_high = |c: &&&Checkpoint| {
        let capacity = c.evaluation.estimate.capacity;
        match c.evaluation.estimate.verdict {
            Verdict::AtLeast => capacity.lower_bound.is_some_and(|lb| lb > c.truth),
            _ => capacity.low.is_some_and(|low| low > 1.05 * c.truth),
        }
    };
    let false_divergences: u32 = runs.iter().map(|g| g.false_divergences).sum();
    Some(Summary {
        class,
        hour,
        runs: points.len(),
        known: known.len(),
        error: (quantile(&own, 0.5), quantile(&own, 0.9)),
        coverage: known.iter().filter(|c| holds(c)).count() as f64 / known.len().max(1) as f64,
        too_high: points.iter().filter(|c| too_high(c)).count(),
        static_error: quantile(&errors(&|c| Some(c.load_test), &points), 0.5),
        highest_good_error: quantile(&errors(&|c| c.highest_good, &points), 0.5),
        false_divergences: f64::from(false_divergences) / runs.len().max(1) as f64,
    })
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let index = (share * values.len() as f64) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
