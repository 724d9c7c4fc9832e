//! Values of any shape: of a Helm chart, of Terraform variables, an answer of the aws CLI, and
//! setpoint's own configuration. What names a variant is read with the numbers beside it.

use serde_json::{Map, Value};

use super::{
    DISABLE_SCALE_IN, Kept, MAX_CAPACITY, MIN_CAPACITY, SCALE_IN_COOLDOWN, SCALE_OUT_COOLDOWN,
    Shown, TARGET_VALUE, Worth, bounds, flag, get, is_variants, number, schedule, text, tracking,
    tracking_of,
};
use crate::model::units::formula;

/// As deep as JSON is read.
const MAX_DEPTH: usize = 128;
/// The default of `safety_factor` (config/default.yaml).
const SAFETY_FACTOR: f64 = 0.5;

pub(super) fn read(document: &Value, place: &str) -> Vec<Kept> {
    let mut kept = Vec::new();
    let factor = find_factor(document);
    walk(document, place, factor, 0, &mut kept);
    kept
}

fn walk(value: &Value, place: &str, factor: f64, depth: usize, kept: &mut Vec<Kept>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{place}[{index}]"), factor, depth + 1, kept);
            }
        }
        Value::Object(map) => {
            kept.extend(here(map, place, factor));
            // `config` of setpoint's chart has defaults of its own.
            let factor = own_factor(map).unwrap_or(factor);
            for (key, value) in map {
                let dot = if place.is_empty() { "" } else { "." };
                walk(value, &format!("{place}{dot}{key}"), factor, depth + 1, kept);
            }
        }
        _ => {}
    }
}

/// `defaults.safety_factor` at the top, or of the section that this is.
fn find_factor(document: &Value) -> f64 {
    document.as_object().and_then(own_factor).unwrap_or(SAFETY_FACTOR)
}

fn own_factor(map: &Map<String, Value>) -> Option<f64> {
    map.get("defaults")?.get("safety_factor")?.as_f64()
}

/// What this object says of a variant, when it names one.
fn here(map: &Map<String, Value>, place: &str, factor: f64) -> Option<Kept> {
    let resource_id = match get(map, "resourceid") {
        Some(id) => text(id),
        None => named(map)?,
    };
    if !is_variants(map) || matches!(&resource_id, Shown::Known(id) if !id.starts_with("endpoint/"))
    {
        return None;
    }
    let mut fields = bounds(map);
    if let Some(config) = tracking_of(map) {
        fields.extend(tracking(config));
    } else {
        fields.extend(stated(map));
    }
    fields.extend(setpoints(map, factor));
    let mut floors: Vec<_> = schedule::action(map).into_iter().collect();
    floors.extend(schedule::recommended(map));
    if fields.is_empty() && floors.is_empty() {
        return None;
    }
    let region = get(map, "region").and_then(Value::as_str).map(str::to_owned);
    Some(Kept { place: place.to_owned(), resource_id, region, fields, floors })
}

/// By `endpoint` and `variant`, or `endpointName` and `variantName`.
fn named(map: &Map<String, Value>) -> Option<Shown<String>> {
    let either = |short, long| get(map, short).or_else(|| get(map, long));
    let endpoint = either("endpoint", "endpointname").filter(|value| value.is_string())?;
    let variant = either("variant", "variantname").filter(|value| value.is_string())?;
    Some(match (text(endpoint), text(variant)) {
        (Shown::Known(e), Shown::Known(v)) if format!("{e}{v}").contains(['*', '?', '[']) => {
            Shown::Open(format!("{e}/{v} is a pattern"))
        }
        (Shown::Known(e), Shown::Known(v)) => Shown::Known(format!("endpoint/{e}/variant/{v}")),
        (Shown::Open(why), _) | (_, Shown::Open(why)) => Shown::Open(why),
    })
}

/// Numbers that lie beside the name. What is absent is the chart's to say.
fn stated(map: &Map<String, Value>) -> Vec<(&'static str, Shown<Worth>)> {
    let numbers = [
        (TARGET_VALUE, "targetvalue"),
        (SCALE_OUT_COOLDOWN, "scaleoutcooldown"),
        (SCALE_IN_COOLDOWN, "scaleincooldown"),
    ];
    // Of setpoint's own configuration `target_value` is a section of limits.
    let plain = |value: &&Value| !value.is_object();
    let found = numbers
        .into_iter()
        .filter_map(|(field, key)| Some((field, number(get(map, key).filter(plain)?))));
    let off = get(map, "disablescalein").map(|value| (DISABLE_SCALE_IN, flag(value)));
    found.chain(off).collect()
}

/// A target of setpoint's own configuration.
fn setpoints(map: &Map<String, Value>, factor: f64) -> Vec<(&'static str, Shown<Worth>)> {
    let at = |section: &str, key: &str| map.get(section).and_then(|section| section.get(key));
    let mut fields = Vec::new();
    if let Some(rate) = at("load_test", "max_rps").and_then(Value::as_f64) {
        let value = match map.get("safety_factor") {
            None => Shown::Known(Worth::Number(formula(rate, factor))),
            Some(own) => match own.as_f64() {
                Some(own) => Shown::Known(Worth::Number(formula(rate, own))),
                None => Shown::Open("safety_factor is not a number".to_owned()),
            },
        };
        fields.push((TARGET_VALUE, value));
    }
    for (field, section, key) in [
        (MIN_CAPACITY, "capacity", "min"),
        (MAX_CAPACITY, "capacity", "max"),
        (SCALE_OUT_COOLDOWN, "cooldown", "scale_out_seconds"),
        (SCALE_IN_COOLDOWN, "cooldown", "scale_in_seconds"),
    ] {
        if let Some(value) = at(section, key) {
            fields.push((field, number(value)));
        }
    }
    fields
}
