//! `setpoint apply`: one pass with writing, after a confirmation.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use super::CliError;
use super::config_args::ConfigArgs;
use super::deadline::{Bounded, Timeout};
use super::plan::{self, Output};
use crate::model::decision::StepResult;
use crate::model::status::FleetStatus;
use crate::render::plan as render;

/// One pass with writing, after a confirmation. Writes to variants in `repair` or `auto` only; a
/// confirmed plan adopts the policies it changes and may change many variants at once.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    timeout: Timeout,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(CliError::usage("stdin is no terminal to ask on (use --yes)"));
    }
    let config = args.config.load_with_logs()?;
    let bounded = Bounded::new(args.timeout)?;
    let stop = AtomicBool::new(false);
    let (mut fleet, planned) = bounded.run(async {
        let mut fleet = plan::fleet(&config, args.timeout, bounded.observer()).await?;
        let planned = plan::pass(&mut fleet, &config, (false, true), &stop).await;
        Ok::<_, CliError>((fleet, planned))
    })??;
    plan::print(&planned, Output::Text);
    let changes = planned.variants.values().filter(|v| !v.decision.plan.is_empty()).count();
    if changes == 0 {
        anstream::println!("Nothing to write.");
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !confirmed(changes)? {
        return Err(CliError::failed("not confirmed, nothing was written"));
    }
    let writing = plan::pass(&mut fleet, &config, (true, true), &stop);
    let done = bounded.run_writing(writing, &stop)?;
    Ok(report(&done))
}

fn confirmed(changes: usize) -> Result<bool, CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("cannot ask: {error}"));
    anstream::print!("Write to {changes} variants? Only \"yes\" does. ");
    std::io::stdout().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim() == "yes")
}

/// Prints what became of every write; fails when one did not succeed.
fn report(fleet: &FleetStatus) -> ExitCode {
    let mut failed = false;
    for (id, status) in &fleet.variants {
        let name = render::name(fleet, id);
        for step in status.outcome.iter().flat_map(|outcome| &outcome.steps) {
            failed |= step.result != StepResult::Success;
            anstream::println!("{name}  {}  {}", step.operation, step.sentence);
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
