//! SageMaker's AWS JSON 1.1 by raw HTTP.

use serde_json::{Value, json};

use super::support::{create_endpoints, empty, json_call, post, serve};

fn call(url: &str, operation: &str, input: &Value) -> (u16, Value) {
    let answer = json_call(url, &format!("SageMaker.{operation}"), input);
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
    (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_are_listed_ten_a_page_unless_told_and_described() {
    let server = serve(empty()).await;
    let url = server.endpoint_url();
    create_endpoints(&url, 13);
    let (_, first) = call(&url, "ListEndpoints", &json!({"NextToken": null}));
    assert_eq!(first["Endpoints"].as_array().map(Vec::len), Some(10));
    let (_, second) = call(&url, "ListEndpoints", &json!({"NextToken": first["NextToken"]}));
    assert_eq!(second["Endpoints"].as_array().map(Vec::len), Some(3));
    assert_eq!(second.get("NextToken"), None);
    let (_, all) = call(&url, "ListEndpoints", &json!({"MaxResults": 100}));
    assert_eq!(all["Endpoints"].as_array().map(Vec::len), Some(13));
    assert!(all["Endpoints"][0]["CreationTime"].as_f64().is_some_and(|s| s > 1.7e9));
    let (status, error) = call(&url, "ListEndpoints", &json!({"MaxResults": 101}));
    assert_eq!((status, &error["__type"]), (400, &json!("ValidationException")));

    let (_, endpoint) = call(&url, "DescribeEndpoint", &json!({"EndpointName": "wire-0"}));
    assert_eq!(endpoint["EndpointStatus"], "InService");
    let config = json!({"EndpointConfigName": endpoint["EndpointConfigName"]});
    let (_, config) = call(&url, "DescribeEndpointConfig", &config);
    assert_eq!(config["ProductionVariants"][0]["InstanceType"], "ml.c5.xlarge");
    let (_, model) = call(&url, "DescribeModel", &json!({"ModelName": "wire-model"}));
    assert!(model["PrimaryContainer"]["Image"].is_string());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_a_validation_exception() {
    let server = serve(empty()).await;
    let url = server.endpoint_url();
    for (operation, input) in [
        ("DescribeEndpoint", json!({"EndpointName": "nobody"})),
        ("DescribeEndpointConfig", json!({"EndpointConfigName": "nobody"})),
        ("DescribeModel", json!({"ModelName": "nobody"})),
    ] {
        let (status, error) = call(&url, operation, &input);
        assert_eq!((status, &error["__type"]), (400, &json!("ValidationException")));
        assert!(error["message"].as_str().is_some_and(|m| m.contains("Could not find")), "{error}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_are_rescaled_and_deleted() {
    let server = serve(empty()).await;
    let url = server.endpoint_url();
    create_endpoints(&url, 1);
    let endpoint = json!({"EndpointName": "wire-0"});
    let wanted = json!([{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}]);
    let input = json!({"EndpointName": "wire-0", "DesiredWeightsAndCapacities": wanted});
    assert_eq!(call(&url, "UpdateEndpointWeightsAndCapacities", &input).0, 200);
    let (_, found) = call(&url, "DescribeEndpoint", &endpoint);
    assert_eq!(found["EndpointStatus"], "Updating");
    post(&url, "/_sim/advance?seconds=3600", &[], b"");
    let (_, found) = call(&url, "DescribeEndpoint", &endpoint);
    assert_eq!(found["ProductionVariants"][0]["CurrentInstanceCount"], 3);
    assert_eq!(call(&url, "DeleteEndpoint", &endpoint).0, 200);
    post(&url, "/_sim/advance?seconds=3600", &[], b"");
    assert_eq!(call(&url, "DescribeEndpoint", &endpoint).0, 400);
    server.stop().await;
}
