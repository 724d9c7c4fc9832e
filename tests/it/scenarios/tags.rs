//! The memory in tags of the scalable targets: making it, and reading it for the transcript.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use setpoint::memory::{TagMemory, codec};
use setpoint::model::ids::{ResourceId, Scope, VariantId};
use setpoint::model::memory::VariantMemory;
use setpoint::ports::Memory;
use setpoint::sim::scenario::Settings;
use setpoint::sim::{Sim, SimClock};

/// A process that knows nothing but what the tags say.
pub(super) fn memory(sim: &Sim) -> Arc<dyn Memory> {
    let aws = crate::harness::aws(sim);
    Arc::new(TagMemory::new([aws], Arc::new(SimClock::self_driven(sim.clone()))))
}

fn scope() -> Scope {
    let Settings { account_id, region, .. } = Settings::default();
    Scope { account_id, region }
}

/// The scalable targets of the world, by ARN.
fn by_arn(state: &Value) -> BTreeMap<String, String> {
    let variants = state["variants"].as_array().into_iter().flatten();
    let pair = |variant: &Value| {
        let arn = variant["target_arn"].as_str()?.to_owned();
        Some((arn, variant["resource"].as_str()?.to_owned()))
    };
    variants.filter_map(pair).collect()
}

/// ARNs are random: "ARN" stands for that of the one target there is.
pub(super) fn with_arns(state: &Value, input: &str) -> String {
    let arn = by_arn(state).into_keys().next().unwrap_or_default();
    input.replace("\"ARN\"", &format!("\"{arn}\""))
}

/// `TagResource endpoint/e/variant/v generation 3 in 1 tag: adopted, 2 writes, last 700 -> 600`.
pub(super) fn write_line(state: &Value, write: &Value) -> String {
    let input = &write["input"];
    let arn = input["ResourceARN"].as_str().unwrap_or_default();
    let Some(resource) = by_arn(state).remove(arn) else { return "TagResource of nothing".into() };
    let tags: BTreeMap<String, String> = serde_json::from_value(input["Tags"].clone()).unwrap();
    let id = VariantId::new(&scope(), &resource.parse::<ResourceId>().unwrap());
    let mut line = match codec::decode(&id, &tags) {
        Ok(Some(found)) => format!(
            "TagResource {resource} generation {} in {} of 8 tags: {}",
            found.generation,
            tags.len(),
            words(&found.memory)
        ),
        other => format!("TagResource {resource}: no memory: {other:?}"),
    };
    if let Some(error) = write["error"].as_str() {
        let _ = write!(line, " ({error})");
    }
    line
}

fn words(memory: &VariantMemory) -> String {
    let mut words = Vec::new();
    words.extend(memory.since.map(|at| format!("since {}", at.format("%d %H:%M"))));
    words.extend(memory.adopted.then(|| "adopted".to_owned()));
    if let Some(intent) = &memory.intent {
        words.push(format!("about to set {:?} -> {}", intent.before, intent.after));
    }
    if let Some(last) = memory.last_write {
        words.push(format!("has set {:?} -> {}", last.before, last.after));
    }
    words.extend((!memory.writes.is_empty()).then(|| format!("{} writes", memory.writes.len())));
    words.extend(memory.highest_applied.map(|value| format!("has held {value}")));
    words.extend(memory.pause.as_ref().map(|pause| format!("paused: {}", pause.reason)));
    let overwrites: usize = memory.foreign_overwrites.values().map(Vec::len).sum();
    words.extend((overwrites > 0).then(|| format!("{overwrites} foreign overwrites")));
    words.join(", ")
}
