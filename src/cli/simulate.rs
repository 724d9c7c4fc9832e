//! `setpoint simulate`: the embedded AWS: serve its wire protocols, grade the estimator.

mod grade;
mod serve;

use std::process::ExitCode;

use super::CliError;

/// The embedded AWS: serve its wire protocols, grade the estimator.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: SimulateCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SimulateCommand {
    Serve(serve::Args),
    Grade(grade::Args),
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    match &args.command {
        SimulateCommand::Serve(args) => serve::run(args),
        SimulateCommand::Grade(args) => grade::run(args),
    }
}
