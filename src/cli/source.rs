//! Where a command that works on the whole fleet has its facts from: a daemon, or a pass of its own.

use std::sync::atomic::AtomicBool;

use serde::de::DeserializeOwned;

use super::ask::{DaemonArgs, understood};
use super::config_args::ConfigArgs;
use super::deadline::{Bounded, Timeout};
use super::plan::WithoutMemory;
use super::{CliError, plan};
use crate::model::status::FleetStatus;
use crate::reconcile::Purpose;

/// The daemon, or AWS.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// Ask the running daemon, at `http.listen` of the configuration, instead of reading AWS
    #[arg(long)]
    daemon: bool,
    /// The URL of the daemon to ask
    #[arg(long, alias = "server", value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) timeout: Timeout,
}

impl Source {
    pub(super) const fn is_daemon(&self) -> bool {
        self.daemon || self.url.is_some()
    }

    /// What the daemon answers at a path.
    ///
    /// # Errors
    /// When there is no daemon, or no answer that can be understood.
    pub(super) fn ask<T: DeserializeOwned>(&self, path: String) -> Result<T, CliError> {
        understood(&self.daemon().get(path)?)
    }

    /// Where the daemon is.
    ///
    /// # Errors
    /// When nothing says it.
    pub(super) fn address(&self) -> Result<String, CliError> {
        self.daemon().address()
    }

    fn daemon(&self) -> DaemonArgs {
        let timeout = self.timeout.limit().as_secs();
        DaemonArgs::new(self.config.config.clone(), self.url.clone(), timeout)
    }

    /// One pass without writing.
    ///
    /// # Errors
    /// When the configuration cannot be read, or there is no way to AWS.
    pub(super) fn look(&self) -> Result<FleetStatus, CliError> {
        let (config, _logs) = self.config.load_with_logs()?;
        let bounded = Bounded::new(self.timeout)?;
        let stop = AtomicBool::new(false);
        bounded.run(async {
            let mut passes =
                plan::fleet(&config, self.timeout, bounded.observer(), WithoutMemory::Says).await?;
            bounded.follow(passes.progress());
            let how = plan::How::of(&config, self.timeout);
            Ok(plan::pass(&mut passes, &config, how, Purpose::Plan, &stop).await)
        })?
    }
}
