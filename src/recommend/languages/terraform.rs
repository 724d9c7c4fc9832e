//! Terraform: resources of the provider `hashicorp/aws`, in HCL.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Item, commented, floors, quoted};
use crate::model::ids::Scope;
use crate::model::scaling::{DIMENSION, INVOCATIONS_PER_INSTANCE};

pub(super) fn write(scopes: &BTreeMap<Scope, Vec<Item<'_>>>) -> String {
    let mut blocks = Vec::new();
    for (scope, items) in scopes {
        if scopes.len() > 1 {
            blocks.push(format!("# For the provider of {scope}.\n"));
        }
        blocks.extend(items.iter().map(block));
    }
    blocks.join("\n")
}

fn block(item: &Item<'_>) -> String {
    let (it, whole) = (item.it, item.whole);
    // A name may not begin with a digit.
    let mut name = item.words.join("_").to_ascii_lowercase();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let mut out = commented(item, "#");
    let _ = write!(
        out,
        r#"resource "aws_appautoscaling_target" "{name}" {{
  service_namespace  = "sagemaker"
  resource_id        = {resource}
  scalable_dimension = "{DIMENSION}"
  min_capacity       = {min}
  max_capacity       = {max}
}}

resource "aws_appautoscaling_policy" "{name}" {{
  name               = {policy}
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.{name}.service_namespace
  resource_id        = aws_appautoscaling_target.{name}.resource_id
  scalable_dimension = aws_appautoscaling_target.{name}.scalable_dimension

  target_tracking_scaling_policy_configuration {{
    target_value       = {target}
    scale_out_cooldown = {scale_out}
    scale_in_cooldown  = {scale_in}
    disable_scale_in   = {off}

    predefined_metric_specification {{
      predefined_metric_type = "{INVOCATIONS_PER_INSTANCE}"
    }}
  }}
}}
"#,
        resource = quoted(&it.resource_id),
        min = whole.min,
        max = whole.max,
        policy = literal(&it.policy_name),
        target = whole.target_value,
        scale_out = it.scale_out_cooldown_seconds,
        scale_in = it.scale_in_cooldown_seconds,
        off = it.disable_scale_in,
    );
    for (zone, action) in floors(item) {
        let _ = write!(
            out,
            r#"
resource "aws_appautoscaling_scheduled_action" "{name}_{suffix}" {{
  name               = {own}
  service_namespace  = aws_appautoscaling_target.{name}.service_namespace
  resource_id        = aws_appautoscaling_target.{name}.resource_id
  scalable_dimension = aws_appautoscaling_target.{name}.scalable_dimension
  schedule           = {schedule}
  timezone           = {zone}

  scalable_target_action {{
    min_capacity = {min}
  }}
}}
"#,
            suffix = action.name.replace('-', "_"),
            own = literal(&action.name),
            schedule = literal(&action.schedule),
            zone = literal(zone),
            min = action.min,
        );
    }
    out
}

/// A text that HCL takes as it is: `${` and `%{` would begin a template.
fn literal(text: &str) -> String {
    quoted(text).replace("${", "$${").replace("%{", "%%{")
}
