//! Puts the ports together: the only place that knows which ones are in use.

use std::sync::Arc;

use super::CliError;
use crate::aws;
use crate::config::Config;
use crate::memory::{FileMemory, ProcessMemory, TagMemory};
use crate::model::ids::Region;
use crate::ports::{Aws, CallObserver, Leadership, Memory};
use crate::system::WallClock;

/// A runtime for one command: two threads are plenty for a program that waits for AWS.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("cannot start: {error}")))
}

/// Connects to the account and region of the configuration.
pub(super) async fn connect(
    config: &Config,
    observer: Arc<dyn CallObserver>,
) -> Result<Aws, CliError> {
    connect_fenced(config, observer, None).await
}

/// [`connect`], and right before a write is sent `leadership` must allow it (rule 23).
pub(super) async fn connect_fenced(
    config: &Config,
    observer: Arc<dyn CallObserver>,
    leadership: Option<Arc<dyn Leadership>>,
) -> Result<Aws, CliError> {
    let settings = settings(config)?;
    aws::connect_fenced(&settings, observer, leadership)
        .await
        .map_err(|error| CliError::failed(format!("cannot connect to AWS: {error}")))
}

/// What the SDK adapters need of the configuration.
pub(super) fn settings(config: &Config) -> Result<aws::Settings, CliError> {
    let from = &config.aws;
    let mut settings = aws::Settings::new(region(config)?);
    settings.account_id.clone_from(&from.account_id);
    settings.endpoint_url.clone_from(&from.endpoint_url);
    settings.profile.clone_from(&from.profile);
    settings.role_arn.clone_from(&from.role_arn);
    settings.timeouts.connect = from.connect_timeout;
    settings.timeouts.read_attempt = from.attempt_timeout;
    settings.timeouts.write_attempt = from.write_timeout;
    settings.timeouts.read_total = from.operation_timeout;
    settings.retries.read_attempts = from.max_attempts;
    settings.rates.scaling_calls_per_second = from.call_rate_per_second;
    settings.rates.writes_per_second = from.write_rate_per_second;
    Ok(settings)
}

/// The region of the configuration, else of the environment, as the SDK's chain has it.
fn region(config: &Config) -> Result<Region, CliError> {
    if let Some(region) = &config.aws.region {
        return Ok(region.clone());
    }
    let from_environment =
        ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
    let Some(name) = from_environment else {
        return Err(CliError::failed(
            "no region (set aws.region in the configuration, --region or AWS_REGION)",
        ));
    };
    Region::new(name).map_err(|error| CliError::failed(error.to_string()))
}

/// Where what must be remembered is kept; tags in all accounts and regions connected to.
pub(super) fn memory(config: &Config, scopes: &[Aws]) -> Arc<dyn Memory> {
    match &config.memory.file {
        _ if config.memory.tags => {
            Arc::new(TagMemory::new(scopes.iter().cloned(), Arc::new(WallClock)))
        }
        Some(path) => Arc::new(FileMemory::new(path)),
        None => Arc::new(ProcessMemory::default()),
    }
}
