//! Runs the estimator and the decision over the rows of a recording.

use chrono::TimeDelta;

use crate::decide::new_regime;
use crate::decide::safe_target::{safe_target_at, wanted_at};
use crate::decide::step::DEAD_BAND;
use crate::estimate::{Context, Estimator, EstimatorSettings, Fingerprint, Refinements, Scratch};
use crate::model::estimate::{Estimate, Finding};
use crate::model::goal::Objective;
use crate::model::memory::KnownRegime;
use crate::model::reason::{ActionKind, Reason};
use crate::model::series::Minute;
use crate::model::time::Timestamp;
use crate::model::units::{RequestsPerSecond, SafetyFactor};

use super::csv::Row;
use super::limits::{InForce, step};

/// Telemetry older than this is no ground for a raise.
const FRESH: TimeDelta = TimeDelta::minutes(30);

/// What a replay is told beside the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySettings {
    /// What counts as serving well.
    pub objective: Objective,
    /// The load-tested rate; without it the start is flat.
    pub max_rps: Option<RequestsPerSecond>,
    /// The safety factor.
    pub safety_factor: SafetyFactor,
    /// The target value in force where the rows do not state it; by default the formula's.
    pub configured_target: Option<f64>,
    /// From one evaluation to the next.
    pub every: TimeDelta,
    /// What the estimator does beyond its basic steps.
    pub refinements: Refinements,
}

impl ReplaySettings {
    /// Load-tested rate x safety factor x 60.
    #[must_use]
    pub fn formula(&self) -> Option<f64> {
        self.max_rps.map(|rate| rate.per_minute() * self.safety_factor.get())
    }
}

/// What is decided about the target value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decided {
    /// `none`, `hold` or `set_target`.
    pub action: ActionKind,
    /// The value in force after it; absent when there is none.
    pub target_value: Option<f64>,
    /// Why.
    pub reason: Reason,
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// When, in the recording's time.
    pub at: Timestamp,
    /// What is known of capacity.
    pub estimate: Estimate,
    /// What the target value should be, before limits.
    pub safe_target: Option<f64>,
    /// The value in force.
    pub configured_target: Option<f64>,
    /// Configured target over safe target.
    pub divergence: Option<f64>,
    /// The decision, after limits.
    pub decided: Decided,
    /// Findings raised since the evaluation before.
    pub raised: Vec<Finding>,
}

/// A replay under way: rows go in, evaluations come out when asked.
pub struct Run<'a> {
    settings: &'a ReplaySettings,
    estimator: Estimator,
    scratch: Scratch,
    in_force: InForce,
    context: Context,
    /// The newest minute with a load.
    present: Option<Minute>,
    /// Since when the present regime is known.
    regime: Option<KnownRegime>,
    raised: Vec<Finding>,
}

/// Replays rows and hands each evaluation to `tell`: at multiples of `every` after the first row,
/// at the last row, and whenever a finding is raised in between.
pub fn replay(rows: &[Row], settings: &ReplaySettings, mut tell: impl FnMut(Evaluation)) {
    let Some(first) = rows.first() else { return };
    let running = rows.iter().find_map(|row| row.endpoint_config.as_deref());
    let mut run = Run::new(settings, running);
    let every = settings.every.max(TimeDelta::minutes(1));
    let start = first.minute.at;
    let mut due = start + every;
    let mut last = start;
    for row in in_order_of_ends(rows) {
        let at = row.minute.at;
        // A long period is known when it is over, with the minute it ends with.
        let known_at = at + TimeDelta::seconds(i64::from(row.minute.period_seconds) - 60);
        while due < known_at {
            let evaluation = run.evaluate(due);
            tell(evaluation);
            // A gap in the recording is one evaluation, not hundreds of the same.
            let behind = (known_at - due).num_seconds() / every.num_seconds().max(1);
            let steps = i32::try_from(behind.max(1)).unwrap_or(i32::MAX);
            due += if steps > 64 { every * (steps - 1) } else { every };
        }
        let raised = run.push(row);
        last = last.max(known_at);
        if raised && known_at != due {
            let evaluation = run.evaluate(known_at);
            tell(evaluation);
        }
    }
    tell(run.evaluate(last));
}

/// Rows in the order in which their periods end, for that is when they are known.
fn in_order_of_ends(rows: &[Row]) -> Vec<&Row> {
    let mut ordered: Vec<&Row> = rows.iter().collect();
    ordered.sort_by_key(|row| {
        let seconds = i64::from(row.minute.period_seconds);
        (row.minute.at + TimeDelta::seconds(seconds), seconds)
    });
    ordered
}

impl<'a> Run<'a> {
    /// A replay that has seen nothing yet, of a variant that runs this config, if that is known.
    #[must_use]
    pub fn new(settings: &'a ReplaySettings, running: Option<&str>) -> Self {
        let known = EstimatorSettings {
            load_test: settings.max_rps,
            fingerprint: running.map(Fingerprint::of),
            refinements: settings.refinements,
            ..EstimatorSettings::new(settings.objective)
        };
        Self {
            settings,
            estimator: Estimator::new(&known),
            scratch: Scratch::new(),
            in_force: InForce::default(),
            context: Context {
                configured_target: None,
                safety_factor: settings.safety_factor.get(),
            },
            present: None,
            regime: None,
            raised: Vec::new(),
        }
    }

    /// Takes a row in; answers whether it raised a finding.
    pub fn push(&mut self, row: &Row) -> bool {
        let at = row.minute.at;
        let unstated = if self.in_force.now().is_none() {
            self.settings.configured_target.or(self.settings.formula())
        } else {
            None
        };
        if let Some(value) = row.configured_target.or(unstated) {
            self.in_force.note(at, value);
            self.context.configured_target = Some(value);
        }
        if let Some(config) = &row.endpoint_config {
            self.estimator.declare(at, Fingerprint::of(config), &mut self.scratch);
        }
        if row.minute.load().is_some() {
            self.present = Some(row.minute);
        }
        let pushed = self.estimator.push(&row.minute, &self.context, &mut self.scratch);
        self.raised.extend_from_slice(&pushed.raised);
        !pushed.raised.is_empty()
    }

    /// What is known and decided at an instant.
    pub fn evaluate(&mut self, at: Timestamp) -> Evaluation {
        let estimate = self.estimator.evaluate(&mut self.scratch, at, &self.context);
        let factor = self.settings.safety_factor.get();
        let safe_target = safe_target_at(&estimate, factor, self.settings.formula());
        let configured_target = self.in_force.now();
        let divergence = configured_target.zip(safe_target).map(|(now, safe)| now / safe);
        self.note_regime(&estimate, at);
        let decided = self.decide(&estimate, at);
        let raised = std::mem::take(&mut self.raised);
        Evaluation { at, estimate, safe_target, configured_target, divergence, decided, raised }
    }

    /// The regime that a recording begins with is nobody's discovery.
    fn note_regime(&mut self, estimate: &Estimate, at: Timestamp) {
        let begins = estimate.regime.filter(|_| self.regime.is_none());
        let at = begins.map_or(at, |regime| regime.started_at);
        self.regime = new_regime::note(self.regime, estimate.regime.as_ref(), at);
    }

    fn decide(&self, estimate: &Estimate, now: Timestamp) -> Decided {
        let factor = self.settings.safety_factor.get();
        let in_force = self.in_force.now();
        let none = |reason| Decided { action: ActionKind::None, target_value: in_force, reason };
        let hold = |reason| Decided { action: ActionKind::Hold, target_value: in_force, reason };
        let set =
            |to, reason| Decided { action: ActionKind::SetTarget, target_value: Some(to), reason };
        if self.settings.objective.latency.is_none() {
            return none(Reason::NoObjective);
        }
        let want = match wanted_at(estimate, factor, self.settings.formula(), in_force) {
            Ok(want) => want,
            Err(reason) => return none(reason),
        };
        let Some(from) = in_force else { return set(want, Reason::SafeTarget) };
        if (want / from - 1.0).abs() < DEAD_BAND {
            let same = (want - from).abs() < 1e-6;
            return none(if same { Reason::InSync } else { Reason::DeadBand });
        }
        if estimate.incident_since.is_some() {
            return hold(Reason::Incident);
        }
        // What an evaluation knows is what was known at the end of its newest minute.
        let known_at = now + TimeDelta::minutes(1);
        if new_regime::ends_at(estimate.regime.as_ref(), self.regime.as_ref(), known_at).is_some() {
            return hold(Reason::NewRegime);
        }
        let fresh = self.present.filter(|m| now - m.at <= FRESH);
        if want > from && fresh.is_none() {
            return hold(Reason::Stale);
        }
        let minutes = fresh.map_or(1.0, |m| f64::from(m.period_seconds) / 60.0);
        let invocations = fresh.and_then(|m| m.invocations).map(|sum| sum / minutes);
        let instances = fresh.and_then(|m| m.instance_count());
        match step(&self.in_force, (from, want), (invocations, instances), now) {
            Ok((to, cut)) => set(to, cut.unwrap_or(Reason::SafeTarget)),
            Err(reason) => hold(reason),
        }
    }
}
