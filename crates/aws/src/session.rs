//! Credentials, HTTP and time-outs: what all SDK clients of one account and region share.

use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::region::Region;

use super::settings::{CredentialSource, Settings};

/// The name of the assumed-role session, as `CloudTrail` shows it.
const SESSION_NAME: &str = "setpoint";

/// Connections that a host's pool keeps for later. A connection keeps room for as much as it has brought, 400 KiB after
/// an answer of the largest size, and in a pass a few dozen are open; what more is asked for than these opens others.
const IDLE_CONNECTIONS: usize = 4;

/// One HTTP client for everything, credentials included; TLS by rustls on ring, with the system's
/// certificates and proxy settings. Plain `http:` URLs work too.
pub(super) fn http_client() -> SharedHttpClient {
    Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build_https()
}

/// Loads the SDK's shared configuration. Credentials are looked for only when first needed.
pub(super) async fn load(settings: &Settings, http: SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.as_str().to_owned()))
        .http_client(http)
        .timeout_config(read_timeouts(settings));
    if let Ok(name) = AppName::new("setpoint") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let CredentialSource::Fixed { access_key_id, secret_access_key } = &settings.credentials {
        let keys =
            Credentials::new(access_key_id, secret_access_key, None, None, "setpoint_fixed_keys");
        loader = loader.credentials_provider(keys);
    }
    let base = loader.load().await;
    match &settings.role_arn {
        Some(role_arn) => assume(&base, role_arn, settings.external_id.as_deref()).await,
        None => base,
    }
}

/// The same configuration with the credentials of a role.
async fn assume(base: &SdkConfig, role_arn: &str, external_id: Option<&str>) -> SdkConfig {
    let mut role = AssumeRoleProvider::builder(role_arn).session_name(SESSION_NAME).configure(base);
    if let Some(id) = external_id {
        role = role.external_id(id);
    }
    let provider = match base.credentials_provider() {
        Some(credentials) => role.build_from_provider(credentials).await,
        None => role.build().await,
    };
    base.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

pub(super) fn read_timeouts(settings: &Settings) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(settings.timeouts.connect)
        .operation_attempt_timeout(settings.timeouts.read_attempt)
        .build()
}

/// The bound holds for the whole operation, so that credentials that are slow to come do not
/// carry the request past it.
pub(super) fn write_timeouts(settings: &Settings) -> TimeoutConfig {
    let attempt = settings.timeouts.write_attempt;
    TimeoutConfig::builder()
        .connect_timeout(settings.timeouts.connect.min(attempt))
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt)
        .build()
}
