//! What goes wrong around a policy that no write of ours mends: named in the next pass, in `repair`
//! as in `observe`, and left alone.

use serde_json::{Value, json};
use setpoint::model::decision::FieldState;
use setpoint::model::goal::Mode;
use setpoint::model::reason::{Field, Reason};

use super::stage::{POLICY, Stage, VICTIM, policy};

struct Condition {
    name: &'static str,
    inject: fn(&Stage),
    reason: Reason,
    /// What the sentence says, so that a person can tell it from others of its kind.
    says: &'static str,
}

fn tracking(metric: &str) -> Value {
    json!({"PredefinedMetricSpecification": {"PredefinedMetricType": metric}, "TargetValue": 5.0})
}

fn step_policy() -> Value {
    json!({
        "PolicyName": "surge",
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        },
    })
}

/// Puts another endpoint config into force and waits until it is.
fn deploy(stage: &Stage, config: &str, variant: &Value, more: &Value) {
    let described = stage.sagemaker("DescribeEndpoint", &json!({"EndpointName": VICTIM}));
    let old = json!({"EndpointConfigName": described["EndpointConfigName"]});
    let mut own = stage.sagemaker("DescribeEndpointConfig", &old)["ProductionVariants"][0].clone();
    for (key, value) in variant.as_object().unwrap() {
        own[key] = value.clone();
    }
    let mut input = json!({"EndpointConfigName": config, "ProductionVariants": [own]});
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    stage.sagemaker("CreateEndpointConfig", &input);
    stage.sagemaker(
        "UpdateEndpoint",
        &json!({"EndpointName": VICTIM, "EndpointConfigName": config}),
    );
    stage.advance_minutes(20);
}

const CONDITIONS: &[Condition] = &[
    Condition {
        name: "a second target-tracking policy on another metric",
        inject: |stage| {
            let metric = "SageMakerVariantConcurrentRequestsPerModelHighResolution";
            stage.scaling("PutScalingPolicy", &policy("concurrency", &tracking(metric)));
        },
        reason: Reason::CompetingPolicy,
        says: "concurrency (target tracking of SageMakerVariantConcurrentRequestsPerModelHighResolution)",
    },
    Condition {
        name: "step scaling beside it",
        inject: |stage| stage.scaling("PutScalingPolicy", &step_policy()),
        reason: Reason::CompetingPolicy,
        says: "surge (step scaling)",
    },
    Condition {
        name: "requests a second as the target value",
        inject: |stage| {
            stage.scaling("PutScalingPolicy", &policy(POLICY, &json!({"TargetValue": 10.0})));
        },
        reason: Reason::RpsAsTarget,
        says: "10 looks like requests per second; target values are per minute, so it would be 600",
    },
    Condition {
        name: "an asynchronous endpoint with this policy",
        inject: |stage| {
            let output = json!({"OutputConfig": {"S3OutputPath": "s3://bucket/key"}});
            deploy(stage, "async", &json!({}), &json!({ "AsyncInferenceConfig": output }));
        },
        reason: Reason::UnsupportedKind,
        says: "asynchronous endpoints do not publish InvocationsPerInstance",
    },
    Condition {
        name: "a mix of instance types with this policy",
        inject: |stage| {
            let pools = json!([{"InstanceType": "ml.c5.xlarge"}, {"InstanceType": "ml.m5.xlarge"}]);
            deploy(stage, "pools", &json!({ "InstancePools": pools }), &json!({}));
        },
        reason: Reason::UnsupportedKind,
        says: "one target value has no meaning for a mix of instance types",
    },
    Condition {
        name: "several containers behind this policy",
        inject: |stage| {
            stage.sagemaker(
                "CreateModel",
                &json!({
                    "ModelName": "pipe", "Containers": [{"Image": "a"}, {"Image": "b"}],
                    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/r",
                }),
            );
            deploy(stage, "pipe", &json!({"ModelName": "pipe"}), &json!({}));
        },
        reason: Reason::UnsupportedKind,
        says: "several containers",
    },
    Condition {
        name: "many models behind this policy",
        inject: |stage| {
            stage.sagemaker(
                "CreateModel",
                &json!({
                    "ModelName": "many", "PrimaryContainer": {"Image": "a", "Mode": "MultiModel"},
                    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/r",
                }),
            );
            deploy(stage, "many", &json!({"ModelName": "many"}), &json!({}));
        },
        reason: Reason::UnsupportedKind,
        says: "many models in one container",
    },
    Condition {
        name: "a scheduled action",
        inject: |stage| {
            stage.scaling(
                "PutScheduledAction",
                &json!({
                    "ScheduledActionName": "quiet", "Schedule": "rate(5 minutes)",
                    "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 4},
                }),
            );
            stage.advance_minutes(6);
        },
        reason: Reason::ScheduledCapacity,
        says: "scheduled actions: quiet; next quiet at",
    },
];

#[test]
fn what_no_write_mends_is_named_at_once_and_left_alone() {
    for condition in CONDITIONS {
        let name = condition.name;
        let mut stage = Stage::embedded();
        let runtime = stage.runtime();
        runtime.block_on(async {
            stage.settle().await;
            assert!(
                !stage.conditions(VICTIM).contains(&condition.reason),
                "{name}: from the start"
            );
            (condition.inject)(&stage);
            for mode in [Mode::Observe, Mode::Repair] {
                let begun = stage.recorder.operations().len();
                stage.pass(mode, true).await;
                let notes = &stage.status(VICTIM).decision.report.notes;
                let told = notes.iter().find(|note| note.reason == condition.reason);
                let told = told.unwrap_or_else(|| panic!("{name}: {}", stage.told(VICTIM)));
                assert!(told.sentence.contains(condition.says), "{name}: {}", told.sentence);
                assert_eq!(stage.writes_since(begun), Vec::<String>::new(), "{name}");
            }
        });
    }
}

#[test]
fn min_and_max_as_an_action_sets_them_are_no_drift_and_others_are() {
    let mut stage = Stage::embedded();
    let runtime = stage.runtime();
    runtime.block_on(async {
        stage.settle().await;
        stage.scaling(
            "PutScheduledAction",
            &json!({
                "ScheduledActionName": "quiet", "Schedule": "rate(5 minutes)",
                "ScalableTargetAction": {"MaxCapacity": 4},
            }),
        );
        stage.advance_minutes(6);
        stage.pass(Mode::Repair, false).await;
        assert!(stage.differing(VICTIM).is_empty(), "{}", stage.told(VICTIM));
        let fields = &stage.status(VICTIM).decision.report.fields;
        let max = fields.iter().find(|field| field.field == Field::MaxCapacity).unwrap();
        assert_eq!(max.reason, Reason::ScheduledCapacity);
        assert!(max.sentence.contains("scheduled action quiet"), "{}", max.sentence);

        stage.scaling("RegisterScalableTarget", &json!({"MaxCapacity": 7}));
        let begun = stage.recorder.operations().len();
        stage.pass(Mode::Repair, false).await;
        let fields = &stage.status(VICTIM).decision.report.fields;
        let max = fields.iter().find(|field| field.field == Field::MaxCapacity).unwrap();
        assert_eq!((max.state, max.reason), (FieldState::Held, Reason::UnknownAction));
        assert!(stage.writes_since(begun).is_empty());
    });
}

#[test]
fn a_deploy_that_sets_the_count_back_is_told_at_once_with_both_counts() {
    let mut stage = Stage::embedded();
    let runtime = stage.runtime();
    runtime.block_on(async {
        // Five instances run when the deploy comes.
        stage.scaling("RegisterScalableTarget", &json!({"MinCapacity": 5}));
        stage.advance_minutes(20);
        stage.scaling("RegisterScalableTarget", &json!({"MinCapacity": 2}));
        stage.settle().await;
        let one = json!({"InitialInstanceCount": 2});
        deploy(&stage, "next", &one, &json!({}));
        stage.pass(Mode::Observe, false).await;
        let notes = &stage.status(VICTIM).decision.report.notes;
        let told = notes.iter().find(|note| note.reason == Reason::DeployReset);
        let told = told.unwrap_or_else(|| panic!("{}", stage.told(VICTIM)));
        assert!(told.sentence.contains("from 5 to 2"), "{}", told.sentence);
    });
}
