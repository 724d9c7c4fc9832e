//! SageMaker.

use std::collections::BTreeSet;
use std::sync::Arc;

use setpoint::model::endpoint::EndpointStatus;

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
