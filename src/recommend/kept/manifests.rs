//! Kubernetes manifests: ACK (`applicationautoscaling.services.k8s.aws`) and Crossplane
//! (`appautoscaling.aws.upbound.io`, and its namespaced `appautoscaling.aws.m.upbound.io`).

use serde_json::{Map, Value};

use super::{Kept, Shown, bounds, get, is_variants, schedule, text, tracking, tracking_of};

const ACK: &str = "applicationautoscaling.services.k8s.aws";
const CROSSPLANE: [&str; 2] = ["appautoscaling.aws.upbound.io", "appautoscaling.aws.m.upbound.io"];

/// The objects of a document: itself, or the items of a `List`.
pub(super) fn objects(document: &Value) -> Vec<&Value> {
    let is_list = document.get("kind").and_then(Value::as_str) == Some("List");
    match document.get("items").and_then(Value::as_array).filter(|_| is_list) {
        Some(items) => items.iter().collect(),
        None => vec![document],
    }
}

fn group(object: &Value) -> &str {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    version.split('/').next().unwrap_or_default()
}

/// Whether it is about scaling; of other groups nothing is read.
pub(super) fn is_ours(object: &Value) -> bool {
    group(object) == ACK || CROSSPLANE.contains(&group(object))
}

pub(super) fn read(objects: &[&Value]) -> Vec<Kept> {
    objects.iter().filter(|o| is_ours(o)).filter_map(|object| kept(object, objects)).collect()
}

fn kept(object: &Value, all: &[&Value]) -> Option<Kept> {
    let own = body(object)?;
    let kind = object.get("kind")?.as_str()?;
    let mut floors = Vec::new();
    let fields = match kind {
        "ScalableTarget" | "Target" => bounds(own),
        "ScalingPolicy" | "Policy" => tracking(tracking_of(own)?),
        "ScheduledAction" => {
            floors.push(schedule::action(own)?);
            Vec::new()
        }
        _ => return None,
    };
    if !is_variants(own) {
        return None;
    }
    let resource_id = match get(own, "resourceid") {
        Some(id) => text(id),
        None => referenced(own, all).map_or_else(
            || Shown::Open("it refers to a Target that is not in the file".to_owned()),
            text,
        ),
    };
    if matches!(&resource_id, Shown::Known(id) if !id.starts_with("endpoint/")) {
        return None;
    }
    let metadata = object.get("metadata");
    let name = metadata.and_then(|m| m.get("name")).and_then(Value::as_str).unwrap_or("?");
    let annotated = metadata
        .and_then(|m| m.get("annotations"))
        .and_then(|annotations| annotations.get("services.k8s.aws/region"));
    let region = get(own, "region").or(annotated).and_then(Value::as_str).map(str::to_owned);
    Some(Kept { place: format!("{kind} {name}"), resource_id, region, fields, floors })
}

/// What the object asks of AWS.
fn body(object: &Value) -> Option<&Map<String, Value>> {
    let spec = object.get("spec")?;
    if group(object) == ACK { spec.as_object() } else { spec.get("forProvider")?.as_object() }
}

/// The resource id of the Target that a Policy refers to by name or labels.
fn referenced<'a>(own: &Map<String, Value>, all: &[&'a Value]) -> Option<&'a Value> {
    let name = own.get("resourceIdRef").and_then(|r| r.get("name"));
    let labels = own
        .get("resourceIdSelector")
        .and_then(|selector| selector.get("matchLabels"))
        .and_then(Value::as_object);
    let fits = |object: &&&Value| {
        let metadata = object.get("metadata");
        let is_named = name.is_some() && metadata.and_then(|m| m.get("name")) == name;
        let has = metadata.and_then(|m| m.get("labels"));
        let is_labelled = labels.is_some_and(|labels| {
            labels.iter().all(|(key, value)| has.and_then(|has| has.get(key)) == Some(value))
        });
        object.get("kind").is_some_and(|kind| kind == "Target") && (is_named || is_labelled)
    };
    let mut found = all.iter().filter(fits);
    let (first, second) = (found.next()?, found.next());
    second.is_none().then_some(())?;
    get(body(first)?, "resourceid")
}
