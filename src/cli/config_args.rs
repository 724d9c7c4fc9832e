//! The flags by which every command finds its configuration.

use std::path::PathBuf;

use super::CliError;
use crate::aws;
use crate::config::{Config, ConfigErrors, Env, Flag, LogFormat, LogSettings, Problem, Sources};
use crate::model::goal::Mode;
use crate::model::shard::ordinal;
use crate::ports::Clock as _;
use crate::system::WallClock;
use crate::telemetry::{self, Logs};

/// Where the configuration is, and what goes before it.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct ConfigArgs {
    /// A file, or a directory of *.yaml; may be given several times, later ones win
    #[arg(long, env = "SETPOINT_CONFIG", value_name = "PATH", value_delimiter = ':')]
    pub(super) config: Vec<PathBuf>,
    /// The highest mode that any target may use (a ceiling)
    #[arg(long, value_name = "MODE")]
    pub(super) mode: Option<ModeArg>,
    /// Overrides `aws.region`
    #[arg(long)]
    pub(super) region: Option<String>,
    /// Overrides `aws.endpoint_url`
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// Overrides `sharding.shard`: the number of this process's shard, from 0
    #[arg(long, value_name = "I")]
    pub(super) shard: Option<u32>,
    /// Overrides `sharding.total_shards`: how many processes share out `accounts`
    #[arg(long, value_name = "N")]
    pub(super) total_shards: Option<u32>,
    /// Overrides `log.level`
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
    /// Overrides `log.format`
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    /// Treat configuration warnings as errors
    #[arg(long)]
    pub(super) strict: bool,
}

/// [`Mode`], as clap reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ModeArg {
    /// Report only, never write.
    Observe,
    /// Restore the desired policy.
    Repair,
    /// As repair, and follow the safe target.
    Auto,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Observe => Self::Observe,
            ModeArg::Repair => Self::Repair,
            ModeArg::Auto => Self::Auto,
        }
    }
}

impl ConfigArgs {
    /// The layers that these flags name, the process's environment among them. A reload loads the
    /// same sources again.
    pub(super) fn sources(&self) -> Sources {
        let format = self.log_format.map(|format| format.as_str().to_owned());
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let flags = [
            ("--region", "aws.region", self.region.clone()),
            ("--endpoint-url", "aws.endpoint_url", self.endpoint_url.clone()),
            ("--shard", "sharding.shard", number(self.shard)),
            ("--total-shards", "sharding.total_shards", number(self.total_shards)),
            ("--log-level", "log.level", self.log_level.clone()),
            ("--log-format", "log.format", format),
        ];
        let flags = flags
            .into_iter()
            .filter_map(|(name, key, value)| value.map(|value| Flag { name, key, value }));
        Sources {
            // SETPOINT_CONFIG= is as good as not set.
            files: self.config.iter().filter(|p| !p.as_os_str().is_empty()).cloned().collect(),
            environment: Env::Process,
            flags: flags.collect(),
        }
    }

    /// The ceiling of `--mode`; without it there is none.
    pub(super) fn mode_ceiling(&self) -> Mode {
        self.mode.map_or(Mode::Auto, Mode::from)
    }

    /// Loads the configuration, with the ceiling of `--mode`.
    pub(super) fn load(&self) -> Result<Config, CliError> {
        load(&self.loader())
    }

    /// Loads the configuration as [`Self::load`], again and again.
    pub(super) fn loader(&self) -> impl Fn() -> Result<Config, ConfigErrors> + Send + Sync + use<> {
        let (sources, ceiling, strict) = (self.sources(), self.mode_ceiling(), self.strict);
        move || {
            let config = Config::load(&sources)?.with_mode_ceiling(ceiling);
            if strict { config.strict(WallClock.now()) } else { Ok(config) }
        }
    }

    /// Loads the configuration as [`Self::loader`], for a process that must know which shard it is: where
    /// nothing says it, the name of its pod does, as in a `StatefulSet`.
    pub(super) fn shard_loader(
        &self,
        pod_name: Option<String>,
    ) -> impl Fn() -> Result<Config, ConfigErrors> + Send + Sync + use<> {
        let load = self.loader();
        let args = self.clone();
        move || {
            let config = load()?;
            if config.sharding.own.is_some() {
                return Ok(config);
            }
            let Some(shard) = pod_name.as_deref().and_then(ordinal) else {
                return Err(no_number(&config, pod_name.as_deref()));
            };
            Self { shard: Some(shard), ..args.clone() }.loader()()
        }
    }

    /// Loads the configuration and sets the logs up by it, which go on until they are dropped.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn load_with_logs(&self) -> Result<(Config, Logs), CliError> {
        load_with_logs(&self.loader())
    }
}

fn load(loader: &dyn Fn() -> Result<Config, ConfigErrors>) -> Result<Config, CliError> {
    loader().map_err(|errors| CliError::failed(sentence(&errors)))
}

/// Loads a configuration and sets the logs up by it, which go on until they are dropped.
pub(super) fn load_with_logs(
    loader: &dyn Fn() -> Result<Config, ConfigErrors>,
) -> Result<(Config, Logs), CliError> {
    let config = load(loader)?;
    let logs = init_logs(&config.log)?;
    Ok((config, logs))
}

/// Libraries whose own words are left out of the log: the scheduler only rings, and of a request that the
/// Kubernetes API did not take whoever sent it tells.
const QUIET: [&str; 2] = ["tokio_cron_scheduler", "kube_client::client::builder"];

/// Sets the logs up, without the SDK's dumps and the words of [`QUIET`] libraries. Whoever names one gets
/// what they ask for.
///
/// # Errors
/// When the level cannot be read, or logs are already set up.
pub(super) fn init_logs(settings: &LogSettings) -> Result<Logs, CliError> {
    let mut settings = settings.clone();
    settings.level = aws::quieter(&settings.level);
    for library in QUIET {
        if !settings.level.contains(library) {
            settings.level = format!("{library}=off,{}", settings.level);
        }
    }
    telemetry::init(&settings).map_err(|error| CliError::failed(error.to_string()))
}

/// There are several shards, and nothing says which of them this process is.
fn no_number(config: &Config, pod_name: Option<&str>) -> ConfigErrors {
    let found = match pod_name {
        Some(name) => format!("nothing, and POD_NAME is {name:?}, which does not end in -N"),
        None => "nothing, and POD_NAME is not set".to_owned(),
    };
    let allowed = format!(
        "0 to {} (sharding.shard, SETPOINT__SHARDING__SHARD, --shard, or POD_NAME as a StatefulSet \
         names its pods: setpoint-0)",
        config.sharding.total - 1
    );
    ConfigErrors { problems: vec![Problem::of_key("sharding.shard", found, allowed)] }
}

fn sentence(errors: &ConfigErrors) -> String {
    let count = counted(errors.problems.len(), "problem", "problems");
    format!("the configuration has {count}\n{errors}")
}

/// `1 target`, `2 targets`.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
