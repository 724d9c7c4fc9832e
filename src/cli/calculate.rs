//! `setpoint calculate`: the formula: load-tested rate x safety factor x 60.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::CliError;
use super::exit::Exit;
use crate::cli::out::{self, Data, TextOutput};
use crate::model::formula::{Formula, Mistake};
use crate::model::units::{InvocationsPerMinute, RequestsPerSecond, SafetyFactor, human};

/// No server answers more requests in a second.
const RPS_MAX: f64 = 10_000_000.0;

/// Works out a target value from a load test: max rps x safety factor x 60
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDANCE)]
pub(super) struct Args {
    /// The most requests per second that one instance served well in a load test
    #[arg(
        long,
        value_name = "RPS",
        value_parser = parse_number("requests per second, such as 20"),
        allow_negative_numbers = true,
        required_unless_present = "file"
    )]
    max_rps: Option<f64>,
    /// The share of that rate to aim at, above 0 and at most 1
    #[arg(
        long,
        value_name = "FACTOR",
        value_parser = parse_number("above 0 and at most 1, such as 0.5"),
        allow_negative_numbers = true,
        required_unless_present = "file"
    )]
    safety_factor: Option<f64>,
    /// Compare this target value with the answer: exit code 0 when equal, 2 otherwise
    #[arg(
        long,
        value_name = "VALUE",
        value_parser = parse_number("invocations per minute, such as 600"),
        allow_negative_numbers = true
    )]
    check: Option<f64>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value = "text")]
    output: TextOutput,
    /// A load test's file: read by `calibrate`, and taken here to say so
    #[arg(hide = true)]
    file: Option<std::path::PathBuf>,
}

/// A parser of numbers that says what it takes; their ranges are looked at where they are used.
fn parse_number(
    allowed: &'static str,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync {
    move |text| text.parse().map_err(|_| format!("it is not a number (allowed: {allowed})"))
}

const GUIDANCE: &str = "Choosing the factor: 0.5 to 0.7 for a first production deployment, higher \
                        when the traffic is predictable.\nExit codes: 0, 2 when --check differs, \
                        64 when the arguments make no sense.";

/// Runs the command.
///
/// # Errors
/// A usage error when a number is outside its range.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let usage = |flag: &str, error: crate::model::units::OutOfRange| {
        CliError::usage(format!("{flag}: {error}"))
    };
    let numbers = args.max_rps.zip(args.safety_factor).filter(|_| args.file.is_none());
    let Some((max_rps, factor)) = numbers else {
        let file = args.file.as_deref().unwrap_or(std::path::Path::new("FILE")).display();
        return Err(CliError::usage(format!(
            "calculate takes --max-rps and --safety-factor and no file; for the result of a load \
             test run: setpoint calibrate {file}"
        )));
    };
    if max_rps.is_finite() && max_rps > RPS_MAX {
        return Err(CliError::usage(format!(
            "--max-rps: {max_rps:e} is not a rate of one instance (allowed: requests per second, above 0 and \
             at most {RPS_MAX})"
        )));
    }
    let max_rps = RequestsPerSecond::new(max_rps).map_err(|e| usage("--max-rps", e))?;
    let factor = SafetyFactor::new(factor).map_err(|e| usage("--safety-factor", e))?;
    let formula = Formula::new(max_rps, factor).map_err(|e| usage("--max-rps", e))?;
    let checked = args.check.map(InvocationsPerMinute::new).transpose();
    let checked =
        checked.map_err(|e| usage("--check", e))?.map(|value| (value, formula.check(value).err()));
    match args.output {
        TextOutput::Text => out::text(&text(&formula, checked))?,
        TextOutput::Json => out::data(&object(&formula, checked), Data::Json)?,
        TextOutput::Yaml => out::data(&object(&formula, checked), Data::Yaml)?,
    }
    let differs = checked.is_some_and(|(_, mistake)| mistake.is_some());
    let exit = if differs { Exit::Differs } else { Exit::Done };
    Ok(exit.into())
}

type Checked = Option<(InvocationsPerMinute, Option<Mistake>)>;

fn text(formula: &Formula, checked: Checked) -> String {
    let Formula { max_rps, safety_factor, target_value, .. } = formula;
    let usable = human(formula.usable_rps);
    let steps = format!(
        "{max_rps} RPS x {safety_factor} = {usable} RPS\n\
         {usable} RPS x 60 = {target_value} invocations per minute per instance\n\
         target value: {target_value}\n"
    );
    let end = match checked {
        None => format!("\n{}\n", GUIDANCE.lines().next().unwrap_or_default()),
        Some((value, None)) => format!("check: {value} is right\n"),
        Some((value, Some(mistake))) => {
            format!("check: {value} is wrong: {}\n", mistake.explanation())
        }
    };
    steps + &end
}

fn object(formula: &Formula, checked: Checked) -> Value {
    let check = checked.map(|(value, mistake)| {
        json!({
            "value": number(value.get()),
            "ok": mistake.is_none(),
            "mistake": mistake.map(Mistake::as_str),
        })
    });
    json!({
        "max_rps": number(formula.max_rps.get()),
        "safety_factor": number(formula.safety_factor.get()),
        "usable_rps": number(formula.usable_rps),
        "target_value": number(formula.target_value.get()),
        "check": check,
    })
}

/// A whole number without its `.0`, as people write it.
fn number(v: f64) -> Value {
    if v.fract() == 0.0 && v < 1e15 { Value::from(v as i64) } else { Value::from(v) }
}
