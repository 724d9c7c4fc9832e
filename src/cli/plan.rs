//! `setpoint plan`: one pass without writing: what differs, and what would be done.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::config_args::ConfigArgs;
use super::deadline::{Bounded, Timeout};
use super::{CliError, compose};
use crate::config::Config;
use crate::daemon::{open_freeze, pass_settings};
use crate::model::status::FleetStatus;
use crate::ports::{CallObserver, Clock};
use crate::reconcile::{CostMeter, Fleet, PassInput};
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
    #[command(flatten)]
    timeout: Timeout,
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
    let bounded = Bounded::new(args.timeout)?;
    let stop = AtomicBool::new(false);
    let fleet = bounded.run(async {
        let mut passes = fleet(&config, args.timeout, bounded.observer()).await?;
        Ok::<_, CliError>(pass(&mut passes, &config, (false, false), &stop).await)
    })??;
    print(&fleet, args.output);
    let code = if args.detailed_exitcode { render::exit_code(&fleet) } else { 0 };
    Ok(ExitCode::from(code))
}

/// What makes passes over every account and region of the configuration.
pub(super) async fn fleet(
    config: &Config,
    timeout: Timeout,
    observer: Arc<dyn CallObserver>,
) -> Result<Fleet, CliError> {
    let aws = compose::connect(config, timeout, observer).await?;
    let memory = compose::memory(config, &aws);
    Ok(Fleet::new(aws, Arc::new(WallClock), Arc::new(Alone), memory, CostMeter::default()))
}

/// One pass with everything read; with `act` it writes.
pub(super) async fn pass(
    fleet: &mut Fleet,
    config: &Config,
    (act, confirmed): (bool, bool),
    stop: &AtomicBool,
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
            stop,
        })
        .await
}

pub(super) fn print(fleet: &FleetStatus, output: Output) {
    match output {
        Output::Text => anstream::print!("{}", render::text(fleet)),
        Output::Json => anstream::println!("{:#}", render::json(fleet)),
    }
}
