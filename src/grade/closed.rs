//! Closed loop: decisions are applied, and the service fares as it fares.

use crate::model::reason::ActionKind;
use crate::model::time::minutes;
use crate::replay::replay;
use crate::sim::scenario::Change;

use super::cases::{Case, DAYS, ENDPOINT, FACTOR, VARIANT};
use super::open::settings;
use super::telemetry::Recorder;

/// Who sets the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Factor x true capacity, at every moment.
    Oracle,
    /// The formula, for ever.
    Static,
    /// `setpoint`, every six hours.
    Setpoint,
}

/// How a week went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedLoop {
    /// Minutes that broke the objective.
    pub violation_minutes: u64,
    /// Instances times hours.
    pub instance_hours: f64,
    /// Changes of the target.
    pub changes: u32,
    /// Changes against the direction of the one before.
    pub reversals: u32,
}

/// Hours between two decisions.
const EVERY_HOURS: i64 = 6;

/// Runs a week under a policy. All start from the load test's formula, but the oracle.
///
/// # Errors
/// When the world refuses the scenario.
pub async fn closed_loop(case: &Case, policy: Policy) -> Result<ClosedLoop, String> {
    let mut recorder = Recorder::new(case)?;
    let start = recorder.sim.now();
    let settings = settings(case)?;
    let mut target = FACTOR
        * match policy {
            Policy::Oracle => case.capacity,
            Policy::Static | Policy::Setpoint => case.load_test,
        };
    let mut result =
        ClosedLoop { violation_minutes: 0, instance_hours: 0.0, changes: 0, reversals: 0 };
    let mut direction = 0.0;
    edit(&recorder, target)?;
    for quarter in 1..=DAYS * 24 * 4 {
        let now = start + minutes(15 * quarter);
        recorder.advance(now, target).await?;
        let wanted = match policy {
            Policy::Oracle => FACTOR * recorder.capacity_at(now),
            Policy::Setpoint if quarter % (EVERY_HOURS * 4) == 0 => {
                let mut last = None;
                replay(&recorder.rows, &settings, |e| last = Some(e));
                let decided = last.map(|e| e.decided);
                let set = decided.filter(|d| d.action == ActionKind::SetTarget);
                set.and_then(|d| d.target_value).unwrap_or(target)
            }
            Policy::Setpoint | Policy::Static => target,
        };
        if (wanted / target - 1.0).abs() > 1e-6 {
            let turn = (wanted - target).signum();
            result.changes += 1;
            result.reversals += u32::from(direction * turn < 0.0);
            direction = turn;
            target = wanted;
            edit(&recorder, target)?;
        }
    }
    let (violation_minutes, instance_hours) = recorder.cost();
    Ok(ClosedLoop { violation_minutes, instance_hours, ..result })
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
