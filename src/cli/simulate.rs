//! `setpoint simulate`: the embedded AWS: serve its wire protocols, grade the estimator.

use std::process::ExitCode;

use super::CliError;

/// The embedded AWS: serve its wire protocols, grade the estimator.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
