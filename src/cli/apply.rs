//! `setpoint apply`: one pass with writing, after a confirmation.

use std::process::ExitCode;

use super::CliError;

/// One pass with writing, after a confirmation.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
