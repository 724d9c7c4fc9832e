//! `setpoint explain`: why a variant is as it is, asked of a running daemon.

use std::process::ExitCode;

use super::get::{path_of_one, understood};
use super::{DaemonArgs, selector};
use crate::cli::CliError;
use crate::cli::exit::Exit;
use crate::cli::out::{out, outln};
use crate::cli::plan::Output;
use crate::model::selector::Selector;
use crate::render::explain::Explanation;

/// Explain a variant step by step as of the daemon's last pass: formula, evidence, capacity, what is
/// wanted, every guard that spoke, what AWS does, what would change the answer, and from which reads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 explained, 1 failed, 64 usage.")]
pub(in crate::cli) struct ExplainArgs {
    /// ENDPOINT/VARIANT or ACCOUNT/REGION/ENDPOINT/VARIANT
    #[arg(value_name = "VARIANT", value_parser = one)]
    variant: Selector,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    daemon: DaemonArgs,
}

fn one(text: &str) -> Result<Selector, String> {
    let found = selector(text)?;
    if found.variant.is_some() {
        Ok(found)
    } else {
        Err("allowed: ENDPOINT/VARIANT, ACCOUNT/REGION/ENDPOINT/VARIANT".to_owned())
    }
}

/// Runs `explain`.
///
/// # Errors
/// See [`CliError`].
pub(in crate::cli) fn explain(args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let path = path_of_one(&args.variant, "/explain")
        .ok_or_else(|| CliError::usage("one variant: ENDPOINT/VARIANT"))?;
    let answer = args.daemon.get(path)?;
    match args.output {
        Output::Json => outln!("{answer:#}"),
        Output::Text => out!("{}", understood::<Explanation>(&answer)?.text()),
    }
    Ok(Exit::Done.into())
}
