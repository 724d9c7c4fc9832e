//! The flags by which every command finds its configuration.

use std::path::PathBuf;

use super::CliError;
use crate::aws;
use crate::config::{Config, ConfigErrors, Env, Flag, LogFormat, LogSettings, Sources};
use crate::model::goal::Mode;
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
    /// The boldest mode that any target may have (a ceiling)
    #[arg(long, value_name = "MODE")]
    pub(super) mode: Option<ModeArg>,
    /// Overrides `aws.region`
    #[arg(long)]
    pub(super) region: Option<String>,
    /// Overrides `aws.endpoint_url`
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// Overrides `log.level`
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
    /// Overrides `log.format`
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    /// Take each warning about the configuration as an error
    #[arg(long)]
    pub(super) strict: bool,
}

/// [`Mode`], as clap reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ModeArg {
    /// Say, never write.
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
        let flags = [
            ("--region", "aws.region", self.region.clone()),
            ("--endpoint-url", "aws.endpoint_url", self.endpoint_url.clone()),
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
    ///
    /// # Errors
    /// All problems, one in a line.
    pub(super) fn load(&self) -> Result<Config, CliError> {
        self.loader()().map_err(|errors| CliError::failed(sentence(&errors)))
    }

    /// Loads the configuration as [`Self::load`], again and again.
    pub(super) fn loader(&self) -> impl Fn() -> Result<Config, ConfigErrors> + Send + Sync + use<> {
        let (sources, ceiling, strict) = (self.sources(), self.mode_ceiling(), self.strict);
        move || {
            let config = Config::load(&sources)?.with_mode_ceiling(ceiling);
            if strict { config.strict(WallClock.now()) } else { Ok(config) }
        }
    }

    /// Loads the configuration and sets the logs up by it, which go on until they are dropped.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn load_with_logs(&self) -> Result<(Config, Logs), CliError> {
        let config = self.load()?;
        let logs = init_logs(&config.log)?;
        Ok((config, logs))
    }
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

fn sentence(errors: &ConfigErrors) -> String {
    let count = counted(errors.problems.len(), "problem", "problems");
    format!("the configuration has {count}\n{errors}")
}

/// `1 target`, `2 targets`.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
