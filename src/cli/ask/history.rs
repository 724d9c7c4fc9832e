//! `setpoint history`: who changed what of a variant, when and why, from the running daemon or from
//! its file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::TimeDelta;

use super::callers::{Callers, look_up};
use super::get::{path_of_one, understood};
use super::{DaemonArgs, selector};
use crate::cli::CliError;
use crate::cli::config_args::ConfigArgs;
use crate::cli::exit::Exit;
use crate::cli::out::{self, Data, noteln, out};
use crate::model::history::{Event, History, Hour};
use crate::model::selector::Selector;
use crate::model::span::parse_since;
use crate::model::time::Timestamp;
use crate::model::units::{for_reading, human};
use crate::ports::Clock as _;
use crate::render::table::table;
use crate::store::read_file;
use crate::system::WallClock;

/// The span in which something happened is shown when it is longer than this.
const SPAN_TOLD: TimeDelta = TimeDelta::minutes(5);

/// Show who changed what of a variant, when and why: setpoint, a foreign hand, a schedule, a deploy,
/// the configuration. Asks the running daemon; where none answers on this machine, reads the file of
/// `store.path`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 shown, 1 failed, 64 usage.")]
pub(in crate::cli) struct HistoryArgs {
    /// ENDPOINT/VARIANT or ACCOUNT/REGION/ENDPOINT/VARIANT
    #[arg(value_name = "VARIANT", value_parser = one)]
    variant: Selector,
    /// Start: a span before now such as 90m, 36h or 7d, or an instant such as
    /// 2026-11-23T12:00:00Z
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = checked_since)]
    since: String,
    /// Show hours (load, latency, bad minutes, instances, targets, capacity) instead of events
    #[arg(long)]
    hours: bool,
    /// How to print it; json and yaml have events and hours
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Ask CloudTrail who made the foreign changes, the newest 20: the ARN of the user or role and
    /// where the call came from. Uses your credentials and `cloudtrail:LookupEvents` (iam/cloudtrail.json);
    /// CloudTrail knows a call up to 15 minutes later, and for 90 days
    #[arg(long)]
    cloudtrail: bool,
    /// Read this file instead of asking a daemon; none may have it open
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    file: Option<PathBuf>,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// How to print a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A line for each.
    Table,
    /// JSON for programs.
    Json,
    /// The same, as YAML.
    Yaml,
    /// Comma-separated values, with a head.
    Csv,
}

fn one(text: &str) -> Result<Selector, String> {
    let found = selector(text)?;
    if found.variant.is_some() {
        Ok(found)
    } else {
        Err("allowed: ENDPOINT/VARIANT, ACCOUNT/REGION/ENDPOINT/VARIANT".to_owned())
    }
}

fn checked_since(text: &str) -> Result<String, String> {
    parse_since(text, WallClock.now()).map(|_| text.to_owned())
}

/// Runs `history`.
pub(in crate::cli) fn history(args: &HistoryArgs) -> Result<ExitCode, CliError> {
    let history = find(args)?;
    let callers = if args.cloudtrail { named(args, &history) } else { Vec::new() };
    let whole = Named { history: &history, callers: args.cloudtrail.then_some(&callers) };
    match args.output {
        Output::Json => out::data(&whole, Data::Json)?,
        Output::Yaml => out::data(&whole, Data::Yaml)?,
        Output::Csv if args.hours => {
            out!("{}", csv_of(&HOUR_HEADS, history.hours.iter().map(hour))?);
        }
        Output::Csv if args.cloudtrail => {
            let heads: Vec<&str> = EVENT_HEADS.into_iter().chain(["callers"]).collect();
            let row = |one: &Event| {
                let names = callers.iter().find(|callers| callers.is_about(one));
                let names = names.map(Callers::names).unwrap_or_default();
                event(one).into_iter().chain([names]).collect()
            };
            out!("{}", csv_of(&heads, history.events.iter().map(row))?);
        }
        Output::Csv => out!("{}", csv_of(&EVENT_HEADS, history.events.iter().map(event))?),
        Output::Table => print(&history, args.hours, &callers)?,
    }
    Ok(Exit::Done.into())
}

/// A history with the names that CloudTrail has, where it was asked.
#[derive(serde::Serialize)]
struct Named<'a> {
    #[serde(flatten)]
    history: &'a History,
    #[serde(skip_serializing_if = "Option::is_none")]
    callers: Option<&'a Vec<Callers>>,
}

/// Who made the foreign changes; nobody, with a note, where that cannot be looked up.
fn named(args: &HistoryArgs, history: &History) -> Vec<Callers> {
    look_up(&args.daemon, history).unwrap_or_else(|error| {
        noteln!(
            "note: CloudTrail was not read, so no names are shown: {error} (it needs credentials with \
             iam/cloudtrail.json, and --config for where AWS is)"
        );
        Vec::new()
    })
}

fn find(args: &HistoryArgs) -> Result<History, CliError> {
    if let Some(file) = &args.file {
        return from_file(&args.variant, &args.since, file);
    }
    kept_history(&args.daemon, &args.variant, &args.since)
}

/// What is kept of a variant, by the daemon, or in its file where none runs.
///
/// # Errors
/// When neither has it.
pub(in crate::cli) fn kept_history(
    daemon: &DaemonArgs,
    variant: &Selector,
    since: &str,
) -> Result<History, CliError> {
    let path = path_of_one(variant, "/history")
        .ok_or_else(|| CliError::usage("one variant: ENDPOINT/VARIANT"))?;
    let between = if path.contains('?') { '&' } else { '?' };
    // A plus sign of an offset would be read as a blank.
    let encoded = since.replace('+', "%2B");
    let no_answer = match daemon.get(format!("{path}{between}since={encoded}")) {
        Ok(answer) => return understood(&answer),
        Err(error) => error,
    };
    // Only where nobody runs here the file may be read instead.
    let here = daemon.url.is_none() && no_answer.to_string().starts_with("nothing listens");
    let Some(file) = here.then(|| configured(daemon)).flatten() else {
        return Err(no_answer);
    };
    noteln!("no daemon runs here: reading {}", file.display());
    from_file(variant, since, &file)
}

/// The file of the configuration, if it is there.
fn configured(daemon: &DaemonArgs) -> Option<PathBuf> {
    let args = ConfigArgs { config: daemon.config.clone(), ..ConfigArgs::default() };
    let path = args.load().ok()?.store.path.clone()?;
    path.exists().then_some(path)
}

fn from_file(variant: &Selector, since: &str, file: &Path) -> Result<History, CliError> {
    let now = WallClock.now();
    let since = parse_since(since, now).map_err(CliError::usage)?;
    let failed = |why: String| CliError::failed(format!("{}: {why}", file.display()));
    if !file.is_file() {
        return Err(failed("there is no such file".to_owned()));
    }
    let found = read_file(file, |id| variant.matches(id), since, now);
    let mut found = found.map_err(|error| failed(error.to_string()))?;
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(failed(format!("nothing is kept of {variant}"))),
        (Some(history), []) => Ok(history),
        (Some(last), others) => {
            let ids: Vec<String> =
                others.iter().chain([&last]).map(|history| history.variant.to_string()).collect();
            Err(failed(format!("several variants match: name one of {}", ids.join(", "))))
        }
    }
}

const EVENT_TABLE: [&str; 4] = ["WHEN", "WHO", "WHAT", "SENTENCE"];

const EVENT_HEADS: [&str; 9] =
    ["at", "not_before", "kind", "who", "field", "before", "after", "code", "sentence"];

fn event(event: &Event) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    vec![
        stamp(event.at),
        event.not_before.map(stamp).unwrap_or_default(),
        event.kind.to_string(),
        event.who.to_string(),
        event.field.map(|field| field.to_string()).unwrap_or_default(),
        text(&event.before),
        text(&event.after),
        text(&event.code),
        event.sentence.clone(),
    ]
}

const HOUR_HEADS: [&str; 20] = [
    "at",
    "minutes",
    "judged_minutes",
    "bad_minutes",
    "invocations",
    "load_mean",
    "load_max",
    "latency_mean_ms",
    "latency_max_ms",
    "instances_low",
    "instances_high",
    "min_instances",
    "max_instances",
    "capacity_low",
    "capacity",
    "capacity_high",
    "capacity_lower_bound",
    "configured_target",
    "safe_target",
    "formula_target",
];

fn hour(hour: &Hour) -> Vec<String> {
    let numbers = [
        hour.invocations,
        hour.load_mean,
        hour.load_max,
        hour.latency_mean_ms,
        hour.latency_max_ms,
        hour.instances_low,
        hour.instances_high,
        hour.min_instances,
        hour.max_instances,
        hour.capacity_low,
        hour.capacity,
        hour.capacity_high,
        hour.capacity_lower_bound,
        hour.configured_target,
        hour.safe_target,
        hour.formula_target,
    ];
    let counts = [hour.minutes, hour.judged_minutes, hour.bad_minutes].map(|n| n.to_string());
    let numbers = numbers.map(|number| number.map(human).unwrap_or_default());
    [stamp(hour.at)].into_iter().chain(counts).chain(numbers).collect()
}

fn csv_of(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<String, CliError> {
    let failed = |error: String| CliError::failed(format!("no CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(heads).map_err(|error| failed(error.to_string()))?;
    for row in rows {
        writer.write_record(&row).map_err(|error| failed(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn print(history: &History, hours: bool, callers: &[Callers]) -> Result<(), CliError> {
    if hours {
        let heads = [
            "HOUR",
            "LOAD",
            "MAX",
            "LATENCY MS",
            "BAD MIN",
            "INSTANCES",
            "TARGET",
            "SAFE",
            "CAPACITY",
        ];
        let rows: Vec<Vec<String>> = history.hours.iter().map(hour_row).collect();
        out!("{}", table(&heads, &rows, out::width()));
    } else {
        let row = |event: &Event| {
            let mut row = event_row(event);
            if let Some(callers) = callers.iter().find(|callers| callers.is_about(event))
                && let Some(sentence) = row.last_mut()
            {
                *sentence = format!("{sentence}; {}", callers.sentence());
            }
            row
        };
        let rows: Vec<Vec<String>> = history.events.iter().map(row).collect();
        out!("{}", table(&EVENT_TABLE, &rows, out::width()));
    }
    let empty = if hours { history.hours.is_empty() } else { history.events.is_empty() };
    if empty {
        let what = if hours { "hour is known" } else { "event is known" };
        noteln!("no {what} of {} since {}", history.variant, stamp(history.since));
    }
    if !hours && history.events_left_out > 0 {
        noteln!(
            "{} older events are left out: a later --since shows the rest",
            history.events_left_out
        );
    }
    if let Some(kept) = history.kept_since.filter(|kept| *kept > history.since) {
        noteln!("the history of this variant begins at {}", stamp(kept));
    }
    Ok(())
}

fn event_row(event: &Event) -> Vec<String> {
    let span = event.not_before.filter(|before| event.at - *before > SPAN_TOLD);
    let span = span
        .map_or_else(String::new, |before| format!(" (seen then; not before {})", stamp(before)));
    let what = match (event.field, &event.code) {
        (Some(field), _) => format!("{} {field}", event.kind),
        (None, Some(code)) => format!("{} {code}", event.kind),
        (None, None) => event.kind.to_string(),
    };
    vec![
        stamp(event.at),
        event.who.words().to_owned(),
        what.replace('_', " "),
        format!("{}{span}", event.sentence),
    ]
}

fn hour_row(hour: &Hour) -> Vec<String> {
    let rounded = |number: Option<f64>| {
        number.map_or_else(|| "-".to_owned(), |n| human(for_reading(n).floor()))
    };
    let span = |low: Option<f64>, high: Option<f64>| match (low, high) {
        (Some(low), Some(high)) if rounded(Some(low)) == rounded(Some(high)) => rounded(Some(low)),
        (None, None) => "-".to_owned(),
        (low, high) => format!("{} to {}", rounded(low), rounded(high)),
    };
    let bad = if hour.judged_minutes == 0 {
        "-".to_owned()
    } else {
        format!("{} of {}", hour.bad_minutes, hour.judged_minutes)
    };
    vec![
        hour.at.format("%F %H:00").to_string(),
        rounded(hour.load_mean),
        rounded(hour.load_max),
        rounded(hour.latency_max_ms),
        bad,
        span(hour.instances_low, hour.instances_high),
        rounded(hour.configured_target),
        rounded(hour.safe_target),
        span(hour.capacity_low, hour.capacity_high),
    ]
}

fn stamp(at: Timestamp) -> String {
    at.format("%FT%TZ").to_string()
}
