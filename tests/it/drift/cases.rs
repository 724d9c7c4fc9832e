//! The drifts of fields, and how they end.

use serde_json::json;
use setpoint::model::reason::Field;

use super::stage::{POLICY, Stage, VICTIM, policy};

/// One drift.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What a person does.
    pub(super) inject: fn(&Stage),
    /// The fields that differ afterwards.
    pub(super) fields: &'static [Field],
    /// Whether it is a change in the safe direction, which is left alone for a while.
    pub(super) grace: bool,
    /// Passes with a write.
    pub(super) steps: usize,
    pub(super) minutes_between_steps: u32,
    /// What setpoint sends in all.
    pub(super) writes: &'static [&'static str],
    /// Why moto cannot hold it.
    pub(super) not_on_moto: Option<&'static str>,
}

const PUT: &[&str] = &["PutScalingPolicy"];
const REGISTER: &[&str] = &["RegisterScalableTarget"];

const CASE: Case = Case {
    name: "",
    inject: |_| {},
    fields: &[],
    grace: false,
    steps: 1,
    minutes_between_steps: 1,
    writes: PUT,
    not_on_moto: None,
};

const RAISES_WAIT: Option<&str> = Some("raises wait for telemetry, which it cannot give");
const NO_TIME: Option<&str> = Some("the grace of four hours needs a virtual clock");
const NO_ALARMS: Option<&str> = Some("it makes no alarms for SageMaker policies");

fn edit(stage: &Stage, change: &serde_json::Value) {
    stage.scaling("PutScalingPolicy", &policy(POLICY, change));
}

pub(super) const CASES: &[Case] = &[
    Case {
        name: "target value raised",
        inject: |stage| edit(stage, &json!({"TargetValue": 700.0})),
        fields: &[Field::TargetValue],
        ..CASE
    },
    Case {
        name: "target value raised far",
        inject: |stage| edit(stage, &json!({"TargetValue": 1200.0})),
        fields: &[Field::TargetValue],
        // A foreign edit is undone at once, whatever the distance.
        ..CASE
    },
    Case {
        name: "target value lowered",
        inject: |stage| edit(stage, &json!({"TargetValue": 500.0})),
        fields: &[Field::TargetValue],
        grace: true,
        not_on_moto: RAISES_WAIT,
        ..CASE
    },
    Case {
        name: "metric replaced",
        inject: |stage| {
            let metric = "SageMakerVariantConcurrentRequestsPerModelHighResolution";
            let specification = json!({ "PredefinedMetricType": metric });
            edit(
                stage,
                &json!({"TargetValue": 5.0, "PredefinedMetricSpecification": specification}),
            );
        },
        fields: &[Field::MetricSpecification],
        ..CASE
    },
    Case {
        name: "scale-out cooldown",
        inject: |stage| edit(stage, &json!({"ScaleOutCooldown": 600})),
        fields: &[Field::ScaleOutCooldown],
        ..CASE
    },
    Case {
        name: "scale-in cooldown",
        inject: |stage| edit(stage, &json!({"ScaleInCooldown": 0})),
        fields: &[Field::ScaleInCooldown],
        ..CASE
    },
    Case {
        name: "scale-out cooldown left out, which is AWS's default of 300",
        inject: |stage| edit(stage, &json!({"ScaleOutCooldown": null})),
        fields: &[Field::ScaleOutCooldown],
        ..CASE
    },
    Case {
        name: "scale-in disabled",
        inject: |stage| edit(stage, &json!({"DisableScaleIn": true})),
        fields: &[Field::DisableScaleIn],
        grace: true,
        not_on_moto: NO_TIME,
        ..CASE
    },
    Case {
        name: "min lowered",
        inject: |stage| stage.scaling("RegisterScalableTarget", &json!({"MinCapacity": 1})),
        fields: &[Field::MinCapacity],
        writes: REGISTER,
        ..CASE
    },
    Case {
        name: "max lowered",
        inject: |stage| stage.scaling("RegisterScalableTarget", &json!({"MaxCapacity": 4})),
        fields: &[Field::MaxCapacity],
        writes: REGISTER,
        ..CASE
    },
    Case {
        name: "max raised",
        inject: |stage| stage.scaling("RegisterScalableTarget", &json!({"MaxCapacity": 40})),
        fields: &[Field::MaxCapacity],
        grace: true,
        writes: REGISTER,
        not_on_moto: NO_TIME,
        ..CASE
    },
    Case {
        name: "several fields at once",
        inject: |stage| {
            edit(stage, &json!({"TargetValue": 650.0, "ScaleInCooldown": 900}));
            stage.scaling("RegisterScalableTarget", &json!({"MinCapacity": 1, "MaxCapacity": 3}));
        },
        fields: &[
            Field::MinCapacity,
            Field::MaxCapacity,
            Field::TargetValue,
            Field::ScaleInCooldown,
        ],
        writes: &["RegisterScalableTarget", "PutScalingPolicy"],
        ..CASE
    },
    Case {
        name: "scaling suspended",
        inject: |stage| {
            let suspended = json!({"DynamicScalingInSuspended": true});
            stage.scaling("RegisterScalableTarget", &json!({ "SuspendedState": suspended }));
        },
        fields: &[Field::Suspended],
        writes: REGISTER,
        ..CASE
    },
    Case {
        name: "policy deleted",
        inject: |stage| stage.scaling("DeleteScalingPolicy", &json!({ "PolicyName": POLICY })),
        fields: &[Field::Policy],
        ..CASE
    },
    Case {
        name: "policy renamed",
        inject: |stage| {
            stage.scaling("DeleteScalingPolicy", &json!({ "PolicyName": POLICY }));
            stage.scaling("PutScalingPolicy", &policy("by-hand", &json!({})));
        },
        fields: &[Field::PolicyName],
        // The new name is kept, which takes no write.
        writes: &[],
        ..CASE
    },
    Case {
        name: "target deregistered",
        inject: |stage| stage.scaling("DeregisterScalableTarget", &json!({})),
        fields: &[Field::ScalableTarget, Field::Policy],
        writes: &["RegisterScalableTarget", "PutScalingPolicy"],
        not_on_moto: Some("its policies survive deregistration"),
        ..CASE
    },
    Case {
        name: "endpoint deleted and made again",
        inject: |stage| {
            let described = stage.sagemaker("DescribeEndpoint", &json!({"EndpointName": VICTIM}));
            stage.sagemaker("DeleteEndpoint", &json!({"EndpointName": VICTIM}));
            stage.advance_minutes(10);
            stage.sagemaker(
                "CreateEndpoint",
                &json!({"EndpointName": VICTIM, "EndpointConfigName": described["EndpointConfigName"]}),
            );
            stage.advance_minutes(10);
        },
        fields: &[Field::ScalableTarget, Field::Policy],
        writes: &["RegisterScalableTarget", "PutScalingPolicy"],
        not_on_moto: Some("deleting an endpoint leaves its scalable target there"),
        ..CASE
    },
    Case {
        name: "an alarm deleted",
        inject: |stage| stage.alarm("DeleteAlarms", "High", &json!({})),
        fields: &[Field::Alarms],
        not_on_moto: NO_ALARMS,
        ..CASE
    },
    Case {
        name: "an alarm's actions disabled",
        inject: |stage| stage.alarm("DisableAlarmActions", "Low", &json!({})),
        fields: &[Field::Alarms],
        not_on_moto: NO_ALARMS,
        ..CASE
    },
    Case {
        name: "an alarm's threshold edited",
        inject: |stage| stage.alarm("PutMetricAlarm", "High", &json!({"Threshold": 6000.0})),
        fields: &[Field::Alarms],
        not_on_moto: NO_ALARMS,
        ..CASE
    },
];
