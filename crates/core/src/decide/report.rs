//! What was concluded, in words and numbers, from the judged fields.

use crate::model::decision::{Action, FieldReport, FieldState, Plan, Report};
use crate::model::reason::{ActionKind, Field, Reason};
use crate::model::shared::Shared;
use crate::model::units::{for_reading, human, same_value};

use super::case::Case;
use super::checks::Judged;
use super::compare::Relation;
use super::desired::Desired;
use super::{forecast, notes, safety, watch};

pub fn report(case: &Case<'_>, desired: &Desired, judged: &[Judged], plan: &Plan) -> Report {
    let configured = case.configured_target();
    let (reason, sentence) = headline(case, desired, judged);
    let wanted = judged.iter().find_map(|j| j.target_value).or(desired.target_value);
    let changes = matches!((configured, wanted), (Some(a), Some(b)) if !same_value(a, b))
        || (configured.is_none() && wanted.is_some());
    Report {
        mode: case.goal.mode,
        managed: case.goal.managed,
        action: action(judged, plan),
        reason,
        // Put together piece by piece it has room for half as much again, and thousands are held.
        sentence: sentence.into_boxed_str().into(),
        fields: judged.iter().map(|j| field(case, desired, j, plan)).collect(),
        notes: notes::notes(case, desired).into(),
        comparable: comparable(case, judged),
        configured_target: configured,
        formula_target: desired.formula,
        load_test_problem: desired.load_test_problem,
        safe_target: desired.safe,
        wanted_target: wanted,
        desired_target: desired.target_value,
        divergence: configured.zip(desired.safe).map(|(configured, safe)| configured / safe),
        instances: wanted.filter(|_| changes).map(|wanted| forecast::forecast(case, wanted)),
        estimate: case.estimate.clone().into(),
        safety: safety::safety(case, desired),
        would: Shared::default(),
    }
}

/// Whether everything that is managed could be compared.
fn comparable(case: &Case<'_>, judged: &[Judged]) -> bool {
    // A listed variant that does not exist is no variant in sync: its name may be misspelt.
    let missing = case.goal.managed && case.is_gone() && !case.is_shadow();
    !missing
        && judged.iter().all(|j| j.state != FieldState::Unknown)
        && case.snapshot.endpoint.why().is_none()
}

fn action(judged: &[Judged], plan: &Plan) -> ActionKind {
    let mut kind = ActionKind::None;
    for action in &plan.actions {
        match action {
            Action::RegisterTarget { expected: None, .. } => return ActionKind::RegisterTarget,
            Action::PutPolicy { expected: None, .. } => return ActionKind::CreatePolicy,
            Action::PutPolicy { fields, .. } if fields.contains(&Field::TargetValue) => {
                kind = ActionKind::SetTarget;
            }
            _ if kind == ActionKind::None => kind = ActionKind::Repair,
            _ => {}
        }
    }
    let held = judged.iter().any(|j| j.state == FieldState::Held);
    if kind == ActionKind::None && held { ActionKind::Hold } else { kind }
}

/// The reason that matters most: what is written, else what is held, else what is not known.
fn headline(case: &Case<'_>, desired: &Desired, judged: &[Judged]) -> (Reason, String) {
    // A shadow variant is none of the production variants either, so it is asked for first.
    if case.is_shadow() {
        return (Reason::Shadow, "a shadow variant is observed and never written".to_owned());
    }
    if case.is_gone() {
        let what = case
            .endpoint()
            .map_or("the endpoint does not exist", |_| "the endpoint has no such variant");
        return (Reason::EndpointMissing, what.to_owned());
    }
    let of = |state: FieldState| judged.iter().find(move |j| j.state == state);
    if let Some(unknown) = of(FieldState::Unknown)
        && of(FieldState::Write).is_none()
    {
        let sentence =
            format!("{} could not be compared: {}", unknown.comparison.field, unknown.sentence);
        return (Reason::CouldNotCompare, sentence);
    }
    if let Some(write) = of(FieldState::Write) {
        return (write.reason, change(case, write, desired));
    }
    if let Some(lacking) = judged.iter().find(|j| lacks_comparison(j)) {
        return (lacking.reason, format!("not compared: {}", lacking.sentence));
    }
    // Alarms are reported, but anything that a person can decide on comes first.
    let held = judged
        .iter()
        .filter(|j| j.state == FieldState::Held)
        .min_by_key(|j| j.comparison.field == Field::Alarms);
    // What is not known comes first here too, unless the hold says it.
    let unseen = case.snapshot.endpoint.why();
    if let Some(held) = held.filter(|held| unseen.is_none() || held.reason == Reason::Unknown) {
        return (held.reason, change(case, held, desired));
    }
    if let Some(why) = unseen {
        return (Reason::CouldNotCompare, why.message.clone());
    }
    if !case.goal.managed {
        return (Reason::Unlisted, "not listed in the configuration, observed only".to_owned());
    }
    if let Ok(kind) = &case.kind
        && let Some(because) = kind.unsupported_because()
    {
        return (Reason::UnsupportedKind, because.to_owned());
    }
    if let Some(loose) = of(FieldState::NotCompared) {
        return (loose.reason, format!("not compared: {}", loose.sentence));
    }
    (Reason::InSync, "in sync".to_owned())
}

fn lacks_comparison(judged: &Judged) -> bool {
    matches!(judged.comparison.relation, Relation::NotCompared { .. })
        && judged.reason.is_load_test()
}

/// "wanted 480 -> 612, held: the endpoint is `RollingBack`".
fn change(case: &Case<'_>, judged: &Judged, desired: &Desired) -> String {
    let comparison = &judged.comparison;
    let what = match (&comparison.actual, &comparison.desired) {
        (Some(actual), Some(wanted)) => {
            let to = judged.target_value.map_or_else(|| wanted.clone(), human);
            format!("{} {actual} -> {to}", comparison.field)
        }
        (None, Some(wanted)) => format!("{} is missing, wanted {wanted}", comparison.field),
        _ => comparison.field.to_string(),
    };
    match judged.state {
        FieldState::Held => format!("{what}, held: {}", judged.sentence),
        _ if judged.sentence.is_empty() && judged.reason == Reason::SafeTarget => {
            format!(
                "{what}, following the capacity estimate (safe target {})",
                desired.safe.map_or_else(|| "unknown".to_owned(), |safe| human(for_reading(safe)))
            )
        }
        _ if judged.reason == Reason::Probe => {
            let proven = case.estimate.capacity.lower_bound;
            let proven = proven.map_or_else(|| "nothing".to_owned(), |b| human(for_reading(b)));
            format!(
                "{what}, a probe: one instance is proven to serve {proven}, and its limit was not seen"
            )
        }
        _ if judged.reason == Reason::ProbeEnded => {
            format!("{what}, the value from before the probe")
        }
        _ if judged.sentence.is_empty() => what,
        _ => {
            // Cut short of the wanted value: say both.
            let wanted = comparison.desired.as_deref().unwrap_or("none");
            format!("{what} (wanted {wanted}, {})", judged.sentence)
        }
    }
}

fn field(case: &Case<'_>, desired: &Desired, judged: &Judged, plan: &Plan) -> FieldReport {
    let comparison = &judged.comparison;
    let sentence = match comparison.field {
        Field::ScalableTarget | Field::Policy if judged.state.differs() => {
            let because = watch::missing_because(case, comparison.field);
            let parts = [because, Some(judged.sentence.clone()).filter(|s| !s.is_empty())];
            parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
        _ if !judged.sentence.is_empty() => judged.sentence.clone(),
        Field::MinCapacity | Field::MaxCapacity | Field::Suspended
            if judged.state == FieldState::Write =>
        {
            pulled(case, plan).unwrap_or_default()
        }
        Field::Alarms if judged.state == FieldState::Write => {
            "the policy is rewritten as is".to_owned()
        }
        _ => String::new(),
    };
    FieldReport {
        number: comparison.number,
        wanted: desired.target_value.filter(|_| comparison.field == Field::TargetValue),
        field: comparison.field,
        actual: comparison.actual.as_deref().map(Box::from),
        desired: comparison.desired.as_deref().map(Box::from),
        state: judged.state,
        reason: judged.reason,
        sentence: sentence.into(),
    }
}

/// Rule 17, said in the plan: what registering does to the instances that run.
fn pulled(case: &Case<'_>, plan: &Plan) -> Option<String> {
    let target = case.target()?;
    let sent = plan.actions.iter().find_map(|action| match action {
        Action::RegisterTarget { min_capacity, max_capacity, .. } => {
            Some((min_capacity, max_capacity))
        }
        Action::PutPolicy { .. } | Action::PutFloors { .. } => None,
    })?;
    let min = sent.0.unwrap_or(target.min_capacity);
    let max = sent.1.unwrap_or(target.max_capacity).max(min);
    let now = case.desired_instances()?;
    let after = i64::from(now).clamp(i64::from(min), i64::from(max));
    Some(if after == i64::from(now) {
        format!("registering {min} to {max} scales nothing")
    } else {
        format!("registering {min} to {max} scales it from {now} to {after}")
    })
}
