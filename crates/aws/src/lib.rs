//! Ports over the AWS SDK: the only place that names it.
//!
//! Every call goes through `call`: it takes its turn in the budget of the region, is tried again
//! where the classifier of `error` says that it may pass, and is reported to the observer. The
//! SDK's own retries are off, so that the two do not multiply.

mod adaptive;
mod budget;
mod call;
mod convert;
mod datapoints;
mod endpoints;
mod error;
mod identity;
mod inbound;
mod metrics;
mod sagemaker;
mod sagemaker_url;
mod scaling_reads;
mod scaling_writes;
mod session;
mod settings;
mod tags;
#[cfg(test)]
mod tests;
mod trail;
mod whoami;

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;

pub use self::adaptive::Growing;
pub use self::budget::{Budget, Exhausted};
pub use self::error::classify;
pub use self::settings::{CredentialSource, Rates, Retries, Settings, Timeouts};
pub use self::whoami::{WhoAmI, who_am_i};

use self::call::Caller;
use self::endpoints::SdkEndpoints;
use self::identity::SdkIdentity;
use self::metrics::SdkMetrics;
use self::sagemaker::JsonClient;
use self::scaling_reads::SdkScalingReads;
use self::scaling_writes::SdkScalingWrites;
use setpoint_core::model::ids::Scope;
use setpoint_core::ports::{Aws, CallObserver, Leadership, PortError};

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The settings state no account and `GetCallerIdentity` did not tell it.
    #[error("the account of the credentials is not known: {0}")]
    Account(#[from] PortError),
}

/// Makes the ports of one account and region. With an `account_id` in the settings nothing is sent;
/// whether the credentials belong to that account is for the caller to ask of [`Aws::identity`].
///
/// # Errors
/// When the settings have no `account_id` and `GetCallerIdentity` fails.
pub async fn connect(
    settings: &Settings,
    observer: Arc<dyn CallObserver>,
) -> Result<Aws, ConnectError> {
    connect_through(settings, observer, session::http_client()).await
}

/// [`connect`], and right before a write is sent `leadership` must allow it (rule 23).
pub async fn connect_fenced(
    settings: &Settings,
    observer: Arc<dyn CallObserver>,
    leadership: Option<Arc<dyn Leadership>>,
) -> Result<Aws, ConnectError> {
    assemble(settings, observer, session::http_client(), leadership).await
}

/// Log directives without the SDK's warnings about credentials that it does not find and roles that it
/// may not assume: they are dumps of its own types, several for each pass, and the error of the call
/// says what it comes to. Whoever names the SDK's modules gets what they ask for.
pub fn quieter(directives: &str) -> String {
    if directives.contains("aws_config") {
        return directives.to_owned();
    }
    let quiet = ["meta", "imds", "sts", "web_identity_token", "profile::credentials"];
    let quiet = quiet.map(|module| format!("aws_config::{module}=off,"));
    quiet.concat() + directives
}

/// [`connect`] over an HTTP client of the caller's: a recorder or a replay.
pub async fn connect_through(
    settings: &Settings,
    observer: Arc<dyn CallObserver>,
    http: SharedHttpClient,
) -> Result<Aws, ConnectError> {
    assemble(settings, observer, http, None).await
}

async fn assemble(
    settings: &Settings,
    observer: Arc<dyn CallObserver>,
    http: SharedHttpClient,
    leadership: Option<Arc<dyn Leadership>>,
) -> Result<Aws, ConnectError> {
    let sdk = session::load(settings, inbound::guarded(http)).await;
    let sts = aws_sdk_sts::Client::from_conf(
        aws_sdk_sts::config::Builder::from(&sdk).retry_config(RetryConfig::disabled()).build(),
    );
    let account_id = match &settings.account_id {
        Some(account_id) => account_id.clone(),
        None => identity::ask_account(&sts, settings, &observer).await?,
    };
    let scope = Scope { account_id, region: settings.region.clone() };
    let caller = Caller::new(scope.clone(), settings, observer).fenced_by(leadership);
    let caller = Arc::new(caller);

    let scaling = |timeouts| {
        let config = aws_sdk_applicationautoscaling::config::Builder::from(&sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        aws_sdk_applicationautoscaling::Client::from_conf(config)
    };
    let reads = scaling(session::read_timeouts(settings));
    let writes = scaling(session::write_timeouts(settings));
    let cloudwatch = aws_sdk_cloudwatch::Client::from_conf(
        aws_sdk_cloudwatch::config::Builder::from(&sdk)
            .retry_config(RetryConfig::disabled())
            .build(),
    );
    let sagemaker = JsonClient::sagemaker(&sdk, settings);
    let tagging = JsonClient::tagging(&sdk, settings);
    let trail = JsonClient::cloudtrail(&sdk, settings);

    Ok(Aws {
        scope,
        scaling: Arc::new(SdkScalingReads::new(reads, Arc::clone(&caller))),
        writes: Arc::new(SdkScalingWrites::new(writes, Arc::clone(&caller))),
        endpoints: Arc::new(SdkEndpoints::new(sagemaker, tagging, Arc::clone(&caller))),
        metrics: Arc::new(SdkMetrics::new(cloudwatch, Arc::clone(&caller))),
        identity: Arc::new(SdkIdentity::new(sts, trail, caller)),
    })
}
