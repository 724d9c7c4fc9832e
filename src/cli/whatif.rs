//! `setpoint whatif`: what other choices would have done with a variant's own minutes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::TimeDelta;

use super::CliError;
use super::config_args::ConfigArgs;
use super::deadline::Timeout;
use super::export::{self, Recorded};
use super::replay::{load_test, parse_every, parse_share, parse_slo, unit};
use crate::cli::out::{self, Data, noteln, outln};
use crate::config::prices_of_file;
use crate::model::goal::{LatencyObjective, Objective};
use crate::model::ids::{AccountId, EndpointName, VariantName};
use crate::model::reaction::ReactionTime;
use crate::model::scale_out::Reaction;
use crate::model::series::Minute;
use crate::model::units::{
    InvocationsPerMinute, LatencyStatistic, RequestsPerSecond, SafetyFactor,
};
use crate::reaction_time::{Ledger, Seen};
use crate::replay::report::tradeoff;
use crate::replay::whatif::{Asked, Present, output, whatif};
use crate::replay::{Recording, csv};
use crate::whatif::Tracking;
use crate::whatif::choice::INSTANCES_MAX;

/// The draws' seed: the same question has the same answer.
const SEED: u64 = 1;
/// The largest share of 5XX answers where nobody says so: that of the default configuration.
const ERROR_RATE: f64 = 0.01;
/// Bad minutes a week that are accepted where nobody says so: as in the default configuration.
const BUDGET: f64 = 10.0;
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
    /// The start-up time of an instance, such as 5m; by default what the scaling activities of
    /// ENDPOINT/VARIANT show, and with fewer than five what is assumed of the instance type.
    #[arg(long, value_name = "TIME", value_parser = parse_every)]
    start_up: Option<TimeDelta>,
    /// The instance type, to assume a start-up time from; not needed for ENDPOINT/VARIANT.
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,
    /// Multiplies the recorded traffic, such as x1.5.
    #[arg(long, value_name = "xN", default_value = "x1", value_parser = parse_times)]
    traffic: f64,
    /// The price of one instance for an hour, in dollars.
    #[arg(long, value_name = "DOLLARS", value_parser = parse_price)]
    price_per_hour: Option<f64>,
    /// The YAML file with the dollars an hour of each instance type [default: `prices` of the
    /// configuration].
    #[arg(long, value_name = "FILE", conflicts_with = "price_per_hour")]
    prices: Option<PathBuf>,
    /// Bad minutes a week that are accepted [default: `objective.bad_minutes_per_week` of the
    /// configuration, else 10].
    #[arg(long, value_name = "MINUTES", value_parser = parse_budget)]
    budget: Option<f64>,
    /// Requests per second that one instance served well in a load test [default: that of the
    /// configuration].
    #[arg(long, value_name = "RPS", value_parser = unit(RequestsPerSecond::new))]
    max_rps: Option<RequestsPerSecond>,
    /// What one instance serves, in invocations per minute, instead of the estimate.
    #[arg(long, value_name = "N", value_parser = unit(InvocationsPerMinute::new))]
    capacity: Option<InvocationsPerMinute>,
    /// The latency objective, such as p99=250ms, by which capacity is estimated [default: that of the
    /// configuration].
    #[arg(long, value_name = "STATISTIC=TIME", value_parser = parse_slo)]
    slo: Option<LatencyObjective>,
    /// The largest share of 5XX answers, from 0 to 1 [default: that of the configuration, else 0.01].
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    error_rate_max: Option<f64>,
    /// The target value in force; by default what the file or AWS says.
    #[arg(long, value_name = "N", value_parser = unit(InvocationsPerMinute::new))]
    configured_target: Option<InvocationsPerMinute>,
    /// The account of ENDPOINT/VARIANT, where `accounts` has several.
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// How far to look back in CloudWatch, at most 15d.
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = parse_every)]
    since: TimeDelta,
    /// All choices in the table, not only those worth reading.
    #[arg(long)]
    all: bool,
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
    /// One choice a row.
    Csv,
    /// The same, as YAML.
    Yaml,
}

/// What was recorded, and what AWS says of the present setting.
struct Source {
    recording: Recording,
    tracking: Option<Tracking>,
    bounds: Option<(u32, u32)>,
    instance_type: Option<String>,
    /// What counts as serving well, by the flags and the configuration.
    objective: Objective,
    /// The bad minutes a week that the configuration accepts.
    budget: Option<f64>,
    /// The load-tested rate of the configuration.
    max_rps: Option<RequestsPerSecond>,
    /// How fast the variant reacts, by its scaling activities.
    reaction: Option<Reaction>,
    prices: Arc<BTreeMap<String, f64>>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let source = read(args)?;
    for warning in &source.recording.warnings {
        noteln!("warning: {warning}");
    }
    let asked = asked(args, &source);
    let report = whatif(&source.recording.rows, &asked)
        .map_err(|error| CliError::failed(format!("{}: {error}", args.source)))?;
    let price = price(args, &source)?;
    match args.output {
        Output::Csv => out::text(&output::csv(&report, price))?,
        Output::Json => out::data(&output::json(&args.source, &report, price), Data::Json)?,
        Output::Yaml => out::data(&output::json(&args.source, &report, price), Data::Yaml)?,
        Output::Table => {
            let lines = |lines: Vec<String>| lines.join("\n") + "\n";
            out::text(&lines(output::preface(&report)))?;
            let shown =
                if args.all { output::every(&report) } else { output::worth_reading(&report) };
            outln!("\n{}", output::table(&report, &shown, price, out::width()));
            let left_out = report.choices.len() - shown.len();
            if left_out > 0 {
                outln!(
                    "{left_out} more choices are left out: one of these beats them, or is nearer to the cheapest; \
                     --all shows them."
                );
            }
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
    let seen = source.reaction.as_ref().map(|reaction| reaction.time);
    let known = seen.unwrap_or_else(|| ReactionTime::prior(instance_type));
    let factors = args.safety_factor.iter().map(|f| f.get()).collect::<Vec<_>>();
    Asked {
        objective: source.objective,
        max_rps: args.max_rps.or(source.max_rps),
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
            .map_or(known, |time| known.with_start_up(time.num_seconds() as f64 / 60.0)),
        scale_outs: source.reaction.as_ref().map(|reaction| reaction.scale_outs),
        traffic_times: args.traffic,
        budget: args.budget.or(source.budget).unwrap_or(BUDGET),
        seed: SEED,
    }
}

/// The dollars that an instance costs for an hour, where anybody says so: none is ever invented.
fn price(args: &Args, source: &Source) -> Result<Option<f64>, CliError> {
    if args.price_per_hour.is_some() {
        return Ok(args.price_per_hour);
    }
    let instance_type = args.instance_type.as_ref().or(source.instance_type.as_ref());
    let Some(path) = &args.prices else {
        return Ok(instance_type.and_then(|name| source.prices.get(name)).copied());
    };
    let prices = prices_of_file(path).map_err(CliError::failed)?;
    let Some(name) = instance_type else {
        let why = "--prices goes by instance type, and it is not known (give --instance-type)";
        return Err(CliError::usage(why));
    };
    let found = prices.get(name).copied();
    found.map(Some).ok_or_else(|| {
        CliError::failed(format!("{} has no price of {name} (add it)", path.display()))
    })
}

/// What counts as serving well: what the flags say, else the configuration.
fn objective(args: &Args, configured: Option<Objective>) -> Objective {
    let otherwise = configured.unwrap_or(Objective { latency: None, error_rate_max: ERROR_RATE });
    Objective {
        latency: args.slo.or(otherwise.latency),
        error_rate_max: args.error_rate_max.unwrap_or(otherwise.error_rate_max),
    }
}

/// Reads a file, or what AWS has of a variant.
fn read(args: &Args) -> Result<Source, CliError> {
    let name = args.source.as_str();
    let path = Path::new(name);
    let is_file = name == "-" || path.exists() || path.extension().is_some_and(|e| e == "csv");
    if is_file { read_file(args, path) } else { read_variant(args) }
}

fn statistic(objective: &Objective) -> LatencyStatistic {
    objective.latency.map_or(LatencyStatistic::P99, |slo| slo.statistic)
}

fn read_file(args: &Args, path: &Path) -> Result<Source, CliError> {
    let name = args.source.as_str();
    // A file says nothing of its variant: what holds for every variant goes for it.
    let config = if args.config.config.is_empty() { None } else { Some(args.config.load()?) };
    let objective = objective(args, config.as_ref().map(|config| config.defaults.objective));
    let failed = |error: csv::CsvError| CliError::failed(error.to_string());
    let recording = if name == "-" {
        let input = std::io::stdin().lock();
        csv::read("standard input", input, statistic(&objective)).map_err(failed)?
    } else {
        let file = std::fs::File::open(path)
            .map_err(|e| CliError::failed(format!("cannot open {name}: {e}")))?;
        csv::read(name, file, statistic(&objective)).map_err(|error| {
            CliError::failed(load_test(path).unwrap_or_else(|| error.to_string()))
        })?
    };
    Ok(Source {
        recording,
        tracking: None,
        bounds: None,
        instance_type: None,
        objective,
        budget: config.as_ref().map(|config| config.defaults.bad_minutes_per_week),
        max_rps: None,
        reaction: None,
        prices: config.map(|config| Arc::clone(&config.prices)).unwrap_or_default(),
    })
}

fn read_variant(args: &Args) -> Result<Source, CliError> {
    let name = args.source.as_str();
    let (endpoint, variant) = parse_variant(name)?;
    let wanted = export::Wanted {
        config: args.config.clone(),
        account: args.account.clone(),
        endpoint,
        variant,
        since: args.since,
        until: None,
        timeout: args.timeout,
    };
    let recorded = export::fetch(&wanted)?;
    let Recorded { telemetry, tracking, bounds, instance_type, activities, goal, prices } =
        recorded;
    let objective = objective(args, goal.as_ref().map(|goal| goal.objective));
    let recording = csv::read(name, telemetry.to_csv().as_bytes(), statistic(&objective))
        .map_err(|error| CliError::failed(error.to_string()))?;
    let minutes: Vec<Minute> = recording.rows.iter().map(|row| row.minute).collect();
    let mut ledger = Ledger::default();
    ledger.note(&Seen {
        activities: &activities,
        alarms: &[],
        minutes: &minutes,
        target: tracking.as_ref().map(|tracking| tracking.target_value),
        objective: &objective,
        instance_type: instance_type.as_deref(),
    });
    let tracking = tracking.as_ref().map(Tracking::from);
    let bounds = bounds.map(|(min, max)| (min.max(1).unsigned_abs(), max.max(1).unsigned_abs()));
    let budget = goal.as_ref().map(|goal| goal.bad_minutes_per_week);
    let load_test = goal.and_then(|goal| goal.load_test);
    Ok(Source {
        recording,
        tracking,
        bounds,
        objective,
        budget,
        max_rps: load_test.map(|test| test.max_rps),
        reaction: Some(ledger.summary(instance_type.as_deref())),
        instance_type,
        prices,
    })
}

fn parse_variant(name: &str) -> Result<(EndpointName, VariantName), CliError> {
    let wrong = |why: String| {
        CliError::usage(format!(
            "{name:?} is neither a file nor a variant: {why} (allowed: a file, or ENDPOINT/VARIANT)"
        ))
    };
    let (endpoint, variant) = name.split_once('/').unwrap_or((name, export::USUAL_VARIANT));
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
