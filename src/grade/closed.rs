//! Closed loop: decisions are applied, and the service fares as it fares.

use crate::model::estimate::Verdict;
use crate::model::time::{Timestamp, minutes};
use crate::replay::{Evaluation, Refinements, Run};
use crate::sim::scenario::Change;

use super::cases::{Case, Class, DAYS, ENDPOINT, FACTOR, VARIANT};
use super::open::settings;
use super::telemetry::Recorder;

/// Who sets the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Factor x true capacity at every moment; of a wandering service, that of its heavy hours.
    Oracle,
    /// The formula, for ever.
    Static,
    /// Factor x the highest load that met the objective so far.
    HighestGood,
    /// The estimator's decisions.
    Setpoint(Refinements),
}

/// How a week went.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClosedLoop {
    /// Minutes that broke the objective.
    pub violation_minutes: u64,
    /// Instances times hours.
    pub instance_hours: f64,
    /// Violation minutes in which every load seen broke the objective, so that a person had to look (rule 18).
    pub at_most_minutes: u64,
    pub writes: u32,
    /// Writes, but for the further steps of a lowering: as rule 10 counts them.
    pub changes: u32,
    /// Changes against the direction of the one before.
    pub reversals: u32,
}

/// Minutes between two passes, each of which decides: a deploy is not left waiting.
const PASS_MINUTES: i64 = 5;
/// Hours between two looks at the highest good load, which only ever creeps up.
const HIGHEST_EVERY: i64 = 6 * 60;
/// A target this near is kept.
const SAME: f64 = 1e-6;

/// Runs a week under a policy. All start from the load test's formula, but the oracle.
pub async fn closed_loop(case: &Case, policy: Policy) -> Result<ClosedLoop, String> {
    let mut recorder = Recorder::new(case)?;
    let start = recorder.sim.now();
    let refinements = match policy {
        Policy::Setpoint(refinements) => refinements,
        _ => Refinements::NONE,
    };
    let settings = settings(case, refinements, start)?;
    let mut run = Run::new(&settings);
    let mut target = FACTOR * if policy == Policy::Oracle { case.capacity } else { case.load_test };
    let heavy = if policy == Policy::Oracle { heavy_capacity(case).await? } else { None };
    let mut result = ClosedLoop::default();
    let mut direction = 0.0;
    edit(&recorder, target)?;
    for pass in 1..=DAYS * 24 * 60 / PASS_MINUTES {
        let now = start + minutes(PASS_MINUTES * pass);
        recorder.advance(now, target).await?;
        let mut is_further_step = false;
        let wanted = match policy {
            Policy::Oracle => FACTOR * heavy.unwrap_or_else(|| recorder.capacity_at(now)),
            Policy::HighestGood if PASS_MINUTES * pass % HIGHEST_EVERY == 0 => {
                let highest = run.pass(&recorder.rows, now).estimate.highest_good_load;
                highest.map_or(target, |load| FACTOR * load)
            }
            Policy::Setpoint(_) => {
                let Evaluation { estimate, decided, .. } = run.pass(&recorder.rows, now);
                if estimate.verdict == Verdict::AtMost {
                    result.at_most_minutes += recorder.cost().0 - result.violation_minutes;
                }
                is_further_step = decided.is_further_step;
                decided.target_value.unwrap_or(target)
            }
            _ => target,
        };
        (result.violation_minutes, result.instance_hours) = recorder.cost();
        if (wanted / target - 1.0).abs() > SAME {
            let turn = (wanted - target).signum();
            result.writes += 1;
            result.changes += u32::from(!is_further_step);
            result.reversals += u32::from(direction * turn < 0.0);
            direction = turn;
            target = wanted;
            edit(&recorder, target)?;
        }
    }
    Ok(result)
}

/// The capacity of a wandering service in the heaviest third of the week's hours.
async fn heavy_capacity(case: &Case) -> Result<Option<f64>, String> {
    if case.class != Class::Wandering {
        return Ok(None);
    }
    let mut recorder = Recorder::new(case)?;
    let start = recorder.sim.now();
    recorder.advance(start + minutes(DAYS * 1440), FACTOR * case.capacity).await?;
    let speed = |at: &Timestamp| recorder.speed_at(*at);
    let mut hours: Vec<Timestamp> =
        (0..DAYS * 24).map(|hour| start + minutes(60 * hour + 30)).collect();
    // Capacity rises with speed, so its middle of the heaviest third is that of the hour in the same place.
    hours.sort_by(|a, b| speed(a).total_cmp(&speed(b)));
    Ok(Some(recorder.capacity_at(hours[hours.len() / 6])))
}

fn edit(recorder: &Recorder, target: f64) -> Result<(), String> {
    let change = Change::EditPolicy {
        variant: format!("{ENDPOINT}/{VARIANT}"),
        target_value: Some(target),
        scale_in_cooldown: None,
        disable_scale_in: None,
    };
    recorder.sim.with_world(|world| world.change(&change)).map_err(|e| e.to_string())
}
