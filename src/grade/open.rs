//! Open loop: the target never moves, and the estimate is compared with the truth.

use crate::model::estimate::Finding::{Faster, Over, Slower, Under};
use crate::model::time::{Timestamp, minutes};
use crate::model::units::{RequestsPerSecond, SafetyFactor};
use crate::replay::{Evaluation, Refinements, ReplaySettings, replay};

use super::cases::{Case, Class, DAYS, FACTOR};
use super::telemetry::Recorder;

/// Hours after the start at which estimates are compared.
pub(super) const CHECKPOINTS: [i64; 6] = [12, 24, 48, 72, 120, 168];
/// The hours of a wandering service that count as its light and its heavy ones.
const LIGHT: f64 = 2.0 / 3.0;
const HEAVY: f64 = 1.0 / 3.0;

/// The comparison at one checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Hours after the start.
    pub hour: i64,
    /// The true capacity then. A service whose requests are no unit of work has no single one:
    /// from that of its heaviest third of hours so far to that of its lightest.
    pub truth: (f64, f64),
    /// What was said.
    pub evaluation: Evaluation,
}

impl Checkpoint {
    /// How far a capacity lies outside the truth, as a share of it; negative below.
    pub fn off(&self, capacity: f64) -> f64 {
        let (heavy, light) = self.truth;
        if capacity > light {
            capacity / light - 1.0
        } else if capacity < heavy {
            capacity / heavy - 1.0
        } else {
            0.0
        }
    }
}

/// What the estimator said in a run, with some of its refinements.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    pub checkpoints: Vec<Checkpoint>,
    /// Findings `over` and `under` that were raised while the claim was right within 10 %.
    pub false_divergences: u32,
    /// Regimes that began without a deploy.
    pub splits: u32,
    /// Hours from an undeclared change to its finding.
    pub found_after: Option<f64>,
    /// The share of evaluations whose safe target stood above the capacity of that moment.
    pub above: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// What it was about.
    pub class: Class,
    pub seed: u64,
    /// What the load test found, which is what the static formula believes.
    pub load_test: f64,
    /// With the refinements that were asked for.
    pub full: Reported,
    /// With those it is compared with.
    pub beside: Reported,
}

/// The settings under which a case is replayed whose endpoint was made then.
pub(super) fn settings(
    case: &Case,
    refinements: Refinements,
    made_at: Timestamp,
) -> Result<ReplaySettings, String> {
    let wrong = |e: crate::model::units::OutOfRange| e.to_string();
    Ok(ReplaySettings {
        objective: case.objective,
        max_rps: Some(RequestsPerSecond::new(case.load_test / 60.0).map_err(wrong)?),
        safety_factor: SafetyFactor::new(FACTOR).map_err(wrong)?,
        configured_target: None,
        made_at: Some(made_at),
        from: None,
        every: minutes(60),
        refinements,
    })
}

/// Runs and grades one case with some refinements, and with others beside them.
pub async fn grade(
    case: &Case,
    refinements: Refinements,
    beside: Refinements,
) -> Result<Graded, String> {
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
    let truth = recorder.capacities();
    let reported = |refinements| -> Result<Reported, String> {
        let mut evaluations: Vec<Evaluation> = Vec::new();
        replay(&recorder.rows, &settings(case, refinements, start)?, |e| evaluations.push(e));
        Ok(compare(case, &evaluations, &truth, start))
    };
    Ok(Graded {
        class: case.class,
        seed: case.seed,
        load_test: case.load_test,
        full: reported(refinements)?,
        beside: reported(beside)?,
    })
}

/// The true capacity over time: since when it was what.
pub(super) type Capacities = Vec<(Timestamp, f64)>;

/// The capacity that held at an instant.
pub(super) fn capacity_at(truth: &Capacities, at: Timestamp) -> f64 {
    let held = truth.iter().rev().find(|(since, _)| *since <= at);
    held.or(truth.first()).map_or(f64::NAN, |(_, capacity)| *capacity)
}

fn compare(
    case: &Case,
    evaluations: &[Evaluation],
    truth: &Capacities,
    start: Timestamp,
) -> Reported {
    let mut checkpoints = Vec::new();
    for hour in CHECKPOINTS {
        let at = start + minutes(60 * hour);
        if let Some(evaluation) = evaluations.iter().rev().find(|e| e.at <= at) {
            let truth = truth_until(case.class, truth, start, at);
            checkpoints.push(Checkpoint { hour, truth, evaluation: evaluation.clone() });
        }
    }
    let is_false = |e: &&Evaluation| {
        let off = e.configured_target.unwrap_or(f64::NAN) / FACTOR / capacity_at(truth, e.at) - 1.0;
        e.raised.iter().any(|f| (*f == Over && off <= 0.0) || (*f == Under && off >= 0.0))
            || (e.raised.iter().any(|f| matches!(f, Over | Under)) && off.abs() <= 0.05)
    };
    let begun = |e: &Evaluation| e.estimate.regime.map(|r| (r.started_at, r.declared));
    let changes = evaluations.windows(2).filter(|pair| {
        let after = begun(&pair[1]);
        after != begun(&pair[0]) && after.is_some_and(|(_, declared)| !declared)
    });
    let reports = |e: &&Evaluation| e.raised.iter().any(|f| matches!(f, Slower | Faster));
    let found_after = case.changed_at().and_then(|minute| {
        let since = start + minutes(minute);
        let found = evaluations.iter().filter(reports).find(|e| e.at >= since)?;
        Some((found.at - since).num_minutes() as f64 / 60.0)
    });
    let safe = |e: &&Evaluation| e.safe_target.is_some_and(|safe| safe > capacity_at(truth, e.at));
    Reported {
        checkpoints,
        false_divergences: evaluations.iter().filter(is_false).count() as u32,
        splits: changes.count() as u32,
        found_after,
        above: evaluations.iter().filter(safe).count() as f64 / evaluations.len().max(1) as f64,
    }
}

/// The truth at an instant, as a range.
fn truth_until(class: Class, truth: &Capacities, start: Timestamp, at: Timestamp) -> (f64, f64) {
    if class != Class::Wandering {
        let capacity = capacity_at(truth, at);
        return (capacity, capacity);
    }
    let hours = (at - start).num_hours();
    let mut of_hours: Vec<f64> =
        (0..hours).map(|hour| capacity_at(truth, start + minutes(60 * hour + 30))).collect();
    of_hours.sort_by(f64::total_cmp);
    // The middle of each third.
    (sorted_quantile(&of_hours, HEAVY / 2.0), sorted_quantile(&of_hours, 1.0 - (1.0 - LIGHT) / 2.0))
}

pub(super) fn sorted_quantile(sorted: &[f64], share: f64) -> f64 {
    let index = (share * sorted.len() as f64) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
