//! A served world, the real SDK clients on it, and raw HTTP for what they do not say.

use std::net::{Ipv4Addr, SocketAddr};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use serde_json::Value;
use setpoint::sim::server::{Pace, Server};
use setpoint::sim::{Scenario, Sim};

/// A signature that nobody checks, of the right form.
pub(crate) const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/us-east-1/\
                                 sagemaker/aws4_request, SignedHeaders=host, Signature=00";

/// Serves a world whose time is stepped, on a free port of loopback.
pub(crate) async fn serve(sim: Sim) -> Server {
    Server::start(sim, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Pace::Step)
        .await
        .expect("loopback can be bound")
}

/// What the SDK clients are made from: one attempt, short time-outs, dummy keys.
pub(crate) fn sdk(url: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder().read_timeout(std::time::Duration::from_secs(2)).build(),
        )
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(aws_smithy_async::rt::sleep::default_async_sleep().expect("Tokio is there"))
        .build()
}

/// An answer: status, headers, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

fn answer(response: Result<http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let (parts, mut body) = response.expect("an answer").into_parts();
    let body = body.read_to_vec().expect("a body");
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// `GET path`.
pub(crate) fn get(url: &str, path: &str) -> Answer {
    answer(agent().get(format!("{url}{path}")).call())
}

/// `POST path` with headers and a body.
pub(crate) fn post(url: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let request = agent().post(format!("{url}{path}"));
    answer(headers.iter().fold(request, |r, (name, value)| r.header(*name, *value)).send(body))
}

/// A signed AWS JSON call, such as `SageMaker.ListEndpoints`.
pub(crate) fn json_call(url: &str, target: &str, input: &Value) -> Answer {
    let version = if target.starts_with("Granite") { "1.0" } else { "1.1" };
    let content_type = format!("application/x-amz-json-{version}");
    let headers =
        [("x-amz-target", target), ("content-type", &content_type), ("authorization", SIGNED)];
    post(url, "/", &headers, input.to_string().as_bytes())
}

/// The names of an endpoint of the world and of its variant.
pub(crate) fn first_variant(url: &str) -> (String, String) {
    let input = serde_json::json!({"SortBy": "Name", "SortOrder": "Ascending"});
    let listed = json_call(url, "SageMaker.ListEndpoints", &input).json();
    let name = listed["Endpoints"][0]["EndpointName"].as_str().expect("an endpoint").to_owned();
    let input = serde_json::json!({"EndpointName": name});
    let described = json_call(url, "SageMaker.DescribeEndpoint", &input).json();
    let variant = described["ProductionVariants"][0]["VariantName"].as_str().expect("a variant");
    (name, variant.to_owned())
}

/// Makes endpoints `wire-0` to `wire-(n-1)` with a variant `AllTraffic`, and lets them come up.
pub(crate) fn create_endpoints(url: &str, n: usize) -> Vec<String> {
    let call = |target: &str, input: Value| {
        let answer = json_call(url, &format!("SageMaker.{target}"), &input);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    };
    let image = serde_json::json!({"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/m:1"});
    call(
        "CreateModel",
        serde_json::json!({
            "ModelName": "wire-model", "PrimaryContainer": image,
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/wire"
        }),
    );
    call(
        "CreateEndpointConfig",
        serde_json::json!({
            "EndpointConfigName": "wire-config",
            "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "wire-model",
                "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 1}]
        }),
    );
    let names: Vec<_> = (0..n).map(|i| format!("wire-{i}")).collect();
    for name in &names {
        call(
            "CreateEndpoint",
            serde_json::json!({
                "EndpointName": name, "EndpointConfigName": "wire-config"
            }),
        );
    }
    assert_eq!(post(url, "/_sim/advance?seconds=3600", &[], b"").status, 200);
    names.iter().map(|name| format!("endpoint/{name}/variant/AllTraffic")).collect()
}

/// The world of `setpoint demo`, with hours of history in place of its days.
pub(crate) fn demo() -> Sim {
    let mut scenario = Scenario::demo().expect("the demo's scenario is whole");
    scenario.history_days = 0;
    scenario.begin_at(crate::fixtures::noon());
    let sim = scenario.build().expect("the demo's scenario can be built");
    sim.advance(3 * 3600);
    sim
}

/// A world without endpoints.
pub(crate) fn empty() -> Sim {
    Scenario::fleet(0).build().expect("an empty world can be built")
}
