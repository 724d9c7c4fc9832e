//! `setpoint plan`: one pass without writing: what differs, and what would be done.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::config_args::ConfigArgs;
use super::exit::{self, Exit};
use super::{CliError, compose};
use crate::config::Config;
use crate::daemon::{open_freeze, pass_settings};
use crate::model::status::FleetStatus;
use crate::ports::{Clock, NoObserver};
use crate::reconcile::{CostMeter, Fleet, PassInput};
use crate::render::plan as render;
use crate::system::{Alone, WallClock};

/// One pass without writing: what differs, and what would be done.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Tell by the exit code what was found (below); without it only 1, 3 when an account and region
    /// could not be read, and 64
    #[arg(long)]
    detailed_exitcode: bool,
}

/// How to print a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// A diff for people.
    Text,
    /// JSON for programs.
    Json,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let config = args.config.load_with_logs()?;
    let fleet = compose::runtime()?.block_on(async {
        let mut passes = fleet(&config).await?;
        Ok(pass(&mut passes, &config, false, false).await)
    })?;
    print(&fleet, args.output);
    let exit = if args.detailed_exitcode { Exit::of_plan(&fleet) } else { Exit::of_scopes(&fleet) };
    Ok(exit.into())
}

/// What makes passes over every account and region of the configuration.
pub(super) async fn fleet(config: &Config) -> Result<Fleet, CliError> {
    let aws = compose::connect(config, Arc::new(NoObserver)).await?;
    let memory = compose::memory(config, &aws);
    Ok(Fleet::new(aws, Arc::new(WallClock), Arc::new(Alone), memory, CostMeter::default()))
}

/// One pass with everything read; with `act` it writes.
pub(super) async fn pass(
    fleet: &mut Fleet,
    config: &Config,
    act: bool,
    confirmed: bool,
) -> FleetStatus {
    let settings = pass_settings(config);
    let freeze = open_freeze(config, WallClock.now());
    fleet
        .pass(PassInput {
            goals: config,
            settings: &settings,
            telemetry: true,
            anew: None,
            act,
            confirmed,
            approved: &BTreeSet::new(),
            freeze: freeze.as_ref(),
            stop: &AtomicBool::new(false),
        })
        .await
}

pub(super) fn print(fleet: &FleetStatus, output: Output) {
    match output {
        Output::Text => anstream::print!("{}", render::text(fleet)),
        Output::Json => anstream::println!("{:#}", render::json(fleet)),
    }
}
