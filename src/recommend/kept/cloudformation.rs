//! CloudFormation templates, those that CDK synthesizes included. Functions are worked out as far as
//! the template alone allows: parameters by their defaults.

use serde_json::{Map, Value, json};

use super::{Kept, Shown, bounds, get, is_variants, schedule, text, tracking, tracking_of};

/// Functions within functions within functions.
const MAX_DEPTH: usize = 32;

pub(super) fn is_it(document: &Value) -> bool {
    let resources = document.get("Resources").and_then(Value::as_object);
    resources.is_some_and(|all| all.values().any(|one| one.get("Type").is_some()))
}

pub(super) fn read(document: &Value) -> Vec<Kept> {
    let Some(resources) = document.get("Resources").and_then(Value::as_object) else {
        return Vec::new();
    };
    let of_type = |name: &'static str| {
        resources.iter().filter(move |(_, one)| one.get("Type").is_some_and(|t| t == name))
    };
    let targets = of_type("AWS::ApplicationAutoScaling::ScalableTarget");
    let policies = of_type("AWS::ApplicationAutoScaling::ScalingPolicy");
    let targets = targets.filter_map(|(name, one)| {
        let properties = properties(document, one)?;
        let resource_id = resource_id(&properties)?;
        let floors = get(&properties, "scheduledactions").map(schedule::actions);
        let fields = bounds(&properties);
        let kept = Kept { floors: floors.unwrap_or_default(), ..kept(name, resource_id, fields) };
        Some(kept).filter(|_| is_variants(&properties))
    });
    let policies = policies.filter_map(|(name, one)| {
        let own = properties(document, one)?;
        let fields = tracking(tracking_of(&own)?);
        let target = own
            .get("ScalingTargetId")
            .or_else(|| one.get("Properties")?.get("ScalingTargetId"))
            .and_then(|id| id.get("Ref"))
            .and_then(Value::as_str)
            .and_then(|name| resources.get(name))
            .and_then(|target| properties(document, target));
        let of = target.as_ref().unwrap_or(&own);
        Some(kept(name, resource_id(of)?, fields)).filter(|_| is_variants(of))
    });
    targets.chain(policies).collect()
}

fn kept(
    name: &str,
    resource_id: Shown<String>,
    fields: Vec<(&'static str, Shown<super::Worth>)>,
) -> Kept {
    Kept {
        place: format!("Resources.{name}"),
        resource_id,
        region: None,
        fields,
        floors: Vec::new(),
    }
}

/// None for what is not a variant's.
fn resource_id(properties: &Map<String, Value>) -> Option<Shown<String>> {
    let Some(id) = get(properties, "resourceid") else {
        let why = "ScalingTargetId does not name a scalable target of this template";
        return Some(Shown::Open(why.to_owned()));
    };
    match text(id) {
        Shown::Known(id) if !id.starts_with("endpoint/") => None,
        shown => Some(shown),
    }
}

fn properties(document: &Value, resource: &Value) -> Option<Map<String, Value>> {
    match resolve(document, resource.get("Properties")?, 0) {
        Value::Object(properties) => Some(properties),
        _ => None,
    }
}

/// The value with its functions worked out; what cannot be is left as it is.
fn resolve(document: &Value, value: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return value.clone();
    }
    let deeper = |value: &Value| resolve(document, value, depth + 1);
    match value {
        Value::Array(items) => items.iter().map(deeper).collect(),
        Value::Object(map) => {
            if let (1, Some((name, argument))) = (map.len(), map.iter().next())
                && let Some(known) = function(document, name, argument, depth)
            {
                return known;
            }
            map.iter().map(|(key, value)| (key.clone(), deeper(value))).collect()
        }
        plain => plain.clone(),
    }
}

fn function(document: &Value, name: &str, argument: &Value, depth: usize) -> Option<Value> {
    match name {
        "Ref" => reference(document, argument.as_str()?, depth),
        "Fn::GetAtt" => {
            let parts: Vec<&str> = match argument {
                Value::String(text) => text.split('.').collect(),
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                _ => return None,
            };
            let [resource, attribute] = parts[..] else { return None };
            attribute_of(document, resource, attribute, depth)
        }
        "Fn::Join" => {
            let [separator, items] = argument.as_array()?.as_slice() else { return None };
            let items = items.as_array()?.iter().map(|item| {
                let item = resolve(document, item, depth + 1);
                item.as_str().map(str::to_owned)
            });
            Some(items.collect::<Option<Vec<_>>>()?.join(separator.as_str()?).into())
        }
        "Fn::Sub" => {
            let (template, own) = match argument {
                Value::String(text) => (text.as_str(), None),
                Value::Array(items) => (items.first()?.as_str()?, items.get(1)?.as_object()),
                _ => return None,
            };
            substitute(document, template, own, depth)
        }
        _ => None,
    }
}

/// A parameter's default. What a resource's `Ref` gives is AWS's to say.
fn reference(document: &Value, name: &str, depth: usize) -> Option<Value> {
    let default = document.get("Parameters")?.get(name)?.get("Default")?;
    Some(resolve(document, default, depth + 1))
}

/// A name that the template itself gives a resource.
fn attribute_of(document: &Value, resource: &str, attribute: &str, depth: usize) -> Option<Value> {
    let one = document.get("Resources")?.get(resource)?;
    let own = match (one.get("Type")?.as_str()?, attribute) {
        ("AWS::SageMaker::Endpoint", "EndpointName") => {
            one.get("Properties")?.get("EndpointName")?
        }
        _ => return None,
    };
    Some(resolve(document, own, depth + 1)).filter(Value::is_string)
}

fn substitute(
    document: &Value,
    template: &str,
    own: Option<&Map<String, Value>>,
    depth: usize,
) -> Option<Value> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}')?;
        out.push_str(before);
        rest = after;
        let value = match (name.strip_prefix('!'), own.and_then(|own| own.get(name))) {
            (Some(literal), _) => json!(format!("${{{literal}}}")),
            (None, Some(value)) => resolve(document, value, depth + 1),
            (None, None) => match name.split_once('.') {
                Some((resource, attribute)) => attribute_of(document, resource, attribute, depth)?,
                None => reference(document, name, depth)?,
            },
        };
        match value {
            Value::String(text) => out.push_str(&text),
            Value::Number(number) => out.push_str(&number.to_string()),
            _ => return None,
        }
    }
    out.push_str(rest);
    Some(out.into())
}
