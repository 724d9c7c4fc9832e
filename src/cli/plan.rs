//! `setpoint plan`: one pass without writing: what differs, and what would be done.

use std::process::ExitCode;

use super::CliError;

/// One pass without writing: what differs, and what would be done.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(_args: &Args) -> Result<ExitCode, CliError> {
    Err(CliError::failed("not built yet"))
}
