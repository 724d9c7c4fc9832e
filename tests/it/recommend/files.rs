//! `--check`: what files of each tool keep, compared.

use std::fmt::Write as _;

use setpoint::recommend::{Checked, Recommendation, State, check, check_text, read};

use crate::fixtures::in_sync;

/// Recommended: 612, 1 to 20 instances, cooldowns of 60 and 300 s.
fn fleet() -> Vec<Recommendation> {
    ["fraud-scorer", "search-ranker"].map(|name| Recommendation::of(&in_sync(name))).to_vec()
}

fn checked(text: &str) -> Checked {
    check(&read(text).unwrap(), &fleet(), |_| true, false)
}

fn states(checked: &Checked) -> Vec<(&'static str, State)> {
    let rows = checked.places.iter().flat_map(|place| &place.fields);
    rows.filter(|row| row.state != State::Agrees).map(|row| (row.field, row.state)).collect()
}

const PLAN: &str = include_str!("../../recommend/plan.json");
const TEMPLATE: &str = include_str!("../../recommend/template.yaml");

#[test]
fn a_terraform_plan_is_compared_resource_by_resource() {
    let found = checked(PLAN);
    let places: Vec<&str> = found.places.iter().map(|place| place.place.as_str()).collect();
    let own = [
        "aws_appautoscaling_target.fraud",
        "aws_appautoscaling_policy.fraud",
        "module.ranker.aws_appautoscaling_target.this",
        "module.ranker.aws_appautoscaling_policy.this",
        "aws_appautoscaling_policy.later",
    ];
    assert_eq!(
        places.len(),
        own.len(),
        "what scales a table, and data sources, are not ours: {places:?}"
    );
    assert!(own.iter().all(|place| places.contains(place)), "{places:?}");
    let problem =
        |place: &str| found.places.iter().find(|p| p.place == place).unwrap().problem.clone();
    assert!(problem("aws_appautoscaling_policy.later").unwrap().contains("known after apply"));
    // 900 where 612 is safe; cooldowns that are null are AWS's 300.
    let expected = [
        ("max_capacity", State::Differs),
        ("target_value", State::Differs),
        ("scale_out_cooldown", State::Differs),
    ];
    assert_eq!(states(&found), expected, "{found:?}");
    assert!(found.differs() && !found.compared());
    let told = check_text(&found);
    assert!(
        told.contains("target_value       900 -> 612: 47 % above what is recommended"),
        "{told}"
    );
    assert!(told.contains("2 of 5 agree"), "{told}");
}

#[test]
fn a_template_is_worked_out_as_far_as_it_goes() {
    let found = checked(TEMPLATE);
    let of = |place: &str| found.places.iter().find(|p| p.place == place).unwrap();
    for place in ["Resources.Target", "Resources.Policy"] {
        let id = of(place).id.as_ref().map(ToString::to_string);
        assert_eq!(
            id.as_deref(),
            Some("123456789012/us-east-1/fraud-scorer/AllTraffic"),
            "{place}"
        );
    }
    let unsafe_one =
        of("Resources.Policy").fields.iter().find(|r| r.field == "target_value").unwrap();
    assert_eq!(unsafe_one.state, State::Unsafe, "{unsafe_one:?}");
    assert!(unsafe_one.sentence.contains("one instance serves at most 1410"), "{unsafe_one:?}");
    assert!(of("Resources.Imported").problem.as_ref().unwrap().contains("Fn::ImportValue"));
    assert!(!found.places.iter().any(|place| place.place.contains("Table")), "{found:?}");
    // The same as JSON, as CDK synthesizes it.
    let json = r#"{"Resources": {
        "E": {"Type": "AWS::SageMaker::Endpoint", "Properties": {"EndpointName": "search-ranker"}},
        "T": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {
            "MinCapacity": 1, "MaxCapacity": 20, "ServiceNamespace": "sagemaker",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "ResourceId": {"Fn::Join": ["", ["endpoint/", {"Fn::GetAtt": ["E", "EndpointName"]}, "/variant/AllTraffic"]]}}},
        "P": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": {
            "PolicyType": "TargetTrackingScaling", "ScalingTargetId": {"Ref": "T"},
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 10.2, "ScaleOutCooldown": 60,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}}}}}"#;
    let found = checked(json);
    assert_eq!(states(&found), [("target_value", State::Differs)], "{found:?}");
    assert!(check_text(&found).contains("looks like requests a second"), "{found:?}");
}

#[test]
fn manifests_and_values_are_read_by_their_names() {
    let crossplane = r"
apiVersion: v1
kind: List
items:
- apiVersion: appautoscaling.aws.upbound.io/v1beta1
  kind: Target
  metadata: {name: fraud, labels: {app: fraud}}
  spec: {forProvider: {region: us-east-1, minCapacity: 1, maxCapacity: 20, serviceNamespace: sagemaker,
    resourceId: endpoint/fraud-scorer/variant/AllTraffic}}
- apiVersion: appautoscaling.aws.upbound.io/v1beta1
  kind: Policy
  metadata: {name: fraud}
  spec: {forProvider: {region: us-east-1, resourceIdSelector: {matchLabels: {app: fraud}},
    targetTrackingScalingPolicyConfiguration: [{targetValue: 600, scaleOutCooldown: 60,
      customizedMetricSpecification: [{metricName: GPUUtilization}]}]}}
- apiVersion: appautoscaling.aws.upbound.io/v1beta1
  kind: Policy
  metadata: {name: elsewhere}
  spec: {forProvider: {region: us-east-1, resourceIdRef: {name: gone},
    targetTrackingScalingPolicyConfiguration: [{targetValue: 600}]}}
";
    let found = checked(crossplane);
    assert_eq!(states(&found), [("metric", State::Differs)], "600 is within 5 % of 612: {found:?}");
    assert!(found.places[2].problem.as_ref().unwrap().contains("not in the file"), "{found:?}");
    // Another region's endpoint of the same name is another one.
    let other = crossplane.replace("us-east-1", "eu-west-1");
    assert!(checked(&other).places.iter().all(|place| place.problem.is_some()));

    let values = "
autoscaling:
  endpointName: fraud-scorer
  variantName: AllTraffic
  minCapacity: '1'
  maxCapacity: 40
  targetValue: 598
";
    assert_eq!(states(&checked(values)), [("max_capacity", State::Differs)]);
    // setpoint's own chart: 40 requests/s x 0.5 x 60.
    let own = "
config:
  defaults: {safety_factor: 0.5}
  targets:
    - {endpoint: search-ranker, variant: AllTraffic, load_test: {max_rps: 40}, capacity: {min: 1}}
    - {endpoint: 'chat-*', variant: AllTraffic, load_test: {max_rps: 40}}
";
    let found = checked(own);
    assert_eq!(states(&found), [("target_value", State::Differs)], "{found:?}");
    assert!(found.places[1].problem.as_ref().unwrap().contains("a pattern"), "{found:?}");
}

#[test]
fn a_variant_that_was_named_has_to_be_in_the_file() {
    let kept =
        read("{resourceId: endpoint/fraud-scorer/variant/AllTraffic, minCapacity: 1}").unwrap();
    let named =
        |name: &'static str| check(&kept, &fleet(), move |id| id.endpoint.as_str() == name, true);
    let there = named("fraud-scorer");
    assert!(there.compared() && there.places.len() == 1, "{there:?}");
    let absent = named("search-ranker");
    assert!(!absent.compared() && absent.places.is_empty(), "{absent:?}");
    assert!(check_text(&absent).contains("the file says nothing of it"));
}

#[test]
fn a_file_that_says_nothing_is_refused_with_what_is_read() {
    for (text, told) in [
        ("{\"a\": 1", "found no JSON: EOF"),
        ("a: [1", "line "),
        ("a: 1", "found no scalable target"),
        ("", "found no scalable target"),
        ("just words", "found no scalable target"),
        ("{\"format_version\": \"1.2\", \"planned_values\": {}}", "found no scalable target"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
        assert!(error.contains("terraform show -json") || told.contains("JSON"), "{text}: {error}");
    }
    // Neither deep nesting nor aliases within aliases end the process.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(&deep).is_err());
    let deep = "- ".repeat(5_000) + "x";
    assert!(read(&deep).is_err());
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let one = format!("*a{}", n - 1);
        let nine = vec![one; 9].join(", ");
        writeln!(laughs, "a{n}: &a{n} [{nine}]").unwrap();
    }
    assert!(read(&laughs).is_err());
}
