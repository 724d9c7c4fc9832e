//! Commands of the aws CLI, for a POSIX shell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::cdk::capital;
use super::manifests::tracking;
use super::{Item, commented, floors};
use crate::model::ids::Scope;
use crate::model::scaling::DIMENSION;

pub(super) fn write(scopes: &BTreeMap<Scope, Vec<Item<'_>>>) -> String {
    let blocks = scopes.iter().flat_map(|(scope, items)| items.iter().map(|i| block(scope, i)));
    blocks.collect::<Vec<_>>().join("\n")
}

fn block(scope: &Scope, item: &Item<'_>) -> String {
    let common = format!(
        "--region {region} \\\n  --service-namespace sagemaker --scalable-dimension {DIMENSION} \
         \\\n  --resource-id {resource}",
        region = scope.region,
        resource = word(&item.it.resource_id)
    );
    let mut out = commented(item, "#");
    let _ = writeln!(
        out,
        "aws application-autoscaling register-scalable-target {common} \\\n  --min-capacity {} \
         --max-capacity {}",
        item.whole.min, item.whole.max
    );
    let _ = writeln!(
        out,
        "aws application-autoscaling put-scaling-policy {common} \\\n  --policy-name {} \
         --policy-type TargetTrackingScaling \\\n  \
         --target-tracking-scaling-policy-configuration {}",
        word(&item.it.policy_name),
        word(&tracking(item, capital).to_string())
    );
    for (zone, action) in floors(item) {
        let _ = writeln!(
            out,
            "aws application-autoscaling put-scheduled-action {common} \\\n  \
             --scheduled-action-name {} --schedule {} --timezone {} \\\n  \
             --scalable-target-action MinCapacity={}",
            word(&action.name),
            word(&action.schedule),
            word(zone),
            action.min
        );
    }
    out
}

/// One word of a shell, in single quotes where it needs them.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.:".contains(c);
    if text.chars().all(plain) && !text.is_empty() {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
