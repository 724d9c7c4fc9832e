//! `setpoint report`: what a fleet wastes and risks, ranked, in hours and dollars.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::Deserialize;

use super::CliError;
use super::ask::{ListedScope, parse_selector, understood, unreadable};
use super::exit::Exit;
use super::source::Source;
use crate::cli::out::{self, Data, noteln, out};
use crate::config::prices_of_file;
use crate::model::selector::Selector;
use crate::render::trouble::scopes;
use crate::report::{self, Ask, DEFAULT_IDLE_DAYS, Report};

/// Show what the fleet wastes (instance hours above what the safe target needs, idle variants, min that
/// binds) and what it risks (minutes over capacity, buffer with one instance less), over the last week.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 shown, 3 an account and region that was asked for cannot be read, so \
                        that variants may be missing, 1 failed, 64 usage."
)]
pub(super) struct Args {
    /// ENDPOINT/VARIANT, ENDPOINT for all its variants, ACCOUNT/REGION/ENDPOINT/VARIANT, or all
    #[arg(value_name = "VARIANT|all", value_parser = parse_selector, default_value = "all")]
    variant: Selector,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The YAML file with the dollars an hour of each instance type [default: `prices` of the
    /// configuration]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Days without invocations after which a variant is idle
    #[arg(long, value_name = "DAYS", default_value_t = DEFAULT_IDLE_DAYS,
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    idle_days: u16,
    #[command(flatten)]
    source: Source,
}

/// How to print a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Two tables.
    Text,
    /// A row for each variant.
    Csv,
    /// JSON for programs.
    Json,
    /// The same, as YAML.
    Yaml,
    /// One page that needs nothing from elsewhere.
    Html,
}

#[derive(Debug, Deserialize)]
struct Answer {
    report: Report,
    #[serde(default)]
    scopes: Vec<ListedScope>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut answer = if args.source.is_daemon() { ask(args)? } else { look(args)? };
    answer.report.keep(|id| args.variant.matches(id));
    let unreadable = unreadable(&answer.scopes, &args.variant);
    if answer.report.variants.is_empty() && !args.variant.is_all() {
        let what = format!("no variant matches {} (setpoint plan lists all)", args.variant);
        return Err(CliError::failed(what));
    }
    match args.output {
        Output::Text => out::text(&report::text(&answer.report, out::width()))?,
        Output::Html => out!("{}", report::html(&answer.report)),
        Output::Json => out::data(&answer.report, Data::Json)?,
        Output::Yaml => out::data(&answer.report, Data::Yaml)?,
        Output::Csv => {
            let text = report::csv(&answer.report);
            out!("{}", text.map_err(|error| CliError::failed(format!("no CSV: {error}")))?);
        }
    }
    for sentence in &unreadable {
        noteln!("warning: {sentence}");
    }
    Ok(if unreadable.is_empty() { Exit::Done } else { Exit::NotCompared }.into())
}

fn ask(args: &Args) -> Result<Answer, CliError> {
    if args.prices.is_some() {
        return Err(CliError::usage(
            "the daemon has prices of its own: --prices is for reading AWS",
        ));
    }
    args.source.ask(format!("/api/v1/report?idle_days={}", args.idle_days))
}

/// One pass without writing.
fn look(args: &Args) -> Result<Answer, CliError> {
    let prices = args.prices.as_deref().map(prices_of_file).transpose();
    let prices = prices.map_err(|found| CliError::failed(format!("--prices: found {found}")))?;
    let fleet = args.source.look()?;
    let prices = prices.map_or_else(|| Arc::clone(&fleet.prices), Arc::new);
    let idle_after = TimeDelta::days(i64::from(args.idle_days));
    let scopes = serde_json::to_value(scopes(&fleet)).unwrap_or_default();
    Ok(Answer {
        report: report::report(&fleet, Ask { prices: &prices, idle_after }, |_| true),
        scopes: understood(&scopes)?,
    })
}
