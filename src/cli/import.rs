//! `setpoint import`: from what is in AWS to a configuration under which nothing differs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use super::CliError;
use super::audit::telemetry::{self, Reading};
use super::config_args::{ConfigArgs, counted};
use super::deadline::{Bounded, Timeout};
use super::exit::Exit;
use super::new_file::NewFile;
use super::survey::{Survey, survey};
use crate::cli::out::{noteln, out};
use crate::config::Config;
use crate::import::{Imported, Options, import};
use crate::model::ids::{EndpointName, VariantId};
use crate::model::status::FleetStatus;
use crate::model::tags::Tag;
use crate::model::units::SafetyFactor;
use crate::ports::{Clock as _, ErrorKind};
use crate::render::printable;
use crate::render::trouble::what_is_missing;
use crate::system::WallClock;

/// Write a configuration that restates what is in AWS, so that a plan with it shows no difference.
/// Only free calls are made, unless `--telemetry` asks for more, and nothing is written to AWS. Anything
/// that looks wrong, or cannot be managed as it is, becomes a comment.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 written, 3 an account and region could not be read, so that variants may be missing, 1 \
                  failed, 64 usage."
)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only this endpoint; may be given several times
    #[arg(long, value_name = "NAME")]
    endpoint: Vec<EndpointName>,
    /// Only endpoints with this tag, such as team=ranking or setpoint:owner=ranking; if given
    /// several times, only those with all of them. Reads tags by `tag:GetResources` (iam/tags.json)
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Vec<Tag>,
    /// The safety factor to explain target values by, above 0, at most 1
    #[arg(long, value_name = "FACTOR", default_value = "0.5", value_parser = factor)]
    safety_factor: SafetyFactor,
    /// Also guess the latency objective of each variant from its own quiet minutes, which reads
    /// CloudWatch and costs money; the price is stated first
    #[arg(long)]
    telemetry: bool,
    /// Do not ask before `--telemetry` reads what it has priced
    #[arg(short, long, requires = "telemetry")]
    yes: bool,
    /// Where to write; standard output by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, requires = "out")]
    force: bool,
    #[command(flatten)]
    timeout: Timeout,
}

fn factor(text: &str) -> Result<SafetyFactor, String> {
    let refused = || format!("{text:?} is not a safety factor (allowed: above 0, at most 1)");
    let number: f64 = text.parse().map_err(|_| refused())?;
    SafetyFactor::new(number).map_err(|_| refused())
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let file = args.out.as_deref().map(|path| NewFile::at(path, args.force)).transpose()?;
    let (config, _logs) = args.config.load_with_logs()?;
    let bounded = Bounded::new(args.timeout)?;
    let mut seen = bounded.run(survey(&config, &config, args.timeout, bounded.observer()))??;
    only(&mut seen.fleet, &args.endpoint)?;
    if !args.tag.is_empty() {
        bounded.run(only_tagged(&mut seen, &args.tag))??;
    }
    let mut guesses = BTreeMap::new();
    if args.telemetry
        && let Some(priced) = telemetry::consented(&config, &seen, Reading::Guess, args.yes)?
    {
        guesses = bounded.run(telemetry::guessed(&config, &seen, &priced))?;
    }
    let fleet = seen.fleet;
    let options = Options {
        guesses,
        tags: args.tag.clone(),
        safety_factor: args.safety_factor,
        aws: aws_section(&config),
        targets_only: !args.config.sources().files.is_empty(),
        at: WallClock.now(),
    };
    let imported = import(&fleet, &options);
    match file {
        Some(file) => file.write(&imported.yaml)?,
        None => out!("{}", imported.yaml),
    }
    summarise(args, &config, &fleet, &imported);
    Ok(Exit::of_reads(&fleet).into())
}

/// Leaves the endpoints that were asked for.
fn only(fleet: &mut FleetStatus, endpoints: &[EndpointName]) -> Result<(), CliError> {
    if endpoints.is_empty() {
        return Ok(());
    }
    let missing: Vec<&str> = endpoints
        .iter()
        .filter(|name| !fleet.variants.keys().any(|id| id.endpoint == **name))
        .map(EndpointName::as_str)
        .collect();
    if !missing.is_empty() {
        let mut sentence = format!("no endpoint is called {}", missing.join(", "));
        for (scope, why) in fleet.unreadable() {
            let why = printable(&why.message);
            sentence = format!("{sentence}\n{scope} could not be read, or not all of it: {why}");
        }
        for (scope, found) in &fleet.undescribed {
            sentence = format!("{sentence}\n{scope}: {}", printable(&found.words()));
        }
        return Err(CliError::failed(sentence));
    }
    fleet.variants.retain(|id, _| endpoints.contains(&id.endpoint));
    Ok(())
}

/// Leaves the endpoints that have all of these tags. Tags that cannot be read choose nothing, and are
/// no reason to import everything.
async fn only_tagged(seen: &mut Survey, wanted: &[Tag]) -> Result<(), CliError> {
    let mut found = BTreeMap::new();
    for aws in &seen.aws {
        let tags = aws.endpoints.endpoint_tags().await.map_err(|error| {
            let how = if error.kind == ErrorKind::Denied {
                " (allow tag:GetResources: iam/tags.json has the statement; or name endpoints by --endpoint)"
            } else {
                ""
            };
            CliError::failed(format!(
                "the tags of endpoints in {} could not be read, and nothing was imported: {error}{how}",
                aws.scope
            ))
        })?;
        found.insert(aws.scope.clone(), tags);
    }
    let has = |id: &VariantId| {
        found
            .get(&id.scope())
            .is_some_and(|tags| wanted.iter().all(|tag| tags.has(&id.endpoint, tag)))
    };
    seen.fleet.variants.retain(|id, _| has(id));
    if seen.fleet.variants.is_empty() {
        let each = wanted.iter().map(|tag| {
            let mut values: Vec<&str> =
                found.values().flat_map(|tags| tags.values(&tag.key)).collect();
            values.sort_unstable();
            values.dedup();
            let known = if values.is_empty() {
                "no endpoint has the key".to_owned()
            } else {
                format!("values found: {}", printable(&values.join(", ")))
            };
            format!("{tag} ({known})")
        });
        let each: Vec<String> = each.collect();
        return Err(CliError::failed(format!("no endpoint has the tag {}", each.join(" and "))));
    }
    Ok(())
}

/// What the file must say so that it reaches the same AWS without flags.
fn aws_section(config: &Config) -> Vec<(&'static str, String)> {
    let aws = &config.aws;
    let keys = [
        ("endpoint_url", &aws.endpoint_url),
        ("profile", &aws.profile),
        ("role_arn", &aws.role_arn),
    ];
    keys.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
}

fn summarise(args: &Args, config: &Config, fleet: &FleetStatus, imported: &Imported) {
    for sentence in what_is_missing(fleet) {
        noteln!("warning: {sentence}");
    }
    let (listed, left_out) = (imported.listed.len(), imported.left_out.len());
    let mut parts = vec![format!("{} imported", counted(listed, "variant", "variants"))];
    if left_out > 0 {
        parts.push(format!("{left_out} left out, each with the reason in a comment"));
    }
    if imported.already_listed > 0 {
        parts.push(format!("{} listed already", imported.already_listed));
    }
    noteln!("{}", parts.join("; "));
    let is_whole = fleet.unreadable().next().is_none() && fleet.undescribed.is_empty();
    if fleet.variants.is_empty() && is_whole {
        let scopes: Vec<String> = fleet.scopes.keys().map(ToString::to_string).collect();
        noteln!(
            "there are no endpoints in {} (is it the right region? --region)",
            scopes.join(", ")
        );
    }
    if args.telemetry {
        noteln!("the objectives in it are guesses: put what your callers need in their place");
    } else if listed > 0 && config.defaults.objective.latency.is_none() {
        noteln!(
            "no latency objective is stated, and without one nothing says whether these values are safe: state \
             defaults.objective, or let --telemetry guess one for each variant (it states its price first)"
        );
    }
    let Some(path) = &args.out else { return };
    let others = args.config.config.iter().filter(|path| !path.as_os_str().is_empty());
    let all: Vec<String> =
        others.chain([path]).map(|path| format!(" --config {}", path.display())).collect();
    noteln!("next: setpoint plan{}", all.concat());
}
