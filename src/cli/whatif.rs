//! `setpoint whatif`: what other choices would have done with a variant's own minutes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::TimeDelta;

use super::CliError;
use super::config_args::ConfigArgs;
use super::deadline::Timeout;
use super::export::{self, Recorded};
use super::replay::{load_test, parse_every, parse_share, parse_slo, unit};
use crate::cli::out::{self, Data, noteln, outln};
use crate::model::goal::{LatencyObjective, Objective};
use crate::model::ids::{AccountId, EndpointName, VariantName};
use crate::model::reaction::ReactionTime;
use crate::model::units::{
    InvocationsPerMinute, LatencyStatistic, RequestsPerSecond, SafetyFactor,
};
use crate::replay::report::tradeoff;
use crate::replay::whatif::{Asked, Present, output, whatif};
use crate::replay::{Recording, csv};
use crate::whatif::Tracking;
use crate::whatif::choice::INSTANCES_MAX;

/// The draws' seed: the same question has the same answer.
const SEED: u64 = 1;
/// Factors that are tried when none is named.
const FACTORS: [f64; 7] = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Show what other choices would have done with a variant's own traffic.
///
/// SOURCE is a file of recorded telemetry, as `setpoint export` writes it (`-` reads standard
/// input), or ENDPOINT/VARIANT, whose minutes are then read from CloudWatch. Each choice is run
/// through AWS's target tracking, minute by minute: how many instance-hours it takes, and how many
/// minutes break the objective. docs/whatif.md says what the simulator knows and what it leaves out.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file of recorded telemetry, or ENDPOINT/VARIANT.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Safety factors to try, separated by commas.
    #[arg(long, value_name = "FACTOR", value_delimiter = ',', value_parser = unit(SafetyFactor::new))]
    safety_factor: Vec<SafetyFactor>,
    /// Fewest instances to try, separated by commas.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = count())]
    min: Vec<u32>,
    /// Most instances to try, separated by commas; by default those of the scalable target, or any
    /// number.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = count())]
    max: Vec<u32>,
    /// Fixed numbers of instances (manual scaling) to compare with, separated by commas.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = count())]
    fixed: Vec<u32>,
    /// Scale-out cooldowns to try, such as 5m, separated by commas.
    #[arg(long, value_name = "TIME", value_delimiter = ',', default_value = "5m", value_parser = parse_every)]
    scale_out_cooldown: Vec<TimeDelta>,
    /// Scale-in cooldowns to try, such as 5m, separated by commas.
    #[arg(long, value_name = "TIME", value_delimiter = ',', default_value = "5m", value_parser = parse_every)]
    scale_in_cooldown: Vec<TimeDelta>,
    /// The start-up time of an instance, such as 5m; by default that of the instance type.
    #[arg(long, value_name = "TIME", value_parser = parse_every)]
    start_up: Option<TimeDelta>,
    /// The instance type, for the start-up time that is assumed; known of ENDPOINT/VARIANT.
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,
    /// Multiplies the recorded traffic, such as x1.5.
    #[arg(long, value_name = "xN", default_value = "x1", value_parser = parse_times)]
    traffic: f64,
    /// The price of one instance for an hour, in dollars.
    #[arg(long, value_name = "DOLLARS", value_parser = parse_price)]
    price_per_hour: Option<f64>,
    /// Bad minutes a week that are accepted.
    #[arg(long, value_name = "MINUTES", default_value = "10", value_parser = parse_budget)]
    budget: f64,
    /// Requests per second that one instance served well in a load test.
    #[arg(long, value_name = "RPS", value_parser = unit(RequestsPerSecond::new))]
    max_rps: Option<RequestsPerSecond>,
    /// What one instance serves, in invocations per minute, instead of the estimate.
    #[arg(long, value_name = "N", value_parser = unit(InvocationsPerMinute::new))]
    capacity: Option<InvocationsPerMinute>,
    /// The latency objective, such as p99=250ms, by which capacity is estimated.
    #[arg(long, value_name = "STATISTIC=TIME", value_parser = parse_slo)]
    slo: Option<LatencyObjective>,
    /// The largest share of 5XX answers, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = parse_share)]
    error_rate_max: f64,
    /// The target value in force; by default what the file or AWS says.
    #[arg(long, value_name = "N", value_parser = unit(InvocationsPerMinute::new))]
    configured_target: Option<InvocationsPerMinute>,
    /// The account of ENDPOINT/VARIANT, where `accounts` has several.
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// How far to look back in CloudWatch, at most 15d.
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = parse_every)]
    since: TimeDelta,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Writes a page with the curve to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    timeout: Timeout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// One JSON object.
    Json,
    /// The same as YAML.
    Yaml,
}

/// What was recorded, and what AWS says of the present setting.
struct Source {
    recording: Recording,
    tracking: Option<Tracking>,
    bounds: Option<(u32, u32)>,
    instance_type: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let source = read(args)?;
    for warning in &source.recording.warnings {
        noteln!("warning: {warning}");
    }
    let asked = asked(args, &source);
    let report = whatif(&source.recording.rows, &asked)
        .map_err(|error| CliError::failed(format!("{}: {error}", args.source)))?;
    let price = args.price_per_hour;
    match args.output {
        Output::Json => out::data(&output::json(&args.source, &report, price), Data::Json)?,
        Output::Yaml => out::data(&output::json(&args.source, &report, price), Data::Yaml)?,
        Output::Table => {
            let lines = |lines: Vec<String>| lines.join("\n") + "\n";
            out::text(&lines(output::preface(&report)))?;
            outln!("\n{}", output::table(&report, price, out::width()));
            out::text(&lines(output::conclusion(&report)))?;
        }
    }
    if let Some(path) = &args.html {
        std::fs::write(path, tradeoff::render(&args.source, &report, price))
            .map_err(|e| CliError::failed(format!("cannot write {}: {e}", path.display())))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn asked(args: &Args, source: &Source) -> Asked {
    let (min, max) = source.bounds.unwrap_or((1, INSTANCES_MAX));
    let or =
        |given: &[u32], otherwise| if given.is_empty() { vec![otherwise] } else { given.to_vec() };
    let (mins, maxs) = (or(&args.min, min), or(&args.max, max));
    let stated = args.configured_target.map(InvocationsPerMinute::get);
    let in_file = source.recording.rows.iter().rev().find_map(|row| row.configured_target);
    let present = stated.or(source.tracking.map(|t| t.target_value)).or(in_file);
    let present = present.map(|target_value| Present {
        tracking: Tracking {
            target_value,
            ..source.tracking.unwrap_or(Tracking::at(target_value))
        },
        min: if source.bounds.is_some() { min } else { mins[0] },
        max: if source.bounds.is_some() { max } else { maxs[0] },
    });
    let seconds = |times: &[TimeDelta]| -> Vec<u32> {
        times.iter().map(|t| u32::try_from(t.num_seconds()).unwrap_or(u32::MAX)).collect()
    };
    let instance_type = args.instance_type.as_deref().or(source.instance_type.as_deref());
    let prior = ReactionTime::prior(instance_type);
    let factors = args.safety_factor.iter().map(|f| f.get()).collect::<Vec<_>>();
    Asked {
        objective: Objective { latency: args.slo, error_rate_max: args.error_rate_max },
        max_rps: args.max_rps,
        capacity: args.capacity.map(InvocationsPerMinute::get),
        present,
        factors: if factors.is_empty() { FACTORS.to_vec() } else { factors },
        mins,
        maxs,
        scale_out_cooldowns: seconds(&args.scale_out_cooldown),
        scale_in_cooldowns: seconds(&args.scale_in_cooldown),
        fixed: args.fixed.clone(),
        reaction: args
            .start_up
            .map_or(prior, |time| prior.with_start_up(time.num_seconds() as f64 / 60.0)),
        traffic_times: args.traffic,
        budget: args.budget,
        seed: SEED,
    }
}

/// Reads a file, or what AWS has of a variant.
fn read(args: &Args) -> Result<Source, CliError> {
    let statistic = args.slo.map_or(LatencyStatistic::P99, |slo| slo.statistic);
    let name = args.source.as_str();
    let path = Path::new(name);
    let is_file = name == "-" || path.exists() || path.extension().is_some_and(|e| e == "csv");
    let failed = |error: csv::CsvError| CliError::failed(error.to_string());
    if is_file {
        let recording = if name == "-" {
            csv::read("standard input", std::io::stdin().lock(), statistic).map_err(failed)?
        } else {
            let file = std::fs::File::open(path)
                .map_err(|e| CliError::failed(format!("cannot open {name}: {e}")))?;
            csv::read(name, file, statistic).map_err(|error| {
                CliError::failed(load_test(path).unwrap_or_else(|| error.to_string()))
            })?
        };
        return Ok(Source { recording, tracking: None, bounds: None, instance_type: None });
    }
    let (endpoint, variant) = parse_variant(name)?;
    let wanted = export::Args {
        config: args.config.clone(),
        account: args.account.clone(),
        endpoint,
        variant,
        since: args.since,
        until: None,
        out: None,
        timeout: args.timeout,
    };
    let recorded = export::fetch(&wanted)?;
    let Recorded { telemetry, tracking, bounds, instance_type } = recorded;
    let recording = csv::read(name, telemetry.to_csv().as_bytes(), statistic).map_err(failed)?;
    let tracking = tracking.map(|t| Tracking {
        target_value: t.target_value,
        scale_out_cooldown: t.scale_out_cooldown_seconds().unsigned_abs(),
        scale_in_cooldown: t.scale_in_cooldown_seconds().unsigned_abs(),
        disable_scale_in: t.disable_scale_in.unwrap_or(false),
    });
    let bounds = bounds.map(|(min, max)| (min.max(1).unsigned_abs(), max.max(1).unsigned_abs()));
    Ok(Source { recording, tracking, bounds, instance_type })
}

fn parse_variant(name: &str) -> Result<(EndpointName, VariantName), CliError> {
    let wrong = |why: String| {
        CliError::usage(format!(
            "{name:?} is neither a file nor a variant: {why} (allowed: a file, or ENDPOINT/VARIANT)"
        ))
    };
    let (endpoint, variant) = name.split_once('/').unwrap_or((name, "AllTraffic"));
    let endpoint = EndpointName::new(endpoint).map_err(|e| wrong(e.to_string()))?;
    Ok((endpoint, VariantName::new(variant).map_err(|e| wrong(e.to_string()))?))
}

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(INSTANCES_MAX))
}

fn number(text: &str, allowed: std::ops::RangeInclusive<f64>) -> Option<f64> {
    text.parse::<f64>().ok().filter(|n| allowed.contains(n))
}

fn parse_times(text: &str) -> Result<f64, String> {
    let times = number(text.strip_prefix('x').unwrap_or(text), 0.01..=100.0);
    times
        .ok_or_else(|| format!("{text:?} is not a multiple (allowed: x0.01 to x100, such as x1.5)"))
}

fn parse_price(text: &str) -> Result<f64, String> {
    let price = number(text, 0.0..=100_000.0);
    price.ok_or_else(|| format!("{text:?} is not a price (allowed: dollars from 0 to 100000)"))
}

fn parse_budget(text: &str) -> Result<f64, String> {
    let minutes = number(text, 0.0..=10_080.0);
    minutes.ok_or_else(|| format!("{text:?} is not a budget (allowed: minutes a week, 0 to 10080)"))
}
