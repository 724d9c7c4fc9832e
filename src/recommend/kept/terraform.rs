//! Terraform: the JSON of a plan or a state (`terraform show -json`), whose format is documented.

use serde_json::{Map, Value};

use super::{Kept, Shown, bounds, get, is_variants, schedule, text, tracking, tracking_of};

/// Terraform's own words.
const LATER: &str = "known after apply";
/// Modules do not lie deeper in one another in any configuration that people write.
const MAX_DEPTH: usize = 64;

pub(super) fn is_it(document: &Value) -> bool {
    document.get("format_version").is_some()
        && (document.get("planned_values").is_some() || document.get("values").is_some())
}

/// What will be kept once the plan is applied; of a state, what is.
pub(super) fn read(document: &Value) -> Vec<Kept> {
    let values = document.get("planned_values").or_else(|| document.get("values"));
    let mut kept = Vec::new();
    if let Some(root) = values.and_then(|values| values.get("root_module")) {
        module(root, document, 0, &mut kept);
    }
    kept
}

fn module(module_value: &Value, document: &Value, depth: usize, kept: &mut Vec<Kept>) {
    let each = |key| module_value.get(key).and_then(Value::as_array).into_iter().flatten();
    kept.extend(each("resources").filter_map(|resource| self::resource(resource, document)));
    if depth < MAX_DEPTH {
        for child in each("child_modules") {
            module(child, document, depth + 1, kept);
        }
    }
}

fn resource(resource: &Value, document: &Value) -> Option<Kept> {
    if resource.get("mode")?.as_str()? != "managed" {
        return None;
    }
    let (address, values) =
        (resource.get("address")?.as_str()?, resource.get("values")?.as_object()?);
    if !is_variants(values) {
        return None;
    }
    let unknown = after_unknown(document, address);
    let open = |field: &str| unknown.and_then(|u| u.get(field)).is_some_and(contains_true);
    let mut floors = Vec::new();
    let mut fields = match resource.get("type")?.as_str()? {
        "aws_appautoscaling_target" => bounds(values),
        "aws_appautoscaling_policy" => tracking_of(values).map(tracking)?,
        "aws_appautoscaling_scheduled_action" => {
            let later = ["schedule", "timezone", "scalable_target_action"].into_iter().any(open);
            let action = schedule::action(values);
            floors.push(if later { Shown::Open(LATER.to_owned()) } else { action? });
            Vec::new()
        }
        _ => return None,
    };
    for (field, shown) in &mut fields {
        let nested = unknown.and_then(tracking_of).and_then(|config| config.get(*field));
        if open(field) || nested.is_some_and(contains_true) {
            *shown = Shown::Open(LATER.to_owned());
        }
    }
    let resource_id = match get(values, "resourceid") {
        Some(id) => text(id),
        None => Shown::Open(LATER.to_owned()),
    };
    if let Shown::Known(id) = &resource_id
        && !id.starts_with("endpoint/")
    {
        return None;
    }
    // Since version 6 of the provider each resource may have a region of its own.
    let region = values.get("region").and_then(Value::as_str).map(str::to_owned);
    Some(Kept { place: address.to_owned(), resource_id, region, fields, floors })
}

/// What of a resource is known only after apply.
fn after_unknown<'a>(document: &'a Value, address: &str) -> Option<&'a Map<String, Value>> {
    let changes = document.get("resource_changes")?.as_array()?;
    let own = changes.iter().find(|change| change.get("address").is_some_and(|a| a == address))?;
    own.get("change")?.get("after_unknown")?.as_object()
}

fn contains_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Array(items) => items.iter().any(contains_true),
        Value::Object(map) => map.values().any(contains_true),
        _ => false,
    }
}
