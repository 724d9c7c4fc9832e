//! `setpoint calculate`: the formula: load-tested rate x safety factor x 60.

use std::process::ExitCode;

use super::CliError;

/// The formula: load-tested rate x safety factor x 60.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
