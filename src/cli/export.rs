//! `setpoint export`: write the telemetry of a variant in the form that replay reads.

use std::process::ExitCode;

use super::CliError;

/// Write the telemetry of a variant in the form that replay reads.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
