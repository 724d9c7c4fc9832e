//! `setpoint plan`: one pass without writing: what differs, and what would be done.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::config_args::ConfigArgs;
use super::{CliError, compose};
use crate::config::Config;
use crate::daemon::{open_freeze, pass_settings};
use crate::model::status::FleetStatus;
use crate::ports::{Clock, NoObserver};
use crate::reconcile::{CostMeter, Fleet, PassInput, Purpose};
use crate::render::plan as render;
use crate::system::{Alone, WallClock};

/// One pass without writing: what differs, and what would be done.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Exit 0 when nothing differs, 2 when something does (held or not), 3 when something could
    /// not be compared, 1 on an error
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
        Ok(pass(&mut passes, &config, Purpose::Plan).await)
    })?;
    print(&fleet, args.output);
    let code = if args.detailed_exitcode { render::exit_code(&fleet) } else { 0 };
    Ok(ExitCode::from(code))
}

/// What makes passes over every account and region of the configuration.
pub(super) async fn fleet(config: &Config) -> Result<Fleet, CliError> {
    let aws = compose::connect(config, Arc::new(NoObserver)).await?;
    let memory = compose::memory(config, &aws);
    Ok(Fleet::new(aws, Arc::new(WallClock), Arc::new(Alone), memory, CostMeter::default()))
}

/// One pass with everything read.
pub(super) async fn pass(fleet: &mut Fleet, config: &Config, purpose: Purpose<'_>) -> FleetStatus {
    let settings = pass_settings(config);
    let freeze = open_freeze(config, WallClock.now());
    fleet
        .pass(PassInput {
            goals: config,
            settings: &settings,
            telemetry: true,
            anew: None,
            purpose,
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
