//! SageMaker.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use setpoint::model::endpoint::{EndpointStatus, Routing};
use setpoint::ports::Service;

use crate::contract::face::Face;

pub(super) async fn no_endpoints(face: Arc<dyn Face>) {
    assert_eq!(face.aws().endpoints.list_endpoints().await, Ok(vec![].into()));
}

pub(super) async fn one_endpoint(face: Arc<dyn Face>) {
    let resource = face.endpoint("fraud-scorer");
    let aws = face.aws();
    let listed = aws.endpoints.list_endpoints().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, resource.endpoint);
    assert_eq!(listed[0].status, EndpointStatus::InService);
    assert!(listed[0].modified_at >= listed[0].created_at);

    let endpoint = aws.endpoints.endpoint(&resource.endpoint).await.unwrap().unwrap();
    assert_eq!(endpoint.status, EndpointStatus::InService);
    assert_eq!(endpoint.config_name, "fraud-scorer-config");
    assert_eq!(endpoint.created_at, listed[0].created_at);
    assert!(!endpoint.deploy_in_progress && !endpoint.asynchronous);
    let variant = endpoint.variant(&resource.variant).unwrap();
    assert_eq!((variant.current_instances, variant.desired_instances), (Some(2), Some(2)));
    assert!(!variant.serverless && !variant.instance_pools);
}

/// `ListEndpoints` has 100 a page.
pub(super) async fn endpoints_are_paged(face: Arc<dyn Face>) {
    let names: BTreeSet<String> = (0..120).map(|n| format!("scorer-{n:03}")).collect();
    for name in &names {
        face.endpoint(name);
    }
    let listed = face.aws().endpoints.list_endpoints().await.unwrap();
    let found: BTreeSet<String> = listed.iter().map(|e| e.name.to_string()).collect();
    assert_eq!(listed.len(), 120, "none twice");
    assert_eq!(found, names);
}

pub(super) async fn a_missing_endpoint(face: Arc<dyn Face>) {
    let endpoints = face.aws().endpoints;
    assert_eq!(endpoints.endpoint(&"nowhere".parse().unwrap()).await, Ok(None));
    assert_eq!(endpoints.endpoint_config("nowhere").await, Ok(None));
    assert_eq!(endpoints.model("nowhere").await, Ok(None));
}

pub(super) async fn an_endpoint_config(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    let config = face.aws().endpoints.endpoint_config("e-config").await.unwrap().unwrap();
    assert_eq!(config.name, "e-config");
    assert_eq!(config.metric_period_seconds, None);
    assert!(!config.asynchronous);
    let [variant] = config.variants.as_slice() else { panic!("{config:?}") };
    assert_eq!(variant.name, resource.variant);
    assert_eq!(variant.model_name.as_deref(), Some("e-model"));
    assert_eq!(variant.instance_type.as_deref(), Some("ml.c5.xlarge"));
}

pub(super) async fn a_model(face: Arc<dyn Face>) {
    face.model("m");
    let model = face.aws().endpoints.model("m").await.unwrap().unwrap();
    assert_eq!((model.name.as_str(), model.containers, model.multi_model), ("m", 1, false));
}

/// What can change capacity reaches the model's hash, whatever member it is; counts do not.
pub(super) async fn what_changes_capacity_is_told_of_a_config(face: Arc<dyn Face>) {
    face.model("m");
    let capture = json!({
        "EnableCapture": true, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://b/c",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    });
    let none = json!({});
    let cases: [(&str, Value, &Value); 6] = [
        ("plain", json!({}), &none),
        ("counts", json!({"InitialInstanceCount": 7, "InitialVariantWeight": 0.5}), &none),
        ("routing", json!({"RoutingConfig": {"RoutingStrategy": "RANDOM"}}), &none),
        ("ami", json!({"InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2"}), &none),
        ("volume", json!({"VolumeSizeInGB": 64}), &none),
        ("capture", json!({}), &capture),
    ];
    let mut hashes = Vec::new();
    for (name, own, capture) in cases {
        let mut variant = json!({
            "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.c5.xlarge",
            "InitialInstanceCount": 2, "InitialVariantWeight": 1.0,
        });
        variant.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let mut input = json!({"EndpointConfigName": name, "ProductionVariants": [variant]});
        if *capture != none {
            input["DataCaptureConfig"] = capture.clone();
        }
        face.arrange(Service::SageMaker, "CreateEndpointConfig", input);
        let config = face.aws().endpoints.endpoint_config(name).await.unwrap().unwrap();
        let routing = (name == "routing").then_some(Routing::Random);
        assert_eq!(config.variants[0].routing, routing, "{name}");
        hashes.push((name, config.variants[0].deploy_hash));
    }
    assert_eq!(hashes[0].1, hashes[1].1, "a count is not capacity");
    let different: BTreeSet<u64> = hashes.iter().skip(1).map(|(_, hash)| *hash).collect();
    assert_eq!(different.len(), hashes.len() - 1, "{hashes:?}");
}

pub(super) async fn what_changes_capacity_is_told_of_a_model(face: Arc<dyn Face>) {
    let cases = [
        json!({}),
        json!({"ModelDataUrl": "s3://bucket/other.tar.gz"}),
        json!({"Environment": {"WORKERS": "1"}}),
        json!({"Environment": {"WORKERS": "2"}}),
        json!({"Mode": "MultiModel"}),
    ];
    let mut hashes = BTreeSet::new();
    for (at, own) in cases.iter().enumerate() {
        let name = format!("m{at}");
        let mut container =
            json!({"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/scorer:1"});
        container.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let input = json!({
            "ModelName": name, "ExecutionRoleArn": "arn:aws:iam::123456789012:role/sagemaker",
            "PrimaryContainer": container,
        });
        face.arrange(Service::SageMaker, "CreateModel", input);
        let model = face.aws().endpoints.model(&name).await.unwrap().unwrap();
        assert!(hashes.insert(model.deploy_hash), "{own}: nothing tells it from the others");
    }
}

/// Endpoints that run with them go on, and say so.
pub(super) async fn a_deleted_config_or_model_is_gone(face: Arc<dyn Face>) {
    let resource = face.endpoint("e");
    let aws = face.aws();
    let before = aws.endpoints.endpoint(&resource.endpoint).await.unwrap().unwrap();
    let config = json!({"EndpointConfigName": "e-config"});
    face.arrange(Service::SageMaker, "DeleteEndpointConfig", config);
    face.arrange(Service::SageMaker, "DeleteModel", json!({"ModelName": "e-model"}));
    assert_eq!(aws.endpoints.endpoint_config("e-config").await, Ok(None));
    assert_eq!(aws.endpoints.model("e-model").await, Ok(None));
    let after = aws.endpoints.endpoint(&resource.endpoint).await.unwrap().unwrap();
    assert_eq!(after, before);
    face.model("e-model");
    assert!(aws.endpoints.model("e-model").await.unwrap().is_some());
}
