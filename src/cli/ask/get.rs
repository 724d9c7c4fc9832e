//! `setpoint get`: what a running daemon knows and has decided, worst first.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Value;

use super::near::did_you_mean;
use super::{DaemonArgs, selector};
use crate::cli::CliError;
use crate::cli::exit::Exit;
use crate::cli::out::{self, Data, noteln, out};
use crate::model::ids::{AccountId, Region, Scope, VariantId};
use crate::model::safety::Safety;
use crate::model::selector::Selector;
use crate::model::time::Timestamp;
use crate::model::units::{for_reading, human};
use crate::ports::Clock as _;
use crate::render::table::table;
use crate::render::{Standing, printable, severity};
use crate::system::WallClock;

/// Show what the running daemon knows of its variants, worst first: whether each is as configured and
/// whether that is safe, as of its last pass. Nothing is read from AWS, and nothing changes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 shown, 3 an account and region that was asked for cannot be read, so \
                        that variants may be missing, 1 failed, 64 usage."
)]
pub(in crate::cli) struct GetArgs {
    /// ENDPOINT/VARIANT, ENDPOINT for all its variants, ACCOUNT/REGION/ENDPOINT/VARIANT, or all
    #[arg(value_name = "VARIANT|all", value_parser = selector, default_value = "all")]
    variant: Selector,
    /// How to print it; json and yaml are the API's answer, of a single variant with all that was
    /// read, remembered and decided
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// How to print variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A line for each.
    Table,
    /// A longer line for each.
    Wide,
    /// JSON for programs.
    Json,
    /// The same, as YAML.
    Yaml,
}

#[derive(Debug, Deserialize)]
struct List {
    variants: Vec<Listed>,
    #[serde(default)]
    scopes: Vec<ListedScope>,
    shard: Option<ListedShard>,
}

#[derive(Debug, Deserialize)]
struct ListedShard {
    shard: u32,
    total_shards: u32,
    scopes: Vec<Scope>,
}

impl ListedShard {
    fn sentence(&self) -> String {
        let scopes: Vec<String> = self.scopes.iter().map(ToString::to_string).collect();
        format!(
            "shard {} of {} answers, which has {}; the other shards have the rest",
            self.shard,
            self.total_shards,
            scopes.join(", ")
        )
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ListedScope {
    account_id: AccountId,
    region: Region,
    readable: bool,
    why: Option<Why>,
}

#[derive(Debug, Deserialize)]
struct Why {
    message: String,
}

#[derive(Debug, Deserialize)]
struct Listed {
    id: VariantId,
    mode: String,
    standing: String,
    comparable: bool,
    safety: Judged,
    headline: String,
    targets: Targets,
    findings: Vec<String>,
    capacity: Capacity,
    instances: Instances,
    #[serde(default)]
    paused: Option<Paused>,
    #[serde(default)]
    unknown: Vec<Unknown>,
    last_pass: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Paused {
    until: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Unknown {
    fact: String,
}

#[derive(Debug, Deserialize)]
struct Judged {
    state: String,
    #[serde(rename = "unsafe")]
    is_unsafe: bool,
}

#[derive(Debug, Deserialize)]
struct Targets {
    configured: Option<f64>,
    formula: Option<f64>,
    safe: Option<f64>,
    wanted: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Capacity {
    verdict: String,
    low: Option<f64>,
    high: Option<f64>,
    lower_bound: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Instances {
    current: Option<u32>,
    min: Option<i32>,
    max: Option<i32>,
}

/// Runs `get`.
pub(in crate::cli) fn get(args: &GetArgs) -> Result<ExitCode, CliError> {
    let whole = matches!(args.output, Output::Json | Output::Yaml);
    if let Some(path) = path_of_one(&args.variant, "").filter(|_| whole) {
        let answer =
            args.daemon.get(path).map_err(|error| near(error, &args.variant, &args.daemon))?;
        print(&answer, args.output)?;
        return Ok(Exit::Done.into());
    }
    let mut answer = args.daemon.get("/api/v1/variants".to_owned())?;
    let list: List = understood(&answer)?;
    let unreadable = unreadable(&list.scopes, &args.variant);
    let mut found: Vec<&Listed> =
        list.variants.iter().filter(|listed| args.variant.matches(&listed.id)).collect();
    if found.is_empty() && !args.variant.is_all() {
        return Err(CliError::failed(nothing(&args.variant, &list, &unreadable)));
    }
    if whole {
        keep(&mut answer, &args.variant);
        print(&answer, args.output)?;
    } else {
        // Stable, so that equals stay in the order of their names.
        found.sort_by_key(|listed| listed.badness());
        let wide = args.output == Output::Wide;
        out!("{}", text(&found, wide, WallClock.now(), out::width()));
    }
    for sentence in &unreadable {
        noteln!("warning: {sentence}");
    }
    if let Some(shard) = &list.shard {
        noteln!("note: {}", shard.sentence());
    }
    Ok(if unreadable.is_empty() { Exit::Done } else { Exit::NotCompared }.into())
}

/// An error about one variant, with what may have been meant instead.
pub(super) fn near(error: CliError, selector: &Selector, daemon: &DaemonArgs) -> CliError {
    let known = known(daemon).unwrap_or_default();
    if known.iter().any(|id| selector.matches(id)) {
        return error;
    }
    match did_you_mean(selector, known.iter()) {
        near if near.is_empty() => error,
        near => CliError { message: format!("{error}{near}"), ..error },
    }
}

/// The variants that the daemon knows.
pub(super) fn known(daemon: &DaemonArgs) -> Result<Vec<VariantId>, CliError> {
    let answer = daemon.get("/api/v1/variants".to_owned())?;
    let list: List = understood(&answer)?;
    Ok(list.variants.into_iter().map(|listed| listed.id).collect())
}

/// Where the API has the one variant that is meant, or what lies below it.
pub(super) fn path_of_one(selector: &Selector, below: &str) -> Option<String> {
    let (endpoint, variant) = (selector.endpoint.as_ref()?, selector.variant.as_ref()?);
    let mut path = format!("/api/v1/variants/{endpoint}/{variant}{below}");
    if let (Some(account_id), Some(region)) = (&selector.account_id, &selector.region) {
        let _ = write!(path, "?account_id={account_id}&region={region}");
    }
    Some(path)
}

/// Reads an answer of the daemon.
///
/// # Errors
/// When it has another shape.
pub(in crate::cli) fn understood<T: serde::de::DeserializeOwned>(
    answer: &Value,
) -> Result<T, CliError> {
    T::deserialize(answer).map_err(|error| {
        CliError::failed(format!("cannot parse the daemon's answer: {error} (another version?)"))
    })
}

fn print(answer: &Value, output: Output) -> Result<(), CliError> {
    out::data(answer, if output == Output::Yaml { Data::Yaml } else { Data::Json })
}

/// Leaves the variants that were asked for in the list.
fn keep(answer: &mut Value, selector: &Selector) {
    if let Some(variants) = answer["variants"].as_array_mut() {
        variants
            .retain(|one| VariantId::deserialize(&one["id"]).is_ok_and(|id| selector.matches(&id)));
    }
}

/// A sentence for each account and region that may have variants which were asked for and are not
/// shown.
pub(in crate::cli) fn unreadable(scopes: &[ListedScope], selector: &Selector) -> Vec<String> {
    let meant = |scope: &&ListedScope| {
        let of = Scope { account_id: scope.account_id.clone(), region: scope.region.clone() };
        !scope.readable && selector.reaches(&of)
    };
    let sentence = |scope: &ListedScope| {
        let why = scope.why.as_ref().map_or("", |why| why.message.as_str());
        format!(
            "{}/{} cannot be read, and may have variants that are not shown: {}",
            scope.account_id,
            scope.region,
            printable(why)
        )
    };
    scopes.iter().filter(meant).map(sentence).collect()
}

fn nothing(selector: &Selector, list: &List, unreadable: &[String]) -> String {
    let near = did_you_mean(selector, list.variants.iter().map(|listed| &listed.id));
    let mut sentence = format!("no variant matches {selector}{near} (setpoint get all lists all)");
    for scope in unreadable {
        sentence = format!("{sentence}\n{scope}");
    }
    if let Some(shard) = &list.shard {
        sentence = format!("{sentence}\n{}", shard.sentence());
    }
    sentence
}

impl Listed {
    /// A word of another version is nothing that is known to be in sync.
    fn standing(&self) -> Standing {
        let known = Standing::ALL.into_iter().find(|s| s.as_str() == self.standing);
        known.unwrap_or(Standing::Unknown)
    }

    /// The order of the status page.
    fn badness(&self) -> (u8, usize, Standing) {
        let standing = self.standing();
        let compared = self.comparable && standing != Standing::NotCompared;
        let severity = severity(self.safety.is_unsafe, compared, !self.findings.is_empty());
        let word = Safety::WORDS.iter().position(|word| *word == self.safety.state);
        (severity, word.filter(|_| severity == 0).unwrap_or_default(), standing)
    }

    /// A value; `unknown` where the fact behind it could not be read, and a dash where there is none.
    fn or_unknown(&self, fact: &str, value: Option<String>) -> String {
        let unread = self.unknown.iter().any(|unknown| unknown.fact == fact);
        value.unwrap_or_else(|| if unread { "unknown" } else { "-" }.to_owned())
    }

    fn capacity(&self) -> String {
        let Capacity { low, high, lower_bound, .. } = self.capacity;
        match (low, high, lower_bound) {
            (Some(low), Some(high), _) => format!("{}-{}", short(low), short(high)),
            (None, Some(high), _) => format!("<={}", short(high)),
            (_, None, Some(bound)) | (Some(bound), None, None) => {
                format!(">={}", short(bound))
            }
            (None, None, None) => "-".to_owned(),
        }
    }
}

fn text(found: &[&Listed], wide: bool, now: Timestamp, width: Option<usize>) -> String {
    let names: BTreeSet<String> = found.iter().map(|listed| listed.id.short()).collect();
    // Two accounts or regions may have the same names.
    let several = names.len() < found.len();
    let row = |listed: &&Listed| {
        let id = &listed.id;
        let name = if wide || several { id.to_string() } else { id.short() };
        let state = printable(&listed.safety.state).into_owned();
        let mut row = vec![
            name,
            listed.standing.clone(),
            state,
            listed.or_unknown("policies", listed.targets.configured.map(short)),
            number(listed.targets.safe),
            listed.capacity(),
            age(listed.last_pass, now),
            paused(listed, now),
        ];
        if wide {
            let bound = |n: Option<i32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
            let Instances { current, min, max } = listed.instances;
            let current = listed.or_unknown("endpoint", current.map(|n| n.to_string()));
            row.extend([
                listed.mode.clone(),
                number(listed.targets.formula),
                number(listed.targets.wanted),
                listed.capacity.verdict.clone(),
                format!("{current} ({}-{})", bound(min), bound(max)),
                listed.headline.clone(),
            ]);
        }
        row
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let mut headings = HEADINGS.to_vec();
    if wide {
        headings.extend(WIDE);
    }
    table(&headings, &rows, width)
}

const HEADINGS: [&str; 8] =
    ["VARIANT", "CONFIGURED", "SAFETY", "TARGET", "SAFE", "CAPACITY", "LAST PASS", PAUSED];
/// Left out where nothing is paused.
const PAUSED: &str = "PAUSED";
const WIDE: [&str; 6] = ["MODE", "FORMULA", "WANTED", "VERDICT", "INSTANCES", "WHY"];

/// For how much longer it is paused; empty when it is not.
fn paused(listed: &Listed, now: Timestamp) -> String {
    listed
        .paused
        .as_ref()
        .map_or_else(String::new, |pause| format!("{} left", age(now, pause.until)))
}

/// Target values are in invocations per minute: a digit behind the point only below 100.
fn short(value: f64) -> String {
    if value.abs() < 100.0 {
        human((value * 10.0).round() / 10.0)
    } else {
        human(for_reading(value))
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), short)
}

/// How long ago, as kubectl says it: `12s`, `7m`, `3h`, `2d`.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    // The daemon's clock may be ahead of this machine's.
    let seconds = (now - at).num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_shown_as_kubectl_does() {
        let now: Timestamp = "2026-11-27T15:00:00Z".parse().unwrap();
        for (seconds, reported) in
            [(-5, "0s"), (12, "12s"), (119, "119s"), (420, "7m"), (7200, "2h"), (172_800, "2d")]
        {
            assert_eq!(age(now - chrono::TimeDelta::seconds(seconds), now), reported);
        }
    }

    #[test]
    fn a_bound_that_does_not_exist_is_not_made_up() {
        let of = |capacity: &str| {
            let one = format!(
                r#"{{"id": {{"account_id": "123456789012", "region": "us-east-1", "endpoint": "e",
                "variant": "v"}}, "mode": "observe", "standing": "new_word", "comparable": true,
                "safety": {{"state": "safe", "unsafe": false}}, "headline": "", "targets": {{}},
                "findings": [], "capacity": {{"verdict": "x", {capacity}}}, "instances": {{}},
                "last_pass": "2026-11-27T15:00:00Z"}}"#
            );
            let listed: Listed = serde_json::from_str(&one).unwrap();
            assert_eq!(listed.standing(), Standing::Unknown);
            listed.capacity()
        };
        assert_eq!(of(r#""low": 1180.4, "high": 1410, "lower_bound": 3"#), "1180-1410");
        assert_eq!(of(r#""low": 12.34, "high": null, "lower_bound": 99.96"#), ">=100");
        assert_eq!(of(r#""high": 12.34"#), "<=12.3");
        assert_eq!(of(r#""low": null"#), "-");
    }
}
