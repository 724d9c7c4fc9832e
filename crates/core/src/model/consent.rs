//! What a person was shown and said yes to. Nothing else is written on the strength of it.
//!
//! A plan is shown, a person reads it, and the world goes on meanwhile. So a yes is bound to the
//! fields, values and first steps of the plan that was shown (rule 4a).

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::decision::{Action, Decision, FieldReport, FieldState, Plan, StepResult};
use super::ids::VariantId;
use super::kept_floors;
use super::reason::{Field, Reason};
use super::status::{FleetStatus, VariantStatus};
use super::time::Timestamp;
use super::units::{human, same_value, same_values};

/// One field of a plan as it was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownField {
    pub field: Field,
    /// What AWS had, readable; absent when it did not exist.
    pub actual: Option<String>,
    /// The same as a number, where it has one.
    pub number: Option<f64>,
    pub desired: Option<String>,
}

impl ShownField {
    fn of(report: &FieldReport) -> Self {
        Self {
            field: report.field,
            actual: report.actual.as_deref().map(str::to_owned),
            number: report.number,
            desired: report.desired.as_deref().map(str::to_owned),
        }
    }

    /// `700 -> 600`.
    fn change(&self) -> String {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        format!("{} -> {}", value(&self.actual), value(&self.desired))
    }

    /// Whether it is the same difference. Of a target value what is wanted may move with the
    /// measurements; what is written is compared by itself.
    pub fn is_still(&self, other: &Self) -> bool {
        let number = same_values(self.number, other.number);
        let moves = self.field == Field::TargetValue;
        self.field == other.field
            && number
            && self.actual == other.actual
            && (moves || self.desired == other.desired)
    }
}

/// The changes of one variant as they were shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    pub fields: Vec<ShownField>,
    pub policy_name: Option<String>,
    /// The target value to be put, where it is one of the changes: the first step.
    pub target_value: Option<f64>,
    /// The min and max to be registered.
    pub bounds: Option<(Option<i32>, Option<i32>)>,
    /// The instance counts between which registering would move the variant, if it would.
    pub moves: Option<(i64, i64)>,
    /// Tells one set of floors from another; the field says only how many there will be, between which mins
    /// and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floors: Option<String>,
}

impl Shown {
    /// What this plan shows of these fields.
    pub fn new(fields: Vec<ShownField>, plan: &Plan) -> Self {
        let mut shown = Self { fields, ..Self::default() };
        for action in &plan.actions {
            match action {
                Action::RegisterTarget { min_capacity, max_capacity, .. } => {
                    shown.bounds = Some((*min_capacity, *max_capacity));
                    shown.moves = moved(action);
                }
                Action::PutPolicy { policy_name, configuration, fields, .. } => {
                    shown.policy_name = Some(policy_name.clone());
                    let sets = [Field::TargetValue, Field::Policy, Field::MetricSpecification];
                    shown.target_value = fields
                        .iter()
                        .any(|field| sets.contains(field))
                        .then_some(configuration.target_value);
                }
                Action::PutFloors { puts, .. } => shown.floors = Some(kept_floors::signature(puts)),
            }
        }
        shown
    }

    pub fn of(decision: &Decision) -> Self {
        let fields = decision.report.fields.iter().filter(|f| f.state == FieldState::Write);
        Self::new(fields.map(ShownField::of).collect(), &decision.plan)
    }

    pub fn field(&self, field: Field) -> Option<&ShownField> {
        self.fields.iter().find(|shown| shown.field == field)
    }

    /// Whether writing a field now, by another look at the same variant, is what was shown here.
    pub fn allows(&self, field: Field, now: &Self) -> bool {
        let (Some(then), Some(found)) = (self.field(field), now.field(field)) else { return false };
        let same = match field {
            Field::MinCapacity | Field::MaxCapacity | Field::Suspended => self.moves == now.moves,
            Field::ScalableTarget => self.moves == now.moves && self.bounds == now.bounds,
            Field::TargetValue | Field::Policy | Field::MetricSpecification => {
                self.policy_name == now.policy_name
                    && same_values(self.target_value, now.target_value)
            }
            Field::Floors => self.floors == now.floors,
            _ => self.policy_name == now.policy_name,
        };
        same && then.is_still(found)
    }

    /// `700 -> 600`; of a first step what is wanted in the end as well.
    pub fn change(&self, field: Field) -> Option<String> {
        let shown = self.field(field)?;
        let none = || "(none)".to_owned();
        let (actual, wanted) = (shown.actual.clone(), shown.desired.clone());
        let (actual, wanted) = (actual.unwrap_or_else(none), wanted.unwrap_or_else(none));
        let step = self.target_value.filter(|_| field == Field::TargetValue).map(human);
        Some(match step.filter(|step| *step != wanted) {
            Some(step) => format!("{actual} -> {step}, wanted {wanted}"),
            None => format!("{actual} -> {wanted}"),
        })
    }
}

/// Between which instance counts registering moves a variant: AWS pulls the count into min and max.
fn moved(action: &Action) -> Option<(i64, i64)> {
    let Action::RegisterTarget { min_capacity, max_capacity, expected, expected_instances, .. } =
        action
    else {
        return None;
    };
    let before = expected.as_ref();
    let min = i64::from(min_capacity.or_else(|| before.map(|t| t.min_capacity))?);
    let max = i64::from(max_capacity.or_else(|| before.map(|t| t.max_capacity))?).max(min);
    let now = i64::from((*expected_instances)?.1);
    let after = now.clamp(min, max);
    (after != now).then_some((now, after))
}

/// A yes is to what somebody has looked at, and that was a day ago. A large change takes hours at a write a second.
const LASTS: TimeDelta = TimeDelta::days(1);

/// What a person has confirmed: the changes of a plan, variant by variant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Consent {
    shown: BTreeMap<VariantId, Shown>,
    /// When each was given to a process that goes on.
    given: BTreeMap<VariantId, Timestamp>,
    /// Everything that differed in a plan that was to be all of it, held or not: what is found
    /// beyond it is new.
    differed: Option<BTreeMap<VariantId, Vec<ShownField>>>,
    /// Lowerings whose confirmed first step is written and whose end was shown with it.
    lowerings: BTreeMap<VariantId, Lowering>,
}

/// A confirmed lowering on its way.
#[derive(Debug, Clone, PartialEq)]
struct Lowering {
    /// The value that the last step left in force.
    left: f64,
    /// The value that it ends at, as it was shown.
    wanted: Option<String>,
}

impl Consent {
    /// To everything that these decisions show.
    pub fn to<'d>(decisions: impl IntoIterator<Item = &'d Decision>) -> Self {
        let changing = decisions.into_iter().filter(|decision| !decision.plan.is_empty());
        let shown = changing.map(|d| (d.variant.clone(), Shown::of(d))).collect();
        Self { shown, ..Self::default() }
    }

    /// To everything that the plans of this pass show, as all that a person was asked about.
    pub fn to_plan(fleet: &FleetStatus) -> Self {
        let decisions = || fleet.variants.values().map(|status| &status.decision);
        let differs = |decision: &Decision| {
            let fields = decision.report.fields.iter().filter(|report| report.state.differs());
            (decision.variant.clone(), fields.map(ShownField::of).collect())
        };
        let differed = Some(decisions().map(differs).collect());
        Self { differed, ..Self::to(decisions()) }
    }

    /// Whether it is to nothing.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// How many variants it is to change.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    pub fn get(&self, id: &VariantId) -> Option<&Shown> {
        self.shown.get(id)
    }

    /// Whether a decision plans nothing but what was confirmed: a change as it was shown, or the
    /// next step of a lowering whose end was shown (rule 9 does not count it).
    pub fn covers(&self, decision: &Decision) -> bool {
        if self.shown.contains_key(&decision.variant) {
            return true;
        }
        let Some(lowering) = self.lowerings.get(&decision.variant) else { return false };
        let now = Shown::of(decision);
        let [field] = now.fields.as_slice() else { return false };
        let same = |a: Option<f64>| a.is_some_and(|a| same_value(a, lowering.left));
        field.field == Field::TargetValue
            && same(field.number)
            && field.desired == lowering.wanted
            && now.target_value.is_some_and(|to| to < lowering.left)
    }

    /// Adds another consent, given now; of a variant in both the newer one counts.
    pub fn extend(&mut self, other: Self, now: Timestamp) {
        self.given.extend(other.shown.keys().map(|id| (id.clone(), now)));
        self.shown.extend(other.shown);
    }

    /// Forgets what has waited for [`LASTS`]; which variants that is.
    pub fn expire(&mut self, now: Timestamp) -> Vec<VariantId> {
        let is_old = |id: &VariantId| self.given.get(id).is_some_and(|given| now - *given > LASTS);
        let expired: Vec<VariantId> = self.shown.keys().filter(|id| is_old(id)).cloned().collect();
        for id in &expired {
            self.shown.remove(id);
        }
        self.given.retain(|id, _| self.shown.contains_key(id));
        expired
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// After a pass, keeps only what has not been tried yet: what is written, or no longer as it
    /// was shown, is done with. Of a lowering that was written in part, the end is kept.
    pub fn follow(&mut self, fleet: &FleetStatus, carried_out: &CarriedOut) {
        let status = |id: &VariantId| fleet.variants.get(id).map(AsRef::as_ref);
        let mut before = std::mem::take(&mut self.lowerings);
        before.retain(|id, lowering| {
            let field = status(id).and_then(|status| target_value(status));
            let still = |f: &FieldReport| {
                f.desired.as_deref() == lowering.wanted.as_deref() && f.state.differs()
            };
            field.is_some_and(|field| {
                field.number.is_some_and(|n| same_value(n, lowering.left)) && still(field)
            })
        });
        for id in self.shown.keys().chain(before.keys()) {
            if let Some(lowering) = status(id).and_then(next_lowering) {
                self.lowerings.insert(id.clone(), lowering);
            }
        }
        for (id, lowering) in before {
            self.lowerings.entry(id).or_insert(lowering);
        }
        self.shown.retain(|id, _| carried_out.waiting.iter().any(|left| left.variant == *id));
    }

    /// What became of it in a pass.
    pub fn carried_out(&self, fleet: &FleetStatus) -> CarriedOut {
        let mut result = CarriedOut::default();
        for (id, shown) in &self.shown {
            for field in &shown.fields {
                let status = fleet.variants.get(id).map(AsRef::as_ref);
                let (list, found) = match status.map(|status| became(status, field)) {
                    None => (&mut result.differs, "the variant is no longer there".to_owned()),
                    Some(ConfirmedOutcome::Tried(sentence)) => (&mut result.tried, sentence),
                    Some(ConfirmedOutcome::Waits(sentence)) => (&mut result.waiting, sentence),
                    Some(ConfirmedOutcome::Differs(sentence)) => (&mut result.differs, sentence),
                };
                let change = shown.change(field.field).unwrap_or_default();
                list.push(Confirmed { variant: id.clone(), field: field.field, change, found });
            }
        }
        result.differs.extend(not_shown(self, fleet));
        result
    }
}

fn target_value(status: &VariantStatus) -> Option<&FieldReport> {
    status.decision.report.fields.iter().find(|report| report.field == Field::TargetValue)
}

/// The lowering that goes on after the step that was just written.
fn next_lowering(status: &VariantStatus) -> Option<Lowering> {
    let field = target_value(status)?;
    let written = matches!(became(status, &ShownField::of(field)), ConfirmedOutcome::Tried(_));
    let to = Shown::of(&status.decision).target_value.filter(|_| written)?;
    let ends = field.desired.as_deref() == Some(&*human(to));
    let lowers = field.number.is_some_and(|from| to < from);
    (lowers && !ends)
        .then(|| Lowering { left: to, wanted: field.desired.as_deref().map(str::to_owned) })
}

/// What became of everything that was confirmed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CarriedOut {
    /// What was sent to AWS.
    pub tried: Vec<Confirmed>,
    /// What is still as it was shown and could not be sent yet.
    pub waiting: Vec<Confirmed>,
    /// What is no longer as it was shown, or was not shown, and so was not written.
    pub differs: Vec<Confirmed>,
}

/// One field of a consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    #[serde(serialize_with = "as_text")]
    pub variant: VariantId,
    pub field: Field,
    /// The change as it was shown; empty when it was not.
    pub change: String,
    /// What became of it, or what was found instead.
    pub found: String,
}

fn as_text<S: serde::Serializer>(id: &VariantId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

enum ConfirmedOutcome {
    Tried(String),
    Waits(String),
    Differs(String),
}

fn became(status: &VariantStatus, shown: &ShownField) -> ConfirmedOutcome {
    let field = shown.field;
    let report = status.decision.report.fields.iter().find(|report| report.field == field);
    let steps = status.outcome.iter().flat_map(|outcome| &outcome.steps);
    let step = status
        .decision
        .plan
        .actions
        .iter()
        .zip(steps)
        .find(|(action, _)| writes(action, field))
        .map(|(_, step)| step);
    if let Some(step) = step {
        let sentence = step.sentence.clone();
        return match (step.result, step.reason) {
            (StepResult::Skipped, Some(Reason::NotLeader | Reason::CallBudget)) => {
                ConfirmedOutcome::Waits(sentence)
            }
            (StepResult::Skipped, _) => ConfirmedOutcome::Differs(sentence),
            _ => ConfirmedOutcome::Tried(sentence),
        };
    }
    let Some(report) = report else {
        return ConfirmedOutcome::Differs(status.decision.report.sentence.clone());
    };
    match report.state {
        FieldState::Unknown | FieldState::NotCompared => {
            ConfirmedOutcome::Waits(report.sentence.to_string())
        }
        FieldState::InSync => {
            let value = report.actual.as_deref().unwrap_or("nothing");
            ConfirmedOutcome::Differs(format!("{value} is in force already"))
        }
        FieldState::Held | FieldState::Write => {
            let now = ShownField::of(report);
            ConfirmedOutcome::Differs(if shown.is_still(&now) {
                report.sentence.to_string()
            } else {
                format!("changed since you were asked: it is {} now", now.change())
            })
        }
    }
}

fn writes(action: &Action, field: Field) -> bool {
    match action {
        Action::RegisterTarget { min_capacity, max_capacity, unsuspend, expected, .. } => {
            match field {
                Field::ScalableTarget => expected.is_none(),
                Field::MinCapacity => expected.is_some() && min_capacity.is_some(),
                Field::MaxCapacity => expected.is_some() && max_capacity.is_some(),
                Field::Suspended => *unsuspend,
                _ => false,
            }
        }
        Action::PutPolicy { fields, .. } => fields.contains(&field),
        Action::PutFloors { .. } => field == Field::Floors,
    }
}

/// Differences that have come since a person was asked about all there were.
fn not_shown(consent: &Consent, fleet: &FleetStatus) -> Vec<Confirmed> {
    let Some(differed) = &consent.differed else { return Vec::new() };
    let mut new = Vec::new();
    for (id, status) in &fleet.variants {
        let known = differed.get(id).map(Vec::as_slice).unwrap_or_default();
        let fields = status.decision.report.fields.iter().filter(|report| report.state.differs());
        for now in fields.map(ShownField::of) {
            let shown = consent.get(id).is_some_and(|shown| shown.field(now.field).is_some());
            if !shown && !known.iter().any(|then| then.is_still(&now)) {
                let found = format!("{}: it was not in the plan that was confirmed", now.change());
                let (variant, change) = (id.clone(), String::new());
                new.push(Confirmed { variant, field: now.field, change, found });
            }
        }
    }
    new
}
