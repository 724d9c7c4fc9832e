//! CDK: constructs of `aws-cdk-lib` in TypeScript, one class for each account and region.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Item, commented, floors, quoted};
use crate::model::ids::Scope;
use crate::model::scaling::DIMENSION;

/// The role that AWS uses for SageMaker in any case: without it CDK makes one for each target.
const ROLE: &str = "    super(scope, id);
    const role = iam.Role.fromRoleArn(this, 'Role', Stack.of(this).formatArn({
      service: 'iam',
      region: '',
      resource: 'role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com',
      resourceName: 'AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint',
    }));
";

pub(super) fn write(scopes: &BTreeMap<Scope, Vec<Item<'_>>>) -> String {
    if scopes.is_empty() {
        return String::new();
    }
    let floors = scopes.values().flatten().any(|item| floors(item).next().is_some());
    let zone = if floors { ", TimeZone" } else { "" };
    let mut out = format!("import {{ Duration, Stack{zone} }} from 'aws-cdk-lib';\n");
    out.push_str(
        "import * as appscaling from 'aws-cdk-lib/aws-applicationautoscaling';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
",
    );
    for (scope, items) in scopes {
        // A stack lies in one account and region.
        let name = if scopes.len() > 1 {
            let region: String = scope.region.as_str().split('-').map(capital).collect();
            format!("SageMakerScaling{}{region}", scope.account_id)
        } else {
            "SageMakerScaling".to_owned()
        };
        let _ = writeln!(out, "\n/** The scaling of SageMaker variants of {scope}. */");
        let _ = writeln!(out, "export class {name} extends Construct {{");
        let _ = writeln!(out, "  constructor(scope: Construct, id: string) {{");
        out.push_str(ROLE);
        for item in items {
            out.push_str(&block(item));
        }
        out.push_str("  }\n}\n");
    }
    out
}

fn block(item: &Item<'_>) -> String {
    let (it, whole) = (item.it, item.whole);
    let id: String = item.words.iter().map(|word| capital(word)).collect();
    let (named, variable) = (floors(item).next().is_some(), variable(&id));
    let mut out = String::from("\n");
    for line in commented(item, "//").lines() {
        let _ = writeln!(out, "    {line}");
    }
    let _ = write!(
        out,
        r"    {made}new appscaling.ScalableTarget(this, '{id}', {{
      serviceNamespace: appscaling.ServiceNamespace.SAGEMAKER,
      resourceId: {resource},
      scalableDimension: '{DIMENSION}',
      minCapacity: {min},
      maxCapacity: {max},
      role,
    }}){then}.scaleToTrackMetric('Invocations', {{
      policyName: {policy},
      predefinedMetric: appscaling.PredefinedMetric.SAGEMAKER_VARIANT_INVOCATIONS_PER_INSTANCE,
      targetValue: {target},
      scaleOutCooldown: Duration.seconds({scale_out}),
      scaleInCooldown: Duration.seconds({scale_in}),
      disableScaleIn: {off},
    }});
",
        made = if named { format!("const {variable} = ") } else { String::new() },
        then = if named { format!(";\n    {variable}") } else { String::new() },
        resource = quoted(&it.resource_id),
        min = whole.min,
        max = whole.max,
        policy = quoted(&it.policy_name),
        target = whole.target_value,
        scale_out = it.scale_out_cooldown_seconds,
        scale_in = it.scale_in_cooldown_seconds,
        off = it.disable_scale_in,
    );
    for (zone, action) in floors(item) {
        let _ = write!(
            out,
            r"    {variable}.scaleOnSchedule({own}, {{
      schedule: appscaling.Schedule.expression({schedule}),
      timeZone: TimeZone.of({zone}),
      minCapacity: {min},
    }});
",
            own = quoted(&action.name),
            schedule = quoted(&action.schedule),
            zone = quoted(zone),
            min = action.min,
        );
    }
    out
}

/// `FraudAllTraffic` becomes `fraudAllTraffic`; a name may not begin with a digit.
fn variable(id: &str) -> String {
    let mut letters = id.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    let name: String = first.into_iter().chain(letters).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// `fraud` becomes `Fraud`.
pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
