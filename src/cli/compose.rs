//! Puts the ports together: the only place that knows which ones are in use.

use std::sync::Arc;

use super::CliError;
use super::deadline::Timeout;
use crate::aws;
use crate::config::{Config, StoreConfig};
use crate::memory::{FileMemory, ProcessMemory, TagMemory};
use crate::model::ids::{Region, Scope};
use crate::ports::{Aws, CallObserver, Leadership, Memory};
use crate::store::{Store, StoreSettings};
use crate::system::WallClock;

/// A runtime for one command.
pub(super) struct Runtime {
    handle: tokio::runtime::Handle,
    /// Until it is dropped.
    own: Option<tokio::runtime::Runtime>,
}

impl Runtime {
    /// Runs a future to its end.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // What still hangs then, such as a name that is being looked up or a disk that does not
        // answer, does not delay the exit.
        if let Some(runtime) = self.own.take() {
            runtime.shutdown_background();
        }
    }
}

/// A runtime for one command: two threads are plenty for a program that waits for AWS.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("cannot start: {error}")))?;
    Ok(Runtime { handle: runtime.handle().clone(), own: Some(runtime) })
}

/// Connects to every account and region of the configuration, for a command with a time limit.
pub(super) async fn connect(
    config: &Config,
    timeout: Timeout,
    observer: Arc<dyn CallObserver>,
) -> Result<Vec<Aws>, CliError> {
    let mut all = settings_of_all(config)?;
    for settings in &mut all {
        timeout.bound(settings);
    }
    connect_all(all, observer, None).await
}

/// Connects to all of them for as long as the process lives, and right before a write is sent
/// `leadership` must allow it (rule 23).
pub(super) async fn connect_fenced(
    config: &Config,
    observer: Arc<dyn CallObserver>,
    leadership: Option<Arc<dyn Leadership>>,
) -> Result<Vec<Aws>, CliError> {
    connect_all(settings_of_all(config)?, observer, leadership).await
}

/// Each account and region has its own clients, credentials and call budgets. With `accounts`
/// nothing is sent: the credentials of one that are bad are no reason not to begin with the others.
async fn connect_all(
    all: Vec<aws::Settings>,
    observer: Arc<dyn CallObserver>,
    leadership: Option<Arc<dyn Leadership>>,
) -> Result<Vec<Aws>, CliError> {
    let mut connected = Vec::new();
    for settings in all {
        let aws = aws::connect_fenced(&settings, Arc::clone(&observer), leadership.clone());
        connected.push(aws.await.map_err(|error| not_connected(&error))?);
    }
    Ok(connected)
}

fn not_connected(error: &aws::ConnectError) -> CliError {
    CliError::failed(format!("cannot connect to AWS: {error}"))
}

/// Connects to one account and region of the configuration.
pub(super) async fn connect_to(
    config: &Config,
    scope: &Scope,
    timeout: Timeout,
    observer: Arc<dyn CallObserver>,
) -> Result<Aws, CliError> {
    let is_it = |s: &aws::Settings| {
        s.region == scope.region && s.account_id.as_ref() == Some(&scope.account_id)
    };
    let settings = settings_of_all(config)?.into_iter().find(is_it);
    let mut settings =
        settings.ok_or_else(|| CliError::failed(format!("{scope} is not configured")))?;
    timeout.bound(&mut settings);
    aws::connect(&settings, observer).await.map_err(|error| not_connected(&error))
}

/// What the SDK adapters need of the configuration, for each account and region.
pub(super) fn settings_of_all(config: &Config) -> Result<Vec<aws::Settings>, CliError> {
    if config.accounts.is_empty() {
        return Ok(vec![settings(config)?]);
    }
    let pairs = config.accounts.iter().flat_map(|account| {
        let settings = |region: &Region| {
            let mut settings = common(config, region.clone());
            settings.account_id = Some(account.account_id.clone());
            settings.role_arn.clone_from(&account.role_arn);
            settings.external_id.clone_from(&account.external_id);
            let own_or = |own: &Option<String>, common| own.clone().or(common);
            settings.profile = own_or(&account.profile, settings.profile);
            settings.endpoint_url = own_or(&account.endpoint_url, settings.endpoint_url);
            settings
        };
        let own = |region: &&Region| {
            let account_id = account.account_id.clone();
            config.sharding.has(&Scope { account_id, region: (*region).clone() })
        };
        account.regions.iter().filter(own).map(settings).collect::<Vec<_>>()
    });
    Ok(pairs.collect())
}

/// What the SDK adapters need of a configuration with one account and region.
pub(super) fn settings(config: &Config) -> Result<aws::Settings, CliError> {
    let mut settings = common(config, region(config)?);
    settings.account_id.clone_from(&config.aws.account_id);
    settings.role_arn.clone_from(&config.aws.role_arn);
    Ok(settings)
}

/// What holds for every account and region.
fn common(config: &Config, region: Region) -> aws::Settings {
    let from = &config.aws;
    let mut settings = aws::Settings::new(region);
    settings.endpoint_url.clone_from(&from.endpoint_url);
    settings.profile.clone_from(&from.profile);
    settings.timeouts.connect = from.connect_timeout;
    settings.timeouts.read_attempt = from.attempt_timeout;
    settings.timeouts.write_attempt = from.write_timeout;
    settings.timeouts.read_total = from.operation_timeout;
    settings.retries.read_attempts = from.max_attempts;
    settings.rates.scaling_calls_per_second = from.call_rate_per_second;
    settings.rates.writes_per_second = from.write_rate_per_second;
    settings.rates.sagemaker_calls_per_second = aws::Growing {
        from: from.sagemaker_call_rate_per_second,
        to: from.sagemaker_call_rate_max_per_second,
    };
    settings
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

/// Where the history is kept.
pub(super) fn history(config: &Config) -> Store {
    let StoreConfig { path, keep, bytes_max } = config.store.clone();
    Store::new(StoreSettings::new(path, keep, bytes_max))
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
