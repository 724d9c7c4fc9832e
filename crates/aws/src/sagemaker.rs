//! A thin client for the four reads of SageMaker that `setpoint` needs, and for one each of the
//! Resource Groups Tagging API and of CloudTrail, on the SDK's own crates: its HTTP client, credentials, signing and time-outs;
//! awsJson1.1 by serde. The official crate of SageMaker is 876,000 lines for these four
//! (`docs/decisions/sagemaker-client.md`).

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{FrozenLayer, Layer};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::Failure;
use super::sagemaker_url;
use super::session::read_timeouts;
use super::settings::Settings;
use setpoint_core::ports::Service;

type RawOperation = Operation<Value, Vec<u8>, ServiceError>;

/// A service that speaks awsJson1.1, and what is sent to it. Nothing that writes.
#[derive(Debug)]
struct Spoken {
    service: Service,
    /// Its name in errors and in the user agent.
    name: &'static str,
    /// What comes before the operation in `X-Amz-Target`.
    target: &'static str,
    /// Its name in signatures.
    signing: &'static str,
    operations: &'static [&'static str],
}

const SAGEMAKER: Spoken = Spoken {
    service: Service::SageMaker,
    name: "SageMaker",
    target: "SageMaker",
    signing: "sagemaker",
    operations: &["ListEndpoints", "DescribeEndpoint", "DescribeEndpointConfig", "DescribeModel"],
};

const TAGGING: Spoken = Spoken {
    service: Service::Tagging,
    name: "ResourceGroupsTaggingAPI",
    target: "ResourceGroupsTaggingAPI_20170126",
    signing: "tagging",
    operations: &["GetResources"],
};

const CLOUDTRAIL: Spoken = Spoken {
    service: Service::CloudTrail,
    name: "CloudTrail",
    target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
    signing: "cloudtrail",
    operations: &["LookupEvents"],
};

/// The client of one service.
#[derive(Debug)]
pub(super) struct JsonClient {
    spoken: &'static Spoken,
    operations: Vec<(&'static str, RawOperation)>,
}

impl JsonClient {
    pub(super) fn sagemaker(sdk: &SdkConfig, settings: &Settings) -> Self {
        let url = sagemaker_url::of_sagemaker(sdk, settings.region.as_str());
        Self::new(&SAGEMAKER, &url, sdk, settings)
    }

    pub(super) fn tagging(sdk: &SdkConfig, settings: &Settings) -> Self {
        let url = sagemaker_url::of_tagging(sdk, settings.region.as_str());
        Self::new(&TAGGING, &url, sdk, settings)
    }

    pub(super) fn cloudtrail(sdk: &SdkConfig, settings: &Settings) -> Self {
        let url = sagemaker_url::of_cloudtrail(sdk, settings.region.as_str());
        Self::new(&CLOUDTRAIL, &url, sdk, settings)
    }

    fn new(spoken: &'static Spoken, url: &str, sdk: &SdkConfig, settings: &Settings) -> Self {
        let operations = spoken.operations.iter();
        let operations =
            operations.map(|name| (*name, build(spoken, name, url, sdk, settings))).collect();
        Self { spoken, operations }
    }

    /// Sends one request, one attempt, and reads the answer.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        name: &'static str,
        input: Value,
    ) -> Result<T, Failure> {
        let Some((_, operation)) = self.operations.iter().find(|(known, _)| *known == name) else {
            return Err(Failure::garbage(format!("{name} is not an operation of this client")));
        };
        let body = operation
            .invoke(input)
            .await
            .map_err(|error| Failure::of(self.spoken.service, &error))?;
        serde_json::from_slice(&body)
            .map_err(|error| Failure::garbage(format!("the answer cannot be understood: {error}")))
    }
}

fn build(
    spoken: &'static Spoken,
    name: &'static str,
    url: &str,
    sdk: &SdkConfig,
    settings: &Settings,
) -> RawOperation {
    let plugin = StaticRuntimePlugin::new()
        .with_config(signing_config(spoken, settings))
        .with_runtime_components(signing_components(spoken, sdk));
    let mut operation = Operation::builder()
        .service_name(spoken.name)
        .operation_name(name)
        .behavior_version(aws_config::BehaviorVersion::latest())
        .endpoint_url(url)
        .no_retry()
        .timeout_config(read_timeouts(settings))
        .with_connection_poisoning()
        .interceptor(ServiceClockSkewInterceptor::new())
        .interceptor(UserAgentInterceptor::new())
        .runtime_plugin(plugin);
    if let Some(http) = sdk.http_client() {
        operation = operation.http_client(http);
    }
    operation
        .serializer(move |input: Value| serialize(spoken, name, &input))
        .deserializer(deserialize)
        .build()
}

fn signing_config(spoken: &Spoken, settings: &Settings) -> FrozenLayer {
    let mut layer = Layer::new(spoken.name);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigningName::from_static(spoken.signing));
    let region = Region::new(settings.region.as_str().to_owned());
    layer.store_put(SigningRegion::from(region));
    layer.store_put(SigV4OperationSigningConfig {
        signing_options: SigningOptions::default(),
        ..SigV4OperationSigningConfig::default()
    });
    layer.store_put(ApiMetadata::new(spoken.signing, env!("CARGO_PKG_VERSION")));
    layer.freeze()
}

fn signing_components(spoken: &Spoken, sdk: &SdkConfig) -> RuntimeComponentsBuilder {
    let mut components = RuntimeComponentsBuilder::new(spoken.name);
    components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
        StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
    )));
    components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
    components.set_identity_cache(sdk.identity_cache());
    if let Some(credentials) = sdk.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    if let Some(time) = sdk.time_source() {
        components.set_time_source(Some(time));
    }
    if let Some(sleep) = sdk.sleep_impl() {
        components.set_sleep_impl(Some(sleep));
    }
    components
}

fn serialize(spoken: &Spoken, name: &str, input: &Value) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(serde_json::to_vec(input)?));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.1");
    headers.insert("x-amz-target", format!("{}.{name}", spoken.target));
    Ok(request)
}

fn deserialize(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<ServiceError>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Ok(body.to_vec());
    }
    let header = response.headers().get("x-amzn-errortype");
    Err(OrchestratorError::operation(ServiceError::parse(header, body)))
}

/// An error as awsJson1.1 has it.
#[derive(Debug, thiserror::Error)]
#[error("{meta}")]
struct ServiceError {
    meta: ErrorMetadata,
}

impl ServiceError {
    /// The code is in the body or in a header, perhaps with a namespace before `#` or a URL
    /// after `:` (awsJson1.1, "Operation error serialization"). A body that is no JSON has none.
    fn parse(header: Option<&str>, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let code = text("__type").or_else(|| text("code")).or(header);
        let message = text("message").or_else(|| text("Message"));
        let mut meta = ErrorMetadata::builder();
        if let Some(code) = code {
            let code = code.split(':').next().unwrap_or(code);
            meta = meta.code(code.rsplit('#').next().unwrap_or(code));
        }
        if let Some(message) = message {
            meta = meta.message(message);
        }
        Self { meta: meta.build() }
    }
}

impl ProvideErrorMetadata for ServiceError {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_wherever_it_is() {
        let code = |header: Option<&str>, body: &str| {
            ServiceError::parse(header, body.as_bytes()).code().map(str::to_owned)
        };
        let body = r#"{"__type":"ValidationException","message":"m"}"#;
        assert_eq!(code(None, body).as_deref(), Some("ValidationException"));
        let body = r#"{"__type":"com.amazonaws.sagemaker#ResourceNotFound"}"#;
        assert_eq!(code(None, body).as_deref(), Some("ResourceNotFound"));
        let header = Some("ThrottlingException:http://internal.amazon.com/");
        assert_eq!(code(header, "{}").as_deref(), Some("ThrottlingException"));
        assert_eq!(code(None, "<html>no</html>"), None);
    }
}
