//! `setpoint calibrate`: from load tests' files to the rate, the target value and the configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::CliError;
use super::exit::Exit;
use super::input::Input;
use super::replay::{parse_share, parse_slo, unit};
use crate::calibrate::{self, Ask, Run};
use crate::cli::out::{noteln, out, outln};
use crate::model::formula::Formula;
use crate::model::goal::LatencyObjective;
use crate::model::units::{RequestsPerSecond, SafetyFactor};

/// The largest file that is read, unpacked: half an hour of k6 points at 1,000 requests/s.
const BYTES_MAX: u64 = 1 << 30;

/// Works out the load-tested rate and the target value from load tests' result files.
///
/// FILE is what a load tool wrote: k6 (summary JSON, --out json or csv), Locust
/// (stats_history.csv, stats.csv), JMeter (JTL as CSV or XML), Gatling (stats.json), Artillery,
/// vegeta (report as JSON or text, encode), wrk, wrk2, hey, ab, oha, genai-perf, AIPerf, the answer
/// of DescribeInferenceRecommendationsJob, or what `setpoint export` wrote. It is recognised by its content, gzip too.
/// Several files are steps of one test. docs/calibrate.md says how the answer is found.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 a rate or a lower bound, 1 a file that cannot be read or a \
                        result that allows no number, 64 usage.")]
#[expect(clippy::doc_markdown, reason = "the text is the command's help, where backticks look odd")]
pub(super) struct Args {
    /// The files; `-` reads standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The latency objective, such as p99=250ms; without one, a step is good up to twice the
    /// latency of the lightest.
    #[arg(long, value_name = "STATISTIC=TIME", value_parser = parse_slo)]
    slo: Option<LatencyObjective>,
    /// The largest share of errors, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = parse_share)]
    error_rate: f64,
    /// How many instances served the test: the rate is divided by it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    instances: u32,
    /// The share of the rate to aim at.
    #[arg(long, value_name = "FACTOR", default_value = "0.5", value_parser = unit(SafetyFactor::new))]
    safety_factor: SafetyFactor,
    /// The instance type: chooses among results of several, and goes into the block.
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// The steps, the answer, and how sure it is, for people.
    Text,
    /// One JSON object.
    Json,
    /// The `load_test:` block for the configuration.
    Yaml,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, or the results allow no number.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut runs: Vec<Run> = Vec::new();
    for path in &args.files {
        let (name, text) = contents(path)?;
        let read = calibrate::read(&name, &text);
        runs.extend(read.map_err(|problem| CliError::failed(problem.to_string()))?);
    }
    let ask = Ask {
        slo: args.slo,
        error_rate_max: args.error_rate,
        instances: args.instances,
        instance_type: args.instance_type.clone(),
    };
    let found = match calibrate::judge(&runs, &ask) {
        Ok(found) => found,
        Err(refusal) => {
            if !refusal.steps.is_empty() {
                noteln!("{}", calibrate::table(&refusal.steps, None, &ask));
            }
            return Err(CliError::failed(refusal.to_string()));
        }
    };
    let rate = RequestsPerSecond::new(found.max_rps);
    let formula = rate.and_then(|rate| Formula::new(rate, args.safety_factor));
    let formula = formula.map_err(|error| CliError::failed(error.to_string()))?;
    match args.output {
        Output::Text => out!("{}", calibrate::text(&runs, &ask, &found, &formula)),
        Output::Json => outln!("{:#}", calibrate::json(&runs, &found, &formula)),
        Output::Yaml => {
            for reason in &found.reasons {
                noteln!("note: {}", reason.text);
            }
            out!("{}", calibrate::yaml(&found));
        }
    }
    Ok(Exit::Done.into())
}

/// A file's name and text; one that gzip packed is unpacked.
fn contents(path: &Path) -> Result<(String, String), CliError> {
    let Input { name, bytes, .. } =
        Input::read(path, BYTES_MAX, Some("give the tool's summary"))?.unpacked()?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        CliError::failed(calibrate::binary(&name, e.as_bytes(), at).to_string())
    })?;
    Ok((name, text))
}
