//! The values of a variant in AWS, as they are compared from one look to the next.

use crate::model::decision::Action;
use crate::model::history::Shown;
use crate::model::kept_floors::{self, FloorPut, KeptFloors};
use crate::model::reason::Field;
use crate::model::scaling::{ScalableTarget, ScheduledAction, TargetTracking};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::model::units::{human, same_value};

/// What comes and goes as a whole.
pub(super) const fn is_whole(field: Field) -> bool {
    matches!(field, Field::ScalableTarget | Field::Policy | Field::Floors)
}

pub(super) fn is_same(a: &Shown, b: &Shown) -> bool {
    match (a.number, b.number) {
        (Some(a), Some(b)) => same_value(a, b),
        _ => a.text == b.text,
    }
}

fn number(value: impl Into<f64>) -> Shown {
    let value = value.into();
    Shown { text: human(value), number: Some(value) }
}

fn words(text: impl Into<String>) -> Shown {
    Shown { text: text.into(), number: None }
}

/// Each value that could be read, or that there is none.
pub(super) fn values(snapshot: &Snapshot) -> Vec<(Field, Option<Shown>)> {
    let mut values = Vec::new();
    if let Some(target) = snapshot.target.known() {
        values.extend(of_target(target.as_ref()));
    }
    if snapshot.policies.known().is_some() {
        let own =
            snapshot.policy().and_then(|p| Some((p.name.as_str(), p.invocations_tracking()?)));
        values.extend(of_policy(own));
    }
    if let Some(actions) = snapshot.scheduled_actions.known() {
        values.push(of_floors(actions, snapshot.taken_at));
    }
    values
}

fn of_target(target: Option<&ScalableTarget>) -> [(Field, Option<Shown>); 4] {
    let suspended = |target: &ScalableTarget| {
        let directions = target.suspended.words();
        words(if directions.is_empty() { "none".to_owned() } else { directions })
    };
    let bounds = |t: &ScalableTarget| words(format!("{} to {}", t.min_capacity, t.max_capacity));
    [
        // Told as a whole only when it comes or goes.
        (Field::ScalableTarget, target.map(|t| Shown { number: Some(1.0), ..bounds(t) })),
        (Field::MinCapacity, target.map(|target| number(target.min_capacity))),
        (Field::MaxCapacity, target.map(|target| number(target.max_capacity))),
        (Field::Suspended, target.map(suspended)),
    ]
}

fn of_policy(own: Option<(&str, &TargetTracking)>) -> [(Field, Option<Shown>); 6] {
    let tracking = own.map(|(_, tracking)| tracking);
    let name = own.map(|(name, _)| name);
    let whole = |(name, tracking): (&str, &TargetTracking)| Shown {
        text: format!("{name} with target value {}", human(tracking.target_value)),
        number: Some(1.0),
    };
    let yes_no =
        |yes: bool| Shown { text: yes.to_string(), number: Some(if yes { 1.0 } else { 0.0 }) };
    [
        (Field::Policy, own.map(whole)),
        (Field::PolicyName, name.map(words)),
        (Field::TargetValue, tracking.map(|t| number(t.target_value))),
        (Field::ScaleOutCooldown, tracking.map(|t| number(t.scale_out_cooldown_seconds()))),
        (Field::ScaleInCooldown, tracking.map(|t| number(t.scale_in_cooldown_seconds()))),
        (Field::DisableScaleIn, tracking.map(|t| yes_no(t.scale_in_disabled()))),
    ]
}

/// The floors that setpoint keeps: they come and go as a whole.
fn of_floors(actions: &[ScheduledAction], now: Timestamp) -> (Field, Option<Shown>) {
    let kept = KeptFloors::of(actions, now);
    let shown = |number| Shown { text: kept.words(), number: Some(number) };
    (Field::Floors, kept.number().map(shown))
}

fn floors(puts: &[FloorPut], number: Option<f64>) -> Option<Shown> {
    let floors = puts.iter().filter(|put| put.ends_at.is_some());
    let (mins, ends): (Vec<i32>, Vec<_>) = floors.map(|put| (put.min, put.ends_at)).unzip();
    let text = kept_floors::words(&mins, ends.into_iter().flatten().max());
    number.map(|number| Shown { text, number: Some(number) })
}

/// What a write puts into AWS.
pub(super) fn written(action: &Action) -> Vec<(Field, Shown)> {
    let all: Vec<(Field, Option<Shown>)> = match action {
        Action::RegisterTarget { min_capacity, max_capacity, unsuspend, expected, .. } => {
            let min = min_capacity.or(expected.as_ref().map(|t| t.min_capacity));
            let max = max_capacity.or(expected.as_ref().map(|t| t.max_capacity));
            let whole = expected.is_none().then(|| Shown {
                text: format!("{} to {}", min.unwrap_or_default(), max.unwrap_or_default()),
                number: Some(1.0),
            });
            let made = expected.is_none();
            vec![
                (Field::ScalableTarget, whole),
                (Field::MinCapacity, min_capacity.map(number)),
                (Field::MaxCapacity, max_capacity.map(number)),
                (Field::Suspended, (*unsuspend || made).then(|| words("none"))),
            ]
        }
        Action::PutPolicy { policy_name, configuration, fields, expected, .. } => {
            let named = of_policy(Some((policy_name.as_str(), configuration)));
            let changes = |field: &Field| expected.is_none() || fields.contains(field);
            named.into_iter().filter(|(field, _)| changes(field)).collect()
        }
        Action::PutFloors { puts, number, .. } => vec![(Field::Floors, floors(puts, *number))],
    };
    all.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}
