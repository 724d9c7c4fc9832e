//! `setpoint run`: reconcile continuously.

use std::process::ExitCode;

use super::CliError;

/// Reconcile continuously.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
