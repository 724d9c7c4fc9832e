//! What a file keeps about the scaling of variants, whatever tool it is for.

mod cloudformation;
mod document;
mod manifests;
mod schedule;
mod terraform;
mod values;

pub use schedule::ScheduledMin;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::scaling::DEFAULT_COOLDOWN_SECONDS;

/// What can be compared, with the names that outputs use.
pub(super) const TARGET_VALUE: &str = "target_value";
/// Seconds after a scale-out.
pub(super) const SCALE_OUT_COOLDOWN: &str = "scale_out_cooldown";
/// Seconds after a scale-in.
pub(super) const SCALE_IN_COOLDOWN: &str = "scale_in_cooldown";
pub(super) const DISABLE_SCALE_IN: &str = "disable_scale_in";
/// Fewest instances.
pub(super) const MIN_CAPACITY: &str = "min_capacity";
pub(super) const MAX_CAPACITY: &str = "max_capacity";
pub(super) const METRIC: &str = "metric";
/// Scheduled actions that set min.
pub(super) const FLOORS: &str = "floors";

/// What files can be read, for messages.
pub(super) const READ: &str = "the JSON of `terraform show -json`, a CloudFormation template in YAML or JSON, \
                        manifests of ACK or Crossplane, and YAML or JSON values that hold a resource id \
                        (endpoint/E/variant/V) or an endpoint and a variant next to the numbers";

/// One place of a file that says something about a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Where in the file.
    pub place: String,
    /// Application Auto Scaling's name of the variant; or why the file does not say it.
    pub resource_id: Shown<String>,
    /// The region, where the file says it.
    pub region: Option<String>,
    /// What it says.
    pub fields: Vec<(&'static str, Shown<Worth>)>,
    /// The scheduled actions that set min. A file that holds none keeps no schedule.
    pub floors: Vec<Shown<ScheduledMin>>,
}

/// A value, or why the file alone does not give it.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown<T> {
    /// It is there.
    Known(T),
    /// It follows from something that the file does not hold.
    Open(String),
}

/// A value that is compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Worth {
    Number(f64),
    /// Yes or no.
    Flag(bool),
    Word(String),
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unread(String);

/// Reads what a file keeps. It is recognised by its content.
///
/// # Errors
/// When it is neither JSON nor YAML, or says nothing of any variant.
pub fn read(text: &str) -> Result<Vec<Kept>, Unread> {
    let documents = document::documents(text)?;
    let mut kept = Vec::new();
    let manifests: Vec<&Value> = documents.iter().flat_map(manifests::objects).collect();
    if manifests.iter().any(|object| manifests::is_ours(object)) {
        kept = manifests::read(&manifests);
    } else {
        for (index, document) in documents.iter().enumerate() {
            let place =
                if documents.len() > 1 { format!("document {}", index + 1) } else { String::new() };
            kept.extend(if terraform::is_it(document) {
                terraform::read(document)
            } else if cloudformation::is_it(document) {
                cloudformation::read(document)
            } else {
                values::read(document, &place)
            });
        }
    }
    if kept.is_empty() {
        return Err(Unread(format!(
            "found no scalable target and no scaling policy of a SageMaker variant (read: {READ})"
        )));
    }
    Ok(schedule::together(kept))
}

/// The scaling of something else than a variant is none of ours.
fn is_variants(object: &Map<String, Value>) -> bool {
    let other = |name, own: &str| {
        get(object, name).and_then(Value::as_str).is_some_and(|found| found != own)
    };
    !other("servicenamespace", "sagemaker")
        && !other("scalabledimension", crate::model::scaling::DIMENSION)
}

/// A key in any of the spellings: `min_capacity`, `minCapacity`, `MinCapacity`.
fn get<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let plain = |key: &str| key.replace(['_', '-'], "").to_ascii_lowercase();
    object.iter().find(|(key, _)| plain(key) == name).map(|(_, v)| v).filter(|v| !v.is_null())
}

/// The first of a list, as Terraform has its blocks; anything else as it is.
fn block(value: &Value) -> Option<&Map<String, Value>> {
    value.as_array().map_or(Some(value), |list| list.first()).and_then(Value::as_object)
}

fn number(value: &Value) -> Shown<Worth> {
    match value {
        Value::Number(number) => {
            number.as_f64().map_or_else(|| open(value), |n| Shown::Known(Worth::Number(n)))
        }
        Value::String(text) => {
            let parsed = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
            parsed.map_or_else(|| open(value), |n| Shown::Known(Worth::Number(n)))
        }
        _ => open(value),
    }
}

fn flag(value: &Value) -> Shown<Worth> {
    match value {
        Value::Bool(flag) => Shown::Known(Worth::Flag(*flag)),
        Value::String(text) if text == "true" || text == "false" => {
            Shown::Known(Worth::Flag(text == "true"))
        }
        _ => open(value),
    }
}

fn word(value: &Value) -> Shown<Worth> {
    value.as_str().map_or_else(|| open(value), |text| Shown::Known(Worth::Word(text.to_owned())))
}

/// A text that is complete; a template's leftovers are not.
fn text(value: &Value) -> Shown<String> {
    match value.as_str() {
        Some(text) if !text.contains("${") && !text.contains("{{") => Shown::Known(text.to_owned()),
        _ => open(value),
    }
}

fn open<T>(value: &Value) -> Shown<T> {
    const SHOWN: usize = 80;
    let mut shown = value.to_string();
    if shown.chars().count() > SHOWN {
        shown = shown.chars().take(SHOWN).collect::<String>() + "…";
    }
    Shown::Open(format!("the file alone does not say it: {shown}"))
}

/// Min and max of a scalable target, as far as they are there.
fn bounds(object: &Map<String, Value>) -> Vec<(&'static str, Shown<Worth>)> {
    [(MIN_CAPACITY, "mincapacity"), (MAX_CAPACITY, "maxcapacity")]
        .into_iter()
        .filter_map(|(field, key)| Some((field, number(get(object, key)?))))
        .collect()
}

/// What a target-tracking configuration says. It replaces the whole one in AWS, so that what it does
/// not name is AWS's default.
fn tracking(config: &Map<String, Value>) -> Vec<(&'static str, Shown<Worth>)> {
    let cooldown = |name| {
        get(config, name)
            .map_or(Shown::Known(Worth::Number(f64::from(DEFAULT_COOLDOWN_SECONDS))), number)
    };
    let mut fields = Vec::new();
    if let Some(value) = get(config, "targetvalue") {
        fields.push((TARGET_VALUE, number(value)));
    }
    fields.push((SCALE_OUT_COOLDOWN, cooldown("scaleoutcooldown")));
    fields.push((SCALE_IN_COOLDOWN, cooldown("scaleincooldown")));
    let off = get(config, "disablescalein").map_or(Shown::Known(Worth::Flag(false)), flag);
    fields.push((DISABLE_SCALE_IN, off));
    let metric = get(config, "predefinedmetricspecification")
        .and_then(block)
        .and_then(|metric| get(metric, "predefinedmetrictype"));
    if let Some(metric) = metric {
        fields.push((METRIC, word(metric)));
    } else if get(config, "customizedmetricspecification").is_some() {
        fields.push((METRIC, Shown::Known(Worth::Word("a customized metric".to_owned()))));
    }
    fields
}

/// The target-tracking configuration of a policy.
fn tracking_of(policy: &Map<String, Value>) -> Option<&Map<String, Value>> {
    get(policy, "targettrackingscalingpolicyconfiguration").and_then(block)
}
