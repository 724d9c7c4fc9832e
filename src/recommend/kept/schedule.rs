//! Scheduled actions that a file keeps, as far as they set min.

use serde_json::{Map, Value};

use super::{Kept, Shown, Worth, block, get, number, open, text};

/// One scheduled action that sets min.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledMin {
    /// The schedule, as AWS takes it.
    pub schedule: String,
    /// Its time zone, an IANA name.
    pub time_zone: String,
    pub min: i32,
}

/// The scheduled action that this object is; none where it is none, or sets no min.
pub(super) fn action(object: &Map<String, Value>) -> Option<Shown<ScheduledMin>> {
    let schedule = get(object, "schedule")?;
    let sets = get(object, "scalabletargetaction").and_then(block)?;
    let min = get(sets, "mincapacity")?;
    Some(scheduled(schedule, get(object, "timezone"), min))
}

/// All of a list of them.
pub(super) fn actions(list: &Value) -> Vec<Shown<ScheduledMin>> {
    let Some(items) = list.as_array() else { return vec![open(list)] };
    let each = items.iter().filter_map(|item| match item.as_object() {
        Some(object) => action(object),
        None => Some(open(item)),
    });
    each.collect()
}

/// The floors of a recommendation, as `setpoint recommend` prints them in YAML and JSON.
pub(super) fn recommended(object: &Map<String, Value>) -> Vec<Shown<ScheduledMin>> {
    let floors = object.get("floors").and_then(Value::as_object);
    let zone = floors.and_then(|floors| floors.get("time_zone"));
    let actions = floors.and_then(|floors| floors.get("actions")).and_then(Value::as_array);
    let each = actions
        .into_iter()
        .flatten()
        .filter_map(|action| Some(scheduled(action.get("schedule")?, zone, action.get("min")?)));
    each.collect()
}

fn scheduled(schedule: &Value, zone: Option<&Value>, min: &Value) -> Shown<ScheduledMin> {
    let zone = zone.map_or_else(|| Shown::Known("UTC".to_owned()), text);
    let min = match number(min) {
        Shown::Known(Worth::Number(n)) if n.fract() == 0.0 => Shown::Known(n as i32),
        Shown::Known(_) => open(min),
        Shown::Open(why) => Shown::Open(why),
    };
    match (text(schedule), zone, min) {
        (Shown::Known(schedule), Shown::Known(time_zone), Shown::Known(min)) => {
            Shown::Known(ScheduledMin { schedule, time_zone, min })
        }
        (Shown::Open(why), ..) | (_, Shown::Open(why), _) | (.., Shown::Open(why)) => {
            Shown::Open(why)
        }
    }
}

/// Scheduled actions that are places of their own, together for each variant: only all of them say
/// what min is when.
pub(super) fn together(all: Vec<Kept>) -> Vec<Kept> {
    let mut out: Vec<Kept> = Vec::with_capacity(all.len());
    for mut one in all {
        let alone = one.fields.is_empty() && !one.floors.is_empty();
        let same = |other: &&mut Kept| {
            other.fields.is_empty()
                && !other.floors.is_empty()
                && matches!(one.resource_id, Shown::Known(_))
                && (&other.resource_id, &other.region) == (&one.resource_id, &one.region)
        };
        match out.iter_mut().find(same).filter(|_| alone) {
            Some(first) => first.floors.append(&mut one.floors),
            None => out.push(one),
        }
    }
    out
}
