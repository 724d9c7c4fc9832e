//! `setpoint apply`: a plan, a question, and the writes that a person has said yes to.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use super::CliError;
use super::config_args::ConfigArgs;
use super::deadline::{Bounded, Timeout};
use super::exit::{self, Exit};
use super::plan::{self, How, WithoutMemory};
use crate::cli::out::{TextOutput, out, outln};
use crate::model::consent::{CarriedOut, Confirmed, Consent};
use crate::model::status::FleetStatus;
use crate::reconcile::Purpose;
use crate::render::plan as render;

/// Show what would be written, ask, and write exactly that. Writes to variants in `repair` or
/// `auto` only. A yes adopts the policies it changes and may change many variants at once; what
/// has changed since the question is not written and is printed, and the exit code is then 2.
#[derive(Debug, clap::Args)]
#[command(after_help = exit::HELP)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Do not ask: write what the plan shows
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    timeout: Timeout,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(CliError::usage(
            "cannot ask for confirmation: stdin is not a terminal (use --yes)",
        ));
    }
    let (config, _logs) = args.config.load_with_logs()?;
    let bounded = Bounded::new(args.timeout)?;
    let stop = AtomicBool::new(false);
    let (mut fleet, planned) = bounded.run(async {
        let mut fleet =
            plan::fleet(&config, args.timeout, bounded.observer(), WithoutMemory::Ends).await?;
        bounded.follow(fleet.progress());
        let how = How::of(&config, args.timeout);
        let planned = plan::pass(&mut fleet, &config, how, Purpose::Ask, &stop).await;
        Ok::<_, CliError>((fleet, planned))
    })??;
    plan::print(&planned, TextOutput::Text)?;
    let consent = Consent::to_plan(&planned);
    if consent.is_empty() {
        outln!("Nothing to write.");
        return Ok(Exit::of_plan(&planned).into());
    }
    if !args.yes && !confirmed(consent.len())? {
        return Err(CliError::failed("not confirmed, nothing was written"));
    }
    // The world is read again: it went on while the plan was being read.
    let how = How::of(&config, args.timeout);
    let writing = plan::pass(&mut fleet, &config, how, Purpose::Apply(&consent), &stop);
    let done = bounded.run_writing(writing, &stop)?;
    report(&done, &consent.carried_out(&done))
}

fn confirmed(changes: usize) -> Result<bool, CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("cannot ask: {error}"));
    let variants = if changes == 1 { "variant" } else { "variants" };
    out!("Write to {changes} {variants}? Only \"yes\" does. ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim() == "yes")
}

/// Prints what became of every write, and what was not written because it is no longer as it was
/// shown.
fn report(fleet: &FleetStatus, carried_out: &CarriedOut) -> Result<ExitCode, CliError> {
    for (id, status) in &fleet.variants {
        let name = render::name(fleet, id);
        for step in status.outcome.iter().flat_map(|outcome| &outcome.steps) {
            outln!("{name}  {}  {}", step.operation, step.sentence);
        }
    }
    let CarriedOut { waiting, differs, .. } = carried_out;
    for Confirmed { variant, field, change, found } in waiting.iter().chain(differs) {
        let name = render::name(fleet, variant);
        let shown = if change.is_empty() { String::new() } else { format!(" {change}") };
        outln!("not written: {name}  {field}{shown}: {found}");
    }
    let as_shown = waiting.is_empty() && differs.is_empty();
    let carried_out = if as_shown { Exit::Done } else { Exit::Differs };
    Ok(Exit::worst([Exit::of_writes(fleet), carried_out]).into())
}
