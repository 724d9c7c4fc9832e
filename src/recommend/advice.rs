//! One recommendation: the target value with its reason, and what belongs to it.

use serde::{Deserialize, Serialize};

use crate::decide::kind::kind;
use crate::decide::step::{DEAD_BAND, NEW_GROUND_MAX, whole};
use crate::model::estimate::Verdict;
use crate::model::floors::{FloorAction, Floors};
use crate::model::goal::TargetValueLimits;
use crate::model::ids::VariantId;
use crate::model::safety::{Safety, Unproven};
use crate::model::scaling::{CONVENTIONAL_POLICY_NAME, DEFAULT_COOLDOWN_SECONDS, TargetTracking};
use crate::model::status::VariantStatus;
use crate::model::time::Timestamp;
use crate::model::units::human;

/// What the scaling of one variant should be. The API has it in this shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    pub id: VariantId,
    /// Application Auto Scaling's name of it.
    pub resource_id: String,
    /// Whether the configuration lists it.
    pub managed: bool,
    /// As of which decision.
    pub at: Timestamp,
    /// The target value to set, in invocations per minute per instance; null when there is none.
    pub target_value: Option<f64>,
    /// What it rests on.
    pub basis: Basis,
    /// Why this value, or why none.
    pub because: String,
    /// The name that the policy has in AWS, else the conventional one.
    pub policy_name: String,
    /// Fewest instances: as configured, else as in AWS; null when neither says.
    pub min_capacity: Option<i32>,
    /// Most instances, likewise.
    pub max_capacity: Option<i32>,
    /// Seconds after a scale-out: as configured, else as in AWS, else AWS's default.
    pub scale_out_cooldown_seconds: i32,
    /// Seconds after a scale-in, likewise.
    pub scale_in_cooldown_seconds: i32,
    /// Whether scale-in is disabled, likewise.
    pub disable_scale_in: bool,
    /// The target value in force; null when there is none, or it could not be read.
    pub in_force: Option<f64>,
    /// The upper end of the measured capacity, while it is known from both sides: a higher target
    /// value is unsafe whatever else holds.
    pub capacity_high: Option<f64>,
    /// The scheduled floors that would pay with this target value; null when none would, or another
    /// value goes with them.
    #[serde(default)]
    pub floors: Option<RecommendedFloors>,
    /// Why no floors should be kept with this target value, where that is known; null otherwise.
    #[serde(default)]
    pub floors_refused: Option<String>,
    /// What to mind when it is put in force.
    pub notes: Vec<String>,
}

/// Scheduled floors to keep beside a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecommendedFloors {
    /// The time zone of the schedules, an IANA name.
    pub time_zone: String,
    pub actions: Vec<FloorAction>,
}

/// What a recommended target value rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The capacity measured in production.
    Measured,
    /// A valid load test: production has shown nothing yet that speaks for or against it.
    LoadTest,
    /// Nothing: no value is recommended.
    None,
}

impl Recommendation {
    /// What follows from the last pass over a variant.
    pub fn of(status: &VariantStatus) -> Self {
        let (snapshot, goal) = (&status.snapshot, &status.goal);
        let report = &status.decision.report;
        let target = snapshot.target.known().and_then(Option::as_ref);
        let policy = snapshot.policy();
        let tracking = policy.and_then(|policy| policy.invocations_tracking());
        let cooldown = |goal: Option<i32>, of: fn(&TargetTracking) -> i32| {
            goal.unwrap_or_else(|| tracking.map_or(DEFAULT_COOLDOWN_SECONDS, of))
        };
        let remembered = snapshot.memory.known().and_then(|memory| memory.policy_name.clone());
        let (target_value, basis, because) = value(status);
        let estimate = &report.estimate;
        let mut it = Self {
            id: snapshot.id.clone(),
            resource_id: snapshot.id.resource().to_string(),
            managed: report.managed,
            at: status.decision.at,
            target_value,
            basis,
            because,
            policy_name: policy
                .map(|policy| policy.name.clone())
                .or(remembered)
                .unwrap_or_else(|| CONVENTIONAL_POLICY_NAME.to_owned()),
            min_capacity: goal.capacity.min.or_else(|| target.map(|t| t.min_capacity)),
            max_capacity: goal.capacity.max.or_else(|| target.map(|t| t.max_capacity)),
            scale_out_cooldown_seconds: cooldown(
                goal.cooldown.scale_out_seconds,
                TargetTracking::scale_out_cooldown_seconds,
            ),
            scale_in_cooldown_seconds: cooldown(
                goal.cooldown.scale_in_seconds,
                TargetTracking::scale_in_cooldown_seconds,
            ),
            disable_scale_in: goal
                .disable_scale_in
                .unwrap_or_else(|| tracking.is_some_and(TargetTracking::scale_in_disabled)),
            in_force: report.configured_target,
            capacity_high: estimate.capacity.high.filter(|_| estimate.verdict.is_two_sided()),
            floors: None,
            floors_refused: None,
            notes: Vec::new(),
        };
        it.notes = notes(&it);
        it.note_floors(&status.snapshot.floors);
        it
    }

    /// Floors were judged with a target value: with a lower one they are safer and cost more, with a
    /// higher one they may not be enough.
    fn note_floors(&mut self, floors: &Floors) {
        let Some(proposed) = floors.proposed() else {
            self.floors_refused = floors.against().map(|(_, why)| why);
            return;
        };
        let near = |to: f64| (to / proposed.target_value - 1.0).abs() <= DEAD_BAND;
        if self.target_value.is_some_and(near) {
            self.floors = Some(RecommendedFloors {
                time_zone: proposed.time_zone.name().to_owned(),
                actions: proposed.actions.clone(),
            });
        } else {
            let value = human(proposed.target_value);
            self.floors_refused = Some(format!("floors would pay with a target value of {value}"));
        }
        self.notes.push(proposed.sentence());
    }

    /// Everything that a scalable target with its policy needs.
    pub fn whole(&self) -> Option<Whole> {
        Some(Whole {
            target_value: self.target_value?,
            min: self.min_capacity?,
            max: self.max_capacity?,
        })
    }

    /// Why there is nothing to write down; absent when there is.
    pub fn lacking(&self) -> Option<String> {
        if self.target_value.is_none() {
            return Some(format!("no target value is recommended: {}", self.because));
        }
        let missing = match (self.min_capacity, self.max_capacity) {
            (Some(_), Some(_)) => return None,
            (None, Some(_)) => "capacity.min",
            (Some(_), None) => "capacity.max",
            (None, None) => "capacity.min and capacity.max",
        };
        Some(format!("there is no scalable target in AWS, and {missing} is not configured"))
    }
}

/// The numbers that a scalable target and a policy cannot do without.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whole {
    /// Invocations per minute per instance.
    pub target_value: f64,
    /// Fewest instances.
    pub min: i32,
    pub max: i32,
}

/// The value, what it rests on, and why. What `auto` would not follow now is not recommended either.
fn value(status: &VariantStatus) -> (Option<f64>, Basis, String) {
    let report = &status.decision.report;
    let estimate = &report.estimate;
    let none = |why: String| (None, Basis::None, why);
    if !report.reason.class().has_variant {
        return none(report.sentence.clone());
    }
    match kind(&status.snapshot) {
        Err(why) => {
            return none(format!("what kind of variant it is could not be read: {}", why.message));
        }
        Ok(kind) => {
            if let Some(because) = kind.unsupported_because() {
                return none(because.to_owned());
            }
        }
    }
    if report.safety.state == Safety::NotKnown(Unproven::NewRegime) {
        return none(report.safety.sentence.clone());
    }
    if let Some(since) = estimate.incident_since {
        let since = since.format("%FT%TZ");
        return none(format!(
            "since {since} the objective is broken at low load, for another cause than load"
        ));
    }
    if let Some(safe) = report.safe_target {
        let (value, limit) = within(status.goal.target_value, safe);
        let limit = limit.map(|limit| format!("; {limit}")).unwrap_or_default();
        return (Some(value), Basis::Measured, format!("{}{limit}", estimate.sentence));
    }
    let no_safe = format!("there is no safe target: {}", estimate.sentence);
    match (report.formula_target, estimate.verdict) {
        (Some(formula), Verdict::Unobserved | Verdict::Stale) => {
            let (value, limit) = within(status.goal.target_value, formula);
            let limit = limit.map(|limit| format!("; {limit}")).unwrap_or_default();
            let because = format!("load-tested rate x safety factor x 60; {no_safe}{limit}");
            (Some(value), Basis::LoadTest, because)
        }
        (Some(_), _) => none(format!("{no_safe}, so that the load test is not to be relied on")),
        (None, _) => none(match report.load_test_problem {
            None => no_safe,
            Some(problem) => {
                format!("{no_safe}; load test: {}", problem.as_str().replace('_', " "))
            }
        }),
    }
}

/// The value as it would be written: within the owner's limits, down to a whole number.
fn within(limits: TargetValueLimits, value: f64) -> (f64, Option<String>) {
    let value = whole(value, f64::floor);
    if let Some(floor) = limits.floor.filter(|floor| floor.get() > value) {
        return (floor.get(), Some(format!("target_value.floor raises {} to it", human(value))));
    }
    if let Some(ceiling) = limits.ceiling.filter(|ceiling| ceiling.get() < value) {
        return (
            ceiling.get(),
            Some(format!("target_value.ceiling lowers {} to it", human(value))),
        );
    }
    (value, None)
}

fn notes(it: &Recommendation) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((now, to)) = it.in_force.zip(it.target_value)
        && to > now * (1.0 + NEW_GROUND_MAX)
    {
        notes.push(format!(
            "{} is in force: raise it by at most {:.0} % a day and watch the latency, as setpoint \
             itself would",
            human(now),
            NEW_GROUND_MAX * 100.0
        ));
    }
    if let Some((high, to)) = it.capacity_high.zip(it.target_value)
        && to > high
    {
        notes.push(format!(
            "one instance serves at most {}: target_value.floor is above that, and unsafe",
            human(high.floor())
        ));
    }
    notes
}
