//! `setpoint replay`: estimate and decide over recorded telemetry.

use std::process::ExitCode;

use super::CliError;

/// Estimate and decide over recorded telemetry.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
