//! `setpoint demo`: see the main job on the embedded AWS, without an account.

use std::process::ExitCode;

use super::CliError;

/// See the main job on the embedded AWS, without an account.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
