//! `setpoint replay`: estimate and decide over recorded telemetry.

mod record;

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;

use super::CliError;
use super::deadline::Progress;
use crate::cli::out::noteln;
use crate::model::goal::{LatencyObjective, Objective};
use crate::model::span::{SPANS, parse_span};
use crate::model::time::Timestamp;
use crate::model::units::{
    InvocationsPerMinute, LatencyStatistic, RequestsPerSecond, SafetyFactor,
};
use crate::replay::{Evaluation, Recording, ReplaySettings, csv, output, replay, report};

/// So much of a file is looked at to recognise a load test's result.
const BEGINNING: u64 = 64 << 20;

/// Estimate and decide over recorded telemetry.
///
/// FILE has one row a minute with the columns timestamp, invocations, invocations_per_instance,
/// latency_p99_us (and whichever statistic --slo names), latency_p50_us, errors_5xx, and
/// optionally instances, desired_instances, endpoint_config, configured_target, min_capacity,
/// max_capacity and period_seconds. `setpoint export` writes it. All target values and capacities
/// are invocations per minute per instance.
///
/// With --variant, estimate and decide once more on a variant that `setpoint get ENDPOINT/VARIANT -o json`
/// wrote: the same as the running daemon, with its reasons, without AWS. Exit codes: 0 estimate and decision
/// are the same, 2 this setpoint estimates or decides differently, 1 failed, 64 usage.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "the text is the command's help, where backticks look odd")]
pub(super) struct Args {
    /// The recorded telemetry; `-` reads standard input.
    #[arg(required_unless_present = "variant")]
    file: Option<PathBuf>,
    /// A variant as `setpoint get ENDPOINT/VARIANT -o json` wrote it; `-` reads standard input.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "file", "max_rps", "safety_factor", "slo", "error_rate_max", "configured_target",
            "from", "every", "report"
        ]
    )]
    variant: Option<PathBuf>,
    /// Requests per second that one instance served well in a load test.
    #[arg(long, value_name = "RPS", value_parser = unit(RequestsPerSecond::new))]
    max_rps: Option<RequestsPerSecond>,
    /// The share of capacity to aim at.
    #[arg(long, value_name = "FACTOR", default_value = "0.5", value_parser = unit(SafetyFactor::new))]
    safety_factor: SafetyFactor,
    /// The latency objective, such as p99=250ms; without one capacity is not judged.
    #[arg(long, value_name = "STATISTIC=TIME", value_parser = parse_slo)]
    slo: Option<LatencyObjective>,
    /// The largest share of 5XX answers, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = parse_share)]
    error_rate_max: f64,
    /// The target value in force; by default max-rps x safety-factor x 60.
    #[arg(long, value_name = "N", value_parser = unit(InvocationsPerMinute::new))]
    configured_target: Option<InvocationsPerMinute>,
    /// When decisions begin (RFC 3339); rows before it are history. By default the first row.
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// Time between passes, such as 6h, 30m or 1d; the daemon's is 1m.
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = parse_every)]
    every: TimeDelta,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Writes a report with plots to this file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// One JSON object a line.
    Json,
    /// For spreadsheets.
    Csv,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    match (&args.variant, &args.file) {
        (Some(variant), _) => record::run(variant, args.output),
        (None, Some(file)) => telemetry(args, file),
        (None, None) => Err(CliError::usage("FILE, or --variant FILE")),
    }
}

fn telemetry(args: &Args, file: &Path) -> Result<ExitCode, CliError> {
    let settings = ReplaySettings {
        objective: Objective { latency: args.slo, error_rate_max: args.error_rate_max },
        max_rps: args.max_rps,
        safety_factor: args.safety_factor,
        configured_target: args.configured_target.map(InvocationsPerMinute::get),
        made_at: None,
        from: args.from,
        every: args.every,
        refinements: crate::estimate::Refinements::ALL,
    };
    let recording = read(args, file)?;
    for warning in &recording.warnings {
        noteln!("warning: {warning}");
    }
    let mut evaluations: Vec<Evaluation> = Vec::new();
    let mut failed = None;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut print = |line: &str| {
        if failed.is_none() {
            failed = writeln!(out, "{line}").err();
        }
    };
    match args.output {
        Output::Table => print(&output::table_header()),
        Output::Csv => print(&csv_line(output::CSV_HEADER)),
        Output::Json => {}
    }
    let (shown, until) =
        (Arc::new(AtomicI64::new(0)), recording.rows.last().map(|row| row.minute.at));
    let _progress = follow(&shown, until);
    replay(&recording.rows, &settings, |evaluation| {
        shown.store(evaluation.at.timestamp(), Ordering::Relaxed);
        print(&match args.output {
            Output::Table => output::table_row(&evaluation),
            Output::Json => output::json(&evaluation).to_string(),
            Output::Csv => csv_line(output::csv_fields(&evaluation)),
        });
        evaluations.push(evaluation);
    });
    if args.output == Output::Table
        && let Some(last) = evaluations.last()
    {
        print(&format!("\n{}", last.estimate.sentence));
        print(&last.factor.sentence());
    }
    let failed = failed.or_else(|| out.flush().err());
    // Whoever closes the pipe has seen enough.
    if let Some(error) = failed.filter(|e| e.kind() != std::io::ErrorKind::BrokenPipe) {
        return Err(CliError::failed(format!("cannot write the output: {error}")));
    }
    if let Some(path) = &args.report {
        let name = file.display().to_string();
        let page = report::render(&name, &recording.rows, &settings, &evaluations);
        std::fs::write(path, page)
            .map_err(|e| CliError::failed(format!("cannot write {}: {e}", path.display())))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows on the terminal how far a long replay has got; the table itself does, where it goes there.
fn follow(shown: &Arc<AtomicI64>, until: Option<Timestamp>) -> Option<Progress> {
    if std::io::stdout().is_terminal() {
        return None;
    }
    let (shown, until) = (Arc::clone(shown), until?);
    let day = |at: Timestamp| at.format("%Y-%m-%d %H:%M").to_string();
    Some(Progress::begin(move || {
        let at = Timestamp::from_timestamp(shown.load(Ordering::Relaxed), 0).unwrap_or_default();
        let at = if at == Timestamp::default() { "the beginning".to_owned() } else { day(at) };
        format!("replaying: at {at} of {} UTC", day(until))
    }))
}

fn read(args: &Args, path: &Path) -> Result<Recording, CliError> {
    let name = path.display().to_string();
    let statistic = args.slo.map_or(LatencyStatistic::P99, |slo| slo.statistic);
    let result = if name == "-" {
        csv::read("standard input", std::io::stdin().lock(), statistic)
    } else {
        let file =
            File::open(path).map_err(|e| CliError::failed(format!("cannot open {name}: {e}")))?;
        csv::read(&name, file, statistic)
    };
    result.map_err(|error| CliError::failed(load_test(path).unwrap_or(error.to_string())))
}

/// The beginning of a file, by which a tool is recognised.
fn beginning(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(BEGINNING).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// What to do with a file that is no recorded telemetry but a load test's result.
pub(super) fn load_test(path: &std::path::Path) -> Option<String> {
    let tool = crate::calibrate::recognise(&beginning(path)?)?;
    if tool == crate::calibrate::Tool::Telemetry {
        return None;
    }
    let (name, tool) = (path.display(), tool.name());
    Some(format!(
        "{name} is a file of {tool}, the result of a load test, and no recorded telemetry; run: \
         setpoint calibrate {name}"
    ))
}

fn csv_line<I: IntoIterator<Item = T>, T: AsRef<[u8]>>(fields: I) -> String {
    let mut writer = ::csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(fields);
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

/// A parser of numbers with a unit's own check.
pub(super) fn unit<T: Clone + Send + Sync + 'static, E: std::fmt::Display + 'static>(
    check: fn(f64) -> Result<T, E>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<f64>().map_err(|_| format!("{text:?} is not a number"))?;
        check(number).map_err(|e| e.to_string())
    }
}

pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|s| (0.0..=1.0).contains(s));
    share.ok_or_else(|| format!("{text:?} is not a share (allowed: a number from 0 to 1)"))
}

pub(super) fn parse_slo(text: &str) -> Result<LatencyObjective, String> {
    let wrong = || {
        format!(
            "{text:?} is not a latency objective (allowed: avg, p50, p90, p95 or p99, then = and \
             a time in us, ms or s, such as p99=250ms)"
        )
    };
    let (statistic, time) = text.split_once('=').ok_or_else(wrong)?;
    let statistic =
        LatencyStatistic::ALL.into_iter().find(|s| s.as_str() == statistic).ok_or_else(wrong)?;
    let units = [("ms", 1.0), ("us", 1e-3), ("s", 1e3)];
    let (number, in_ms) = units
        .iter()
        .find_map(|(unit, in_ms)| Some((time.strip_suffix(unit)?, in_ms)))
        .ok_or_else(wrong)?;
    let threshold_ms = number.trim().parse::<f64>().map_err(|_| wrong())? * in_ms;
    if threshold_ms.is_finite() && threshold_ms > 0.0 {
        Ok(LatencyObjective { statistic, threshold_ms })
    } else {
        Err(wrong())
    }
}

/// Reads a span of whole minutes.
pub(super) fn parse_every(text: &str) -> Result<TimeDelta, String> {
    parse_span(text)
        .filter(|span| span.num_seconds() % 60 == 0)
        .ok_or_else(|| format!("{text:?} is not a time (allowed: {SPANS}, in whole minutes)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_have_a_statistic_and_a_unit() {
        let slo = parse_slo("p99=250ms").unwrap();
        assert_eq!((slo.statistic, slo.threshold_ms), (LatencyStatistic::P99, 250.0));
        assert_eq!(parse_slo("avg=1.5s").unwrap().threshold_ms, 1500.0);
        assert_eq!(parse_slo("p50=900us").unwrap().threshold_us(), 900.0);
        for wrong in ["", "p99", "p98=1s", "p99=250", "p99=-1ms", "p99=nanms", "p99=infs", "=1s"] {
            assert!(parse_slo(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_whole_minutes() {
        assert_eq!(parse_every("6h"), Ok(TimeDelta::hours(6)));
        assert_eq!(parse_every("1d"), Ok(TimeDelta::days(1)));
        for wrong in ["", "h", "0h", "-1h", "6", "6é", "99999999999d", "90s"] {
            assert!(parse_every(wrong).is_err(), "{wrong}");
        }
    }
}
