//! `setpoint explain`: why a variant is as it is, asked of a running daemon.

use std::process::ExitCode;

use super::get::{known, near, path_of_one, understood};
use super::near::did_you_mean;
use super::{DaemonArgs, selector};
use crate::cli::CliError;
use crate::cli::exit::Exit;
use crate::cli::out::{self, Data, TextOutput};
use crate::model::ids::VariantId;
use crate::model::selector::Selector;
use crate::render::explain::Explanation;

/// Explain a variant step by step as of the daemon's last pass: formula, evidence, capacity, what is
/// wanted, every guard that spoke, what AWS does, what would change the answer, and from which reads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 explained, 1 failed, 64 usage.")]
pub(in crate::cli) struct ExplainArgs {
    /// ENDPOINT/VARIANT, ENDPOINT where it has one variant, or ACCOUNT/REGION/ENDPOINT/VARIANT
    #[arg(value_name = "VARIANT", value_parser = one)]
    variant: Selector,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = TextOutput::Text)]
    output: TextOutput,
    #[command(flatten)]
    daemon: DaemonArgs,
}

fn one(text: &str) -> Result<Selector, String> {
    let found = selector(text)?;
    if found.endpoint.is_some() {
        Ok(found)
    } else {
        Err("allowed: ENDPOINT/VARIANT, ENDPOINT, ACCOUNT/REGION/ENDPOINT/VARIANT".to_owned())
    }
}

/// The one variant that is meant, where only its endpoint is named.
fn only(selector: &Selector, daemon: &DaemonArgs) -> Result<Selector, CliError> {
    if selector.variant.is_some() {
        return Ok(selector.clone());
    }
    let known = known(daemon)?;
    let meant: Vec<&VariantId> = known.iter().filter(|id| selector.matches(id)).collect();
    match meant[..] {
        [id] => Ok(Selector {
            account_id: Some(id.account_id.clone()),
            region: Some(id.region.clone()),
            endpoint: Some(id.endpoint.clone()),
            variant: Some(id.variant.clone()),
        }),
        [] => {
            let near = did_you_mean(selector, known.iter());
            Err(CliError::failed(format!(
                "no variant matches {selector}{near} (setpoint get all lists all)"
            )))
        }
        _ => {
            let names: Vec<String> = meant.iter().map(ToString::to_string).collect();
            Err(CliError::failed(format!(
                "several variants match: name one of {}",
                names.join(", ")
            )))
        }
    }
}

/// Runs `explain`.
pub(in crate::cli) fn explain(args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let variant = only(&args.variant, &args.daemon)?;
    let path = path_of_one(&variant, "/explain")
        .ok_or_else(|| CliError::usage("one variant: ENDPOINT/VARIANT"))?;
    let answer = args.daemon.get(path).map_err(|error| near(error, &variant, &args.daemon))?;
    match args.output {
        TextOutput::Json => out::data(&answer, Data::Json)?,
        TextOutput::Yaml => out::data(&answer, Data::Yaml)?,
        TextOutput::Text => out::text(&understood::<Explanation>(&answer)?.text())?,
    }
    Ok(Exit::Done.into())
}
