//! `setpoint config`: check, show and describe the configuration.

use std::process::ExitCode;

use super::CliError;

/// Check, show and describe the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
