//! What is kept as YAML: a CloudFormation template, and manifests of ACK and Crossplane.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cdk::capital;
use super::{Item, commented, floors};
use crate::model::ids::Scope;
use crate::model::scaling::{DIMENSION, INVOCATIONS_PER_INSTANCE};

/// One template for each account and region: a stack lies in one.
pub(super) fn cloudformation(scopes: &BTreeMap<Scope, Vec<Item<'_>>>) -> String {
    let template = |(scope, items): (&Scope, &Vec<Item<'_>>)| {
        let mut resources = serde_json::Map::new();
        let mut comments = String::new();
        for item in items {
            comments.push_str(&commented(item, "#"));
            let id: String = item.words.iter().map(|word| capital(word)).collect();
            let mut target = json!({
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ServiceNamespace": "sagemaker",
                    "ResourceId": item.it.resource_id,
                    "ScalableDimension": DIMENSION,
                    "MinCapacity": item.whole.min,
                    "MaxCapacity": item.whole.max,
                },
            });
            let scheduled: Vec<Value> = floors(item)
                .map(|(zone, action)| {
                    json!({
                        "ScheduledActionName": action.name,
                        "Schedule": action.schedule,
                        "Timezone": zone,
                        "ScalableTargetAction": {"MinCapacity": action.min},
                    })
                })
                .collect();
            if !scheduled.is_empty() {
                target["Properties"]["ScheduledActions"] = scheduled.into();
            }
            let policy = json!({
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": item.it.policy_name,
                    "PolicyType": "TargetTrackingScaling",
                    "ScalingTargetId": {"Ref": format!("{id}Target")},
                    "TargetTrackingScalingPolicyConfiguration": tracking(item, capital),
                },
            });
            resources.insert(format!("{id}Target"), target);
            resources.insert(format!("{id}Policy"), policy);
        }
        let template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": format!("Scaling of SageMaker variants of {scope}"),
            "Resources": resources,
        });
        format!("{comments}{}", yaml(&template))
    };
    scopes.iter().map(template).collect::<Vec<_>>().join("---\n")
}

/// `applicationautoscaling.services.k8s.aws/v1alpha1`.
pub(super) fn ack(scopes: &BTreeMap<Scope, Vec<Item<'_>>>) -> String {
    let text = ack_documents(scopes);
    let scheduled = scopes.values().flatten().any(|item| floors(item).next().is_some());
    if scheduled {
        // ACK has no kind for them.
        let mut all =
            "# ACK has no scheduled actions: the floors can be kept with the aws CLI.\n".to_owned();
        all.push_str(&text);
        return all;
    }
    text
}

fn ack_documents(scopes: &BTreeMap<Scope, Vec<Item<'_>>>) -> String {
    documents(scopes, |scope, item| {
        let api = "applicationautoscaling.services.k8s.aws/v1alpha1";
        let name = item.words.join("-").to_ascii_lowercase();
        let metadata = json!({
            "name": name,
            "annotations": {"services.k8s.aws/region": scope.region},
        });
        let target = json!({
            "apiVersion": api,
            "kind": "ScalableTarget",
            "metadata": metadata,
            "spec": {
                "serviceNamespace": "sagemaker",
                "resourceID": item.it.resource_id,
                "scalableDimension": DIMENSION,
                "minCapacity": item.whole.min,
                "maxCapacity": item.whole.max,
            },
        });
        let policy = json!({
            "apiVersion": api,
            "kind": "ScalingPolicy",
            "metadata": metadata,
            "spec": {
                "policyName": item.it.policy_name,
                "policyType": "TargetTrackingScaling",
                "serviceNamespace": "sagemaker",
                "resourceID": item.it.resource_id,
                "scalableDimension": DIMENSION,
                "targetTrackingScalingPolicyConfiguration": tracking(item, lower),
            },
        });
        vec![target, policy]
    })
}

/// `appautoscaling.aws.upbound.io`: `Target` of `v1beta1`, `Policy` of `v1beta2`.
pub(super) fn crossplane(scopes: &BTreeMap<Scope, Vec<Item<'_>>>) -> String {
    documents(scopes, |scope, item| {
        let name = item.words.join("-").to_ascii_lowercase();
        let target = json!({
            "apiVersion": "appautoscaling.aws.upbound.io/v1beta1",
            "kind": "Target",
            "metadata": {"name": name},
            "spec": {"forProvider": {
                "region": scope.region,
                "serviceNamespace": "sagemaker",
                "resourceId": item.it.resource_id,
                "scalableDimension": DIMENSION,
                "minCapacity": item.whole.min,
                "maxCapacity": item.whole.max,
            }},
        });
        // The external name of a policy is its name in AWS.
        let policy = json!({
            "apiVersion": "appautoscaling.aws.upbound.io/v1beta2",
            "kind": "Policy",
            "metadata": {
                "name": name,
                "annotations": {"crossplane.io/external-name": item.it.policy_name},
            },
            "spec": {"forProvider": {
                "region": scope.region,
                "policyType": "TargetTrackingScaling",
                "serviceNamespaceRef": {"name": name},
                "resourceIdRef": {"name": name},
                "scalableDimensionRef": {"name": name},
                "targetTrackingScalingPolicyConfiguration": tracking(item, lower),
            }},
        });
        let mut all = vec![target, policy];
        for (zone, action) in floors(item) {
            all.push(json!({
                "apiVersion": "appautoscaling.aws.upbound.io/v1beta2",
                "kind": "ScheduledAction",
                "metadata": {
                    "name": format!("{name}-{}", action.name),
                    "annotations": {"crossplane.io/external-name": action.name},
                },
                "spec": {"forProvider": {
                    "region": scope.region,
                    "name": action.name,
                    "serviceNamespaceRef": {"name": name},
                    "resourceIdRef": {"name": name},
                    "scalableDimensionRef": {"name": name},
                    "schedule": action.schedule,
                    "timezone": zone,
                    "scalableTargetAction": {"minCapacity": action.min.to_string()},
                }},
            }));
        }
        all
    })
}

fn documents(
    scopes: &BTreeMap<Scope, Vec<Item<'_>>>,
    of: impl Fn(&Scope, &Item<'_>) -> Vec<Value>,
) -> String {
    let mut all = Vec::new();
    for (scope, items) in scopes {
        for item in items {
            let mut comment = commented(item, "#");
            for document in of(scope, item) {
                all.push(format!("{}{}", std::mem::take(&mut comment), yaml(&document)));
            }
        }
    }
    all.join("---\n")
}

/// A target-tracking configuration, with keys in the language's own spelling.
pub(super) fn tracking(item: &Item<'_>, spell: impl Fn(&str) -> String) -> Value {
    let metric = json!({spell("predefinedMetricType"): INVOCATIONS_PER_INSTANCE});
    json!({
        spell("targetValue"): number(item.whole.target_value),
        spell("predefinedMetricSpecification"): metric,
        spell("scaleOutCooldown"): item.it.scale_out_cooldown_seconds,
        spell("scaleInCooldown"): item.it.scale_in_cooldown_seconds,
        spell("disableScaleIn"): item.it.disable_scale_in,
    })
}

/// 600 and not 600.0.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value < 1e15 { json!(value as i64) } else { json!(value) }
}

fn lower(word: &str) -> String {
    word.to_owned()
}

fn yaml(value: &Value) -> String {
    let text = serde_saphyr::to_string(value).unwrap_or_else(|_| format!("{value:#}"));
    format!("{}\n", text.trim_end())
}
